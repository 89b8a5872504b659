//! Paths on the server that start with the word at the cursor.

use crate::{connection::ServerTarget, options::ConnectionOptions, remote_path::remote_path};
use remofile::client::{Cancel, FileClient};
use remofile_proto::Kind;
use std::{
    sync::mpsc::channel,
    thread,
    time::{Duration, Instant},
};

/// The time limit; with the start of two processes, 300 ms for the user.
const LIMIT: Duration = Duration::from_millis(250);

/// The largest number of paths.
const PATHS_MAX: usize = 1000;

/// The paths that start with `current`; directories end with a slash. Empty if no server is configured, or it is in use
/// or does not answer in time.
pub(super) fn paths(connection: &ConnectionOptions, current: &str) -> Vec<String> {
    let deadline = Instant::now() + LIMIT;
    let (sender, receiver) = channel();
    let (connection, current) = (connection.clone(), current.to_owned());
    // Name resolution cannot be cancelled.
    thread::spawn(move || sender.send(list(&connection, &current, deadline)));
    receiver.recv_timeout(LIMIT).ok().flatten().unwrap_or_default()
}

fn list(connection: &ConnectionOptions, current: &str, deadline: Instant) -> Option<Vec<String>> {
    let target = ServerTarget::find_silently(connection).ok()?;
    let (directory, begun) = current.rsplit_once('/').map_or(("", current), |(above, begun)| (above, begun));
    let typed = &current[..current.len() - begun.len()];
    let cancel = Cancel::after(deadline.saturating_duration_since(Instant::now()));
    // The process may end before the session does: its lease is short.
    let options = target.options.timeout(LIMIT).lease_ms(0).cancel(cancel);
    let client = FileClient::connect(&target.endpoint, &target.token, options).ok()?;
    let path = remote_path(if directory.is_empty() { "/" } else { directory }).ok()?;
    let mut paths = Vec::new();
    for listed in client.list(&path, false) {
        let Ok(listed) = listed else { break };
        // Hidden names only after a dot.
        if !listed.name.starts_with(begun) || (listed.name.starts_with('.') && begun.is_empty()) {
            continue;
        }
        let slash = if listed.entry.kind == Kind::Dir { "/" } else { "" };
        paths.push(format!("{typed}{}{slash}", listed.name));
        if paths.len() == PATHS_MAX {
            break;
        }
    }
    client.bye();
    Some(paths)
}
