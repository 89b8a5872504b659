//! Prints rows as they arrive; columns in blocks, so that memory stays bounded.

use super::{options::ListArgs, row::Row, tree};
use crate::render::{details, entry_json, escaped, is_terminal, label, style_of, terminal_width, write_columns};
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use remofile_proto::ListedEntry;
use std::io::{self, Write};

/// The number of names in a block of columns.
const BLOCK: usize = 4_096;

/// The output and its format.
pub(super) struct Lines<'a, W: Write> {
    out: &'a mut W,
    format: LineFormat,
    end: char,
    is_for_people: bool,
    /// Whether styles are written; nothing removes them later.
    has_colors: bool,
    /// Names of the current block of columns.
    block: Vec<(String, Style)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineFormat {
    Json,
    Long,
    /// A name per line.
    Names,
    Columns,
}

impl<'a, W: Write> Lines<'a, W> {
    pub(super) fn new(args: &ListArgs, out: &'a mut W) -> Self {
        // Output with NUL is for programs.
        let is_for_people = is_terminal() && !args.null;
        let format = match args {
            _ if args.options.output.is_json() => LineFormat::Json,
            ListArgs { long: true, .. } => LineFormat::Long,
            ListArgs { recursive: false, .. } if is_for_people => LineFormat::Columns,
            _ => LineFormat::Names,
        };
        let end = if args.null && !args.options.output.is_json() { '\0' } else { '\n' };
        let has_colors = !args.null && AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Self { out, format, end, is_for_people, has_colors, block: Vec::new() }
    }

    pub(super) fn row(&mut self, row: &Row) -> io::Result<()> {
        let Row { name, path, is_relative, entry } = row;
        let end = self.end;
        if self.format == LineFormat::Json {
            let last = || path.rsplit_once('/').map(|(_, last)| last).filter(|last| !last.is_empty());
            let name = if *is_relative { name } else { last().unwrap_or("/") };
            return write!(self.out, "{}{end}", entry_json(name, path, entry));
        }
        if self.format == LineFormat::Long {
            write!(self.out, "{} ", details(entry, self.is_for_people))?;
        }
        let style = if self.has_colors { style_of(entry.kind) } else { Style::new() };
        if !self.is_for_people {
            return write!(self.out, "{style}{name}{style:#}{end}");
        }
        let name = label(name, entry.kind);
        if self.format == LineFormat::Columns {
            self.block.push((name, style));
            return if self.block.len() >= BLOCK { self.finish() } else { Ok(()) };
        }
        write!(self.out, "{style}{name}{style:#}{end}")
    }

    /// Prints the name of a directory before its contents.
    pub(super) fn heading(&mut self, name: &str, is_first: bool) -> io::Result<()> {
        self.finish()?;
        writeln!(self.out, "{}{}:", if is_first { "" } else { "\n" }, escaped(name))
    }

    /// Prints a directory and everything below it as a tree.
    pub(super) fn tree(&mut self, top: &str, entries: &[ListedEntry]) -> io::Result<()> {
        let format = (self.is_for_people, self.has_colors);
        tree::draw(self.out, top, entries, format)
    }

    /// Writes the current block of columns.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() { Ok(()) } else { write_columns(self.out, &block, terminal_width()) }
    }
}
