//! Standard output: a terminal gets rounded values, columns and escaped names; a pipe gets exact ones.

use super::text::{escaped, human_size};
use anstream::AutoStream;
use anstyle::Style;
use std::io::{self, IsTerminal as _, Write};
use unicode_width::UnicodeWidthStr as _;

/// Standard output for data; styles are dropped where colors are off.
pub(crate) fn stdout() -> AutoStream<io::StdoutLock<'static>> {
    AutoStream::new(io::stdout().lock(), AutoStream::choice(&io::stdout()))
}

/// Whether standard output is a terminal.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// The columns of the terminal of standard output; 80 where they are not known.
pub(crate) fn terminal_width() -> usize {
    match rustix::termios::tcgetwinsize(io::stdout()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => 80,
    }
}

/// A name for standard output: escaped on a terminal, the exact bytes elsewhere.
pub(crate) fn shown(name: &str) -> String {
    if is_terminal() { escaped(name) } else { name.to_owned() }
}

/// A size for standard output: rounded on a terminal, exact elsewhere.
pub(crate) fn size(bytes: u64) -> String {
    if is_terminal() { human_size(bytes) } else { bytes.to_string() }
}

/// Writes names in columns, top to bottom first as `ls` does; each is an [`escaped`] text and its style.
pub(crate) fn write_columns(out: &mut impl Write, names: &[(String, Style)], width: usize) -> io::Result<()> {
    const GAP: usize = 2;
    let widths: Vec<usize> = names.iter().map(|(name, _)| name.width()).collect();
    // The fewest rows whose columns fit beside one another.
    let column_widths = |rows: usize| widths.chunks(rows).map(|column| column.iter().copied().max().unwrap_or(0));
    let fits = |rows: &usize| column_widths(*rows).map(|column| column + GAP).sum::<usize>() <= width + GAP;
    // More columns than this cannot fit, and the search stays short for a million names.
    let fewest = names.len().div_ceil((width / (GAP + 1)).max(1)).max(1);
    let rows = (fewest..names.len()).find(fits).unwrap_or(names.len()).max(1);
    let columns: Vec<usize> = column_widths(rows).collect();
    for row in 0..rows.min(names.len()) {
        let mut padding = 0;
        for (column, column_width) in columns.iter().enumerate() {
            let at = column * rows + row;
            let Some((name, style)) = names.get(at) else { break };
            write!(out, "{:padding$}{style}{name}{style:#}", "")?;
            padding = column_width - widths[at] + GAP;
        }
        writeln!(out)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn columns(names: &[&str], width: usize) -> String {
        let names: Vec<_> = names.iter().map(|name| ((*name).to_owned(), Style::new())).collect();
        let mut out = Vec::new();
        write_columns(&mut out, &names, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_go_down_before_they_go_right() {
        assert_eq!(columns(&["a", "bb", "c", "dddd"], 9), "a   c\nbb  dddd\n");
    }

    #[test]
    fn a_line_is_filled_to_its_last_column() {
        assert_eq!(columns(&["aaa", "bbb"], 8), "aaa  bbb\n");
        assert_eq!(columns(&["aaa", "bbb"], 7), "aaa\nbbb\n");
    }

    #[test]
    fn a_wide_character_counts_twice() {
        assert_eq!(columns(&["字", "b", "c", "d"], 6), "字  c\nb   d\n");
    }

    #[test]
    fn a_name_wider_than_the_terminal_has_a_line_of_its_own() {
        assert_eq!(columns(&["long-name", "b"], 4), "long-name\nb\n");
        assert_eq!(columns(&[], 80), "");
    }
}
