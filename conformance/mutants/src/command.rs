//! The command line: `[OPTIONS] DIR PORT TOKEN`.

use crate::{LegalVariant, Mutation, legal_variants, mutations, server::Server};
use std::{path::PathBuf, process::ExitCode};

const USAGE: &str = "\
usage: mutation-server [OPTIONS] DIR PORT TOKEN
  --mutation NAME       break one rule (--list-mutations lists them)
  --variant NAME         use a legal variant (--list-variants lists them)
  --reached FILE     make FILE when the mutation or variant is reached
  --rep              one request at a time, over a REP socket
  --read-only        refuse every change
  --insecure         no CURVE
  --secret-key FILE  a key pair of its own, as `remofile generate-keys` prints it
  --lease MS         how long a silent client keeps the session (30000)";

/// What the command line asks for.
#[derive(Debug, Default)]
pub(crate) struct Options {
    pub(crate) directory: PathBuf,
    /// Port 0 takes a free one.
    pub(crate) port: u16,
    pub(crate) token: String,
    pub(crate) mutation: Option<&'static Mutation>,
    pub(crate) variant: Option<&'static LegalVariant>,
    pub(crate) reached: Option<PathBuf>,
    pub(crate) rep: bool,
    pub(crate) read_only: bool,
    pub(crate) insecure: bool,
    pub(crate) secret_key: Option<PathBuf>,
    /// In milliseconds.
    pub(crate) lease_ms: Option<u64>,
}

/// Serves until it is killed, or tells what is wrong: with status 2 about the command line, else with status 1.
///
/// `arguments` come without the name of the program.
pub fn command(arguments: impl IntoIterator<Item = String>) -> ExitCode {
    match parse(arguments.into_iter()) {
        Ok(Asked::Mutations) => {
            mutations().for_each(|mutation| {
                println!("{}\t{}\t{}", mutation.name, mutation.requirements.join(" "), mutation.description)
            });
            ExitCode::SUCCESS
        }
        Ok(Asked::LegalVariants) => {
            legal_variants().for_each(|variant| println!("{}\t{}", variant.name, variant.description));
            ExitCode::SUCCESS
        }
        Ok(Asked::Serve(options)) => {
            let Err(what) = Server::start(&options).and_then(|mut server| server.serve());
            eprintln!("mutation-server: {what}");
            ExitCode::FAILURE
        }
        Err(what) => {
            eprintln!("mutation-server: {what}\n{USAGE}");
            ExitCode::from(2)
        }
    }
}

/// What is to be done.
#[derive(Debug)]
enum Asked {
    Mutations,
    LegalVariants,
    Serve(Options),
}

fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Asked, String> {
    let mut options = Options::default();
    let mut places = Vec::new();
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--list-mutations" => return Ok(Asked::Mutations),
            "--list-variants" => return Ok(Asked::LegalVariants),
            "--mutation" => options.mutation = Some(mutation(&value()?)?),
            "--variant" => options.variant = Some(variant(&value()?)?),
            "--reached" => options.reached = Some(value()?.into()),
            "--rep" => options.rep = true,
            "--read-only" => options.read_only = true,
            "--insecure" => options.insecure = true,
            "--secret-key" => options.secret_key = Some(value()?.into()),
            "--lease" => options.lease_ms = Some(value()?.parse().map_err(|_| "--lease is a number of milliseconds")?),
            other if other.starts_with('-') => return Err(format!("there is no option {other}")),
            _ => places.push(argument),
        }
    }
    let [directory, port, token] =
        <[String; 3]>::try_from(places).map_err(|_| "directory, port and token are needed")?;
    options.directory = directory.into();
    options.port = port.parse().map_err(|_| "the port is a number from 0 to 65535")?;
    options.token = token;
    Ok(Asked::Serve(options))
}

fn mutation(name: &str) -> Result<&'static Mutation, String> {
    mutations().find(|mutation| mutation.name == name).ok_or(format!("there is no mutation {name}"))
}

fn variant(name: &str) -> Result<&'static LegalVariant, String> {
    legal_variants().find(|variant| variant.name == name).ok_or(format!("there is no variant {name}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parsed(line: &str) -> Result<Options, String> {
        match parse(line.split_whitespace().map(str::to_owned))? {
            Asked::Serve(options) => Ok(options),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn three_places_and_options_in_any_order() {
        let options = parsed("--rep /srv 0 --lease 2000 abc").unwrap();
        assert_eq!((options.directory.to_str(), options.port, options.token.as_str()), (Some("/srv"), 0, "abc"));
        assert!(options.rep && !options.read_only && options.lease_ms == Some(2000));
    }

    #[test]
    fn what_is_not_known_is_refused() {
        for line in ["/srv 0", "/srv x abc", "--fast /srv 0 abc", "--mutation none /srv 0 abc", "/srv 0 abc --lease"] {
            assert!(parsed(line).is_err(), "{line}");
        }
    }
}
