//! Runs that are killed, on either side: the next one converges, and nothing is lost.

use super::{Pair, trashed, tree};
use remofile_testkit::process::{Running, Server, TOKEN, content, remofile, run};
use std::collections::BTreeSet;
use std::fs;
use std::thread;
use std::time::{Duration, Instant};

/// So many files of some size on each side, of which some are changed, removed and in conflict since the last run.
fn prepared() -> Pair {
    let pair = Pair::new();
    for number in 0..60 {
        let path = pair.local(&format!("d{}/{number}.bin", number % 4));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content(20_000, number)).unwrap();
    }
    pair.sync(&[]).success();
    for number in 0..10 {
        fs::write(pair.local(&format!("d{}/{number}.bin", number % 4)), content(300_000, 100 + number)).unwrap();
    }
    for number in 5..15 {
        fs::write(pair.served(&format!("d{}/{number}.bin", number % 4)), content(300_000, 200 + number)).unwrap();
    }
    for number in 20..24 {
        fs::remove_file(pair.local(&format!("d{}/{number}.bin", number % 4))).unwrap();
    }
    for number in 24..28 {
        fs::remove_file(pair.served(&format!("d{}/{number}.bin", number % 4))).unwrap();
    }
    for number in 0..20 {
        fs::write(pair.local(&format!("new-{number}.bin")), content(200_000, 300 + number)).unwrap();
        fs::write(pair.served(&format!("newer-{number}.bin")), content(200_000, 400 + number)).unwrap();
    }
    pair
}

/// The hash of every content on either side, in the trashes too.
fn contents(pair: &Pair) -> BTreeSet<String> {
    let mut all = BTreeSet::new();
    for top in [pair.local(""), pair.served("")] {
        all.extend(tree(&top).into_values());
        all.extend(trashed(&top).into_values());
    }
    all.iter()
        .filter(|content| !content.is_empty())
        .map(|content| blake3::hash(content.as_bytes()).to_string())
        .collect()
}

/// What two more runs make of it: both sides are equal, the second one has nothing to do, and all of `before` is there.
fn converges(pair: &Pair, before: &BTreeSet<String>) {
    let first = run(pair.command(&["-v"]).arg(pair.local("")).arg("/"));
    assert_eq!(first.status.code(), Some(26), "{}", first.stderr);
    pair.both();
    assert_eq!(super::steps(&pair.json(&[])), []);
    let lost: Vec<_> = before.difference(&contents(pair)).cloned().collect();
    assert_eq!(lost, [""; 0]);
}

/// The duration of a run that is not killed.
fn whole() -> Duration {
    let pair = prepared();
    let before = contents(&pair);
    let started = Instant::now();
    pair.sync(&[]).fails(26);
    let took = started.elapsed();
    converges(&pair, &before);
    took
}

#[test]
fn a_client_that_is_killed_anywhere_loses_nothing() {
    let whole = whole();
    for part in 1..=8 {
        let pair = prepared();
        let before = contents(&pair);
        let killed = Running::start(pair.command(&[]).arg(pair.local("")).arg("/"));
        thread::park_timeout(whole * part / 9);
        killed.kill();
        // Once more, while the lease of the one that died still runs.
        let killed = Running::start(pair.command(&["--take"]).arg(pair.local("")).arg("/"));
        thread::park_timeout(whole * part / 9);
        killed.kill();
        run(pair.command(&["--take"]).arg(pair.local("")).arg("/"));
        converges(&pair, &before);
    }
}

#[test]
fn a_server_that_is_killed_anywhere_loses_nothing() {
    let whole = whole();
    for part in 1..=4 {
        let mut pair = prepared();
        let before = contents(&pair);
        let port = pair.server.endpoint.rsplit_once(':').unwrap().1.to_owned();
        let running = Running::start(pair.command(&["--timeout", "2"]).arg(pair.local("")).arg("/"));
        thread::park_timeout(whole * part / 5);
        pair.server.kill();
        running.finish();
        let mut command = remofile();
        command.arg("run").arg(pair.place.served()).arg(&port).env("REMOFILE_TOKEN", TOKEN);
        pair.server = Server::start_command(command);
        run(pair.command(&["--take"]).arg(pair.local("")).arg("/"));
        converges(&pair, &before);
    }
}
