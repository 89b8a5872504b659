//! Ways to be unlike other servers while keeping every rule: a suite that fails one of them is wrong.

/// A conformant server that differs from others where the specification leaves a choice.
#[derive(Debug)]
pub struct LegalVariant {
    /// Its name on the command line, in words joined by hyphens.
    pub name: &'static str,
    /// Of so many cases a self-test tries one on it, unless it is to try everything: more than 1 where it takes its time.
    pub one_of: usize,
    /// The requirements whose cases bring it about, where not every case does.
    pub shown_by: &'static [&'static str],
    /// The requirements with a SHOULD that it does not keep: a suite may warn of these.
    pub despite: &'static [&'static str],
    /// The difference, in a sentence.
    pub description: &'static str,
}

/// Declares legal variants: `WINDOW_OF_ONE = "window-of-one", "It takes one request at a time.";`, and for one that takes its
/// time `…, one of 8, "…";`, is seen by few cases `…, shown by ["ENV-23"], "…";`, or does what it should not
/// `…, despite ["SEQ-10"], "…";`.
macro_rules! legal_variants {
    ($(
        $constant:ident = $name:literal
        $(, one of $one_of:literal)?
        $(, shown by [$($shown:literal),+])?
        $(, despite [$($requirement:literal),+])?,
        $description:literal;
    )*) => {
        $(
            #[doc = $description]
            pub(crate) const $constant: LegalVariant = LegalVariant {
                name: $name,
                one_of: 1 $(* $one_of)?,
                shown_by: &[$($($shown),+)?],
                despite: &[$($($requirement),+)?],
                description: $description,
            };
        )*
        const ALL: &[&LegalVariant] = &[$(&$constant),*];
    };
}

legal_variants! {
    FOLDING = "folding-names",
        "It finds names in whatever case, and keeps the spelling of each.";
    WINDOWS = "windows-names",
        "It is on Windows: it finds names in whatever case, and some are reserved.";
    PERMISSIONS = "keeps-to-permissions",
        "It reads no directory that its owner may not read, though the system would let it.";
    WINDOW_OF_ONE = "window-of-one",
        "It has a window of one request.";
    SMALLEST_LIMITS = "smallest-limits",
        "It has the smallest window, chunk and header that there may be, and remembers 1,024 ended ids.";
    LARGEST_LIMITS = "largest-limits",
        "It has the largest window, chunk and header that there may be, and keeps 1,024 staged uploads.";
    SHORT_LEASE = "lease-of-three-seconds",
        "Its own lease, which is the longest that it grants, is three seconds.";
    LONG_LEASE = "lease-of-a-week",
        "Its own lease is a week.";
    NO_ROOT = "no-root",
        "It cannot keep an id of its directory, and leaves root out of hello.";
    LATE_HELLO = "late-hello", one of 20,
        "It answers hello after 300 ms.";
    CAPABILITIES = "unknown-capabilities",
        "It has unknown capabilities, in no order.";
    UNKNOWN_KEYS = "unknown-keys",
        "It has further keys in every result that may have any, and in entries.";
    OTHER_TEXTS = "other-texts",
        "It has something else to say with every refusal, at length and in another language.";
    NO_TEXTS = "no-texts",
        "It refuses without a word.";
    LONG_ROUTES = "long-routes-are-ignored", shown by ["ENV-23"],
        "It ignores messages of more than 32 frames.";
    PENDING_FIRST = "pending-first", one of 40,
        "It answers PENDING first to every numbered request, and has the reply a moment later.";
    SLOW_DISK = "slow-disk", one of 40,
        "Its disk takes 30 ms for everything, and it says PENDING at once.";
    NOW_AND_THEN = "pending-now-and-then",
        "It answers PENDING first to every 50th numbered request.";
    LATE_PENDING = "late-pending",
        "It says PENDING after 900 ms, and not how far it is.";
    NEVER_PENDING = "never-pending", despite ["SEQ-10"],
        "It never answers PENDING, however long something takes.";
    OLDER_POLLS = "older-polls-are-pending",
        "It answers an older poll as soon as a newer one comes.";
    READS_AGAIN = "reads-again",
        "It executes read, list and uploads again instead of remembering their replies.";
    PAGES_OF_ONE = "pages-of-one",
        "It lists one entry on a page, and one upload.";
    PAGES_OF_FEW = "pages-of-few",
        "It lists as many entries on a page as it likes, from one to four.";
    LONG_ETAGS = "etags-of-64-bytes",
        "Its etags have 64 bytes.";
    ANY_ETAGS = "etags-of-many-lengths",
        "Its etags have five to 36 bytes, each as many as it happens to have.";
    COARSE_TIMES = "coarse-times",
        "Its file system keeps times in tenths of a second, and its etags tell no more.";
    LONG_RACY = "racy-for-long",
        "It trusts the file system's time stamps after half a second.";
    FULL_OF_UPLOADS = "full-of-uploads",
        "It answers LIMIT to one upload too many, and begins one of any size.";
    TRICKLE = "bytes-trickle",
        "Its bytes come and go in small pieces with pauses in between.";
    CUTS = "connections-are-cut",
        "It closes its connections again and again, at any place of any message.";
}

/// Every legal variant.
pub fn legal_variants() -> impl Iterator<Item = &'static LegalVariant> {
    ALL.iter().copied()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::{
        collections::BTreeSet,
        fs,
        path::{Path, PathBuf},
    };

    #[test]
    fn names_are_unique() {
        let mut seen: BTreeSet<&str> = crate::mutations().map(|mutation| mutation.name).collect();
        let twice: Vec<_> = legal_variants().filter(|variant| !seen.insert(variant.name)).collect();
        assert!(twice.is_empty(), "{twice:?}");
    }

    #[test]
    fn names_are_words_joined_by_hyphens() {
        for variant in legal_variants() {
            let plain = |word: &str| {
                !word.is_empty() && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
            };
            assert!(variant.name.split('-').all(plain), "{}", variant.name);
        }
    }

    #[test]
    fn every_legal_variant_has_a_description_of_one_sentence() {
        for variant in legal_variants() {
            assert!(
                variant.description.len() > 10 && variant.description.ends_with('.') && variant.one_of > 0,
                "{}",
                variant.name
            );
        }
    }

    #[test]
    fn every_legal_variant_is_implemented() {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
        let planted: String =
            rust_files(&source).iter().map(|file| fs::read_to_string(file).unwrap()).collect::<String>();
        let declared = fs::read_to_string(source.join("variants.rs")).unwrap();
        let constants: Vec<&str> = declared
            .lines()
            .filter_map(|line| line.strip_prefix("    ")?.split_once(" = \""))
            .map(|(constant, _)| constant)
            .filter(|constant| constant.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_'))
            .collect();
        assert_eq!(
            constants.len(),
            legal_variants().count(),
            "a declaration is written in another form: {constants:?}"
        );
        for constant in constants {
            assert!(
                planted.contains(&format!("is_variant(&variants::{constant})"))
                    || planted.contains(&format!("is(&variants::{constant})")),
                "{constant} stands nowhere"
            );
        }
    }

    fn rust_files(directory: &Path) -> Vec<PathBuf> {
        let paths = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
        paths
            .flat_map(|path| if path.is_dir() { rust_files(&path) } else { vec![path] })
            .filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
            .collect()
    }
}
