//! Harness mutations: defects that `selftest` puts into the suite, to show that the suite would notice them.
//!
//! Only a build with the feature `harness-mutations` has them. Without it `active!` is `false`, and no option can make
//! a run pass.

#[cfg(feature = "harness-mutations")]
mod enabled;

#[cfg(feature = "harness-mutations")]
pub(crate) use enabled::{HarnessMutation, activate, is_active};

/// Whether this process runs with the named mutation.
#[cfg(feature = "harness-mutations")]
macro_rules! active {
    ($mutation:ident) => {
        $crate::mutation::is_active($crate::mutation::HarnessMutation::$mutation)
    };
}

/// Whether this process runs with the named mutation: never in this build.
#[cfg(not(feature = "harness-mutations"))]
macro_rules! active {
    ($mutation:ident) => {
        false
    };
}

pub(crate) use active;

/// A mutation of the suite: this build has none.
#[cfg(not(feature = "harness-mutations"))]
#[derive(Clone, Copy, Debug)]
pub(crate) enum HarnessMutation {}

#[cfg(not(feature = "harness-mutations"))]
impl HarnessMutation {
    /// Every mutation of this build.
    pub(crate) fn all() -> &'static [Self] {
        &[]
    }

    /// The mutation that no self-test can miss.
    pub(crate) const CONTROL: Option<Self> = None;

    /// The name on the command line.
    pub(crate) fn name(self) -> String {
        match self {}
    }

    /// What the suite does wrong, in words.
    pub(crate) fn description(self) -> String {
        match self {}
    }
}
