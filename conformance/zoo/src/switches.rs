//! Which fault or oddity is switched on, and whether it was reached.

use crate::{Fault, Oddity, oddities};
use std::{
    fs::File,
    path::PathBuf,
    sync::{Arc, OnceLock},
};

/// What is switched on; every part of the server holds the same.
#[derive(Clone, Debug, Default)]
pub(crate) struct Switches(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    fault: Option<&'static Fault>,
    oddity: Option<&'static Oddity>,
    /// The file that is made when the switched one is reached.
    report: Option<PathBuf>,
    reached: OnceLock<()>,
}

impl Switches {
    pub(crate) fn new(fault: Option<&'static Fault>, oddity: Option<&'static Oddity>, report: Option<PathBuf>) -> Self {
        Self(Arc::new(Inner { fault, oddity, report, reached: OnceLock::new() }))
    }

    /// Whether this fault is switched on. Asked where the server is about to break the rule, and nowhere before: the
    /// fault counts as reached.
    pub(crate) fn has(&self, fault: &'static Fault) -> bool {
        self.awaits(fault) && self.reached()
    }

    /// Whether this fault is switched on, for what has to be prepared: nothing is reached by that.
    pub(crate) fn awaits(&self, fault: &'static Fault) -> bool {
        self.0.fault.is_some_and(|switched| switched.name == fault.name)
    }

    /// Whether one of these faults is switched on whose condition holds.
    pub(crate) fn any(&self, faults: &[(bool, &'static Fault)]) -> bool {
        faults.iter().any(|(differs, fault)| *differs && self.has(fault))
    }

    /// Whether this oddity is switched on. It counts as reached where it is switched on alone: with a fault the question
    /// is whether that one was.
    pub(crate) fn is_odd(&self, oddity: &'static Oddity) -> bool {
        let on = self.0.oddity.is_some_and(|switched| switched.name == oddity.name);
        on && (self.0.fault.is_some() || self.reached())
    }

    /// Whether names are found in whatever case.
    pub(crate) fn folds(&self) -> bool {
        self.is_odd(&oddities::FOLDING) || self.is_odd(&oddities::WINDOWS)
    }

    /// Tells once that the switched one was reached.
    fn reached(&self) -> bool {
        self.0.reached.get_or_init(|| {
            if let Some(report) = &self.0.report
                && let Err(error) = File::create(report)
            {
                // Without the file the fault counts as not reached, which fails the trial: nothing is hidden.
                eprintln!("zoo-server: cannot tell that the fault was reached: {error}");
            }
        });
        true
    }
}
