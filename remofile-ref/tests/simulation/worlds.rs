//! Thousands of worlds, each of one seed: which client does what, what the network, the clock and the disk do to it.
//!
//! `REMOFILE_RUNS` sets the number of runs, `REMOFILE_SEED` replays one of them, step by step with `--nocapture`.

#[allow(unreachable_pub, reason = "a module shared by test programs")]
use super::client::{Fault, Job};
use super::world::{Act, Scene, World, content};
use crate::model::random::Random;

const RUNS: u64 = 20_000;

/// With no more faults everything has to be done within this many steps.
const CALM_STEPS: usize = 5_000;

#[derive(Debug, Default)]
struct Tally {
    steps: u64,
    faults: u64,
    power_cuts: u64,
    kills: u64,
    lost_sessions: u64,
}

fn scene(random: &mut Random) -> Scene {
    let clients = if random.one_in(3) { 2 } else { 1 };
    let jobs = (0..clients).map(|client| {
        let mut jobs: Vec<Job> = (0..1 + random.below(6))
            .map(|_| {
                // Each client has paths of its own: who of two comes last is nobody's promise.
                let path = format!("/{client}/{}", random.below(2));
                let seed = random.next().to_le_bytes()[0];
                match random.below(5) {
                    0 | 1 => Job::Upload(path, content(random.below(5), seed)),
                    2 | 3 => Job::Put(path, content(1 + random.below(2), seed)),
                    _ => Job::Flush,
                }
            })
            .collect();
        if random.one_in(2) {
            jobs.push(Job::Flush);
        }
        jobs
    });
    let jobs = jobs.collect();
    let window = [1, 2, 4, 8][random.below(4)];
    Scene { window, jobs, fault: Fault::None, disk_lies: false, deaths: random.below(4) > 0 }
}

fn run(seed: u64, disk_lies: bool, fault: Fault, is_told: bool) -> Result<Tally, String> {
    let mut random = Random(seed);
    let scene = Scene { disk_lies, fault, ..scene(&mut random) };
    let (mut world, mut tally) = (World::new(&scene), Tally::default());
    let (mut faults, often) = (random.below(12), 3 + random.below(20));
    let mut calm = 0;
    while !world.is_over() {
        let acts = world.acts();
        let wrong = world.faults();
        let act = if faults > 0 && !wrong.is_empty() && random.one_in(often) {
            faults -= 1;
            wrong[random.below(wrong.len())]
        } else if acts.is_empty() {
            return Err("nobody can do anything".to_owned());
        } else {
            acts[random.below(acts.len())]
        };
        if is_told {
            println!("{:?} {act:?}", world.now);
        }
        tally.steps += 1;
        tally.faults += u64::from(act.is_fault());
        tally.power_cuts += u64::from(matches!(act, Act::Power(_)));
        tally.kills += u64::from(matches!(act, Act::KillServer | Act::KillClient(_)));
        world.act(act, |ways| random.below(ways))?;
        calm = if act.is_fault() { 0 } else { calm + 1 };
        if calm > CALM_STEPS {
            return Err(format!("no end within {CALM_STEPS} steps after the last fault"));
        }
    }
    world.check_end()?;
    tally.lost_sessions = world.lost_sessions();
    Ok(tally)
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap())
}

#[test]
fn thousands_of_seeds_keep_every_promise() {
    if let Some(seed) = variable("REMOFILE_SEED") {
        println!("{:?}", run(seed, false, Fault::None, true).unwrap());
        return;
    }
    let (runs, mut sum) = (variable("REMOFILE_RUNS").unwrap_or(RUNS), Tally::default());
    for seed in 0..runs {
        let tally = run(seed, false, Fault::None, false)
            .unwrap_or_else(|problem| panic!("{problem}; run again with REMOFILE_SEED={seed}"));
        sum.steps += tally.steps;
        sum.faults += tally.faults;
        sum.power_cuts += tally.power_cuts;
        sum.kills += tally.kills;
        sum.lost_sessions += tally.lost_sessions;
    }
    println!("{runs} runs: {sum:?}");
    assert!(sum.power_cuts > runs / 10 && sum.lost_sessions > runs / 10, "too little happened: {sum:?}");
}

#[test]
fn a_seed_gives_the_same_run_again() {
    for seed in 0..50 {
        assert_eq!(
            format!("{:?}", run(seed, false, Fault::None, false)),
            format!("{:?}", run(seed, false, Fault::None, false)),
            "{seed}"
        );
    }
}

#[test]
fn seeds_find_a_disk_that_lies_and_a_client_that_trusts() {
    let finds = |disk_lies, fault, what: &str| {
        (0..3_000).any(|seed| run(seed, disk_lies, fault, false).is_err_and(|problem| problem.contains(what)))
    };
    assert!(finds(true, Fault::None, "was flushed"), "a disk that lies");
    assert!(finds(false, Fault::TrustsTheLost, "in the end"), "a client that trusts");
    assert!(finds(false, Fault::IgnoresBoot, "was flushed"), "a client that does not see that a server is another one");
}
