//! The configuration of a mutation server, and the options with which the suite reaches it.

use std::fmt;

/// Each legal variant runs one in so many cases, different ones for each.
const VARIANT_ONE_OF: usize = 4;

/// How a server serves, apart from its mutation.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// Without any option.
    #[default]
    Plain,
    /// Over a REP socket.
    Rep,
    ReadOnly,
    /// Without CURVE.
    Insecure,
    /// With a key pair of its own.
    Pinned,
    /// With a legal variant.
    Legal(&'static str),
}

/// The configuration of a mutation server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct ServerConfig {
    pub(super) variant: Variant,
    pub(super) mutation: Option<&'static str>,
}

/// The key pair of servers with a pair of their own.
#[derive(Debug)]
pub(super) struct KeyFile {
    /// The file that the server reads.
    pub(super) file: String,
    /// The public key, for the suite.
    pub(super) public: String,
}

impl Variant {
    /// The variants by options of their own.
    pub(super) const REGULAR: [Variant; 5] =
        [Variant::Plain, Variant::Rep, Variant::ReadOnly, Variant::Insecure, Variant::Pinned];

    /// All of them, the plain one first.
    pub(super) fn all() -> Vec<Self> {
        let odd = remofile_mutants::legal_variants().map(|legal| Variant::Legal(legal.name));
        Self::REGULAR.into_iter().chain(odd).collect()
    }

    /// One in so many cases runs on it in a quick self-test: 1 for all but the legal variants.
    pub(super) fn one_of(self) -> usize {
        let legal = remofile_mutants::legal_variants().find(|legal| self == Variant::Legal(legal.name));
        legal.map_or(1, |legal| legal.one_of.max(VARIANT_ONE_OF))
    }

    /// The requirements whose cases always run on it.
    pub(super) fn shown_by(self) -> &'static [&'static str] {
        let legal = remofile_mutants::legal_variants().find(|legal| self == Variant::Legal(legal.name));
        legal.map_or(&[], |legal| legal.shown_by)
    }

    /// The variant of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|variant| variant.to_string() == name)
    }
}

impl ServerConfig {
    /// A server without a mutation.
    pub(super) fn sound(variant: Variant) -> Self {
        Self { variant, mutation: None }
    }

    /// The options of `conformance mutation-server` for this server.
    pub(super) fn server_options(&self, pinned: &KeyFile) -> Vec<String> {
        let variant: &[&str] = match self.variant {
            Variant::Plain => &[],
            Variant::Rep => &["--rep"],
            Variant::ReadOnly => &["--read-only"],
            Variant::Insecure => &["--insecure"],
            Variant::Pinned => &["--secret-key", &pinned.file],
            Variant::Legal(name) => &["--variant", name],
        };
        let mutation = self.mutation.into_iter().flat_map(|name| ["--mutation", name]);
        variant.iter().copied().chain(mutation).map(str::to_owned).collect()
    }

    /// The options of `conformance run` for this server.
    pub(super) fn run_options(&self, pinned: &KeyFile) -> Vec<String> {
        match self.variant {
            Variant::Insecure => vec!["--insecure".into()],
            Variant::Pinned => vec![format!("--server-key={}", pinned.public)],
            Variant::Plain | Variant::Rep | Variant::ReadOnly | Variant::Legal(_) => Vec::new(),
        }
    }
}

impl fmt::Display for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Variant::Plain => "plain",
            Variant::Rep => "rep",
            Variant::ReadOnly => "read-only",
            Variant::Insecure => "insecure",
            Variant::Pinned => "pinned",
            Variant::Legal(name) => name,
        })
    }
}

impl fmt::Display for ServerConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.mutation, self.variant) {
            (None, variant) => write!(f, "{variant}"),
            (Some(mutation), Variant::Plain) => f.write_str(mutation),
            (Some(mutation), variant) => write!(f, "{mutation} under {variant}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_variant_is_found_by_its_name() {
        for variant in Variant::all() {
            assert_eq!(Variant::named(&variant.to_string()), Some(variant));
        }
        assert_eq!(Variant::named("unheard-of"), None);
    }

    #[test]
    fn no_two_variants_have_one_name() {
        let names: BTreeSet<String> = Variant::all().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), Variant::all().len());
    }

    #[test]
    fn a_server_says_what_is_switched_on() {
        let server = ServerConfig { variant: Variant::ReadOnly, mutation: Some("late") };
        assert_eq!(server.to_string(), "late under read-only");
        let pinned = KeyFile { file: "keys".into(), public: "p".into() };
        assert_eq!(server.server_options(&pinned), ["--read-only", "--mutation", "late"]);
        assert_eq!(ServerConfig::sound(Variant::Pinned).run_options(&pinned), ["--server-key=p"]);
    }
}
