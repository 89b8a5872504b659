//! Power cuts on file systems of their own (FS_IOC_SHUTDOWN): what FLUSH acknowledged is there, whoever served before,
//! and what replaced a file without it is the old content or the new.

use remofile::{Store, StoreOptions};
use remofile_proto::{Answer, Code, Operation, Precondition, Refusal};
use remofile_testkit::storage::{Mount, digest, finish, path, run, skip_lacking, up};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const ANY: Precondition = Precondition::Any;
const OLD: &[u8] = b"old content";
const NEW: &[u8] = b"newer content";

/// How a file system is made and mounted, and how its journal is dealt with when the power goes.
#[derive(Clone, Copy, Debug)]
enum Kind {
    Ext4,
    Xfs,
}

/// What becomes of the journal: ext4 and xfs number these alike.
#[derive(Clone, Copy, Debug)]
enum Cut {
    /// What is in the journal reaches the disk.
    JournalWritten = 1,
    /// Nothing more reaches the disk.
    AtOnce = 2,
}

/// A file system that loses power, and comes back.
struct Disk {
    kind: Kind,
    mount: Option<Mount>,
    around: tempfile::TempDir,
}

impl Disk {
    fn new(kind: Kind) -> Option<Self> {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("root")).unwrap();
        let mut disk = Self { kind, mount: None, around };
        disk.mount()?;
        Some(disk)
    }

    fn root(&self) -> PathBuf {
        self.around.path().join("root")
    }

    fn mount(&mut self) -> Option<()> {
        let (root, image) = (self.root(), self.around.path().join("image"));
        self.mount = Some(match self.kind {
            Kind::Ext4 => Mount::ext4(&root, &image)?,
            Kind::Xfs if !supports("xfs") => {
                skip_lacking("xfs", "it cannot be mounted");
                return None;
            }
            Kind::Xfs => Mount::xfs(&root, &image)?,
        });
        Some(())
    }

    fn open(&self) -> Store {
        Store::open(&self.root(), StoreOptions::default()).unwrap()
    }

    /// Cuts the power, ends the server, and starts the machine anew.
    fn cut(&mut self, store: Store, cut: Cut) -> Option<()> {
        const SHUTDOWN: &str = "import fcntl, os, struct, sys\n\
            fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', int(sys.argv[2])))";
        run(Command::new("python3").args(["-c", SHUTDOWN]).arg(self.root()).arg((cut as u32).to_string()))?;
        drop(store);
        self.mount = None;
        self.mount()
    }

    fn content(&self, name: &str) -> Option<Vec<u8>> {
        fs::read(self.root().join(name)).ok()
    }
}

fn supports(kind: &str) -> bool {
    let known =
        || fs::read_to_string("/proc/filesystems").is_ok_and(|all| all.lines().any(|line| line.ends_with(kind)));
    // It may be a module that is not loaded yet.
    known() || (Command::new("modprobe").arg(kind).status().is_ok_and(|status| status.success()) && known())
}

fn ask(store: &mut Store, operation: &Operation, payload: &[u8]) -> Result<Answer, Refusal> {
    finish(store, operation, payload).map(|success| success.answer)
}

fn done(store: &mut Store, operation: &Operation, payload: &[u8]) {
    ask(store, operation, payload).unwrap_or_else(|refusal| panic!("{operation:?}: {refusal:?}"));
}

fn put(store: &mut Store, at: &str, content: &[u8]) {
    done(store, &Operation::Put { path: path(at), pre: ANY, mtime_ns: Some(-7) }, content);
}

fn stage(store: &mut Store, at: &str, content: &[u8]) {
    done(store, &Operation::Begin { up: up(1), path: path(at), size: None }, b"");
    done(store, &Operation::Append { up: up(1), off: 0 }, content);
}

fn commit(store: &mut Store, content: &[u8]) {
    let (size, hash) = (content.len() as u64, digest(content));
    done(store, &Operation::Commit { up: up(1), size, hash, pre: ANY, mtime_ns: None }, b"");
}

fn flush(store: &mut Store) {
    done(store, &Operation::Flush, b"");
}

/// Everything that changes a disk: files replaced and new, in place, moved, copied, removed, staged and committed.
fn change_everything(store: &mut Store, large: &[u8]) {
    put(store, "/replaced", NEW);
    put(store, "/new", NEW);
    done(store, &Operation::Mkdir { path: path("/dir") }, b"");
    put(store, "/dir/new", NEW);
    put(store, "/written", b"01234");
    done(store, &Operation::Write { path: path("/written"), off: 1, etag: None }, b"xx");
    done(store, &Operation::Truncate { path: path("/written"), size: 4, etag: None }, b"");
    let (from, to) = (path("/moving"), path("/moved"));
    done(store, &Operation::Move { from, to, pre: ANY, etag: None }, b"");
    let (from, to) = (path("/new"), path("/copied"));
    done(store, &Operation::Copy { from, to, pre: ANY, etag: None }, b"");
    done(store, &Operation::Remove { path: path("/removed"), etag: None }, b"");
    stage(store, "/uploaded", large);
    commit(store, large);
    stage(store, "/staged", NEW);
}

fn prepare(root: &Path) {
    for (name, content) in [("replaced", OLD), ("moving", NEW), ("moved", OLD), ("removed", OLD), ("uploaded", OLD)] {
        fs::write(root.join(name), content).unwrap();
    }
    rustix::fs::sync();
}

fn assert_everything_is_there(disk: &Disk, large: &[u8]) {
    for name in ["replaced", "new", "dir/new", "moved", "copied"] {
        assert_eq!(disk.content(name).as_deref(), Some(NEW), "{name}");
    }
    assert_eq!(disk.content("written").as_deref(), Some(&b"0xx3"[..]));
    assert!(disk.content("uploaded").as_deref() == Some(large), "the upload");
    for name in ["removed", "moving"] {
        assert_eq!(disk.content(name), None, "{name}");
    }
    let mut store = disk.open();
    let stat = ask(&mut store, &Operation::Stat { path: path("/replaced") }, b"").unwrap();
    assert!(matches!(&stat, Answer::Entry(entry) if entry.mtime_ns == Some(-7)), "{stat:?}");
    let begun = ask(&mut store, &Operation::Begin { up: up(1), path: path("/staged"), size: None }, b"").unwrap();
    let Answer::Staged(staged) = begun else { panic!("{begun:?}") };
    assert_eq!((staged.off, staged.hash), (NEW.len() as u64, digest(NEW)));
}

fn large() -> Vec<u8> {
    let mut bytes = vec![0; 3 << 20];
    blake3::Hasher::new().finalize_xof().fill(&mut bytes);
    bytes
}

/// What was acknowledged by a flush survives; with `restarted`, the flush is that of the next server.
fn cut_behind_flush(kind: Kind, cut: Cut, restarted: bool) -> Option<()> {
    let mut disk = Disk::new(kind)?;
    prepare(&disk.root());
    let mut store = disk.open();
    let root_id = store.root_id();
    change_everything(&mut store, &large());
    if restarted {
        // [DUR-3]
        drop(store);
        store = disk.open();
    }
    flush(&mut store);
    // Not flushed: the old content or the new one, and nothing between.
    put(&mut store, "/copied", OLD);
    disk.cut(store, cut)?;
    let copied = disk.content("copied");
    assert!([Some(OLD), Some(NEW)].contains(&copied.as_deref()), "{kind:?} {cut:?}: {copied:?}");
    fs::write(disk.root().join("copied"), NEW).unwrap();
    assert_eq!(disk.open().root_id(), root_id, "{kind:?} {cut:?}");
    assert_everything_is_there(&disk, &large());
    Some(())
}

/// Without a flush a replaced file is old or new; the server starts, and whatever is staged is the beginning of it.
fn cut_without_flush(kind: Kind, cut: Cut) -> Option<()> {
    let mut disk = Disk::new(kind)?;
    prepare(&disk.root());
    let (mut store, large) = (disk.open(), large());
    change_everything(&mut store, &large);
    disk.cut(store, cut)?;
    let replaced = disk.content("replaced");
    assert!([Some(OLD), Some(NEW)].contains(&replaced.as_deref()), "{kind:?} {cut:?}: {replaced:?}");
    // The target of a move over it, and of a commit, likewise.
    let moved = disk.content("moved");
    assert!([Some(OLD), Some(NEW)].contains(&moved.as_deref()), "{kind:?} {cut:?}: {moved:?}");
    let uploaded = disk.content("uploaded").unwrap();
    assert!(uploaded == OLD || uploaded == large, "{kind:?} {cut:?}: {} bytes", uploaded.len());
    assert!(
        disk.content("moved").as_deref() == Some(NEW) || disk.content("moving").as_deref() == Some(NEW),
        "{kind:?}"
    );
    // The same call as before completes it: the hash tells what is of use of what is staged.
    let mut store = disk.open();
    let begun = ask(&mut store, &Operation::Begin { up: up(1), path: path("/staged"), size: None }, b"").unwrap();
    let Answer::Staged(staged) = begun else { panic!("{begun:?}") };
    let off = usize::try_from(staged.off).unwrap();
    if off > NEW.len() || staged.hash != digest(&NEW[..off]) {
        done(&mut store, &Operation::Abort { up: up(1) }, b"");
        stage(&mut store, "/staged", NEW);
    } else {
        done(&mut store, &Operation::Append { up: up(1), off: staged.off }, &NEW[off..]);
    }
    commit(&mut store, NEW);
    assert_eq!(disk.content("staged").as_deref(), Some(NEW));
    Some(())
}

#[test]
fn what_flush_acknowledged_survives_a_power_cut_on_ext4() {
    for cut in [Cut::JournalWritten, Cut::AtOnce] {
        if cut_behind_flush(Kind::Ext4, cut, false).is_none() {
            return;
        }
    }
}

#[test]
fn what_flush_acknowledged_survives_a_power_cut_on_xfs() {
    for cut in [Cut::JournalWritten, Cut::AtOnce] {
        if cut_behind_flush(Kind::Xfs, cut, false).is_none() {
            return;
        }
    }
}

#[test]
fn a_flush_covers_what_an_earlier_server_left_on_ext4() {
    cut_behind_flush(Kind::Ext4, Cut::AtOnce, true);
}

#[test]
fn a_flush_covers_what_an_earlier_server_left_on_xfs() {
    cut_behind_flush(Kind::Xfs, Cut::AtOnce, true);
}

#[test]
fn without_flush_a_replaced_file_is_old_or_new_on_ext4() {
    for cut in [Cut::JournalWritten, Cut::AtOnce] {
        if cut_without_flush(Kind::Ext4, cut).is_none() {
            return;
        }
    }
}

#[test]
fn without_flush_a_replaced_file_is_old_or_new_on_xfs() {
    for cut in [Cut::JournalWritten, Cut::AtOnce] {
        if cut_without_flush(Kind::Xfs, cut).is_none() {
            return;
        }
    }
}

#[test]
fn a_disk_that_fails_to_write_is_told_and_loses_nothing_that_was_there() {
    let around = tempfile::tempdir().unwrap();
    let (root, backing) = (around.path().join("root"), around.path().join("backing"));
    for directory in [&root, &backing] {
        fs::create_dir(directory).unwrap();
    }
    // A file system on a file that cannot grow: every block that is new to it fails with EIO.
    let Some(_backing) = Mount::tmpfs(&backing, "size=20m") else { return };
    let image = backing.join("image");
    let Some(mount) = Mount::ext4(&root, &image) else { return };
    let mut store = Store::open(&root, StoreOptions::default()).unwrap();
    put(&mut store, "/file", OLD);
    flush(&mut store);
    let filler = fs::File::create(backing.join("filler")).unwrap();
    let mut end = 0;
    while rustix::io::pwrite(&filler, &[1; 4_096], end).is_ok() {
        end += 4_096;
    }
    let large = Operation::Put { path: path("/file"), pre: ANY, mtime_ns: None };
    let refused = ask(&mut store, &large, &vec![7; 8 << 20]).unwrap_err();
    assert_eq!(refused.code, Code::Internal);
    assert!(refused.msg.is_some(), "no word of it");
    let read = Operation::Read { path: path("/file"), off: 0, len: 100, etag: None };
    assert_eq!(finish(&mut store, &read, &[]).unwrap().payload.as_deref(), Some(OLD));
    // What the system failed to write it would call clean from now on.
    for _ in 0..2 {
        assert_eq!(ask(&mut store, &Operation::Flush, b"").unwrap_err().code, Code::Internal);
    }
    drop((store, filler));
    fs::remove_file(backing.join("filler")).unwrap();
    drop(mount);
    let Some(_mount) = Mount::ext4(&root, &image) else { return };
    assert_eq!(fs::read(root.join("file")).unwrap(), OLD);
    let mut store = Store::open(&root, StoreOptions::default()).unwrap();
    put(&mut store, "/file", NEW);
    flush(&mut store);
}

#[test]
fn after_the_power_is_gone_nothing_is_acknowledged() {
    let Some(disk) = Disk::new(Kind::Ext4) else { return };
    let mut store = disk.open();
    put(&mut store, "/file", OLD);
    flush(&mut store);
    let shutdown = "import fcntl, os, struct, sys\n\
        fcntl.ioctl(os.open(sys.argv[1], os.O_RDONLY), 0x8004587D, struct.pack('I', 2))";
    if run(Command::new("python3").args(["-c", shutdown]).arg(disk.root())).is_none() {
        return;
    }
    let late = Operation::Put { path: path("/late"), pre: ANY, mtime_ns: None };
    for (operation, payload) in [(&late, OLD), (&Operation::Flush, b"")] {
        assert_eq!(ask(&mut store, operation, payload).unwrap_err().code, Code::Internal, "{operation:?}");
    }
}
