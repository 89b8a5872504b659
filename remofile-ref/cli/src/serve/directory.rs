//! Checks of the directory to serve.

use super::{
    options::ServeArgs,
    start_error::{self, named},
};
use crate::{directories::home, failure::Failure, render::warn};
use std::{
    fs, io,
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
};

/// Resolves and checks the directory to serve; rejects or warns of directories that are rarely meant.
pub(super) fn directory(args: &ServeArgs) -> Result<PathBuf, Failure> {
    let failed = |error: io::Error| Failure::from(start_error::directory(&args.directory, &error));
    let directory = fs::canonicalize(&args.directory).map_err(failed)?;
    fs::read_dir(&directory).map_err(failed)?;
    if is_top(&directory) && !args.allow_root {
        return Err(Failure::usage_with(
            format!("refusing to serve '{}', which contains all files of this machine", named(&args.directory)),
            "serve another directory, or use --allow-root",
        ));
    }
    if let Some(why) = unusual(&directory) {
        warn(format_args!("'{}' is {why}: everyone with the token can {}", directory.display(), access(args)));
    }
    if let Some(file) = &args.secret_key_file {
        reject_inside(&directory, file, "secret key file")?;
    }
    Ok(directory)
}

/// Rejects a file in the served directory.
pub(super) fn reject_inside(directory: &Path, file: &Path, what: &str) -> Result<(), Failure> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The file need not exist; if it is a symbolic link, its target is checked too.
    let places = [fs::canonicalize(parent), fs::canonicalize(file)];
    if places.iter().flatten().any(|place| place.starts_with(directory)) && !is_top(directory) {
        return Err(Failure::usage_with(
            format!("the {what} '{}' is in the served directory", named(file)),
            "clients could read or change it; use another directory",
        ));
    }
    Ok(())
}

/// Whether it is `/`, under any name.
fn is_top(directory: &Path) -> bool {
    match (fs::metadata(directory), fs::metadata("/")) {
        (Ok(directory), Ok(top)) => (directory.dev(), directory.ino()) == (top.dev(), top.ino()),
        _ => directory == Path::new("/"),
    }
}

/// The description of a directory that is rarely served on purpose.
fn unusual(directory: &Path) -> Option<&'static str> {
    const SYSTEM: [&str; 12] =
        ["/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var"];
    let home = home().and_then(|home| fs::canonicalize(home).ok());
    if home.as_deref() == Some(directory) {
        return Some("your home directory, which contains keys and startup files");
    }
    SYSTEM.iter().any(|system| directory == Path::new(system)).then_some("a system directory")
}

fn access(args: &ServeArgs) -> &'static str {
    if args.read_only { "read all files in it" } else { "read and change all files in it" }
}
