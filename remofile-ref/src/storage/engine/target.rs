//! The target rules, and the atomic rename that ends every operation that makes a name.

use super::durability::Durability;
use crate::storage::backend::{Access, Backend, BackendDir, BackendFile, Location};
use crate::storage::refusal::failed;
use crate::storage::status::Status;
use remofile_proto::{Code, Entry, Kind, Precondition, Refusal, RemotePath};
use std::io;
use std::time::{Duration, Instant};

/// How often a target is examined again that changes between the examination and the rename.
const ATTEMPTS: usize = 16;
/// How long one read of a directory lasts at most before the next.
const READ_TIME: Duration = Duration::from_secs(1);

/// What the target rules allow.
#[derive(Debug)]
pub(super) enum Decision {
    /// Nothing has the name.
    Create,
    /// A file has the name, and may be replaced.
    Replace(Status),
    /// The source has the name in another spelling.
    Respell,
}

/// The source of a move, as far as the target rules need it.
pub(super) struct MoveSource<'a> {
    pub(super) path: &'a RemotePath,
    pub(super) status: Status,
}

/// A complete file in the staging area that is to get its name.
pub(super) struct CompleteFile<'a, F> {
    pub(super) name: &'a str,
    pub(super) file: &'a F,
    /// Whether its content is on stable storage.
    pub(super) stable: bool,
    /// Nanoseconds since 1970; the present where it is absent.
    pub(super) mtime_ns: Option<i64>,
}

/// The code for a target path that is the served directory, which always exists.
pub(super) fn code_of_root(pre: &Precondition) -> Code {
    if *pre == Precondition::Absent { Code::Exists } else { Code::NotFile }
}

/// Applies the target rules [TARGET-2] to [TARGET-7].
pub(super) fn decide<B: Backend>(
    backend: &B,
    to: &RemotePath,
    pre: &Precondition,
    moved: Option<&MoveSource<'_>>,
) -> Result<Decision, Refusal> {
    if to.is_root() {
        return Err(Refusal::new(code_of_root(pre)));
    }
    let Some(found) = backend.stat(Location::Served(to)).map_err(failed("looking at the entry"))? else {
        return match pre {
            Precondition::Etag(_) => Err(Refusal::new(Code::Changed)),
            Precondition::Absent | Precondition::Any => Ok(Decision::Create),
        };
    };
    if !is_spelled(backend, to)? {
        return match moved {
            Some(moved) if moved.status.identity == found.identity && are_siblings(backend, to, moved.path)? => {
                Ok(Decision::Respell)
            }
            _ => Err(Refusal::new(Code::NameClash)),
        };
    }
    if *pre == Precondition::Absent {
        return Err(Refusal::new(Code::Exists));
    }
    if moved.is_some_and(|moved| moved.status.kind == Kind::Dir) {
        return Err(Refusal::new(Code::NotFile));
    }
    found.needs_file()?;
    if let Precondition::Etag(etag) = pre {
        found.matches(Some(etag))?;
    }
    Ok(Decision::Replace(found))
}

/// Gives a complete file its name by the target rules, and returns the entry.
///
/// A refusal leaves the file under its staging name.
pub(super) fn commit_rename<B: Backend>(
    backend: &B,
    complete: &CompleteFile<'_, B::File>,
    to: &RemotePath,
    pre: &Precondition,
) -> Result<Entry, Refusal> {
    if to.is_root() {
        return Err(Refusal::new(code_of_root(pre)));
    }
    let (from, target) = (Location::Staged(complete.name), Location::Served(to));
    for _ in 0..ATTEMPTS {
        // With "absent" the rename itself answers the question; only a failure needs the rules.
        let decision = if *pre == Precondition::Absent { Decision::Create } else { decide(backend, to, pre, None)? };
        let renamed = match decision {
            Decision::Create | Decision::Respell => {
                complete.set_time()?;
                backend.rename(from, target, false)
            }
            Decision::Replace(found) => {
                // [TARGET-10], without set-user-id and its kind, which new content must not inherit.
                complete.file.set_permissions(found.permissions).map_err(failed("keeping the permissions"))?;
                complete.set_time()?;
                complete.make_stable()?;
                backend.rename(from, target, true)
            }
        };
        match renamed {
            Ok(()) => return complete.file.status().map(|status| status.entry()).map_err(failed("looking")),
            Err(error) if has_target_changed(&error) && *pre == Precondition::Absent => {
                match decide(backend, to, pre, None)? {
                    Decision::Create => {}
                    Decision::Replace(_) | Decision::Respell => return Err(Refusal::new(Code::Exists)),
                }
            }
            Err(error) if has_target_changed(&error) => {}
            Err(error) => return Err(failed("renaming")(error)),
        }
    }
    Err(unsettled())
}

/// MOVE: the target rules, the rename, and nothing left under the old name ([MOVE-3]).
pub(super) fn move_entry<B: Backend>(
    backend: &B,
    moved: &MoveSource<'_>,
    to: &RemotePath,
    pre: &Precondition,
    durability: &mut Durability,
) -> Result<Entry, Refusal> {
    let (from, target) = (Location::Served(moved.path), Location::Served(to));
    for _ in 0..ATTEMPTS {
        let renamed = match decide(backend, to, pre, Some(moved))? {
            Decision::Create => backend.rename(from, target, false),
            Decision::Respell => backend.rename(from, target, true),
            Decision::Replace(found) if found.identity == moved.status.identity => {
                // A rename between two hard links of one file does nothing, and succeeds.
                backend.remove(from, moved.status.kind)
            }
            Decision::Replace(_) => {
                if moved.status.kind == Kind::File {
                    fsync_source(backend, moved.path, durability)?;
                }
                backend.rename(from, target, true)
            }
        };
        match renamed {
            Ok(()) => return super::entries::status(backend, to).map(|status| status.entry()),
            // A directory would become its own descendant.
            Err(error) if error.kind() == io::ErrorKind::InvalidInput => return Err(Refusal::new(Code::Loop)),
            Err(error) if has_target_changed(&error) => {}
            Err(error) => return Err(failed("renaming")(error)),
        }
    }
    Err(unsettled())
}

/// Refuses what [`decide`] would refuse at the end, before a long operation does its work.
pub(super) fn precheck<B: Backend>(backend: &B, to: &RemotePath, pre: &Precondition) -> Result<(), Refusal> {
    decide(backend, to, pre, None).map(drop)
}

impl<F: BackendFile> CompleteFile<'_, F> {
    fn set_time(&self) -> Result<(), Refusal> {
        // A staged file has the time of its last append [COMMIT-4].
        self.file.set_mtime(self.mtime_ns).map_err(failed("setting the time"))
    }

    /// [DUR-1]: what replaces a file has its content on stable storage first.
    fn make_stable(&self) -> Result<(), Refusal> {
        if self.stable { Ok(()) } else { self.file.sync().map_err(unstable) }
    }
}

/// A failed write-back is the server's failure, whatever its reason: the content may be lost.
#[allow(clippy::needless_pass_by_value, reason = "for use in map_err")]
pub(super) fn unstable(error: io::Error) -> Refusal {
    tracing::error!(%error, "content did not reach stable storage");
    Refusal::because(Code::Internal, "the content did not reach stable storage")
}

/// Syncs a file that existed before: after a failure it cannot be discarded, so the failure is remembered.
fn fsync_source<B: Backend>(backend: &B, from: &RemotePath, durability: &mut Durability) -> Result<(), Refusal> {
    durability.refuse_if_lost()?;
    let (file, _) = match super::entries::open_file(backend, from, Access::Read) {
        Err(refusal) if refusal.code == Code::Denied => super::entries::open_file(backend, from, Access::Write)?,
        opened => opened?,
    };
    file.sync().map_err(|error| {
        durability.note_loss();
        unstable(error)
    })
}

/// Whether the entry at the target was made, removed or replaced since the rules were applied.
fn has_target_changed(error: &io::Error) -> bool {
    use io::ErrorKind as Kind;
    matches!(error.kind(), Kind::AlreadyExists | Kind::IsADirectory | Kind::DirectoryNotEmpty | Kind::NotADirectory)
}

fn unsettled() -> Refusal {
    Refusal::because(Code::Internal, "the target does not come to rest")
}

/// Whether the directory holds this very name, byte for byte.
fn is_spelled<B: Backend>(backend: &B, path: &RemotePath) -> Result<bool, Refusal> {
    let Some((parent, name)) = path.split_last() else { return Ok(true) };
    let Some(parent) = super::checked_path(parent) else { return Ok(true) };
    if !backend.folds_in(&parent) {
        return Ok(true);
    }
    let reading = failed("reading the directory");
    let mut directory = backend.open_dir(&parent).map_err(&reading)?;
    let mut is_there = false;
    directory.rewind().map_err(&reading)?;
    let mut each = |found: &[u8]| is_there |= found == name.as_bytes();
    while !directory.read(Instant::now() + READ_TIME, &mut each).map_err(&reading)? {}
    Ok(is_there)
}

/// Whether both are names in one directory.
fn are_siblings<B: Backend>(backend: &B, one: &RemotePath, other: &RemotePath) -> Result<bool, Refusal> {
    let parent = |path: &RemotePath| {
        let parent = super::checked_path(path.split_last()?.0)?;
        Some(super::entries::status(backend, &parent).map(|status| status.identity))
    };
    match (parent(one), parent(other)) {
        (Some(one), Some(other)) => Ok(one? == other?),
        _ => Ok(false),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::storage::Posix;

    #[test]
    fn a_name_in_the_same_spelling_does_not_clash() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("name"), b"").unwrap();
        let (backend, path) = (Posix::folding(directory.path()), RemotePath::parse("/name").unwrap());
        assert_eq!(decide(&backend, &path, &Precondition::Absent, None).unwrap_err().code, Code::Exists);
        assert!(matches!(decide(&backend, &path, &Precondition::Any, None), Ok(Decision::Replace(_))));
    }

    #[test]
    fn a_directory_knows_the_spelling_of_its_names() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..2_000 {
            std::fs::write(directory.path().join(format!("name-{n}")), b"").unwrap();
        }
        let backend = Posix::folding(directory.path());
        for (name, expected) in [("/name-1234", true), ("/NAME-1234", false)] {
            let path = RemotePath::parse(name).unwrap();
            assert_eq!(is_spelled(&backend, &path), Ok(expected), "{name}");
        }
    }
}
