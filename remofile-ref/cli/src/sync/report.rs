//! What is said of a run: the plan, what becomes of each step, what is left, and the end.

use super::{Mode, Pair};
use crate::{
    args::Cli,
    failure::{Failure, exit},
    output::{ERROR, HINT, JSON_SCHEMA, escaped, human_size, shown, size, tell},
    transfer::progress::Screen,
};
use remofile::sync::{
    Action, Change, ConflictName, Plan, Problem, ProblemReason, Side, SyncItem, SyncOutcome, SyncReport,
};
use serde_json::{Value, json};

/// What is said of a run, or of a plan.
pub(super) struct Report {
    json: bool,
    verbose: bool,
    quiet: bool,
    dry_run: bool,
    says: Says,
    mode: Mode,
    /// As the user knows them.
    local: String,
    remote: String,
}

/// How much is said before the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Says {
    Everything,
    /// Conflicts, and what is left as it is.
    WhatIsLeft,
    /// Failures alone.
    Failures,
}

/// A plan in numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) uploads: u64,
    pub(super) downloads: u64,
    pub(super) removals: u64,
    pub(super) moves: u64,
    pub(super) directories: u64,
    pub(super) conflicts: u64,
    pub(super) bytes: u64,
}

impl Report {
    pub(super) fn new(cli: &Cli, pair: &Pair, mode: Mode, dry_run: bool) -> Self {
        Self {
            json: cli.output.json,
            verbose: cli.output.verbose > 0,
            quiet: cli.output.quiet,
            dry_run,
            says: Says::Everything,
            mode,
            local: pair.local.display().to_string(),
            remote: pair.remote.to_string(),
        }
    }

    /// Of a plan: which conflicts are open, and what is left as it is.
    pub(super) fn of_what_is_left(cli: &Cli, pair: &Pair) -> Self {
        Self { says: Says::WhatIsLeft, ..Self::new(cli, pair, Mode::Both, true) }
    }

    /// Of a run that is a part of something else.
    pub(super) fn of_failures(cli: &Cli, pair: &Pair) -> Self {
        Self { says: Says::Failures, ..Self::new(cli, pair, Mode::Both, false) }
    }

    /// Steps that concern the record of the run alone are nobody's news.
    pub(super) fn on_item(&self, item: &SyncItem<'_>, screen: &mut Screen) {
        let action = item.action;
        let is_said = match self.says {
            Says::Everything => action.is_change(),
            Says::WhatIsLeft => matches!(action.change, Change::KeepBoth { .. }),
            Says::Failures => matches!(item.outcome, SyncOutcome::Failed(_)),
        };
        if !is_said {
            return;
        }
        if self.json {
            let mut object = described(action);
            match &item.outcome {
                SyncOutcome::Planned => object["status"] = "planned".into(),
                SyncOutcome::Done { transferred } => {
                    object["status"] = "done".into();
                    object["sent"] = (*transferred).into();
                }
                SyncOutcome::Failed(error) => {
                    object["status"] = "failed".into();
                    object["error"] = Failure::text_of(error).into();
                    object["code"] = Failure::exit_code_of(error).into();
                }
                _ => object["status"] = "unknown".into(),
            }
            screen.print(&self.object(object));
        }
        match &item.outcome {
            SyncOutcome::Planned if !self.json => screen.print(&row(action)),
            SyncOutcome::Done { .. } if !self.json && !self.quiet => match &action.change {
                Change::KeepBoth { copy } => {
                    let (path, copy) = (escaped(&action.path), escaped(copy));
                    screen.tell(&format!("{path}: changed on both sides; the local version is {copy} now"));
                }
                _ if self.verbose => screen.tell(&told(action)),
                _ => {}
            },
            SyncOutcome::Failed(error) => {
                let (path, text) = (escaped(&action.path), escaped(&Failure::text_of(error)));
                screen.tell(&format!("remofile: {ERROR}error:{ERROR:#} {} '{path}': {text}", action.change.name()));
            }
            _ => {}
        }
    }

    /// What is left as it is, and which conflicts are open.
    pub(super) fn on_report(&self, done: &SyncReport, screen: &mut Screen) {
        if self.says == Says::Failures {
            return;
        }
        for problem in &done.plan.problems {
            if self.json {
                let object = json!({
                    "status": "left", "path": problem.path, "reason": reason(problem), "error": problem.why.to_string(),
                });
                screen.print(&self.object(object));
            } else if self.dry_run {
                screen.print(&format!(
                    "{:21} {:>11} {} ({})",
                    "leave",
                    "-",
                    shown(&problem.path),
                    shown(&problem.why.to_string())
                ));
            } else {
                screen.tell(&format!(
                    "{}: left as it is: {}",
                    escaped(&problem.path),
                    escaped(&problem.why.to_string())
                ));
            }
        }
        for copy in &done.plan.conflict_copies {
            let of = ConflictName::parse(copy).map(|name| name.original).unwrap_or_default();
            if self.json {
                screen.print(&self.object(json!({ "status": "conflict", "path": of, "copy": copy })));
            } else if self.dry_run {
                screen.print(&format!("{:21} {:>11} {} ({})", "conflict-left", "-", shown(&of), shown(copy)));
            } else if !self.quiet {
                screen.tell(&format!("{}: still in conflict with {}", escaped(&of), escaped(copy)));
            }
        }
    }

    /// Sums up; fails where something failed or is left.
    pub(super) fn finish(&self, done: &SyncReport) -> Result<(), Failure> {
        self.sum_up(done)?;
        self.verdict(done)
    }

    pub(super) fn sum_up(&self, done: &SyncReport) -> Result<(), Failure> {
        let counts = if self.dry_run { Counts::of(&done.plan) } else { Counts::done(done) };
        let left = done.plan.conflict_copies.len();
        if self.json {
            let mut object = json!({
                "summary": true, "mode": self.mode.name(), "uploaded": counts.uploads, "downloaded": counts.downloads,
                "removed": counts.removals, "moved": counts.moves, "directories": counts.directories,
                "conflicts": counts.conflicts, "conflicts_left": left, "unchanged": done.unchanged,
                "left": done.plan.problems.len(), "failed": done.failed, "bytes": counts.bytes, "sent": done.transferred,
                "path": self.remote, "source": self.local,
            });
            if self.dry_run {
                object["dry_run"] = true.into();
            }
            let mut out = crate::output::stdout();
            return Ok(crate::output::write_json(&mut out, with_operation(object))?);
        }
        if !self.quiet {
            let (from, between, to) = self.mode.line(&self.local, &self.remote);
            let dry = if self.dry_run { "dry run: " } else { "" };
            let text = counts.text(done.unchanged, done.transferred, self.dry_run);
            tell(format_args!("{dry}{} {between} {} ({text})", escaped(from), escaped(to)));
        }
        Ok(())
    }

    /// What failed comes before conflicts, and these before what cannot be synchronised.
    pub(super) fn verdict(&self, done: &SyncReport) -> Result<(), Failure> {
        if done.failed > 0 {
            if let Some(hint) = done.failures.iter().find_map(|(_, error)| Failure::hint_of(error)) {
                tell(format_args!("{HINT}hint:{HINT:#} {hint}"));
            }
            let total = (done.plan.changes().count() as u64).max(done.failed);
            return Err(Failure::Some { failed: done.failed, total });
        }
        let problems = done.plan.problems.iter();
        let against =
            problems.filter(|problem| matches!(problem.why, ProblemReason::FileAgainstDirectory { .. })).count() as u64;
        let conflicts = Counts::of(&done.plan).conflicts + done.plan.conflict_copies.len() as u64 + against;
        if conflicts > 0 {
            let hint = if conflicts == against {
                "rename either the file or the directory, and run it again".to_owned()
            } else {
                format!(
                    "`remofile sync resolve --take local|remote|newer|both {} {} GLOB` settles them",
                    self.local, self.remote
                )
            };
            let what = format!("{} left", counted(conflicts, "conflict is", "conflicts are"));
            return Err(Failure::Said { what, hint: Some(hint), exit: exit::CONFLICTS });
        }
        match done.plan.problems.len() as u64 {
            0 => Ok(()),
            left => Err(Failure::Said {
                what: format!(
                    "{} left as {} on both sides",
                    counted(left, "path was", "paths were"),
                    if left == 1 { "it is" } else { "they are" }
                ),
                hint: Some("--exclude PATTERN leaves out what is not meant to be synchronised".to_owned()),
                exit: exit::SOME_FAILED,
            }),
        }
    }

    fn object(&self, object: Value) -> String {
        let mut object = with_operation(object);
        object["schema"] = JSON_SCHEMA.into();
        object.to_string()
    }
}

impl Counts {
    pub(super) fn of(plan: &Plan) -> Self {
        let mut counts = Self::default();
        for action in plan.changes() {
            match &action.change {
                Change::KeepBoth { .. } => counts.conflicts += 1,
                Change::MakeDirectory { .. } | Change::Remove { is_directory: true, .. } => counts.directories += 1,
                Change::Move { .. } => counts.moves += 1,
                Change::Transfer { on, .. } => {
                    counts.bytes += action.bytes;
                    match on {
                        Side::Remote => counts.uploads += 1,
                        Side::Local => counts.downloads += 1,
                    }
                }
                Change::Remove { .. } => counts.removals += 1,
                _ => {}
            }
        }
        counts
    }

    fn done(done: &SyncReport) -> Self {
        Self {
            uploads: done.uploaded,
            downloads: done.downloaded,
            removals: done.removed,
            moves: done.moved,
            directories: done.directories,
            conflicts: done.conflicts,
            bytes: Self::of(&done.plan).bytes,
        }
    }

    pub(super) fn text(&self, unchanged: u64, sent: u64, is_planned: bool) -> String {
        let mut parts = Vec::new();
        let files = |count| counted(count, "file", "files");
        let verbs = if is_planned {
            ["to upload", "to download", "to remove", "to move"]
        } else {
            ["uploaded", "downloaded", "removed", "moved"]
        };
        let counts = [self.uploads, self.downloads, self.removals, self.moves];
        for (count, verb) in counts.into_iter().zip(verbs).filter(|(count, _)| *count > 0) {
            parts.push(if is_planned { format!("{} {verb}", files(count)) } else { format!("{count} {verb}") });
        }
        if self.directories > 0 {
            parts.push(counted(self.directories, "directory", "directories"));
        }
        if self.conflicts > 0 {
            parts.push(counted(self.conflicts, "conflict", "conflicts"));
        }
        let bytes = if is_planned { self.bytes } else { sent };
        if bytes > 0 {
            parts.push(human_size(bytes));
        }
        parts.push(format!("{unchanged} unchanged"));
        parts.join(", ")
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Both => "both",
            Mode::Push => "push",
            Mode::Pull => "pull",
        }
    }

    /// Where content comes from, an arrow, and where it goes.
    fn line<'a>(self, local: &'a str, remote: &'a str) -> (&'a str, &'static str, &'a str) {
        match self {
            Mode::Both => (local, "<->", remote),
            Mode::Push => (local, "->", remote),
            Mode::Pull => (remote, "->", local),
        }
    }
}

/// The same for a plan and for what became of it.
fn described(action: &Action) -> Value {
    let mut object = json!({ "path": action.path, "action": action.change.name() });
    match &action.change {
        Change::KeepBoth { copy } => object["copy"] = copy.as_str().into(),
        Change::Move { from, .. } => object["from"] = from.as_str().into(),
        Change::Transfer { replaces, .. } => {
            object["bytes"] = action.bytes.into();
            object["replaces"] = (*replaces).into();
        }
        Change::SetTime { mtime_ns, .. } => object["mtime_ns"] = (*mtime_ns).into(),
        Change::Remove { is_directory, .. } => object["directory"] = (*is_directory).into(),
        _ => {}
    }
    object
}

/// A line of a plan.
fn row(action: &Action) -> String {
    let path = shown(&action.path);
    let (bytes, path) = match &action.change {
        Change::Transfer { .. } => (size(action.bytes), path),
        Change::Move { from, .. } => ("-".to_owned(), format!("{} -> {path}", shown(from))),
        Change::KeepBoth { copy } => ("-".to_owned(), format!("{path} ({})", shown(copy))),
        _ => ("-".to_owned(), path),
    };
    format!("{:21} {bytes:>11} {path}", action.change.name())
}

/// The same for people who watch.
fn told(action: &Action) -> String {
    let path = escaped(&action.path);
    match &action.change {
        Change::Transfer { .. } => format!("{} {path} ({})", action.change.name(), human_size(action.bytes)),
        Change::Move { from, .. } => format!("{} {} -> {path}", action.change.name(), escaped(from)),
        _ => format!("{} {path}", action.change.name()),
    }
}

/// One word for why a path is left as it is.
fn reason(problem: &Problem) -> &'static str {
    match &problem.why {
        ProblemReason::FileAgainstDirectory { .. } => "file-against-directory",
        ProblemReason::Link(_) => "link",
        ProblemReason::Special(_) => "special",
        ProblemReason::Name { .. } => "name",
        ProblemReason::NameCollision { .. } => "twin",
        ProblemReason::Unreadable { .. } => "unreadable",
        ProblemReason::Changing(_) => "changing",
        ProblemReason::Unlisted { .. } => "unlisted",
        _ => "other",
    }
}

fn with_operation(mut object: Value) -> Value {
    object["op"] = "sync".into();
    object
}

pub(super) fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
