//! `directory`, `file` and `remove`.

use super::{
    args::Cli,
    connection::{connect, remote_path},
    failure::Failure,
    list::json_line,
    output::report,
};
use crate::client::{ClientError, FileClient};
use clap::Args;
use remofile_proto::{Entry, Kind, Path, Precondition};
use std::io::Write as _;

#[derive(Debug, Args)]
pub(crate) struct MakeArgs {
    /// The name, or a path
    pub(crate) name: String,
    /// The directory that it is made in
    pub(crate) directory: Option<String>,
    /// Fine if it exists already
    #[arg(short, long)]
    pub(crate) update: bool,
    /// Make missing parents as well
    #[arg(short, long)]
    pub(crate) parents: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// Paths; or exactly a NAME without a slash and an absolute DIR
    #[arg(required = true)]
    pub(crate) paths: Vec<String>,
    /// Directories with all they hold
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// Fine if it does not exist
    #[arg(short, long)]
    pub(crate) force: bool,
}

pub(crate) fn directory(cli: &Cli, args: &MakeArgs) -> Result<(), Failure> {
    let path = named(args)?;
    let mut client = connect(cli)?;
    if args.parents {
        make_parents(&mut client, &path)?;
    }
    let entry = match client.mkdir(&path) {
        Err(error) if error.is_exists() && (args.update || args.parents) => {
            existing(&mut client, &path, Kind::Dir, error)?
        }
        result => result?,
    };
    finish(cli, client, &path, &entry)
}

pub(crate) fn file(cli: &Cli, args: &MakeArgs) -> Result<(), Failure> {
    let path = named(args)?;
    let mut client = connect(cli)?;
    if args.parents {
        make_parents(&mut client, &path)?;
    }
    let entry = match client.put(&path, Vec::new(), Precondition::Absent, None) {
        Err(error) if error.is_exists() && args.update => existing(&mut client, &path, Kind::File, error)?,
        result => result?,
    };
    finish(cli, client, &path, &entry)
}

pub(crate) fn remove(cli: &Cli, args: &RemoveArgs) -> Result<(), Failure> {
    let paths = match args.paths.as_slice() {
        [name, directory] if !name.contains('/') && directory.starts_with('/') => vec![joined(directory, name)?],
        paths => paths.iter().map(|path| remote_path(path)).collect::<Result<_, _>>()?,
    };
    if paths.iter().any(Path::is_root) {
        return Err(Failure::usage("'/' is never removed: it is the served directory itself"));
    }
    let mut client = connect(cli)?;
    let mut failures = Vec::new();
    for path in &paths {
        match remove_one(&mut client, path, args) {
            Ok(()) if cli.output.verbose > 0 => {
                anstream::eprintln!("removed {}", super::output::escaped(path.as_str()))
            }
            Ok(()) => {}
            Err(error) => failures.push(Failure::from(error)),
        }
    }
    if failures.len() < paths.len() {
        client.flush()?;
    }
    client.bye();
    summed_up(failures, paths.len())
}

/// One failure of one item is that failure; otherwise each is reported and all are summed up.
pub(crate) fn summed_up(mut failures: Vec<Failure>, total: usize) -> Result<(), Failure> {
    match failures.len() {
        0 => Ok(()),
        1 if total == 1 => Err(failures.remove(0)),
        failed => {
            failures.iter().for_each(report);
            Err(Failure::Some { failed: failed as u64, total: total as u64 })
        }
    }
}

fn remove_one(client: &mut FileClient, path: &Path, args: &RemoveArgs) -> Result<(), ClientError> {
    let result = if args.recursive { client.remove_tree(path) } else { client.remove(path, None) };
    match result {
        Err(error) if args.force && error.is_not_found() => Ok(()),
        result => result,
    }
}

/// NAME DIR, or PATH.
fn named(args: &MakeArgs) -> Result<Path, Failure> {
    match &args.directory {
        Some(directory) => joined(directory, &args.name),
        None => remote_path(&args.name),
    }
}

fn joined(directory: &str, name: &str) -> Result<Path, Failure> {
    if name.contains('/') {
        return Err(Failure::usage_with(
            format!("'{name}' is not a name: it has a slash"),
            "give NAME DIR, or one PATH alone",
        ));
    }
    remote_path(&format!("{}/{name}", directory.trim_end_matches('/')))
}

fn make_parents(client: &mut FileClient, path: &Path) -> Result<(), Failure> {
    let Some((parent, _)) = path.split_last() else { return Ok(()) };
    let ends = parent.match_indices('/').map(|(at, _)| at).skip(1).chain([parent.len()]);
    for end in ends.filter(|end| *end > 1) {
        match client.mkdir(&remote_path(&parent[..end])?) {
            Err(error) if error.is_exists() => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// The entry that is there already, if it is of the kind that was wanted.
fn existing(client: &mut FileClient, path: &Path, kind: Kind, error: ClientError) -> Result<Entry, ClientError> {
    let entry = client.stat(path)?;
    if entry.kind == kind { Ok(entry) } else { Err(error) }
}

fn finish(cli: &Cli, mut client: FileClient, path: &Path, entry: &Entry) -> Result<(), Failure> {
    client.flush()?;
    client.bye();
    if cli.output.json {
        let name = path.split_last().map_or("/", |(_, name)| name);
        writeln!(std::io::stdout(), "{}", json_line(name, path.as_str(), entry))?;
    }
    Ok(())
}
