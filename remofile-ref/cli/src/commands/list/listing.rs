//! Lists what the arguments name or match.

use super::{
    lines::Lines,
    options::{ListArgs, SortKey},
    row::Row,
};
use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    remote_path::{Match, PathArg},
    render::{counted, is_terminal, warn},
};
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, RemotePath};
use std::{
    cmp::{Ordering, Reverse},
    io::{self, BufWriter, Write},
};

pub(crate) fn run(args: &ListArgs) -> Result<(), Failure> {
    let arguments = PathArg::parse_all(&args.paths)?;
    let mut client = connect(&args.options)?;
    let mut out = BufWriter::with_capacity(1 << 16, io::stdout().lock());
    let mut printer =
        ListPrinter { args, arguments: arguments.len(), is_first: true, lines: Lines::new(args, &mut out) };
    let mut counter = ItemCounter::new(arguments.len());
    for argument in &arguments {
        let result = printer.list_argument(&mut client, argument);
        counter.count(result)?;
    }
    printer.lines.finish()?;
    out.flush()?;
    drop(out);
    client.bye();
    counter.finish()
}

struct ListPrinter<'a, W: Write> {
    args: &'a ListArgs,
    /// The number of arguments.
    arguments: usize,
    is_first: bool,
    lines: Lines<'a, W>,
}

impl<W: Write> ListPrinter<'_, W> {
    fn list_argument(&mut self, client: &mut FileClient, argument: &PathArg) -> Result<(), Failure> {
        let goes_below = self.args.recursive || self.args.tree;
        let mut open = Vec::new();
        let mut rows = Vec::new();
        let is_streamed = !self.is_sorted();
        argument.each(client, self.args.all, |found| {
            // A recursive listing includes what is below the directory.
            if goes_below && open.last().is_some_and(|above: &Match| found.path.is_at_or_below(&above.path)) {
                return Ok(());
            }
            let is_dir = found.entry.as_ref().is_some_and(|entry| entry.kind == Kind::Dir);
            match &found.entry {
                // A match of a pattern is listed itself.
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
            self.list_match(client, argument, found)?;
        }
        Ok(())
    }

    fn list_match(&mut self, client: &mut FileClient, argument: &PathArg, found: Match) -> Result<(), Failure> {
        let entry = match &found.entry {
            Some(entry) => entry.clone(),
            None => client.stat(&found.path)?,
        };
        if entry.kind != Kind::Dir || self.args.directory {
            return Ok(self.lines.row(&row_of(&found, entry))?);
        }
        let is_one_of_several = self.arguments > 1 || argument.is_pattern();
        let mut prefix = String::new();
        if is_one_of_several && is_terminal() && !self.args.options.output.is_json() && !self.args.tree {
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
        warn_of_skipped(path, skipped);
        Ok(())
    }

    fn tree(&mut self, client: &mut FileClient, path: &RemotePath, shown: &str) -> Result<(), Failure> {
        let mut listing = client.list(path, true);
        let entries =
            listing.by_ref().filter(|listed| !listed.as_ref().is_ok_and(|listed| self.is_hidden(&listed.name)));
        let entries = entries.collect::<Result<Vec<_>, ClientError>>()?;
        let skipped = listing.skipped();
        if self.args.options.output.is_json() {
            for listed in entries {
                let full = below(path, &listed.name);
                self.lines.row(&Row { name: listed.name, path: full, is_relative: true, entry: listed.entry })?;
            }
        } else {
            self.lines.tree(shown, &entries)?;
        }
        warn_of_skipped(path, skipped);
        Ok(())
    }

    fn is_hidden(&self, name: &str) -> bool {
        !self.args.all && name.split('/').any(|name| name.starts_with('.'))
    }

    fn is_sorted(&self) -> bool {
        self.args.sort != SortKey::Name || self.args.reverse
    }

    fn sort_and_write(&mut self, mut rows: Vec<Row>) -> Result<(), Failure> {
        // The sort is stable: equal entries keep the order of the server.
        match self.args.sort {
            SortKey::Name => {}
            SortKey::Size => rows.sort_by_key(|row| Reverse(row.entry.size)),
            SortKey::Time => rows.sort_by_key(|row| Reverse(row.entry.mtime_ns)),
            SortKey::Extension => rows.sort_by(by_extension),
        }
        if self.args.reverse {
            rows.reverse();
        }
        rows.iter().try_for_each(|row| self.lines.row(row)).map_err(Failure::from)
    }
}

/// Warns of names that the server omits.
fn warn_of_skipped(path: &RemotePath, skipped: u64) {
    match skipped {
        0 => {}
        skipped => warn(format_args!("'{path}': {} omitted", counted(skipped, "invalid name", "invalid names"))),
    }
}

/// The row of a path or a match.
fn row_of(found: &Match, entry: Entry) -> Row {
    Row { name: found.shown.clone(), path: found.path.to_string(), is_relative: false, entry }
}

fn by_extension(one: &Row, other: &Row) -> Ordering {
    extension(&one.name).cmp(extension(&other.name))
}

/// The text after the last dot of a name, unless it is the leading one.
fn extension(path: &str) -> &str {
    let name = path.rsplit_once('/').map_or(path, |(_, name)| name);
    name.trim_start_matches('.').rsplit_once('.').map_or("", |(_, extension)| extension)
}

/// The path of a listed name.
fn below(path: &RemotePath, name: &str) -> String {
    if path.is_root() { format!("/{name}") } else { format!("{path}/{name}") }
}
