//! The target rules, and the atomic rename that ends every operation that makes a name.

use super::durable::Durability;
use super::errno::failed;
use super::jail::Place;
use super::status::Status;
use crate::fs::beneath::{MountPoints, open_beneath};
use crate::fs::calls::{fchmod, fdatasync, fstat, futimens, read_entry, renameat, unlinkat};
use crate::fs::rename::rename_no_replace;
use crate::fs::time::{modified_at, modified_now};
use remofile_proto::{Code, Entry, Kind, Precondition, Refusal, RemotePath};
use rustix::fd::BorrowedFd;
use rustix::fs::{AtFlags, Mode, OFlags, RawDir};
use rustix::io::Errno;

/// How often a target that changes under our hands is judged anew.
const ATTEMPTS: usize = 16;

/// What the target rules allow.
#[derive(Debug)]
pub(super) enum Verdict {
    /// Nothing is there.
    Create,
    /// A file is there, and may be replaced.
    Replace(Status),
    /// The source is there under another spelling of its name.
    Respell,
}

/// The source of a move, as far as the target rules ask for it.
pub(super) struct Moved<'a> {
    pub(super) place: &'a Place<'a>,
    pub(super) status: Status,
}

/// A complete file in the staging directory, waiting for its name.
pub(super) struct Complete<'a> {
    pub(super) staging: BorrowedFd<'a>,
    pub(super) name: &'a str,
    pub(super) file: BorrowedFd<'a>,
    /// Whether its content is on stable storage.
    pub(super) stable: bool,
    /// Nanoseconds since the epoch; without it the present.
    pub(super) mtime_ns: Option<i64>,
}

/// What a path that names the served directory is as a target: a directory that is there.
pub(super) fn code_of_root(pre: &Precondition) -> Code {
    if *pre == Precondition::Absent { Code::Exists } else { Code::NotFile }
}

/// Applies the target rules [TARGET-2] to [TARGET-7].
pub(super) fn judge(to: &Place<'_>, pre: &Precondition, moved: Option<&Moved<'_>>) -> Result<Verdict, Refusal> {
    let Some(found) = to.look()? else {
        return match pre {
            Precondition::Etag(_) => Err(Refusal::new(Code::Changed)),
            Precondition::Absent | Precondition::Any => Ok(Verdict::Create),
        };
    };
    if to.folds() && !is_spelled(to)? {
        return match moved {
            Some(moved) if moved.status.identity == found.identity && to.is_beside(moved.place)? => {
                Ok(Verdict::Respell)
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
    Ok(Verdict::Replace(found))
}

/// Gives a complete file its name by the target rules, and says what is there then.
///
/// A refusal leaves the file under its staging name.
pub(super) fn install(complete: &Complete<'_>, to: &Place<'_>, pre: &Precondition) -> Result<Entry, Refusal> {
    for _ in 0..ATTEMPTS {
        // With "absent" the kernel answers the question itself; only a no is looked into.
        let verdict = if *pre == Precondition::Absent { Verdict::Create } else { judge(to, pre, None)? };
        let renamed = match verdict {
            Verdict::Create | Verdict::Respell => {
                complete.set_time()?;
                rename_no_replace(complete.staging, complete.name, &to.directory, to.name)
            }
            Verdict::Replace(found) => {
                // [TARGET-10], without set-user-id and its kind, which new content must not inherit.
                fchmod(complete.file, Mode::from_raw_mode(found.permissions))
                    .map_err(failed("keeping the permissions"))?;
                complete.set_time()?;
                complete.make_stable()?;
                renameat(complete.staging, complete.name, &to.directory, to.name)
            }
        };
        match renamed {
            Ok(()) => return fstat(complete.file).map(|stat| Status::from(stat).entry()).map_err(failed("looking")),
            Err(Errno::EXIST) if *pre == Precondition::Absent => match judge(to, pre, None)? {
                Verdict::Create => {}
                Verdict::Replace(_) | Verdict::Respell => return Err(Refusal::new(Code::Exists)),
            },
            Err(Errno::EXIST | Errno::ISDIR | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(errno) => return Err(failed("renaming")(errno)),
        }
    }
    Err(Refusal::because(Code::Internal, "the target does not come to rest"))
}

/// MOVE: the target rules, the rename, and nothing left under the old name ([MOVE-3]).
pub(super) fn rename(
    moved: &Moved<'_>,
    to: &Place<'_>,
    pre: &Precondition,
    durability: &mut Durability,
) -> Result<Entry, Refusal> {
    let from = moved.place;
    for _ in 0..ATTEMPTS {
        let renamed = match judge(to, pre, Some(moved))? {
            Verdict::Create => rename_no_replace(&from.directory, from.name, &to.directory, to.name),
            Verdict::Respell => renameat(&from.directory, from.name, &to.directory, to.name),
            Verdict::Replace(found) if found.identity == moved.status.identity => {
                // To rename between two hard links of one file does nothing, and says success.
                unlinkat(&from.directory, from.name, AtFlags::empty())
            }
            Verdict::Replace(_) => {
                if moved.status.kind == Kind::File {
                    stabilise(from, durability)?;
                }
                renameat(&from.directory, from.name, &to.directory, to.name)
            }
        };
        match renamed {
            Ok(()) => return to.status().map(|status| status.entry()),
            // The kernel's word for a directory that would become its own descendant.
            Err(Errno::INVAL) => return Err(Refusal::new(Code::Loop)),
            Err(Errno::EXIST | Errno::ISDIR | Errno::NOTEMPTY | Errno::NOTDIR) => {}
            Err(errno) => return Err(failed("renaming")(errno)),
        }
    }
    Err(Refusal::because(Code::Internal, "the target does not come to rest"))
}

/// Refuses what [`judge`] would refuse at the end, before a long operation does its work.
pub(super) fn foresee(jail: &super::jail::Jail, to: &RemotePath, pre: &Precondition) -> Result<(), Refusal> {
    judge(&jail.place(to, code_of_root(pre))?, pre, None).map(drop)
}

impl Complete<'_> {
    fn set_time(&self) -> Result<(), Refusal> {
        // What was staged has the time of its last append [COMMIT-4].
        let times = self.mtime_ns.map_or_else(modified_now, modified_at);
        futimens(self.file, &times).map_err(failed("setting the time"))
    }

    /// [DUR-1]: what replaces a file has its content on stable storage first.
    fn make_stable(&self) -> Result<(), Refusal> {
        if self.stable { Ok(()) } else { fdatasync(self.file).map_err(unstable) }
    }
}

/// A failed write-back is the server's failure, whatever its reason: what was written may be gone.
pub(super) fn unstable(errno: Errno) -> Refusal {
    tracing::error!(%errno, "content did not reach stable storage");
    Refusal::because(Code::Internal, "the content did not reach stable storage")
}

/// As [`unstable`], for the error of a background sync.
pub(super) fn unstable_io(error: std::io::Error) -> Refusal {
    unstable(Errno::from_io_error(&error).unwrap_or(Errno::IO))
}

/// A file that was there before: that its sync failed cannot be undone by discarding it, and has to be kept in mind.
fn stabilise(from: &Place<'_>, durability: &mut Durability) -> Result<(), Refusal> {
    durability.refuse_if_lost()?;
    let (file, _) = match from.open_file(OFlags::RDONLY) {
        Err(refusal) if refusal.code == Code::Denied => from.open_file(OFlags::WRONLY)?,
        opened => opened?,
    };
    fdatasync(file).map_err(|errno| {
        durability.note_loss();
        unstable(errno)
    })
}

/// Whether the directory holds this very name, byte for byte.
fn is_spelled(place: &Place<'_>) -> Result<bool, Refusal> {
    let reading = failed("reading the directory");
    let directory = open_beneath(&place.directory, ".", OFlags::RDONLY | OFlags::DIRECTORY, MountPoints::Refuse)
        .map_err(&reading)?;
    let mut buffer = Vec::with_capacity(32 * 1024);
    let mut entries = RawDir::new(directory, buffer.spare_capacity_mut());
    while let Some(entry) = entries.next() {
        let entry = read_entry(entry).map_err(&reading)?;
        if entry.file_name().to_bytes() == place.name.as_bytes() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::storage::jail::Jail;

    /// A jail that takes its file system for one that folds names.
    fn folding(directory: &std::path::Path) -> Jail {
        let mut jail = Jail::new(std::fs::File::open(directory).unwrap().into()).unwrap();
        jail.assume_folding(true);
        jail
    }

    #[test]
    fn a_name_that_is_spelled_alike_does_not_clash() {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("name"), b"").unwrap();
        let (jail, path) = (folding(directory.path()), RemotePath::parse("/name").unwrap());
        let place = jail.place(&path, Code::NotFile).unwrap();
        assert_eq!(judge(&place, &Precondition::Absent, None).unwrap_err().code, Code::Exists);
        assert!(matches!(judge(&place, &Precondition::Any, None), Ok(Verdict::Replace(_))));
    }

    #[test]
    fn a_directory_knows_the_spelling_of_its_names() {
        let directory = tempfile::tempdir().unwrap();
        for n in 0..2_000 {
            std::fs::write(directory.path().join(format!("name-{n}")), b"").unwrap();
        }
        let jail = folding(directory.path());
        for (name, expected) in [("/name-1234", true), ("/NAME-1234", false)] {
            let path = RemotePath::parse(name).unwrap();
            assert_eq!(is_spelled(&jail.place(&path, Code::NotFile).unwrap()), Ok(expected), "{name}");
        }
    }
}
