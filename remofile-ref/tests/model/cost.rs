//! How many messages 640 requests with a window of 64 cost: the rules of resending, counted.

#[allow(unreachable_pub, reason = "a module shared by test programs")]
use super::disk::Kinds;
use super::peer::Fault;
use super::world::{Mutant, World};
use remofile::protocol::client::request_window::RetryPolicy;

/// hello and bye.
const FRAME: u64 = 2;
const REQUESTS: u64 = 640;
const WINDOW: u64 = 64;
/// Polls of an operation of 20 slices of 100 ms, each held for 500 ms.
const POLLS: u64 = 4;

#[test]
fn without_faults_every_request_is_sent_once() {
    assert_eq!(messages(false, false, Fault::None), Ok(REQUESTS + FRAME));
}

#[test]
fn lost_message_costs_one_window_at_most() {
    let messages = messages(true, false, Fault::None).unwrap();
    println!("{messages} messages for {REQUESTS} requests, one of them lost");
    assert!(messages <= REQUESTS + WINDOW + FRAME, "{messages} messages");
}

#[test]
fn long_operation_costs_one_window_and_its_polls() {
    let messages = messages(false, true, Fault::None).unwrap();
    println!("{messages} messages for {REQUESTS} requests, one of them long");
    assert!(messages <= REQUESTS + WINDOW + POLLS + FRAME, "{messages} messages");
}

#[test]
fn lost_message_and_long_operation_cost_what_each_does() {
    let messages = messages(true, true, Fault::None).unwrap();
    println!("{messages} messages for {REQUESTS} requests, one of them lost and one long");
    assert!(messages <= REQUESTS + 2 * WINDOW + POLLS + FRAME, "{messages} messages");
}

#[test]
fn resending_at_every_gap_multiplies_messages() {
    let messages = messages(true, false, Fault::ResendsAtEveryGap).unwrap_or_else(|stuck| stuck);
    println!("{messages} messages and more when every SEQ makes everything be sent again");
    assert!(messages > 3 * REQUESTS, "{messages} messages");
}

/// The messages of the client, as an error where it did not get done.
fn messages(lost: bool, long: bool, fault: Fault) -> Result<u64, u64> {
    let mut work = vec![(Kinds::Touch, 0); 640];
    if long {
        work[300] = (Kinds::Copy, 20);
    }
    let mut world = World::new(1, WINDOW, vec![work], RetryPolicy::default(), Mutant::Client(fault));
    let mut random = super::random::ModelRandom(1);
    world.peers[0].0.start(world.now, &mut random);
    for _ in 0..4 {
        world.round().unwrap();
    }
    while world.send(0) {}
    if lost {
        let (_, link) = &mut world.peers[0];
        let middle = link.up[0].len() / 2;
        link.up[0].remove(middle).unwrap();
    }
    let done = world.calm_down();
    let messages = world.tally().messages;
    done.map_err(|_| messages)?;
    world.check().unwrap();
    Ok(messages)
}
