//! Landlock: the kernel restricts a thread to the served directory.

use landlock::{
    ABI, Access as _, AccessFs, BitFlags, CompatLevel, Compatible as _, PathBeneath, PathFd, Ruleset, RulesetAttr as _,
    RulesetCreatedAttr as _, RulesetError, RulesetStatus,
};
use rustix::fd::BorrowedFd;
use std::io;
use std::path::PathBuf;

/// How far Landlock restricts a thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Confinement {
    /// All access rights that this program knows are restricted.
    Full,
    /// The access rights that this kernel knows are restricted; Linux 6.10 and later know all.
    Partial,
    /// Nothing is restricted: the kernel has no Landlock (Linux before 5.19), or it is disabled. Only `openat2`
    /// restricts.
    None,
}

/// The version whose access rights are restricted; an older kernel restricts those it knows.
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

/// Restricts the calling thread, and all that it starts later, to `root` and to removing files from the directories of
/// `removable`.
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
