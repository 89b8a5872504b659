//! The actions of a plan: one change of one path each, with the versions that it may replace.

use remofile_proto::Etag;
use std::fmt;

/// One of the two sides.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Side {
    /// The directory on this machine.
    Local,
    /// The directory on the server.
    Remote,
}

/// One step of a plan: what is done to a path, if both sides are still as the plan saw them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Action {
    /// The path below both roots, with slashes and without one in front.
    pub path: String,
    /// What is done.
    pub change: Change,
    /// The size of the file in bytes; 0 for directories.
    pub bytes: u64,
    /// The versions on both sides. If either differs when the action is executed, nothing is changed and the action
    /// fails.
    pub expected: Expected,
}

/// What is done to a path.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Change {
    /// Both sides have a file of their own: the server's keeps the name, the local one gets the name `copy` on both
    /// sides. The transfers of both are actions of their own.
    KeepBoth {
        /// The path of the conflict copy, see [`ConflictName`](super::ConflictName).
        copy: String,
    },
    /// The directory is made on this side.
    MakeDirectory {
        /// The side that lacks it.
        on: Side,
    },
    /// The file was renamed on the other side, and is on this one.
    Move {
        /// The side that still has the old name.
        on: Side,
        /// The path that it had.
        from: String,
    },
    /// The file is uploaded (`on` the server) or downloaded (`on` this machine), into the place of another one or of
    /// none. What is replaced goes to the trash of that side.
    Transfer {
        /// The side that gets it.
        on: Side,
        /// Another file is there, and is replaced.
        replaces: bool,
    },
    /// The content is the same; the modification time is taken over from the other side. One-way runs only.
    SetTime {
        /// The side whose file gets it.
        on: Side,
        /// In nanoseconds since 1970-01-01T00:00:00Z.
        mtime_ns: i64,
    },
    /// The file goes to the trash of this side; a directory is removed once it is empty.
    Remove {
        /// The side that loses it.
        on: Side,
        /// It is a directory.
        is_directory: bool,
    },
    /// Both sides have the same; the saved state records it. Changes neither side.
    Record,
    /// Neither side has it any more; the saved state drops it. Changes neither side.
    Forget,
}

/// What is on both sides as the plan sees it: nothing and directories have no version.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// The local file.
    pub local: Option<LocalVersion>,
    /// The server's file.
    pub remote: Option<Etag>,
}

/// The version of a local file by its metadata: it differs whenever the file is another one or has changed, within the
/// granularity of the file system's time stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LocalVersion {
    pub(super) device: u64,
    pub(super) inode: u64,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    pub(super) ctime_ns: i64,
}

impl Action {
    /// Whether either side is changed; otherwise only the saved state is.
    #[must_use]
    pub fn is_change(&self) -> bool {
        !matches!(self.change, Change::Record | Change::Forget)
    }
}

impl Change {
    /// One word for it, such as `upload` or `remove-local`.
    #[must_use]
    pub fn name(&self) -> &'static str {
        use Side::{Local, Remote};
        match self {
            Change::KeepBoth { .. } => "conflict",
            Change::MakeDirectory { on: Local } => "make-local-directory",
            Change::MakeDirectory { on: Remote } => "make-remote-directory",
            Change::Move { on: Local, .. } => "move-local",
            Change::Move { on: Remote, .. } => "move-remote",
            Change::Transfer { on: Local, .. } => "download",
            Change::Transfer { on: Remote, .. } => "upload",
            Change::SetTime { on: Local, .. } => "set-local-time",
            Change::SetTime { on: Remote, .. } => "set-remote-time",
            Change::Remove { on: Local, .. } => "remove-local",
            Change::Remove { on: Remote, .. } => "remove-remote",
            Change::Record => "record",
            Change::Forget => "forget",
        }
    }
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Side::Local => Side::Remote,
            Side::Remote => Side::Local,
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Side::Local => "local",
            Side::Remote => "remote",
        })
    }
}

impl LocalVersion {
    /// The size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The modification time in nanoseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub fn mtime_ns(&self) -> i64 {
        self.mtime_ns
    }

    /// Whether both are one file of one content, however often it was renamed in between: renaming sets the time of
    /// the last change, and nothing else.
    pub(super) fn is_same_but_for_its_name(&self, other: &Self) -> bool {
        Self { ctime_ns: 0, ..*self } == Self { ctime_ns: 0, ..*other }
    }
}
