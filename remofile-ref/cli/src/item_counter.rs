//! Counts items of a command: each failure is printed at once, and a summary at the end.

use super::failure::Failure;
use remofile::client::ClientError;

/// How many items succeeded and failed.
#[derive(Debug, Default)]
pub(crate) struct ItemCounter {
    done: u64,
    failed: u64,
    /// The failure of a single item is that of the command.
    single: Option<Failure>,
    is_single: bool,
}

impl ItemCounter {
    /// A counter for `items` arguments.
    pub(crate) fn new(items: usize) -> Self {
        Self { is_single: items == 1, ..Self::default() }
    }

    /// Sets the number of items that an argument stands for.
    pub(crate) fn expect(&mut self, items: usize) {
        self.is_single &= items <= 1;
    }

    /// Counts an item and returns its value; fails if no further item can succeed.
    pub(crate) fn count<T>(&mut self, result: Result<T, Failure>) -> Result<Option<T>, Failure> {
        match result {
            Ok(value) => {
                self.done += 1;
                Ok(Some(value))
            }
            Err(failure) => self.count_failure(failure).map(|()| None),
        }
    }

    /// Counts an item that failed; fails if no further item can succeed.
    pub(crate) fn count_failure(&mut self, failure: Failure) -> Result<(), Failure> {
        if !concerns_one_item(&failure) {
            return Err(failure);
        }
        self.failed += 1;
        if self.is_single {
            self.single = Some(failure);
        } else {
            failure.print();
        }
        Ok(())
    }

    /// Counts items whose failures were printed.
    pub(crate) fn add(&mut self, done: u64, failed: u64) {
        self.done += done;
        self.failed += failed;
    }

    /// Whether any item failed.
    pub(crate) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    /// Resets the number of items that succeeded.
    pub(crate) fn reset_done(&mut self) {
        self.done = 0;
    }

    /// The number of items that succeeded.
    pub(crate) fn done(&self) -> u64 {
        self.done
    }

    /// The failure of the command, if any item failed.
    pub(crate) fn finish(self) -> Result<(), Failure> {
        match self.single {
            Some(failure) if self.failed == 1 && self.done == 0 => Err(failure),
            single => {
                single.iter().for_each(Failure::print);
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
