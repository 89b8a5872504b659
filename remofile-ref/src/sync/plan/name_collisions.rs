//! Name collisions: names that differ only in case or Unicode normalisation are not transferred, since one side may
//! merge them.

use super::Planner;
use crate::sync::{
    Action, Change, Problem, ProblemReason, Side,
    input::{ScannedEntry, split},
};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use unicode_normalization::UnicodeNormalization as _;

impl Planner<'_> {
    /// Drops the actions that would give a side two names that collide.
    pub(super) fn skip_name_collisions(&mut self) {
        let mut name_collisions = BTreeMap::new();
        for on in [Side::Local, Side::Remote] {
            self.find_name_collisions(on, &mut name_collisions);
        }
        if name_collisions.is_empty() {
            return;
        }
        let above = |path: &str| path.match_indices('/').any(|(slash, _)| name_collisions.contains_key(&path[..slash]));
        let is_held = |path: &str| name_collisions.contains_key(path) || above(path);
        let phases = &mut self.phases;
        for phase in [&mut phases.makes, &mut phases.moves, &mut phases.transfers] {
            phase.retain(|action| !is_held(&action.path));
        }
        let problem = |(path, of)| Problem { path, why: ProblemReason::NameCollision { of } };
        self.problems.extend(name_collisions.into_iter().map(problem));
    }

    /// The names that one side would get, each with the name that it collides with.
    fn find_name_collisions(&self, on: Side, name_collisions: &mut BTreeMap<String, String>) {
        let phases = &self.phases;
        let coming: BTreeSet<&str> = [&phases.makes, &phases.moves, &phases.transfers]
            .into_iter()
            .flatten()
            .filter(|action| gives_name_on(action, on))
            .map(|action| &*action.path)
            .filter(|path| !self.input.has(on, path))
            .collect();
        if coming.is_empty() {
            return;
        }
        let parents: HashSet<&str> = coming.iter().map(|path| split(path).0).collect();
        let removed = [&phases.removals, &phases.removed_directories, &phases.clearing];
        let mut going: HashSet<&str> = removed
            .into_iter()
            .flatten()
            .filter(|action| matches!(action.change, Change::Remove { on: side, .. } if side == on))
            .map(|action| &*action.path)
            .collect();
        going.extend(phases.moves.iter().filter_map(|action| match &action.change {
            Change::Move { on: side, from } if *side == on => Some(&**from),
            _ => None,
        }));
        let stays = |path: &&str| parents.contains(split(path).0) && !going.contains(path);
        let staying: Vec<&str> = match on {
            Side::Local => paths(&self.input.local).filter(stays).collect(),
            Side::Remote => paths(&self.input.remote).filter(stays).collect(),
        };
        let mut names: HashMap<(&str, String), Vec<&str>> = HashMap::new();
        for path in staying.into_iter().chain(coming.iter().copied()) {
            let (parent, name) = split(path);
            names.entry((parent, folded(name))).or_default().push(path);
        }
        for alike in names.into_values().filter(|alike| alike.len() > 1) {
            for path in alike.iter().filter(|path| coming.contains(**path)) {
                if let Some(of) = alike.iter().find(|other| other != &path) {
                    name_collisions.insert((*path).to_owned(), (*of).to_owned());
                }
            }
        }
    }
}

fn paths<F>(items: &[ScannedEntry<F>]) -> impl Iterator<Item = &str> {
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

/// Equal for all names that a file system may treat as one.
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
    fn names_that_a_file_system_may_treat_as_one_fold_to_the_same() {
        for (one, other) in [("README", "readme"), ("Gr\u{f6}\u{df}e", "GRO\u{308}\u{df}E"), ("e\u{301}", "\u{c9}")] {
            assert_eq!(folded(one), folded(other), "{one} {other}");
        }
        assert_ne!(folded("a"), folded("b"));
    }
}
