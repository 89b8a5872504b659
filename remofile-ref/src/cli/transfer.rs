//! `upload` and `download`.

use super::{
    args::Cli,
    connection::{connect, remote_path},
    entries::summed_up,
    failure::Failure,
    output::{JSON_SCHEMA, escaped, human_size},
};
use crate::client::{FileClient, TransferStatus, Transferred, TreeTransferred};
use clap::Args;
use remofile_proto::{Kind, Path, Precondition};
use std::{
    io::Write as _,
    path::{Path as LocalPath, PathBuf},
};

#[derive(Debug, Args)]
pub(crate) struct TransferArgs {
    /// Sources, then the destination; with one argument the destination is / (upload) or . (download)
    #[arg(required = true, value_name = "SRC… [DEST]")]
    pub(crate) paths: Vec<String>,
    /// Directories with all they hold; links and special files are skipped
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Replace existing files
    #[arg(long)]
    pub(crate) overwrite: bool,
}

pub(crate) fn upload(cli: &Cli, args: &TransferArgs) -> Result<(), Failure> {
    let (sources, destination) = split(&args.paths, "/");
    let destination = remote_path(destination)?;
    let mut client = connect(cli)?;
    let into = match client.stat(&destination) {
        Ok(entry) => entry.kind == Kind::Dir,
        Err(error) if error.is_not_found() => false,
        Err(error) => return Err(error.into()),
    };
    if !into && sources.len() > 1 {
        return Err(not_a_directory(destination.as_str()));
    }
    let mut failures = Vec::new();
    for source in sources {
        if let Err(failure) = upload_one(cli, args, &mut client, source, &destination, into) {
            failures.push(failure);
        }
    }
    client.bye();
    summed_up(failures, sources.len())
}

pub(crate) fn download(cli: &Cli, args: &TransferArgs) -> Result<(), Failure> {
    let (sources, destination) = split(&args.paths, ".");
    let destination = LocalPath::new(destination);
    let into = destination.is_dir();
    if !into && sources.len() > 1 {
        return Err(not_a_directory(&destination.display().to_string()));
    }
    let mut client = connect(cli)?;
    let mut failures = Vec::new();
    for source in sources {
        if let Err(failure) = download_one(cli, args, &mut client, source, destination, into) {
            failures.push(failure);
        }
    }
    client.bye();
    summed_up(failures, sources.len())
}

fn upload_one(
    cli: &Cli,
    args: &TransferArgs,
    client: &mut FileClient,
    source: &str,
    destination: &Path,
    into: bool,
) -> Result<(), Failure> {
    let local = LocalPath::new(source);
    let target = if into {
        let name = local
            .file_name()
            .ok_or_else(|| Failure::usage(format!("'{source}' has no file name to upload it under")))?
            .to_str()
            .ok_or_else(|| {
                Failure::usage_with(
                    format!("the name of '{}' is not UTF-8", local.display()),
                    "name the target: remofile upload SRC /NAME",
                )
            })?;
        destination.join(name).map_err(|why| Failure::BadPath { path: name.to_owned(), why })?
    } else {
        destination.clone()
    };
    if args.recursive && local.is_dir() {
        let done = client.upload_tree(local, &target, args.overwrite)?;
        return say_tree(cli, "upload", source, target.as_str(), done);
    }
    let pre = if args.overwrite { Precondition::Any } else { Precondition::Absent };
    let done = client.upload_file(local, &target, pre)?;
    say(cli, "upload", source, target.as_str(), &done)
}

fn download_one(
    cli: &Cli,
    args: &TransferArgs,
    client: &mut FileClient,
    source: &str,
    destination: &LocalPath,
    into: bool,
) -> Result<(), Failure> {
    let remote = remote_path(source)?;
    let local: PathBuf = match (into, remote.split_last()) {
        (true, Some((_, name))) => destination.join(name),
        (true, None) if !args.recursive => {
            return Err(Failure::usage("'/' is a directory: name a file to download, or use -r"));
        }
        (true, None) | (false, _) => destination.to_owned(),
    };
    if args.recursive && client.stat(&remote)?.kind == Kind::Dir {
        let done = client.download_tree(&remote, &local, args.overwrite)?;
        return say_tree(cli, "download", remote.as_str(), &local.display().to_string(), done);
    }
    let done = client.download_file(&remote, &local, args.overwrite)?;
    say(cli, "download", remote.as_str(), &local.display().to_string(), &done)
}

/// Says what became of a directory; fails where some of its items failed.
fn say_tree(cli: &Cli, operation: &str, from: &str, to: &str, done: TreeTransferred) -> Result<(), Failure> {
    if cli.output.json {
        let line = serde_json::json!({
            "schema": JSON_SCHEMA, "op": operation, "path": to, "source": from, "files": done.files,
            "unchanged": done.unchanged, "directories": done.directories, "skipped": done.skipped,
            "failed": done.failed, "bytes": done.bytes, "sent": done.transferred,
        });
        writeln!(std::io::stdout(), "{line}")?;
    } else if !cli.output.quiet {
        anstream::eprintln!(
            "{} -> {} ({}, {} files, {} unchanged, {} directories, {} skipped)",
            escaped(from),
            escaped(to),
            human_size(done.bytes),
            done.files,
            done.unchanged,
            done.directories,
            done.skipped
        );
    }
    if done.failed == 0 {
        return Ok(());
    }
    for (path, error) in done.failures {
        anstream::eprintln!("remofile: error: '{}': {}", escaped(&path), escaped(&Failure::from(error).to_string()));
    }
    let total = done.failed + done.files + done.unchanged;
    Err(Failure::Some { failed: done.failed, total })
}

/// All but the last are sources; one alone is a source.
fn split<'a>(paths: &'a [String], default: &'a str) -> (&'a [String], &'a str) {
    match paths {
        [sources @ .., destination] if !sources.is_empty() => (sources, destination),
        sources => (sources, default),
    }
}

fn not_a_directory(destination: &str) -> Failure {
    Failure::usage_with(
        format!("several sources need a directory to go into, and '{}' is none", escaped(destination)),
        "the last argument is the destination",
    )
}

fn say(cli: &Cli, operation: &str, from: &str, to: &str, done: &Transferred) -> Result<(), Failure> {
    let status = match done.status {
        TransferStatus::New => "new",
        TransferStatus::Resumed => "resumed",
        TransferStatus::Unchanged => "unchanged",
        TransferStatus::Newer => "newer",
    };
    if cli.output.json {
        let line = serde_json::json!({
            "schema": JSON_SCHEMA, "op": operation, "path": to, "source": from, "status": status,
            "bytes": done.bytes, "sent": done.transferred,
        });
        writeln!(std::io::stdout(), "{line}")?;
    } else if !cli.output.quiet {
        anstream::eprintln!("{} -> {} ({}, {status})", escaped(from), escaped(to), human_size(done.bytes));
    }
    Ok(())
}
