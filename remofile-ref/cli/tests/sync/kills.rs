//! Synchronisation whose processes are killed: at every system call that changes something here, and anywhere on the server.

use remofile_testkit::process::{DEADLINE, Running, Server, content, run};
use remofile_testkit::skip::skip;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

/// What leaves a trace on a disk, or makes one stay.
const CHANGES: [&str; 6] = ["renameat2", "mkdirat", "unlinkat", "fsync", "fdatasync", "syncfs"];

type Tree = BTreeMap<PathBuf, Option<Vec<u8>>>;

/// Two sides, beside each other.
struct KillPlace {
    around: tempfile::TempDir,
}

impl KillPlace {
    fn new() -> Self {
        // Where there is memory for it, nothing waits for a disk.
        let memory = Path::new("/dev/shm");
        let around = if memory.is_dir() { tempfile::tempdir_in(memory) } else { tempfile::tempdir() }.unwrap();
        for name in ["local", "served"] {
            fs::create_dir(around.path().join(name)).unwrap();
        }
        Self { around }
    }

    fn at(&self, path: &str) -> PathBuf {
        self.around.path().join(path)
    }

    fn write(&self, path: &str, content: impl AsRef<[u8]>) {
        fs::create_dir_all(self.at(path).parent().unwrap()).unwrap();
        fs::write(self.at(path), content).unwrap();
    }

    fn server(&self) -> Server {
        Server::start(&self.at("served"))
    }

    /// The command, for a session that an earlier one may still hold.
    fn sync(&self, server: &Server) -> Command {
        let local = self.at("local");
        let mut command = server.client(&["--take", "sync", "--allow-delete", local.to_str().unwrap(), "/"]);
        command.env("XDG_STATE_HOME", self.at("state")).env("REMOFILE_TIMEOUT", "3");
        command
    }

    /// What is synchronised of a side.
    fn tree(&self, side: &str) -> Tree {
        let mut tree = all(&self.at(side));
        tree.retain(|path, _| !path.to_str().unwrap().starts_with(".remofile"));
        tree
    }

    /// Every content that is anywhere, in trashes too.
    fn contents(&self) -> BTreeSet<Vec<u8>> {
        [all(&self.at("local")), all(&self.at("served"))]
            .into_iter()
            .flat_map(BTreeMap::into_values)
            .flatten()
            .collect()
    }

    /// The next run makes both sides equal, and the one behind it has nothing to do; nothing of `before` is lost.
    fn expect_convergence(&self, server: &Server, before: &BTreeSet<Vec<u8>>, after: &str) {
        let expect_nothing_lost = || assert!(before.is_subset(&self.contents()), "something is lost, {after}");
        expect_nothing_lost();
        let done = run(&mut self.sync(server));
        // 26: there are conflict copies.
        assert!(matches!(done.status.code(), Some(0 | 26)), "{after}: {} {}{}", done.status, done.stdout, done.stderr);
        assert!(self.tree("local") == self.tree("served"), "both sides differ, {after}");
        expect_nothing_lost();
        let trees = (all(&self.at("local")), all(&self.at("served")));
        run(&mut self.sync(server));
        assert!(trees == (all(&self.at("local")), all(&self.at("served"))), "the run behind it did something, {after}");
    }

    /// Conflict copies and trashes would only grow from round to round.
    fn tidy(&self) {
        for side in ["local", "served"] {
            for path in fs::read_dir(self.at(side)).unwrap().map(|entry| entry.unwrap().path()) {
                let name = path.file_name().unwrap().to_str().unwrap();
                if name.contains(".conflict-") || name == "arrived" {
                    fs::remove_file(path).unwrap();
                } else if name == ".remofile-trash" {
                    fs::remove_dir_all(path).unwrap();
                }
            }
        }
    }

    /// Both sides the same, and then changed on both in every way that there is a line for in the table.
    fn edited(&self, server: &Server, round: usize) {
        for name in ["up", "down", "gone here", "gone there", "both", "d/moved", "d/beaten"] {
            self.write(&format!("local/{name}"), format!("{name} of {round}"));
        }
        self.write("local/large", content(400_000, round as u64));
        run(&mut self.sync(server));
        self.write("local/up", format!("uploaded in {round}"));
        self.write("served/down", format!("downloaded in {round}"));
        fs::remove_file(self.at("local/gone here")).unwrap();
        fs::remove_file(self.at("served/gone there")).unwrap();
        self.write("local/both", format!("mine of {round}"));
        self.write("served/both", format!("theirs of {round}"));
        fs::rename(self.at("local/d/moved"), self.at("local/arrived")).unwrap();
        self.write("served/d/beaten", format!("edited in {round}"));
        fs::remove_file(self.at("local/d/beaten")).unwrap();
        self.write("served/large", content(400_000, 1_000 + round as u64));
        self.write("served/new/file", format!("new in {round}"));
    }
}

fn all(top: &Path) -> Tree {
    let (mut tree, mut open) = (Tree::new(), vec![top.to_owned()]);
    while let Some(directory) = open.pop() {
        let entries = match fs::read_dir(&directory) {
            Ok(entries) => entries,
            // A server that lives goes on meanwhile.
            Err(error) if error.kind() == ErrorKind::NotFound => continue,
            Err(error) => panic!("{}: {error}", directory.display()),
        };
        for path in entries.map(|entry| entry.unwrap().path()) {
            let name = path.strip_prefix(top).unwrap().to_owned();
            match fs::symlink_metadata(&path) {
                Ok(found) if found.is_dir() => {
                    tree.insert(name, None);
                    open.push(path);
                }
                Ok(_) => drop(fs::read(path).map(|content| tree.insert(name, Some(content)))),
                Err(_) => {}
            }
        }
    }
    tree
}

/// The same command, killed at its `when`th call of this kind; nothing where there is no strace.
fn killed_at(command: &Command, call: &str, when: usize) -> Option<Command> {
    if let Err(error) = Command::new("strace").arg("-V").output() {
        skip(&format!("strace: {error}"));
        return None;
    }
    let mut traced = Command::new("strace");
    let inject = format!("--inject={call}:signal=KILL:when={when}");
    traced.args(["-f", "-qq", "-o", "/dev/null", &inject]).arg(command.get_program()).args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => traced.env(name, value),
            None => traced.env_remove(name),
        };
    }
    Some(traced)
}

#[test]
fn a_client_that_is_killed_at_any_change_of_its_disk_converges() {
    let place = KillPlace::new();
    let server = place.server();
    let (mut round, mut kills) = (0, 0);
    for call in CHANGES {
        for when in 1.. {
            assert!(when < 100, "the run does not end");
            round += 1;
            place.edited(&server, round);
            let before = place.contents();
            let Some(mut killed) = killed_at(&place.sync(&server), call, when) else { return };
            let done = run(&mut killed);
            place.expect_convergence(&server, &before, &format!("killed at {call} {when}"));
            place.tidy();
            if done.status.code().is_some() {
                break;
            }
            kills += 1;
        }
    }
    assert!(kills > 12, "only {kills} changes were met");
}

#[test]
fn a_server_that_is_killed_anywhere_converges_after_its_restart() {
    for entries in [1, 20, 90, 200, 280] {
        let place = KillPlace::new();
        let mut server = place.server();
        for index in 0..100 {
            place.write(&format!("local/d{}/old {index}", index % 7), format!("old {index}"));
        }
        run(&mut place.sync(&server)).success();
        for index in 0..100 {
            if index % 3 == 0 {
                place.write(&format!("local/d{}/old {index}", index % 7), format!("edited {index}"));
            } else if index % 3 == 1 {
                fs::remove_file(place.at(&format!("local/d{}/old {index}", index % 7))).unwrap();
            }
            place.write(&format!("local/e{}/new {index}", index % 5), format!("new {index}"));
        }
        let before = place.contents();
        let held = all(&place.at("served")).len();
        let client = Running::start(&mut place.sync(&server));
        let deadline = Instant::now() + DEADLINE;
        // New files and what is kept of replaced ones add up to about 150 more.
        while all(&place.at("served")).len() < held + entries / 2 {
            assert!(Instant::now() < deadline, "the server does not get so far");
            thread::park_timeout(Duration::from_millis(1));
        }
        server.kill();
        // It has lost its server, or was done just before.
        client.finish();
        let server = place.server();
        place.expect_convergence(&server, &before, &format!("killed after {entries}"));
    }
}
