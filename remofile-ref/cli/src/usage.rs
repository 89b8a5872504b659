//! `du`: how much directories hold.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{escaped, human_size, is_terminal, stdout, warn, write_json},
    remote::{Found, Given},
    row::kind_name,
    tally::Tally,
};
use clap::Args;
use remofile::client::FileClient;
use remofile_proto::{Kind, RemotePath};
use std::io::{BufWriter, Write};

#[derive(Debug, Args)]
#[command(
    disable_help_flag = true,
    after_help = "\
The sum of the sizes of files, not what they take on the server's disk; hidden ones count. Exact in a pipe, where a tab \
stands between size and path; rounded on a terminal.

Examples:
  remofile du -s /photos                  one line: all that is below
  remofile du -s '/*' | sort -n           what takes the most
  remofile du -a /photos                  files too"
)]
pub(crate) struct DuArgs {
    /// Directories, files or quoted patterns
    #[arg(default_value = "/", value_name = "PATH")]
    paths: Vec<String>,
    /// Only a sum for each path that was given
    #[arg(short, long, conflicts_with = "all")]
    summarize: bool,
    /// Files too, not only directories
    #[arg(short, long)]
    all: bool,
    /// Rounded sizes in a pipe too
    #[arg(short, long)]
    human_readable: bool,
    /// Print help
    #[arg(long, action = clap::ArgAction::Help)]
    help: Option<bool>,
}

/// What is known of a directory so far.
#[derive(Debug, Default)]
struct Sum {
    path: String,
    bytes: u64,
    files: u64,
    directories: u64,
}

pub(crate) fn run(cli: &Cli, args: &DuArgs) -> Result<(), Failure> {
    let given = Given::parse_all(&args.paths)?;
    let mut client = connect(cli)?;
    let mut sums = Sums { cli, args, out: BufWriter::new(stdout()) };
    let mut tally = Tally::of(given.len());
    for one in &given {
        match one.all(&mut client, false) {
            Ok(all) => {
                tally.expect(all.len());
                // What is below a directory is in its sum already.
                let mut above: Option<RemotePath> = None;
                for found in all {
                    if above.as_ref().is_some_and(|above| found.path.is_at_or_below(above)) {
                        continue;
                    }
                    above = Some(found.path.clone());
                    let result = sums.of(&mut client, found);
                    tally.note(result)?;
                }
            }
            Err(failure) => tally.fail(failure)?,
        }
    }
    sums.out.flush()?;
    drop(sums);
    client.bye();
    tally.finish()
}

struct Sums<'a, W: Write> {
    cli: &'a Cli,
    args: &'a DuArgs,
    out: W,
}

impl<W: Write> Sums<'_, W> {
    fn of(&mut self, client: &mut FileClient, found: Found) -> Result<(), Failure> {
        let entry = match found.entry {
            Some(entry) => entry,
            None => client.stat(&found.path)?,
        };
        if entry.kind != Kind::Dir {
            let sum = Sum { path: found.shown, bytes: entry.size.unwrap_or(0), files: 1, directories: 0 };
            return self.write(&sum, entry.kind);
        }
        self.directory(client, &found.path, found.shown)
    }

    fn directory(&mut self, client: &mut FileClient, path: &RemotePath, shown: String) -> Result<(), Failure> {
        let prefix = if shown.ends_with('/') { shown.clone() } else { format!("{shown}/") };
        // The directories that the listing is in, from the top down: each is told when it has left it [LIST-2].
        let mut open = vec![Sum { path: shown, directories: 1, ..Sum::default() }];
        let mut listing = client.list(path, true);
        for listed in listing.by_ref() {
            let listed = listed?;
            let depth = listed.name.matches('/').count();
            while open.len() > depth + 1 {
                self.close(&mut open)?;
            }
            let path = format!("{prefix}{}", listed.name);
            if listed.entry.kind == Kind::Dir {
                open.push(Sum { path, directories: 1, ..Sum::default() });
                continue;
            }
            let bytes = listed.entry.size.unwrap_or(0);
            if let Some(sum) = open.last_mut() {
                sum.bytes = sum.bytes.saturating_add(bytes);
                sum.files += 1;
            }
            if self.args.all {
                self.write(&Sum { path, bytes, files: 1, directories: 0 }, listed.entry.kind)?;
            }
        }
        let skipped = listing.skipped();
        while !open.is_empty() {
            self.close(&mut open)?;
        }
        if skipped > 0 {
            warn(format_args!("{skipped} names below '{path}' are not counted: the server leaves them out"));
        }
        Ok(())
    }

    /// The last directory is over: it counts in the one above it.
    fn close(&mut self, open: &mut Vec<Sum>) -> Result<(), Failure> {
        let Some(sum) = open.pop() else { return Ok(()) };
        if let Some(above) = open.last_mut() {
            above.bytes = above.bytes.saturating_add(sum.bytes);
            above.files += sum.files;
            above.directories += sum.directories;
        }
        if open.is_empty() || !self.args.summarize { self.write(&sum, Kind::Dir) } else { Ok(()) }
    }

    fn write(&mut self, sum: &Sum, kind: Kind) -> Result<(), Failure> {
        if self.cli.output.json {
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
