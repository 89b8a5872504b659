//! Checks that the server is alive, and removes what a run created.

use super::{Runner, SANITY};
use crate::{
    engine::{case::Case, client::Client, error::CaseResult, journal::Journal},
    mutation,
    wire::{
        code::{NOT_FOUND, OK, SEQ},
        connection::SocketKind,
        request::{abort, list, remove, stat, uploads},
    },
};

impl Runner<'_> {
    /// Whether a new client is answered.
    pub(super) fn is_alive(&self) -> bool {
        let client = Client::new("probe", &self.environment, &Journal::shared(), SocketKind::Dealer);
        client.is_ok_and(|mut client| {
            let hello = client.hello_request();
            client.call(hello).is_ok_and(|reply| {
                if reply.code == OK {
                    self.environment.last_session.set(Some(client.session));
                }
                true
            })
        })
    }

    /// Records the case after which the server did not answer any more, and restarts it if possible.
    pub(super) fn mark_dead(&mut self, case: &Case) {
        self.suspect.get_or_insert_with(|| if case.id.is_empty() { SANITY.to_owned() } else { case.id.clone() });
        let mut server = self.environment.server.borrow_mut();
        if server.can_restart() && server.kill_and_restart().is_ok() {
            self.environment.last_session.set(None);
        }
    }

    /// Whether the run's directory exists.
    pub(super) fn has_directory(&self, client: &mut Client) -> CaseResult<bool> {
        Ok(client.call(stat(&self.environment.run_directory))?.code != NOT_FOUND)
    }

    /// Removes everything that the run created; returns what could not be removed.
    pub(super) fn clean_up(&mut self) -> Vec<String> {
        if mutation::active!(CleanUpSkipped) {
            return Vec::new();
        }
        let directory = self.environment.run_directory.clone();
        if self.cases_run == 0 || self.hello_reply.as_ref().is_none_or(|hello_reply| hello_reply.ro) {
            return Vec::new();
        }
        let journal = Journal::shared();
        let cleaned = Client::new("cleaner", &self.environment, &journal, SocketKind::Dealer).and_then(|mut client| {
            if let Some(mut old) = self.client.take() {
                old.rest(&journal);
                old.close()?;
            }
            client.open()?;
            let left = clean(&mut client, &directory)?;
            client.close()?;
            Ok(left)
        });
        cleaned.unwrap_or_else(|error| vec![format!("{directory}: {}", error.text())])
    }
}

/// Aborts the uploads staged for the directory and removes the tree, deepest entries first.
fn clean(client: &mut Client, directory: &str) -> CaseResult<Vec<String>> {
    let mut after: Option<Vec<u8>> = None;
    loop {
        let request = uploads();
        let page = client.call(match &after {
            Some(after) => request.arg("after", after.as_slice()),
            None => request,
        })?;
        let staged = page.items("uploads")?;
        for upload in &staged {
            let up = upload.bytes("up")?.to_vec();
            if upload.text("path")?.starts_with(directory) {
                let id = <[u8; 16]>::try_from(up.as_slice()).unwrap_or_default();
                client.call(abort(id))?;
            }
            after = Some(up);
        }
        if staged.is_empty() || !page.bool("more")? {
            break;
        }
    }
    if client.call(stat(directory))?.code == NOT_FOUND {
        return Ok(Vec::new());
    }
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = client.call(list(directory).arg("tree", true).arg("after", after.as_str()))?;
        for entry in page.items("entries")? {
            after = entry.text("name")?.to_owned();
            names.push(format!("{directory}/{after}"));
        }
        if !page.bool("more")? {
            break;
        }
    }
    names.reverse();
    names.push(directory.to_owned());
    let window = usize::try_from(client.hello_reply()?.window).unwrap_or(1);
    let mut left = Vec::new();
    for paths in names.chunks(window) {
        let mut sent = Vec::new();
        for path in paths {
            sent.push((client.send(&remove(path))?, path));
        }
        for (seq, path) in sent {
            let mut reply = client.final_reply(seq)?;
            // After a PENDING, later requests are refused until they are sent again [SEQ-26].
            if reply.code == SEQ {
                client.send_as(seq, &remove(path))?;
                reply = client.final_reply(seq)?;
            }
            if reply.code != OK && reply.code != NOT_FOUND {
                left.push(format!("{path}: {}", reply.code));
            }
        }
    }
    Ok(left)
}
