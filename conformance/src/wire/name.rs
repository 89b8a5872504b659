//! Names by the rules of spec section 8, and their order in listings.

/// The sort key of names in listings: bytes, with `/` counting as 00 [LIST-2].
pub(crate) fn order(name: &str) -> Vec<u8> {
    name.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect()
}

/// Whether a name meets [PATH-2] to [PATH-4].
pub(crate) fn is_valid(name: &str) -> bool {
    !matches!(name, "" | "." | "..") && name.len() <= 255 && !name.contains(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_sorts_before_its_content_and_that_before_a_longer_name() {
        let mut names = ["a.b", "a/b", "a", "a b"];
        names.sort_by_key(|name| order(name));
        assert_eq!(names, ["a", "a/b", "a b", "a.b"]);
    }

    #[test]
    fn control_characters_of_both_ranges_are_not_valid() {
        assert!(["\u{0}", "\u{1f}", "\u{7f}", "\u{80}", "\u{9f}"].iter().all(|name| !is_valid(name)));
        assert!(is_valid("\u{a0}"));
    }
}
