//! Both directions: three states of each path, and what becomes of it.

use super::{Planner, action, expected};
use crate::sync::{
    Change, ConflictName, Expected, Side, Why,
    compare::Since,
    sides::{Archived, Node, Row},
};

impl<'a> Planner<'a> {
    pub(super) fn two_way(&mut self, row: &Row<'a>) {
        match (row.local, row.remote) {
            (Some(Node::Directory { .. }), Some(Node::Directory { .. })) => {
                self.keep_alive();
                self.record_directory(row);
            }
            (Some(Node::Directory { hides }), None) => self.directory_of_one(row, Side::Local, *hides),
            (None, Some(Node::Directory { hides })) => self.directory_of_one(row, Side::Remote, *hides),
            (Some(Node::Directory { .. }), Some(_)) => {
                self.hold(row.path, Why::FileAgainstDirectory { directory: Side::Local });
            }
            (Some(_), Some(Node::Directory { .. })) => {
                self.hold(row.path, Why::FileAgainstDirectory { directory: Side::Remote });
            }
            (None, None) => self.forget(row),
            _ => self.file(row),
        }
    }

    fn directory_of_one(&mut self, row: &Row<'a>, on: Side, hides: bool) {
        // Where it was archived, the other side has removed it; one that is not empty for that stays.
        if row.archived == Some(&Archived::Directory) && !hides {
            self.leave(row.path, on);
        } else {
            self.keep_alive();
            self.make_directory(row.path, on.other());
        }
    }

    fn file(&mut self, row: &Row<'a>) {
        use Since::{Changed, Gone, Same};
        match (row.local_since(), row.remote_since()) {
            (Same, Same) => {
                self.keep_alive();
                self.record_file(row);
            }
            (Same, Changed) | (Gone, Changed) => {
                self.keep_alive();
                self.transfer(row, Side::Local);
            }
            // An edit beats a deletion.
            (Changed, Same) | (Changed, Gone) => {
                self.keep_alive();
                self.transfer(row, Side::Remote);
            }
            (Changed, Changed) => {
                self.keep_alive();
                if row.has_equal_contents() { self.record_file(row) } else { self.conflict(row) }
            }
            (Same, Gone) => self.remove_file(row, Side::Local),
            (Gone, Same) => self.remove_file(row, Side::Remote),
            (Gone, Gone) => self.forget(row),
        }
    }

    /// Both copies are kept. The local one steps aside and is uploaded, before the server's takes its place.
    fn conflict(&mut self, row: &Row<'a>) {
        let copy = self.free_name(row.path);
        let Some(bytes) = row.local_file().map(|file| file.version.size) else { return };
        let expected = expected(row);
        let aside = Expected { local: expected.local, remote: None };
        let upload = Change::Transfer { on: Side::Remote, replaces: false };
        self.stages.copies.push(action(&copy, upload, bytes, aside));
        self.stages.conflicts.push(action(row.path, Change::KeepBoth { copy }, bytes, expected.clone()));
        let bytes = row.remote_file().map_or(0, |file| file.size);
        let change = Change::Transfer { on: Side::Local, replaces: false };
        let there = Expected { local: None, remote: expected.remote };
        self.stages.transfers.push(action(row.path, change, bytes, there));
    }

    /// The name of a conflict copy that nothing has, neither on a side nor in this plan.
    fn free_name(&self, path: &str) -> String {
        let is_taken = |name: &str| {
            self.stages.copies.iter().any(|action| action.path == name)
                || self.sides.has(Side::Local, name)
                || self.sides.has(Side::Remote, name)
        };
        (1..=u32::MAX)
            .map(|number| ConflictName::of(path, self.rules.stamp, &self.rules.host, number))
            .find(|name| !is_taken(name))
            .expect("there are fewer entries than numbers")
    }
}
