//! The display of progress as a bar, lines or JSON, and the messages and data that a command prints meanwhile.

use super::{
    json::JSON_SCHEMA,
    terminal::stdout,
    text::{escaped, human_milliseconds, human_size},
};
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use remofile::client::{Phase, Progress};
use serde_json::json;
use std::{
    collections::VecDeque,
    io::{self, Write as _},
    time::{Duration, Instant},
};

/// The interval between drawings of the bar: 15 per second at most.
const DRAW_PAUSE: Duration = Duration::from_millis(67);

/// The interval between lines of progress.
const LINE_PAUSE: Duration = Duration::from_secs(1);

/// The interval between JSON objects of progress.
const JSON_PAUSE: Duration = Duration::from_millis(200);

/// The time over which the rate is measured.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// The most bytes of lines that wait for the next drawing.
const LINES_MAX: usize = 1 << 16;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ProgressMode {
    /// A bar on a terminal, else nothing
    Auto,
    /// A bar
    Bar,
    /// A line per second
    Lines,
    /// One JSON object per line
    Json,
    /// Nothing
    None,
}

/// The display of a transfer.
pub(crate) struct Screen {
    mode: ProgressMode,
    bar: Option<ProgressBar>,
    /// Lines for standard error, until the next drawing.
    messages: String,
    /// Lines for standard output, until the next drawing.
    data: String,
    /// The first error of standard output.
    failed: Option<io::Error>,
    drawn: Option<Instant>,
    /// The last position.
    position: Position,
    rate: TransferRate,
    /// Whether the same command would resume the transfer.
    can_resume: bool,
}

/// How much of a transfer was done when it stopped.
pub(crate) struct TransferPosition {
    pub(crate) done: u64,
    pub(crate) total: Option<u64>,
    /// Whether the same command would resume the transfer.
    pub(crate) can_resume: bool,
}

/// How much is transferred.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Position {
    phase: Option<Phase>,
    path: Option<String>,
    /// Bytes of the current phase.
    phase_done: u64,
    phase_total: Option<u64>,
    /// Bytes of all files.
    done: u64,
    total: Option<u64>,
    files: u64,
    total_files: u64,
    /// Bytes sent or received.
    moved: u64,
}

/// The transfer rate of the last seconds.
#[derive(Debug, Default)]
struct TransferRate {
    samples: VecDeque<(Instant, u64)>,
}

impl Screen {
    pub(crate) fn new(mode: ProgressMode) -> Self {
        Self {
            mode,
            bar: None,
            messages: String::new(),
            data: String::new(),
            failed: None,
            drawn: None,
            position: Position::default(),
            rate: TransferRate::default(),
            can_resume: true,
        }
    }

    /// Marks the transfer as a stream, which cannot be resumed.
    pub(crate) fn begin_stream(&mut self) {
        self.can_resume = false;
    }

    /// Whether progress is shown.
    pub(crate) fn is_shown(&self) -> bool {
        self.mode != ProgressMode::None
    }

    pub(crate) fn on_progress(&mut self, progress: &Progress) {
        self.position = Position::of(progress);
        if matches!(self.position.phase, Some(Phase::Transferring)) {
            self.rate.add(Instant::now(), self.position.moved);
        }
        self.draw_if_due();
    }

    /// Prints a line on standard error at the next drawing. Untrusted names in it have to be escaped.
    pub(crate) fn print_message(&mut self, line: &str) {
        self.messages.push_str(line);
        self.messages.push('\n');
        self.draw_if_due();
    }

    /// Prints a line on standard output at the next drawing.
    pub(crate) fn print_data(&mut self, line: &str) {
        self.data.push_str(line);
        self.data.push('\n');
        self.draw_if_due();
    }

    /// Ends the display of progress; lines are still printed.
    pub(crate) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if matches!(self.mode, ProgressMode::Lines | ProgressMode::Json) && self.drawn.is_some() {
            self.print_progress();
        }
        self.mode = ProgressMode::None;
        self.write_lines();
    }

    /// Writes waiting lines; fails if standard output has failed.
    pub(crate) fn flush_lines(&mut self) -> io::Result<()> {
        self.write_lines();
        self.failed.take().map_or(Ok(()), Err)
    }

    /// How much is transferred, for a transfer that is stopped.
    pub(crate) fn position(&self) -> TransferPosition {
        TransferPosition { done: self.position.done, total: self.position.total, can_resume: self.can_resume }
    }

    fn draw_if_due(&mut self) {
        let pause = match self.mode {
            ProgressMode::Lines => LINE_PAUSE,
            ProgressMode::Json => JSON_PAUSE,
            _ => DRAW_PAUSE,
        };
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= pause);
        if !is_due && self.messages.len() + self.data.len() < LINES_MAX {
            return;
        }
        self.drawn = Some(Instant::now());
        match self.mode {
            ProgressMode::Bar | ProgressMode::Auto => self.draw(),
            ProgressMode::Lines | ProgressMode::Json => self.print_progress(),
            ProgressMode::None => {}
        }
        self.write_lines();
    }

    fn draw(&mut self) {
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(30)).with_style(style())
        });
        // One change of the message is one drawing.
        let text = self.position.text(self.rate.bytes_per_second());
        bar.set_message(match self.position.percent().filter(|_| self.position.phase != Some(Phase::Counting)) {
            Some(percent) => format!("[{}] {percent:>3}% {text}", gauge(percent)),
            None => text,
        });
    }

    fn print_progress(&mut self) {
        if self.position.phase.is_none() {
            return;
        }
        let rate = self.rate.bytes_per_second();
        let line = if self.mode == ProgressMode::Json {
            self.position.json(rate)
        } else {
            let percent = self.position.percent().map_or_else(String::new, |percent| format!("{percent}% "));
            format!("remofile: {percent}{}", self.position.text(rate))
        };
        self.messages.push_str(&line);
        self.messages.push('\n');
    }

    fn write_lines(&mut self) {
        if self.messages.is_empty() && self.data.is_empty() {
            return;
        }
        let (messages, data) = (std::mem::take(&mut self.messages), std::mem::take(&mut self.data));
        let write = || {
            // A closed standard error is not a failure.
            let _ = anstream::stderr().lock().write_all(messages.as_bytes());
            if data.is_empty() {
                return Ok(());
            }
            let mut out = stdout();
            out.write_all(data.as_bytes()).and_then(|()| out.flush())
        };
        let written = match &self.bar {
            Some(bar) => bar.suspend(write),
            None => write(),
        };
        if let Err(error) = written {
            self.failed.get_or_insert(error);
        }
    }
}

impl Position {
    fn of(progress: &Progress) -> Self {
        let is_content = matches!(progress.phase, Phase::Transferring | Phase::Committing) && progress.path.is_some();
        let tree = progress.tree.unwrap_or_default();
        let (mut current, mut current_moved) = (0, 0);
        if is_content {
            // In the commit phase all bytes are transferred.
            let is_complete = progress.phase == Phase::Committing;
            current = if is_complete { progress.total.unwrap_or(0) } else { progress.done };
            current_moved = current.saturating_sub(progress.resumed);
        }
        let is_counted = tree.total_files > 0;
        Self {
            phase: Some(progress.phase),
            path: progress.path.as_ref().map(ToString::to_string),
            phase_done: progress.done,
            phase_total: progress.total,
            done: tree.bytes.saturating_add(current),
            total: if is_counted { Some(tree.total_bytes) } else { progress.total.filter(|_| is_content) },
            files: tree.files,
            total_files: tree.total_files,
            moved: tree.transferred.saturating_add(current_moved),
        }
    }

    fn percent(&self) -> Option<u64> {
        percent(self.done, self.total?)
    }

    fn text(&self, rate: Option<u64>) -> String {
        let name = self.path.as_ref().map_or_else(String::new, |path| format!(" {}", escaped(path)));
        let part = self.phase_total.and_then(|total| percent(self.phase_done, total));
        let part = part.map_or_else(String::new, |percent| format!(" {percent}%"));
        let at = match self.phase {
            Some(Phase::Counting) => return "counting".to_owned(),
            Some(Phase::Flushing) => "flushing to disk".to_owned(),
            Some(Phase::Hashing) => format!("hashing{name}{part}"),
            Some(Phase::Serving { operation }) => format!("server: {operation}{name}{part}"),
            Some(Phase::Committing) => format!("committing{name}"),
            _ => name.trim_start().to_owned(),
        };
        let mut text = human_size(self.done);
        if let Some(total) = self.total {
            text.push_str(&format!(" of {}", human_size(total)));
        }
        if self.total_files > 1 {
            text.push_str(&format!(", {} of {} files", self.files, self.total_files));
        }
        if let Some(rate) = rate.filter(|_| self.phase == Some(Phase::Transferring)) {
            text.push_str(&format!(", {}/s", human_size(rate)));
            let left = self.total.map(|total| total.saturating_sub(self.done)).filter(|left| *left > 0);
            if let Some(seconds) = left.and_then(|left| left.checked_div(rate)) {
                text.push_str(&format!(", {} left", human_milliseconds(seconds.saturating_mul(1000))));
            }
        }
        if at.is_empty() { text } else { format!("{text}, {at}") }
    }

    fn json(&self, rate: Option<u64>) -> String {
        let phase = match self.phase {
            Some(Phase::Counting) => "counting",
            Some(Phase::Hashing) => "hashing",
            Some(Phase::Serving { .. }) => "serving",
            Some(Phase::Committing) => "committing",
            Some(Phase::Flushing) => "flushing",
            _ => "transferring",
        };
        let mut object = json!({
            "schema": JSON_SCHEMA, "progress": phase, "done": self.done, "moved": self.moved, "files": self.files,
        });
        if let Some(path) = &self.path {
            object["path"] = path.as_str().into();
        }
        if let Some(total) = self.total {
            object["total"] = total.into();
        }
        if self.total_files > 0 {
            object["total_files"] = self.total_files.into();
        }
        if let Some(rate) = rate {
            object["rate"] = rate.into();
        }
        object.to_string()
    }
}

impl TransferRate {
    fn add(&mut self, now: Instant, moved: u64) {
        match self.samples.back() {
            // A few samples per second are enough.
            Some((at, _)) if now.duration_since(*at) < DRAW_PAUSE => return,
            Some((_, before)) if moved < *before => self.samples.clear(),
            _ => {}
        }
        self.samples.push_back((now, moved));
        while self.samples.front().is_some_and(|(at, _)| now.duration_since(*at) > RATE_WINDOW)
            && self.samples.len() > 2
        {
            self.samples.pop_front();
        }
    }

    /// The rate, once there are enough samples.
    fn bytes_per_second(&self) -> Option<u64> {
        let (Some((began, first)), Some((_, last))) = (self.samples.front(), self.samples.back()) else { return None };
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if took < 250 { None } else { last.saturating_sub(*first).saturating_mul(1000).checked_div(took) }
    }
}

/// The percentage; none of 0, and 100 only when all is done.
fn percent(done: u64, total: u64) -> Option<u64> {
    u64::try_from(u128::from(done.min(total)) * 100 / u128::from(total.max(1))).ok().filter(|_| total > 0)
}

/// A bar of 20 columns.
fn gauge(percent: u64) -> String {
    let full = usize::try_from(percent / 5).unwrap_or(0).min(20);
    let tip = if full < 20 { ">" } else { "" };
    format!("{:20}", format!("{}{tip}", "=".repeat(full)))
}

/// A single message, cut off at the width of the terminal.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").expect("the template is valid")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn position(done: u64, total: u64) -> Position {
        let phase = Some(Phase::Transferring);
        Position { phase, path: Some("/a".to_owned()), done, total: Some(total), ..Position::default() }
    }

    #[test]
    fn size_rate_and_remaining_time_are_shown() {
        let text = position(1 << 30, 4 << 30).text(Some(32 << 20));
        assert_eq!(text, "1.0 GiB of 4.0 GiB, 32.0 MiB/s, 96 s left, /a");
    }

    #[test]
    fn without_a_rate_no_remaining_time_is_shown() {
        assert_eq!(position(0, 4).text(None), "0 B of 4 B, /a");
        assert_eq!(position(0, 4).text(Some(0)), "0 B of 4 B, 0 B/s, /a");
    }

    #[test]
    fn a_bar_is_filled_in_proportion() {
        assert_eq!(
            [gauge(0), gauge(50), gauge(100)],
            [">                   ".to_owned(), "==========>         ".to_owned(), "====================".to_owned()]
        );
    }

    #[test]
    fn names_are_escaped() {
        let position = Position { path: Some("/\u{1b}[2J".to_owned()), ..position(0, 4) };
        assert!(!position.text(None).contains('\u{1b}'));
    }

    #[test]
    fn one_hundred_percent_is_shown_only_at_the_end() {
        assert_eq!([percent(0, 3), percent(2, 3), percent(3, 3)], [Some(0), Some(66), Some(100)]);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), Some(99));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let began = Instant::now().checked_sub(Duration::from_secs(20)).unwrap();
        let mut rate = TransferRate::default();
        for second in 0..=20 {
            // The rate grows tenfold after 10 s.
            let moved = if second <= 10 { second * 1_000 } else { 10_000 + (second - 10) * 10_000 };
            rate.add(began + Duration::from_secs(second), moved);
        }
        let measured = rate.bytes_per_second().unwrap();
        assert!((9_000..=10_100).contains(&measured), "{measured}");
    }
}
