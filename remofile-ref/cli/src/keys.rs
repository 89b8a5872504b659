//! `generate-token` and `generate-keys`.

use super::{
    args::OutputArgs,
    failure::Failure,
    output::{note, write_json},
};
use clap::Args;
use remofile::{generate_keys as new_keys, generate_token as new_token};
use remofile_proto::z85;
use std::{
    fs::File,
    io::{self, Write as _},
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile generate-token                           print a new token\n  \
    remofile generate-token --output token            into a file that only you can read\n  \
    remofile run ./shared --token-file token          and serve with it")]
pub(crate) struct TokenArgs {
    /// Write it into this new file of mode 600, in place of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(
    long_about = "Print a new key pair for a server. By default a server's keys come from its token, so that whoever \
        knows the token could play the server too; one with a pair of its own proves itself by it. The server takes the \
        secret key, its clients the public one (REMOFILE_PUBLIC_KEY or --public-key).",
    after_help = "Examples:\n  \
        remofile generate-keys                                   print a new pair\n  \
        remofile generate-keys --output keys                     into a file that only you can read\n  \
        remofile run ./shared --secret-key-file keys             and serve with it"
)]
pub(crate) struct KeysArgs {
    /// Write the pair into this new file of mode 600, and print the public key alone
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

pub(crate) fn generate_token(output: &OutputArgs, args: &TokenArgs) -> Result<(), Failure> {
    let token = new_token();
    if let Some(file) = &args.output {
        return write_secret(file, &format!("{}\n", token.reveal()));
    }
    let mut out = io::stdout().lock();
    if output.json {
        write_json(&mut out, serde_json::json!({"token": token.reveal()}))?;
    } else {
        writeln!(out, "{}", token.reveal())?;
    }
    Ok(())
}

pub(crate) fn generate_keys(output: &OutputArgs, args: &KeysArgs) -> Result<(), Failure> {
    let keys = new_keys();
    let (public, secret) = (z85::encode(keys.public()), z85::encode(keys.secret()));
    if let Some(file) = &args.output {
        write_secret(file, &format!("public {public}\nsecret {secret}\n"))?;
    }
    let mut out = io::stdout().lock();
    if output.json {
        let mut object = serde_json::json!({"public_key": public});
        if args.output.is_none() {
            object["secret_key"] = secret.into();
        }
        write_json(&mut out, object)?;
    } else {
        writeln!(out, "public {public}")?;
        if args.output.is_none() {
            writeln!(out, "secret {secret}")?;
        }
    }
    Ok(())
}

/// Never over a file that is there: it may hold what somebody still needs.
fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| Failure::Local { what: "make", object: path.display().to_string(), source })?;
    note(format_args!("wrote '{}', which only you can read", path.display()));
    Ok(())
}
