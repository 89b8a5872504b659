//! Prints a directory and everything below it as a tree.

use crate::render::{label, style_of};
use anstyle::Style;
use remofile_proto::{Kind, ListedEntry};
use std::io::{self, Write};

/// Prints `entries`, a recursive listing in its order, below `top`; for a terminal or not, with colors or not.
pub(super) fn draw(
    out: &mut impl Write,
    top: &str,
    entries: &[ListedEntry],
    (is_for_people, has_colors): (bool, bool),
) -> io::Result<()> {
    let written = |out: &mut dyn Write, name: &str, kind: Kind| {
        let style = if has_colors { style_of(kind) } else { Style::new() };
        let name = if is_for_people { label(name, kind) } else { name.to_owned() };
        writeln!(out, "{style}{name}{style:#}")
    };
    written(out, top, Kind::Dir)?;
    let is_last = last_of_their_directories(entries);
    // Whether the ancestor at each depth is the last entry of its directory.
    let mut above: Vec<bool> = Vec::new();
    for (listed, is_last) in entries.iter().zip(is_last) {
        let depth = depth(&listed.name);
        above.truncate(depth);
        for is_over in &above {
            write!(out, "{}", if *is_over { "    " } else { "│   " })?;
        }
        write!(out, "{}", if is_last { "└── " } else { "├── " })?;
        let name = listed.name.rsplit_once('/').map_or(listed.name.as_str(), |(_, name)| name);
        written(out, name, listed.entry.kind)?;
        above.push(is_last);
    }
    Ok(())
}

/// Whether each entry is the last one of its directory.
fn last_of_their_directories(entries: &[ListedEntry]) -> Vec<bool> {
    let mut is_last = vec![false; entries.len()];
    // From the end: whether an entry of the current directory at this depth follows.
    let mut follows: Vec<bool> = Vec::new();
    for (entry, is_last) in entries.iter().zip(&mut is_last).rev() {
        let depth = depth(&entry.name);
        follows.resize(follows.len().max(depth + 1), false);
        *is_last = !follows[depth];
        follows[depth] = true;
        follows.truncate(depth + 1);
    }
    is_last
}

fn depth(name: &str) -> usize {
    name.matches('/').count()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use remofile_proto::Entry;

    fn drawn(names: &[&str]) -> String {
        let entry = Entry { kind: Kind::File, size: Some(0), mtime_ns: None, etag: None, racy: false };
        let entries: Vec<_> =
            names.iter().map(|name| ListedEntry { name: (*name).to_owned(), entry: entry.clone() }).collect();
        let mut out = Vec::new();
        draw(&mut out, "/", &entries, (false, false)).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn branches_end_where_their_directory_ends() {
        let tree = drawn(&["a", "a/b", "a/b/c", "a/d", "e", "e/f"]);
        assert_eq!(tree, "/\n├── a\n│   ├── b\n│   │   └── c\n│   └── d\n└── e\n    └── f\n");
    }

    #[test]
    fn an_empty_directory_is_its_name() {
        assert_eq!(drawn(&[]), "/\n");
    }
}
