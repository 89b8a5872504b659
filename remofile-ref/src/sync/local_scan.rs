//! The local scan: names, kinds and metadata of all entries below the local root, without reading contents.

use super::{
    LocalVersion, Problem, ProblemReason, Side, SyncOptions,
    input::{LocalFileState, Node, ScannedEntry},
    trash::TRASH,
};
use crate::client::ClientError;
use crate::fs::{
    calls,
    dir::sorted_entries,
    stat::{self, stat_name},
};
use remofile_proto::{Names, RemotePath, limits};
use rustix::{
    fs::{FileType, Mode, OFlags, Stat},
    io::Errno,
};
use std::{
    ffi::CString,
    os::fd::OwnedFd,
    path::Path as LocalPath,
    sync::atomic::{AtomicBool, Ordering},
    time::SystemTime,
};

/// The suffix of a staged file, see [`is_own`].
pub(super) const STAGED: &str = ".sync";

/// A file that changed less than this many nanoseconds ago may change again without a new time stamp: two ticks of the
/// kernel's clock.
const TICK_NS: i128 = 20_000_000;

/// The same where time stamps have whole seconds, as on FAT.
const COARSE_TICK_NS: i128 = 2_000_000_000;

/// The entries below a local root.
#[derive(Debug, Default)]
pub(super) struct LocalScan {
    /// In the order of listings.
    pub(super) items: Vec<ScannedEntry<LocalFileState>>,
    /// Entries whose path is not valid on both sides.
    pub(super) problems: Vec<Problem>,
    /// Staged files that an earlier run left.
    pub(super) leftovers: Vec<String>,
}

/// The rules of the server for names.
#[derive(Clone, Copy, Debug)]
pub(super) struct NameRules {
    pub(super) names: Names,
    /// How many bytes and names the path of the remote root has.
    pub(super) prefix: (usize, usize),
}

/// Scans all entries below `root`.
///
/// # Errors
/// [`ClientError::Local`] where the root itself cannot be read, [`ClientError::Cancelled`] once `stop` is set.
pub(super) fn scan(
    root: &OwnedFd,
    shown: &LocalPath,
    options: &SyncOptions,
    rules: NameRules,
    stop: &AtomicBool,
) -> Result<LocalScan, ClientError> {
    let mut scanner = Scanner { options, rules, stop, found: LocalScan::default() };
    match scanner.directory(root, "", 1) {
        Ok(_) if stop.load(Ordering::Relaxed) => Err(ClientError::Cancelled),
        Ok(_) => Ok(scanner.found),
        Err(errno) => Err(ClientError::local(shown, errno.into())),
    }
}

/// Whether runs and transfers use a name for staged and partial files, which are not synchronised.
pub(super) fn is_own(name: &str) -> bool {
    let Some((digits, ending)) = name.strip_prefix(".remofile-").and_then(|rest| rest.split_at_checked(32)) else {
        return false;
    };
    let is_hex = digits.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    is_hex && matches!(ending, STAGED | ".part" | ".record" | ".new")
}

/// Whether another change at `now` might not change the time stamps of this version.
pub(super) fn is_recently_modified(version: &LocalVersion, now: SystemTime) -> bool {
    const SECOND: i64 = 1_000_000_000;
    let now_ns = match now.duration_since(SystemTime::UNIX_EPOCH) {
        Ok(since) => i128::try_from(since.as_nanos()).unwrap_or(i128::MAX),
        Err(before) => -i128::try_from(before.duration().as_nanos()).unwrap_or(i128::MAX),
    };
    let is_coarse = version.mtime_ns % SECOND == 0 && version.ctime_ns % SECOND == 0;
    let tick = if is_coarse { COARSE_TICK_NS } else { TICK_NS };
    // A modification time in the future was set by a program, and proves nothing.
    let (modified, changed) = (i128::from(version.mtime_ns), i128::from(version.ctime_ns));
    changed > now_ns - tick || (modified > now_ns - tick && modified <= now_ns)
}

#[allow(clippy::useless_conversion, clippy::unnecessary_cast, reason = "the types of stat differ by architecture")]
impl From<&Stat> for LocalVersion {
    fn from(stat: &Stat) -> Self {
        let nanoseconds = |seconds: i64, rest: i64| seconds.saturating_mul(1_000_000_000).saturating_add(rest);
        Self {
            device: stat.st_dev.into(),
            inode: stat.st_ino.into(),
            size: u64::try_from(stat.st_size).unwrap_or_default(),
            mtime_ns: nanoseconds(stat.st_mtime.into(), stat.st_mtime_nsec as i64),
            ctime_ns: nanoseconds(stat.st_ctime.into(), stat.st_ctime_nsec as i64),
        }
    }
}

struct Scanner<'a> {
    options: &'a SyncOptions,
    rules: NameRules,
    stop: &'a AtomicBool,
    found: LocalScan,
}

impl Scanner<'_> {
    /// Returns whether it contains something that is not synchronised. `depth` is how many names its entries' paths
    /// have.
    fn directory(&mut self, directory: &OwnedFd, path: &str, depth: usize) -> Result<bool, Errno> {
        let mut hides = false;
        for (name, kind) in sorted_entries(directory)? {
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            hides |= self.entry(directory, path, &name, kind, depth);
        }
        Ok(hides)
    }

    /// Returns whether it is not synchronised.
    fn entry(&mut self, directory: &OwnedFd, parent: &str, name: &CString, kind: FileType, depth: usize) -> bool {
        let Ok(text) = name.to_str() else {
            let shown = joined(parent, &name.to_string_lossy());
            return self.misnamed(shown, "not UTF-8".to_owned());
        };
        let path = joined(parent, text);
        if text == TRASH || (parent.is_empty() && text == RemotePath::STAGING) {
            return true;
        }
        if is_own(text) {
            if text.ends_with(STAGED) {
                self.found.leftovers.push(path);
            }
            return true;
        }
        let (kind, stat) = match look(directory, name, kind) {
            Ok(Some(found)) => found,
            // It is gone again.
            Ok(None) => return false,
            Err(errno) => return self.blocked(path, unreadable(errno)),
        };
        if self.options.excludes(&path, kind == FileType::Directory) {
            return true;
        }
        if let Err(reason) = self.rules.check(&path, text, depth) {
            return self.misnamed(path, reason);
        }
        match (kind, stat) {
            (FileType::RegularFile, Some(stat)) => {
                let version = LocalVersion::from(&stat);
                let is_recently_modified = is_recently_modified(&version, SystemTime::now());
                let file = LocalFileState { version, is_recently_modified, hash: None };
                self.found.items.push(ScannedEntry { path: path.into(), node: Node::File(file) });
                false
            }
            (FileType::Directory, _) => self.enter(directory, name, path, depth),
            (FileType::Symlink, _) => self.blocked(path, ProblemReason::Link(Side::Local)),
            _ => self.blocked(path, ProblemReason::Special(Side::Local)),
        }
    }

    fn enter(&mut self, parent: &OwnedFd, name: &CString, path: String, depth: usize) -> bool {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let index = self.found.items.len();
        let node = Node::Directory { hides: false };
        self.found.items.push(ScannedEntry { path: path.clone().into(), node });
        let entered = calls::openat(parent, name, flags, Mode::empty())
            .and_then(|directory| self.directory(&directory, &path, depth + 1));
        self.found.items[index].node = match entered {
            Ok(hides) => Node::Directory { hides },
            Err(errno) => {
                // The entries found before the error are not all.
                self.found.items.truncate(index + 1);
                Node::Blocked(unreadable(errno))
            }
        };
        matches!(self.found.items[index].node, Node::Blocked(_))
    }

    fn blocked(&mut self, path: String, why: ProblemReason) -> bool {
        self.found.items.push(ScannedEntry { path: path.into(), node: Node::Blocked(why) });
        true
    }

    fn misnamed(&mut self, path: String, reason: String) -> bool {
        self.found.problems.push(Problem { path, why: ProblemReason::Name { on: Side::Local, reason } });
        true
    }
}

impl NameRules {
    fn check(self, path: &str, name: &str, depth: usize) -> Result<(), String> {
        let alone = RemotePath::root().join(name).map_err(|error| error.to_string())?;
        if self.names == Names::Windows {
            alone.check_windows().map_err(|(_, error)| error.to_string())?;
        }
        let (bytes, names) = self.prefix;
        if bytes + 1 + path.len() > limits::PATH {
            return Err(format!("its path would be longer than {} bytes on the server", limits::PATH));
        }
        if names + depth > limits::DEPTH {
            return Err(format!("it would be deeper than {} directories on the server", limits::DEPTH));
        }
        Ok(())
    }
}

/// The kind of what has this name, and its stamp where it is a file; nothing where it is gone. `kind` is what the
/// directory says.
fn look(directory: &OwnedFd, name: &CString, kind: FileType) -> Result<Option<(FileType, Option<Stat>)>, Errno> {
    if !matches!(kind, FileType::RegularFile | FileType::Unknown) {
        return Ok(Some((kind, None)));
    }
    Ok(stat_name(directory, name)?.map(|found| (stat::kind(&found), Some(found))))
}

fn joined(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}/{name}") }
}

fn unreadable(errno: Errno) -> ProblemReason {
    ProblemReason::Unreadable { on: Side::Local, reason: std::io::Error::from(errno).to_string() }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        ffi::OsStr,
        fs,
        os::unix::{ffi::OsStrExt as _, fs::symlink},
        time::Duration,
    };

    fn scanned(root: &LocalPath, options: &SyncOptions) -> LocalScan {
        let fd = OwnedFd::from(fs::File::open(root).unwrap());
        let rules = NameRules { names: Names::Posix, prefix: (1, 0) };
        scan(&fd, root, options, rules, &AtomicBool::new(false)).unwrap()
    }

    fn paths(scan: &LocalScan) -> Vec<&str> {
        scan.items.iter().map(|item| &*item.path).collect()
    }

    #[test]
    fn everything_comes_in_the_order_of_listings() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["a/b", "a.d"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        for file in ["a/b/c", "a!", "z", "a/b!"] {
            fs::write(root.path().join(file), file).unwrap();
        }
        let scan = scanned(root.path(), &SyncOptions::new());
        assert_eq!(paths(&scan), ["a", "a/b", "a/b/c", "a/b!", "a!", "a.d", "z"]);
    }

    #[test]
    fn what_cannot_be_synchronised_is_reported_and_marks_its_directory() {
        let root = tempfile::tempdir().unwrap();
        for directory in ["links", "names", "trash/.remofile-trash/x", "plain"] {
            fs::create_dir_all(root.path().join(directory)).unwrap();
        }
        symlink("/etc", root.path().join("links/l")).unwrap();
        fs::write(root.path().join(OsStr::from_bytes(b"names/\xff")), "").unwrap();
        fs::write(root.path().join("names/a\nb"), "").unwrap();
        let scan = scanned(root.path(), &SyncOptions::new());
        let hides = |path: &str| {
            let item = scan.items.iter().find(|item| *item.path == *path).unwrap();
            item.node == Node::Directory { hides: true }
        };
        assert!(hides("links") && hides("names") && hides("trash") && !hides("plain"));
        assert_eq!(paths(&scan), ["links", "links/l", "names", "plain", "trash"]);
        assert_eq!(scan.items[1].node, Node::Blocked(ProblemReason::Link(Side::Local)));
        assert_eq!(scan.problems.len(), 2);
    }

    #[test]
    fn what_is_excluded_is_not_there() {
        let root = tempfile::tempdir().unwrap();
        fs::create_dir(root.path().join("build")).unwrap();
        fs::write(root.path().join("build/x"), "").unwrap();
        fs::write(root.path().join("keep"), "").unwrap();
        let options = SyncOptions::new().exclude(|path, is_directory| is_directory && path.ends_with("build"));
        assert_eq!(paths(&scanned(root.path(), &options)), ["keep"]);
    }

    #[test]
    fn files_of_runs_and_transfers_are_left_out() {
        let root = tempfile::tempdir().unwrap();
        let digits = "0123456789abcdef0123456789abcdef";
        for ending in [".sync", ".part", ".record"] {
            fs::write(root.path().join(format!(".remofile-{digits}{ending}")), "").unwrap();
        }
        fs::write(root.path().join(".remofile-notes"), "").unwrap();
        let scan = scanned(root.path(), &SyncOptions::new());
        assert_eq!(paths(&scan), [".remofile-notes"]);
        assert_eq!(scan.leftovers, [format!(".remofile-{digits}.sync")]);
    }

    #[test]
    fn a_file_is_recently_modified_until_a_change_must_change_its_time_stamp() {
        let at = |ns: u64| SystemTime::UNIX_EPOCH + Duration::from_nanos(ns);
        let (second, tick) = (1_000_000_000, 20_000_000);
        let fine = LocalVersion { device: 1, inode: 1, size: 1, mtime_ns: 7, ctime_ns: 5_000_000_001 };
        assert!(is_recently_modified(&fine, at(5 * second + tick)));
        assert!(!is_recently_modified(&fine, at(5 * second + tick + 1)));
        let coarse = LocalVersion { mtime_ns: 5_000_000_000, ctime_ns: 5_000_000_000, ..fine };
        assert!(is_recently_modified(&coarse, at(6 * second)));
        assert!(!is_recently_modified(&coarse, at(7 * second)));
        // A program set a time in the future.
        assert!(!is_recently_modified(&LocalVersion { mtime_ns: i64::MAX, ..fine }, at(6 * second)));
    }
}
