//! Section 8: paths and names.

mod mutated;
mod windows;

use crate::{behaviour::Behaviour, reply::Refusal, variants};
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
        // [PATH-8]
        let text = &*behaviour.mutated_text(text);
        // [PATH-5]
        if !behaviour.mutated_limits(text, is_short(text)) {
            return Err(behaviour.mutated_code_of_long_path(text, Code::Limit).into());
        }
        let well_formed = text == "/" || text.strip_prefix('/').is_some_and(|names| are_names(names, behaviour));
        match well_formed {
            true if behaviour.is_variant(&variants::WINDOWS)
                && text.split('/').any(|name| windows::refuses(name, behaviour)) =>
            {
                Err(Code::BadName.into())
            }
            true => Ok(Self(text.to_owned())),
            false => Err(behaviour.mutated_code_of_bad_name(Code::BadName).into()),
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

/// Whether each of the names after the first slash is valid.
fn are_names(names: &str, behaviour: &Behaviour) -> bool {
    let last = names.matches('/').count();
    names.split('/').enumerate().all(|(at, name)| behaviour.mutated_name(name, at, last, is_name(name)))
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
