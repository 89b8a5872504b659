//! `stat`: the metadata of files and directories.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::{OutputOptions, RemoteOptions},
    remote_path::{Match, PathArg},
    render::{entry_json, exact_time, human_size, is_terminal, kind_name, label, local_time, stdout, style_of},
};
use clap::Args;
use remofile_proto::Entry;
use std::io::{self, BufWriter, Write};

#[derive(Debug, Args)]
#[command(after_help = "\
In a pipe, prints a line of kind, size in bytes, modification time in UTC, etag and path, separated by tabs; `-` stands \
for a missing value. The etag changes whenever the file changes.

Examples:
  remofile stat /isos/ubuntu.iso
  remofile stat '/isos/*' | cut -f 2,5    sizes and paths
  remofile stat --json /isos")]
pub(crate) struct StatArgs {
    /// Paths or quoted patterns
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &StatArgs) -> Result<(), Failure> {
    let arguments = PathArg::parse_all(&args.paths)?;
    let mut client = connect(&args.options)?;
    let mut out = BufWriter::new(stdout());
    let mut counter = ItemCounter::new(arguments.len());
    for argument in &arguments {
        let mut unknown = None;
        let result = argument.each(&mut client, false, |found| match &found.entry {
            Some(entry) => Ok(write(&args.options.output, &mut out, &found, entry)?),
            None => {
                unknown = Some(found);
                Ok(())
            }
        });
        let result = result.and_then(|()| match unknown {
            Some(found) => {
                let entry = client.stat(&found.path)?;
                Ok(write(&args.options.output, &mut out, &found, &entry)?)
            }
            None => Ok(()),
        });
        counter.count(result)?;
    }
    out.flush()?;
    drop(out);
    client.bye();
    counter.finish()
}

fn write(output: &OutputOptions, out: &mut impl Write, found: &Match, entry: &Entry) -> io::Result<()> {
    if output.is_json() {
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
