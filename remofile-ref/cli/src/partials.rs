//! `partials`: what transfers that broke off have left, on the server and here.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{escaped, human_duration, human_size, is_terminal, warn, write_json},
    remote::Given,
    tally::Tally,
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
An upload or download that broke off is continued by the same command, from what is left of it here. The server \
discards what nobody has touched for a week.

Examples:
  remofile partials list
  remofile partials list --local ~/Downloads
  remofile partials clean --older-than 2d
  remofile partials clean -n '/isos/**'")]
pub(crate) struct PartialsArgs {
    #[command(subcommand)]
    command: PartialsCommand,
}

#[derive(Debug, Subcommand)]
enum PartialsCommand {
    /// List what is left: bytes, of how many, since when, and for which file
    #[command(
        visible_alias = "ls",
        after_help = "\
In a pipe: bytes, size, age in seconds and path, separated by tabs; `-` stands where the size is not known.

Examples:
  remofile partials list
  remofile partials list /isos            those of files below /isos
  remofile partials list --local ~/Downloads"
    )]
    List(Selection),
    /// Discard what is left, and print which; the transfers begin anew then
    #[command(
        visible_alias = "rm",
        after_help = "\
Examples:
  remofile partials clean                 all of them
  remofile partials clean --older-than 2d
  remofile partials clean -n '/isos/**'   what would go; nothing goes
  remofile partials clean --local ~/Downloads"
    )]
    Clean {
        #[command(flatten)]
        selection: Selection,
        /// Print what would go, and discard nothing
        #[arg(short = 'n', long)]
        dry_run: bool,
    },
}

#[derive(Debug, Args)]
struct Selection {
    /// Only of these files on the server, of all below these directories, or of what these quoted patterns match
    #[arg(value_name = "PATH")]
    paths: Vec<String>,
    /// Only what was not touched for so long: 90s, 30m, 12h, 7d
    #[arg(long, value_name = "AGE", value_parser = parse_age)]
    older_than: Option<Duration>,
    /// Those of downloads in this local directory and below it, in place of the server's
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    local: Option<PathBuf>,
}

/// What is left of a transfer.
struct Leftover {
    bytes: u64,
    size: Option<u64>,
    age: Duration,
    /// The file on the server, where that is known.
    remote: Option<RemotePath>,
    kept: Kept,
}

/// Where it is kept.
enum Kept {
    Staged(UploadEntry),
    Here(PartialDownload),
}

pub(crate) fn run(cli: &Cli, args: &PartialsArgs) -> Result<(), Failure> {
    let (selection, discards) = match &args.command {
        PartialsCommand::List(selection) => (selection, None),
        PartialsCommand::Clean { selection, dry_run } => (selection, Some(!dry_run)),
    };
    let given = Given::parse_all(&selection.paths)?;
    let mut client = match selection.local {
        Some(_) => None,
        None => Some(connect(cli)?),
    };
    let mut left = match (&mut client, &selection.local) {
        (Some(client), _) => staged(client)?,
        (None, Some(directory)) => here(directory)?,
        (None, None) => Vec::new(),
    };
    for one in &given {
        if !left.iter().any(|leftover| leftover.remote.as_ref().is_some_and(|path| one.selects(path))) {
            return Err(Failure::NoMatch { pattern: one.text().to_owned() });
        }
    }
    left.retain(|leftover| {
        let is_old = selection.older_than.is_none_or(|age| leftover.age >= age);
        let is_named = || leftover.remote.as_ref().is_some_and(|path| given.iter().any(|one| one.selects(path)));
        is_old && (given.is_empty() || is_named())
    });
    // Local names may be of any bytes, and nothing is taken out of them.
    let mut out = BufWriter::new(io::stdout().lock());
    let mut tally = Tally::of(left.len());
    for leftover in &left {
        if discards == Some(true) && tally.note(leftover.discard(client.as_mut()))?.is_none() {
            continue;
        }
        leftover.write(cli, &mut out, discards.is_some())?;
    }
    out.flush()?;
    drop(out);
    if let Some(client) = client {
        if discards == Some(true) && tally.done() > 0 {
            client.flush()?;
        }
        client.bye();
    }
    tally.finish()
}

fn staged(client: &mut FileClient) -> Result<Vec<Leftover>, Failure> {
    let uploads = client.uploads()?;
    Ok(uploads
        .into_iter()
        .map(|upload| Leftover {
            bytes: upload.off,
            size: upload.size,
            age: Duration::from_millis(upload.age_ms),
            remote: Some(upload.path.clone()),
            kept: Kept::Staged(upload),
        })
        .collect())
}

fn here(directory: &std::path::Path) -> Result<Vec<Leftover>, Failure> {
    let parts = partial_downloads(directory, |error| warn(Failure::from(error)))?;
    Ok(parts
        .into_iter()
        .map(|part| Leftover {
            bytes: part.bytes,
            size: part.size,
            age: part.age,
            remote: part.remote.clone(),
            kept: Kept::Here(part),
        })
        .collect())
}

impl Leftover {
    fn discard(&self, client: Option<&mut FileClient>) -> Result<(), Failure> {
        match (&self.kept, client) {
            (Kept::Staged(upload), Some(client)) => Ok(client.abort(upload.up)?),
            (Kept::Here(part), _) => Ok(part.remove()?),
            (Kept::Staged(_), None) => Ok(()),
        }
    }

    /// A line of it; of one that goes its path alone.
    fn write(&self, cli: &Cli, out: &mut impl Write, path_alone: bool) -> Result<(), Failure> {
        if cli.output.json {
            let age_ms = u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX);
            let mut line = serde_json::json!({ "off": self.bytes, "age_ms": age_ms });
            if let Some(path) = &self.remote {
                line["path"] = path.as_str().into();
            }
            if let Some(size) = self.size {
                line["size"] = size.into();
            }
            match &self.kept {
                Kept::Staged(upload) => line["up"] = upload.up.to_string().into(),
                Kept::Here(part) => line["local"] = part.file.display().to_string().into(),
            }
            return Ok(write_json(out, line)?);
        }
        if !is_terminal() {
            if !path_alone {
                let size = self.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
                write!(out, "{}\t{size}\t{}\t", self.bytes, self.age.as_secs())?;
            }
            match &self.kept {
                Kept::Staged(upload) => out.write_all(upload.path.as_str().as_bytes())?,
                Kept::Here(part) => out.write_all(part.file.as_os_str().as_bytes())?,
            }
            return Ok(writeln!(out)?);
        }
        let remote = self.remote.as_ref().map_or("?", RemotePath::as_str);
        let name = match &self.kept {
            Kept::Staged(_) => escaped(remote),
            Kept::Here(part) => escaped(&part.file.to_string_lossy()),
        };
        if path_alone {
            return Ok(writeln!(out, "{name}")?);
        }
        let of = self.size.map_or_else(|| "an unknown size".to_owned(), human_size);
        let age = human_duration(u64::try_from(self.age.as_millis()).unwrap_or(u64::MAX));
        let from = match &self.kept {
            Kept::Staged(_) => String::new(),
            Kept::Here(_) => format!(" of {}", escaped(remote)),
        };
        writeln!(out, "{:>10} of {of:10} {age:>12} ago  {}{from}", human_size(self.bytes), name)?;
        Ok(())
    }
}

/// A number with its unit: seconds, minutes, hours or days.
pub(crate) fn parse_age(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(text.chars().last().map_or(0, char::len_utf8)));
    let seconds = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3_600,
        "d" => 86_400,
        _ => return Err("a number with its unit is needed: 90s, 30m, 12h or 7d".to_owned()),
    };
    let number: u64 = number.parse().map_err(|_| format!("'{number}' is not a whole number"))?;
    number.checked_mul(seconds).map(Duration::from_secs).ok_or_else(|| "that is too long".to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn an_age_has_a_unit() {
        assert_eq!(parse_age("90s").unwrap(), Duration::from_secs(90));
        assert_eq!(parse_age("7d").unwrap(), Duration::from_secs(604_800));
        for text in ["", "7", "d", "7w", "-1d", "1.5h", "99999999999999999999d", "9999999999999999d", "7é"] {
            assert!(parse_age(text).is_err(), "{text}");
        }
    }
}
