//! What a server must hold, in memory: a tree of files, and staged uploads.

use super::step::{CommitFault, Etag, ModelPre};
use crate::wire::code::{
    CHANGED, Code, DIGEST, EXISTS, LOOP, NO_UPLOAD, NOT_DIR, NOT_EMPTY, NOT_FILE, NOT_FOUND, OFFSET,
};
use std::collections::BTreeMap;

/// A tree of files and what is staged.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    /// By path without a leading slash; the directory itself is not in it.
    pub(super) nodes: BTreeMap<String, Node>,
    pub(super) uploads: BTreeMap<u8, Upload>,
}

/// A node of the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Node {
    Dir,
    /// With the modification time, if known.
    File(Vec<u8>, Option<i64>),
}

/// A staged upload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Upload {
    pub(super) path: String,
    pub(super) content: Vec<u8>,
    /// Whether it was begun in this session.
    pub(super) begun: bool,
}

/// Why an operation is refused.
pub(super) type Refused<T = ()> = Result<T, Code>;

impl Model {
    pub(super) fn mkdir(&mut self, path: &str) -> Refused {
        self.parents(path)?;
        if self.nodes.contains_key(path) {
            return Err(EXISTS);
        }
        self.nodes.insert(path.to_owned(), Node::Dir);
        Ok(())
    }

    pub(super) fn put(&mut self, path: &str, content: Vec<u8>, pre: ModelPre) -> Refused {
        self.parents(path)?;
        self.target(path, pre, false)?;
        self.nodes.insert(path.to_owned(), Node::File(content, None));
        Ok(())
    }

    pub(super) fn write(&mut self, path: &str, off: u64, bytes: &[u8]) -> Refused {
        let Node::File(content, mtime) = self.file(path)? else { return Err(NOT_FILE) };
        if bytes.is_empty() {
            return Ok(());
        }
        let off = usize::try_from(off).unwrap_or(usize::MAX);
        let end = off.saturating_add(bytes.len());
        content.resize(content.len().max(end), 0);
        content[off..end].copy_from_slice(bytes);
        *mtime = None;
        Ok(())
    }

    pub(super) fn truncate(&mut self, path: &str, size: u64) -> Refused {
        let Node::File(content, mtime) = self.file(path)? else { return Err(NOT_FILE) };
        content.resize(usize::try_from(size).unwrap_or(usize::MAX), 0);
        *mtime = None;
        Ok(())
    }

    /// Stores the modification time that the server reports.
    pub(super) fn touched(&mut self, path: &str, time: i64) {
        if let Some(Node::File(_, mtime)) = self.nodes.get_mut(path) {
            *mtime = Some(time);
        }
    }

    pub(super) fn remove(&mut self, path: &str, etag: Etag) -> Refused {
        self.parents(path)?;
        let file = match self.nodes.get(path) {
            None => return Err(NOT_FOUND),
            Some(node) => *node != Node::Dir,
        };
        // A directory has no etag.
        if etag == Etag::Foreign || (etag == Etag::Present && !file) {
            return Err(CHANGED);
        }
        if self.below(path).next().is_some() {
            return Err(NOT_EMPTY);
        }
        self.nodes.remove(path);
        Ok(())
    }

    pub(super) fn rename(&mut self, from: &str, to: &str, pre: ModelPre) -> Refused {
        if is_at_or_below(to, from) {
            return Err(LOOP);
        }
        self.parents(from)?;
        let directory = *self.nodes.get(from).ok_or(NOT_FOUND)? == Node::Dir;
        self.parents(to)?;
        self.target(to, pre, directory)?;
        let moved: Vec<String> =
            std::iter::once(from.to_owned()).chain(self.below(from).map(|(path, _)| path.clone())).collect();
        for path in moved {
            if let Some(node) = self.nodes.remove(&path) {
                self.nodes.insert(format!("{to}{}", &path[from.len()..]), node);
            }
        }
        Ok(())
    }

    pub(super) fn copy(&mut self, from: &str, to: &str, pre: ModelPre) -> Refused {
        if is_at_or_below(to, from) {
            return Err(LOOP);
        }
        let source = self.file(from)?.clone();
        self.parents(to)?;
        self.target(to, pre, false)?;
        self.nodes.insert(to.to_owned(), source);
        Ok(())
    }

    /// The file at a path, or why there is none.
    pub(super) fn file(&mut self, path: &str) -> Refused<&mut Node> {
        self.parents(path)?;
        match self.nodes.get_mut(path) {
            None => Err(NOT_FOUND),
            Some(Node::Dir) => Err(NOT_FILE),
            Some(file) => Ok(file),
        }
    }

    /// A node of the model.
    pub(super) fn node(&self, path: &str) -> Refused<&Node> {
        self.parents(path)?;
        self.nodes.get(path).ok_or(NOT_FOUND)
    }

    /// Names in a directory, or everything below it.
    pub(super) fn list(&self, path: &str, tree: bool) -> Refused<Vec<String>> {
        if *self.node(path)? != Node::Dir {
            return Err(NOT_DIR);
        }
        let relative = self.below(path).map(|(below, _)| below[path.len() + 1..].to_owned());
        let mut names: Vec<String> = relative.filter(|name| tree || !name.contains('/')).collect();
        // A slash counts as 00 [LIST-2].
        names.sort_by_key(|name| name.replace('/', "\0"));
        Ok(names)
    }

    pub(super) fn begin(&mut self, up: u8, path: &str) -> Vec<u8> {
        self.uploads.retain(|other, upload| *other == up || upload.path != path);
        let upload = self.uploads.entry(up).or_insert_with(|| Upload {
            path: path.to_owned(),
            content: Vec::new(),
            begun: true,
        });
        if upload.path != path {
            *upload = Upload { path: path.to_owned(), content: Vec::new(), begun: true };
        }
        upload.begun = true;
        upload.content.clone()
    }

    /// The upload that `append` and `commit` go to.
    pub(super) fn begun(&mut self, up: u8) -> Refused<&mut Upload> {
        self.uploads.get_mut(&up).filter(|upload| upload.begun).ok_or(NO_UPLOAD)
    }

    pub(super) fn append(&mut self, up: u8, off: u64, bytes: &[u8]) -> Refused<u64> {
        let upload = self.begun(up)?;
        if off != upload.content.len() as u64 {
            return Err(OFFSET);
        }
        upload.content.extend_from_slice(bytes);
        Ok(upload.content.len() as u64)
    }

    pub(super) fn commit(&mut self, up: u8, lie: CommitFault, pre: ModelPre) -> Refused {
        let Upload { path, content, .. } = self.begun(up)?.clone();
        match lie {
            CommitFault::Size | CommitFault::Both => return Err(OFFSET),
            CommitFault::Hash => {
                self.uploads.remove(&up);
                return Err(DIGEST);
            }
            CommitFault::None => {}
        }
        self.put(&path, content, pre)?;
        self.uploads.remove(&up);
        Ok(())
    }

    pub(super) fn new_session(&mut self) {
        self.uploads.values_mut().for_each(|upload| upload.begun = false);
    }

    fn below<'a>(&'a self, path: &'a str) -> impl Iterator<Item = (&'a String, &'a Node)> {
        self.nodes.iter().filter(move |(other, _)| other.as_str() != path && is_at_or_below(other, path))
    }

    fn parents(&self, path: &str) -> Refused {
        for (slash, _) in path.match_indices('/') {
            match self.nodes.get(&path[..slash]) {
                None => return Err(NOT_FOUND),
                Some(Node::Dir) => {}
                Some(Node::File(..)) => return Err(NOT_DIR),
            }
        }
        Ok(())
    }

    /// The target rules [TARGET-4] to [TARGET-7], where nothing but files and directories is.
    fn target(&self, path: &str, pre: ModelPre, directory: bool) -> Refused {
        match (self.nodes.get(path), pre) {
            (Some(_), ModelPre::Absent) => Err(EXISTS),
            (Some(Node::Dir), _) => Err(NOT_FILE),
            (Some(Node::File(..)), _) if directory => Err(NOT_FILE),
            (Some(Node::File(..)), ModelPre::Any | ModelPre::Present) | (None, ModelPre::Absent | ModelPre::Any) => {
                Ok(())
            }
            (_, ModelPre::Present | ModelPre::Foreign) => Err(CHANGED),
        }
    }
}

fn is_at_or_below(path: &str, top: &str) -> bool {
    path.strip_prefix(top).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
