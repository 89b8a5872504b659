#![allow(clippy::unwrap_used)]

use super::*;
use globset::GlobBuilder;
use proptest::prelude::*;

fn matches(pattern: &str, path: &str) -> bool {
    Pattern::parse(pattern).unwrap().matches(&RemotePath::parse(path).unwrap(), false)
}

#[test]
fn a_star_stays_within_a_name() {
    assert!(matches("/*.jpg", "/a.jpg"));
    assert!(!matches("/*.jpg", "/a/b.jpg"));
    assert!(matches("/*/*.jpg", "/a/b.jpg"));
    assert!(matches("/a*", "/a"));
}

#[test]
fn two_stars_are_any_number_of_directories() {
    for path in ["/a.jpg", "/x/a.jpg", "/x/y/z/a.jpg"] {
        assert!(matches("/**/*.jpg", path), "{path}");
    }
    assert!(matches("/x/**/z/*", "/x/z/a"));
    assert!(matches("/**/**/a", "/a"));
}

#[test]
fn two_stars_at_the_end_are_all_below_but_not_itself() {
    assert!(matches("/x/**", "/x/a"));
    assert!(matches("/x/**", "/x/a/b"));
    assert!(!matches("/x/**", "/x"));
}

#[test]
fn a_question_mark_is_one_character_however_many_bytes() {
    assert!(matches("/?.txt", "/ä.txt"));
    assert!(matches("/?.txt", "/字.txt"));
    assert!(!matches("/?.txt", "/ab.txt"));
    assert!(!matches("/?.txt", "/.txt"));
}

#[test]
fn a_class_holds_characters_and_ranges() {
    assert!(matches("/[a-c]", "/b") && !matches("/[a-c]", "/d"));
    assert!(matches("/[!a-c]", "/d") && !matches("/[!a-c]", "/b"));
    assert!(matches("/[^a-c]", "/d") && !matches("/[^a-c]", "/b"));
    assert!(matches("/[]x]", "/]") && matches("/[]x]", "/x"));
    assert!(matches("/[a-]", "/-") && matches("/[-a]", "/-"));
    assert!(matches("/[ä-ö]", "/ö") && !matches("/[ä-ö]", "/z"));
    assert!(matches("/[\\]]x", "/]x") && matches("/[a\\-c]", "/-") && !matches("/[a\\-c]", "/b"));
    assert!(!matches("/[z-a]", "/m") && matches("/[!z-a]", "/m"));
}

#[test]
fn a_class_that_does_not_end_is_a_bracket() {
    assert!(matches("/[a*", "/[ab"));
    assert!(!matches("/[a*", "/ab"));
    assert!(matches("/x[/*", "/x[/y"));
}

#[test]
fn a_backslash_takes_the_next_character_literally() {
    assert!(matches("/a\\*", "/a*") && !matches("/a\\*", "/ab"));
    assert!(matches("/\\[a]*", "/[a]b"));
    assert!(matches("/a\\\\*", "/a\\b"));
}

#[test]
fn what_means_something_elsewhere_means_itself() {
    for name in ["{a,b}", "a+b", "a.b", "(a|b)", "^a$", "a b", "$x", "!a", "~"] {
        assert!(matches(&format!("/{name}*"), &format!("/{name}1")), "{name}");
    }
    assert!(!matches("/{a,b}*", "/a") && !matches("/a.b?", "/axbc"));
}

#[test]
fn a_wildcard_matches_no_dot_in_front() {
    assert!(!matches("/*", "/.a") && !matches("/?a", "/.a") && !matches("/[.]a", "/.a"));
    assert!(matches("/.*", "/.a") && matches("/\\.*", "/.a"));
    assert!(!matches("/**/a", "/.x/a") && matches("/.x/**/a", "/.x/y/a"));
    let all = Pattern::parse("/**/*").unwrap();
    assert!(all.matches(&RemotePath::parse("/.x/.a").unwrap(), true));
}

#[test]
fn a_pattern_with_a_name_that_is_none_is_refused() {
    for text in ["/../*", "/*/..", "/a//*", "/*/", "/.remofile/*", "/*\n", "*"] {
        assert!(Pattern::parse(text).is_err(), "{text:?}");
    }
    assert!(Pattern::parse(&format!("/{}", "*".repeat(4096))).is_err());
    assert!(Pattern::parse(&"/*".repeat(129)).is_err());
}

#[test]
fn many_stars_cost_no_more_than_few() {
    let pattern = Pattern::parse(&format!("{}/x", "/**/a*a*a*a*".repeat(20))).unwrap();
    let path = RemotePath::parse(&"/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaab".repeat(80)).unwrap();
    assert!(!pattern.matches(&path, false));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4_000, ..ProptestConfig::default() })]

    /// Against a library of the same grammar, which counts bytes, and takes `**` at the end for what is above it too.
    #[test]
    fn patterns_match_as_others_have_it(
        parts in prop::collection::vec(
            prop_oneof![2 => "[ab]{1,2}", 6 => r"([ab.]|\*|\?|\[ab\]|\[!a\]|\[a-c\]|\\\*){1,4}", 2 => Just("**".to_owned())], 0..4),
        last in prop_oneof!["[ab]{1,2}", r"([ab.]|\*|\?|\[ab\]){1,4}"],
        names in prop::collection::vec("[abcd*][abcd.*]{0,3}", 1..5),
    ) {
        // Within a name the others take several stars for one, or refuse them.
        let parts: Vec<_> = parts.into_iter().map(|part| if part == "**" { part } else { part.replace("**", "*").replace("**", "*") }).collect();
        let parts: Vec<_> = parts.into_iter().chain([last.replace("**", "*").replace("**", "*")]).collect();
        prop_assume!(parts.iter().all(|part| part == "**" || !part.contains("**")));
        let (pattern, path) = (format!("/{}", parts.join("/")), format!("/{}", names.join("/")));
        let Ok(ours) = Pattern::parse(&pattern) else { return Ok(()) };
        // Their classes of what is not in them hold the slash as well.
        let theirs = GlobBuilder::new(&pattern.replace("[!a]", "[!a/]")).literal_separator(true).backslash_escape(true).build().unwrap();
        let expected = theirs.compile_matcher().is_match(&path);
        prop_assert_eq!(ours.matches(&RemotePath::parse(&path).unwrap(), true), expected, "{} against {}", pattern, path);
    }

    /// Whatever is written, reading it ends, and so does matching.
    #[test]
    fn any_text_is_read(text in r"/(\PC|[*?\[\]\\!^/-]){0,30}", path in "(/[a-z.]{1,5}){1,4}") {
        if let (Ok(pattern), Ok(path)) = (Pattern::parse(&text), RemotePath::parse(&path)) {
            pattern.matches(&path, true);
        }
    }

    /// A name that is escaped matches itself and nothing else.
    #[test]
    fn an_escaped_name_matches_itself(name in r"\PC{1,12}", other in r"\PC{1,12}") {
        let (name, other) = (name.replace('/', "|"), other.replace('/', "|"));
        prop_assume!(valid_name(&name).is_ok() && valid_name(&other).is_ok());
        let escaped: String = name.chars().flat_map(|character| ['\\', character]).collect();
        let pattern = Pattern::parse(&format!("/{escaped}")).unwrap();
        prop_assert!(pattern.matches(&RemotePath::root().join(&name).unwrap(), false));
        prop_assert_eq!(pattern.matches(&RemotePath::root().join(&other).unwrap(), false), name == other);
    }
}
