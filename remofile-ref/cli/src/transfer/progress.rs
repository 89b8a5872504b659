//! How far a transfer is: one bar for all of it, lines now and then, or objects; and the lines that go between.

use crate::{
    args::Cli,
    failure::Failure,
    output::{JSON_SCHEMA, Progress as How, escaped, human_duration, human_size, stdout},
};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use remofile::client::{Phase, Progress};
use serde_json::json;
use std::{
    collections::VecDeque,
    io::{self, Write as _},
    time::{Duration, Instant},
};

/// How often a bar is drawn at most: 15 times a second.
const DRAW_PAUSE: Duration = Duration::from_millis(67);

/// How often lines of progress come at most.
const LINE_PAUSE: Duration = Duration::from_secs(1);

/// How often objects of progress come at most.
const JSON_PAUSE: Duration = Duration::from_millis(200);

/// The rate is that of so much time.
const RATE_WINDOW: Duration = Duration::from_secs(5);

/// Lines wait for the next drawing, and never more of them than this, in bytes.
const LINES_MAX: usize = 1 << 16;

/// What a command shows while it transfers.
pub(crate) struct Screen {
    how: How,
    bar: Option<ProgressBar>,
    /// For standard error and standard output, in this order, until the next drawing.
    notes: String,
    data: String,
    /// What could not be written.
    failed: Option<io::Error>,
    drawn: Option<Instant>,
    /// How far it was when it was heard of last.
    now: Now,
    rate: Rate,
    /// The same command would go on where this one was stopped.
    continues: bool,
}

/// How far all of it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Now {
    phase: Option<Phase>,
    path: Option<String>,
    /// Of the phase.
    phase_done: u64,
    phase_total: Option<u64>,
    /// Of everything.
    done: u64,
    total: Option<u64>,
    files: u64,
    total_files: u64,
    /// What went over the wire for it.
    moved: u64,
}

/// How fast content moved lately.
#[derive(Debug, Default)]
struct Rate {
    samples: VecDeque<(Instant, u64)>,
}

impl Screen {
    pub(super) fn new(cli: &Cli) -> Self {
        Self {
            how: cli.output.progress(),
            bar: None,
            notes: String::new(),
            data: String::new(),
            failed: None,
            drawn: None,
            now: Now::default(),
            rate: Rate::default(),
            continues: true,
        }
    }

    /// What is transferred is a stream, which cannot be continued.
    pub(super) fn begin_stream(&mut self) {
        self.continues = false;
    }

    /// Whether totals are of use to anybody.
    pub(super) fn shows(&self) -> bool {
        self.how != How::None
    }

    pub(super) fn on_progress(&mut self, progress: &Progress) {
        self.now = Now::of(progress);
        if matches!(self.now.phase, Some(Phase::Transferring)) {
            self.rate.add(Instant::now(), self.now.moved);
        }
        self.draw_if_due();
    }

    /// A line for standard error, at the next drawing; names in it have to be escaped.
    pub(crate) fn tell(&mut self, line: &str) {
        self.notes.push_str(line);
        self.notes.push('\n');
        self.draw_if_due();
    }

    /// A line for standard output, at the next drawing.
    pub(crate) fn print(&mut self, line: &str) {
        self.data.push_str(line);
        self.data.push('\n');
        self.draw_if_due();
    }

    /// Takes the progress from the terminal, for good; lines go on.
    pub(super) fn clear(&mut self) {
        if let Some(bar) = self.bar.take() {
            bar.finish_and_clear();
        }
        if matches!(self.how, How::Lines | How::Json) && self.drawn.is_some() {
            self.note_progress();
        }
        self.how = How::None;
        self.write_lines();
    }

    /// Writes what waits; fails where standard output has failed.
    pub(super) fn flush_lines(&mut self) -> Result<(), Failure> {
        self.write_lines();
        self.failed.take().map_or(Ok(()), |error| Err(Failure::Output(error)))
    }

    /// The end of a transfer by a signal.
    pub(super) fn stopped(&self) -> Failure {
        Failure::Stopped { there: self.now.done, total: self.now.total, continues: self.continues }
    }

    fn draw_if_due(&mut self) {
        let pause = match self.how {
            How::Lines => LINE_PAUSE,
            How::Json => JSON_PAUSE,
            _ => DRAW_PAUSE,
        };
        let is_due = self.drawn.is_none_or(|drawn| drawn.elapsed() >= pause);
        if !is_due && self.notes.len() + self.data.len() < LINES_MAX {
            return;
        }
        self.drawn = Some(Instant::now());
        match self.how {
            How::Bar | How::Auto => self.draw(),
            How::Lines | How::Json => self.note_progress(),
            How::None => {}
        }
        self.write_lines();
    }

    fn draw(&mut self) {
        let bar = self.bar.get_or_insert_with(|| {
            ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr_with_hz(30)).with_style(style())
        });
        // Set once, it is drawn once.
        let text = self.now.text(self.rate.bytes_per_second());
        bar.set_message(match self.now.percent().filter(|_| self.now.phase != Some(Phase::Counting)) {
            Some(percent) => format!("[{}] {percent:>3}% {text}", gauge(percent)),
            None => text,
        });
    }

    fn note_progress(&mut self) {
        if self.now.phase.is_none() {
            return;
        }
        let rate = self.rate.bytes_per_second();
        let line = if self.how == How::Json {
            self.now.json(rate)
        } else {
            let percent = self.now.percent().map_or_else(String::new, |percent| format!("{percent}% "));
            format!("remofile: {percent}{}", self.now.text(rate))
        };
        self.notes.push_str(&line);
        self.notes.push('\n');
    }

    fn write_lines(&mut self) {
        if self.notes.is_empty() && self.data.is_empty() {
            return;
        }
        let (notes, data) = (std::mem::take(&mut self.notes), std::mem::take(&mut self.data));
        let write = || {
            // What nobody reads is no error there.
            let _ = anstream::stderr().lock().write_all(notes.as_bytes());
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

impl Now {
    fn of(progress: &Progress) -> Self {
        let is_content = matches!(progress.phase, Phase::Transferring | Phase::Committing) && progress.path.is_some();
        let tree = progress.tree.unwrap_or_default();
        let (mut current, mut current_moved) = (0, 0);
        if is_content {
            // What is being made durable is there, all of it.
            let is_there = progress.phase == Phase::Committing;
            current = if is_there { progress.total.unwrap_or(0) } else { progress.done };
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
            Some(Phase::Flushing) => "making it durable".to_owned(),
            Some(Phase::Hashing) => format!("hashing{name}{part}"),
            Some(Phase::Serving { operation }) => format!("the server is busy with {operation}{name}{part}"),
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
                text.push_str(&format!(", {} left", human_duration(seconds.saturating_mul(1000))));
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

impl Rate {
    fn add(&mut self, now: Instant, moved: u64) {
        match self.samples.back() {
            // A few samples a second are enough.
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

    /// None until there is something to go by.
    fn bytes_per_second(&self) -> Option<u64> {
        let (Some((began, first)), Some((_, last))) = (self.samples.front(), self.samples.back()) else { return None };
        let took = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if took < 250 { None } else { last.saturating_sub(*first).saturating_mul(1000).checked_div(took) }
    }
}

/// None of nothing, and 100 only when all is done.
fn percent(done: u64, total: u64) -> Option<u64> {
    u64::try_from(u128::from(done.min(total)) * 100 / u128::from(total.max(1))).ok().filter(|_| total > 0)
}

/// A bar of twenty columns.
fn gauge(percent: u64) -> String {
    let full = usize::try_from(percent / 5).unwrap_or(0).min(20);
    let tip = if full < 20 { ">" } else { "" };
    format!("{:20}", format!("{}{tip}", "=".repeat(full)))
}

/// All is one message, which is cut off where the terminal ends.
fn style() -> ProgressStyle {
    ProgressStyle::with_template("{wide_msg}").expect("the template is valid")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn now(done: u64, total: u64) -> Now {
        let phase = Some(Phase::Transferring);
        Now { phase, path: Some("/a".to_owned()), done, total: Some(total), ..Now::default() }
    }

    #[test]
    fn what_is_there_the_rate_and_the_rest_of_the_time_are_told() {
        let text = now(1 << 30, 4 << 30).text(Some(32 << 20));
        assert_eq!(text, "1.0 GiB of 4.0 GiB, 32.0 MiB/s, 96 s left, /a");
    }

    #[test]
    fn without_a_rate_there_is_no_promise() {
        assert_eq!(now(0, 4).text(None), "0 B of 4 B, /a");
        assert_eq!(now(0, 4).text(Some(0)), "0 B of 4 B, 0 B/s, /a");
    }

    #[test]
    fn a_bar_is_as_full_as_is_said() {
        assert_eq!(
            [gauge(0), gauge(50), gauge(100)],
            [">                   ".to_owned(), "==========>         ".to_owned(), "====================".to_owned()]
        );
    }

    #[test]
    fn names_are_escaped() {
        let now = Now { path: Some("/\u{1b}[2J".to_owned()), ..now(0, 4) };
        assert!(!now.text(None).contains('\u{1b}'));
    }

    #[test]
    fn all_is_said_only_when_all_is_done() {
        assert_eq!([percent(0, 3), percent(2, 3), percent(3, 3)], [Some(0), Some(66), Some(100)]);
        assert_eq!(percent(u64::MAX - 1, u64::MAX), Some(99));
        assert_eq!(percent(0, 0), None);
    }

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let began = Instant::now().checked_sub(Duration::from_secs(20)).unwrap();
        let mut rate = Rate::default();
        for second in 0..=20 {
            // It has become ten times as fast on the way.
            let moved = if second <= 10 { second * 1_000 } else { 10_000 + (second - 10) * 10_000 };
            rate.add(began + Duration::from_secs(second), moved);
        }
        let told = rate.bytes_per_second().unwrap();
        assert!((9_000..=10_100).contains(&told), "{told}");
    }
}
