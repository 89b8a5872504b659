//! Paths of the server at the cursor: in time or not at all.

use crate::{args::ConnectionArgs, connection::Target, remote::remote_path};
use remofile::client::{Cancel, FileClient};
use remofile_proto::Kind;
use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

/// What is not known by then is not said: with the start of two processes around it 300 ms for the user.
const LIMIT: Duration = Duration::from_millis(250);

/// More than this nobody reads.
const MOST: usize = 1000;

/// The paths that begin with `current`, directories with a slash at their end. None where the server is in use, does
/// not answer in time, or is not known.
pub(super) fn paths(connection: &ConnectionArgs, current: &str) -> Vec<String> {
    let deadline = Instant::now() + LIMIT;
    let (tell, told) = channel();
    let (connection, current) = (connection.clone(), current.to_owned());
    // Names are resolved and connections made by calls that nothing can cancel.
    thread::spawn(move || tell.send(list(&connection, &current, deadline)));
    told.recv_timeout(LIMIT).ok().flatten().unwrap_or_default()
}

fn list(connection: &ConnectionArgs, current: &str, deadline: Instant) -> Option<Vec<String>> {
    let target = Target::find_silently(connection).ok()?;
    let (directory, begun) = current.rsplit_once('/').map_or(("", current), |(above, begun)| (above, begun));
    let typed = &current[..current.len() - begun.len()];
    let cancel = Cancel::after(deadline.saturating_duration_since(Instant::now()));
    // A session that this process does not live to end is short.
    let options = target.options.timeout(LIMIT).lease_ms(0).cancel(cancel);
    let client = FileClient::connect(&target.endpoint, &target.token, options).ok()?;
    let path = remote_path(if directory.is_empty() { "/" } else { directory }).ok()?;
    let mut paths = Vec::new();
    for listed in client.list(&path, false) {
        let Ok(listed) = listed else { break };
        // Hidden names are offered to those who have typed the dot.
        if !listed.name.starts_with(begun) || (listed.name.starts_with('.') && begun.is_empty()) {
            continue;
        }
        let slash = if listed.entry.kind == Kind::Dir { "/" } else { "" };
        paths.push(format!("{typed}{}{slash}", listed.name));
        if paths.len() == MOST {
            break;
        }
    }
    client.bye();
    Some(paths)
}
