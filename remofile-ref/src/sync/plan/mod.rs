//! The plan: a function of both sides and the saved state, and of nothing else.

mod name_collisions;
mod one_way;
mod renames;
mod two_way;

use super::{
    Action, Change, ConflictName, Expected, Plan, Problem, ProblemReason, Side, Timestamp,
    conflict::ConflictNamer,
    input::{PathState, SavedEntry, SyncInput, is_below},
    run::Direction,
};
use std::collections::HashSet;

/// The options of a plan.
#[derive(Clone, Debug)]
pub(super) struct PlanOptions {
    pub(super) direction: Direction,
    /// One-way: removes entries that only the target has.
    pub(super) delete: bool,
    pub(super) allow_name_collisions: bool,
    /// The time in the names of conflict copies.
    pub(super) stamp: Timestamp,
    pub(super) host: String,
}

/// Makes the plan. All hash requests have been answered.
pub(super) fn plan(input: &SyncInput, problems: Vec<Problem>, options: &PlanOptions) -> Plan {
    let mut planner = Planner::new(input, options, problems);
    for state in input.path_states() {
        planner.plan_path(&state);
    }
    planner.finish()
}

/// The actions by phase. Phases are executed in this order, and a phase depends only on earlier ones.
#[derive(Debug, Default)]
struct Phases {
    /// Renames local versions in conflict before anything is replaced.
    conflicts: Vec<Action>,
    /// Uploads them.
    copies: Vec<Action>,
    /// Removes files in place of directories and the reverse; one-way.
    clearing: Vec<Action>,
    makes: Vec<Action>,
    moves: Vec<Action>,
    times: Vec<Action>,
    transfers: Vec<Action>,
    removals: Vec<Action>,
    /// Deepest first.
    removed_directories: Vec<Action>,
    notes: Vec<Action>,
}

struct Planner<'a> {
    input: &'a SyncInput,
    options: &'a PlanOptions,
    phases: Phases,
    problems: Vec<Problem>,
    conflict_copies: Vec<String>,
    conflict_names: ConflictNamer,
    /// Nothing below this path is changed.
    skipped_below: Option<&'a str>,
    /// Everything below this path is removed before it is replaced.
    cleared: Option<&'a str>,
    /// Directories that one side has removed, the innermost last.
    pending_removals: Vec<PendingRemoval<'a>>,
}

/// A directory that is removed unless something in it stays.
struct PendingRemoval<'a> {
    path: &'a str,
    on: Side,
}

impl<'a> Planner<'a> {
    fn new(input: &'a SyncInput, options: &'a PlanOptions, problems: Vec<Problem>) -> Self {
        Self {
            input,
            options,
            phases: Phases::default(),
            problems,
            conflict_copies: Vec::new(),
            conflict_names: ConflictNamer::default(),
            skipped_below: None,
            cleared: None,
            pending_removals: Vec::new(),
        }
    }

    fn plan_path(&mut self, state: &PathState<'a>) {
        if self.skipped_below.is_some_and(|directory| is_below(state.path, directory)) {
            return;
        }
        self.finish_removals_outside(state.path);
        if self.cleared.is_some_and(|directory| !is_below(state.path, directory)) {
            self.cleared = None;
        }
        if ConflictName::parse(state.path).is_some() && (state.local.is_some() || state.remote.is_some()) {
            self.conflict_copies.push(state.path.to_owned());
        }
        match (state.blocked(), self.options.direction) {
            (Some(why), _) => self.skip(state.path, why.clone()),
            (None, Direction::Both) => self.two_way(state),
            (None, Direction::Upload) => self.one_way(state, Side::Local),
            (None, Direction::Download) => self.one_way(state, Side::Remote),
        }
    }

    /// Leaves this path and all below it unchanged.
    fn skip(&mut self, path: &'a str, why: ProblemReason) {
        self.problems.push(Problem { path: path.to_owned(), why });
        self.skipped_below = Some(path);
        self.keep_ancestors();
    }

    /// Keeps the directories that contain the current path.
    fn keep_ancestors(&mut self) {
        for PendingRemoval { path, on } in std::mem::take(&mut self.pending_removals) {
            if self.options.direction == Direction::Both {
                self.make_directory(path, on.other());
            }
        }
    }

    /// Removes a directory later, if nothing in it stays.
    fn remove_later(&mut self, path: &'a str, on: Side) {
        self.pending_removals.push(PendingRemoval { path, on });
    }

    /// Removes the pending directories that do not contain `path`.
    fn finish_removals_outside(&mut self, path: &str) {
        while let Some(last) = self.pending_removals.last() {
            if is_below(path, last.path) {
                return;
            }
            let PendingRemoval { path, on } = self.pending_removals.pop().expect("the last one was just seen");
            let action = action(path, Change::Remove { on, is_directory: true }, 0, Expected::default());
            if self.cleared == Some(path) || self.cleared.is_some_and(|cleared| is_below(path, cleared)) {
                self.phases.clearing.push(action);
            } else {
                self.phases.removed_directories.push(action);
            }
        }
    }

    fn make_directory(&mut self, path: &str, on: Side) {
        self.phases.makes.push(action(path, Change::MakeDirectory { on }, 0, Expected::default()));
    }

    fn transfer(&mut self, state: &PathState<'_>, on: Side) {
        let bytes = match on {
            Side::Remote => state.local_file().map_or(0, |file| file.version.size),
            Side::Local => state.remote_file().map_or(0, |file| file.size),
        };
        let replaces = match on {
            Side::Remote => state.remote_file().is_some(),
            Side::Local => state.local_file().is_some(),
        };
        self.phases.transfers.push(action(state.path, Change::Transfer { on, replaces }, bytes, expected(state)));
    }

    fn remove_file(&mut self, state: &PathState<'_>, on: Side) {
        let bytes = match on {
            Side::Local => state.local_file().map_or(0, |file| file.version.size),
            Side::Remote => state.remote_file().map_or(0, |file| file.size),
        };
        let action = action(state.path, Change::Remove { on, is_directory: false }, bytes, expected(state));
        if self.cleared.is_some() { self.phases.clearing.push(action) } else { self.phases.removals.push(action) }
    }

    /// Records that both sides have the same file, unless the saved state has it already.
    fn record_file(&mut self, state: &PathState<'_>) {
        let (Some(local), Some(remote)) = (state.local_file(), state.remote_file()) else { return };
        let is_known = state.saved_file().is_some_and(|saved| {
            saved.version == local.version
                && saved.etag == remote.etag
                && saved.is_recently_modified == local.is_recently_modified
                && saved.is_racy == remote.is_racy
                && (saved.has_equal_times || local.version.mtime_ns != remote.mtime_ns)
        });
        if !is_known {
            self.phases.notes.push(action(state.path, Change::Record, local.version.size, expected(state)));
        }
    }

    fn record_directory(&mut self, state: &PathState<'_>) {
        if state.saved != Some(&SavedEntry::Directory) {
            self.phases.notes.push(action(state.path, Change::Record, 0, Expected::default()));
        }
    }

    fn forget(&mut self, state: &PathState<'_>) {
        self.phases.notes.push(action(state.path, Change::Forget, 0, Expected::default()));
    }

    fn finish(mut self) -> Plan {
        // No directory contains the empty path.
        self.finish_removals_outside("");
        self.find_renames();
        if !self.options.allow_name_collisions {
            self.skip_name_collisions();
        }
        let Phases {
            conflicts,
            copies,
            clearing,
            makes,
            moves,
            times,
            transfers,
            removals,
            removed_directories,
            notes,
        } = self.phases;
        let phases =
            [conflicts, copies, clearing, sorted(makes), moves, times, transfers, removals, removed_directories, notes];
        let actions: Vec<Action> = phases.into_iter().flatten().collect();
        let conflict_copies = still_there(self.conflict_copies, &actions);
        Plan { actions, problems: self.problems, conflict_copies }
    }
}

/// The conflict copies that no action removes.
fn still_there(mut copies: Vec<String>, actions: &[Action]) -> Vec<String> {
    if !copies.is_empty() {
        let pending_removals = |action: &Action| match &action.change {
            Change::Remove { .. } => Some(action.path.clone()),
            Change::Move { from, .. } => Some(from.clone()),
            _ => None,
        };
        let gone: HashSet<String> = actions.iter().filter_map(pending_removals).collect();
        copies.retain(|copy| !gone.contains(copy));
    }
    copies
}

/// What both sides have now.
fn expected(state: &PathState<'_>) -> Expected {
    Expected {
        local: state.local_file().map(|file| file.version),
        remote: state.remote_file().map(|file| file.etag.clone()),
    }
}

fn action(path: &str, change: Change, bytes: u64, expected: Expected) -> Action {
    Action { path: path.to_owned(), change, bytes, expected }
}

/// Directories before what is in them.
fn sorted(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by(|one, other| super::input::order(&one.path, &other.path));
    actions
}
