//! `partials`: the partial files of interrupted transfers, on the server and on this machine.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::{AllOptions, ObeyedOptions, OutputOptions, RemoteOptions},
    remote_path::PathArg,
    render::{escaped, human_duration, human_size, is_terminal, warn, write_json},
    units::parse_age,
};
use clap::{Args, Subcommand, ValueHint};
use remofile::client::{FileClient, PartialDownload, partial_downloads};
use remofile_proto::{RemotePath, UploadEntry};
use std::{
    io::{self, BufWriter, Write},
    os::unix::ffi::OsStrExt as _,
    path::PathBuf,
    time::Duration,
};

#[derive(Debug, Args)]
#[command(after_help = "\
Run the same command again to resume an interrupted transfer. The server discards uploads without activity for a week.

Examples:
  remofile partials list
  remofile partials list --local ~/Downloads
  remofile partials clean --older-than 2d
  remofile partials clean -n '/isos/**'")]
pub(crate) struct PartialsArgs {
    #[command(subcommand)]
    command: PartialsCommand,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

#[derive(Debug, Subcommand)]
enum PartialsCommand {
    /// List incomplete transfers: bytes, size, age, path
    #[command(
        visible_alias = "ls",
        after_help = "\
In a pipe, prints bytes, size, age in seconds and path, separated by tabs; `-` stands for an unknown size.

Examples:
  remofile partials list
  remofile partials list /isos            uploads to /isos
  remofile partials list --local ~/Downloads"
    )]
    List(PartialsFilter),
    /// Discard incomplete transfers, which start again from the beginning
    #[command(
        visible_alias = "rm",
        after_help = "\
Examples:
  remofile partials clean                 all uploads
  remofile partials clean --older-than 2d
  remofile partials clean -n '/isos/**'   dry run
  remofile partials clean --local ~/Downloads"
    )]
    Clean {
        #[command(flatten)]
        filter: PartialsFilter,
        /// Only print what would be discarded
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct PartialsFilter {
    /// Only these files on the server, files below these directories, or matches of these quoted patterns
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Only transfers without activity for this long: 90s, 30m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    older_than: Option<Duration>,
    /// Downloads in a local directory and below it, instead of uploads on the server
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
    #[command(flatten)]
    options: RemoteOptions,
}

impl PartialsArgs {
    /// Hands the options before the subcommand to it.
    pub(crate) fn hand_down(&mut self) -> Result<(), Failure> {
        let before = AllOptions::from(&self.options);
        self.effective_options().inherit(&before, "partials")
    }

    /// The options of the subcommand.
    pub(crate) fn effective_options(&mut self) -> ObeyedOptions<'_> {
        match &mut self.command {
            PartialsCommand::List(filter) | PartialsCommand::Clean { filter, .. } => filter.options.obeyed(),
        }
    }
}

/// An incomplete transfer.
struct Incomplete {
    bytes: u64,
    size: Option<u64>,
    age: Duration,
    /// The file on the server, if it is known.
    remote: Option<RemotePath>,
    location: Location,
}

/// Where it is.
enum Location {
    Server(UploadEntry),
    Local(PartialDownload),
}

pub(crate) fn run(args: &PartialsArgs) -> Result<(), Failure> {
    let (filter, discards) = match &args.command {
        PartialsCommand::List(filter) => (filter, None),
        PartialsCommand::Clean { filter, dry_run } => (filter, Some(!dry_run)),
    };
    let output = &filter.options.output;
    let arguments = PathArg::parse_all(&filter.paths)?;
    let mut client = match filter.local {
        Some(_) => None,
        None => Some(connect(&filter.options)?),
    };
    let mut left = match (&mut client, &filter.local) {
        (Some(client), _) => uploads(client)?,
        (None, Some(directory)) => downloads(directory)?,
        (None, None) => Vec::new(),
    };
    for argument in &arguments {
        if !left.iter().any(|incomplete| incomplete.remote.as_ref().is_some_and(|path| argument.selects(path))) {
            return Err(Failure::NoMatch { pattern: argument.text().to_owned() });
        }
    }
    left.retain(|incomplete| {
        let is_old = filter.older_than.is_none_or(|age| incomplete.age >= age);
        let is_named =
            || incomplete.remote.as_ref().is_some_and(|path| arguments.iter().any(|argument| argument.selects(path)));
        is_old && (arguments.is_empty() || is_named())
    });
    // Local names may contain any bytes, and are printed unchanged in a pipe.
    let mut out = BufWriter::new(io::stdout().lock());
    let mut counter = ItemCounter::new(left.len());
    for incomplete in &left {
        if discards == Some(true) && counter.count(incomplete.discard(client.as_mut()))?.is_none() {
            continue;
        }
        incomplete.write(output, &mut out, discards.is_some())?;
    }
    out.flush()?;
    drop(out);
    if let Some(client) = client {
        if discards == Some(true) && counter.done() > 0 {
            client.flush()?;
        }
        client.bye();
    }
    counter.finish()
}

fn uploads(client: &mut FileClient) -> Result<Vec<Incomplete>, Failure> {
    let uploads = client.uploads()?;
    Ok(uploads
        .into_iter()
        .map(|upload| Incomplete {
            bytes: upload.off,
            size: upload.size,
            age: Duration::from_millis(upload.age_ms),
            remote: Some(upload.path.clone()),
            location: Location::Server(upload),
        })
        .collect())
}

fn downloads(directory: &std::path::Path) -> Result<Vec<Incomplete>, Failure> {
    let parts = partial_downloads(directory, |error| warn(Failure::from(error)))?;
    Ok(parts
        .into_iter()
        .map(|part| Incomplete {
            bytes: part.bytes,
            size: part.size,
            age: part.age,
            remote: part.remote.clone(),
            location: Location::Local(part),
        })
        .collect())
}

impl Incomplete {
    fn discard(&self, client: Option<&mut FileClient>) -> Result<(), Failure> {
        match (&self.location, client) {
            (Location::Server(upload), Some(client)) => Ok(client.abort(upload.up)?),
            (Location::Local(part), _) => Ok(part.remove()?),
            (Location::Server(_), None) => Ok(()),
        }
    }

    /// Prints a line; of a discarded transfer only the path.
    fn write(&self, output: &OutputOptions, out: &mut impl Write, path_alone: bool) -> Result<(), Failure> {
        if output.is_json() {
            let age_ms = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
            let mut line = serde_json::json!({ "off": self.bytes, "age_ms": age_ms });
            if let Some(path) = &self.remote {
                line["path"] = path.as_str().into();
            }
            if let Some(size) = self.size {
                line["size"] = size.into();
            }
            match &self.location {
                Location::Server(upload) => line["up"] = upload.up.to_string().into(),
                Location::Local(part) => line["local"] = part.file.display().to_string().into(),
            }
            return Ok(write_json(out, line)?);
        }
        if !is_terminal() {
            if !path_alone {
                let size = self.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
                write!(out, "{}\t{size}\t{}\t", self.bytes, self.age.as_secs())?;
            }
            match &self.location {
                Location::Server(upload) => out.write_all(upload.path.as_str().as_bytes())?,
                Location::Local(part) => out.write_all(part.file.as_os_str().as_bytes())?,
            }
            return Ok(writeln!(out)?);
        }
        let remote = self.remote.as_ref().map_or("?", RemotePath::as_str);
        let name = match &self.location {
            Location::Server(_) => escaped(remote),
            Location::Local(part) => escaped(&part.file.to_string_lossy()),
        };
        if path_alone {
            return Ok(writeln!(out, "{name}")?);
        }
        let of = self.size.map_or_else(|| "unknown".to_owned(), human_size);
        let age = human_duration(self.age);
        let from = match &self.location {
            Location::Server(_) => String::new(),
            Location::Local(_) => format!(" of {}", escaped(remote)),
        };
        writeln!(out, "{:>10} of {of:10} {age:>12} ago  {}{from}", human_size(self.bytes), name)?;
        Ok(())
    }
}
