//! Section 8: paths and names.

mod windows;

use crate::{behaviour::Behaviour, mutations, reply::Refusal, variants};
use remofile_proto::Code;

/// The longest path in bytes, the most names in one, and the longest name in bytes.
const PATH: usize = 4_096;
const NAMES: usize = 128;
const NAME: usize = 255;

/// Where the server keeps what is its own ([PATH-6]).
pub(crate) const STAGING: &str = ".remofile";

/// A path that was checked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Path(String);

impl Path {
    /// Checks a text ([PATH-7]).
    pub(crate) fn parse(text: &str, behaviour: &Behaviour) -> Result<Self, Refusal> {
        let text = &respelled(text, behaviour);
        if !is_within_limits(text, behaviour) {
            let is_bad = text.split('/').skip(1).any(|name| !is_name(name));
            let bad_first = is_bad && behaviour.has(&mutations::paths::NAMES_FIRST);
            return match bad_first || behaviour.has(&mutations::paths::LONG_IS_BAD) {
                true => Err(Code::BadName.into()),
                false => Err(Code::Limit.into()),
            };
        }
        let well_formed = text == "/" || text.strip_prefix('/').is_some_and(|names| are_names(names, behaviour));
        match well_formed {
            true if behaviour.is_variant(&variants::WINDOWS)
                && text.split('/').any(|name| windows::refuses(name, behaviour)) =>
            {
                Err(Code::BadName.into())
            }
            true => Ok(Self(text.to_owned())),
            false if behaviour.has(&mutations::paths::BAD_IS_MISSING) => Err(Code::NotFound.into()),
            false => Err(Code::BadName.into()),
        }
    }

    /// A path that a mutation does not check.
    pub(crate) fn unchecked(text: &str) -> Self {
        Self(text.to_owned())
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The names of the directories that lead there, and the last name; `.` for the root.
    pub(crate) fn split(&self) -> (Vec<&str>, &str) {
        let mut names: Vec<&str> = self.0.split('/').filter(|name| !name.is_empty()).collect();
        let last = names.pop().unwrap_or(".");
        (names, last)
    }

    /// Whether this is `other` or lies below it.
    pub(crate) fn is_at_or_below(&self, other: &Path) -> bool {
        let below = |rest: &str| rest.is_empty() || rest.starts_with('/');
        other.is_root() || self.0.strip_prefix(&other.0).is_some_and(below)
    }

    /// The text of the path of `relative` below this one, or nothing where it is too long or too deep.
    pub(crate) fn below(&self, relative: &str) -> Option<String> {
        let text = format!("{}/{relative}", self.0.trim_end_matches('/'));
        is_short(&text).then_some(text)
    }
}

/// The text as it came ([PATH-8]), unless a mutation takes it for another.
fn respelled(text: &str, behaviour: &Behaviour) -> String {
    let has_capitals = text.chars().any(char::is_uppercase);
    match text {
        _ if !text.starts_with('/') && behaviour.has(&mutations::paths::RELATIVE) => format!("/{text}"),
        _ if text.ends_with('/') && text.len() > 1 && behaviour.has(&mutations::paths::TRAILING_SLASH) => {
            text[..text.len() - 1].to_owned()
        }
        _ if text.contains("e\u{301}") && behaviour.has(&mutations::paths::COMPOSED) => text.replace("e\u{301}", "é"),
        _ if has_capitals && behaviour.has(&mutations::paths::LOWER_CASE) => text.to_lowercase(),
        _ if text.ends_with(' ') && behaviour.has(&mutations::paths::TRIMMED) => text.trim_end().to_owned(),
        _ if text.contains('\\') && behaviour.has(&mutations::paths::BACKSLASHES) => text.replace('\\', "/"),
        _ => text.to_owned(),
    }
}

/// [PATH-5]; each mutation counts where it judges otherwise.
fn is_within_limits(text: &str, behaviour: &Behaviour) -> bool {
    let (len, names) = (text.len(), text.matches('/').count());
    let within = is_short(text);
    let judged_otherwise = behaviour.any(&[
        (len > PATH && text.chars().count() <= PATH && names <= NAMES, &mutations::paths::PATHS_IN_CHARACTERS),
        (len == PATH + 1 && names <= NAMES, &mutations::paths::PATH_OF_4097),
        (len == PATH && within, &mutations::paths::PATH_OF_4095),
        (names > NAMES && len <= PATH, &mutations::paths::ANY_DEPTH),
        (names == NAMES + 1 && len <= PATH, &mutations::paths::DEPTH_OF_129),
        (names == NAMES && within, &mutations::paths::DEPTH_OF_127),
        (
            names > NAMES && len <= PATH && text.split('/').filter(|name| !name.is_empty()).count() <= NAMES,
            &mutations::paths::EMPTY_ARE_NOT_COUNTED,
        ),
    ]);
    within != judged_otherwise
}

/// Whether each of the names after the first slash is valid.
fn are_names(names: &str, behaviour: &Behaviour) -> bool {
    let last = names.matches('/').count();
    names.split('/').enumerate().all(|(at, name)| {
        let good = is_name(name);
        // What a mutation judges by.
        let is_good_but_for = |bad: fn(char) -> bool| name.contains(bad) && is_name(&name.replace(bad, "x"));
        let is_reserved = name.eq_ignore_ascii_case(STAGING);
        let judged_otherwise = behaviour.any(&[
            (name.is_empty() && at != last, &mutations::paths::EMPTY_NAMES),
            (name == ".", &mutations::paths::DOT),
            (name == "..", &mutations::paths::DOT_DOT),
            (is_good_but_for(|c| is_control(c) && c != '\0'), &mutations::paths::CONTROLS),
            (is_good_but_for(|c| c == '\u{7f}'), &mutations::paths::DELETE),
            (is_good_but_for(|c| is_control(c) && !c.is_ascii()), &mutations::paths::C1_CONTROLS),
            (is_good_but_for(|c| c == '\0'), &mutations::paths::NUL),
            (name.len() == NAME + 1 && !name.contains(is_control), &mutations::paths::NAME_OF_256),
            (is_long_in_bytes(name), &mutations::paths::NAMES_IN_CHARACTERS),
            (good && name.len() == NAME, &mutations::paths::NAME_OF_254),
            (is_reserved && at > 0, &mutations::paths::RESERVED_BELOW),
            (is_reserved && name != STAGING, &mutations::paths::RESERVED_IN_CAPITALS),
            (is_reserved && at != last, &mutations::paths::RESERVED_INSIDE),
        ]);
        good != judged_otherwise
    })
}

/// A mutation judges by this: whether a name is too long, and no longer than it may be in characters.
fn is_long_in_bytes(name: &str) -> bool {
    name.len() > NAME && name.chars().count() <= NAME && !name.contains(is_control)
}

/// Whether a text keeps within [PATH-5].
fn is_short(text: &str) -> bool {
    text.len() <= PATH && text.matches('/').count() <= NAMES
}

/// Whether this server has a file of that name: [PATH-2], [PATH-3], [PATH-4], [PATH-6].
pub(crate) fn is_name(name: &str) -> bool {
    !name.is_empty()
        && name != "."
        && name != ".."
        && name.len() <= NAME
        && !name.contains(is_control)
        && !name.eq_ignore_ascii_case(STAGING)
}

fn is_control(character: char) -> bool {
    matches!(character, '\u{0}'..='\u{1f}' | '\u{7f}' | '\u{80}'..='\u{9f}')
}
