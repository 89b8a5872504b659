//! The user's directories, as the XDG base directory specification has them.

use std::{env, path::PathBuf};

/// The home directory.
pub(crate) fn home() -> Option<PathBuf> {
    env::var_os("HOME").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// The directory of configuration files: `$XDG_CONFIG_HOME` or `~/.config`.
pub(crate) fn config_home() -> Option<PathBuf> {
    absolute("XDG_CONFIG_HOME").or_else(|| Some(home()?.join(".config")))
}

/// The directory of the user's state, if `$XDG_STATE_HOME` is set.
pub(crate) fn state_home() -> Option<PathBuf> {
    absolute("XDG_STATE_HOME")
}

/// The directory of the user's sockets and pid files, if `$XDG_RUNTIME_DIR` is set.
pub(crate) fn runtime() -> Option<PathBuf> {
    absolute("XDG_RUNTIME_DIR")
}

/// The path in a variable; the specification has a relative one ignored.
fn absolute(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}
