//! Session, numbering and upload in every way that a small world can go: loss, repetition, reconnects, restarts,
//! deaths, power cuts and takeover, up to a number of faults; and what is broken on purpose is found.

#[allow(unreachable_pub, reason = "a module shared by test programs")]
use super::client::{ClientFault, Job};
use super::explore::explore;
use super::world::{Scene, content};

fn put(path: &str, seed: u8) -> Job {
    Job::Put(path.to_owned(), content(1, seed))
}

fn upload(path: &str, chunks: usize, seed: u8) -> Job {
    Job::Upload(path.to_owned(), content(chunks, seed))
}

fn scene(window: u64, jobs: Vec<Vec<Job>>, deaths: bool) -> Scene {
    Scene { window, jobs, fault: ClientFault::None, disk_lies: false, deaths }
}

/// Explores a scene, and prints the bounds of what was explored.
fn all_ways(what: &str, scene: &Scene, faults: usize, least: u64) {
    let explored = explore(scene, faults).unwrap_or_else(|problem| panic!("{what}: {problem}"));
    println!("{what}, window {}, up to {faults} faults: {explored:?}", scene.window);
    assert!(explored.states > least && explored.ends > 0, "{what}: {explored:?}");
}

#[test]
fn every_way_of_two_puts_and_a_flush_ends_well() {
    let scene = scene(2, vec![vec![put("/a", 1), put("/a", 2), Job::Flush]], true);
    all_ways("two puts and a flush", &scene, 2, 5_000);
}

#[test]
fn every_way_of_an_upload_ends_well() {
    let scene = scene(4, vec![vec![upload("/a", 2, 1), Job::Flush]], true);
    all_ways("an upload of two chunks and a flush", &scene, 2, 5_000);
}

#[test]
fn every_way_of_an_upload_one_request_at_a_time_ends_well() {
    let scene = scene(1, vec![vec![upload("/a", 1, 1), Job::Flush]], true);
    all_ways("an upload of one chunk and a flush", &scene, 2, 5_000);
}

#[test]
fn every_way_of_an_upload_over_a_bad_network_ends_well() {
    let scene = scene(2, vec![vec![upload("/a", 1, 1)]], false);
    all_ways("an upload of one chunk over a bad network", &scene, 3, 5_000);
}

#[test]
fn every_way_of_two_clients_that_take_from_each_other_ends_well() {
    let scene = scene(2, vec![vec![upload("/a", 1, 1)], vec![put("/b", 2)]], false);
    all_ways("an upload and a put of two clients", &scene, 2, 1_000);
}

#[test]
fn a_disk_that_lies_about_a_sync_is_found() {
    let scene = Scene { disk_lies: true, ..scene(1, vec![vec![put("/a", 1), Job::Flush, put("/b", 1)]], true) };
    assert!(explore(&scene, 1).unwrap_err().contains("was flushed"));
}

#[test]
fn a_client_that_flushes_at_another_server_what_it_put_at_the_first_is_found() {
    let scene = Scene { fault: ClientFault::IgnoresBoot, ..scene(1, vec![vec![put("/a", 1), Job::Flush]], true) };
    assert!(explore(&scene, 1).unwrap_err().contains("was flushed"));
}

#[test]
fn a_client_that_trusts_a_commit_without_an_answer_is_found() {
    let fault = ClientFault::TrustsTheLost;
    let scene = Scene { fault, ..scene(4, vec![vec![upload("/a", 1, 1), Job::Flush]], true) };
    let problem = explore(&scene, 2).unwrap_err();
    assert!(problem.contains("was flushed") || problem.contains("in the end"), "{problem}");
}
