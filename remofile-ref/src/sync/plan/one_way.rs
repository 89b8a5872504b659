//! One direction: makes the target equal to the source; entries that only the target has are kept unless `delete` is
//! set.

use super::{Planner, action, expected};
use crate::sync::{
    Change, ProblemReason, Side,
    input::{Node, PathState},
};

/// What one side has at a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum SideEntry {
    Nothing,
    File,
    Directory { hides: bool },
}

impl<'a> Planner<'a> {
    pub(super) fn one_way(&mut self, state: &PathState<'a>, source: Side) {
        let target = source.other();
        let (local, remote) = (has(state.local), has(state.remote));
        let (from, to) = if source == Side::Local { (local, remote) } else { (remote, local) };
        match (from, to) {
            (SideEntry::Nothing, SideEntry::Nothing) => self.forget(state),
            (SideEntry::Nothing, _) if !self.options.delete => self.keep_ancestors(),
            (SideEntry::Nothing, SideEntry::File) => self.remove_file(state, target),
            (SideEntry::Nothing, SideEntry::Directory { hides: false }) => self.remove_later(state.path, target),
            (SideEntry::Nothing, SideEntry::Directory { hides: true }) => self.keep_ancestors(),
            (SideEntry::File, SideEntry::Nothing) => self.transfer(state, target),
            (SideEntry::File, SideEntry::File) => self.file_over_file(state, target),
            (SideEntry::Directory { .. }, SideEntry::Nothing) => self.make_directory(state.path, target),
            (SideEntry::Directory { .. }, SideEntry::Directory { .. }) => self.record_directory(state),
            (SideEntry::Directory { .. }, SideEntry::File) if self.options.delete => {
                self.cleared = Some(state.path);
                self.remove_file(state, target);
                self.cleared = None;
                self.make_directory(state.path, target);
            }
            (SideEntry::File, SideEntry::Directory { hides: false })
                if self.options.delete && !self.hides_below(state.path, target) =>
            {
                self.cleared = Some(state.path);
                self.remove_later(state.path, target);
                let bytes = source_size(state, source);
                let change = Change::Transfer { on: target, replaces: false };
                self.phases.transfers.push(action(state.path, change, bytes, expected(state)));
            }
            (SideEntry::Directory { .. }, SideEntry::File) => {
                self.skip(state.path, ProblemReason::FileAgainstDirectory { directory: source });
            }
            (SideEntry::File, SideEntry::Directory { .. }) => {
                self.skip(state.path, ProblemReason::FileAgainstDirectory { directory: target });
            }
        }
    }

    fn file_over_file(&mut self, state: &PathState<'a>, target: Side) {
        let (Some(local), Some(remote)) = (state.local_file(), state.remote_file()) else { return };
        if !state.has_equal_contents() {
            return self.transfer(state, target);
        }
        let is_untouched = state
            .saved_file()
            .is_some_and(|saved| saved.has_equal_times && saved.version == local.version && saved.etag == remote.etag);
        if local.version.mtime_ns == remote.mtime_ns || is_untouched {
            return self.record_file(state);
        }
        let mtime_ns = if target == Side::Remote { local.version.mtime_ns } else { remote.mtime_ns };
        let change = Change::SetTime { on: target, mtime_ns };
        self.phases.times.push(action(state.path, change, local.version.size, expected(state)));
    }

    /// Whether anything at or below a directory is not synchronised, so that the directory cannot be removed.
    fn hides_below(&self, path: &str, on: Side) -> bool {
        fn any<F>(items: &[crate::sync::input::ScannedEntry<F>], path: &str) -> bool {
            let begin = items.partition_point(|item| crate::sync::input::order(&item.path, path).is_lt());
            items[begin..]
                .iter()
                .take_while(|item| *item.path == *path || crate::sync::input::is_below(&item.path, path))
                .any(|item| matches!(item.node, Node::Directory { hides: true } | Node::Blocked(_)))
        }
        match on {
            Side::Local => any(&self.input.local, path),
            Side::Remote => any(&self.input.remote, path),
        }
    }
}

fn has<F>(node: Option<&Node<F>>) -> SideEntry {
    match node {
        Some(Node::File(_)) => SideEntry::File,
        Some(Node::Directory { hides }) => SideEntry::Directory { hides: *hides },
        Some(Node::Blocked(_)) | None => SideEntry::Nothing,
    }
}

fn source_size(state: &PathState<'_>, source: Side) -> u64 {
    match source {
        Side::Local => state.local_file().map_or(0, |file| file.version.size),
        Side::Remote => state.remote_file().map_or(0, |file| file.size),
    }
}
