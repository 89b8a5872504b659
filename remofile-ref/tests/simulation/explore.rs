//! Every way that a small world can go, with so many faults and no more: depth first, each state once.

use super::world::{Act, Fate, Scene, Simulation};
use std::collections::HashMap;

#[derive(Clone, Copy, Debug, Default)]
pub struct Explored {
    pub states: u64,
    pub steps: u64,
    pub ends: u64,
    pub deepest: usize,
}

/// Explores all of it; a sequence that leads to an error is reported step by step.
pub fn explore(scene: &Scene, faults: usize) -> Result<Explored, String> {
    let mut explored = Explored::default();
    // With how many faults left a state was reached: with as many or fewer it has nothing new to show.
    let mut known: HashMap<blake3::Hash, usize> = HashMap::new();
    let mut open: Vec<(Vec<Act>, usize)> = vec![(Vec::new(), faults)];
    while let Some((mut way, left)) = open.pop() {
        let mut world = replay(scene, &way)?;
        // On from here without a replay, by the first of the ways that are open; the others are put by.
        let mut left = left;
        loop {
            let acts = world.acts();
            let state = world.state();
            if known.get(&state).is_some_and(|known| *known >= left) {
                break;
            }
            known.insert(state, left);
            explored.states += 1;
            explored.deepest = explored.deepest.max(way.len());
            if world.is_over() {
                explored.ends += 1;
                world.check_end().map_err(|problem| described(&problem, &way))?;
                break;
            }
            if acts.is_empty() {
                return Err(described("no participant can act", &way));
            }
            if way.len() > 400 {
                return Err(described("no end", &way));
            }
            let mut next = acts;
            if left > 0 {
                // What is mixed of lost and kept is the seeded simulation's.
                next.extend(world.faults().into_iter().filter(|act| *act != Act::Power(Fate::Mixed)));
            }
            for act in &next[1..] {
                let mut other = way.clone();
                other.push(*act);
                open.push((other, left - usize::from(act.is_fault())));
            }
            left -= usize::from(next[0].is_fault());
            way.push(next[0]);
            explored.steps += 1;
            world.act(next[0], |_| 0).map_err(|problem| described(&problem, &way))?;
        }
    }
    Ok(explored)
}

fn replay(scene: &Scene, way: &[Act]) -> Result<Simulation, String> {
    let mut world = Simulation::new(scene);
    for act in way {
        world.acts();
        world.act(*act, |_| 0).map_err(|problem| described(&problem, way))?;
    }
    Ok(world)
}

fn described(problem: &str, way: &[Act]) -> String {
    format!("{problem}; after {} steps: {way:?}", way.len())
}
