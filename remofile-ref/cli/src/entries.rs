//! `directory` and `file`: makes what is not there.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{note, stdout},
    remote::{make_parents, named},
    row::entry_json,
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, Precondition, RemotePath};
use std::io::Write as _;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  remofile directory my-os-isos /        makes /my-os-isos
  remofile directory -p /photos/2025/may   with /photos and /photos/2025 where they are missing
  remofile directory -u /photos          fine if it is a directory already")]
pub(crate) struct DirectoryArgs {
    #[command(flatten)]
    make: MakeArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
A file that exists is left as it is, its content and its time too: -u only says that this is fine.

Examples:
  remofile file notes.txt /              makes an empty /notes.txt
  remofile file -p /logs/2025/may.log    with the directories above it
  remofile file -u /.keep                fine if it is there already")]
pub(crate) struct FileArgs {
    #[command(flatten)]
    make: MakeArgs,
}

#[derive(Debug, Args)]
struct MakeArgs {
    /// The name, or a path
    name: String,
    /// The directory that it is made in
    #[arg(value_name = "DIR")]
    directory: Option<String>,
    /// Fine if it exists already
    #[arg(short, long)]
    update: bool,
    /// Make missing directories above it as well
    #[arg(short, long)]
    parents: bool,
}

pub(crate) fn directory(cli: &Cli, args: &DirectoryArgs) -> Result<(), Failure> {
    // Like mkdir: who wants the directories above does not mind the last one.
    let update = args.make.update || args.make.parents;
    make(cli, &args.make, Kind::Dir, update, |client, path| client.mkdir(path))
}

pub(crate) fn file(cli: &Cli, args: &FileArgs) -> Result<(), Failure> {
    make(cli, &args.make, Kind::File, args.make.update, |client, path| {
        client.put(path, Vec::new(), Precondition::Absent, None)
    })
}

fn make(
    cli: &Cli,
    args: &MakeArgs,
    kind: Kind,
    update: bool,
    make: impl FnOnce(&mut FileClient, &RemotePath) -> Result<Entry, ClientError>,
) -> Result<(), Failure> {
    let path = named(&args.name, args.directory.as_deref())?;
    let mut client = connect(cli)?;
    if args.parents {
        make_parents(&mut client, &path)?;
    }
    let (entry, is_new) = match make(&mut client, &path) {
        Err(error) if error.is_exists() && update => (existing(&mut client, &path, kind, error)?, false),
        result => (result?, true),
    };
    client.flush()?;
    client.bye();
    if cli.output.json {
        let name = path.split_last().map_or("/", |(_, name)| name);
        let mut line = entry_json(name, path.as_str(), &entry);
        line["status"] = if is_new { "new" } else { "unchanged" }.into();
        writeln!(stdout(), "{line}")?;
    } else if cli.output.verbose > 0 {
        note(format_args!("{} '{path}'", if is_new { "made" } else { "unchanged" }));
    }
    Ok(())
}

/// The entry that is there already, if it is of the kind that was wanted.
fn existing(client: &mut FileClient, path: &RemotePath, kind: Kind, error: ClientError) -> Result<Entry, ClientError> {
    let entry = client.stat(path)?;
    if entry.kind == kind { Ok(entry) } else { Err(error) }
}
