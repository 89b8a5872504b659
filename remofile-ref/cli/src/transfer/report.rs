//! What is said of each item and of all: lines for people, objects for programs.

use super::progress::Screen;
use crate::{
    args::Cli,
    failure::Failure,
    output::{ERROR, HINT, JSON_SCHEMA, escaped, human_size, shown, size, tell},
};
use remofile::client::{ClientError, ItemOutcome, Planned, SkipReason, TransferItem, TransferStatus, TreeTransferred};
use serde_json::{Value, json};

/// What is said of a transfer.
pub(super) struct Report {
    operation: &'static str,
    json: bool,
    verbose: bool,
    quiet: bool,
    dry_run: bool,
    /// The only source: its own failure is that of the command, and its line the last one.
    alone: Option<String>,
    /// Something was said after a failure, which is worth repeating then.
    has_spoken_since: bool,
    /// What became of the last file.
    last: Option<(String, String, TransferStatus)>,
}

impl Report {
    pub(super) fn new(cli: &Cli, operation: &'static str, dry_run: bool, alone: Option<String>) -> Self {
        Self {
            operation,
            json: cli.output.json,
            verbose: cli.output.verbose > 0,
            quiet: cli.output.quiet,
            dry_run,
            alone,
            has_spoken_since: false,
            last: None,
        }
    }

    pub(super) fn on_item(&mut self, item: &TransferItem<'_>, screen: &mut Screen) {
        let local = item.local.to_string_lossy();
        let (from, to) = match self.operation {
            "download" => (item.remote, &*local),
            _ => (&*local, item.remote),
        };
        match &item.outcome {
            ItemOutcome::Done(done) => {
                let status = status_name(done.status);
                self.last = Some((from.to_owned(), to.to_owned(), done.status));
                if self.json {
                    let object = json!({ "status": status, "bytes": done.bytes, "sent": done.transferred });
                    screen.print(&self.object(to, from, object));
                } else if self.verbose && !self.is_alone(from) {
                    screen.tell(&moved(from, to, done.bytes, status));
                    self.has_spoken_since = true;
                }
            }
            ItemOutcome::Planned(planned) => self.plan(*planned, from, to, screen),
            ItemOutcome::Skipped(reason) => self.skip(*reason, from, to, screen),
            ItemOutcome::Failed(error) => self.fail(error, from, to, screen),
            _ => {}
        }
    }

    fn plan(&self, planned: Planned, from: &str, to: &str, screen: &mut Screen) {
        let (action, bytes, done) = match planned {
            Planned::Directory => ("directory", None, 0),
            Planned::New { bytes } => ("new", Some(bytes), 0),
            Planned::Replace { bytes } => ("replace", Some(bytes), 0),
            Planned::Resume { bytes, done } => ("resume", Some(bytes), done),
            Planned::Unchanged { bytes } => ("unchanged", Some(bytes), bytes),
            _ => ("other", None, 0),
        };
        if self.json {
            let mut object = json!({ "plan": action, "dry_run": true });
            if let Some(bytes) = bytes {
                object["bytes"] = bytes.into();
                object["sent"] = (bytes - done).into();
            }
            screen.print(&self.object(to, from, object));
        } else {
            let bytes = bytes.map_or_else(|| "-".to_owned(), size);
            screen.print(&format!("{action:9} {bytes:>11} {} -> {}", shown(from), shown(to)));
        }
    }

    fn skip(&mut self, reason: SkipReason, from: &str, to: &str, screen: &mut Screen) {
        let (name, why) = match reason {
            SkipReason::Link => ("link", "a symbolic link"),
            SkipReason::Special => ("special", "a special file"),
            SkipReason::Excluded => ("excluded", "excluded"),
            SkipReason::Newer => ("newer", "what is there is newer"),
            _ => ("other", "not transferred"),
        };
        if self.json {
            screen.print(&self.object(to, from, json!({ "status": "skipped", "reason": name })));
        } else if self.dry_run {
            screen.print(&format!("{:9} {:>11} {} ({why})", "skip", "-", shown(from)));
        } else if self.verbose || (self.is_alone(from) && !self.quiet) {
            screen.tell(&format!("{}: skipped ({why})", escaped(from)));
            self.has_spoken_since = true;
        }
    }

    fn fail(&mut self, error: &ClientError, from: &str, to: &str, screen: &mut Screen) {
        let text = Failure::text_of(error);
        if self.json {
            let object = json!({ "status": "failed", "error": text, "code": Failure::exit_code_of(error) });
            screen.print(&self.object(to, from, object));
        }
        if !self.is_alone(from) {
            screen.tell(&format!("remofile: {ERROR}error:{ERROR:#} {}", escaped(&text)));
            self.has_spoken_since = false;
        }
    }

    fn is_alone(&self, from: &str) -> bool {
        self.alone.as_deref() == Some(from)
    }

    fn object(&self, path: &str, source: &str, mut object: Value) -> String {
        object["schema"] = JSON_SCHEMA.into();
        object["op"] = self.operation.into();
        object["path"] = path.into();
        object["source"] = source.into();
        object.to_string()
    }

    /// Sums up, and fails where any item failed.
    pub(super) fn finish(
        &self,
        from: &str,
        to: &str,
        mut done: TreeTransferred,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        if self.alone.is_some() && done.directories == 0 {
            if let Some((_, error)) = done.failures.pop() {
                return Err(error.into());
            }
            if let Some((from, to, status)) = &self.last
                && !self.json
                && !self.quiet
            {
                tell(moved(from, to, done.bytes, status_name(*status)));
            }
            return Ok(());
        }
        if self.json {
            let status = if done.files > 0 { "new" } else { "unchanged" };
            let mut object = json!({
                "summary": true, "status": status, "files": done.files, "unchanged": done.unchanged,
                "directories": done.directories, "skipped": done.skipped, "excluded": done.excluded,
                "newer": done.newer, "failed": done.failed, "bytes": done.bytes, "sent": done.transferred,
            });
            if self.dry_run {
                object["dry_run"] = true.into();
            }
            screen.print(&self.object(to, from, object));
            screen.flush_lines()?;
        } else if !self.quiet {
            tell(summary(from, to, &done, self.dry_run));
        }
        if done.failed == 0 {
            return Ok(());
        }
        if self.has_spoken_since {
            tell(format_args!("remofile: {} failed:", counted(done.failed, "item", "items")));
            for (_, error) in &done.failures {
                tell(format_args!("  {}", escaped(&Failure::text_of(error))));
            }
            let named = u64::try_from(done.failures.len()).unwrap_or(u64::MAX);
            if done.failed > named {
                tell(format_args!("  and {} more, named above", done.failed - named));
            }
        }
        if let Some(hint) = done.failures.iter().find_map(|(_, error)| Failure::hint_of(error)) {
            tell(format_args!("{HINT}hint:{HINT:#} {hint}"));
        }
        Err(Failure::Some { failed: done.failed, total: done.failed + done.files + done.unchanged + done.newer })
    }
}

pub(super) fn status_name(status: TransferStatus) -> &'static str {
    match status {
        TransferStatus::New => "new",
        TransferStatus::Resumed => "resumed",
        TransferStatus::Unchanged => "unchanged",
        TransferStatus::Newer => "newer",
    }
}

pub(super) fn moved(from: &str, to: &str, bytes: u64, status: &str) -> String {
    format!("{} -> {} ({}, {status})", escaped(from), escaped(to), human_size(bytes))
}

fn summary(from: &str, to: &str, done: &TreeTransferred, dry_run: bool) -> String {
    let mut text = format!(
        "{}{} -> {} ({}, {}, {} unchanged, {}, {} skipped",
        if dry_run { "dry run: " } else { "" },
        escaped(from),
        escaped(to),
        human_size(done.bytes),
        counted(done.files, "file", "files"),
        done.unchanged,
        counted(done.directories, "directory", "directories"),
        done.skipped
    );
    for (count, what) in [(done.excluded, "excluded"), (done.newer, "newer there"), (done.failed, "failed")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push(')');
    text
}

fn counted(count: u64, one: &str, many: &str) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}
