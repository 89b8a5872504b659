//! `move` and `copy`: within the server, without a transfer.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::{OutputOptions, RemoteOptions},
    remote_path::{Match, PathArg, remote_path, targets},
    render::{note, stdout, warn, write_json},
};
use clap::Args;
use remofile::client::{ClientError, FileClient, TreeTransferred};
use remofile_proto::{Code, Kind, Precondition, RemotePath};

#[derive(Debug, Args)]
#[command(after_help = "\
If DEST is a directory, the sources are moved into it; otherwise a single source is renamed to DEST.

Examples:
  remofile move /draft.txt /final.txt     rename a file
  remofile move /a.jpg /b.jpg /photos     move into the directory /photos
  remofile move '/inbox/*.pdf' /archive
  remofile move --overwrite /new /current")]
pub(crate) struct MoveArgs {
    /// Paths or quoted patterns, then the destination
    #[arg(required = true, num_args = 2.., value_name = "SRC… DEST")]
    paths: Vec<String>,
    /// Replace existing files, but not directories
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

#[derive(Debug, Args)]
#[command(after_help = "\
If DEST is a directory, the sources are copied into it; otherwise a single source is copied to DEST. Modification times \
are preserved. Files that exist with the same content are unchanged: run the same command again to resume an interrupted \
copy. Symbolic links and special files are skipped.

Examples:
  remofile copy /report.txt /report.old
  remofile copy -r /photos /backup        to /backup/photos, if /backup is a directory
  remofile copy '/*.iso' /isos")]
pub(crate) struct CopyArgs {
    /// Paths or quoted patterns, then the destination
    #[arg(required = true, num_args = 2.., value_name = "SRC… DEST")]
    paths: Vec<String>,
    /// Copy directories and their contents
    #[arg(short, long)]
    recursive: bool,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn rename(args: &MoveArgs) -> Result<(), Failure> {
    let (pre, output) = (precondition(args.overwrite), &args.options.output);
    for_each_source(&args.options, &args.paths, |client, from, to| {
        client.rename(&from.path, to, pre.clone(), None).map_err(|error| naming_both(error, to))?;
        print_result(output, "move", &from.path, to, serde_json::json!({ "status": "moved" }))?;
        Ok((1, 0))
    })
}

pub(crate) fn copy(args: &CopyArgs) -> Result<(), Failure> {
    let output = &args.options.output;
    for_each_source(&args.options, &args.paths, |client, from, to| {
        let is_directory = args.recursive
            && match &from.entry {
                Some(entry) => entry.kind == Kind::Dir,
                None => client.stat(&from.path)?.kind == Kind::Dir,
            };
        if is_directory {
            let done = client.copy_tree(&from.path, to, args.overwrite).map_err(|error| naming_both(error, to))?;
            return print_tree_result(output, &from.path, to, done);
        }
        let status = match client.copy(&from.path, to, precondition(args.overwrite), None) {
            Err(error) if error.is_exists() && is_same(client, &from.path, to)? => "unchanged",
            result => result.map(|_| "new").map_err(|error| naming_both(error, to))?,
        };
        print_result(output, "copy", &from.path, to, serde_json::json!({ "status": status }))?;
        Ok((1, 0))
    })
}

/// Calls `act` for each source and its target; `act` returns the numbers of items that succeeded, and that failed and
/// were reported.
fn for_each_source(
    options: &RemoteOptions,
    paths: &[String],
    mut act: impl FnMut(&mut FileClient, &Match, &RemotePath) -> Result<(u64, u64), Failure>,
) -> Result<(), Failure> {
    let Some((destination, sources)) = paths.split_last() else {
        return Err(Failure::usage("SRC and DEST are required"));
    };
    let arguments = PathArg::parse_all(sources)?;
    let destination = remote_path(destination)?;
    let mut client = connect(options)?;
    let mut counter = ItemCounter::new(arguments.len());
    let mut found = Vec::new();
    for argument in &arguments {
        match argument.all(&mut client, false) {
            Ok(all) => found.extend(all),
            Err(failure) => counter.count_failure(failure)?,
        }
    }
    counter.expect(found.len());
    if !found.is_empty() {
        let targets = targets(&mut client, &found, &destination)?;
        for (from, to) in found.iter().zip(&targets) {
            match act(&mut client, from, to) {
                Ok((done, failed)) => counter.add(done, failed),
                Err(failure) => counter.count_failure(failure)?,
            }
        }
    }
    if counter.done() > 0 {
        client.flush()?;
    }
    client.bye();
    counter.finish()
}

/// Adds the target to the path of a refusal, which may concern either.
fn naming_both(error: ClientError, to: &RemotePath) -> ClientError {
    match error {
        ClientError::Refused { operation, path, refusal } if refusal.code != Code::NotFound => {
            ClientError::Refused { operation, path: format!("{path}' to '{to}"), refusal }
        }
        error => error,
    }
}

/// Whether two paths are files with the same content.
fn is_same(client: &mut FileClient, one: &RemotePath, other: &RemotePath) -> Result<bool, ClientError> {
    let hash = |path| match client.hash(path) {
        Ok(hashed) => Ok(Some(hashed.hash)),
        Err(ClientError::Refused { .. }) => Ok(None),
        Err(error) => Err(error),
    };
    Ok(match (hash(one)?, hash(other)?) {
        (Some(one), Some(other)) => one == other,
        _ => false,
    })
}

fn print_tree_result(
    output: &OutputOptions,
    from: &RemotePath,
    to: &RemotePath,
    done: TreeTransferred,
) -> Result<(u64, u64), Failure> {
    let TreeTransferred { files, unchanged, directories, skipped, bytes, failed, failures, .. } = done;
    if skipped > 0 && !output.is_json() {
        note(format_args!("skipped {skipped} symbolic links, special files or invalid names below '{from}'"));
    }
    let counts = serde_json::json!({
        "files": files, "unchanged": unchanged, "directories": directories, "skipped": skipped, "failed": failed,
        "bytes": bytes,
    });
    print_result(output, "copy", from, to, counts)?;
    let named = failures.len() as u64;
    failures.into_iter().for_each(|(_, error)| Failure::from(error).print());
    if failed > named {
        warn(format_args!("{} more items failed below '{from}'", failed - named));
    }
    Ok((files + unchanged + directories, failed))
}

fn print_result(
    output: &OutputOptions,
    operation: &str,
    from: &RemotePath,
    to: &RemotePath,
    more: serde_json::Value,
) -> Result<(), Failure> {
    if output.is_json() {
        let mut line = more;
        line["op"] = operation.into();
        line["source"] = from.as_str().into();
        line["path"] = to.as_str().into();
        write_json(&mut stdout(), line)?;
    } else if output.is_verbose() {
        let status = more["status"].as_str().map_or(String::new(), |status| format!(" ({status})"));
        note(format_args!("'{from}' -> '{to}'{status}"));
    }
    Ok(())
}

fn precondition(overwrite: bool) -> Precondition {
    if overwrite { Precondition::Any } else { Precondition::Absent }
}
