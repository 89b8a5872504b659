//! Directories up and down by the command: all they hold arrives, what fails is named, and nothing leads out.

use remofile::{ClientOptions, FileClient};
use remofile_testkit::process::{Server, TOKEN, content, run};
use remofile_testkit::relay::{Cuts, Relay};
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

/// A server, and a place beside its directory.
struct TreePlace {
    around: tempfile::TempDir,
    server: Server,
}

impl TreePlace {
    fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("served")).unwrap();
        let server = Server::start(&around.path().join("served"));
        Self { around, server }
    }

    fn at(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    fn text(&self, name: &str) -> String {
        self.at(name).to_str().unwrap().to_owned()
    }

    /// `count` small files in some directories, a large file, a hidden one, and an empty directory.
    fn tree(&self, name: &str, count: usize) -> String {
        let top = self.at(name);
        fs::create_dir_all(top.join("empty")).unwrap();
        fs::create_dir_all(top.join("a b/deeper")).unwrap();
        for index in 0..count {
            let directory = ["", "a b", "a b/deeper"][index % 3];
            fs::write(top.join(directory).join(format!("file {index}")), content(index % 700, index as u64)).unwrap();
        }
        fs::write(top.join(".hidden"), "hidden").unwrap();
        fs::write(top.join("a b.large"), content(1 << 20, 1)).unwrap();
        self.text(name)
    }
}

/// All that a directory holds; the content of files.
fn held(top: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let mut held = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(&directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let relative = path.strip_prefix(top).unwrap().to_owned();
            if entry.file_type().unwrap().is_dir() {
                held.insert(relative, None);
                open.push(path);
            } else {
                held.insert(relative, Some(fs::read(path).unwrap()));
            }
        }
    }
    held
}

/// The last line sums up.
fn json(done: &remofile_testkit::process::Done) -> serde_json::Value {
    serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap()
}

#[test]
fn a_tree_goes_up_and_down_unchanged() {
    let place = TreePlace::new();
    let source = place.tree("source", 2_000);
    place.server.run(&["upload", "-r", &source, "/"]);
    assert!(held(&place.at("served/source")) == held(&place.at("source")), "what arrived differs");
    place.server.run(&["download", "-r", "/source", &place.text("back")]);
    assert!(held(&place.at("back")) == held(&place.at("source")), "what came back differs");
}

#[test]
fn the_same_tree_again_is_unchanged() {
    let place = TreePlace::new();
    let source = place.tree("source", 30);
    for unchanged in [0, 32] {
        let up = json(&place.server.run(&["--json", "upload", "-r", &source, "/tree"]));
        let down = json(&place.server.run(&["--json", "download", "-r", "/tree", &place.text("back")]));
        // The second time the destination is there, and the source goes into it.
        if unchanged == 0 {
            assert_eq!((&up["files"], &up["unchanged"]), (&32.into(), &0.into()));
            assert_eq!((&down["files"], &down["unchanged"]), (&32.into(), &0.into()));
            fs::rename(place.at("served/tree"), place.at("served/source")).unwrap();
            fs::create_dir(place.at("served/tree")).unwrap();
            fs::rename(place.at("served/source"), place.at("served/tree/source")).unwrap();
            fs::rename(place.at("back"), place.at("tree")).unwrap();
            fs::create_dir(place.at("back")).unwrap();
            fs::create_dir(place.at("back/tree")).unwrap();
            fs::rename(place.at("tree"), place.at("back/tree/source")).unwrap();
        } else {
            assert_eq!((&up["files"], &up["unchanged"], &up["sent"]), (&0.into(), &32.into(), &0.into()));
            assert_eq!((&down["files"], &down["unchanged"], &down["sent"]), (&0.into(), &32.into(), &0.into()));
        }
    }
}

#[test]
fn links_are_skipped_and_counted() {
    let place = TreePlace::new();
    let source = place.tree("source", 3);
    symlink("/etc", place.at("source/link")).unwrap();
    let up = json(&place.server.run(&["--json", "upload", "-r", &source, "/"]));
    assert_eq!(up["skipped"], 1);
    assert!(!place.at("served/source/link").exists());
    symlink("/etc", place.at("served/source/link")).unwrap();
    let down = json(&place.server.run(&["--json", "download", "-r", "/source", &place.text("back")]));
    assert_eq!(down["skipped"], 1);
    assert!(!place.at("back/link").exists());
}

#[test]
fn a_file_that_fails_is_named_and_stops_no_other() {
    let place = TreePlace::new();
    let source = place.tree("source", 9);
    fs::create_dir_all(place.at("served/source")).unwrap();
    fs::write(place.at("served/source/file 0"), "other content").unwrap();
    run(&mut place.server.client(&["upload", "-r", &source, "/"])).fails(23).says("file 0");
    let mut expected = held(&place.at("source"));
    expected.insert("file 0".into(), Some(b"other content".to_vec()));
    assert!(held(&place.at("served/source")) == expected, "what arrived differs");
    let down = ["download", "-r", "/source", &place.text("")];
    run(&mut place.server.client(&down)).fails(23).says("file 0");
    assert!(!held(&place.at("source")).values().any(|held| held.as_deref() == Some(b"other content")));
    place.server.run(&["upload", "-r", "--overwrite", &source, "/"]);
    assert!(held(&place.at("served/source")) == held(&place.at("source")), "what arrived differs");
}

#[test]
fn a_local_link_leads_no_download_away() {
    let place = TreePlace::new();
    fs::create_dir_all(place.at("served/tree/below")).unwrap();
    fs::write(place.at("served/tree/below/file"), "sent").unwrap();
    fs::write(place.at("served/tree/other"), "sent").unwrap();
    fs::create_dir_all(place.at("local/tree")).unwrap();
    fs::create_dir(place.at("elsewhere")).unwrap();
    symlink(place.at("elsewhere"), place.at("local/tree/below")).unwrap();
    let args = ["download", "-r", "--overwrite", "/tree", &place.text("local")];
    run(&mut place.server.client(&args)).fails(23).says("below");
    assert_eq!(held(&place.at("elsewhere")).len(), 0);
    assert_eq!(fs::read(place.at("local/tree/other")).unwrap(), b"sent");
}

#[test]
fn trees_pass_through_cuts() {
    let place = TreePlace::new();
    place.tree("source", 600);
    let cuts = Cuts { seed: remofile_testkit::relay::seed(), at_most: 6, bytes: 60_000, ..Cuts::NONE };
    let relay = Relay::start(place.server.address(), cuts);
    let endpoint = relay.address().to_string().parse().unwrap();
    let client = FileClient::connect(&endpoint, &TOKEN.parse().unwrap(), ClientOptions::new()).unwrap();
    let up = client.upload_tree(&place.at("source"), &"/tree".parse().unwrap(), false).unwrap();
    let down = client.download_tree(&"/tree".parse().unwrap(), &place.at("back"), false).unwrap();
    assert_eq!((up.failed, down.failed), (0, 0), "{up:?} {down:?}");
    assert!(held(&place.at("back")) == held(&place.at("source")), "what came back differs");
    assert!(relay.cuts() > 0);
}
