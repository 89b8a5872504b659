//! `download`: downloads files and directories.

use super::{
    options::{LAST_IS_DESTINATION, TransferFlags, split},
    report::TransferReport,
    session::{Transfer, lock},
};
use crate::{
    cancel::signalled,
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::AllOptions,
    remote_path::{Match, PathArg},
    render::{JSON_SCHEMA, escaped, is_terminal, print_message},
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

/// The largest number of matches; more are a case for -r.
const MATCHES_MAX: usize = 100_000;

#[derive(Debug, Args)]
#[command(after_help = "\
If DEST is a local directory, the sources are downloaded into it; otherwise a single source is downloaded to DEST. Files \
that exist with the same content are unchanged; others are replaced only with --overwrite or -u. Run the same command \
again to resume an interrupted transfer.

Examples:
  remofile download /isos/ubuntu.iso
  remofile download -r /photos ~/pictures         a directory and its contents
  remofile download '/logs/*.log' logs            all matches of a pattern
  remofile download -r -n --exclude '*.tmp' /backup .
  remofile download /docs.tar.gz - | tar tz       to standard output")]
pub(crate) struct DownloadArgs {
    /// Paths or quoted patterns on the server, then the destination (. for a single path; - is standard output)
    #[arg(required = true, value_name = "SRC… [DEST]", value_hint = ValueHint::AnyPath)]
    paths: Vec<String>,
    #[command(flatten)]
    transfer: TransferFlags,
    #[command(flatten)]
    pub(crate) options: AllOptions,
}

pub(crate) fn run(args: &DownloadArgs) -> Result<(), Failure> {
    let (sources, destination) = split(&args.paths, ".");
    let arguments = PathArg::parse_all(sources)?;
    let is_stream = destination == "-";
    if is_stream && args.transfer.dry_run {
        return Err(Failure::usage("-n cannot be used with standard output"));
    }
    if is_stream && is_terminal() {
        return Err(Failure::usage_with(
            "will not write file contents to a terminal",
            "redirect standard output, or use `remofile cat`, which escapes control characters",
        ));
    }
    let mut transfer = Transfer::new(
        args.options.progress.mode(args.options.remote.output.is_quiet()),
        connect(&args.options.remote)?,
    );
    let result = if is_stream {
        streams(args, &mut transfer, &arguments)
    } else {
        files(args, &mut transfer, &arguments, LocalPath::new(destination))
    };
    transfer.finish(result)
}

fn files(
    args: &DownloadArgs,
    transfer: &mut Transfer,
    arguments: &[PathArg],
    destination: &LocalPath,
) -> Result<(), Failure> {
    let mut counter = ItemCounter::new(arguments.len());
    let found = expand(transfer.client(), arguments, &mut counter)?;
    if found.is_empty() {
        return counter.finish();
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
                return Err(Failure::usage("'/' is a directory: specify a file, or use -r"));
            }
            _ => destination.to_owned(),
        };
        if !taken.insert(local.clone()) {
            let shown = escaped(&local.to_string_lossy());
            return Err(Failure::usage(format!("several sources have the target '{shown}'")));
        }
        items.push((source.path.clone(), local));
    }
    let single = if found.len() == 1 && arguments.len() == 1 { Some(found[0].path.to_string()) } else { None };
    let options = args.transfer.options(lock(&transfer.screen()).is_shown())?;
    let mut report = TransferReport::new(&args.options.remote.output, "download", args.transfer.dry_run, single);
    let done = transfer.items(&mut report, |client, on_item| client.download_items(&items, &options, on_item))?;
    let (from, to) = match &items[..] {
        [(remote, local)] => (remote.to_string(), local.to_string_lossy().into_owned()),
        items => (format!("{} sources", items.len()), destination.to_string_lossy().into_owned()),
    };
    let (succeeded, failed) = (done.files + done.unchanged + done.newer, done.failed);
    let result = report.finish(&from, &to, done, &mut lock(&transfer.screen()));
    if counter.has_failed() {
        counter.add(succeeded, failed);
        return counter.finish();
    }
    result
}

fn streams(args: &DownloadArgs, transfer: &mut Transfer, arguments: &[PathArg]) -> Result<(), Failure> {
    lock(&transfer.screen()).begin_stream();
    let mut counter = ItemCounter::new(arguments.len());
    let found = expand(transfer.client(), arguments, &mut counter)?;
    let options = args.transfer.options(false)?;
    // Not through the line buffer of the standard library, which searches every byte.
    let mut out = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    for source in &found {
        let done = transfer.client().download_to(&source.path, &mut out, &options);
        let done = match done {
            // A reader of standard output may close it early, as with the output of any command.
            Err(ClientError::Local { path, source }) if path.as_os_str() == "-" => {
                return transfer.ended(Ok(())).and(Err(Failure::Output(source)));
            }
            // The rest would be appended to an incomplete file.
            Err(error @ (ClientError::SourceChanged { .. } | ClientError::NotVerified { .. })) => {
                return transfer.ended(Err(error));
            }
            Err(error) if signalled().is_some() => return transfer.ended(Err(error)),
            done => counter.count(done.map_err(Failure::from))?,
        };
        if let Some(done) = done
            && args.options.remote.output.is_json()
        {
            print_message(serde_json::json!({
                "schema": JSON_SCHEMA, "op": "download", "path": "-", "source": source.path.as_str(), "status": "new",
                "bytes": done.bytes, "sent": done.transferred,
            }));
        }
    }
    transfer.ended(Ok(()))?;
    counter.finish()
}

/// Expands patterns.
fn expand(client: &mut FileClient, arguments: &[PathArg], counter: &mut ItemCounter) -> Result<Vec<Match>, Failure> {
    let mut all = Vec::new();
    for argument in arguments {
        let result = argument.each(client, false, |found| {
            if all.len() == MATCHES_MAX {
                return Err(Failure::usage_with(
                    format!("'{}' matches more than {MATCHES_MAX} items", escaped(argument.text())),
                    "download their directory with -r, and use --exclude",
                ));
            }
            all.push(found);
            Ok(())
        });
        counter.count(result)?;
    }
    counter.reset_done();
    counter.expect(all.len());
    Ok(all)
}

/// Rejects a destination that does not exist and cannot be created.
fn check_new_name(found: &[Match], destination: &LocalPath) -> Result<(), Failure> {
    let shown = escaped(&destination.to_string_lossy());
    if found.len() > 1 {
        return Err(Failure::usage_with(
            format!("'{shown}': not a local directory, which several sources need"),
            format!("{LAST_IS_DESTINATION}; `mkdir` creates it"),
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
        hint: "the last argument is the destination; its parent directory must exist",
    }
}
