//! Renames: a removal and a transfer of the same content become one move.

use super::{Planner, action};
use crate::sync::{
    Action, Change, Expected, Side,
    input::{SyncInput, split},
    run::Direction,
};
use remofile_proto::Digest;
use std::collections::{HashMap, HashSet};

/// A file that is to be removed, and may be the source of a move.
struct RenameCandidate {
    path: String,
    expected: Expected,
}

impl Planner<'_> {
    /// Replaces each pair of a removal and a transfer of the same content by one move on the side of both.
    pub(super) fn find_renames(&mut self) {
        for on in [Side::Local, Side::Remote] {
            let mut sources = self.sources(on);
            if sources.is_empty() {
                continue;
            }
            let (mut moved, mut from) = (Vec::new(), HashSet::new());
            // A mirror copies modification times, which a move does not.
            let by_time = self.options.direction != Direction::Both;
            self.phases.transfers.retain(|transfer| {
                let Some(source) = source_of(transfer, on, self.input, &mut sources, by_time) else { return true };
                let expected = match on {
                    Side::Local => Expected { local: source.expected.local, ..transfer.expected.clone() },
                    Side::Remote => Expected { remote: source.expected.remote, ..transfer.expected.clone() },
                };
                from.insert(source.path.clone());
                let change = Change::Move { on, from: source.path };
                moved.push(action(&transfer.path, change, transfer.bytes, expected));
                false
            });
            let is_moved = |action: &Action| {
                matches!(action.change, Change::Remove { on: side, .. } if side == on) && from.contains(&action.path)
            };
            self.phases.removals.retain(|removal| !is_moved(removal));
            self.phases.moves.append(&mut moved);
        }
    }

    /// The files that are to be removed on this side, by their content.
    fn sources(&self, on: Side) -> HashMap<Digest, Vec<RenameCandidate>> {
        let mut sources: HashMap<_, Vec<_>> = HashMap::new();
        for removal in &self.phases.removals {
            // Files without content are all the same.
            if !matches!(removal.change, Change::Remove { on: side, .. } if side == on) || removal.bytes == 0 {
                continue;
            }
            if let Some(hash) = hash_of(self.input, &removal.path, on) {
                let source = RenameCandidate { path: removal.path.clone(), expected: removal.expected.clone() };
                sources.entry(hash).or_default().push(source);
            }
        }
        sources
    }
}

/// The file on `on` with the content of this transfer, preferably one with the same name.
fn source_of(
    transfer: &Action,
    on: Side,
    input: &SyncInput,
    sources: &mut HashMap<Digest, Vec<RenameCandidate>>,
    by_time: bool,
) -> Option<RenameCandidate> {
    let Change::Transfer { on: target, replaces: false } = transfer.change else { return None };
    if target != on {
        return None;
    }
    let candidates = sources.get_mut(&hash_of(input, &transfer.path, on.other())?)?;
    let time = mtime_of(input, &transfer.path, on.other());
    let fits = |source: &RenameCandidate| !by_time || mtime_of(input, &source.path, on) == time;
    let has_name = |source: &RenameCandidate| split(&source.path).1 == split(&transfer.path).1;
    let same_name = candidates.iter().position(|source| has_name(source) && fits(source));
    let index = same_name.or_else(|| candidates.iter().rposition(fits))?;
    Some(candidates.swap_remove(index))
}

/// The modification time of a file of one side.
fn mtime_of(input: &SyncInput, path: &str, on: Side) -> Option<i64> {
    let state = input.path_state(path);
    match on {
        Side::Local => state.local_file().map(|file| file.version.mtime_ns),
        Side::Remote => state.remote_file().map(|file| file.mtime_ns),
    }
}

/// The content of a file of one side, if known.
fn hash_of(input: &SyncInput, path: &str, on: Side) -> Option<Digest> {
    let state = input.path_state(path);
    match on {
        Side::Local => state.local_hash(),
        Side::Remote => state.remote_hash(),
    }
}
