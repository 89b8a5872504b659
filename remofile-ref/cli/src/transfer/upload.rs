//! `upload`: from here into the served directory.

use super::{LAST_IS_DESTINATION, Transfer, TransferArgs, lock, report::Report, split, streams::PolledStdin};
use crate::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::escaped,
    remote::{look, parent, remote_path},
};
use clap::{Args, ValueHint};
use remofile::client::{ClientError, FileClient, ItemOutcome, TransferItem, TreeTransferred};
use remofile_proto::{Code, Kind, Refusal, RemotePath};
use std::{
    collections::HashSet,
    path::{Path as LocalPath, PathBuf},
    sync::Arc,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Into DEST if that is a directory of the server, else to that very path, whose directory must exist; several sources \
need a directory. What broke off is continued by the same command; what is there already with the same content is \
unchanged; other content is refused unless --overwrite or -u is given. Hidden files and empty directories are included. \
With -n the plan is printed, and nothing changed.

Examples:
  remofile upload ubuntu.iso /isos
  remofile upload -r photos /                     a directory with all it holds
  remofile upload -r -u --exclude '*.tmp' . /backup
  tar cz docs | remofile upload - /docs.tar.gz    a stream, of whatever size
  pg_dump db | remofile upload --name db.sql - /backups
  remofile upload --bwlimit 2M big.img /")]
pub(crate) struct UploadArgs {
    /// Files and directories of this machine, or - for standard input; then the destination, / if there is but one
    #[arg(required = true, value_name = "SRC… [DEST]", value_hint = ValueHint::AnyPath)]
    paths: Vec<String>,
    #[command(flatten)]
    transfer: TransferArgs,
    /// Follow symbolic links in directories
    #[arg(short = 'L', long)]
    follow_links: bool,
    /// What standard input is called in the directory DEST
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
}

pub(crate) fn run(cli: &Cli, args: &UploadArgs) -> Result<(), Failure> {
    let (sources, destination_text) = split(&args.paths, "/");
    let destination = remote_path(destination_text)?;
    let is_stream = sources.iter().any(|source| source == "-");
    if is_stream && sources.len() > 1 {
        return Err(Failure::usage_with("standard input goes alone", "a file of that name is ./-"));
    }
    if args.name.is_some() && !is_stream {
        return Err(Failure::usage_with("--name is for standard input", "upload SRC /PATH gives a file another name"));
    }
    if is_stream && args.transfer.dry_run {
        return Err(Failure::usage("-n cannot tell what standard input will hold"));
    }
    let mut transfer = Transfer::watched(cli, connect(cli)?);
    let result = if is_stream {
        stream(cli, args, &mut transfer, &destination)
    } else {
        files(cli, args, &mut transfer, sources, &destination, destination_text)
    };
    transfer.finish(result)
}

fn files(
    cli: &Cli,
    args: &UploadArgs,
    transfer: &mut Transfer,
    sources: &[String],
    destination: &RemotePath,
    destination_text: &str,
) -> Result<(), Failure> {
    let client = transfer.client();
    let is_into = look(client, destination)?.is_some_and(|entry| entry.kind == Kind::Dir);
    if !is_into {
        check_new_name(client, sources, destination, destination_text, args.paths.len() > 1)?;
    }
    let filter = args.transfer.filter()?;
    let mut items = Vec::new();
    let mut taken = HashSet::new();
    for source in sources {
        let local = PathBuf::from(source);
        let target = if is_into {
            destination.join(&own_name(&local)?).map_err(|why| bad_name(source, why))?
        } else {
            destination.clone()
        };
        if local.file_name().is_some_and(|name| filter.excludes(LocalPath::new(name), local.is_dir())) {
            continue;
        }
        if !taken.insert(target.clone()) {
            return Err(Failure::usage(format!("several sources would go to '{}'", escaped(target.as_str()))));
        }
        items.push((local, target));
    }
    let options = args.transfer.options(lock(&transfer.screen).shows())?.follow_links(args.follow_links);
    let alone = if let [source] = sources { Some(source.clone()) } else { None };
    let mut report = Report::new(cli, "upload", args.transfer.dry_run, alone);
    let done = transfer.items(&mut report, |client, on_item| client.upload_items(&items, &options, on_item))?;
    let (from, to) = match &items[..] {
        [(local, target)] => (local.to_string_lossy().into_owned(), target.to_string()),
        items => (format!("{} sources", items.len()), destination.to_string()),
    };
    report.finish(&from, &to, done, &mut lock(&transfer.screen))
}

fn stream(cli: &Cli, args: &UploadArgs, transfer: &mut Transfer, destination: &RemotePath) -> Result<(), Failure> {
    let is_into = look(transfer.client(), destination)?.is_some_and(|entry| entry.kind == Kind::Dir);
    let target = match (&args.name, is_into) {
        (Some(name), true) => destination.join(name).map_err(|why| bad_name(name, why))?,
        (None, true) => {
            return Err(Failure::usage_with(
                format!("standard input has no name to go under in '{}'", escaped(destination.as_str())),
                "give one: --name NAME, or a destination that is no directory",
            ));
        }
        (Some(_), false) => {
            return Err(Failure::usage_with(
                format!("'{}' is no directory for --name to be in", escaped(destination.as_str())),
                LAST_IS_DESTINATION,
            ));
        }
        (None, false) => destination.clone(),
    };
    let options = args.transfer.options(false)?;
    let mut stdin = PolledStdin::open().map_err(|source| Failure::Local {
        what: "read",
        object: "standard input".to_owned(),
        source,
    })?;
    let mut report = Report::new(cli, "upload", false, Some("-".to_owned()));
    let screen = Arc::clone(&transfer.screen);
    lock(&screen).begin_stream();
    let done = transfer.client().upload_from(&mut stdin, &target, &options);
    let done = transfer.ended(done)?;
    let mut totals = TreeTransferred::default();
    totals.bytes = done.bytes;
    let outcome = ItemOutcome::Done(done);
    let mut screen = lock(&screen);
    report.on_item(&TransferItem::new(LocalPath::new("-"), target.as_str(), outcome), &mut screen);
    screen.flush_lines()?;
    report.finish("-", target.as_str(), totals, &mut screen)
}

/// Refuses a destination under which nothing can go, and one that seems to be no destination.
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
            format!(
                "{LAST_IS_DESTINATION}; to upload '{shown}' too, put a directory of the server behind it: `… {shown} /`"
            )
        } else {
            format!("{LAST_IS_DESTINATION}; `remofile directory '{}'` makes one", escaped(destination.as_str()))
        };
        return Err(Failure::usage_with(
            format!("several sources need a directory to go into, and '{shown}' is none on the server"),
            hint,
        ));
    }
    if is_local {
        return Err(Failure::usage_with(
            format!("'{shown}' is the destination, and a file of this machine: {LAST_IS_DESTINATION}"),
            format!("to upload both: `… {shown} /`; to upload under that name: `… /{shown}`"),
        ));
    }
    let Some(directory) = parent(destination) else { return Ok(()) };
    let kind = look(client, &directory)?.map(|entry| entry.kind);
    let code = match kind {
        Some(Kind::Dir) => return Ok(()),
        Some(_) => Code::NotDir,
        None => Code::NotFound,
    };
    let refusal = Refusal::new(code);
    Err(ClientError::Refused { operation: "upload", path: directory.to_string(), refusal }.into())
}

/// The name that a source has, `.` and `..` looked up.
fn own_name(local: &LocalPath) -> Result<String, Failure> {
    let name = match local.file_name() {
        Some(name) => Some(name.to_owned()),
        None => local.canonicalize().ok().and_then(|whole| whole.file_name().map(ToOwned::to_owned)),
    };
    let name = name.ok_or_else(|| {
        Failure::usage_with(
            format!("'{}' has no name to be uploaded under", escaped(&local.to_string_lossy())),
            "name the target: remofile upload SRC /NAME",
        )
    })?;
    name.into_string().map_err(|name| {
        Failure::usage_with(
            format!("the name of '{}' is not UTF-8", escaped(&name.to_string_lossy())),
            "name the target: remofile upload SRC /NAME",
        )
    })
}

fn bad_name(name: &str, why: remofile_proto::PathError) -> Failure {
    Failure::BadPath { path: name.to_owned(), why }
}
