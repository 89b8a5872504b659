//! The options of `list`.

use crate::options::RemoteOptions;
use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
#[command(after_help = "\
On a terminal, prints names in columns, rounded sizes and local times. In a pipe, prints a path per line; with -l, kind, \
size in bytes, modification time in UTC and path, separated by spaces. `-` stands for a missing size or time.

Patterns match paths on the server: *, ? and [a-z] match within a name, ** matches any number of directories, and \\ \
escapes the next character. A wildcard matches a leading dot only with -a. Matching directories are listed themselves, \
and their contents with -r. Quote patterns, so that the shell does not expand them. A path that exists takes precedence \
over a pattern of the same text.

Examples:
  remofile list                          the served directory
  remofile list -l /isos /photos         two directories, with sizes and times
  remofile list --tree /photos           all files as a tree
  remofile list '/photos/**/*.jpg'       all .jpg files below /photos
  remofile list -r -0 / | xargs -0 ...   all paths, for xargs
  remofile list -l --sort size           largest first")]
pub(crate) struct ListArgs {
    /// Directories, files or quoted patterns
    #[arg(default_value = "/", value_name = "PATH")]
    pub(crate) paths: Vec<String>,
    /// Print kind, size and modification time
    #[arg(short, long)]
    pub(crate) long: bool,
    /// Include hidden entries, whose names start with a dot
    #[arg(short, long)]
    pub(crate) all: bool,
    /// List subdirectories recursively
    #[arg(short, long)]
    pub(crate) recursive: bool,
    /// List subdirectories recursively as a tree
    #[arg(long, conflicts_with_all = ["long", "recursive", "sort", "reverse", "null"])]
    pub(crate) tree: bool,
    /// List directories themselves, not their contents
    #[arg(short, long, conflicts_with_all = ["recursive", "tree"])]
    pub(crate) directory: bool,
    /// End each line with NUL instead of a newline
    #[arg(short = '0', long)]
    pub(crate) null: bool,
    /// Sort by KEY; size: largest first, time: newest first
    #[arg(long, value_name = "KEY", value_enum, default_value_t)]
    pub(crate) sort: SortKey,
    /// Reverse the order
    #[arg(long)]
    pub(crate) reverse: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

/// The sort key of a listing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum SortKey {
    #[default]
    Name,
    Size,
    Time,
    Extension,
}
