//! A server of the zoo: what is switched on in it, and how the suite is told to reach it.

use std::fmt;

/// There are many oddities: of so many cases each has one, and another one than its neighbours.
const ODD_ONE_OF: usize = 4;

/// How a server serves, whatever its fault.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Variant {
    /// With every switch off.
    #[default]
    Plain,
    /// Over a REP socket.
    Rep,
    ReadOnly,
    /// Without CURVE.
    Insecure,
    /// With a key pair of its own.
    Pinned,
    /// With an oddity.
    Odd(&'static str),
}

/// One server of the zoo.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Stand {
    pub(super) variant: Variant,
    pub(super) fault: Option<&'static str>,
}

/// A key pair for servers with one of their own.
#[derive(Debug)]
pub(super) struct Pinned {
    /// The file that the server reads.
    pub(super) file: String,
    /// What the suite is told.
    pub(super) public: String,
}

impl Variant {
    /// Those that a server has beside its oddities.
    pub(super) const REGULAR: [Variant; 5] =
        [Variant::Plain, Variant::Rep, Variant::ReadOnly, Variant::Insecure, Variant::Pinned];

    /// All of them, the plain one first.
    pub(super) fn all() -> Vec<Self> {
        let odd = remofile_zoo::oddities().map(|oddity| Variant::Odd(oddity.name));
        Self::REGULAR.into_iter().chain(odd).collect()
    }

    /// Of so many cases one is tried on it in a quick self-test: all on what is not odd.
    pub(super) fn one_of(self) -> usize {
        let oddity = remofile_zoo::oddities().find(|oddity| self == Variant::Odd(oddity.name));
        oddity.map_or(1, |oddity| oddity.one_of.max(ODD_ONE_OF))
    }

    /// The requirements whose cases are tried on it in any self-test.
    pub(super) fn shown_by(self) -> &'static [&'static str] {
        let oddity = remofile_zoo::oddities().find(|oddity| self == Variant::Odd(oddity.name));
        oddity.map_or(&[], |oddity| oddity.shown_by)
    }

    /// The variant of that name.
    pub(super) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|variant| variant.to_string() == name)
    }
}

impl Stand {
    /// A server without a fault.
    pub(super) fn sound(variant: Variant) -> Self {
        Self { variant, fault: None }
    }

    /// The options of `conformance zoo` that make this server.
    pub(super) fn zoo_options(&self, pinned: &Pinned) -> Vec<String> {
        let variant: &[&str] = match self.variant {
            Variant::Plain => &[],
            Variant::Rep => &["--rep"],
            Variant::ReadOnly => &["--read-only"],
            Variant::Insecure => &["--insecure"],
            Variant::Pinned => &["--secret-key", &pinned.file],
            Variant::Odd(name) => &["--odd", name],
        };
        let fault = self.fault.into_iter().flat_map(|name| ["--fault", name]);
        variant.iter().copied().chain(fault).map(str::to_owned).collect()
    }

    /// The options of `conformance run` that reach it.
    pub(super) fn run_options(&self, pinned: &Pinned) -> Vec<String> {
        match self.variant {
            Variant::Insecure => vec!["--insecure".into()],
            Variant::Pinned => vec![format!("--server-key={}", pinned.public)],
            Variant::Plain | Variant::Rep | Variant::ReadOnly | Variant::Odd(_) => Vec::new(),
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
            Variant::Odd(name) => name,
        })
    }
}

impl fmt::Display for Stand {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.fault, self.variant) {
            (None, variant) => write!(f, "{variant}"),
            (Some(fault), Variant::Plain) => f.write_str(fault),
            (Some(fault), variant) => write!(f, "{fault} under {variant}"),
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
        let stand = Stand { variant: Variant::ReadOnly, fault: Some("late") };
        assert_eq!(stand.to_string(), "late under read-only");
        let pinned = Pinned { file: "keys".into(), public: "p".into() };
        assert_eq!(stand.zoo_options(&pinned), ["--read-only", "--fault", "late"]);
        assert_eq!(Stand::sound(Variant::Pinned).run_options(&pinned), ["--server-key=p"]);
    }
}
