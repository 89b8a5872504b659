//! Faults that nobody can tell from a server without them, and why.
//!
//! An entry goes when a case kills its fault: `selftest` fails on one that is stale.

/// A fault's name and why no case can fail at it.
const EQUIVALENTS: &[(&str, &str)] = &[];

/// Why no case can fail at a fault.
pub(super) fn equivalent(fault: &str) -> Option<&'static str> {
    EQUIVALENTS.iter().find(|(name, _)| *name == fault).map(|(_, why)| *why)
}

/// All of them, with their reasons.
pub(super) fn all() -> &'static [(&'static str, &'static str)] {
    EQUIVALENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_fault_with_a_reason() {
        for (name, why) in all() {
            assert!(remofile_zoo::faults().any(|fault| fault.name == *name), "there is no fault {name}");
            assert!(why.len() > 20, "{name}: {why}");
        }
    }
}
