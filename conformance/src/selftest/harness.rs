//! Spoils the suite, one way at a time, and has it notice: on a few servers with what each case comes to there.

use super::{
    bench::{Attempt, Bench, Tried},
    findings::HarnessFound,
    pool,
    stand::{Stand, Variant},
    tidy,
};
use crate::{engine::verdict::Verdict, mutation::HarnessMutation};
use std::time::Duration;

/// Why a build cannot try the harness mutations.
pub(super) const NEEDS_FEATURE: &str =
    "harness mutations: this build has none; build conformance with `--features harness-mutations`";

/// How long a spoilt run may take: some never end.
const LIMIT: Duration = Duration::from_secs(15);

/// A server, and what cases come to there.
struct Sentinel {
    fault: Option<&'static str>,
    came: &'static [(&'static str, Verdict)],
}

/// The servers, chosen so that each way to spoil the suite changes what one of the cases comes to.
const SENTINELS: &[Sentinel] = &[
    // A failure as such; a comparison; a code.
    Sentinel { fault: Some("copy-is-new"), came: &[("copy-makes-a-file-of-the-same-content-and-time", Verdict::Fail)] },
    Sentinel {
        fault: Some("unknown-arguments-are-ignored"),
        came: &[("an-argument-in-capitals-is-unknown", Verdict::Fail)],
    },
    // No answer.
    Sentinel { fault: Some("replies-lost-on-cancel"), came: &[("bye-cancels-a-running-request", Verdict::Fail)] },
    // A step that the check builds upon; a positive control.
    Sentinel {
        fault: Some("nothing-is-no-file"),
        came: &[
            ("a-path-has-at-most-128-names", Verdict::Untestable),
            ("no-name-has-a-c1-control", Verdict::Untestable),
        ],
    },
    // What a refused request changed.
    Sentinel { fault: Some("refused-and-done"), came: &[("put-without-pre-replaces-nothing", Verdict::Fail)] },
    // A check of every reply.
    Sentinel {
        fault: Some("after-is-included"),
        came: &[("after-in-a-tree-is-a-path-in-it", Verdict::Fail), ("list-pages-are-in-order", Verdict::Fail)],
    },
    // A server that is started again.
    Sentinel { fault: None, came: &[("a-restart-draws-a-new-boot-and-keeps-the-root", Verdict::Pass)] },
];

/// The cases that a sound server passes, and leaves nothing behind.
const SOUND: &[&str] = &["a-directory-has-neither-size-nor-etag", "reply-keys-are-sorted-and-unique"];

/// Tries every way to spoil the suite, `workers` at a time. The suite as it is has to be fine on the same servers: what
/// is wrong there is an error.
pub(super) fn spoil(bench: &Bench<'_>, workers: usize, seed: u64) -> (Vec<HarnessFound>, Vec<String>) {
    let ways: Vec<Option<HarnessMutation>> =
        std::iter::once(None).chain(HarnessMutation::all().iter().copied().map(Some)).collect();
    let noticed = pool::each(&ways, workers, |way| complaints(bench, *way, seed), &mut |_, _| ());
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for (way, complaints) in ways.iter().zip(noticed) {
        match way {
            None => errors = complaints.into_iter().map(|what| format!("the suite as it is: {what}")).collect(),
            Some(sabotage) => found.push(HarnessFound {
                name: sabotage.name(),
                story: sabotage.description(),
                killed: !complaints.is_empty(),
                why: complaints.into_iter().next().unwrap_or_else(|| "nothing noticed it".into()),
            }),
        }
    }
    (found, errors)
}

/// Whether this build has harness mutations.
pub(super) fn is_available() -> bool {
    !HarnessMutation::all().is_empty()
}

/// Whether a name is that of the mutation that no self-test can miss: where it does, the run is void.
pub(super) fn is_control(name: &str) -> bool {
    HarnessMutation::CONTROL.is_some_and(|control| control.name() == name)
}

/// What is not as it has to be, a sentence each; the first is enough.
fn complaints(bench: &Bench<'_>, sabotage: Option<HarnessMutation>, seed: u64) -> Vec<String> {
    let attempt = |fault, cases: Vec<String>| Attempt {
        stand: Stand { variant: Variant::Plain, fault },
        cases,
        seed,
        silent_after: 1,
        limit: Some(LIMIT),
        sabotage,
        ..Attempt::default()
    };
    for sentinel in SENTINELS {
        let cases = sentinel.came.iter().map(|(case, _)| (*case).to_owned()).collect();
        match bench.attempt(&attempt(sentinel.fault, cases)) {
            Tried::Ran(ran) => {
                for (case, wanted) in sentinel.came {
                    let came = ran.cases.get(*case).map(|came| came.verdict);
                    if came != Some(*wanted) {
                        let came = came.map_or_else(|| "nothing".into(), |came| came.to_string());
                        let server = sentinel.fault.unwrap_or("a sound server");
                        return vec![format!("{case} came to {came} at {server}, and has to come to {wanted}")];
                    }
                }
            }
            Tried::Unserved(what) | Tried::Broken(what) => return vec![what],
            Tried::Interrupted => return vec!["interrupted".into()],
        }
    }
    tidy::complaints(bench, attempt(None, SOUND.iter().map(|case| (*case).to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::plan::every_case;

    #[test]
    fn every_sentinel_is_a_fault_and_its_cases_are_cases() {
        let every = every_case();
        for sentinel in SENTINELS {
            let exists = |name| remofile_zoo::faults().any(|fault| fault.name == name);
            assert!(sentinel.fault.is_none_or(exists), "{:?}", sentinel.fault);
            for (case, _) in sentinel.came {
                assert!(every.iter().any(|one| one.id == *case), "{case}");
            }
        }
        assert!(SOUND.iter().all(|case| every.iter().any(|one| one.id == **case)));
    }

    #[cfg(feature = "harness-mutations")]
    #[test]
    fn every_mutation_has_a_name_and_a_description() {
        assert!(is_available());
        for mutation in HarnessMutation::all() {
            assert!(!mutation.name().is_empty() && mutation.description().len() > 10, "{mutation:?}");
        }
    }

    #[cfg(not(feature = "harness-mutations"))]
    #[test]
    fn a_build_without_the_feature_has_no_mutation() {
        assert!(!is_available() && !is_control("everything-passes"));
    }
}
