//! Paths: `/` or one or more `/name`, checked once and valid from then on.

use crate::{Code, Refusal, limits};
use alloc::{borrow::ToOwned, format, string::String, string::ToString};

/// A path below the served directory, valid by construction [PATH-1] to [PATH-6].
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct RemotePath(String);

/// Why a text is not a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PathError {
    /// Longer than 4096 bytes.
    #[error("the path is {0} bytes long, more than 4096")]
    TooLong(usize),
    /// More than 128 names.
    #[error("the path has {0} names, more than 128")]
    TooDeep(usize),
    /// Does not begin with `/`.
    #[error("the path does not begin with a slash")]
    Relative,
    /// Ends with `/` and is not the root.
    #[error("the path ends with a slash")]
    TrailingSlash,
    /// One of its names is not allowed.
    #[error("name {index} of the path {error}")]
    Name {
        /// Which name, counted from 1.
        index: usize,
        /// What is wrong with it.
        error: NameError,
    },
}

impl PathError {
    /// The code that a server answers, LIMIT or BAD_NAME [PATH-7].
    #[must_use]
    pub fn code(&self) -> Code {
        match self {
            Self::TooLong(_) | Self::TooDeep(_) => Code::Limit,
            Self::Relative | Self::TrailingSlash | Self::Name { .. } => Code::BadName,
        }
    }
}

impl From<PathError> for Refusal {
    fn from(error: PathError) -> Self {
        Refusal::because(error.code(), error.to_string())
    }
}

/// Why a text is not a name; reads on from "the name".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NameError {
    /// No bytes at all.
    #[error("is empty")]
    Empty,
    /// `.` or `..`.
    #[error("is . or ..")]
    Dots,
    /// Longer than 255 bytes.
    #[error("is {0} bytes long, more than 255")]
    TooLong(usize),
    /// A slash inside a single name.
    #[error("has a slash")]
    Slash,
    /// A control character, NUL included.
    #[error("has the control character U+{:04X}", u32::from(*.0))]
    Control(char),
    /// `.remofile` in any ASCII case.
    #[error("is reserved for staging")]
    Reserved,
}

impl RemotePath {
    /// The name that is reserved in any ASCII case at every depth.
    pub const STAGING: &'static str = ".remofile";

    /// Checks a text.
    ///
    /// # Errors
    /// The limits of length and depth come before everything else, then the first bad name.
    pub fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > limits::PATH {
            return Err(PathError::TooLong(text.len()));
        }
        // [PATH-5] comes first, and counts the slashes of what is no path too.
        let depth = text.matches('/').count();
        if depth > limits::DEPTH {
            return Err(PathError::TooDeep(depth));
        }
        if text == "/" {
            return Ok(Self::root());
        }
        let names = text.strip_prefix('/').ok_or(PathError::Relative)?;
        if names.ends_with('/') {
            return Err(PathError::TrailingSlash);
        }
        for (index, name) in names.split('/').enumerate() {
            valid_name(name).map_err(|error| PathError::Name { index: index + 1, error })?;
        }
        Ok(Self(text.to_owned()))
    }

    /// The served directory itself.
    #[must_use]
    pub fn root() -> Self {
        Self("/".to_owned())
    }

    /// The path of `relative` below this one: a name, or names with slashes between them.
    ///
    /// # Errors
    /// As [`RemotePath::parse`] of the whole.
    pub fn join(&self, relative: &str) -> Result<Self, PathError> {
        if relative.is_empty() {
            return Err(PathError::Name { index: self.names().count() + 1, error: NameError::Empty });
        }
        let slash = if self.is_root() { "" } else { "/" };
        Self::parse(&format!("{}{slash}{relative}", self.0))
    }

    /// Whether this is the served directory itself.
    #[must_use]
    pub fn is_root(&self) -> bool {
        self.0 == "/"
    }

    /// The text, beginning with `/`.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The names from the top down; none for the root.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = &str> {
        self.0[1..].split('/').filter(|name| !name.is_empty())
    }

    /// The path of the directory that holds this, and the last name; none for the root.
    #[must_use]
    pub fn split_last(&self) -> Option<(&str, &str)> {
        if self.is_root() {
            return None;
        }
        let (parent, name) = self.0.rsplit_once('/')?;
        Some((if parent.is_empty() { "/" } else { parent }, name))
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_at_or_below(&self, other: &RemotePath) -> bool {
        other.is_root()
            || self.0 == other.0
            || (self.0.starts_with(&other.0) && self.0.as_bytes().get(other.0.len()) == Some(&b'/'))
    }

    /// Checks every name against the rules of Windows too.
    ///
    /// # Errors
    /// The first name that breaks a rule, counted from 1.
    pub fn check_windows(&self) -> Result<(), (usize, WindowsNameError)> {
        self.names().enumerate().try_for_each(|(index, name)| windows_name(name).map_err(|error| (index + 1, error)))
    }
}

impl core::fmt::Display for RemotePath {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str(&self.0)
    }
}

/// Checks a single name.
///
/// # Errors
/// The first rule that it breaks.
pub fn valid_name(name: &str) -> Result<(), NameError> {
    if name.is_empty() {
        return Err(NameError::Empty);
    }
    if name == "." || name == ".." {
        return Err(NameError::Dots);
    }
    if name.len() > limits::NAME {
        return Err(NameError::TooLong(name.len()));
    }
    if name.contains('/') {
        return Err(NameError::Slash);
    }
    // [PATH-3] `is_control` is the category Cc: U+0000 to U+001F and U+007F to U+009F.
    if let Some(control) = name.chars().find(|character| character.is_control()) {
        return Err(NameError::Control(control));
    }
    if name.eq_ignore_ascii_case(RemotePath::STAGING) {
        return Err(NameError::Reserved);
    }
    Ok(())
}

/// Why a valid name is not one under the rules of Windows; reads on from "the name".
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WindowsNameError {
    /// A device such as `CON` or `com1.txt`.
    #[error("is that of a device")]
    Device,
    /// One of `<>:"|?*\`.
    #[error("has the character {0}")]
    Character(char),
    /// A dot or space at the end.
    #[error("ends with a dot or space")]
    TrailingDotOrSpace,
    /// A tilde and digits before the extension, as in generated short names.
    #[error("ends with a tilde and digits")]
    ShortName,
}

impl WindowsNameError {
    /// The refusal for name `index` of a path.
    #[must_use]
    pub fn refusal(&self, index: usize) -> Refusal {
        Refusal::because(Code::BadName, format!("name {index} of the path {self}"))
    }
}

/// Checks a name that [`valid_name`] accepted against the rules of Windows [PATH-9].
///
/// # Errors
/// The first rule that it breaks.
pub fn windows_name(name: &str) -> Result<(), WindowsNameError> {
    if let Some(character) = name.chars().find(|character| r#"<>:"|?*\"#.contains(*character)) {
        return Err(WindowsNameError::Character(character));
    }
    if name.ends_with(['.', ' ']) {
        return Err(WindowsNameError::TrailingDotOrSpace);
    }
    let stem = name.split('.').next().unwrap_or_default();
    if is_device(stem) {
        return Err(WindowsNameError::Device);
    }
    let base = stem.trim_end_matches(|character: char| character.is_ascii_digit());
    if base.len() < stem.len() && base.ends_with('~') {
        return Err(WindowsNameError::ShortName);
    }
    Ok(())
}

fn is_device(stem: &str) -> bool {
    let numbered = stem.strip_suffix(|last: char| last.is_ascii_digit());
    let is_one_of = |stem: &str, devices: &[&str]| devices.iter().any(|device| stem.eq_ignore_ascii_case(device));
    is_one_of(stem, &["CON", "PRN", "AUX", "NUL"]) || numbered.is_some_and(|port| is_one_of(port, &["COM", "LPT"]))
}
