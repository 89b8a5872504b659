//! The remote scan: all entries below the remote root, by one listing of the tree.

use super::{
    Problem, ProblemReason, Side, SyncOptions,
    input::{Node, RemoteFileState, ScannedEntry},
    local_scan::is_own,
    trash::TRASH,
};
use crate::client::{ClientError, FileClient, listing::Pages};
use remofile_proto::{Code, Entry, Kind, ListedEntry, RemotePath};

/// The entries below a remote root.
#[derive(Debug, Default)]
pub(super) struct RemoteScan {
    /// In the order of listings.
    pub(super) items: Vec<ScannedEntry<RemoteFileState>>,
    /// Names that the listing left out, and directories that the server could not read.
    pub(super) problems: Vec<Problem>,
}

impl FileClient {
    /// Lists all entries below `root`; `None` where there is no such directory.
    pub(super) fn scan_remote(
        &mut self,
        root: &RemotePath,
        options: &SyncOptions,
    ) -> Result<Option<RemoteScan>, ClientError> {
        let mut found = RemoteScan::default();
        // The indexes of the directories that the listing is in.
        let mut open: Vec<usize> = Vec::new();
        let mut pages = Pages::new(root.clone(), true);
        loop {
            let page = match pages.next(self) {
                Ok(Some(page)) => page,
                Ok(None) => break,
                Err(error) if error.is_not_found() && found.items.is_empty() => return Ok(None),
                Err(error) => return Err(error),
            };
            let mut left_out: Option<String> = None;
            for listed in page {
                if left_out.as_deref().is_some_and(|directory| super::input::is_below(&listed.name, directory)) {
                    continue;
                }
                left_out = found.add(listed, options, &mut open);
            }
            // What is below a directory that is left out is not fetched.
            if let Some(directory) = left_out {
                pages.skip(&directory);
            }
        }
        let skipped = pages.skipped();
        if skipped > 0 {
            if found.items.is_empty()
                && let Some(code) = self.listing_refusal(root)?
            {
                return Err(crate::client::refused("list", root, code));
            }
            self.find_unreadable(root, &mut found)?;
            found.problems.push(Problem { path: String::new(), why: ProblemReason::Unlisted { names: skipped } });
        }
        Ok(Some(found))
    }

    /// [LIST-13] A directory that the server could not read is listed like an empty one. Its entries must not be taken
    /// for removed.
    fn find_unreadable(&mut self, root: &RemotePath, found: &mut RemoteScan) -> Result<(), ClientError> {
        for index in 0..found.items.len() {
            let is_empty = !found
                .items
                .get(index + 1)
                .is_some_and(|next| super::input::is_below(&next.path, &found.items[index].path));
            if !is_empty || !matches!(found.items[index].node, Node::Directory { .. }) {
                continue;
            }
            let path = root.join(&found.items[index].path)?;
            if let Some(code) = self.listing_refusal(&path)? {
                let reason = code.text().to_owned();
                found.items[index].node = Node::Blocked(ProblemReason::Unreadable { on: Side::Remote, reason });
            }
        }
        Ok(())
    }

    /// Why the server does not list a directory, if it does not.
    fn listing_refusal(&mut self, directory: &RemotePath) -> Result<Option<Code>, ClientError> {
        let mut listing = self.list(directory, false);
        let listed = match listing.next() {
            // Names may be left out for what they are, or since the directory may be read and not searched.
            None if listing.skipped() > 0 => match directory.join("-") {
                Ok(any) => self.stat(&any).map(drop),
                Err(_) => return Ok(None),
            },
            None => return Ok(None),
            Some(listed) => listed.map(drop),
        };
        match listed {
            Ok(()) => Ok(None),
            Err(error) if error.is_not_found() => Ok(None),
            Err(ClientError::Refused { refusal, .. }) => Ok(Some(refusal.code)),
            Err(error) => Err(error),
        }
    }
}

impl RemoteScan {
    /// Returns the name if it is a directory that is left out with all below it.
    fn add(&mut self, listed: ListedEntry, options: &SyncOptions, open: &mut Vec<usize>) -> Option<String> {
        let ListedEntry { name, entry } = listed;
        while let Some(&last) = open.last() {
            if super::input::is_below(&name, &self.items[last].path) {
                break;
            }
            open.pop();
        }
        let is_directory = entry.kind == Kind::Dir;
        let last = name.rsplit_once('/').map_or(&*name, |(_, last)| last);
        if last == TRASH || is_own(last) || options.excludes(&name, is_directory) {
            self.hide(open);
            return is_directory.then_some(name);
        }
        let node = node(entry);
        if matches!(node, Node::Blocked(_)) {
            self.hide(open);
        }
        if is_directory {
            open.push(self.items.len());
        }
        self.items.push(ScannedEntry { path: name.into(), node });
        None
    }

    /// Marks the directory that the listing is in: it contains something that is not synchronised.
    fn hide(&mut self, open: &[usize]) {
        if let Some(&last) = open.last() {
            self.items[last].node = Node::Directory { hides: true };
        }
    }
}

fn node(entry: Entry) -> Node<RemoteFileState> {
    match (entry.kind, entry.etag, entry.size) {
        (Kind::File, Some(etag), Some(size)) => {
            let mtime_ns = entry.mtime_ns.unwrap_or_default();
            Node::File(RemoteFileState { etag, size, mtime_ns, is_racy: entry.racy, hash: None })
        }
        (Kind::Dir, ..) => Node::Directory { hides: false },
        (Kind::Link, ..) => Node::Blocked(ProblemReason::Link(Side::Remote)),
        _ => Node::Blocked(ProblemReason::Special(Side::Remote)),
    }
}

/// The version of a file on the server after a change, by the answer to it.
pub(super) fn version_of(entry: &Entry) -> Result<(remofile_proto::Etag, bool), ClientError> {
    let without = || ClientError::Protocol { reason: "a file without an etag".to_owned() };
    Ok((entry.etag.clone().ok_or_else(without)?, entry.racy))
}

/// Whether a refusal says that the file has changed.
pub(super) fn says_changed(code: Code) -> bool {
    matches!(code, Code::NotFound | Code::Changed | Code::NotFile | Code::NotDir | Code::UnsupportedKind)
}
