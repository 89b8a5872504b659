//! `list`: directories and files of the server.

mod lines;
mod tree;

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{is_terminal, warn},
    remote::{Found, Given},
    tally::Tally,
};
use clap::{Args, ValueEnum};
use lines::Lines;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, RemotePath};
use std::{
    cmp::{Ordering, Reverse},
    io::{self, BufWriter, Write},
};

#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal names stand in columns and sizes and times are rounded; in a pipe it is one path a line, exact, and \
with -l kind, size in bytes, time in UTC and path, separated by blanks. `-` stands where there is no size or time.

Patterns are matched on the server: * and ? and [a-z] within a name, ** for any number of directories, \\ takes the \
next character as it is. A wildcard matches a dot in front of a name only with -a. What a pattern matches is listed \
itself; -r adds what is below. Quote patterns, or the shell takes them for its own. A path that exists wins.

Examples:
  remofile list                          what is in the served directory
  remofile list -l /isos /photos         two directories, with sizes and times
  remofile list --tree /photos           all below as a tree
  remofile list '/photos/**/*.jpg'       every .jpg at any depth below /photos
  remofile list -r -0 / | xargs -0 ...   every path, whatever characters are in it
  remofile list -l --sort size           the largest first")]
pub(crate) struct ListArgs {
    /// Directories, files or quoted patterns
    #[arg(default_value = "/", value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// One entry a line with kind, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Hidden entries too: names that begin with a dot
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Everything below as well
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Everything below, drawn as a tree
    #[arg(long, conflicts_with_all = ["long", "recursive", "sort", "reverse", "null"])]
    pub(crate) tree: bool,
    /// Directories themselves, not what they hold
    #[arg(short, long, conflicts_with_all = ["recursive", "tree"])]
    pub(crate) directory: bool,
    /// End each line with NUL in place of a line break
    #[arg(short = '0', long)]
    pub(crate) null: bool,
    /// The order: size largest first, time newest first
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub(crate) sort: Sort,
    /// The other way round
    #[arg(long)]
    pub(crate) reverse: bool,
}

/// What a listing is ordered by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Sort {
    #[default]
    Name,
    Size,
    Time,
    Extension,
}

/// A line to be.
#[derive(Debug)]
struct Row {
    /// As it is shown.
    name: String,
    /// From the root.
    path: String,
    /// The name is that of the listing, and not a path.
    is_relative: bool,
    entry: Entry,
}

pub(crate) fn run(cli: &Cli, args: &ListArgs) -> Result<(), Failure> {
    let given = Given::parse_all(&args.paths)?;
    let mut client = connect(cli)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut listing = Listing { cli, args, given: given.len(), is_first: true, lines: Lines::new(cli, args, &mut out) };
    let mut tally = Tally::of(given.len());
    for one in &given {
        let result = listing.given(&mut client, one);
        tally.note(result)?;
    }
    listing.lines.finish()?;
    out.flush()?;
    drop(out);
    client.bye();
    tally.finish()
}

struct Listing<'a, W: Write> {
    cli: &'a Cli,
    args: &'a ListArgs,
    /// How many were given.
    given: usize,
    is_first: bool,
    lines: Lines<'a, W>,
}

impl<W: Write> Listing<'_, W> {
    fn given(&mut self, client: &mut FileClient, given: &Given) -> Result<(), Failure> {
        let goes_below = self.args.recursive || self.args.tree;
        let mut open = Vec::new();
        let mut rows = Vec::new();
        let is_streamed = !self.is_sorted();
        given.each(client, self.args.all, |found| {
            // What is below a directory that is listed with all below it is listed there.
            if goes_below && open.last().is_some_and(|above: &Found| found.path.is_at_or_below(&above.path)) {
                return Ok(());
            }
            let is_dir = found.entry.as_ref().is_some_and(|entry| entry.kind == Kind::Dir);
            match &found.entry {
                // What a pattern matches is listed itself.
                Some(entry) if found.is_match && !(goes_below && is_dir) => {
                    let row = row_of(&found, entry.clone());
                    if is_streamed { self.lines.row(&row)? } else { rows.push(row) }
                }
                _ => open.push(found),
            }
            Ok(())
        })?;
        self.sort_and_write(rows)?;
        for found in open {
            self.found(client, given, found)?;
        }
        Ok(())
    }

    fn found(&mut self, client: &mut FileClient, given: &Given, found: Found) -> Result<(), Failure> {
        let entry = match &found.entry {
            Some(entry) => entry.clone(),
            None => client.stat(&found.path)?,
        };
        if entry.kind != Kind::Dir || self.args.directory {
            return Ok(self.lines.row(&row_of(&found, entry))?);
        }
        let is_one_of_several = self.given > 1 || given.is_pattern();
        let mut prefix = String::new();
        if is_one_of_several && is_terminal() && !self.cli.output.json && !self.args.tree {
            self.lines.heading(&found.shown, self.is_first)?;
            self.is_first = false;
        } else if is_one_of_several {
            prefix = if found.path.is_root() { "/".to_owned() } else { format!("{}/", found.shown) };
        }
        if self.args.tree {
            return self.tree(client, &found.path, &found.shown);
        }
        self.directory(client, &found.path, &prefix)
    }

    fn directory(&mut self, client: &mut FileClient, path: &RemotePath, prefix: &str) -> Result<(), Failure> {
        let is_streamed = !self.is_sorted();
        let mut rows = Vec::new();
        let mut listing = client.list(path, self.args.recursive);
        for listed in listing.by_ref() {
            let listed = listed?;
            if self.is_hidden(&listed.name) {
                continue;
            }
            let full = below(path, &listed.name);
            let name = format!("{prefix}{}", listed.name);
            let row = Row { name, path: full, is_relative: prefix.is_empty(), entry: listed.entry };
            if is_streamed { self.lines.row(&row)? } else { rows.push(row) }
        }
        let skipped = listing.skipped();
        self.sort_and_write(rows)?;
        self.lines.finish()?;
        tell_skipped(path, skipped);
        Ok(())
    }

    fn tree(&mut self, client: &mut FileClient, path: &RemotePath, shown: &str) -> Result<(), Failure> {
        let mut listing = client.list(path, true);
        let entries =
            listing.by_ref().filter(|listed| !listed.as_ref().is_ok_and(|listed| self.is_hidden(&listed.name)));
        let entries = entries.collect::<Result<Vec<_>, ClientError>>()?;
        let skipped = listing.skipped();
        if self.cli.output.json {
            for listed in entries {
                let full = below(path, &listed.name);
                self.lines.row(&Row { name: listed.name, path: full, is_relative: true, entry: listed.entry })?;
            }
        } else {
            self.lines.tree(shown, &entries)?;
        }
        tell_skipped(path, skipped);
        Ok(())
    }

    fn is_hidden(&self, name: &str) -> bool {
        !self.args.all && name.split('/').any(|name| name.starts_with('.'))
    }

    fn is_sorted(&self) -> bool {
        self.args.sort != Sort::Name || self.args.reverse
    }

    fn sort_and_write(&mut self, mut rows: Vec<Row>) -> Result<(), Failure> {
        // Sorting is stable: among equals the order of the server stays.
        match self.args.sort {
            Sort::Name => {}
            Sort::Size => rows.sort_by_key(|row| Reverse(row.entry.size)),
            Sort::Time => rows.sort_by_key(|row| Reverse(row.entry.mtime_ns)),
            Sort::Extension => rows.sort_by(by_extension),
        }
        if self.args.reverse {
            rows.reverse();
        }
        rows.iter().try_for_each(|row| self.lines.row(row)).map_err(Failure::from)
    }
}

/// Tells of names that the server leaves out.
fn tell_skipped(path: &RemotePath, skipped: u64) {
    match skipped {
        0 => {}
        1 => warn(format_args!("1 name in '{path}' cannot be shown: it is not valid in this protocol")),
        skipped => {
            warn(format_args!("{skipped} names in '{path}' cannot be shown: they are not valid in this protocol"));
        }
    }
}

/// What was named or matched, by its path.
fn row_of(found: &Found, entry: Entry) -> Row {
    Row { name: found.shown.clone(), path: found.path.to_string(), is_relative: false, entry }
}

fn by_extension(one: &Row, other: &Row) -> Ordering {
    extension(&one.name).cmp(extension(&other.name))
}

/// What is behind the last dot of a name, unless that is in front of it.
fn extension(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.trim_start_matches('.').rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The path of a listed name.
fn below(path: &RemotePath, name: &str) -> String {
    if path.is_root() { format!("/{name}") } else { format!("{path}/{name}") }
}
