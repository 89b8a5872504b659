//! `remove`: files, directories with all they hold, and what patterns match.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{note, report, shown, stdout, warn, write_json},
    remote::{Found, Given, named},
    row::kind_name,
    tally::Tally,
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Code, Kind, Refusal, RemotePath};
use std::{
    collections::HashSet,
    io::{BufWriter, Write},
};

#[derive(Debug, Args)]
#[command(after_help = "\
With exactly two arguments, of which the first has no slash and the second begins with one, it is NAME in DIR. \
Otherwise all are paths. / itself is never removed. A wildcard does not match a dot in front of a name.

Examples:
  remofile remove /my-os-isos/ubuntu.iso
  remofile remove ubuntu.iso /my-os-isos  the same
  remofile remove -r /photos/2019         a directory with all it holds
  remofile remove -n -r '/photos/20*'     what would go; nothing goes
  remofile remove -f /maybe               fine if it is not there")]
pub(crate) struct RemoveArgs {
    /// Paths or quoted patterns; or exactly a NAME without a slash and an absolute DIR
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Directories with all they hold
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Fine if it does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
    /// Print what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
}

pub(crate) fn run(cli: &Cli, args: &RemoveArgs) -> Result<(), Failure> {
    let given = match args.paths.as_slice() {
        [name, directory] if !name.contains('/') && directory.starts_with('/') => {
            vec![Given::parse(named(name, Some(directory))?.as_str())?]
        }
        paths => Given::parse_all(paths)?,
    };
    if given.iter().any(Given::is_root) {
        return Err(Failure::usage("'/' is never removed: it is the served directory itself"));
    }
    let mut client = connect(cli)?;
    let mut removal = Removal { cli, args, tally: Tally::of(given.len()) };
    let result = removal.all(&mut client, &given);
    // What is gone is gone for good, whatever became of the rest.
    if removal.tally.done() > 0 && !args.dry_run && result.is_ok() {
        client.flush()?;
    }
    client.bye();
    result?;
    removal.tally.finish()
}

struct Removal<'a> {
    cli: &'a Cli,
    args: &'a RemoveArgs,
    tally: Tally,
}

impl Removal<'_> {
    fn all(&mut self, client: &mut FileClient, given: &[Given]) -> Result<(), Failure> {
        // Every pattern sees what is there before anything goes.
        let mut all = Vec::new();
        for one in given {
            match one.all(client, false) {
                Ok(found) => all.extend(found),
                Err(Failure::NoMatch { .. }) if self.args.force => {}
                Err(failure) => self.tally.fail(failure)?,
            }
        }
        self.tally.expect(all.len());
        // What several patterns match goes once, and what lies below something that goes with all it holds goes with it.
        let mut seen = HashSet::new();
        let mut gone: Option<RemotePath> = None;
        for found in all {
            let is_gone = self.args.recursive && gone.as_ref().is_some_and(|gone| found.path.is_at_or_below(gone));
            if is_gone || !seen.insert(found.path.clone()) {
                continue;
            }
            let result = if self.args.dry_run { self.tell(client, &found) } else { self.remove(client, &found.path) };
            match result {
                Ok((done, failed)) => self.tally.add(done, failed),
                // A pattern saw it, and it went with what was above it.
                Err(failure) if (self.args.force || found.is_match) && failure.is_not_found() => {}
                Err(failure) => self.tally.fail(failure)?,
            }
            gone = Some(found.path);
        }
        Ok(())
    }

    /// Gives how many items are gone, and how many failed and were told.
    fn remove(&self, client: &mut FileClient, path: &RemotePath) -> Result<(u64, u64), Failure> {
        let tell = |gone: &RemotePath| {
            if self.cli.output.verbose > 0 {
                note(format_args!("removed '{gone}'"));
            }
        };
        if !self.args.recursive {
            client.remove(path, None)?;
            tell(path);
            self.tell_json(path, 1)?;
            return Ok((1, 0));
        }
        let done = client.remove_tree_with(path, |gone, _| tell(gone))?;
        let (removed, failed, mut failures) = (done.removed, done.failed, done.failures);
        // The path itself and nothing else: its failure is that of what was named.
        if removed == 0 && failed == 1 && failures.first().is_some_and(|(at, _)| at == path) {
            failures.drain(..).try_for_each(|(_, error)| Err(Failure::from(error)))?;
        }
        self.tell_json(path, removed)?;
        let named = failures.len() as u64;
        failures.into_iter().for_each(|(_, error)| report(&error.into()));
        if failed > named {
            warn(format_args!("{} more items failed below '{path}'", failed - named));
        }
        Ok((removed, failed))
    }

    /// Prints what would go: what a directory holds before itself.
    fn tell(&self, client: &mut FileClient, found: &Found) -> Result<(u64, u64), Failure> {
        let kind = match &found.entry {
            Some(entry) => entry.kind,
            None => client.stat(&found.path)?.kind,
        };
        let mut out = BufWriter::new(stdout());
        let mut items = 1;
        if kind == Kind::Dir {
            // The directories that the listing is in: each is told when it has left it.
            let mut open: Vec<RemotePath> = Vec::new();
            for listed in client.list(&found.path, self.args.recursive) {
                let listed = listed?;
                if !self.args.recursive {
                    let (path, refusal) = (found.path.to_string(), Refusal::new(Code::NotEmpty));
                    return Err(ClientError::Refused { operation: "remove", path, refusal }.into());
                }
                items += 1;
                let path = found
                    .path
                    .join(&listed.name)
                    .map_err(|error| ClientError::Protocol { reason: error.to_string() })?;
                while let Some(emptied) = open.pop_if(|directory| !path.is_at_or_below(directory)) {
                    self.would_go(&mut out, &emptied, Kind::Dir)?;
                }
                match listed.entry.kind {
                    Kind::Dir => open.push(path),
                    kind => self.would_go(&mut out, &path, kind)?,
                }
            }
            open.iter().rev().try_for_each(|path| self.would_go(&mut out, path, Kind::Dir))?;
        }
        self.would_go(&mut out, &found.path, kind)?;
        out.flush()?;
        Ok((items, 0))
    }

    fn would_go(&self, out: &mut impl Write, path: &RemotePath, kind: Kind) -> Result<(), Failure> {
        if self.cli.output.json {
            let (path, kind) = (path.as_str(), kind_name(kind));
            write_json(out, serde_json::json!({ "op": "remove", "path": path, "kind": kind, "dry_run": true }))?;
        } else {
            writeln!(out, "{}", shown(path.as_str()))?;
        }
        Ok(())
    }

    fn tell_json(&self, path: &RemotePath, removed: u64) -> Result<(), Failure> {
        if self.cli.output.json {
            let line = serde_json::json!({ "op": "remove", "path": path.as_str(), "removed": removed });
            write_json(&mut stdout(), line)?;
        }
        Ok(())
    }
}
