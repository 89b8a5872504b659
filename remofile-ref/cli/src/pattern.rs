//! Patterns of remote paths: `*`, `?` and `[…]` match within a name, `**` matches any number of directories, and `\`
//! escapes the next character.

#[cfg(test)]
mod tests;

use super::failure::Failure;
use regex::Regex;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{
    Code, Entry, Kind, PathError, RemotePath, limits,
    path::{NameError, valid_name},
};
use std::fmt::Write as _;

/// A pattern of absolute paths.
#[derive(Clone, Debug)]
pub(crate) struct Pattern {
    parts: Vec<Part>,
}

/// A part of a pattern, between slashes.
#[derive(Clone, Debug)]
enum Part {
    /// Matches exactly this name.
    Name(String),
    Matching(Wildcard),
    /// Matches any number of directories, including none.
    Directories,
}

#[derive(Clone, Debug)]
struct Wildcard {
    regex: Regex,
    /// It starts with a literal dot.
    is_hidden: bool,
}

/// Receives a match.
type Each<'a> = dyn FnMut(RemotePath, Entry) -> Result<(), Failure> + 'a;

/// Whether a text contains a wildcard; without one, `\` is an ordinary character.
pub(crate) fn is_pattern(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

impl Pattern {
    /// Parses a pattern that starts with `/`.
    pub(crate) fn parse(text: &str) -> Result<Self, PathError> {
        if text.len() > limits::PATH {
            return Err(PathError::TooLong(text.len()));
        }
        let names = text.strip_prefix('/').ok_or(PathError::Relative)?;
        let depth = text.matches('/').count();
        if depth > limits::DEPTH {
            return Err(PathError::TooDeep(depth));
        }
        let mut parts = Vec::new();
        for (index, name) in names.split('/').enumerate() {
            let part = Part::parse(name).map_err(|error| PathError::Name { index: index + 1, error })?;
            // `**/**` is `**`.
            if !matches!((parts.last(), &part), (Some(Part::Directories), Part::Directories)) {
                parts.push(part);
            }
        }
        // A trailing `**` matches everything below.
        if let Some(Part::Directories) = parts.last() {
            parts.push(Part::parse("*").map_err(|error| PathError::Name { index: parts.len(), error })?);
        }
        Ok(Self { parts })
    }

    /// Calls `each` with every match. Only what is below the names before the first wildcard is listed on the server.
    pub(crate) fn each_match(&self, client: &mut FileClient, hidden: bool, each: &mut Each<'_>) -> Result<(), Failure> {
        matches_below(client, RemotePath::root(), &self.parts, hidden, each)
    }

    /// Whether it matches a path.
    pub(crate) fn matches(&self, path: &RemotePath, hidden: bool) -> bool {
        all_match(&self.parts, path.names(), hidden)
    }
}

impl Part {
    fn parse(text: &str) -> Result<Self, NameError> {
        if text == "**" {
            return Ok(Part::Directories);
        }
        let mut regex = String::from("^");
        let mut name = String::new();
        let mut is_wild = false;
        let mut rest = text.chars();
        while let Some(character) = rest.next() {
            let literal = match character {
                '*' | '?' => {
                    is_wild = true;
                    regex.push_str(if character == '*' { ".*" } else { "." });
                    continue;
                }
                '[' => match class(rest.as_str()) {
                    Some((class, after)) => {
                        is_wild = true;
                        regex.push_str(&class);
                        rest = after.chars();
                        continue;
                    }
                    None => '[',
                },
                '\\' => rest.next().unwrap_or('\\'),
                other => other,
            };
            name.push(literal);
            push_escaped(&mut regex, literal);
        }
        if !is_wild {
            valid_name(&name)?;
            return Ok(Part::Name(name));
        }
        if let Some(control) = text.chars().find(|character| character.is_control()) {
            return Err(NameError::Control(control));
        }
        regex.push('$');
        let is_hidden = text.starts_with('.') || text.starts_with("\\.");
        // All literals are escaped, and a path is too short for a regex that is too large.
        let regex = Regex::new(&regex).map_err(|_| NameError::TooLong(text.len()))?;
        Ok(Part::Matching(Wildcard { regex, is_hidden }))
    }

    fn matches(&self, name: &str, hidden: bool) -> bool {
        match self {
            Part::Name(own) => own == name,
            Part::Matching(wildcard) => {
                (hidden || wildcard.is_hidden || !name.starts_with('.')) && wildcard.regex.is_match(name)
            }
            Part::Directories => hidden || !name.starts_with('.'),
        }
    }
}

/// The character class after a `[` as a regular expression, and the rest of the text; none if it has no end.
fn class(text: &str) -> Option<(String, &str)> {
    let mut class = String::from("[");
    let mut rest = text;
    if let Some(after) = rest.strip_prefix(['!', '^']) {
        class.push('^');
        rest = after;
    }
    let mut is_first = true;
    loop {
        let (from, after, is_escaped) = next_member(rest)?;
        if from == ']' && !is_first && !is_escaped {
            // A range in reverse order is empty, and an empty class matches nothing.
            let class = if class == "[" { "[^\\x00-\\x{10FFFF}]".to_owned() } else { class + "]" };
            return Some((if class == "[^]" { ".".to_owned() } else { class }, after));
        }
        is_first = false;
        rest = after;
        let range = rest.strip_prefix('-').and_then(next_member).filter(|(to, _, escaped)| *to != ']' || *escaped);
        let to = match range {
            Some((to, after, _)) => {
                rest = after;
                to
            }
            None => from,
        };
        if from <= to {
            push_escaped(&mut class, from);
            class.push('-');
            push_escaped(&mut class, to);
        }
    }
}

/// The first character of a text, or the one after a `\`; the rest; and whether it was escaped.
fn next_member(text: &str) -> Option<(char, &str, bool)> {
    let mut characters = text.chars();
    match characters.next()? {
        '\\' => characters.next().map(|escaped| (escaped, characters.as_str(), true)),
        other => Some((other, characters.as_str(), false)),
    }
}

/// Appends a literal character to a regular expression.
fn push_escaped(regex: &mut String, literal: char) {
    // A write to a string does not fail.
    let _ = write!(regex, "\\x{{{:X}}}", u32::from(literal));
}

fn matches_below(
    client: &mut FileClient,
    directory: RemotePath,
    parts: &[Part],
    hidden: bool,
    each: &mut Each<'_>,
) -> Result<(), Failure> {
    match parts {
        [] => Ok(()),
        [Part::Name(name), rest @ ..] => {
            let Ok(path) = directory.join(name) else { return Ok(()) };
            if !rest.is_empty() {
                return matches_below(client, path, rest, hidden, each);
            }
            match client.stat(&path) {
                Ok(entry) => each(path, entry),
                Err(error) => no_match(error),
            }
        }
        [Part::Directories, ..] => each_listed(client, &directory, true, &mut |path, name, entry| {
            if all_match(parts, name.split('/'), hidden) { each(path, entry) } else { Ok(()) }
        }),
        [part @ Part::Matching(_), rest @ ..] => {
            let mut open = Vec::new();
            each_listed(client, &directory, false, &mut |path, name, entry| {
                match part.matches(name, hidden) {
                    true if rest.is_empty() => each(path, entry)?,
                    true if entry.kind == Kind::Dir => open.push(path),
                    _ => {}
                }
                Ok(())
            })?;
            open.into_iter().try_for_each(|directory| matches_below(client, directory, rest, hidden, each))
        }
    }
}

/// Calls `each` with every entry of a directory, or everything below it; nothing if it does not exist.
fn each_listed(
    client: &mut FileClient,
    directory: &RemotePath,
    tree: bool,
    each: &mut dyn FnMut(RemotePath, &str, Entry) -> Result<(), Failure>,
) -> Result<(), Failure> {
    for listed in client.list(directory, tree) {
        match listed {
            Ok(listed) => {
                let path = directory
                    .join(&listed.name)
                    .map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                each(path, &listed.name, listed.entry)?;
            }
            Err(error) => return no_match(error),
        }
    }
    Ok(())
}

/// Without the directory there is no match; other errors are reported.
fn no_match(error: ClientError) -> Result<(), Failure> {
    match error.code() {
        Some(Code::NotFound | Code::NotDir) => Ok(()),
        _ => Err(error.into()),
    }
}

/// Tracks all parts that may match the next name, so that many `**` cost no more than few.
fn all_match<'n>(parts: &[Part], names: impl Iterator<Item = &'n str>, hidden: bool) -> bool {
    let mut open = vec![false; parts.len() + 1];
    open[0] = true;
    skip_directories(parts, &mut open);
    for name in names {
        let mut next = vec![false; parts.len() + 1];
        for (index, part) in parts.iter().enumerate().filter(|(index, _)| open[*index]) {
            if part.matches(name, hidden) {
                next[if matches!(part, Part::Directories) { index } else { index + 1 }] = true;
            }
        }
        skip_directories(parts, &mut next);
        open = next;
    }
    open[parts.len()]
}

/// `**` matches no directory too.
fn skip_directories(parts: &[Part], open: &mut [bool]) {
    for (index, part) in parts.iter().enumerate() {
        if open[index] && matches!(part, Part::Directories) {
            open[index + 1] = true;
        }
    }
}
