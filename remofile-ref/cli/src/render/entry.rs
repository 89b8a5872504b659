//! One entry of the server in one line: for people, for scripts, as JSON.

use super::{
    json::JSON_SCHEMA,
    style::{DIRECTORY, SPECIAL},
    text::{escaped, human_size, iso_time, local_time},
};
use anstyle::Style;
use remofile_proto::{Entry, Kind};

/// The name of a kind, as the specification has it.
pub(crate) fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::File => "file",
        Kind::Dir => "dir",
        Kind::Link => "link",
        Kind::Other => "other",
    }
}

/// How names of a kind look on a terminal.
pub(crate) fn style_of(kind: Kind) -> Style {
    match kind {
        Kind::Dir => DIRECTORY,
        Kind::Link | Kind::Other => SPECIAL,
        Kind::File => Style::new(),
    }
}

/// A name for a terminal: escaped, and a directory by its slash.
pub(crate) fn label(name: &str, kind: Kind) -> String {
    let mark = if kind == Kind::Dir && !name.ends_with('/') { "/" } else { "" };
    format!("{}{mark}", escaped(name))
}

/// Kind, size and time in columns: for people rounded and in local time, else exact and in UTC.
pub(crate) fn details(entry: &Entry, for_people: bool) -> String {
    let kind = kind_name(entry.kind);
    let size =
        entry.size.map_or_else(|| "-".to_owned(), |size| if for_people { human_size(size) } else { size.to_string() });
    let time = entry.mtime_ns.map_or_else(|| "-".to_owned(), if for_people { local_time } else { iso_time });
    let width = if for_people { 16 } else { 20 };
    format!("{kind:5} {size:>11} {time:width$}")
}

/// An entry as a JSON object: the specification's names plus `path`.
pub(crate) fn entry_json(name: &str, path: &str, entry: &Entry) -> serde_json::Value {
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
