//! `list`: a directory of the server, or a file.

use super::{
    args::Cli,
    connection::{connect, remote_path},
    failure::Failure,
    output::{JSON_SCHEMA, human_size, iso_time, shown},
};
use clap::Args;
use remofile_proto::{Entry, Kind};
use std::io::{self, BufWriter, IsTerminal as _, Write};

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// The directory, or a file
    #[arg(default_value = "/")]
    pub(crate) path: String,
    /// One entry a line with kind, size and time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Hidden entries too: names that begin with a dot
    #[arg(short, long)]
    pub(crate) all: bool,
    /// Everything below as well
    #[arg(short, long, visible_alias = "tree")]
    pub(crate) recursive: bool,
}

pub(crate) fn run(cli: &Cli, args: &ListArgs) -> Result<(), Failure> {
    let path = remote_path(&args.path)?;
    let mut client = connect(cli)?;
    let style = Style { json: cli.output.json, long: args.long, human: io::stdout().is_terminal() };
    let mut out = BufWriter::new(io::stdout().lock());
    let entry = client.stat(&path)?;
    if entry.kind == Kind::Dir {
        let mut listing = client.list(&path, args.recursive);
        for listed in listing.by_ref() {
            let listed = listed?;
            if !args.all && listed.name.split('/').any(|name| name.starts_with('.')) {
                continue;
            }
            let full = if path.is_root() { format!("/{}", listed.name) } else { format!("{path}/{}", listed.name) };
            style.write(&mut out, &listed.name, &full, &listed.entry)?;
        }
        let skipped = listing.skipped();
        out.flush()?;
        if skipped > 0 {
            anstream::eprintln!("remofile: {skipped} names cannot be shown: they are not valid in this protocol");
        }
    } else {
        let name = path.split_last().map_or("/", |(_, name)| name);
        style.write(&mut out, name, path.as_str(), &entry)?;
        out.flush()?;
    }
    client.bye();
    Ok(())
}

struct Style {
    json: bool,
    long: bool,
    human: bool,
}

impl Style {
    fn write(&self, out: &mut impl Write, name: &str, path: &str, entry: &Entry) -> io::Result<()> {
        if self.json {
            return writeln!(out, "{}", json_line(name, path, entry));
        }
        let mark = if self.human && entry.kind == Kind::Dir { "/" } else { "" };
        if !self.long {
            return writeln!(out, "{}{mark}", shown(name));
        }
        let size = match (entry.size, self.human) {
            (Some(size), true) => human_size(size),
            (Some(size), false) => size.to_string(),
            (None, _) => "-".to_owned(),
        };
        let time = entry.mtime_ns.map_or_else(|| "-".to_owned(), iso_time);
        writeln!(out, "{:5} {size:>11} {time:20} {}{mark}", kind_name(entry.kind), shown(name))
    }
}

/// One entry as a JSON object: the specification's names plus `path`.
pub(crate) fn json_line(name: &str, path: &str, entry: &Entry) -> serde_json::Value {
    let mut line = serde_json::json!({
        "schema": JSON_SCHEMA, "path": path, "name": name, "kind": kind_name(entry.kind),
    });
    if let Some(size) = entry.size {
        line["size"] = size.into();
    }
    if let Some(mtime_ns) = entry.mtime_ns {
        line["mtime_ns"] = mtime_ns.into();
    }
    if let Some(etag) = &entry.etag {
        line["etag"] = etag.to_string().into();
    }
    if entry.racy {
        line["racy"] = true.into();
    }
    line
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}
