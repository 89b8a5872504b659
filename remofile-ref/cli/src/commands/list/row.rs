//! A line of a listing.

use remofile_proto::Entry;

/// An entry to print.
#[derive(Debug)]
pub(super) struct Row {
    /// The name to print.
    pub(super) name: String,
    /// The absolute path.
    pub(super) path: String,
    /// Whether the name is that of the listing, not a path.
    pub(super) is_relative: bool,
    pub(super) entry: Entry,
}
