//! `generate-token` and `generate-keys`: print new secrets.

use crate::{
    failure::Failure,
    options::OutputOptions,
    render::{note, write_json},
};
use clap::Args;
use remofile::{generate_keys, generate_token};
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
    remofile generate-token --output token            write it to a file of mode 600\n  \
    remofile run ./shared --token-file token          serve with it")]
pub(crate) struct TokenArgs {
    /// Write the token to a new file of mode 600
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: OutputOptions,
}

#[derive(Debug, Args)]
#[command(
    long_about = "Print a new key pair for a server. By default a server derives its keys from the token, so that every \
        client could impersonate the server; a key pair of its own prevents that. The server needs the secret key, and \
        clients need the public key (REMOFILE_PUBLIC_KEY or --public-key).",
    after_help = "Examples:\n  \
        remofile generate-keys                                   print a new key pair\n  \
        remofile generate-keys --output keys                     write it to a file of mode 600\n  \
        remofile run ./shared --secret-key-file keys             serve with it"
)]
pub(crate) struct KeysArgs {
    /// Write the pair to a new file of mode 600, and print only the public key
    #[arg(short, long, value_name = "FILE")]
    output: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: OutputOptions,
}

pub(crate) fn token(args: &TokenArgs) -> Result<(), Failure> {
    let token = generate_token();
    if let Some(file) = &args.output {
        return write_secret(file, &format!("{}\n", token.reveal()));
    }
    let mut out = io::stdout().lock();
    if args.options.is_json() {
        write_json(&mut out, serde_json::json!({"token": token.reveal()}))?;
    } else {
        writeln!(out, "{}", token.reveal())?;
    }
    Ok(())
}

pub(crate) fn keys(args: &KeysArgs) -> Result<(), Failure> {
    let keys = generate_keys();
    let (public, secret) = (z85::encode(keys.public()), z85::encode(keys.secret()));
    if let Some(file) = &args.output {
        write_secret(file, &format!("public {public}\nsecret {secret}\n"))?;
    }
    let mut out = io::stdout().lock();
    if args.options.is_json() {
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

/// Creates the file; an existing one may still be needed, and is not overwritten.
fn write_secret(path: &Path, text: &str) -> Result<(), Failure> {
    let write = || -> io::Result<()> {
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()
    };
    write().map_err(|source| Failure::local("create", path.display().to_string(), source))?;
    note(format_args!("wrote '{}' (mode 600)", path.display()));
    Ok(())
}
