//! A listing, fetched a page at a time.

use super::{ClientError, FileClient, payload::Payload};
use remofile_proto::{Answer, ListedEntry, Operation, RemotePath};
use std::collections::VecDeque;

/// The entries of a remote directory or tree, in listing order; holds one page at a time.
///
/// Names are checked: none of them leads out of the directory that is listed [SEC-1].
#[derive(Debug)]
pub struct RemoteListing {
    client: FileClient,
    pages: Pages,
    page: VecDeque<ListedEntry>,
}

/// The pages of a listing, for callers that send other requests between two of them.
#[derive(Debug)]
pub(crate) struct Pages {
    path: RemotePath,
    tree: bool,
    after: Option<String>,
    skipped: u64,
    is_over: bool,
    /// What is there already, all of it.
    ready: Option<Vec<ListedEntry>>,
}

impl RemoteListing {
    pub(super) fn new(client: FileClient, path: RemotePath, tree: bool) -> Self {
        Self { client, pages: Pages::new(path, tree), page: VecDeque::new() }
    }

    /// How many names the server has left out so far, because the protocol does not allow them.
    #[must_use]
    pub fn skipped(&self) -> u64 {
        self.pages.skipped
    }
}

impl Iterator for RemoteListing {
    type Item = Result<ListedEntry, ClientError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() {
            match self.pages.next(&mut self.client) {
                Ok(Some(page)) => self.page = page.into(),
                Ok(None) => break,
                Err(error) => return Some(Err(error)),
            }
        }
        self.page.pop_front().map(Ok)
    }
}

impl Pages {
    pub(crate) fn new(path: RemotePath, tree: bool) -> Self {
        Self { path, tree, after: None, skipped: 0, is_over: false, ready: None }
    }

    /// The same listing once more, of which these were all the entries.
    pub(super) fn again(self, entries: Vec<ListedEntry>) -> Self {
        Self { ready: Some(entries), ..self }
    }

    pub(crate) fn skipped(&self) -> u64 {
        self.skipped
    }

    /// Continues after a directory that was listed, without its content: no name has this character, and all but a
    /// slash sort after it.
    pub(crate) fn skip(&mut self, directory: &str) {
        self.after = Some(format!("{directory}\u{1}"));
    }

    /// The next page; none after the last one and after an error.
    pub(crate) fn next(&mut self, client: &mut FileClient) -> Result<Option<Vec<ListedEntry>>, ClientError> {
        if self.is_over {
            return Ok(self.ready.take());
        }
        // Until the page has proved good.
        self.is_over = true;
        let list = Operation::List { path: self.path.clone(), after: self.after.clone(), limit: None, tree: self.tree };
        let listing = match client.call_resolved(list, Payload::None)? {
            Answer::Listing(listing) => listing,
            other => return Err(super::unexpected("list", &other)),
        };
        // [LIST-7] A server that says more and gives nothing would be asked for ever.
        if listing.more && listing.entries.is_empty() {
            return Err(ClientError::Protocol { reason: "an empty page of a listing that has more pages".to_owned() });
        }
        if let Some(last) = listing.entries.last() {
            if self.after.as_ref().is_some_and(|after| sort_key(after) >= sort_key(&last.name)) {
                return Err(ClientError::Protocol { reason: "a listing that does not go on".to_owned() });
            }
            self.after = Some(last.name.clone());
        }
        self.skipped += listing.skipped;
        self.is_over = !listing.more;
        Ok(Some(listing.entries))
    }
}

/// [LIST-2] Bytewise order in which `/` counts as zero.
fn sort_key(name: &str) -> Vec<u8> {
    name.bytes().map(|byte| if byte == b'/' { 0 } else { byte }).collect()
}
