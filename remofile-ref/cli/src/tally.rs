//! Several items, of which some may fail: each failure is told at once, and the end sums them up.

use super::{failure::Failure, output::report};
use remofile::client::ClientError;

/// How the items of a command went.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    done: u64,
    failed: u64,
    /// The failure of the only item is that of the command.
    alone: Option<Failure>,
    is_alone: bool,
}

impl Tally {
    /// For `items` that were named on the command line.
    pub(crate) fn of(items: usize) -> Self {
        Self { is_alone: items == 1, ..Self::default() }
    }

    /// How many items there are in truth, where one that was named turned out to stand for more.
    pub(crate) fn expect(&mut self, items: usize) {
        self.is_alone &= items <= 1;
    }

    /// Takes note of an item; fails where no other one can succeed either. Gives what it came to.
    pub(crate) fn note<T>(&mut self, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => {
                self.done += 1;
                Ok(Some(value))
            }
            Err(failure) => self.fail(failure).map(|()| None),
        }
    }

    /// Takes note of an item that failed; fails where no other one can succeed either.
    pub(crate) fn fail(&mut self, failure: Failure) -> Result<(), Failure> {
        if !concerns_one_item(&failure) {
            return Err(failure);
        }
        self.failed += 1;
        if self.is_alone {
            self.alone = Some(failure);
        } else {
            report(&failure);
        }
        Ok(())
    }

    /// Takes note of items of which each failure was told already.
    pub(crate) fn add(&mut self, done: u64, failed: u64) {
        self.done += done;
        self.failed += failed;
    }

    /// Whether any item failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// What went well so far was only looked up.
    pub(crate) fn forget_done(&mut self) {
        self.done = 0;
    }

    /// How many went well.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// The failure of the command, if any item failed.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.alone {
            Some(failure) if self.failed == 1 && self.done == 0 => Err(failure),
            alone => {
                alone.iter().for_each(report);
                match self.failed {
                    0 => Ok(()),
                    failed => Err(Failure::Some { failed, total: failed + self.done }),
                }
            }
        }
    }
}

fn concerns_one_item(failure: &Failure) -> bool {
    match failure {
        Failure::BadPath { .. } | Failure::NoMatch { .. } | Failure::Missing { .. } => true,
        Failure::Client(error) => matches!(
            error,
            ClientError::Refused { .. }
                | ClientError::Local { .. }
                | ClientError::SourceChanged { .. }
                | ClientError::NotVerified { .. }
        ),
        _ => false,
    }
}
