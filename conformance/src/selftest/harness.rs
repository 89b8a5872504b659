//! Runs the suite with each harness mutation against a few servers, and compares the results with the expected ones.

use super::{
    executor::{Executor, RunOutcome, RunSpec},
    findings::HarnessFinding,
    foreign_files, pool,
    server_config::{ServerConfig, Variant},
};
use crate::{engine::verdict::Verdict, mutation::HarnessMutation};
use std::time::Duration;

/// Why a build cannot run the harness mutations.
pub(super) const NEEDS_FEATURE: &str =
    "harness mutations: this build has none; build conformance with `--features harness-mutations`";

/// The time limit of a run with a harness mutation: some never end.
const LIMIT: Duration = Duration::from_secs(15);

/// A server, and the expected results of cases there.
struct ExpectedResults {
    mutation: Option<&'static str>,
    result: &'static [(&'static str, Verdict)],
}

/// The servers: each harness mutation changes one of the expected results.
const EXPECTED: &[ExpectedResults] = &[
    // A failure as such; a comparison; a code.
    ExpectedResults {
        mutation: Some("copy-is-new"),
        result: &[("copy-makes-a-file-of-the-same-content-and-time", Verdict::Fail)],
    },
    ExpectedResults {
        mutation: Some("unknown-arguments-are-ignored"),
        result: &[("an-argument-in-capitals-is-unknown", Verdict::Fail)],
    },
    // No answer.
    ExpectedResults {
        mutation: Some("replies-lost-on-cancel"),
        result: &[("bye-cancels-a-running-request", Verdict::Fail)],
    },
    // A step that the check builds upon; a positive control.
    ExpectedResults {
        mutation: Some("nothing-is-no-file"),
        result: &[
            ("a-path-has-at-most-128-names", Verdict::Untestable),
            ("no-name-has-a-c1-control", Verdict::Untestable),
        ],
    },
    // What a refused request changed.
    ExpectedResults {
        mutation: Some("refused-and-done"),
        result: &[("put-without-pre-replaces-nothing", Verdict::Fail)],
    },
    // A check of every reply.
    ExpectedResults {
        mutation: Some("after-is-included"),
        result: &[("after-in-a-tree-is-a-path-in-it", Verdict::Fail), ("list-pages-are-in-order", Verdict::Fail)],
    },
    // A server that is started again.
    ExpectedResults { mutation: None, result: &[("a-restart-draws-a-new-boot-and-keeps-the-root", Verdict::Pass)] },
];

/// The cases that a sound server passes and that leave nothing over.
const SOUND: &[&str] = &["a-directory-has-neither-size-nor-etag", "reply-keys-are-sorted-and-unique"];

/// Runs every harness mutation, `workers` at a time. The unchanged suite has to give the expected results: any problem
/// there is an error.
pub(super) fn run(executor: &Executor<'_>, workers: usize, seed: u64) -> (Vec<HarnessFinding>, Vec<String>) {
    let ways: Vec<Option<HarnessMutation>> =
        std::iter::once(None).chain(HarnessMutation::all().iter().copied().map(Some)).collect();
    let noticed = pool::each(&ways, workers, |way| complaints(executor, *way, seed), &mut |_, _| ());
    let (mut found, mut errors) = (Vec::new(), Vec::new());
    for (way, complaints) in ways.iter().zip(noticed) {
        match way {
            None => errors = complaints.into_iter().map(|what| format!("the unchanged suite: {what}")).collect(),
            Some(sabotage) => found.push(HarnessFinding {
                name: sabotage.name(),
                description: sabotage.description(),
                killed: !complaints.is_empty(),
                why: complaints.into_iter().next().unwrap_or_else(|| "not detected".into()),
            }),
        }
    }
    (found, errors)
}

/// Whether this build has harness mutations.
pub(super) fn is_available() -> bool {
    !HarnessMutation::all().is_empty()
}

/// Whether a name is that of the mutation that no self-test can miss.
pub(super) fn is_control(name: &str) -> bool {
    HarnessMutation::CONTROL.is_some_and(|control| control.name() == name)
}

/// The differences from the expected results, a sentence each; the first is enough.
fn complaints(executor: &Executor<'_>, sabotage: Option<HarnessMutation>, seed: u64) -> Vec<String> {
    let spec = |mutation, cases: Vec<String>| RunSpec {
        server: ServerConfig { variant: Variant::Plain, mutation },
        cases,
        seed,
        silent_after: 1,
        limit: Some(LIMIT),
        sabotage,
        ..RunSpec::default()
    };
    for expected in EXPECTED {
        let cases = expected.result.iter().map(|(case, _)| (*case).to_owned()).collect();
        match executor.execute(&spec(expected.mutation, cases)) {
            RunOutcome::Reported(ran) => {
                for (case, wanted) in expected.result {
                    let result = ran.cases.get(*case).map(|result| result.verdict);
                    if result != Some(*wanted) {
                        let result = result.map_or_else(|| "nothing".into(), |result| result.to_string());
                        let server = expected.mutation.unwrap_or("a sound server");
                        return vec![format!("{case}: {result} at {server}, expected {wanted}")];
                    }
                }
            }
            RunOutcome::Unreachable(what) | RunOutcome::Failed(what) => return vec![what],
            RunOutcome::Interrupted => return vec!["interrupted".into()],
        }
    }
    foreign_files::complaints(executor, spec(None, SOUND.iter().map(|case| (*case).to_owned()).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runner::plan::every_case;

    #[test]
    fn every_sentinel_is_a_mutation_and_its_cases_are_cases() {
        let every = every_case();
        for expected in EXPECTED {
            let exists = |name| remofile_mutants::mutations().any(|mutation| mutation.name == name);
            assert!(expected.mutation.is_none_or(exists), "{:?}", expected.mutation);
            for (case, _) in expected.result {
                assert!(every.iter().any(|one| one.id == *case), "{case}");
            }
        }
        assert!(SOUND.iter().all(|case| every.iter().any(|one| one.id == **case)));
    }

    #[test]
    fn every_way_has_a_name_and_a_story() {
        for way in HarnessMutation::all() {
            assert!(!way.name().is_empty() && way.description().len() > 10, "{way:?}");
        }
    }
}
