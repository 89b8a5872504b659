//! How faults are declared: once, with the list of all of them made along the way.

/// Declares faults: `DOT_DOT = "dot-dot-leads-out", ["PATH-2", "PATH-10"], "It joins paths without a look.";`
macro_rules! faults {
    ($($constant:ident = $name:literal, [$($requirement:literal),+ $(,)?], $story:literal;)*) => {
        $(
            #[doc = $story]
            pub(crate) const $constant: $crate::Fault = $crate::Fault {
                name: $name,
                requirements: &[$($requirement),+],
                story: $story,
            };
        )*
        /// All of this section.
        pub(crate) const ALL: &[&$crate::Fault] = &[$(&$constant),*];
    };
}

/// Declares the sections.
macro_rules! faults_of {
    ($($(#[$doc:meta])* $section:ident)*) => {
        $($(#[$doc])* pub(crate) mod $section;)*

        /// Every fault, in the order of the specification.
        pub fn faults() -> impl Iterator<Item = &'static Fault> {
            const SECTIONS: &[&[&Fault]] = &[$($section::ALL),*];
            SECTIONS.iter().flat_map(|section| section.iter().copied())
        }
    };
}

pub(crate) use {faults, faults_of};
