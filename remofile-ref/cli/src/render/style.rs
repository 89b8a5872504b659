//! The styles of messages and names.

use anstyle::{AnsiColor, Style};

/// `error:`
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Names of directories.
pub(crate) const DIRECTORY: Style = AnsiColor::Blue.on_default().bold();
/// Names of links and special files.
pub(crate) const SPECIAL: Style = AnsiColor::Cyan.on_default();
