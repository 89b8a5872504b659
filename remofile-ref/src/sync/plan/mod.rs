//! The plan: what to do, as a function of both sides and the archive and of nothing else.

mod one_way;
mod renames;
mod twins;
mod two_way;

use super::{
    Action, Change, ConflictName, Expected, Plan, Problem, Side, Stamp, Why,
    run::Mode,
    sides::{Archived, Row, Sides, is_below},
};
use std::collections::HashSet;

/// What a plan depends on beside both sides and the archive.
#[derive(Clone, Debug)]
pub(super) struct Rules {
    pub(super) mode: Mode,
    /// One-way: what the target alone has is removed.
    pub(super) delete: bool,
    pub(super) allow_twins: bool,
    /// What conflict copies are called.
    pub(super) stamp: Stamp,
    pub(super) host: String,
}

/// Makes the plan. What had to be read has been.
pub(super) fn plan(sides: &Sides, problems: Vec<Problem>, rules: &Rules) -> Plan {
    let mut planner = Planner::new(sides, rules, problems);
    for row in sides.rows() {
        planner.row(&row);
    }
    planner.finish()
}

/// Actions by the stages in which they are executed: what a later one needs, an earlier one has done.
#[derive(Debug, Default)]
struct Stages {
    /// Local versions step aside before anything is replaced,
    conflicts: Vec<Action>,
    /// and get to the server.
    copies: Vec<Action>,
    /// Files in the way of directories and the reverse; one-way.
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
    sides: &'a Sides,
    rules: &'a Rules,
    stages: Stages,
    problems: Vec<Problem>,
    conflict_copies: Vec<String>,
    /// Nothing is done below.
    held: Option<&'a str>,
    /// Everything below goes, before what takes its place comes.
    cleared: Option<&'a str>,
    /// Directories that one side has no more, those that the walk is in last.
    leaving: Vec<Leaving<'a>>,
}

/// A directory that goes unless something in it stays.
struct Leaving<'a> {
    path: &'a str,
    on: Side,
}

impl<'a> Planner<'a> {
    fn new(sides: &'a Sides, rules: &'a Rules, problems: Vec<Problem>) -> Self {
        Self {
            sides,
            rules,
            stages: Stages::default(),
            problems,
            conflict_copies: Vec::new(),
            held: None,
            cleared: None,
            leaving: Vec::new(),
        }
    }

    fn row(&mut self, row: &Row<'a>) {
        if self.held.is_some_and(|directory| is_below(row.path, directory)) {
            return;
        }
        self.leave_behind(row.path);
        if self.cleared.is_some_and(|directory| !is_below(row.path, directory)) {
            self.cleared = None;
        }
        if ConflictName::parse(row.path).is_some() && (row.local.is_some() || row.remote.is_some()) {
            self.conflict_copies.push(row.path.to_owned());
        }
        match (row.blocked(), self.rules.mode) {
            (Some(why), _) => self.hold(row.path, why.clone()),
            (None, Mode::Both) => self.two_way(row),
            (None, Mode::Upload) => self.one_way(row, Side::Local),
            (None, Mode::Download) => self.one_way(row, Side::Remote),
        }
    }

    /// Leaves this path and all below it as it is.
    fn hold(&mut self, path: &'a str, why: Why) {
        self.problems.push(Problem { path: path.to_owned(), why });
        self.held = Some(path);
        self.keep_alive();
    }

    /// Something stays here: all directories that it is in do too.
    fn keep_alive(&mut self) {
        for Leaving { path, on } in std::mem::take(&mut self.leaving) {
            if self.rules.mode == Mode::Both {
                self.make_directory(path, on.other());
            }
        }
    }

    /// A directory that one side has no more goes from the other, if nothing in it stays.
    fn leave(&mut self, path: &'a str, on: Side) {
        self.leaving.push(Leaving { path, on });
    }

    /// Those directories that the walk has left with nothing in them that stays, go.
    fn leave_behind(&mut self, path: &str) {
        while let Some(last) = self.leaving.last() {
            if is_below(path, last.path) {
                return;
            }
            let Leaving { path, on } = self.leaving.pop().expect("it was there just now");
            let action = action(path, Change::Remove { on, is_directory: true }, 0, Expected::default());
            if self.cleared == Some(path) || self.cleared.is_some_and(|cleared| is_below(path, cleared)) {
                self.stages.clearing.push(action);
            } else {
                self.stages.removed_directories.push(action);
            }
        }
    }

    fn make_directory(&mut self, path: &str, on: Side) {
        self.stages.makes.push(action(path, Change::MakeDirectory { on }, 0, Expected::default()));
    }

    fn transfer(&mut self, row: &Row<'_>, on: Side) {
        let bytes = match on {
            Side::Remote => row.local_file().map_or(0, |file| file.version.size),
            Side::Local => row.remote_file().map_or(0, |file| file.size),
        };
        let replaces = match on {
            Side::Remote => row.remote_file().is_some(),
            Side::Local => row.local_file().is_some(),
        };
        self.stages.transfers.push(action(row.path, Change::Transfer { on, replaces }, bytes, expected(row)));
    }

    fn remove_file(&mut self, row: &Row<'_>, on: Side) {
        let bytes = match on {
            Side::Local => row.local_file().map_or(0, |file| file.version.size),
            Side::Remote => row.remote_file().map_or(0, |file| file.size),
        };
        let action = action(row.path, Change::Remove { on, is_directory: false }, bytes, expected(row));
        if self.cleared.is_some() { self.stages.clearing.push(action) } else { self.stages.removals.push(action) }
    }

    /// Both have the same file: the archive says so from now on, if it does not already.
    fn record_file(&mut self, row: &Row<'_>) {
        let (Some(local), Some(remote)) = (row.local_file(), row.remote_file()) else { return };
        let is_known = row.archived_file().is_some_and(|archived| {
            archived.version == local.version
                && archived.etag == remote.etag
                && archived.is_fresh == local.is_fresh
                && archived.is_racy == remote.is_racy
                && (archived.has_equal_times || local.version.mtime_ns != remote.mtime_ns)
        });
        if !is_known {
            self.stages.notes.push(action(row.path, Change::Record, local.version.size, expected(row)));
        }
    }

    fn record_directory(&mut self, row: &Row<'_>) {
        if row.archived != Some(&Archived::Directory) {
            self.stages.notes.push(action(row.path, Change::Record, 0, Expected::default()));
        }
    }

    fn forget(&mut self, row: &Row<'_>) {
        self.stages.notes.push(action(row.path, Change::Forget, 0, Expected::default()));
    }

    fn finish(mut self) -> Plan {
        // The empty path is below nothing.
        self.leave_behind("");
        self.recognise_renames();
        if !self.rules.allow_twins {
            self.hold_twins();
        }
        let Stages {
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
        } = self.stages;
        let stages =
            [conflicts, copies, clearing, sorted(makes), moves, times, transfers, removals, removed_directories, notes];
        let actions: Vec<Action> = stages.into_iter().flatten().collect();
        let conflict_copies = still_there(self.conflict_copies, &actions);
        Plan { actions, problems: self.problems, conflict_copies }
    }
}

/// The conflict copies that no action takes away.
fn still_there(mut copies: Vec<String>, actions: &[Action]) -> Vec<String> {
    if !copies.is_empty() {
        let leaving = |action: &Action| match &action.change {
            Change::Remove { .. } => Some(action.path.clone()),
            Change::Move { from, .. } => Some(from.clone()),
            _ => None,
        };
        let gone: HashSet<String> = actions.iter().filter_map(leaving).collect();
        copies.retain(|copy| !gone.contains(copy));
    }
    copies
}

/// What both sides have now.
fn expected(row: &Row<'_>) -> Expected {
    Expected {
        local: row.local_file().map(|file| file.version),
        remote: row.remote_file().map(|file| file.etag.clone()),
    }
}

fn action(path: &str, change: Change, bytes: u64, expected: Expected) -> Action {
    Action { path: path.to_owned(), change, bytes, expected }
}

/// Directories before what is in them.
fn sorted(mut actions: Vec<Action>) -> Vec<Action> {
    actions.sort_by(|one, other| super::sides::order(&one.path, &other.path));
    actions
}
