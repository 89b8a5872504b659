//! Reports each item of a transfer and the total, as text or JSON.

use crate::{
    exit_code,
    failure::{Failure, client_error_text, client_hint},
    options::OutputOptions,
    render::{JSON_SCHEMA, Screen, counted, error_line, escaped, human_size, print_hint, print_message, shown, size},
};
use remofile::client::{ClientError, ItemOutcome, Planned, SkipReason, TransferItem, TransferStatus, TreeTransferred};
use serde_json::{Value, json};

/// Reports a transfer.
pub(super) struct TransferReport {
    operation: &'static str,
    json: bool,
    verbose: bool,
    quiet: bool,
    dry_run: bool,
    /// The single source, if there is one: its failure is that of the command, and its line is printed at the end.
    single: Option<String>,
    /// Whether anything was printed after a failure, which is then printed again at the end.
    printed_since_failure: bool,
    /// The last file.
    last: Option<(String, String, TransferStatus)>,
}

impl TransferReport {
    pub(super) fn new(output: &OutputOptions, operation: &'static str, dry_run: bool, single: Option<String>) -> Self {
        Self {
            operation,
            json: output.is_json(),
            verbose: output.is_verbose(),
            quiet: output.is_quiet(),
            dry_run,
            single,
            printed_since_failure: false,
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
                    screen.print_data(&self.object(to, from, object));
                } else if self.verbose && !self.is_single(from) {
                    screen.print_message(&transferred_line(from, to, done.bytes, status));
                    self.printed_since_failure = true;
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
            screen.print_data(&self.object(to, from, object));
        } else {
            let bytes = bytes.map_or_else(|| "-".to_owned(), size);
            screen.print_data(&format!("{action:9} {bytes:>11} {} -> {}", shown(from), shown(to)));
        }
    }

    fn skip(&mut self, reason: SkipReason, from: &str, to: &str, screen: &mut Screen) {
        let (name, why) = match reason {
            SkipReason::Link => ("link", "a symbolic link"),
            SkipReason::Special => ("special", "a special file"),
            SkipReason::Excluded => ("excluded", "excluded"),
            SkipReason::Newer => ("newer", "the target is newer"),
            _ => ("other", "not transferred"),
        };
        if self.json {
            screen.print_data(&self.object(to, from, json!({ "status": "skipped", "reason": name })));
        } else if self.dry_run {
            screen.print_data(&format!("{:9} {:>11} {} ({why})", "skip", "-", shown(from)));
        } else if self.verbose || (self.is_single(from) && !self.quiet) {
            screen.print_message(&format!("{}: skipped ({why})", escaped(from)));
            self.printed_since_failure = true;
        }
    }

    fn fail(&mut self, error: &ClientError, from: &str, to: &str, screen: &mut Screen) {
        let text = client_error_text(error);
        if self.json {
            let object = json!({ "status": "failed", "error": text, "code": exit_code::of_client_error(error) });
            screen.print_data(&self.object(to, from, object));
        }
        if !self.is_single(from) {
            screen.print_message(&error_line(&text));
            self.printed_since_failure = false;
        }
    }

    fn is_single(&self, from: &str) -> bool {
        self.single.as_deref() == Some(from)
    }

    fn object(&self, path: &str, source: &str, mut object: Value) -> String {
        object["schema"] = JSON_SCHEMA.into();
        object["op"] = self.operation.into();
        object["path"] = path.into();
        object["source"] = source.into();
        object.to_string()
    }

    /// Prints the summary; fails if any item failed.
    pub(super) fn finish(
        &self,
        from: &str,
        to: &str,
        mut done: TreeTransferred,
        screen: &mut Screen,
    ) -> Result<(), Failure> {
        if self.single.is_some() && done.directories == 0 {
            if let Some((_, error)) = done.failures.pop() {
                return Err(error.into());
            }
            if let Some((from, to, status)) = &self.last
                && !self.json
                && !self.quiet
            {
                print_message(transferred_line(from, to, done.bytes, status_name(*status)));
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
            screen.print_data(&self.object(to, from, object));
            screen.flush_lines().map_err(Failure::Output)?;
        } else if !self.quiet {
            print_message(summary(from, to, &done, self.dry_run));
        }
        if done.failed == 0 {
            return Ok(());
        }
        if self.printed_since_failure {
            print_message(format_args!("remofile: {} failed:", counted(done.failed, "item", "items")));
            for (_, error) in &done.failures {
                print_message(format_args!("  {}", escaped(&client_error_text(error))));
            }
            let named = u64::try_from(done.failures.len()).unwrap_or(u64::MAX);
            if done.failed > named {
                print_message(format_args!("  and {} more, printed above", done.failed - named));
            }
        }
        if let Some(hint) = done.failures.iter().find_map(|(_, error)| client_hint(error)) {
            print_hint(hint);
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

pub(super) fn transferred_line(from: &str, to: &str, bytes: u64, status: &str) -> String {
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
    for (count, what) in [(done.excluded, "excluded"), (done.newer, "newer on the target"), (done.failed, "failed")] {
        if count > 0 {
            text.push_str(&format!(", {count} {what}"));
        }
    }
    text.push(')');
    text
}
