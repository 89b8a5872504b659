//! `du`: the disk usage of directories.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::RemoteOptions,
    remote_path::{Match, PathArg},
    render::{escaped, human_size, is_terminal, kind_name, stdout, warn, write_json},
};
use clap::Args;
use remofile::client::FileClient;
use remofile_proto::{Kind, RemotePath};
use std::io::{BufWriter, Write};

#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
Prints the sum of the sizes of all files, including hidden ones, not the blocks that they take on disk. On a terminal \
sizes are rounded; in a pipe they are exact, and a tab separates size and path.

Examples:
  remofile du -s /photos                  one line: the total
  remofile du -s '/*' | sort -n           sorted by size
  remofile du -a /photos                  files too"
)]
pub(crate) struct DuArgs {
    /// Directories, files or quoted patterns
    #[arg(default_value = "/", value_name = "PATH")]
    paths: Vec<String>,
    /// Print only a total for each argument
    #[arg(short, long, conflicts_with = "all")]
    summarize: bool,
    /// Print files too, not only directories
    #[arg(short, long)]
    all: bool,
    /// Round sizes in a pipe too
    #[arg(short, long)]
    human_readable: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

/// The usage of the part of a directory that has been listed.
#[derive(Debug, Default)]
struct Usage {
    path: String,
    bytes: u64,
    files: u64,
    directories: u64,
}

pub(crate) fn run(args: &DuArgs) -> Result<(), Failure> {
    let arguments = PathArg::parse_all(&args.paths)?;
    let mut client = connect(&args.options)?;
    let mut sums = UsagePrinter { args, out: BufWriter::new(stdout()) };
    let mut counter = ItemCounter::new(arguments.len());
    for argument in &arguments {
        match argument.all(&mut client, false) {
            Ok(all) => {
                counter.expect(all.len());
                // The sum of a directory includes everything below it.
                let mut above: Option<RemotePath> = None;
                for found in all {
                    if above.as_ref().is_some_and(|above| found.path.is_at_or_below(above)) {
                        continue;
                    }
                    above = Some(found.path.clone());
                    let result = sums.print(&mut client, found);
                    counter.count(result)?;
                }
            }
            Err(failure) => counter.count_failure(failure)?,
        }
    }
    sums.out.flush()?;
    drop(sums);
    client.bye();
    counter.finish()
}

struct UsagePrinter<'a, W: Write> {
    args: &'a DuArgs,
    out: W,
}

impl<W: Write> UsagePrinter<'_, W> {
    fn print(&mut self, client: &mut FileClient, found: Match) -> Result<(), Failure> {
        let entry = match found.entry {
            Some(entry) => entry,
            None => client.stat(&found.path)?,
        };
        if entry.kind != Kind::Dir {
            let sum = Usage { path: found.shown, bytes: entry.size.unwrap_or(0), files: 1, directories: 0 };
            return self.write(&sum, entry.kind);
        }
        self.directory(client, &found.path, found.shown)
    }

    fn directory(&mut self, client: &mut FileClient, path: &RemotePath, shown: String) -> Result<(), Failure> {
        let prefix = if shown.ends_with('/') { shown.clone() } else { format!("{shown}/") };
        // The directories of the current path, from the top down; each is printed when the listing leaves it [LIST-2].
        let mut open = vec![Usage { path: shown, directories: 1, ..Usage::default() }];
        let mut listing = client.list(path, true);
        for listed in listing.by_ref() {
            let listed = listed?;
            let depth = listed.name.matches('/').count();
            while open.len() > depth + 1 {
                self.close(&mut open)?;
            }
            let path = format!("{prefix}{}", listed.name);
            if listed.entry.kind == Kind::Dir {
                open.push(Usage { path, directories: 1, ..Usage::default() });
                continue;
            }
            let bytes = listed.entry.size.unwrap_or(0);
            if let Some(sum) = open.last_mut() {
                sum.bytes = sum.bytes.saturating_add(bytes);
                sum.files += 1;
            }
            if self.args.all {
                self.write(&Usage { path, bytes, files: 1, directories: 0 }, listed.entry.kind)?;
            }
        }
        let skipped = listing.skipped();
        while !open.is_empty() {
            self.close(&mut open)?;
        }
        if skipped > 0 {
            warn(format_args!("{skipped} invalid names below '{path}' are not counted"));
        }
        Ok(())
    }

    /// Prints the last directory and adds it to its parent.
    fn close(&mut self, open: &mut Vec<Usage>) -> Result<(), Failure> {
        let Some(sum) = open.pop() else { return Ok(()) };
        if let Some(above) = open.last_mut() {
            above.bytes = above.bytes.saturating_add(sum.bytes);
            above.files += sum.files;
            above.directories += sum.directories;
        }
        if open.is_empty() || !self.args.summarize { self.write(&sum, Kind::Dir) } else { Ok(()) }
    }

    fn write(&mut self, sum: &Usage, kind: Kind) -> Result<(), Failure> {
        if self.args.options.output.is_json() {
            let path = if sum.path.starts_with('/') { sum.path.clone() } else { format!("/{}", sum.path) };
            let line = serde_json::json!({
                "path": path, "kind": kind_name(kind), "bytes": sum.bytes, "files": sum.files,
                "directories": sum.directories,
            });
            return Ok(write_json(&mut self.out, line)?);
        }
        let size =
            if self.args.human_readable || is_terminal() { human_size(sum.bytes) } else { sum.bytes.to_string() };
        if is_terminal() {
            return Ok(writeln!(self.out, "{size:>10}  {}", escaped(&sum.path))?);
        }
        Ok(writeln!(self.out, "{size}\t{}", sum.path)?)
    }
}
