//! `completion`: the scripts that call `__complete` from a shell.

use crate::{failure::Failure, options::MessageOptions};
use clap::{Args, ValueEnum};
use std::io::{self, Write as _};

#[derive(Debug, Args)]
#[command(
    long_about = "Print a script that completes commands, options, values, local files and paths on the server. Paths are \
        completed only if the server answers within 300 ms and is not in use.",
    after_help = "Examples:\n  \
        remofile completion bash > ~/.local/share/bash-completion/completions/remofile\n  \
        remofile completion zsh > ~/.zfunc/_remofile      with ~/.zfunc in fpath, before compinit\n  \
        remofile completion fish > ~/.config/fish/completions/remofile.fish"
)]
pub(crate) struct CompletionArgs {
    /// Shell
    #[arg(value_enum)]
    shell: Shell,
    #[command(flatten)]
    pub(crate) options: MessageOptions,
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
