//! `move` and `copy`: on the server, with nothing of the content over the wire.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{note, report, stdout, warn, write_json},
    remote::{Found, Given, remote_path, targets},
    tally::Tally,
};
use clap::Args;
use remofile::client::{ClientError, FileClient, TreeTransferred};
use remofile_proto::{Code, Kind, Precondition, RemotePath};

#[derive(Debug, Args)]
#[command(after_help = "\
Into DEST if that is a directory, else to that very path; several sources need a directory.

Examples:
  remofile move /draft.txt /final.txt     a new name
  remofile move /a.jpg /b.jpg /photos     into the directory /photos
  remofile move '/inbox/*.pdf' /archive
  remofile move --overwrite /new /current")]
pub(crate) struct MoveArgs {
    /// Sources or quoted patterns, then the destination
    #[arg(required = true, num_args = 2.., value_name = "SRC… DEST")]
    paths: Vec<String>,
    /// Replace existing files; directories are never replaced
    #[arg(long)]
    overwrite: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Into DEST if that is a directory, else to that very path; several sources need a directory. Times are kept. A file that \
is there already with the same content is unchanged, so that a copy that broke off is continued by the same command. \
Links and special files are skipped and counted.

Examples:
  remofile copy /report.txt /report.old
  remofile copy -r /photos /backup        to /backup/photos, if /backup is a directory
  remofile copy '/*.iso' /isos")]
pub(crate) struct CopyArgs {
    /// Sources or quoted patterns, then the destination
    #[arg(required = true, num_args = 2.., value_name = "SRC… DEST")]
    paths: Vec<String>,
    /// Directories with all they hold
    #[arg(short, long)]
    recursive: bool,
    /// Replace existing files
    #[arg(long)]
    overwrite: bool,
}

pub(crate) fn rename(cli: &Cli, args: &MoveArgs) -> Result<(), Failure> {
    let pre = precondition(args.overwrite);
    each(cli, &args.paths, |client, from, to| {
        client.rename(&from.path, to, pre.clone(), None).map_err(|error| naming_both(error, to))?;
        say(cli, "move", &from.path, to, serde_json::json!({ "status": "moved" }))?;
        Ok((1, 0))
    })
}

pub(crate) fn copy(cli: &Cli, args: &CopyArgs) -> Result<(), Failure> {
    each(cli, &args.paths, |client, from, to| {
        let is_directory = args.recursive
            && match &from.entry {
                Some(entry) => entry.kind == Kind::Dir,
                None => client.stat(&from.path)?.kind == Kind::Dir,
            };
        if is_directory {
            let done = client.copy_tree(&from.path, to, args.overwrite).map_err(|error| naming_both(error, to))?;
            return copied_tree(cli, &from.path, to, done);
        }
        let status = match client.copy(&from.path, to, precondition(args.overwrite), None) {
            Err(error) if error.is_exists() && is_same(client, &from.path, to)? => "unchanged",
            result => result.map(|_| "new").map_err(|error| naming_both(error, to))?,
        };
        say(cli, "copy", &from.path, to, serde_json::json!({ "status": status }))?;
        Ok((1, 0))
    })
}

/// Does it for each source, which gives how many items succeeded, and how many failed and were told.
fn each(
    cli: &Cli,
    paths: &[String],
    mut act: impl FnMut(&mut FileClient, &Found, &RemotePath) -> Result<(u64, u64), Failure>,
) -> Result<(), Failure> {
    let Some((destination, sources)) = paths.split_last() else {
        return Err(Failure::usage("a source and a destination are needed"));
    };
    let given = Given::parse_all(sources)?;
    let destination = remote_path(destination)?;
    let mut client = connect(cli)?;
    let mut tally = Tally::of(given.len());
    let mut found = Vec::new();
    for one in &given {
        match one.all(&mut client, false) {
            Ok(all) => found.extend(all),
            Err(failure) => tally.fail(failure)?,
        }
    }
    tally.expect(found.len());
    if !found.is_empty() {
        let targets = targets(&mut client, &found, &destination)?;
        for (from, to) in found.iter().zip(&targets) {
            match act(&mut client, from, to) {
                Ok((done, failed)) => tally.add(done, failed),
                Err(failure) => tally.fail(failure)?,
            }
        }
    }
    if tally.done() > 0 {
        client.flush()?;
    }
    client.bye();
    tally.finish()
}

/// Has a refusal, which may concern either, name the target beside the source.
fn naming_both(error: ClientError, to: &RemotePath) -> ClientError {
    match error {
        ClientError::Refused { operation, path, refusal } if refusal.code != Code::NotFound => {
            ClientError::Refused { operation, path: format!("{path}' to '{to}"), refusal }
        }
        error => error,
    }
}

/// Whether two files have the same content; what is no file has none.
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

fn copied_tree(cli: &Cli, from: &RemotePath, to: &RemotePath, done: TreeTransferred) -> Result<(u64, u64), Failure> {
    let TreeTransferred { files, unchanged, directories, skipped, bytes, failed, failures, .. } = done;
    if skipped > 0 && !cli.output.json {
        note(format_args!("{skipped} links, special files or names below '{from}' were skipped"));
    }
    let counts = serde_json::json!({
        "files": files, "unchanged": unchanged, "directories": directories, "skipped": skipped, "failed": failed,
        "bytes": bytes,
    });
    say(cli, "copy", from, to, counts)?;
    let named = failures.len() as u64;
    failures.into_iter().for_each(|(_, error)| report(&error.into()));
    if failed > named {
        warn(format_args!("{} more items failed below '{from}'", failed - named));
    }
    Ok((files + unchanged + directories, failed))
}

fn say(cli: &Cli, operation: &str, from: &RemotePath, to: &RemotePath, more: serde_json::Value) -> Result<(), Failure> {
    if cli.output.json {
        let mut line = more;
        line["op"] = operation.into();
        line["source"] = from.as_str().into();
        line["path"] = to.as_str().into();
        write_json(&mut stdout(), line)?;
    } else if cli.output.verbose > 0 {
        let status = more["status"].as_str().map_or(String::new(), |status| format!(" ({status})"));
        note(format_args!("'{from}' -> '{to}'{status}"));
    }
    Ok(())
}

fn precondition(overwrite: bool) -> Precondition {
    if overwrite { Precondition::Any } else { Precondition::Absent }
}
