//! A served directory, a place beside it, and clients of the real command that go through a relay.

use crate::process::{Done, TOKEN, make_file, remofile};
use crate::relay::Relay;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A served directory and a place beside it; both go when it is dropped.
pub struct Place {
    around: tempfile::TempDir,
}

impl Default for Place {
    fn default() -> Self {
        Self::new()
    }
}

impl Place {
    pub fn new() -> Self {
        let around = tempfile::tempdir().unwrap();
        fs::create_dir(around.path().join("served")).unwrap();
        Self { around }
    }

    pub fn served(&self) -> PathBuf {
        self.around.path().join("served")
    }

    pub fn beside(&self, name: &str) -> PathBuf {
        self.around.path().join(name)
    }

    /// What is beside it, as a command line has it.
    pub fn text(&self, name: &str) -> String {
        text(&self.beside(name))
    }

    /// Makes a file of so many bytes beside it.
    pub fn file(&self, name: &str, size: usize) -> String {
        text(&make_file(&self.beside(name), size, size as u64))
    }
}

pub fn text(path: &Path) -> String {
    path.to_str().unwrap().to_owned()
}

pub fn lines(done: &Done) -> Vec<&str> {
    done.stdout.lines().collect()
}

/// A client process that goes through a relay.
pub fn through(relay: &Relay, args: &[&str]) -> Command {
    let mut command = remofile();
    command.args(args).env("REMOFILE_SERVER", relay.address().to_string()).env("REMOFILE_TOKEN", TOKEN);
    command
}
