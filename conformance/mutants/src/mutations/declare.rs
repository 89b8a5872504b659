//! How mutations are declared: once, with the list of all of them made along the way.

/// Declares mutations: `DOT_DOT = "dot-dot-leads-out", ["PATH-2", "PATH-10"], "It joins paths without a look.";`
macro_rules! mutations {
    ($($constant:ident = $name:literal, [$($requirement:literal),+ $(,)?], $description:literal;)*) => {
        $(
            #[doc = $description]
            pub(crate) const $constant: $crate::Mutation = $crate::Mutation {
                name: $name,
                requirements: &[$($requirement),+],
                description: $description,
            };
        )*
        /// All of this section.
        pub(crate) const ALL: &[&$crate::Mutation] = &[$(&$constant),*];
    };
}

/// Declares the sections.
macro_rules! sections {
    ($($(#[$doc:meta])* $section:ident)*) => {
        $($(#[$doc])* pub(crate) mod $section;)*

        /// Every mutation, in the order of the specification.
        pub fn mutations() -> impl Iterator<Item = &'static Mutation> {
            const SECTIONS: &[&[&Mutation]] = &[$($section::ALL),*];
            SECTIONS.iter().flat_map(|section| section.iter().copied())
        }
    };
}

pub(crate) use {mutations, sections};
