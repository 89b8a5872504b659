//! One direction: the target becomes what the source is, but for what it alone has where nothing is to be deleted.

use super::{Planner, action, expected};
use crate::sync::{
    Change, Side, Why,
    sides::{Node, Row},
};

/// What one side has, whichever files look like there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Has {
    Nothing,
    File,
    Directory { hides: bool },
}

impl<'a> Planner<'a> {
    pub(super) fn one_way(&mut self, row: &Row<'a>, source: Side) {
        let target = source.other();
        let (local, remote) = (has(row.local), has(row.remote));
        let (from, to) = if source == Side::Local { (local, remote) } else { (remote, local) };
        match (from, to) {
            (Has::Nothing, Has::Nothing) => self.forget(row),
            (Has::Nothing, _) if !self.rules.delete => self.keep_alive(),
            (Has::Nothing, Has::File) => self.remove_file(row, target),
            (Has::Nothing, Has::Directory { hides: false }) => self.leave(row.path, target),
            (Has::Nothing, Has::Directory { hides: true }) => self.keep_alive(),
            (Has::File, Has::Nothing) => self.transfer(row, target),
            (Has::File, Has::File) => self.file_over_file(row, target),
            (Has::Directory { .. }, Has::Nothing) => self.make_directory(row.path, target),
            (Has::Directory { .. }, Has::Directory { .. }) => self.record_directory(row),
            (Has::Directory { .. }, Has::File) if self.rules.delete => {
                self.cleared = Some(row.path);
                self.remove_file(row, target);
                self.cleared = None;
                self.make_directory(row.path, target);
            }
            (Has::File, Has::Directory { hides: false })
                if self.rules.delete && !self.hides_below(row.path, target) =>
            {
                self.cleared = Some(row.path);
                self.leave(row.path, target);
                let bytes = source_size(row, source);
                let change = Change::Transfer { on: target, replaces: false };
                self.stages.transfers.push(action(row.path, change, bytes, expected(row)));
            }
            (Has::Directory { .. }, Has::File) => {
                self.hold(row.path, Why::FileAgainstDirectory { directory: source });
            }
            (Has::File, Has::Directory { .. }) => {
                self.hold(row.path, Why::FileAgainstDirectory { directory: target });
            }
        }
    }

    fn file_over_file(&mut self, row: &Row<'a>, target: Side) {
        let (Some(local), Some(remote)) = (row.local_file(), row.remote_file()) else { return };
        if !row.has_equal_contents() {
            return self.transfer(row, target);
        }
        let is_untouched = row.archived_file().is_some_and(|archived| {
            archived.has_equal_times && archived.version == local.version && archived.etag == remote.etag
        });
        if local.version.mtime_ns == remote.mtime_ns || is_untouched {
            return self.record_file(row);
        }
        let mtime_ns = if target == Side::Remote { local.version.mtime_ns } else { remote.mtime_ns };
        let change = Change::SetTime { on: target, mtime_ns };
        self.stages.times.push(action(row.path, change, local.version.size, expected(row)));
    }

    /// Whether anything at or below a directory of one side is not synchronised, so that it cannot be cleared.
    fn hides_below(&self, path: &str, on: Side) -> bool {
        fn any<F>(items: &[crate::sync::sides::Item<F>], path: &str) -> bool {
            let begin = items.partition_point(|item| crate::sync::sides::order(&item.path, path).is_lt());
            items[begin..]
                .iter()
                .take_while(|item| *item.path == *path || crate::sync::sides::is_below(&item.path, path))
                .any(|item| matches!(item.node, Node::Directory { hides: true } | Node::Blocked(_)))
        }
        match on {
            Side::Local => any(&self.sides.local, path),
            Side::Remote => any(&self.sides.remote, path),
        }
    }
}

fn has<F>(node: Option<&Node<F>>) -> Has {
    match node {
        Some(Node::File(_)) => Has::File,
        Some(Node::Directory { hides }) => Has::Directory { hides: *hides },
        Some(Node::Blocked(_)) | None => Has::Nothing,
    }
}

fn source_size(row: &Row<'_>, source: Side) -> u64 {
    match source {
        Side::Local => row.local_file().map_or(0, |file| file.version.size),
        Side::Remote => row.remote_file().map_or(0, |file| file.size),
    }
}
