//! `sync`, by real processes: a local directory and a served one.

mod care;
mod crash;
mod flags;
mod guards;
mod kills;
mod left;
mod trash;
mod watch;

use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{Done, Server, run};
use serde_json::Value;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A local directory, a served one, and where the command keeps what it remembers of them.
pub(crate) struct Pair {
    pub(crate) place: Place,
    pub(crate) server: Server,
}

impl Pair {
    pub(crate) fn new() -> Self {
        let place = Place::new();
        fs::create_dir(place.beside("local")).unwrap();
        let server = Server::start(&place.served());
        Self { place, server }
    }

    /// Already synchronised, with these files on both sides, each of which holds its own path.
    pub(crate) fn with(files: &[&str]) -> Self {
        let pair = Self::new();
        files.iter().for_each(|file| pair.here(file, file));
        pair.sync(&[]).success();
        pair
    }

    pub(crate) fn local(&self, path: &str) -> PathBuf {
        self.place.beside("local").join(path)
    }

    pub(crate) fn served(&self, path: &str) -> PathBuf {
        self.place.served().join(path)
    }

    /// Writes a file on this side.
    pub(crate) fn here(&self, path: &str, content: &str) {
        write(&self.local(path), content);
    }

    /// Writes a file on the server's side, behind its back.
    pub(crate) fn there(&self, path: &str, content: &str) {
        write(&self.served(path), content);
    }

    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = self.server.client(&["sync"]);
        command.args(args).env("XDG_STATE_HOME", self.place.beside("state"));
        command
    }

    /// `sync FLAGS LOCAL /`.
    pub(crate) fn sync(&self, flags: &[&str]) -> Done {
        run(self.command(flags).arg(self.place.beside("local")).arg("/"))
    }

    /// What `sync --json FLAGS LOCAL /` prints, whatever its exit code.
    pub(crate) fn json(&self, flags: &[&str]) -> Vec<Value> {
        let done = run(self.command(flags).arg("--json").arg(self.place.beside("local")).arg("/"));
        done.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// What there is on both sides; fails where they differ.
    pub(crate) fn both(&self) -> BTreeMap<String, String> {
        let (here, there) = (tree(&self.local("")), tree(&self.served("")));
        assert_eq!(here, there, "here and there");
        here
    }
}

fn write(path: &Path, content: &str) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

/// All below a directory by path, directories with a slash at the end; without what is never synchronised.
pub(crate) fn tree(top: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    let mut open = vec![top.to_owned()];
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            let name = text(path.strip_prefix(top).unwrap());
            if name == ".remofile" || entry.file_name() == ".remofile-trash" {
                continue;
            }
            if entry.file_type().unwrap().is_dir() {
                found.insert(format!("{name}/"), String::new());
                open.push(path);
            } else {
                let content = fs::read(path).unwrap_or_default();
                found.insert(name, String::from_utf8_lossy(&content).into_owned());
            }
        }
    }
    found
}

/// What is in a trash by the path that it had.
pub(crate) fn trashed(top: &Path) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for run in fs::read_dir(top.join(".remofile-trash")).into_iter().flatten().map(Result::unwrap) {
        found.extend(tree(&run.path()).into_iter().filter(|(path, _)| !path.ends_with('/')));
    }
    found
}

/// Action and path of each step of a run.
fn steps(printed: &[Value]) -> Vec<(String, String)> {
    let steps = printed.iter().filter(|object| object["action"].is_string());
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    steps.map(|object| (text(&object["action"]), text(&object["path"]))).collect()
}

fn summary(printed: &[Value]) -> &Value {
    printed.iter().find(|object| object["summary"] == true).expect("a summary")
}

#[test]
fn what_is_new_on_either_side_gets_to_the_other() {
    let pair = Pair::new();
    pair.here("d/a.txt", "a");
    fs::create_dir(pair.local("empty")).unwrap();
    pair.there("b.txt", "b");
    let done = pair.sync(&[]).success().says("1 uploaded, 1 downloaded");
    assert_eq!(done.stdout, "");
    let both = pair.both();
    assert_eq!(both.keys().map(String::as_str).collect::<Vec<_>>(), ["b.txt", "d/", "d/a.txt", "empty/"]);
}

#[test]
fn a_second_run_does_nothing() {
    let pair = Pair::with(&["a.txt", "d/b.txt"]);
    let printed = pair.json(&[]);
    assert_eq!(steps(&printed), []);
    assert_eq!(summary(&printed)["sent"], 0);
    assert_eq!(pair.sync(&["-n"]).success().stdout, "");
}

#[test]
fn edits_go_both_ways() {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    pair.here("a.txt", "edited here");
    pair.there("b.txt", "edited there");
    pair.sync(&[]).success();
    let both = pair.both();
    assert_eq!((both["a.txt"].as_str(), both["b.txt"].as_str()), ("edited here", "edited there"));
    assert_eq!(trashed(&pair.served("")), [("a.txt".to_owned(), "a.txt".to_owned())].into());
    assert_eq!(trashed(&pair.local("")), [("b.txt".to_owned(), "b.txt".to_owned())].into());
}

#[test]
fn deletions_go_both_ways_and_into_the_trash() {
    let pair = Pair::with(&["a.txt", "b.txt", "c.txt"]);
    fs::remove_file(pair.local("a.txt")).unwrap();
    fs::remove_file(pair.served("b.txt")).unwrap();
    pair.sync(&[]).success().says("2 removed");
    assert_eq!(pair.both().keys().map(String::as_str).collect::<Vec<_>>(), ["c.txt"]);
    assert_eq!(trashed(&pair.served("")), [("a.txt".to_owned(), "a.txt".to_owned())].into());
    assert_eq!(trashed(&pair.local("")), [("b.txt".to_owned(), "b.txt".to_owned())].into());
}

#[test]
fn an_edit_beats_a_deletion() {
    let pair = Pair::with(&["a.txt", "b.txt", "c.txt"]);
    pair.here("a.txt", "edited here");
    fs::remove_file(pair.served("a.txt")).unwrap();
    pair.there("b.txt", "edited there");
    fs::remove_file(pair.local("b.txt")).unwrap();
    pair.sync(&[]).success();
    let both = pair.both();
    assert_eq!((both["a.txt"].as_str(), both["b.txt"].as_str()), ("edited here", "edited there"));
}

#[test]
fn a_rename_is_a_rename_on_the_other_side() {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    fs::create_dir(pair.local("d")).unwrap();
    fs::rename(pair.local("a.txt"), pair.local("d/z.txt")).unwrap();
    let printed = pair.json(&[]);
    assert!(steps(&printed).contains(&("move-remote".to_owned(), "d/z.txt".to_owned())), "{printed:?}");
    assert_eq!(summary(&printed)["sent"], 0);
    assert_eq!(pair.both()["d/z.txt"], "a.txt");
}

#[test]
fn a_push_makes_the_server_what_is_here_and_removes_only_when_told() {
    let pair = Pair::new();
    pair.here("a.txt", "mine");
    pair.there("a.txt", "theirs");
    pair.there("d/extra.txt", "extra");
    pair.sync(&["--push"]).success();
    assert_eq!(tree(&pair.local("")).len(), 1, "nothing comes back");
    assert_eq!(fs::read(pair.served("a.txt")).unwrap(), b"mine");
    assert!(pair.served("d/extra.txt").exists());
    pair.sync(&["--push", "--delete"]).success();
    assert_eq!(pair.both().len(), 1);
    let lost = trashed(&pair.served(""));
    assert_eq!((lost["a.txt"].as_str(), lost["d/extra.txt"].as_str()), ("theirs", "extra"));
}

#[test]
fn a_pull_makes_this_side_what_the_server_has_and_removes_only_when_told() {
    let pair = Pair::new();
    pair.there("a.txt", "theirs");
    pair.here("a.txt", "mine");
    pair.here("d/extra.txt", "extra");
    pair.sync(&["--pull"]).success();
    assert_eq!(fs::read(pair.local("a.txt")).unwrap(), b"theirs");
    assert!(pair.local("d/extra.txt").exists() && !pair.served("d").exists());
    pair.sync(&["--pull", "--delete"]).success();
    assert_eq!(pair.both().len(), 1);
    let lost = trashed(&pair.local(""));
    assert_eq!((lost["a.txt"].as_str(), lost["d/extra.txt"].as_str()), ("mine", "extra"));
}

#[test]
fn the_commands_of_the_first_remofile_push_and_pull() {
    let pair = Pair::new();
    pair.here("a.txt", "mine");
    pair.there("b.txt", "theirs");
    let local = text(&pair.local(""));
    run(&mut pair.command(&["local", &local, "/"])).success().says("-> / (1 uploaded");
    assert!(pair.served("a.txt").exists() && !pair.local("b.txt").exists());
    fs::remove_file(pair.local("a.txt")).unwrap();
    run(&mut pair.command(&["remote", &local, "/"])).success().says("/ -> ");
    assert!(pair.local("a.txt").exists() && pair.local("b.txt").exists());
}

#[test]
fn modification_times_are_mirrored_with_the_content() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    let early = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_nanos(1_234_567_890_123_456_789);
    fs::File::options().write(true).open(pair.local("a.txt")).unwrap().set_modified(early).unwrap();
    pair.sync(&["--push"]).success();
    assert_eq!(pair.served("a.txt").metadata().unwrap().modified().unwrap(), early);
}
