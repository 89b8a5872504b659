//! `sync --watch`: changes here get to the server, and others can use it in between.

use super::Pair;
use remofile_testkit::process::{DEADLINE, Running, run};
use rustix::process::Signal;
use std::fs;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

fn watching(pair: &Pair, flags: &[&str]) -> Running {
    Running::start(pair.command(flags).arg("--watch").arg(pair.place.beside("local")).arg("/"))
}

/// Waits until a file has this content.
fn await_content(path: &Path, content: &str) {
    let deadline = Instant::now() + DEADLINE;
    while fs::read_to_string(path).ok().as_deref() != Some(content) {
        assert!(Instant::now() < deadline, "{} does not become '{content}'", path.display());
        thread::park_timeout(Duration::from_millis(10));
    }
}

/// Waits until the run is over: it lets go behind its flush, which the files do not tell of.
fn await_free(pair: &Pair) {
    let deadline = Instant::now() + DEADLINE;
    while !run(&mut pair.server.client(&["--wait", "0", "list", "/"])).status.success() {
        assert!(Instant::now() < deadline, "the session is never free");
    }
}

#[test]
fn what_changes_here_gets_to_the_server_until_it_is_stopped() {
    let pair = Pair::new();
    pair.here("a.txt", "first");
    let watch = watching(&pair, &[]);
    await_content(&pair.served("a.txt"), "first");
    pair.here("a.txt", "second");
    await_content(&pair.served("a.txt"), "second");
    pair.here("new/deep/b.txt", "third");
    await_content(&pair.served("new/deep/b.txt"), "third");
    pair.here("new/deep/b.txt", "fourth");
    await_content(&pair.served("new/deep/b.txt"), "fourth");
    watch.signal(Signal::INT);
    let done = watch.finish().fails(130);
    assert!(done.stderr.contains("watching '") && done.stderr.contains("interrupted"), "{}", done.stderr);
}

#[test]
fn the_session_is_free_while_nothing_changes() {
    let pair = Pair::new();
    pair.here("a.txt", "first");
    let watch = watching(&pair, &[]);
    await_content(&pair.served("a.txt"), "first");
    await_free(&pair);
    for _ in 0..5 {
        pair.server.run(&["--wait", "0", "list", "/"]);
    }
    watch.signal(Signal::TERM);
    watch.finish().fails(143);
}

#[test]
fn a_server_that_comes_back_is_found_again() {
    let mut pair = Pair::new();
    pair.here("a.txt", "first");
    let watch = watching(&pair, &["--timeout", "1"]);
    await_content(&pair.served("a.txt"), "first");
    // Killed before, and changed here meanwhile, it would rightly be in conflict.
    await_free(&pair);
    let address = pair.server.endpoint.rsplit_once(':').unwrap().1.to_owned();
    pair.server.kill();
    pair.here("a.txt", "second");
    let mut command = remofile_testkit::process::remofile();
    command.arg("run").arg(pair.place.served()).arg(&address).env("REMOFILE_TOKEN", remofile_testkit::process::TOKEN);
    pair.server = remofile_testkit::process::Server::start_command(command);
    await_content(&pair.served("a.txt"), "second");
    watch.signal(Signal::INT);
    watch.finish().fails(130);
}

#[test]
fn a_guard_ends_the_watch() {
    let pair = Pair::with(&["a.txt", "b.txt"]);
    let watch = watching(&pair, &["-v"]);
    pair.here("c.txt", "c");
    await_content(&pair.served("c.txt"), "c");
    fs::rename(pair.local(""), pair.place.beside("elsewhere")).unwrap();
    watch.finish().fails(25).says("the local directory is gone");
}

#[test]
fn a_new_pattern_counts_from_then_on() {
    let pair = Pair::new();
    pair.here("a.txt", "first");
    let watch = watching(&pair, &[]);
    await_content(&pair.served("a.txt"), "first");
    pair.here(".remofileignore", "*.log\n");
    await_content(&pair.served(".remofileignore"), "*.log\n");
    pair.here("a.log", "no");
    pair.here("b.txt", "yes");
    await_content(&pair.served("b.txt"), "yes");
    assert!(!pair.served("a.log").exists());
    watch.signal(Signal::INT);
    watch.finish().fails(130);
}
