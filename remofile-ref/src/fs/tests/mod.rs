//! Renames where calls are missing, and the rule that this folder alone makes them.

#[cfg(feature = "transport")]
mod client;
mod storage;

use super::calls::faulty::{Failpoint, Fault};
use super::rename::rename_no_replace;
use rustix::io::Errno;
use std::fs;
use std::path::Path;

/// What a file system answers that has neither call.
const MISSING: [Errno; 4] = [Errno::OPNOTSUPP, Errno::PERM, Errno::INVAL, Errno::NOSYS];

/// The calls that such a file system lacks.
const WITHOUT_LINKS: &[&str] = &["renameat_with", "linkat"];

fn rename(directory: &Path, from: &str, to: &str) -> Result<(), Errno> {
    let directory = fs::File::open(directory).unwrap();
    rename_no_replace(&directory, from, &directory, to)
}

#[test]
fn a_file_is_renamed_without_the_flag_and_without_links() {
    for errno in MISSING {
        for lacking in [&["renameat_with"][..], WITHOUT_LINKS] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("old"), "content").unwrap();
            let failpoint = Failpoint::new(Fault::all_of(lacking, errno));
            assert_eq!(rename(directory.path(), "old", "new"), Ok(()), "{errno} {lacking:?}");
            assert_eq!(failpoint.failed(), lacking, "{errno}");
            drop(failpoint);
            assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"content");
            assert!(!directory.path().join("old").exists());
        }
    }
}

#[test]
fn a_directory_is_renamed_without_the_flag() {
    for errno in MISSING {
        let directory = tempfile::tempdir().unwrap();
        fs::create_dir_all(directory.path().join("old/below")).unwrap();
        let _failpoint = Failpoint::new(Fault::all_of(WITHOUT_LINKS, errno));
        assert_eq!(rename(directory.path(), "old", "new"), Ok(()), "{errno}");
        assert!(directory.path().join("new/below").is_dir());
        assert!(!directory.path().join("old").exists());
    }
}

#[test]
fn an_existing_name_is_not_replaced_without_the_flag() {
    for errno in MISSING {
        for lacking in [&["renameat_with"][..], WITHOUT_LINKS] {
            let directory = tempfile::tempdir().unwrap();
            fs::write(directory.path().join("old"), "old").unwrap();
            fs::write(directory.path().join("new"), "new").unwrap();
            fs::create_dir(directory.path().join("directory")).unwrap();
            fs::create_dir(directory.path().join("empty")).unwrap();
            let _failpoint = Failpoint::new(Fault::all_of(lacking, errno));
            for (from, to) in [("old", "new"), ("old", "empty"), ("directory", "empty"), ("directory", "new")] {
                assert_eq!(rename(directory.path(), from, to), Err(Errno::EXIST), "{errno} {lacking:?} {from} {to}");
            }
            assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"old");
            assert_eq!(fs::read(directory.path().join("new")).unwrap(), b"new");
            assert!(directory.path().join("empty").is_dir() && directory.path().join("directory").is_dir());
        }
    }
}

#[test]
fn a_failed_rename_leaves_no_placeholder() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old"), "old").unwrap();
    fs::create_dir(directory.path().join("directory")).unwrap();
    let _failpoint = Failpoint::new(Fault::all_of(&["renameat_with", "linkat", "renameat"], Errno::PERM));
    for from in ["old", "directory"] {
        assert_eq!(rename(directory.path(), from, "new"), Err(Errno::PERM));
        assert!(directory.path().join("new").symlink_metadata().is_err(), "{from}");
        assert!(directory.path().join(from).exists());
    }
}

#[test]
fn a_link_is_removed_where_the_old_name_stays() {
    let directory = tempfile::tempdir().unwrap();
    fs::write(directory.path().join("old"), "old").unwrap();
    // The rename fails, the link succeeds, and so does the second unlink.
    let fault = Fault { persists: false, ..Fault::all_of(&["renameat_with"], Errno::NOSYS) };
    let unlink = Fault { persists: false, ..Fault::all_of(&["unlinkat"], Errno::PERM) };
    let _failpoint = Failpoint::with_faults(&[fault, unlink]);
    assert_eq!(rename(directory.path(), "old", "new"), Err(Errno::PERM));
    assert!(directory.path().join("new").symlink_metadata().is_err());
    assert_eq!(fs::read(directory.path().join("old")).unwrap(), b"old");
}

/// The sources of the library and of the command, without this folder.
fn sources() -> Vec<std::path::PathBuf> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut open) = (Vec::new(), vec![package.join("src"), package.join("cli/src")]);
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().path()) {
            if path.is_dir() && path != package.join("src/fs") {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                found.push(path);
            }
        }
    }
    found
}

#[test]
fn this_folder_alone_resolves_links_and_renames_without_replacing() {
    let sources = sources();
    assert!(sources.len() > 100, "{} sources are too few", sources.len());
    for path in sources {
        let source = fs::read_to_string(&path).unwrap();
        for call in ["openat2(", "renameat_with(", "linkat(", "hard_link(", "RenameFlags", "ResolveFlags"] {
            let is_called = source.match_indices(call).any(|(at, _)| !source[..at].ends_with("un"));
            assert!(!is_called, "{} uses {call}", path.display());
        }
    }
}
