//! `remove`: removes files, directories, and matches of patterns.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::RemoteOptions,
    remote_path::{Match, PathArg, named},
    render::{kind_name, note, shown, stdout, warn, write_json},
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
Two arguments, of which the first contains no slash and the second starts with one, are NAME and DIR. Otherwise all \
arguments are paths. / itself cannot be removed. A wildcard does not match a leading dot.

Examples:
  remofile remove /my-os-isos/ubuntu.iso
  remofile remove ubuntu.iso /my-os-isos  the same
  remofile remove -r /photos/2019         a directory and its contents
  remofile remove -n -r '/photos/20*'     dry run
  remofile remove -f /maybe               succeed if it does not exist")]
pub(crate) struct RemoveArgs {
    /// Paths or quoted patterns; or NAME and an absolute DIR
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    /// Remove directories and their contents
    #[arg(short, long)]
    recursive: bool,
    /// Ignore paths that do not exist
    #[arg(short, long)]
    force: bool,
    /// Only print what would be removed
    #[arg(short = 'n', long)]
    dry_run: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &RemoveArgs) -> Result<(), Failure> {
    let arguments = match args.paths.as_slice() {
        [name, directory] if !name.contains('/') && directory.starts_with('/') => {
            vec![PathArg::parse(named(name, Some(directory))?.as_str())?]
        }
        paths => PathArg::parse_all(paths)?,
    };
    if arguments.iter().any(PathArg::is_root) {
        return Err(Failure::usage("cannot remove '/': it is the served directory"));
    }
    let mut client = connect(&args.options)?;
    let mut removal = Removal { args, counter: ItemCounter::new(arguments.len()) };
    let result = removal.all(&mut client, &arguments);
    // Removed items are flushed even if others failed.
    if removal.counter.done() > 0 && !args.dry_run && result.is_ok() {
        client.flush()?;
    }
    client.bye();
    result?;
    removal.counter.finish()
}

struct Removal<'a> {
    args: &'a RemoveArgs,
    counter: ItemCounter,
}

impl Removal<'_> {
    fn all(&mut self, client: &mut FileClient, arguments: &[PathArg]) -> Result<(), Failure> {
        // All patterns are matched before anything is removed.
        let mut all = Vec::new();
        for argument in arguments {
            match argument.all(client, false) {
                Ok(found) => all.extend(found),
                Err(Failure::NoMatch { .. }) if self.args.force => {}
                Err(failure) => self.counter.count_failure(failure)?,
            }
        }
        self.counter.expect(all.len());
        // Each match is removed once; what is below a removed directory went with it.
        let mut seen = HashSet::new();
        let mut gone: Option<RemotePath> = None;
        for found in all {
            let is_gone = self.args.recursive && gone.as_ref().is_some_and(|gone| found.path.is_at_or_below(gone));
            if is_gone || !seen.insert(found.path.clone()) {
                continue;
            }
            let result = if self.args.dry_run { self.plan(client, &found) } else { self.remove(client, &found.path) };
            match result {
                Ok((done, failed)) => self.counter.add(done, failed),
                // A pattern matched it, and it was removed with its parent.
                Err(failure) if (self.args.force || found.is_match) && failure.is_not_found() => {}
                Err(failure) => self.counter.count_failure(failure)?,
            }
            gone = Some(found.path);
        }
        Ok(())
    }

    /// Returns the numbers of items that were removed, and that failed and were reported.
    fn remove(&self, client: &mut FileClient, path: &RemotePath) -> Result<(u64, u64), Failure> {
        let report = |gone: &RemotePath| {
            if self.args.options.output.is_verbose() {
                note(format_args!("removed '{gone}'"));
            }
        };
        if !self.args.recursive {
            client.remove(path, None)?;
            report(path);
            self.print_json(path, 1)?;
            return Ok((1, 0));
        }
        let done = client.remove_tree_with(path, |gone, _| report(gone))?;
        let (removed, failed, mut failures) = (done.removed, done.failed, done.failures);
        // The path itself failed: that is the failure of the argument.
        if removed == 0 && failed == 1 && failures.first().is_some_and(|(at, _)| at == path) {
            failures.drain(..).try_for_each(|(_, error)| Err(Failure::from(error)))?;
        }
        self.print_json(path, removed)?;
        let named = failures.len() as u64;
        failures.into_iter().for_each(|(_, error)| Failure::from(error).print());
        if failed > named {
            warn(format_args!("{} more items failed below '{path}'", failed - named));
        }
        Ok((removed, failed))
    }

    /// Prints what would be removed, the contents of a directory first.
    fn plan(&self, client: &mut FileClient, found: &Match) -> Result<(u64, u64), Failure> {
        let kind = match &found.entry {
            Some(entry) => entry.kind,
            None => client.stat(&found.path)?.kind,
        };
        let mut out = BufWriter::new(stdout());
        let mut items = 1;
        if kind == Kind::Dir {
            // The directories of the current path; each is printed when the listing leaves it.
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
                    self.print_planned(&mut out, &emptied, Kind::Dir)?;
                }
                match listed.entry.kind {
                    Kind::Dir => open.push(path),
                    kind => self.print_planned(&mut out, &path, kind)?,
                }
            }
            open.iter().rev().try_for_each(|path| self.print_planned(&mut out, path, Kind::Dir))?;
        }
        self.print_planned(&mut out, &found.path, kind)?;
        out.flush()?;
        Ok((items, 0))
    }

    fn print_planned(&self, out: &mut impl Write, path: &RemotePath, kind: Kind) -> Result<(), Failure> {
        if self.args.options.output.is_json() {
            let (path, kind) = (path.as_str(), kind_name(kind));
            write_json(out, serde_json::json!({ "op": "remove", "path": path, "kind": kind, "dry_run": true }))?;
        } else {
            writeln!(out, "{}", shown(path.as_str()))?;
        }
        Ok(())
    }

    fn print_json(&self, path: &RemotePath, removed: u64) -> Result<(), Failure> {
        if self.args.options.output.is_json() {
            let line = serde_json::json!({ "op": "remove", "path": path.as_str(), "removed": removed });
            write_json(&mut stdout(), line)?;
        }
        Ok(())
    }
}
