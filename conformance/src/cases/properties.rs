//! Random sequences of operations, compared with a model. A failing sequence is shrunk and printed, and can be replayed.

mod model;
mod play;
mod step;

use crate::engine::{
    case::{Case, must},
    context::CaseContext,
    error::{CaseError, CaseResult, failed},
};
use play::Play;
use std::time::{Duration, Instant};
use step::{Mix, ModelStep, NodeKind, Random, Sequence};

/// How long each property is tried, unless the environment variable [`SECONDS`] is set.
const TRIED_FOR: Duration = Duration::from_millis(300);
/// How long each property is tried, in whole seconds.
const SECONDS: &str = "CONFORMANCE_PROPERTY_SECONDS";
/// How many steps a sequence has.
const STEPS: usize = 60;
/// The longest time for shrinking a failing sequence.
const SHRUNK_FOR: Duration = Duration::from_secs(5);

pub(super) fn cases() -> Vec<Case> {
    let property = |id: &str, checks, mix: Mix| {
        must(id, checks)
            .sends("random operations under few names, as long as time allows; `--seed` draws the same ones again")
            .passes("Every reply matches a model in memory, and so do the entries in the end.")
            .run(move |t| search(t, mix))
    };
    vec![
        property(
            "random-operations-match-a-model",
            &[
                "SEQ-9", "REFUSE-1", "CODE-5", "STAT-1", "LIST-8", "READ-1", "HASH-1", "MKDIR-1", "PUT-1", "WRITE-1",
                "WRITE-2", "TRUNC-1", "TOUCH-1", "REMOVE-1", "REMOVE-2", "MOVE-1", "MOVE-3", "COPY-1", "TARGET-1",
                "PATH-13",
            ],
            Mix { uploads: 0, repeats: 0, sessions: 0 },
        ),
        property(
            "random-uploads-match-a-model",
            &[
                "COMMIT-1",
                "SEQ-9",
                "REFUSE-1",
                "BEGIN-1",
                "BEGIN-2",
                "BEGIN-3",
                "BEGIN-4",
                "APPEND-1",
                "APPEND-2",
                "APPEND-4",
                "COMMIT-2",
                "COMMIT-3",
                "ABORT-1",
                "UPLOADS-1",
                "UP-1",
            ],
            Mix { uploads: 60, repeats: 0, sessions: 0 },
        ),
        property(
            "requests-that-are-repeated-are-executed-once",
            &["SEQ-3", "SEQ-1", "SEQ-2", "SEQ-9"],
            Mix { uploads: 30, repeats: 30, sessions: 0 },
        ),
        property(
            "intermediate-sessions-affect-only-begun-uploads",
            &["UP-2", "APPEND-2", "SES-6", "SEQ-1"],
            Mix { uploads: 50, repeats: 10, sessions: 10 },
        ),
    ]
}

/// The case that replays a printed sequence of a failed property: JSON with `"kind": "operations"`. Returns an
/// error for any other text.
pub(crate) fn replay(text: &str) -> Result<Case, String> {
    let sequence: Sequence = serde_json::from_str(text).map_err(|error| format!("not a sequence: {error}"))?;
    let case = must("replayed-operations", &["SEQ-9"])
        .sends("the operations of the file")
        .passes("Every reply matches a model in memory, and so do the entries in the end.")
        .run(move |t| {
            let result = replay_steps(t, "replayed", &sequence.steps);
            result.map_err(|failure| failure.error)
        });
    Ok(Case { section: "11", ..case })
}

/// A failure, and the number of steps up to it.
struct Divergence {
    error: CaseError,
    steps: usize,
}

fn search(t: &mut CaseContext, mix: Mix) -> CaseResult {
    let tried_for = std::env::var(SECONDS).ok().and_then(|text| text.parse().ok()).map(Duration::from_secs);
    let deadline = Instant::now() + tried_for.unwrap_or(TRIED_FOR);
    let mut random = Random(t.seed);
    for run in 0_u64.. {
        let mut steps = Vec::new();
        let mut play = Play::new(t, &format!("run{run}"))?;
        let mut result = Ok(());
        while result.is_ok() && steps.len() < STEPS && Instant::now() < deadline {
            let step = ModelStep::draw(&mut random, mix);
            result = play.step(&step);
            steps.push(step);
        }
        match result.and_then(|()| play.finish()) {
            Ok(()) => {}
            Err(CaseError::Failed(why)) => return failed(failure_text(shrink(t, steps, why))),
            Err(other) => return Err(other),
        }
        if Instant::now() >= deadline {
            break;
        }
    }
    Ok(())
}

/// Shrinks a failing sequence by leaving out steps, larger pieces first.
fn shrink(t: &mut CaseContext, mut steps: Vec<ModelStep>, mut why: String) -> (Vec<ModelStep>, String) {
    let deadline = Instant::now() + SHRUNK_FOR;
    let mut tried = 0_u64;
    let mut piece = steps.len();
    while piece > 0 {
        let mut at = 0;
        while at < steps.len() {
            if Instant::now() >= deadline {
                return (steps, why);
            }
            let end = (at + piece).min(steps.len());
            let without: Vec<ModelStep> = [&steps[..at], &steps[end..]].concat();
            tried += 1;
            match replay_steps(t, &format!("shrunk{tried}"), &without) {
                Err(Divergence { error: CaseError::Failed(still), steps: needed }) => {
                    steps = without;
                    steps.truncate(needed);
                    why = still;
                }
                // This is another failure than the one that is shrunk.
                Ok(()) | Err(_) => at = end,
            }
        }
        piece /= 2;
    }
    (steps, why)
}

fn replay_steps(t: &mut CaseContext, directory: &str, steps: &[ModelStep]) -> Result<(), Divergence> {
    let all = steps.len();
    let mut play = Play::new(t, directory).map_err(|error| Divergence { error, steps: all })?;
    for (number, step) in steps.iter().enumerate() {
        if let Err(error) = play.step(step) {
            // It failed already; whether the clean-up works is not checked.
            let _ = play.abandon();
            return Err(Divergence { error, steps: number + 1 });
        }
    }
    play.finish().map_err(|error| Divergence { error, steps: all })
}

fn failure_text((steps, why): (Vec<ModelStep>, String)) -> String {
    let count = steps.len();
    let sequence = Sequence { kind: NodeKind::Operations, steps };
    let json = serde_json::to_string(&sequence).unwrap_or_else(|error| error.to_string());
    format!("{why}; the last of {count} steps, to be replayed from {json}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_printed_sequence_is_read_back() {
        let mut random = Random(7);
        let mix = Mix { uploads: 40, repeats: 10, sessions: 10 };
        let steps: Vec<ModelStep> = (0..500).map(|_| ModelStep::draw(&mut random, mix)).collect();
        let text = failure_text((steps.clone(), "why".to_owned()));
        let json = text.split_once("from ").unwrap().1;
        assert_eq!(serde_json::from_str::<Sequence>(json).unwrap().steps, steps);
        assert!(replay(json).is_ok());
        assert!(replay(&json.replacen("operations", "others", 1)).is_err());
    }

    #[test]
    fn the_same_seed_draws_the_same_steps() {
        let mix = Mix { uploads: 40, repeats: 10, sessions: 10 };
        let draw = |seed| {
            let mut random = Random(seed);
            (0..100).map(|_| ModelStep::draw(&mut random, mix)).collect::<Vec<_>>()
        };
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
