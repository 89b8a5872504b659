//! Reports a run: the plan or the result of each change, the problems, and the summary.

use super::options::{Pair, SyncMode};
use crate::{
    exit_code,
    failure::{Failure, client_error_text, client_hint},
    options::OutputOptions,
    render::{
        JSON_SCHEMA, Screen, counted, error_line, escaped, human_size, print_hint, print_message, shown, size, stdout,
        write_json,
    },
};
use remofile::sync::{
    Action, Change, ConflictName, Plan, Problem, ProblemReason, Side, SyncItem, SyncOutcome, SyncReport,
};
use serde_json::{Value, json};

/// Reports a run or a plan.
pub(super) struct SyncReporter {
    json: bool,
    verbose: bool,
    quiet: bool,
    dry_run: bool,
    scope: ReportScope,
    mode: SyncMode,
    /// As given on the command line.
    local: String,
    remote: String,
}

/// What is reported before the summary.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum ReportScope {
    Everything,
    /// Conflicts and problems.
    Conflicts,
    /// Only failures.
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

impl SyncReporter {
    pub(super) fn new(output: &OutputOptions, pair: &Pair, mode: SyncMode, dry_run: bool) -> Self {
        Self {
            json: output.is_json(),
            verbose: output.is_verbose(),
            quiet: output.is_quiet(),
            dry_run,
            scope: ReportScope::Everything,
            mode,
            local: pair.local.display().to_string(),
            remote: pair.remote.to_string(),
        }
    }

    /// Reports the conflicts and problems of a plan.
    pub(super) fn for_conflicts(output: &OutputOptions, pair: &Pair) -> Self {
        Self { scope: ReportScope::Conflicts, ..Self::new(output, pair, SyncMode::Both, true) }
    }

    /// Reports only the failures of a run.
    pub(super) fn for_failures(output: &OutputOptions, pair: &Pair) -> Self {
        Self { scope: ReportScope::Failures, ..Self::new(output, pair, SyncMode::Both, false) }
    }

    /// Reports a change, unless it concerns only the state of sync.
    pub(super) fn on_item(&self, item: &SyncItem<'_>, screen: &mut Screen) {
        let action = item.action;
        let is_reported = match self.scope {
            ReportScope::Everything => action.is_change(),
            ReportScope::Conflicts => matches!(action.change, Change::KeepBoth { .. }),
            ReportScope::Failures => matches!(item.outcome, SyncOutcome::Failed(_)),
        };
        if !is_reported {
            return;
        }
        if self.json {
            let mut object = change_json(action);
            match &item.outcome {
                SyncOutcome::Planned => object["status"] = "planned".into(),
                SyncOutcome::Done { transferred } => {
                    object["status"] = "done".into();
                    object["sent"] = (*transferred).into();
                }
                SyncOutcome::Failed(error) => {
                    object["status"] = "failed".into();
                    object["error"] = client_error_text(error).into();
                    object["code"] = exit_code::of_client_error(error).into();
                }
                _ => object["status"] = "unknown".into(),
            }
            screen.print_data(&self.object(object));
        }
        match &item.outcome {
            SyncOutcome::Planned if !self.json => screen.print_data(&row(action)),
            SyncOutcome::Done { .. } if !self.json && !self.quiet => match &action.change {
                Change::KeepBoth { copy } => {
                    let (path, copy) = (escaped(&action.path), escaped(copy));
                    screen.print_message(&format!("{path}: changed on both sides; the local version is now {copy}"));
                }
                _ if self.verbose => screen.print_message(&described_text(action)),
                _ => {}
            },
            SyncOutcome::Failed(error) => {
                screen.print_message(&error_line(&format!(
                    "{} '{}': {}",
                    action.change.name(),
                    action.path,
                    client_error_text(error)
                )));
            }
            _ => {}
        }
    }

    /// Reports problems and conflicts.
    pub(super) fn on_report(&self, done: &SyncReport, screen: &mut Screen) {
        if self.scope == ReportScope::Failures {
            return;
        }
        for problem in &done.plan.problems {
            if self.json {
                let object = json!({
                    "status": "left", "path": problem.path, "reason": reason(problem), "error": problem.why.to_string(),
                });
                screen.print_data(&self.object(object));
            } else if self.dry_run {
                screen.print_data(&format!(
                    "{:21} {:>11} {} ({})",
                    "skip",
                    "-",
                    shown(&problem.path),
                    shown(&problem.why.to_string())
                ));
            } else {
                screen.print_message(&format!(
                    "{}: not synchronized: {}",
                    escaped(&problem.path),
                    escaped(&problem.why.to_string())
                ));
            }
        }
        for copy in &done.plan.conflict_copies {
            let of = ConflictName::parse(copy).map(|name| name.original).unwrap_or_default();
            if self.json {
                screen.print_data(&self.object(json!({ "status": "conflict", "path": of, "copy": copy })));
            } else if self.dry_run {
                screen.print_data(&format!("{:21} {:>11} {} ({})", "conflict", "-", shown(&of), shown(copy)));
            } else if !self.quiet {
                screen.print_message(&format!("{}: still in conflict with {}", escaped(&of), escaped(copy)));
            }
        }
    }

    /// Prints the summary; fails if anything failed, or conflicts or problems remain.
    pub(super) fn finish(&self, done: &SyncReport) -> Result<(), Failure> {
        self.print_summary(done)?;
        self.result(done)
    }

    /// Prints the summary.
    pub(super) fn print_summary(&self, done: &SyncReport) -> Result<(), Failure> {
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
            let mut out = stdout();
            return Ok(write_json(&mut out, with_operation(object))?);
        }
        if !self.quiet {
            let (from, between, to) = self.mode.line(&self.local, &self.remote);
            let dry = if self.dry_run { "dry run: " } else { "" };
            let text = counts.text(done.unchanged, done.transferred, self.dry_run);
            print_message(format_args!("{dry}{} {between} {} ({text})", escaped(from), escaped(to)));
        }
        Ok(())
    }

    /// The result: failures take precedence over conflicts, and these over problems.
    pub(super) fn result(&self, done: &SyncReport) -> Result<(), Failure> {
        if done.failed > 0 {
            if let Some(hint) = done.failures.iter().find_map(|(_, error)| client_hint(error)) {
                print_hint(hint);
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
                "rename the file or the directory, and run the same command again".to_owned()
            } else {
                format!(
                    "`remofile sync resolve --take local|remote|newer|both {} {} GLOB` resolves them",
                    self.local, self.remote
                )
            };
            let what = format!("{} left", counted(conflicts, "conflict", "conflicts"));
            return Err(Failure::Other { what, hint: Some(hint), exit_code: exit_code::CONFLICTS });
        }
        match done.plan.problems.len() as u64 {
            0 => Ok(()),
            left => Err(Failure::Other {
                what: format!("{} not synchronized", counted(left, "path", "paths")),
                hint: Some("use --exclude PATTERN for paths that need not be synchronized".to_owned()),
                exit_code: exit_code::SOME_FAILED,
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

impl SyncMode {
    fn name(self) -> &'static str {
        match self {
            SyncMode::Both => "both",
            SyncMode::Push => "push",
            SyncMode::Pull => "pull",
        }
    }

    /// The source, an arrow and the target.
    fn line<'a>(self, local: &'a str, remote: &'a str) -> (&'a str, &'static str, &'a str) {
        match self {
            SyncMode::Both => (local, "<->", remote),
            SyncMode::Push => (local, "->", remote),
            SyncMode::Pull => (remote, "->", local),
        }
    }
}

/// A change as JSON.
fn change_json(action: &Action) -> Value {
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

/// A change as a message.
fn described_text(action: &Action) -> String {
    let path = escaped(&action.path);
    match &action.change {
        Change::Transfer { .. } => format!("{} {path} ({})", action.change.name(), human_size(action.bytes)),
        Change::Move { from, .. } => format!("{} {} -> {path}", action.change.name(), escaped(from)),
        _ => format!("{} {path}", action.change.name()),
    }
}

/// A keyword for the reason of a problem.
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
