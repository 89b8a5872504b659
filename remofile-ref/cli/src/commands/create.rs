//! `directory` and `file`: create a directory or an empty file.

use crate::{
    connection::connect,
    failure::Failure,
    options::RemoteOptions,
    remote_path::{make_parents, named},
    render::{entry_json, note, stdout},
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Entry, Kind, Precondition, RemotePath};
use std::io::Write as _;

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  remofile directory my-os-isos /        create /my-os-isos
  remofile directory -p /photos/2025/may   create missing parents too
  remofile directory -u /photos          succeed if it exists")]
pub(crate) struct DirectoryArgs {
    #[command(flatten)]
    pub(crate) make: CreateArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
An existing file keeps its content and modification time, with -u too.

Examples:
  remofile file notes.txt /              create an empty /notes.txt
  remofile file -p /logs/2025/may.log    create missing parents too
  remofile file -u /.keep                succeed if it exists")]
pub(crate) struct FileArgs {
    #[command(flatten)]
    pub(crate) make: CreateArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// Name, or path
    name: String,
    /// Parent directory of NAME
    #[arg(value_name = "DIR")]
    directory: Option<String>,
    /// Succeed if it exists
    #[arg(short, long)]
    update: bool,
    /// Create missing parent directories
    #[arg(short, long)]
    parents: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn directory(args: &DirectoryArgs) -> Result<(), Failure> {
    // As `mkdir -p` does.
    let update = args.make.update || args.make.parents;
    create(&args.make, Kind::Dir, update, |client, path| client.mkdir(path))
}

pub(crate) fn file(args: &FileArgs) -> Result<(), Failure> {
    create(&args.make, Kind::File, args.make.update, |client, path| {
        client.put(path, Vec::new(), Precondition::Absent, None)
    })
}

fn create(
    args: &CreateArgs,
    kind: Kind,
    update: bool,
    make: impl FnOnce(&mut FileClient, &RemotePath) -> Result<Entry, ClientError>,
) -> Result<(), Failure> {
    let path = named(&args.name, args.directory.as_deref())?;
    let mut client = connect(&args.options)?;
    if args.parents {
        make_parents(&mut client, &path)?;
    }
    let (entry, is_new) = match make(&mut client, &path) {
        Err(error) if error.is_exists() && update => (existing(&mut client, &path, kind, error)?, false),
        result => (result?, true),
    };
    client.flush()?;
    client.bye();
    if args.options.output.is_json() {
        let name = path.split_last().map_or("/", |(_, name)| name);
        let mut line = entry_json(name, path.as_str(), &entry);
        line["status"] = if is_new { "new" } else { "unchanged" }.into();
        writeln!(stdout(), "{line}")?;
    } else if args.options.output.is_verbose() {
        note(format_args!("{} '{path}'", if is_new { "created" } else { "unchanged" }));
    }
    Ok(())
}

/// The existing entry, if it is of the wanted kind.
fn existing(client: &mut FileClient, path: &RemotePath, kind: Kind, error: ClientError) -> Result<Entry, ClientError> {
    let entry = client.stat(path)?;
    if entry.kind == kind { Ok(entry) } else { Err(error) }
}
