//! The lines of a listing, written as they come; columns in blocks, so that memory stays bounded.

use super::{ListArgs, Row, tree};
use crate::{
    args::Cli,
    output::{escaped, is_terminal, terminal_width, write_columns},
    row::{details, entry_json, label, style_of},
};
use anstream::{AutoStream, ColorChoice};
use anstyle::Style;
use remofile_proto::ListedEntry;
use std::io::{self, Write};

/// How many names are put into columns together.
const BLOCK: usize = 4_096;

/// Where the lines go, and how they look.
pub(super) struct Lines<'a, W: Write> {
    out: &'a mut W,
    look: Look,
    end: char,
    for_people: bool,
    /// Bytes go out as they are: nobody takes styles out again.
    has_colors: bool,
    /// Names that wait for their columns.
    block: Vec<(String, Style)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Look {
    Json,
    Long,
    /// A name a line.
    Names,
    Columns,
}

impl<'a, W: Write> Lines<'a, W> {
    pub(super) fn new(cli: &Cli, args: &ListArgs, out: &'a mut W) -> Self {
        // What ends with NUL is for no eyes.
        let for_people = is_terminal() && !args.null;
        let look = match args {
            _ if cli.output.json => Look::Json,
            ListArgs { long: true, .. } => Look::Long,
            ListArgs { recursive: false, .. } if for_people => Look::Columns,
            _ => Look::Names,
        };
        let end = if args.null && !cli.output.json { '\0' } else { '\n' };
        let has_colors = !args.null && AutoStream::choice(&io::stdout()) != ColorChoice::Never;
        Self { out, look, end, for_people, has_colors, block: Vec::new() }
    }

    pub(super) fn row(&mut self, row: &Row) -> io::Result<()> {
        let Row { name, path, is_relative, entry } = row;
        let end = self.end;
        if self.look == Look::Json {
            let last = || path.rsplit_once('/').map(|(_, last)| last).filter(|last| !last.is_empty());
            let name = if *is_relative { name } else { last().unwrap_or("/") };
            return write!(self.out, "{}{end}", entry_json(name, path, entry));
        }
        if self.look == Look::Long {
            write!(self.out, "{} ", details(entry, self.for_people))?;
        }
        let style = if self.has_colors { style_of(entry.kind) } else { Style::new() };
        if !self.for_people {
            return write!(self.out, "{style}{name}{style:#}{end}");
        }
        let name = label(name, entry.kind);
        if self.look == Look::Columns {
            self.block.push((name, style));
            return if self.block.len() >= BLOCK { self.finish() } else { Ok(()) };
        }
        write!(self.out, "{style}{name}{style:#}{end}")
    }

    /// The name of a directory over what it holds.
    pub(super) fn heading(&mut self, name: &str, is_first: bool) -> io::Result<()> {
        self.finish()?;
        writeln!(self.out, "{}{}:", if is_first { "" } else { "\n" }, escaped(name))
    }

    /// A directory and all below it, drawn.
    pub(super) fn tree(&mut self, top: &str, entries: &[ListedEntry]) -> io::Result<()> {
        let look = (self.for_people, self.has_colors);
        tree::draw(self.out, top, entries, look)
    }

    /// Writes what waits for its columns.
    pub(super) fn finish(&mut self) -> io::Result<()> {
        let block = std::mem::take(&mut self.block);
        if block.is_empty() { Ok(()) } else { write_columns(self.out, &block, terminal_width()) }
    }
}
