//! Checks that the suite changes no foreign file in a served directory.

use super::{
    executor::{Executor, RunOutcome, RunSpec},
    server_config::ServerConfig,
};
use crate::{
    engine::{environment::random_id, server::Server},
    wire::connection::Security,
};
use remofile_proto::Token;
use std::{
    collections::BTreeMap,
    fs, io,
    path::Path,
    time::{Duration, SystemTime},
};

/// How long the server may take to start.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Runs cases against a running server with files in it; returns each problem as a sentence.
pub(super) fn complaints(executor: &Executor<'_>, spec: RunSpec) -> Vec<String> {
    check(executor, spec).unwrap_or_else(|error| vec![error])
}

fn check(executor: &Executor<'_>, mut spec: RunSpec) -> Result<Vec<String>, String> {
    let token = (0..8).find_map(|_| Token::from_random_bytes(random_id()).ok()).ok_or("random bytes make no token")?;
    let word = token.reveal().to_owned();
    let reached = executor.scratch().join("nothing-to-reach");
    let command = executor.serving(&ServerConfig::default(), &reached);
    let context = zmq::Context::new();
    let server = Server::spawn(&context, &command, token, Security::Derived, START_WITHIN)?;
    let (Some(root), Some(target)) = (server.root(), server.target()) else {
        return Err("the server was not started".into());
    };
    plant(&root).map_err(|error| format!("no files could be made: {error}"))?;
    let before = listed(&root).map_err(|error| format!("the directory could not be listed: {error}"))?;
    spec.foreign = Some((target.address().to_owned(), word));
    let ran = match executor.execute(&spec) {
        RunOutcome::Reported(ran) => ran,
        RunOutcome::Unreachable(why) | RunOutcome::Failed(why) => return Ok(vec![why]),
        RunOutcome::Interrupted => return Ok(vec!["interrupted".into()]),
    };
    let after = listed(&root).map_err(|error| format!("the directory could not be listed: {error}"))?;
    let mut complaints: Vec<String> = ran.leftovers.iter().map(|left| format!("left over: {left}")).collect();
    complaints.extend(after.keys().filter(|name| !before.contains_key(*name)).map(|name| format!("left over: {name}")));
    complaints.extend(
        before
            .iter()
            .filter(|(name, state)| after.get(*name) != Some(state))
            .map(|(name, _)| format!("changed: {name}")),
    );
    Ok(complaints)
}

/// Creates the foreign files.
fn plant(root: &Path) -> io::Result<()> {
    fs::create_dir_all(root.join("conformance/1"))?;
    fs::write(root.join("conformance/1/f"), "foreign")?;
    fs::write(root.join("a"), "foreign")
}

/// Content and modification time of a file.
type FileState = (Vec<u8>, SystemTime);

/// Lists a directory without the server's own one, with content and time of each file.
fn listed(root: &Path) -> io::Result<BTreeMap<String, Option<FileState>>> {
    let mut found = BTreeMap::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory)? {
            let path = entry?.path();
            let name = path.strip_prefix(root).unwrap_or(&path).display().to_string();
            if name == ".remofile" {
                continue;
            }
            let kind = fs::symlink_metadata(&path)?;
            found.insert(name, if kind.is_file() { Some((fs::read(&path)?, kind.modified()?)) } else { None });
            if kind.is_dir() {
                directories.push(path);
            }
        }
    }
    Ok(found)
}
