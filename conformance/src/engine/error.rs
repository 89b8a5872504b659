//! Why a case ends before its end.

/// What a step of a case gives: `?` ends the case.
pub(crate) type CaseResult<T = ()> = Result<T, CaseError>;

/// Why a case ends before its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaseError {
    /// The server did what the requirement forbids, or not what it demands.
    Failed(String),
    /// The server did not answer; it may be wedged or dead.
    Silent(String),
    /// A step that the check builds upon, or its positive control, failed: nothing can be said.
    Untestable(String),
    /// The check does not apply to this server, and this shows it.
    NotApplicable(String),
    /// The suite failed.
    Harness(String),
}

impl CaseError {
    /// What happened, in a sentence.
    pub(crate) fn text(&self) -> &str {
        match self {
            CaseError::Failed(text)
            | CaseError::Silent(text)
            | CaseError::Untestable(text)
            | CaseError::NotApplicable(text)
            | CaseError::Harness(text) => text,
        }
    }

    /// The same where a step that is not the check itself failed.
    pub(crate) fn into_prerequisite(self, role: &str) -> CaseError {
        match self {
            CaseError::Failed(text) => CaseError::Untestable(format!("{role} failed: {text}")),
            other => other,
        }
    }
}

/// A check that failed.
pub(crate) fn failed<T>(what: impl Into<String>) -> CaseResult<T> {
    Err(CaseError::Failed(what.into()))
}

/// A check that does not apply, with the evidence.
pub(crate) fn not_applicable<T>(evidence: impl Into<String>) -> CaseResult<T> {
    Err(CaseError::NotApplicable(evidence.into()))
}
