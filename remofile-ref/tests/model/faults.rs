//! Under loss, repetition, delay, reconnects, restarts and takeover: nothing is executed twice, nothing that was
//! acknowledged is lost, order is kept, and everything is done soon after the last fault.
//!
//! `REMOFILE_RUNS` sets the number of runs, `REMOFILE_SEED` replays one of them.

#[allow(unreachable_pub, reason = "a module shared by test programs")]
use super::world::{Mutant, Tally, World};

const RUNS: u64 = 100_000;
const FAULT_STEPS: usize = 120;

#[test]
fn nothing_is_lost_or_done_twice_under_faults() {
    if let Some(seed) = variable("REMOFILE_SEED") {
        println!("{:?}", run(seed));
        return;
    }
    let mut sum = Tally::default();
    for seed in 0..variable("REMOFILE_RUNS").unwrap_or(RUNS) {
        let tally = run(seed);
        sum.requests += tally.requests;
        sum.messages += tally.messages;
        sum.faults += tally.faults;
        sum.restarts += tally.restarts;
        sum.losses += tally.losses;
        sum.in_doubt += tally.in_doubt;
        sum.steps = sum.steps.max(tally.steps);
    }
    let factor = sum.messages as f64 / sum.requests as f64;
    println!("{sum:?}, {factor:.2} messages a request");
    assert!(factor < 4.0, "{factor:.2} messages a request");
}

fn run(seed: u64) -> Tally {
    let world = World::from_seed(seed, Mutant::None);
    match world.run(FAULT_STEPS) {
        Ok(tally) => tally,
        Err(problem) => panic!("{problem}; run again with REMOFILE_SEED={seed}"),
    }
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}
