//! Landlock: the kernel keeps a thread inside the served directory, whatever the code of this program does.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use rustix::fd::BorrowedFd;
use std::io;
use std::path::PathBuf;

/// How far the kernel confines a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Confinement {
    /// In all that this program knows of.
    Full,
    /// In what this kernel knows of; Linux 6.10 and later know all.
    Partial,
    /// Not at all: it has no Landlock (Linux before 5.19), or it is switched off. The jail of `openat2` is the only one.
    None,
}

/// What is asked of the kernel; older ones are asked for what they know.
const KNOWN: ABI = ABI::V5;

/// What the store does in a served directory. It makes no links and no special files, but gives those that are there
/// another name, which for the kernel is making one.
fn of_store(read_only: bool) -> BitFlags<AccessFs> {
    let reading = AccessFs::ReadFile | AccessFs::ReadDir;
    let changing = AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir
        | AccessFs::MakeSym
        | AccessFs::MakeFifo
        | AccessFs::MakeSock
        | AccessFs::MakeChar
        | AccessFs::MakeBlock
        | AccessFs::Refer;
    if read_only { reading } else { reading | changing }
}

/// Confines the calling thread, and all that it starts from now on, to what is below `root`, and to removing files
/// from the directories of `removable`.
pub(crate) fn confine_thread(root: BorrowedFd<'_>, read_only: bool, removable: &[PathBuf]) -> io::Result<Confinement> {
    let removable = removable.iter().map(PathFd::new).collect::<Result<Vec<_>, _>>().map_err(io::Error::other)?;
    restrict(root, read_only, removable).map_err(io::Error::other)
}

fn restrict(root: BorrowedFd<'_>, read_only: bool, removable: Vec<PathFd>) -> Result<Confinement, RulesetError> {
    // Without it (Linux 5.13 to 5.18) every rename between directories is refused, by which uploads get their names.
    let ruleset = Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(AccessFs::Refer);
    let Ok(ruleset) = ruleset else { return Ok(Confinement::None) };
    let mut ruleset = ruleset
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_all(KNOWN))?
        .create()?
        .add_rule(PathBeneath::new(root, of_store(read_only)))?;
    for directory in removable {
        ruleset = ruleset.add_rule(PathBeneath::new(directory, AccessFs::RemoveFile))?;
    }
    Ok(match ruleset.restrict_self()?.ruleset {
        RulesetStatus::FullyEnforced => Confinement::Full,
        RulesetStatus::PartiallyEnforced => Confinement::Partial,
        RulesetStatus::NotEnforced => Confinement::None,
    })
}
