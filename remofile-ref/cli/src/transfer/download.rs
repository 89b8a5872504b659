//! `download`: from the served directory to here.

use super::{LAST_IS_DESTINATION, Transfer, TransferArgs, lock, report::Report, split};
use crate::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{JSON_SCHEMA, escaped, is_terminal, tell},
    remote::{Found, Given},
    tally::Tally,
};
use clap::{Args, ValueHint};
use remofile::client::{ClientError, FileClient};
use remofile_proto::Kind;
use std::{
    collections::HashSet,
    fs::File,
    io,
    os::fd::AsFd as _,
    path::{Path as LocalPath, PathBuf},
};

/// A pattern that matches more than this is a tree.
const MATCHES_MAX: usize = 100_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Into DEST if that is a directory here, else to that very path, whose directory must exist; several sources need a \
directory. What broke off is continued by the same command; what is there already with the same content is unchanged; \
other content is refused unless --overwrite or -u is given. With -n the plan is printed, and nothing changed.

Examples:
  remofile download /isos/ubuntu.iso
  remofile download -r /photos ~/pictures         a directory with all it holds
  remofile download '/logs/*.log' logs            what a pattern matches
  remofile download -r -n --exclude '*.tmp' /backup .
  remofile download /docs.tar.gz - | tar tz       to standard output")]
pub(crate) struct DownloadArgs {
    /// Paths or quoted patterns of the server; then the destination, . if there is but one; - is standard output
    #[arg(required = true, value_name = "SRC… [DEST]", value_hint = ValueHint::AnyPath)]
    paths: Vec<String>,
    #[command(flatten)]
    transfer: TransferArgs,
}

pub(crate) fn run(cli: &Cli, args: &DownloadArgs) -> Result<(), Failure> {
    let (sources, destination) = split(&args.paths, ".");
    let given = Given::parse_all(sources)?;
    let is_stream = destination == "-";
    if is_stream && args.transfer.dry_run {
        return Err(Failure::usage("-n has nothing to plan for standard output"));
    }
    if is_stream && is_terminal() {
        return Err(Failure::usage_with(
            "will not write the bytes of a file to a terminal",
            "send them to a file or a pipe, or use `remofile cat`, which escapes what could harm a terminal",
        ));
    }
    let mut transfer = Transfer::watched(cli, connect(cli)?);
    let result = if is_stream {
        streams(cli, args, &mut transfer, &given)
    } else {
        files(cli, args, &mut transfer, &given, LocalPath::new(destination))
    };
    transfer.finish(result)
}

fn files(
    cli: &Cli,
    args: &DownloadArgs,
    transfer: &mut Transfer,
    given: &[Given],
    destination: &LocalPath,
) -> Result<(), Failure> {
    let mut tally = Tally::of(given.len());
    let found = expanded(transfer.client(), given, &mut tally)?;
    if found.is_empty() {
        return tally.finish();
    }
    let is_into = destination.is_dir();
    if !is_into {
        check_new_name(&found, destination)?;
    }
    let filter = args.transfer.filter()?;
    let mut items = Vec::new();
    let mut taken = HashSet::new();
    for source in &found {
        let is_directory = source.entry.as_ref().is_some_and(|entry| entry.kind == Kind::Dir);
        let local: PathBuf = match (is_into, source.path.split_last()) {
            (_, Some((_, name))) if filter.excludes(LocalPath::new(name), is_directory) => continue,
            (true, Some((_, name))) => destination.join(name),
            (true, None) if !args.transfer.recursive => {
                return Err(Failure::usage("'/' is a directory: name a file to download, or use -r"));
            }
            _ => destination.to_owned(),
        };
        if !taken.insert(local.clone()) {
            let shown = escaped(&local.to_string_lossy());
            return Err(Failure::usage(format!("several sources would go to '{shown}'")));
        }
        items.push((source.path.clone(), local));
    }
    let alone = if found.len() == 1 && given.len() == 1 { Some(found[0].path.to_string()) } else { None };
    let options = args.transfer.options(lock(&transfer.screen).shows())?;
    let mut report = Report::new(cli, "download", args.transfer.dry_run, alone);
    let done = transfer.items(&mut report, |client, on_item| client.download_items(&items, &options, on_item))?;
    let (from, to) = match &items[..] {
        [(remote, local)] => (remote.to_string(), local.to_string_lossy().into_owned()),
        items => (format!("{} sources", items.len()), destination.to_string_lossy().into_owned()),
    };
    let (succeeded, failed) = (done.files + done.unchanged + done.newer, done.failed);
    let result = report.finish(&from, &to, done, &mut lock(&transfer.screen));
    if tally.has_failed() {
        tally.add(succeeded, failed);
        return tally.finish();
    }
    result
}

fn streams(cli: &Cli, args: &DownloadArgs, transfer: &mut Transfer, given: &[Given]) -> Result<(), Failure> {
    lock(&transfer.screen).begin_stream();
    let mut tally = Tally::of(given.len());
    let found = expanded(transfer.client(), given, &mut tally)?;
    let options = args.transfer.options(false)?;
    // Without the line buffer of the standard library, which would look at every byte.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    for source in &found {
        let done = transfer.client().download_to(&source.path, &mut out, &options);
        let done = match done {
            // What goes to standard output is like any other output of a command: a reader may have seen enough.
            Err(ClientError::Local { path, source }) if path.as_os_str() == "-" => {
                return transfer.ended(Ok(())).and(Err(Failure::Output(source)));
            }
            // What is behind a piece that is missing would seem to belong to what is in front.
            Err(error @ (ClientError::SourceChanged { .. } | ClientError::NotVerified { .. })) => {
                return transfer.ended(Err(error));
            }
            Err(error) if crate::cancel::signalled().is_some() => return transfer.ended(Err(error)),
            done => tally.note(done.map_err(Failure::from))?,
        };
        if let Some(done) = done
            && cli.output.json
        {
            tell(serde_json::json!({
                "schema": JSON_SCHEMA, "op": "download", "path": "-", "source": source.path.as_str(), "status": "new",
                "bytes": done.bytes, "sent": done.transferred,
            }));
        }
    }
    transfer.ended(Ok(()))?;
    tally.finish()
}

/// What the sources stand for.
fn expanded(client: &mut FileClient, given: &[Given], tally: &mut Tally) -> Result<Vec<Found>, Failure> {
    let mut all = Vec::new();
    for one in given {
        let result = one.each(client, false, |found| {
            if all.len() == MATCHES_MAX {
                return Err(Failure::usage_with(
                    format!("'{}' stands for more than {MATCHES_MAX} items", escaped(one.text())),
                    "download their directory with -r, and leave out what is not wanted with --exclude",
                ));
            }
            all.push(found);
            Ok(())
        });
        tally.note(result)?;
    }
    tally.forget_done();
    tally.expect(all.len());
    Ok(all)
}

/// Refuses a destination under which nothing can go.
fn check_new_name(found: &[Found], destination: &LocalPath) -> Result<(), Failure> {
    let shown = escaped(&destination.to_string_lossy());
    if found.len() > 1 {
        return Err(Failure::usage_with(
            format!("several sources need a directory to go into, and '{shown}' is none here"),
            format!("{LAST_IS_DESTINATION}; `mkdir` makes one"),
        ));
    }
    let directory = destination.parent().filter(|parent| !parent.as_os_str().is_empty());
    let Some(directory) = directory else { return Ok(()) };
    match directory.metadata() {
        Ok(found) if found.is_dir() => Ok(()),
        Ok(_) => Err(missing(directory, io::ErrorKind::NotADirectory.into())),
        Err(error) => Err(missing(directory, error)),
    }
}

fn missing(directory: &LocalPath, error: io::Error) -> Failure {
    Failure::Missing {
        error: ClientError::Local { path: directory.to_owned(), source: error },
        hint: "the last argument is the destination, and its directory must exist here",
    }
}
