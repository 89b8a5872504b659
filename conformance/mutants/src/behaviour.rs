//! The selected mutation or legal variant, and whether it was reached.

use crate::{LegalVariant, Mutation, variants};
use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// The selected mutation and legal variant; every part of the server holds a clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Behaviour(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    mutation: Option<&'static Mutation>,
    variant: Option<&'static LegalVariant>,
    /// The file to create when the selected one is reached.
    report: Option<PathBuf>,
    reached: OnceLock<()>,
}

impl Behaviour {
    pub(crate) fn new(
        mutation: Option<&'static Mutation>,
        variant: Option<&'static LegalVariant>,
        report: Option<PathBuf>,
    ) -> Self {
        Self(Arc::new(Inner { mutation, variant, report, reached: OnceLock::new() }))
    }

    /// Whether this mutation is selected on. Asked where the server is about to break the rule, and nowhere before: the
    /// mutation counts as reached.
    pub(crate) fn has(&self, mutation: &'static Mutation) -> bool {
        self.selects(mutation) && self.reached()
    }

    /// Whether this mutation is selected on, for what has to be prepared: nothing is reached by that.
    pub(crate) fn selects(&self, mutation: &'static Mutation) -> bool {
        self.0.mutation.is_some_and(|selected| selected.name == mutation.name)
    }

    /// Whether one of these mutations is selected on whose condition holds.
    pub(crate) fn any(&self, mutations: &[(bool, &'static Mutation)]) -> bool {
        mutations.iter().any(|(differs, mutation)| *differs && self.has(mutation))
    }

    /// Whether this legal variant is selected on. It counts as reached where it is selected on alone: with a mutation the question
    /// is whether that one was.
    pub(crate) fn is_variant(&self, variant: &'static LegalVariant) -> bool {
        let on = self.0.variant.is_some_and(|selected| selected.name == variant.name);
        on && (self.0.mutation.is_some() || self.reached())
    }

    /// Whether names are found in whatever case.
    pub(crate) fn folds(&self) -> bool {
        self.is_variant(&variants::FOLDING) || self.is_variant(&variants::WINDOWS)
    }

    /// Reports once that the selected one was reached.
    fn reached(&self) -> bool {
        self.0.reached.get_or_init(|| {
            if let Some(report) = &self.0.report
                && let Err(error) = File::create(report)
            {
                // Without the file the mutation counts as not reached, which fails the trial: nothing is hidden.
                eprintln!("mutation-server: cannot tell that the mutation was reached: {error}");
            }
        });
        true
    }
}
