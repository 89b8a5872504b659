//! What must not be mistaken for a deletion, and what is not to be lost by the way.

use super::{Pair, trashed, tree};
use remofile_testkit::place::text;
use remofile_testkit::process::{Done, Running, Server, TOKEN, remofile, run};
use remofile_testkit::skip::skip;
use rustix::process::Signal;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn set_mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// The same command, bound by permissions although its user is root; nothing, and skipped, where that cannot be had.
fn bound(command: &Command) -> Option<Command> {
    let mut bound = Command::new("setpriv");
    if !rustix::process::geteuid().is_root() {
        bound = Command::new(command.get_program());
    } else {
        const LESS: &str = "-dac_override,-dac_read_search";
        bound.args(["--bounding-set", LESS, "--inh-caps", LESS]);
        let can = Command::new("setpriv").args(["--bounding-set", LESS, "--inh-caps", LESS, "true"]).status();
        if !can.is_ok_and(|status| status.success()) {
            skip("setpriv cannot take the rights of root away");
            return None;
        }
        bound.arg(command.get_program());
    }
    bound.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => bound.env(name, value),
            None => bound.env_remove(name),
        };
    }
    Some(bound)
}

fn bound_sync(pair: &Pair) -> Option<Done> {
    let mut command = pair.command(&[]);
    command.arg(pair.place.beside("local")).arg("/");
    bound(&command).map(|mut command| run(&mut command))
}

#[test]
fn a_directory_here_that_cannot_be_read_is_no_deletion() {
    for closed in [0o000, 0o400, 0o100] {
        let pair = Pair::with(&["a.txt", "d/b.txt", "d/e/c.txt"]);
        set_mode(&pair.local("d"), closed);
        pair.here("new.txt", "new");
        let done = bound_sync(&pair);
        set_mode(&pair.local("d"), 0o755);
        let Some(done) = done else { return };
        done.fails(23).says("cannot be read on the local side");
        let there = tree(&pair.served(""));
        assert!(there.contains_key("d/b.txt") && there.contains_key("d/e/c.txt"), "{closed:o}: {there:?}");
        assert_eq!(there["new.txt"], "new", "the rest goes on");
        pair.sync(&[]).success();
        assert_eq!(pair.both().len(), 6);
    }
}

#[test]
fn a_directory_there_that_cannot_be_read_is_no_deletion() {
    for closed in [0o000, 0o400, 0o100] {
        let mut pair = Pair::with(&["a.txt", "d/b.txt", "d/e/c.txt"]);
        let mut command = remofile();
        command.arg("run").arg(pair.place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN);
        let Some(command) = bound(&command) else { return };
        pair.server.kill();
        pair.server = Server::start_command(command);
        set_mode(&pair.served("d"), closed);
        pair.here("new.txt", "new");
        let done = pair.sync(&[]);
        set_mode(&pair.served("d"), 0o755);
        done.fails(23).says("cannot be read on the remote side");
        let here = tree(&pair.local(""));
        assert!(here.contains_key("d/b.txt") && here.contains_key("d/e/c.txt"), "{closed:o}: {here:?}");
        assert_eq!(tree(&pair.served(""))["new.txt"], "new", "the rest goes on");
        pair.sync(&[]).success();
        assert_eq!(pair.both().len(), 6);
    }
}

#[test]
fn a_root_there_that_cannot_be_read_stops_the_run() {
    for closed in [0o000, 0o400] {
        let mut pair = Pair::new();
        pair.here("a.txt", "a");
        let local = text(&pair.local(""));
        run(&mut pair.command(&[&local, "/docs"])).success();
        let mut command = remofile();
        command.arg("run").arg(pair.place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN);
        let Some(command) = bound(&command) else { return };
        pair.server.kill();
        pair.server = Server::start_command(command);
        set_mode(&pair.served("docs"), closed);
        let done = run(&mut pair.command(&[&local, "/docs"]));
        set_mode(&pair.served("docs"), 0o755);
        assert!(!done.status.success(), "{closed:o}: {}", done.stderr);
        assert!(pair.local("a.txt").exists() && pair.served("docs/a.txt").exists());
    }
}

#[test]
fn a_side_that_is_gone_with_all_that_it_was_in_stops_the_run() {
    let pair = Pair::new();
    let deep = pair.place.beside("mount/home/local");
    fs::create_dir_all(&deep).unwrap();
    fs::write(deep.join("a.txt"), "a").unwrap();
    let sync = || run(pair.command(&[]).arg(&deep).arg("/"));
    sync().success();
    fs::rename(pair.place.beside("mount"), pair.place.beside("elsewhere")).unwrap();
    sync().fails(25).says("the local directory is gone");
    assert!(pair.served("a.txt").exists() && !deep.exists());
}

#[test]
fn a_side_behind_a_link_that_leads_nowhere_any_more_stops_the_run() {
    let pair = Pair::with(&["a.txt"]);
    let link = pair.place.beside("link");
    std::os::unix::fs::symlink(pair.local(""), &link).unwrap();
    let sync = || run(pair.command(&[]).arg(&link).arg("/"));
    sync().success();
    fs::rename(pair.local(""), pair.place.beside("elsewhere")).unwrap();
    sync().fails(25).says("the local directory is gone");
    assert!(pair.served("a.txt").exists());
}

#[test]
fn a_directory_there_that_is_gone_stops_the_run() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    let local = text(&pair.local(""));
    run(&mut pair.command(&[&local, "/docs"])).success();
    fs::remove_dir_all(pair.served("docs")).unwrap();
    run(&mut pair.command(&[&local, "/docs"])).fails(25).says("the remote directory is gone");
    assert!(pair.local("a.txt").exists() && !pair.served("docs").exists());
}

#[test]
fn what_is_replaced_here_keeps_its_permissions() {
    let pair = Pair::with(&["secret.txt", "tool.sh", "large.bin"]);
    for (file, mode) in [("secret.txt", 0o600), ("tool.sh", 0o755), ("large.bin", 0o640)] {
        set_mode(&pair.local(file), mode);
    }
    let large = "x".repeat(3 << 20);
    for (file, content) in [("secret.txt", "hush"), ("tool.sh", "#!/bin/sh"), ("large.bin", &large)] {
        pair.there(file, content);
    }
    pair.sync(&[]).success();
    assert_eq!(pair.both()["secret.txt"], "hush");
    assert_eq!(["secret.txt", "tool.sh", "large.bin"].map(|file| mode(&pair.local(file))), [0o600, 0o755, 0o640]);
}

#[test]
fn the_archive_is_not_synchronised_where_it_lies_inside() {
    let pair = Pair::new();
    pair.here("a.txt", "a");
    let sync = || {
        let state = pair.local(".state");
        run(pair.command(&[]).arg(pair.local("")).arg("/").env("XDG_STATE_HOME", state))
    };
    sync().success();
    sync().success().says("(3 unchanged)");
    let there = tree(&pair.served(""));
    assert!(!there.keys().any(|path| path.contains("remofile/sync/")), "{there:?}");
}

#[test]
fn a_trash_is_cleaned_by_a_run_that_changes_nothing() {
    let pair = Pair::with(&["a.txt"]);
    for top in [pair.local(""), pair.served("")] {
        let old = top.join(".remofile-trash/20200101T000000Z");
        fs::create_dir_all(&old).unwrap();
        fs::write(old.join("old.txt"), "old").unwrap();
    }
    pair.sync(&["-n"]).success();
    assert_eq!(trashed(&pair.served("")).len(), 1, "a dry run changes nothing");
    pair.sync(&[]).success();
    for top in [pair.local(""), pair.served("")] {
        assert!(!top.join(".remofile-trash/20200101T000000Z").exists(), "{}", top.display());
    }
}

#[test]
fn a_run_whose_session_is_taken_over_is_made_good_by_the_next() {
    let pair = Pair::new();
    for number in 0..300 {
        pair.here(&format!("d/{number:03}.txt"), &format!("{number:03}").repeat(4_000));
    }
    let running = Running::start(pair.command(&["--bwlimit", "500K"]).arg(pair.local("")).arg("/"));
    let deadline = std::time::Instant::now() + remofile_testkit::process::DEADLINE;
    while !pair.served("d/005.txt").exists() {
        assert!(std::time::Instant::now() < deadline, "nothing arrives");
        std::thread::park_timeout(std::time::Duration::from_millis(2));
    }
    pair.server.run(&["--take", "directory", "beside", "/"]);
    running.signal(Signal::INT);
    let done = running.finish();
    assert!(!done.status.success(), "{}", done.stderr);
    pair.sync(&["--take"]).success();
    let both = pair.both();
    assert_eq!(both.len(), 302, "no copy in conflict, and what came meanwhile is there");
    assert_eq!(super::steps(&pair.json(&[])), []);
}
