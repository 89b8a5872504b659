//! Mutations that no case can tell from a server without them, and why.
//!
//! An entry goes when a case kills its mutation: `selftest` fails on one that is stale.

/// A mutation's name and why no case can fail at it.
const EQUIVALENTS: &[(&str, &str)] = &[];

/// Why no case can fail at a mutation.
pub(super) fn equivalent(mutation: &str) -> Option<&'static str> {
    EQUIVALENTS.iter().find(|(name, _)| *name == mutation).map(|(_, why)| *why)
}

/// All of them, with their reasons.
pub(super) fn all() -> &'static [(&'static str, &'static str)] {
    EQUIVALENTS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_is_a_mutation_with_a_reason() {
        for (name, why) in all() {
            assert!(
                remofile_mutants::mutations().any(|mutation| mutation.name == *name),
                "there is no mutation {name}"
            );
            assert!(why.len() > 20, "{name}: {why}");
        }
    }
}
