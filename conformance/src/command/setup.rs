//! What a run needs before it starts: the server, and what all cases share.

use crate::{
    command::{
        access::looks_like_an_address,
        args::{Access, Hooks},
    },
    engine::{
        environment::{Environment, random_id},
        server::Server,
    },
    exit::{Exit, Failure},
    wire::connection::{ServerTarget, Timeouts},
};
use std::{
    cell::{Cell, RefCell},
    env,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

/// How long a server may take until it answers, when the suite starts it.
const START_WITHIN: Duration = Duration::from_secs(30);

/// A server to run against.
pub(super) struct Established {
    context: zmq::Context,
    target: ServerTarget,
    server: Server,
    root: Option<PathBuf>,
}

/// Finds the server that the command line names, or starts it.
pub(super) fn establish(access: &Access, hooks: &Hooks, server: Option<&str>) -> Result<Established, Failure> {
    let context = zmq::Context::new();
    if let Some(command) = &hooks.spawn {
        // The port is chosen when the server is started.
        let named = access.target_or_random("127.0.0.1:1")?;
        let server =
            Server::spawn(&context, command, named.token.clone(), named.security, START_WITHIN).map_err(|error| {
                Failure::new(Exit::Unreachable, error.to_string()).hint("try the command of --spawn by hand")
            })?;
        let (target, root) = (server.target().unwrap_or(named), server.root());
        return Ok(Established { context, target, server, root });
    }
    let server = server.ok_or_else(|| {
        Failure::usage("no server is given").hint("give HOST:PORT, set REMOFILE_SERVER, or use --spawn")
    })?;
    let root = hooks.root.as_ref().map(|root| {
        let found = root.canonicalize().ok().filter(|root| root.is_dir());
        found.ok_or_else(|| Failure::usage(format!("--root {}: no such directory", root.display())))
    });
    let target = access.target(server)?;
    let server = match &hooks.restart_cmd {
        Some(command) => Server::restartable(&context, command, target.clone(), START_WITHIN),
        None => Server::Foreign,
    };
    Ok(Established { context, target, server, root: root.transpose()? })
}

/// What all cases share.
pub(super) fn environment(established: Established, seed: u64, access: &Access) -> Rc<Environment> {
    let Established { context, target, server, root } = established;
    // Not the seed: two runs with one may meet on one server.
    let name = crate::wire::cbor::hex(&random_id()[..8]);
    Rc::new(Environment {
        context,
        target: RefCell::new(target),
        timeouts: Cell::new(Timeouts::new(Duration::ZERO, Duration::from_secs(access.timeout))),
        root,
        server: RefCell::new(server),
        run_directory: format!("/conformance-{name}"),
        seed,
        last_session: Cell::new(None),
        long_hash: Cell::new(None),
        stays_racy: Cell::new(false),
    })
}

/// The server and the patterns among the words of a command line.
pub(super) fn words(words: &[String], spawns: bool) -> (Option<String>, Vec<String>) {
    match words.split_first() {
        Some((first, patterns)) if looks_like_an_address(first) => (Some(first.clone()), patterns.to_vec()),
        _ if spawns => (None, words.to_vec()),
        _ => match env::var("REMOFILE_SERVER").ok().filter(|server| !server.is_empty()) {
            Some(server) => (Some(server), words.to_vec()),
            // A host without a port.
            None => (words.first().cloned(), words.get(1..).unwrap_or_default().to_vec()),
        },
    }
}

/// A seed that was not asked for.
pub(super) fn random_seed() -> u64 {
    let id = random_id();
    // Short enough to be typed.
    u64::from(u32::from_le_bytes([id[0], id[1], id[2], id[3]]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn split(text: &[&str], spawns: bool) -> (Option<String>, Vec<String>) {
        words(&text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(), spawns)
    }

    #[test]
    fn the_first_word_is_the_server_where_it_is_an_address() {
        assert_eq!(split(&["a:1", "SEQ-*"], false), (Some("a:1".into()), vec!["SEQ-*".into()]));
    }

    #[test]
    fn with_spawn_all_words_are_patterns() {
        assert_eq!(split(&["SEQ-*", "section:7"], true), (None, vec!["SEQ-*".into(), "section:7".into()]));
    }
}
