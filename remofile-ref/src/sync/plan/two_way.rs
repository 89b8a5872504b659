//! Both directions: the action for each path, by its three states.

use super::{Planner, action, expected};
use crate::sync::{
    Change, Expected, ProblemReason, Side,
    compare::FileChange,
    input::{Node, PathState, SavedEntry},
};

impl<'a> Planner<'a> {
    pub(super) fn two_way(&mut self, state: &PathState<'a>) {
        match (state.local, state.remote) {
            (Some(Node::Directory { .. }), Some(Node::Directory { .. })) => {
                self.keep_ancestors();
                self.record_directory(state);
            }
            (Some(Node::Directory { hides }), None) => self.directory_of_one(state, Side::Local, *hides),
            (None, Some(Node::Directory { hides })) => self.directory_of_one(state, Side::Remote, *hides),
            (Some(Node::Directory { .. }), Some(_)) => {
                self.skip(state.path, ProblemReason::FileAgainstDirectory { directory: Side::Local });
            }
            (Some(_), Some(Node::Directory { .. })) => {
                self.skip(state.path, ProblemReason::FileAgainstDirectory { directory: Side::Remote });
            }
            (None, None) => self.forget(state),
            _ => self.file(state),
        }
    }

    fn directory_of_one(&mut self, state: &PathState<'a>, on: Side, hides: bool) {
        // If the saved state has it, the other side has removed it; it is kept if it contains entries that are not
        // synchronised.
        if state.saved == Some(&SavedEntry::Directory) && !hides {
            self.remove_later(state.path, on);
        } else {
            self.keep_ancestors();
            self.make_directory(state.path, on.other());
        }
    }

    fn file(&mut self, state: &PathState<'a>) {
        use FileChange::{Changed, Gone, Same};
        match (state.local_change(), state.remote_change()) {
            (Same, Same) => {
                self.keep_ancestors();
                self.record_file(state);
            }
            (Same, Changed) | (Gone, Changed) => {
                self.keep_ancestors();
                self.transfer(state, Side::Local);
            }
            // An edit beats a deletion.
            (Changed, Same) | (Changed, Gone) => {
                self.keep_ancestors();
                self.transfer(state, Side::Remote);
            }
            (Changed, Changed) => {
                self.keep_ancestors();
                if state.has_equal_contents() { self.record_file(state) } else { self.conflict(state) }
            }
            (Same, Gone) => self.remove_file(state, Side::Local),
            (Gone, Same) => self.remove_file(state, Side::Remote),
            (Gone, Gone) => self.forget(state),
        }
    }

    /// Keeps both versions: renames the local one and uploads it, then downloads the server's.
    fn conflict(&mut self, state: &PathState<'a>) {
        let Self { input, options, conflict_names, .. } = self;
        let exists = |name: &str| input.has(Side::Local, name) || input.has(Side::Remote, name);
        let copy = conflict_names.name(state.path, options.stamp, &options.host, exists);
        let Some(bytes) = state.local_file().map(|file| file.version.size) else { return };
        let expected = expected(state);
        let aside = Expected { local: expected.local, remote: None };
        let upload = Change::Transfer { on: Side::Remote, replaces: false };
        self.phases.copies.push(action(&copy, upload, bytes, aside));
        self.phases.conflicts.push(action(state.path, Change::KeepBoth { copy }, bytes, expected.clone()));
        let bytes = state.remote_file().map_or(0, |file| file.size);
        let change = Change::Transfer { on: Side::Local, replaces: false };
        let there = Expected { local: None, remote: expected.remote };
        self.phases.transfers.push(action(state.path, change, bytes, there));
    }
}
