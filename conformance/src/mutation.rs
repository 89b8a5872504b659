//! Ways to spoil the suite itself, so that `selftest` can show that it would notice.
//!
//! Nothing here is on unless `selftest` starts a run of its own with it: see `selftest/harness.rs`.

use std::sync::OnceLock;

/// One thing that the suite no longer does as it should.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, clap::ValueEnum)]
pub(crate) enum HarnessMutation {
    /// Whatever a case comes to, it passed: the control, which cannot stay unnoticed
    EverythingPasses,
    /// Every comparison holds
    MatcherAlwaysTrue,
    /// The code of a reply is not compared
    CodeNotCompared,
    /// A case whose answer does not come passes
    SilencePasses,
    /// A case that cannot be tested passes
    UntestablePasses,
    /// A failure is reported as what does not apply
    FailureDoesNotApply,
    /// The report leaves out what failed
    CaseDropped,
    /// The run leaves what it made
    CleanUpSkipped,
    /// Replies are not looked at but by their case
    LintOff,
    /// The positive control of a refusal may fail
    TwinIgnored,
    /// What a refused request changed is not looked for
    PostConditionSkipped,
    /// Nobody stops waiting for an answer
    DeadlineNeverEnds,
    /// The server is not killed and started again
    RestartSkipped,
    /// A step that the check builds upon may fail
    PrerequisiteIgnored,
    /// The case that is run first and last is not run
    SanitySkipped,
    /// The exit code is 0 whatever was found
    ExitAlwaysZero,
}

static DONE: OnceLock<HarnessMutation> = OnceLock::new();

/// Spoils this process for good.
pub(crate) fn commit(sabotage: HarnessMutation) {
    // Only the command line does, once.
    let _ = DONE.set(sabotage);
}

/// Whether this process is spoilt in this way.
pub(crate) fn is(sabotage: HarnessMutation) -> bool {
    DONE.get() == Some(&sabotage)
}
