//! The input of the plan: the entries of both sides and of the saved state, merged path by path.

use super::{LocalVersion, ProblemReason, Side};
use remofile_proto::{Digest, Etag};
use std::cmp::Ordering;

/// One entry of a side.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct ScannedEntry<F> {
    /// Below the root, with slashes and without one in front.
    pub(super) path: Box<str>,
    pub(super) node: Node<F>,
}

/// What an entry is.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node<F> {
    File(F),
    Directory {
        /// It contains something that is not synchronised, and so is never empty.
        hides: bool,
    },
    /// Neither it nor anything below it is changed on either side.
    Blocked(ProblemReason),
}

/// A file on this machine.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct LocalFileState {
    pub(super) version: LocalVersion,
    /// It was modified so recently that another change may not change its time stamps.
    pub(super) is_recently_modified: bool,
    /// Set if the file had to be read.
    pub(super) hash: Option<Digest>,
}

/// A file on the server.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct RemoteFileState {
    pub(super) etag: Etag,
    pub(super) size: u64,
    pub(super) mtime_ns: i64,
    /// [ENTRY-6]
    pub(super) is_racy: bool,
    /// Set if the server had to compute it.
    pub(super) hash: Option<Digest>,
}

/// An entry that both sides had when they were last synchronised.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum SavedEntry {
    File(SavedFile),
    Directory,
}

/// A file that both sides had.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct SavedFile {
    pub(super) hash: Digest,
    /// The local state that had this content.
    pub(super) version: LocalVersion,
    /// The state does not prove the content.
    pub(super) is_recently_modified: bool,
    /// The server's state that had this content.
    pub(super) etag: Etag,
    /// [ENTRY-7] The state does not prove the content.
    pub(super) is_racy: bool,
    /// The modification times agreed, as far as both file systems keep them.
    pub(super) has_equal_times: bool,
}

/// The entries of both sides and of the saved state, each in the order of listings.
#[derive(Debug, Default)]
pub(super) struct SyncInput {
    pub(super) local: Vec<ScannedEntry<LocalFileState>>,
    pub(super) remote: Vec<ScannedEntry<RemoteFileState>>,
    pub(super) saved: Vec<(Box<str>, SavedEntry)>,
}

/// The entries of one path.
#[derive(Clone, Copy, Debug)]
pub(super) struct PathState<'a> {
    pub(super) path: &'a str,
    pub(super) local: Option<&'a Node<LocalFileState>>,
    pub(super) remote: Option<&'a Node<RemoteFileState>>,
    pub(super) saved: Option<&'a SavedEntry>,
}

/// The order of listings: bytewise, and `/` before all, so that a directory is followed by what is in it [LIST-2].
pub(super) fn order(one: &str, other: &str) -> Ordering {
    let key = |byte: u8| if byte == b'/' { 0 } else { byte };
    one.bytes().map(key).cmp(other.bytes().map(key))
}

/// Whether `path` lies somewhere below `directory`.
pub(super) fn is_below(path: &str, directory: &str) -> bool {
    path.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// The directory that a path is in, empty at the top, and its name.
pub(super) fn split(path: &str) -> (&str, &str) {
    path.rsplit_once('/').unwrap_or(("", path))
}

impl SyncInput {
    /// All paths that any of the three has, in order.
    pub(super) fn path_states(&self) -> impl Iterator<Item = PathState<'_>> {
        let mut local = self.local.iter().peekable();
        let mut remote = self.remote.iter().peekable();
        let mut saved = self.saved.iter().peekable();
        std::iter::from_fn(move || {
            let heads = [
                local.peek().map(|item| &*item.path),
                remote.peek().map(|item| &*item.path),
                saved.peek().map(|(path, _)| &**path),
            ];
            let path = heads.into_iter().flatten().min_by(|one, other| order(one, other))?;
            Some(PathState {
                path,
                local: local.next_if(|item| *item.path == *path).map(|item| &item.node),
                remote: remote.next_if(|item| *item.path == *path).map(|item| &item.node),
                saved: saved.next_if(|(saved, _)| **saved == *path).map(|(_, saved)| saved),
            })
        })
    }

    /// The entries of one path.
    pub(super) fn path_state<'a>(&'a self, path: &'a str) -> PathState<'a> {
        fn node<'a, F>(items: &'a [ScannedEntry<F>], path: &str) -> Option<&'a Node<F>> {
            index(items, path).map(|index| &items[index].node)
        }
        let saved = self.saved.binary_search_by(|(saved, _)| order(saved, path)).ok();
        PathState {
            path,
            local: node(&self.local, path),
            remote: node(&self.remote, path),
            saved: saved.map(|index| &self.saved[index].1),
        }
    }

    /// Whether a side has an entry there.
    pub(super) fn has(&self, side: Side, path: &str) -> bool {
        match side {
            Side::Local => index(&self.local, path).is_some(),
            Side::Remote => index(&self.remote, path).is_some(),
        }
    }

    /// The local entry of a path.
    pub(super) fn local_mut(&mut self, path: &str) -> Option<&mut Node<LocalFileState>> {
        find(&mut self.local, path)
    }

    /// The server's entry of a path.
    pub(super) fn remote_mut(&mut self, path: &str) -> Option<&mut Node<RemoteFileState>> {
        find(&mut self.remote, path)
    }

    /// How many files, and entries in all, a side has.
    pub(super) fn count(&self, side: Side) -> (u64, u64) {
        fn count<F>(items: &[ScannedEntry<F>]) -> (u64, u64) {
            let files = items.iter().filter(|item| matches!(item.node, Node::File(_))).count();
            (files as u64, items.len() as u64)
        }
        match side {
            Side::Local => count(&self.local),
            Side::Remote => count(&self.remote),
        }
    }
}

fn find<'a, F>(items: &'a mut [ScannedEntry<F>], path: &str) -> Option<&'a mut Node<F>> {
    let index = index(items, path)?;
    Some(&mut items[index].node)
}

fn index<F>(items: &[ScannedEntry<F>], path: &str) -> Option<usize> {
    items.binary_search_by(|item| order(&item.path, path)).ok()
}

impl<'a> PathState<'a> {
    pub(super) fn local_file(&self) -> Option<&'a LocalFileState> {
        match self.local {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn remote_file(&self) -> Option<&'a RemoteFileState> {
        match self.remote {
            Some(Node::File(file)) => Some(file),
            _ => None,
        }
    }

    pub(super) fn saved_file(&self) -> Option<&'a SavedFile> {
        match self.saved {
            Some(SavedEntry::File(file)) => Some(file),
            _ => None,
        }
    }

    /// The hash of the local file if known: because it was read, or because the file has not changed.
    pub(super) fn local_hash(&self) -> Option<Digest> {
        let file = self.local_file()?;
        file.hash.or_else(|| {
            let saved = self.saved_file()?;
            let is_untouched =
                !file.is_recently_modified && !saved.is_recently_modified && file.version == saved.version;
            is_untouched.then_some(saved.hash)
        })
    }

    /// The same of the server's file.
    pub(super) fn remote_hash(&self) -> Option<Digest> {
        let file = self.remote_file()?;
        file.hash.or_else(|| {
            let saved = self.saved_file()?;
            let is_untouched = !file.is_racy && !saved.is_racy && file.etag == saved.etag;
            is_untouched.then_some(saved.hash)
        })
    }

    /// Why this path is left alone, if either side blocks it.
    pub(super) fn blocked(&self) -> Option<&'a ProblemReason> {
        match (self.local, self.remote) {
            (Some(Node::Blocked(why)), _) | (_, Some(Node::Blocked(why))) => Some(why),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_followed_by_what_is_in_it() {
        let mut paths = ["a.b", "a/b", "a", "a!", "a/b/c", "a/b!", "b"];
        paths.sort_by(|one, other| order(one, other));
        assert_eq!(paths, ["a", "a/b", "a/b/c", "a/b!", "a!", "a.b", "b"]);
    }

    #[test]
    fn every_path_of_the_three_comes_once_and_in_order() {
        let directory = |path: &str| ScannedEntry { path: path.into(), node: Node::Directory { hides: false } };
        let input = SyncInput {
            local: ["a", "a/x", "c"].map(directory).into(),
            remote: vec![ScannedEntry { path: "a/x".into(), node: Node::Directory { hides: false } }],
            saved: ["a", "b"].map(|path| (path.into(), SavedEntry::Directory)).into(),
        };
        let path_states: Vec<_> = input
            .path_states()
            .map(|state| (state.path, state.local.is_some(), state.remote.is_some(), state.saved.is_some()))
            .collect();
        let expected = [
            ("a", true, false, true),
            ("a/x", true, true, false),
            ("b", false, false, true),
            ("c", true, false, false),
        ];
        assert_eq!(path_states, expected);
    }

    #[test]
    fn only_a_path_that_continues_with_a_slash_is_below() {
        assert!(is_below("a/b", "a"));
        assert!(!is_below("ab", "a"));
        assert!(!is_below("a", "a"));
    }
}
