//! The mutations, and the one that is active in this process.

use clap::ValueEnum;
use std::sync::OnceLock;

/// A mutation of the suite.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum HarnessMutation {
    /// Every case passes: the control, which the self-test must notice
    EverythingPasses,
    /// Every comparison holds
    MatcherAlwaysTrue,
    /// The code of a reply is not compared
    CodeNotCompared,
    /// A case whose reply does not arrive passes
    SilencePasses,
    /// A case that is untestable passes
    UntestablePasses,
    /// A failure is reported as not applicable
    FailureDoesNotApply,
    /// The report omits failed cases
    CaseDropped,
    /// The run does not remove what it created
    CleanUpSkipped,
    /// The checks of every reply are off
    LintOff,
    /// The positive control of a refusal may fail
    PositiveControlIgnored,
    /// Effects of a refused request are not looked for
    PostConditionSkipped,
    /// Waiting for a reply never times out
    DeadlineNeverEnds,
    /// The server is not killed and restarted
    RestartSkipped,
    /// A setup step may fail
    PrerequisiteIgnored,
    /// The sanity case does not run first and last
    SanitySkipped,
    /// The exit code is always 0
    ExitAlwaysZero,
}

impl HarnessMutation {
    /// Every mutation of this build.
    pub(crate) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The mutation that no self-test can miss.
    pub(crate) const CONTROL: Option<Self> = Some(Self::EverythingPasses);

    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        self.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
    }

    /// What the suite does wrong, in words.
    pub(crate) fn description(self) -> String {
        let value = self.to_possible_value();
        value.and_then(|value| value.get_help().map(ToString::to_string)).unwrap_or_default()
    }
}

static ACTIVE: OnceLock<HarnessMutation> = OnceLock::new();

/// Activates a mutation for the rest of this process.
pub(crate) fn activate(mutation: HarnessMutation) {
    // Only the command line does, once.
    let _ = ACTIVE.set(mutation);
}

/// Whether this process runs with a mutation.
pub(crate) fn is_active(mutation: HarnessMutation) -> bool {
    ACTIVE.get() == Some(&mutation)
}
