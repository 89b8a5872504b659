//! Mutations of paths and names.

use super::{NAME, NAMES, PATH, STAGING, is_control, is_name, windows::is_device};
use crate::{behaviour::Behaviour, mutations::paths};
use remofile_proto::Code;

impl Behaviour {
    /// The text that is taken for a path.
    pub(super) fn mutated_text(&self, text: &str) -> String {
        let has_capitals = text.chars().any(char::is_uppercase);
        match text {
            _ if !text.starts_with('/') && self.has(&paths::RELATIVE) => format!("/{text}"),
            _ if text.ends_with('/') && text.len() > 1 && self.has(&paths::TRAILING_SLASH) => {
                text[..text.len() - 1].to_owned()
            }
            _ if text.contains("e\u{301}") && self.has(&paths::COMPOSED) => text.replace("e\u{301}", "é"),
            _ if has_capitals && self.has(&paths::LOWER_CASE) => text.to_lowercase(),
            _ if text.ends_with(' ') && self.has(&paths::TRIMMED) => text.trim_end().to_owned(),
            _ if text.contains('\\') && self.has(&paths::BACKSLASHES) => text.replace('\\', "/"),
            _ => text.to_owned(),
        }
    }

    /// Whether a path is within its limits.
    pub(super) fn mutated_limits(&self, text: &str, within: bool) -> bool {
        let (len, names) = (text.len(), text.matches('/').count());
        let judged_otherwise = self.any(&[
            (len > PATH && text.chars().count() <= PATH && names <= NAMES, &paths::PATHS_IN_CHARACTERS),
            (len == PATH + 1 && names <= NAMES, &paths::PATH_OF_4097),
            (len == PATH && within, &paths::PATH_OF_4095),
            (names > NAMES && len <= PATH, &paths::ANY_DEPTH),
            (names == NAMES + 1 && len <= PATH, &paths::DEPTH_OF_129),
            (names == NAMES && within, &paths::DEPTH_OF_127),
            (
                names > NAMES && len <= PATH && text.split('/').filter(|name| !name.is_empty()).count() <= NAMES,
                &paths::EMPTY_ARE_NOT_COUNTED,
            ),
        ]);
        within != judged_otherwise
    }

    pub(super) fn mutated_code_of_long_path(&self, text: &str, code: Code) -> Code {
        let is_bad = text.split('/').skip(1).any(|name| !is_name(name));
        let is_bad_name = self.any(&[(is_bad, &paths::NAMES_FIRST), (true, &paths::LONG_IS_BAD)]);
        if is_bad_name { Code::BadName } else { code }
    }

    pub(super) fn mutated_code_of_bad_name(&self, code: Code) -> Code {
        if self.has(&paths::BAD_IS_MISSING) { Code::NotFound } else { code }
    }

    /// Whether a name is valid that stands at this place of a path.
    pub(super) fn mutated_name(&self, name: &str, at: usize, last: usize, good: bool) -> bool {
        let is_good_but_for = |bad: fn(char) -> bool| name.contains(bad) && is_name(&name.replace(bad, "x"));
        let is_reserved = name.eq_ignore_ascii_case(STAGING);
        let judged_otherwise = self.any(&[
            (name.is_empty() && at != last, &paths::EMPTY_NAMES),
            (name == ".", &paths::DOT),
            (name == "..", &paths::DOT_DOT),
            (is_good_but_for(|c| is_control(c) && c != '\0'), &paths::CONTROLS),
            (is_good_but_for(|c| c == '\u{7f}'), &paths::DELETE),
            (is_good_but_for(|c| is_control(c) && !c.is_ascii()), &paths::C1_CONTROLS),
            (is_good_but_for(|c| c == '\0'), &paths::NUL),
            (name.len() == NAME + 1 && !name.contains(is_control), &paths::NAME_OF_256),
            (is_long_in_bytes(name), &paths::NAMES_IN_CHARACTERS),
            (good && name.len() == NAME, &paths::NAME_OF_254),
            (is_reserved && at > 0, &paths::RESERVED_BELOW),
            (is_reserved && name != STAGING, &paths::RESERVED_IN_CAPITALS),
            (is_reserved && at != last, &paths::RESERVED_INSIDE),
        ]);
        good != judged_otherwise
    }

    /// Whether a name is refused on Windows, for its marks, its end, its short form or its device.
    pub(super) fn mutated_windows_name(&self, name: &str, stem: &str, reasons: [bool; 4]) -> bool {
        let [marked, trimmed, shortened, device] = reasons;
        let refused = reasons.contains(&true);
        let alone =
            |reason: bool| reason && [marked, trimmed, shortened, device].into_iter().filter(|one| *one).count() == 1;
        let judged_otherwise = self.any(&[
            (alone(marked), &paths::MARKS_ARE_LETTERS),
            (alone(marked) && !name.contains(':'), &paths::COLONS_ALONE),
            (alone(trimmed), &paths::ENDS_ARE_KEPT),
            (alone(shortened), &paths::SHORT_NAMES_ARE_NAMES),
            (alone(shortened) && stem != name, &paths::SHORT_NAMES_WITH_ENDINGS),
            (alone(device), &paths::DEVICES_ARE_NAMES),
            (alone(device) && stem != name, &paths::DEVICES_WITH_ENDINGS),
            (alone(device) && stem != stem.to_ascii_uppercase(), &paths::DEVICES_IN_CAPITALS),
            (alone(device) && stem.ends_with('0'), &paths::DEVICES_FROM_ONE),
            (!refused && stem.len() == 4 && stem.get(..3).is_some_and(is_device), &paths::LIKE_DEVICES),
            (!refused && name.contains('~'), &paths::NO_TILDES),
        ]);
        refused != judged_otherwise
    }
}

/// Whether a name is too long, and no longer than it may be in characters.
fn is_long_in_bytes(name: &str) -> bool {
    name.len() > NAME && name.chars().count() <= NAME && !name.contains(is_control)
}
