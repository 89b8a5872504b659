//! `stat`: all that the server says of an entry.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{human_size, is_terminal, stdout},
    remote::{Found, Given},
    row::{entry_json, kind_name, label, local_time, style_of},
    tally::Tally,
};
use clap::Args;
use jiff::Timestamp;
use remofile_proto::Entry;
use std::io::{self, BufWriter, Write};

#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe: one line each of kind, size in bytes, time in UTC to the nanosecond, etag and path, separated by tabs; `-` \
where there is none. An etag is another one whenever the file has changed.

Examples:
  remofile stat /isos/ubuntu.iso
  remofile stat '/isos/*' | cut -f 2,5    sizes and paths
  remofile stat --json /isos")]
pub(crate) struct StatArgs {
    /// Paths or quoted patterns
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
}

pub(crate) fn run(cli: &Cli, args: &StatArgs) -> Result<(), Failure> {
    let given = Given::parse_all(&args.paths)?;
    let mut client = connect(cli)?;
    let mut out = BufWriter::new(stdout());
    let mut tally = Tally::of(given.len());
    for one in &given {
        let mut unknown = None;
        let result = one.each(&mut client, false, |found| match &found.entry {
            Some(entry) => Ok(write(cli, &mut out, &found, entry)?),
            None => {
                unknown = Some(found);
                Ok(())
            }
        });
        let result = result.and_then(|()| match unknown {
            Some(found) => {
                let entry = client.stat(&found.path)?;
                Ok(write(cli, &mut out, &found, &entry)?)
            }
            None => Ok(()),
        });
        tally.note(result)?;
    }
    out.flush()?;
    drop(out);
    client.bye();
    tally.finish()
}

fn write(cli: &Cli, out: &mut impl Write, found: &Found, entry: &Entry) -> io::Result<()> {
    if cli.output.json {
        let name = found.path.split_last().map_or("/", |(_, name)| name);
        return writeln!(out, "{}", entry_json(name, found.path.as_str(), entry));
    }
    let kind = kind_name(entry.kind);
    let etag = entry.etag.as_ref().map_or_else(|| "-".to_owned(), ToString::to_string);
    if !is_terminal() {
        let size = entry.size.map_or_else(|| "-".to_owned(), |size| size.to_string());
        let time = entry.mtime_ns.map_or_else(|| "-".to_owned(), exact_time);
        return writeln!(out, "{kind}\t{size}\t{time}\t{etag}\t{}", found.shown);
    }
    let style = style_of(entry.kind);
    writeln!(out, "{style}{}{style:#}", label(&found.shown, entry.kind))?;
    writeln!(out, "      kind  {kind}")?;
    if let Some(size) = entry.size {
        writeln!(out, "      size  {size} bytes ({})", human_size(size))?;
    }
    if let Some(mtime_ns) = entry.mtime_ns {
        writeln!(out, "  modified  {} ({})", local_time(mtime_ns), exact_time(mtime_ns))?;
    }
    if entry.etag.is_some() {
        writeln!(out, "      etag  {etag}{}", if entry.racy { " (changed just now)" } else { "" })?;
    }
    Ok(())
}

/// A time in UTC to the nanosecond; its nanoseconds where it is out of range.
fn exact_time(nanoseconds: i64) -> String {
    Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%S.%9fZ").to_string())
}
