//! The lines of `--json`.

use std::io::{self, Write};

/// The schema number of `--json` lines.
pub(crate) const JSON_SCHEMA: u32 = 1;

/// Writes an object and the schema number as one line.
pub(crate) fn write_json(out: &mut impl Write, mut object: serde_json::Value) -> io::Result<()> {
    object["schema"] = JSON_SCHEMA.into();
    writeln!(out, "{object}")
}
