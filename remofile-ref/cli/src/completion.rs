//! `completion`: the scripts that have a shell ask this program what could stand at the cursor.

use super::failure::Failure;
use clap::{Args, ValueEnum};
use std::io::{self, Write as _};

#[derive(Debug, Args)]
#[command(
    long_about = "Print a script that completes commands, flags, values, local files and paths on the server. A server \
        that does not answer within 300 ms, or is in use, is not waited for.",
    after_help = "Examples:\n  \
        remofile completion bash > ~/.local/share/bash-completion/completions/remofile\n  \
        remofile completion zsh > ~/.zfunc/_remofile      with ~/.zfunc in fpath, before compinit\n  \
        remofile completion fish > ~/.config/fish/completions/remofile.fish"
)]
pub(crate) struct CompletionArgs {
    /// The shell
    #[arg(value_enum)]
    pub(crate) shell: Shell,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shell {
    Bash,
    Zsh,
    Fish,
}

pub(crate) fn run(args: &CompletionArgs) -> Result<(), Failure> {
    let script = match args.shell {
        Shell::Bash => include_str!("complete/remofile.bash"),
        Shell::Zsh => include_str!("complete/remofile.zsh"),
        Shell::Fish => include_str!("complete/remofile.fish"),
    };
    io::stdout().lock().write_all(script.as_bytes())?;
    Ok(())
}
