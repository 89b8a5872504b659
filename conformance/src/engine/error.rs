//! Errors that end a case.

/// The result of a step of a case; `?` ends the case.
pub(crate) type CaseResult<T = ()> = Result<T, CaseError>;

/// An error that ends a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum CaseError {
    /// The server broke the requirement.
    Failed(String),
    /// The server did not answer; it may hang or be dead.
    Silent(String),
    /// A setup step or the positive control failed, so the check cannot be judged.
    Untestable(String),
    /// The check does not apply to this server; the text is the evidence.
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

    /// The error of a step that is not the check itself: a failure makes the case untestable.
    pub(crate) fn into_prerequisite(self, role: &str) -> CaseError {
        match self {
            CaseError::Failed(text) => CaseError::Untestable(format!("{role} failed: {text}")),
            other => other,
        }
    }
}

/// Fails a check.
pub(crate) fn failed<T>(what: impl Into<String>) -> CaseResult<T> {
    Err(CaseError::Failed(what.into()))
}

/// Ends a check that does not apply, with the evidence.
pub(crate) fn not_applicable<T>(evidence: impl Into<String>) -> CaseResult<T> {
    Err(CaseError::NotApplicable(evidence.into()))
}
