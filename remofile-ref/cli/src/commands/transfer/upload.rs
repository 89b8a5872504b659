//! `upload`: uploads files and directories.

use super::{
    options::{LAST_IS_DESTINATION, TransferFlags, split},
    polled_stdin::PolledStdin,
    report::TransferReport,
    session::{Transfer, lock},
};
use crate::{
    connection::connect,
    failure::Failure,
    options::AllOptions,
    remote_path::{find, parent, remote_path},
    render::escaped,
};
use clap::{Args, ValueHint};
use remofile::client::{ClientError, FileClient, ItemOutcome, TransferItem, TreeTransferred};
use remofile_proto::{Code, Kind, Refusal, RemotePath};
use std::{
    collections::HashSet,
    path::{Path as LocalPath, PathBuf},
};

#[derive(Debug, Args)]
#[command(after_help = "\
If DEST is a directory on the server, the sources are uploaded into it; otherwise a single source is uploaded to DEST. \
Files that exist with the same content are unchanged; others are replaced only with --overwrite or -u. Hidden files and \
empty directories are included. Run the same command again to resume an interrupted transfer.

Examples:
  remofile upload ubuntu.iso /isos
  remofile upload -r photos /                     a directory and its contents
  remofile upload -r -u --exclude '*.tmp' . /backup
  tar cz docs | remofile upload - /docs.tar.gz    a stream of unknown size
  pg_dump db | remofile upload --name db.sql - /backups
  remofile upload --bwlimit 2M big.img /")]
pub(crate) struct UploadArgs {
    /// Local files and directories, or - for standard input, then the destination (/ for a single source)
    #[arg(required = true, value_name = "SRC… [DEST]", value_hint = ValueHint::AnyPath)]
    paths: Vec<String>,
    #[command(flatten)]
    transfer: TransferFlags,
    /// Follow symbolic links in directories
    #[arg(short = 'L', long)]
    follow_links: bool,
    /// File name in DEST for standard input
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    #[command(flatten)]
    pub(crate) options: AllOptions,
}

pub(crate) fn run(args: &UploadArgs) -> Result<(), Failure> {
    let (sources, destination_text) = split(&args.paths, "/");
    let destination = remote_path(destination_text)?;
    let is_stream = sources.iter().any(|source| source == "-");
    if is_stream && sources.len() > 1 {
        return Err(Failure::usage_with(
            "standard input cannot be combined with other sources",
            "use ./- for a file of that name",
        ));
    }
    if args.name.is_some() && !is_stream {
        return Err(Failure::usage_with(
            "--name can only be used with standard input",
            "use `remofile upload SRC /PATH` to rename a file",
        ));
    }
    if is_stream && args.transfer.dry_run {
        return Err(Failure::usage("-n cannot be used with standard input"));
    }
    let mut transfer = Transfer::new(
        args.options.progress.mode(args.options.remote.output.is_quiet()),
        connect(&args.options.remote)?,
    );
    let result = if is_stream {
        stream(args, &mut transfer, &destination)
    } else {
        files(args, &mut transfer, sources, &destination, destination_text)
    };
    transfer.finish(result)
}

fn files(
    args: &UploadArgs,
    transfer: &mut Transfer,
    sources: &[String],
    destination: &RemotePath,
    destination_text: &str,
) -> Result<(), Failure> {
    let client = transfer.client();
    let is_into = find(client, destination)?.is_some_and(|entry| entry.kind == Kind::Dir);
    if !is_into {
        check_new_name(client, sources, destination, destination_text, args.paths.len() > 1)?;
    }
    let filter = args.transfer.filter()?;
    let mut items = Vec::new();
    let mut taken = HashSet::new();
    for source in sources {
        let local = PathBuf::from(source);
        let target = if is_into {
            destination.join(&source_name(&local)?).map_err(|why| bad_name(source, why))?
        } else {
            destination.clone()
        };
        if local.file_name().is_some_and(|name| filter.excludes(LocalPath::new(name), local.is_dir())) {
            continue;
        }
        if !taken.insert(target.clone()) {
            return Err(Failure::usage(format!("several sources have the target '{}'", escaped(target.as_str()))));
        }
        items.push((local, target));
    }
    let options = args.transfer.options(lock(&transfer.screen()).is_shown())?.follow_links(args.follow_links);
    let single = if let [source] = sources { Some(source.clone()) } else { None };
    let mut report = TransferReport::new(&args.options.remote.output, "upload", args.transfer.dry_run, single);
    let done = transfer.items(&mut report, |client, on_item| client.upload_items(&items, &options, on_item))?;
    let (from, to) = match &items[..] {
        [(local, target)] => (local.to_string_lossy().into_owned(), target.to_string()),
        items => (format!("{} sources", items.len()), destination.to_string()),
    };
    report.finish(&from, &to, done, &mut lock(&transfer.screen()))
}

fn stream(args: &UploadArgs, transfer: &mut Transfer, destination: &RemotePath) -> Result<(), Failure> {
    let is_into = find(transfer.client(), destination)?.is_some_and(|entry| entry.kind == Kind::Dir);
    let target = match (&args.name, is_into) {
        (Some(name), true) => destination.join(name).map_err(|why| bad_name(name, why))?,
        (None, true) => {
            return Err(Failure::usage_with(
                format!("standard input needs a file name in '{}'", escaped(destination.as_str())),
                "use --name NAME, or a destination that is not a directory",
            ));
        }
        (Some(_), false) => {
            return Err(Failure::usage_with(
                format!("'{}': not a directory, which --name needs", escaped(destination.as_str())),
                LAST_IS_DESTINATION,
            ));
        }
        (None, false) => destination.clone(),
    };
    let options = args.transfer.options(false)?;
    let mut stdin = PolledStdin::open().map_err(|source| Failure::local("read", "standard input", source))?;
    let mut report = TransferReport::new(&args.options.remote.output, "upload", false, Some("-".to_owned()));
    let screen = transfer.screen();
    lock(&screen).begin_stream();
    let done = transfer.client().upload_from(&mut stdin, &target, &options);
    let done = transfer.ended(done)?;
    let mut totals = TreeTransferred::default();
    totals.bytes = done.bytes;
    let outcome = ItemOutcome::Done(done);
    let mut screen = lock(&screen);
    report.on_item(&TransferItem::new(LocalPath::new("-"), target.as_str(), outcome), &mut screen);
    screen.flush_lines().map_err(Failure::Output)?;
    report.finish("-", target.as_str(), totals, &mut screen)
}

/// Rejects a destination that does not exist and cannot be created, and one that is a local file.
fn check_new_name(
    client: &mut FileClient,
    sources: &[String],
    destination: &RemotePath,
    text: &str,
    is_given: bool,
) -> Result<(), Failure> {
    let is_local = is_given && !text.starts_with('/') && LocalPath::new(text).exists();
    let shown = escaped(text);
    if sources.len() > 1 {
        let hint = if is_local {
            format!("{LAST_IS_DESTINATION}; to upload '{shown}' too, add a directory on the server: `… {shown} /`")
        } else {
            format!("{LAST_IS_DESTINATION}; `remofile directory '{}'` creates it", escaped(destination.as_str()))
        };
        return Err(Failure::usage_with(
            format!("'{shown}': not a directory on the server, which several sources need"),
            hint,
        ));
    }
    if is_local {
        return Err(Failure::usage_with(
            format!("'{shown}' is a local file: {LAST_IS_DESTINATION}"),
            format!("to upload both, use `… {shown} /`; to upload to that name, use `… /{shown}`"),
        ));
    }
    let Some(directory) = parent(destination) else { return Ok(()) };
    let kind = find(client, &directory)?.map(|entry| entry.kind);
    let code = match kind {
        Some(Kind::Dir) => return Ok(()),
        Some(_) => Code::NotDir,
        None => Code::NotFound,
    };
    let refusal = Refusal::new(code);
    Err(ClientError::Refused { operation: "upload", path: directory.to_string(), refusal }.into())
}

/// The file name of a source; `.` and `..` are resolved.
fn source_name(local: &LocalPath) -> Result<String, Failure> {
    let name = match local.file_name() {
        Some(name) => Some(name.to_owned()),
        None => local.canonicalize().ok().and_then(|whole| whole.file_name().map(ToOwned::to_owned)),
    };
    let name = name.ok_or_else(|| {
        Failure::usage_with(
            format!("'{}' has no file name", escaped(&local.to_string_lossy())),
            "specify the target: remofile upload SRC /NAME",
        )
    })?;
    name.into_string().map_err(|name| {
        Failure::usage_with(
            format!("the name of '{}' is not UTF-8", escaped(&name.to_string_lossy())),
            "specify the target: remofile upload SRC /NAME",
        )
    })
}

fn bad_name(name: &str, why: remofile_proto::PathError) -> Failure {
    Failure::BadPath { path: name.to_owned(), why }
}
