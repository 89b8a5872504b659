//! The trash of a synchronisation, on both sides: what goes in, comes back, and goes for good.

use remofile::sync::Stamp;
use remofile::sync::trash::{LocalTrash, RemoteTrash, TRASH};
use remofile::{ClientError, FileClient, FileServer, Precondition, RemotePath, StopHandle, generate_token};
use remofile_proto::Code;
use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{MetadataExt as _, symlink};
use std::path::{Path as LocalPath, PathBuf};
use std::thread;
use std::time::Duration;

/// A local root with these files, each of which holds its own path.
struct Root(tempfile::TempDir);

impl Root {
    fn with(files: &[&str]) -> Self {
        let root = Self(tempfile::tempdir().unwrap());
        files.iter().for_each(|file| root.write(file, file));
        root
    }

    fn at(&self, path: &str) -> PathBuf {
        self.0.path().join(path)
    }

    fn write(&self, path: &str, content: &str) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn read(&self, path: &str) -> String {
        fs::read_to_string(self.at(path)).unwrap()
    }

    fn is_there(&self, path: &str) -> bool {
        self.at(path).symlink_metadata().is_ok()
    }

    fn trash(&self) -> LocalTrash {
        LocalTrash::open(self.0.path(), stamp()).unwrap()
    }
}

fn stamp() -> Stamp {
    Stamp::parse("20251123T013422Z").unwrap()
}

fn kind(error: &ClientError) -> ErrorKind {
    match error {
        ClientError::Local { source, .. } => source.kind(),
        other => panic!("{other:?}"),
    }
}

/// Runs `test` with a client of a server of an empty directory.
fn with_client(test: impl FnOnce(&mut FileClient, &LocalPath)) {
    struct Stop(StopHandle);
    impl Drop for Stop {
        fn drop(&mut self) {
            self.0.stop();
        }
    }
    let served = tempfile::tempdir().unwrap();
    let token = generate_token();
    let mut server = FileServer::new(&served, &token).unwrap().bind("127.0.0.1:0").unwrap();
    let endpoint = server.local_endpoint().clone();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| server.run().unwrap());
        let _stop = Stop(stop);
        let mut client = FileClient::new(endpoint, token).unwrap();
        test(&mut client, served.path());
        client.bye();
    });
}

fn path(text: &str) -> RemotePath {
    RemotePath::parse(text).unwrap()
}

/// Makes a file on the server that holds its own path.
fn make(client: &mut FileClient, file: &str) -> remofile_proto::Entry {
    client.put(&path(file), file.as_bytes().to_vec(), Precondition::Any, None).unwrap()
}

#[test]
fn what_is_put_away_here_lies_under_its_path_in_the_second_of_the_run() {
    let root = Root::with(&["a/b/c.txt"]);
    let place = root.trash().put("a/b/c.txt", "a/b/c.txt").unwrap();
    assert_eq!(place, ".remofile-trash/20251123T013422Z/a/b/c.txt");
    assert_eq!(root.read(&place), "a/b/c.txt");
    assert!(!root.is_there("a/b/c.txt"));
}

#[test]
fn a_trash_here_is_entered_by_its_owner_alone() {
    let root = Root::with(&["a/b.txt"]);
    root.trash().put("a/b.txt", "a/b.txt").unwrap();
    for directory in [TRASH, ".remofile-trash/20251123T013422Z", ".remofile-trash/20251123T013422Z/a"] {
        assert_eq!(root.at(directory).metadata().unwrap().mode() & 0o077, 0, "{directory}");
    }
}

#[test]
fn nothing_in_a_trash_here_is_overwritten() {
    let root = Root::with(&["a.txt"]);
    let mut trash = root.trash();
    let first = trash.put("a.txt", "a.txt").unwrap();
    root.write("a.txt", "another");
    let second = trash.put("a.txt", "a.txt").unwrap();
    // Another run in the same second.
    root.write("a.txt", "a third");
    let third = root.trash().put("a.txt", "a.txt").unwrap();
    assert_eq!([&first, &second, &third].map(|place| root.read(place)), ["a.txt", "another", "a third"]);
    assert_eq!(second, ".remofile-trash/20251123T013422Z-2/a.txt");
}

#[test]
fn a_file_and_a_directory_of_one_name_find_room_in_a_trash_here() {
    let root = Root::with(&["a"]);
    let mut trash = root.trash();
    let file = trash.put("a", "a").unwrap();
    root.write("a/b", "a/b");
    let below = trash.put("a/b", "a/b").unwrap();
    assert_eq!((root.read(&file), root.read(&below)), ("a".to_owned(), "a/b".to_owned()));
}

#[test]
fn what_was_moved_aside_is_put_away_as_what_it_was() {
    let root = Root::with(&["d/.aside"]);
    let place = root.trash().put("d/.aside", "d/a.txt").unwrap();
    assert_eq!(place, ".remofile-trash/20251123T013422Z/d/a.txt");
}

#[test]
fn a_file_that_is_kept_here_stays_in_its_place() {
    let root = Root::with(&["a.txt"]);
    let place = root.trash().keep("a.txt").unwrap();
    fs::write(root.at("new"), "new").unwrap();
    fs::rename(root.at("new"), root.at("a.txt")).unwrap();
    assert_eq!((root.read("a.txt"), root.read(&place)), ("new".to_owned(), "a.txt".to_owned()));
}

#[test]
fn what_was_kept_in_vain_is_taken_back() {
    let root = Root::with(&["a.txt"]);
    let mut trash = root.trash();
    let place = trash.keep("a.txt").unwrap();
    trash.forget(&place).unwrap();
    assert!(!root.is_there(&place));
    assert_eq!(root.at("a.txt").metadata().unwrap().nlink(), 1);
}

#[test]
fn what_comes_from_another_file_system_is_copied_and_removed() {
    let root = Root::with(&["a.txt"]);
    fs::create_dir(root.at("mounted")).unwrap();
    let mut mount = std::process::Command::new("mount");
    mount.args(["-t", "tmpfs", "-o", "size=1m", "none"]).arg(root.at("mounted"));
    if !mount.status().is_ok_and(|status| status.success()) {
        return remofile_testkit::skip::skip("no tmpfs can be mounted here");
    }
    root.write("mounted/b.txt", "b");
    let before = root.at("mounted/b.txt").metadata().unwrap().modified().unwrap();
    let mut trash = root.trash();
    let kept = trash.keep("mounted/b.txt");
    let put = trash.put("mounted/b.txt", "mounted/b.txt");
    let is_left = root.is_there("mounted/b.txt");
    let unmounted = std::process::Command::new("umount").arg(root.at("mounted")).status();
    assert!(unmounted.unwrap().success());
    assert!(!is_left);
    for place in [kept.unwrap(), put.unwrap()] {
        assert_eq!(root.read(&place), "b");
        assert_eq!(root.at(&place).metadata().unwrap().modified().unwrap(), before);
    }
}

#[test]
fn no_link_leads_a_trash_here_elsewhere() {
    let (root, outside) = (Root::with(&["a.txt"]), Root::with(&["20251123T013422Z/kept"]));
    symlink(outside.at(""), root.at(TRASH)).unwrap();
    let mut trash = root.trash();
    trash.put("a.txt", "a.txt").unwrap_err();
    trash.clean(Duration::ZERO, stamp().time()).unwrap_err();
    assert!(
        root.is_there("a.txt")
            && outside.is_there("20251123T013422Z/kept")
            && !outside.is_there("20251123T013422Z/a.txt")
    );
}

#[test]
fn no_path_leads_out_of_the_root() {
    let root = Root::with(&["inner/a.txt", "outer.txt"]);
    let mut trash = LocalTrash::open(&root.at("inner"), stamp()).unwrap();
    for escape in ["../outer.txt", "/etc/passwd"] {
        assert!(trash.put(escape, "a.txt").is_err(), "{escape}");
        assert!(trash.keep(escape).is_err(), "{escape}");
    }
    trash.put("a.txt", "../../a.txt").unwrap_err();
    assert!(root.is_there("inner/a.txt") && root.is_there("outer.txt"));
}

#[test]
fn what_is_in_a_trash_here_is_listed_by_age_and_path() {
    let root = Root::with(&["b.txt", "a/c.txt", "d.txt"]);
    let mut old = LocalTrash::open(root.0.path(), Stamp::parse("20251101T000000Z").unwrap()).unwrap();
    old.put("d.txt", "d.txt").unwrap();
    let mut trash = root.trash();
    trash.put("b.txt", "b.txt").unwrap();
    trash.put("a/c.txt", "a/c.txt").unwrap();
    // Somebody else's.
    root.write(".remofile-trash/mine/e.txt", "e");
    let listed = trash.list().unwrap();
    let paths: Vec<_> = listed.iter().map(|trashed| (trashed.path.as_str(), trashed.bytes)).collect();
    assert_eq!(paths, [("d.txt", 5), ("a/c.txt", 7), ("b.txt", 5)]);
    assert_eq!(listed[0].age(stamp().time()), Duration::from_secs(22 * 86_400 + 5_662));
}

#[test]
fn what_was_put_away_here_comes_back_with_the_directories_above_it() {
    let root = Root::with(&["a/b/c.txt"]);
    let mut trash = root.trash();
    trash.put("a/b/c.txt", "a/b/c.txt").unwrap();
    fs::remove_dir_all(root.at("a")).unwrap();
    let trashed = trash.list().unwrap().remove(0);
    trash.restore(&trashed).unwrap();
    assert_eq!(root.read("a/b/c.txt"), "a/b/c.txt");
    assert!(!root.is_there(TRASH), "an empty trash goes");
}

#[test]
fn what_stands_there_is_not_replaced_by_what_comes_back_here() {
    let root = Root::with(&["a.txt"]);
    let mut trash = root.trash();
    let place = trash.put("a.txt", "a.txt").unwrap();
    root.write("a.txt", "new");
    let trashed = trash.list().unwrap().remove(0);
    assert_eq!(kind(&trash.restore(&trashed).unwrap_err()), ErrorKind::AlreadyExists);
    assert_eq!((root.read("a.txt"), root.read(&place)), ("new".to_owned(), "a.txt".to_owned()));
}

#[test]
fn only_what_is_old_enough_goes_from_a_trash_here() {
    let root = Root::with(&["new.txt", "d/old.txt"]);
    let day = Duration::from_secs(86_400);
    LocalTrash::open(root.0.path(), Stamp::at(stamp().time() - day * 30))
        .unwrap()
        .put("d/old.txt", "d/old.txt")
        .unwrap();
    let mut trash = root.trash();
    let new = trash.put("new.txt", "new.txt").unwrap();
    root.write(".remofile-trash/mine/e.txt", "e");
    assert_eq!(trash.clean(day * 31, stamp().time()).unwrap().files, 0);
    assert_eq!(trash.clean(day * 30, stamp().time()).unwrap().files, 1);
    assert_eq!(fs::read_dir(root.at(TRASH)).unwrap().count(), 2);
    assert_eq!(root.read(&new), "new.txt");
    assert_eq!(trash.clean(Duration::ZERO, stamp().time()).unwrap().files, 1);
    assert_eq!(root.read(".remofile-trash/mine/e.txt"), "e");
}

#[test]
fn what_is_put_away_on_the_server_lies_under_its_path_in_the_second_of_the_run() {
    with_client(|client, served| {
        client.mkdir(&path("/a")).unwrap();
        let entry = make(client, "/a/b.txt");
        let place = RemoteTrash::new(stamp()).put(client, &path("/a/b.txt"), entry.etag).unwrap();
        assert_eq!(place.as_str(), "/.remofile-trash/20251123T013422Z/a/b.txt");
        assert_eq!(fs::read(served.join(&place.as_str()[1..])).unwrap(), b"/a/b.txt");
        assert!(!served.join("a/b.txt").exists());
    });
}

#[test]
fn another_version_is_not_put_away_on_the_server() {
    with_client(|client, served| {
        let old = make(client, "/a.txt");
        client.put(&path("/a.txt"), b"new".to_vec(), Precondition::Any, None).unwrap();
        let mut trash = RemoteTrash::new(stamp());
        assert_eq!(trash.put(client, &path("/a.txt"), old.etag.clone()).unwrap_err().code(), Some(Code::Changed));
        assert_eq!(trash.keep(client, &path("/a.txt"), old.etag).unwrap_err().code(), Some(Code::Changed));
        assert_eq!(trash.list(client).unwrap(), []);
        assert_eq!(fs::read(served.join("a.txt")).unwrap(), b"new");
    });
}

#[test]
fn nothing_in_a_trash_on_the_server_is_overwritten() {
    with_client(|client, served| {
        let mut trash = RemoteTrash::new(stamp());
        let mut places = Vec::new();
        for content in ["one", "two", "three"] {
            client.put(&path("/a.txt"), content.into(), Precondition::Any, None).unwrap();
            places.push(match content {
                "two" => trash.keep(client, &path("/a.txt"), None).unwrap(),
                _ => trash.put(client, &path("/a.txt"), None).unwrap(),
            });
        }
        let content = |place: &RemotePath| fs::read_to_string(served.join(&place.as_str()[1..])).unwrap();
        assert_eq!(places.iter().map(content).collect::<Vec<_>>(), ["one", "two", "three"]);
        assert_eq!(places[2].as_str(), "/.remofile-trash/20251123T013422Z-3/a.txt");
    });
}

#[test]
fn a_file_and_a_directory_of_one_name_find_room_in_a_trash_on_the_server() {
    with_client(|client, served| {
        let mut trash = RemoteTrash::new(stamp());
        make(client, "/a");
        trash.put(client, &path("/a"), None).unwrap();
        client.mkdir(&path("/a")).unwrap();
        make(client, "/a/b");
        let place = trash.put(client, &path("/a/b"), None).unwrap();
        assert_eq!(fs::read(served.join(&place.as_str()[1..])).unwrap(), b"/a/b");
    });
}

#[test]
fn a_trash_on_the_server_that_is_a_file_is_told_at_once() {
    with_client(|client, _| {
        make(client, "/.remofile-trash");
        make(client, "/a");
        let refused = RemoteTrash::new(stamp()).put(client, &path("/a"), None).unwrap_err();
        assert_eq!(refused.code(), Some(Code::Exists));
        client.stat(&path("/a")).unwrap();
    });
}

#[test]
fn what_was_put_away_on_the_server_comes_back_with_the_directories_above_it() {
    with_client(|client, served| {
        client.mkdir(&path("/a")).unwrap();
        make(client, "/a/b.txt");
        let mut trash = RemoteTrash::new(stamp());
        trash.put(client, &path("/a/b.txt"), None).unwrap();
        client.remove(&path("/a"), None).unwrap();
        let listed = trash.list(client).unwrap();
        assert_eq!(listed.iter().map(|trashed| trashed.path.as_str()).collect::<Vec<_>>(), ["a/b.txt"]);
        trash.restore(client, &listed[0]).unwrap();
        assert_eq!(fs::read(served.join("a/b.txt")).unwrap(), b"/a/b.txt");
        assert!(!served.join(TRASH).exists(), "an empty trash goes");
    });
}

#[test]
fn what_stands_there_is_not_replaced_by_what_comes_back_on_the_server() {
    with_client(|client, served| {
        make(client, "/a.txt");
        let mut trash = RemoteTrash::new(stamp());
        trash.put(client, &path("/a.txt"), None).unwrap();
        client.put(&path("/a.txt"), b"new".to_vec(), Precondition::Absent, None).unwrap();
        let trashed = trash.list(client).unwrap().remove(0);
        assert!(trash.restore(client, &trashed).unwrap_err().is_exists());
        assert_eq!(fs::read(served.join("a.txt")).unwrap(), b"new");
        assert_eq!(trash.list(client).unwrap(), [trashed]);
    });
}

#[test]
fn only_what_is_old_enough_goes_from_a_trash_on_the_server() {
    with_client(|client, served| {
        let day = Duration::from_secs(86_400);
        make(client, "/old.txt");
        make(client, "/new.txt");
        RemoteTrash::new(Stamp::at(stamp().time() - day * 30)).put(client, &path("/old.txt"), None).unwrap();
        let mut trash = RemoteTrash::new(stamp());
        trash.put(client, &path("/new.txt"), None).unwrap();
        fs::create_dir(served.join(".remofile-trash/mine")).unwrap();
        assert_eq!(trash.clean(client, day * 31, stamp().time()).unwrap().files, 0);
        assert_eq!(trash.clean(client, day * 30, stamp().time()).unwrap().files, 1);
        assert_eq!(trash.list(client).unwrap().remove(0).path, "new.txt");
        assert_eq!(trash.clean(client, Duration::ZERO, stamp().time()).unwrap().files, 1);
        assert!(served.join(".remofile-trash/mine").exists());
    });
}

#[test]
fn a_trash_that_was_never_needed_is_empty() {
    with_client(|client, served| {
        let mut trash = RemoteTrash::new(stamp());
        assert_eq!(trash.list(client).unwrap(), []);
        assert_eq!(trash.clean(client, Duration::ZERO, stamp().time()).unwrap().files, 0);
        assert!(!served.join(TRASH).exists());
        let root = Root::with(&[]);
        assert_eq!(root.trash().list().unwrap(), []);
        assert_eq!(root.trash().clean(Duration::ZERO, stamp().time()).unwrap().files, 0);
        assert!(!root.is_there(TRASH));
    });
}
