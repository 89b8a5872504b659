//! Names that differ in case or normalisation alone: no side gets a second one, and none is taken for another.

use super::Planner;
use crate::sync::{
    Action, Change, Problem, ProblemReason, Side,
    sides::{Item, split},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use unicode_normalization::UnicodeNormalization as _;

impl Planner<'_> {
    /// Takes back whatever would give a name to a side that has a twin of it, or gets one too.
    pub(super) fn hold_twins(&mut self) {
        let mut twins = BTreeMap::new();
        for on in [Side::Local, Side::Remote] {
            self.find_twins(on, &mut twins);
        }
        if twins.is_empty() {
            return;
        }
        let above = |path: &str| path.match_indices('/').any(|(slash, _)| twins.contains_key(&path[..slash]));
        let is_held = |path: &str| twins.contains_key(path) || above(path);
        let stages = &mut self.stages;
        for stage in [&mut stages.makes, &mut stages.moves, &mut stages.transfers] {
            stage.retain(|action| !is_held(&action.path));
        }
        let problem = |(path, of)| Problem { path, why: ProblemReason::NameCollision { of } };
        self.problems.extend(twins.into_iter().map(problem));
    }

    /// The names that one side would get, each with the other one that is its twin.
    fn find_twins(&self, on: Side, twins: &mut BTreeMap<String, String>) {
        let stages = &self.stages;
        let coming: BTreeSet<&str> = [&stages.makes, &stages.moves, &stages.transfers]
            .into_iter()
            .flatten()
            .filter(|action| gives_name_on(action, on))
            .map(|action| &*action.path)
            .filter(|path| !self.sides.has(on, path))
            .collect();
        if coming.is_empty() {
            return;
        }
        let parents: HashSet<&str> = coming.iter().map(|path| split(path).0).collect();
        let removed = [&stages.removals, &stages.removed_directories, &stages.clearing];
        let mut going: HashSet<&str> = removed
            .into_iter()
            .flatten()
            .filter(|action| matches!(action.change, Change::Remove { on: side, .. } if side == on))
            .map(|action| &*action.path)
            .collect();
        going.extend(stages.moves.iter().filter_map(|action| match &action.change {
            Change::Move { on: side, from } if *side == on => Some(&**from),
            _ => None,
        }));
        let stays = |path: &&str| parents.contains(split(path).0) && !going.contains(path);
        let staying: Vec<&str> = match on {
            Side::Local => paths(&self.sides.local).filter(stays).collect(),
            Side::Remote => paths(&self.sides.remote).filter(stays).collect(),
        };
        let mut names: HashMap<(&str, String), Vec<&str>> = HashMap::new();
        for path in staying.into_iter().chain(coming.iter().copied()) {
            let (parent, name) = split(path);
            names.entry((parent, folded(name))).or_default().push(path);
        }
        for alike in names.into_values().filter(|alike| alike.len() > 1) {
            for path in alike.iter().filter(|path| coming.contains(**path)) {
                if let Some(of) = alike.iter().find(|other| other != &path) {
                    twins.insert((*path).to_owned(), (*of).to_owned());
                }
            }
        }
    }
}

fn paths<F>(items: &[Item<F>]) -> impl Iterator<Item = &str> {
    items.iter().map(|item| &*item.path)
}

fn gives_name_on(action: &Action, on: Side) -> bool {
    match action.change {
        Change::MakeDirectory { on: side }
        | Change::Move { on: side, .. }
        | Change::Transfer { on: side, replaces: false } => side == on,
        _ => false,
    }
}

/// The same for all names that a file system might take for one.
fn folded(name: &str) -> String {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    name.nfc().flat_map(char::to_lowercase).nfc().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_file_system_may_take_for_one_is_folded_alike() {
        for (one, other) in [("README", "readme"), ("Gr\u{f6}\u{df}e", "GRO\u{308}\u{df}E"), ("e\u{301}", "\u{c9}")] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("a"), folded("b"));
    }
}
