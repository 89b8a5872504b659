//! Progress of a run, on standard error.

use super::{cut, terminal::Paint, visible};
use crate::{
    engine::verdict::{Outcome, Verdict},
    runner::Event,
};
use std::{
    io::{self, Write},
    time::{Duration, Instant},
};

/// The shortest time between two updates of the line on a terminal.
const PAUSE: Duration = Duration::from_millis(50);
/// Characters shown of a reason.
const REASON: usize = 200;
/// Clears the line.
const CLEAR: &str = "\r\u{1b}[2K";

/// Progress of a run.
pub(crate) struct Progress<W = io::Stderr> {
    to: W,
    /// Whether it is a terminal, whose last line can be updated.
    live: bool,
    paint: Paint,
    total: usize,
    done: usize,
    failed: usize,
    drawn: Option<Instant>,
}

impl Progress {
    /// Progress on standard error.
    pub(crate) fn new(live: bool, colour: bool, total: usize) -> Self {
        Self::on(io::stderr(), live, colour, total)
    }
}

impl<W: Write> Progress<W> {
    fn on(to: W, live: bool, colour: bool, total: usize) -> Self {
        Self { to, live, paint: Paint(colour), total, done: 0, failed: 0, drawn: None }
    }

    /// Shows an event.
    pub(crate) fn show(&mut self, event: &Event<'_>) {
        // A closed standard error is not a failure.
        let _ = match event {
            Event::Begins(case) => self.draw(&case.id),
            Event::Ended(outcome) => self.ended(outcome),
        };
    }

    /// Clears the line.
    pub(crate) fn end(&mut self) {
        if self.live && self.drawn.take().is_some() {
            let _ = write!(self.to, "{CLEAR}").and_then(|()| self.to.flush());
        }
    }

    fn ended(&mut self, outcome: &Outcome) -> io::Result<()> {
        self.done += 1;
        if !(outcome.verdict.is_failure() || outcome.verdict == Verdict::HarnessError) {
            return Ok(());
        }
        self.failed += 1;
        let clear = if self.live && self.drawn.take().is_some() { CLEAR } else { "" };
        let about = outcome.checks.first().map_or("", String::as_str);
        let verdict = self.paint.verdict(outcome.verdict);
        writeln!(self.to, "{clear}{verdict} {} [{about}] {}", outcome.id, cut(&visible(&outcome.reason), REASON))
    }

    fn draw(&mut self, id: &str) -> io::Result<()> {
        if !self.live || self.drawn.is_some_and(|drawn| drawn.elapsed() < PAUSE) {
            return Ok(());
        }
        self.drawn = Some(Instant::now());
        let failed = if self.failed > 0 { format!(", {} failed", self.failed) } else { String::new() };
        write!(self.to, "{CLEAR}{:>4}/{}{failed}  {id:.60}", self.done, self.total)?;
        self.to.flush()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::engine::verdict::samples::outcome;

    fn shown(live: bool, outcomes: &[Outcome]) -> String {
        let mut progress = Progress::on(Vec::new(), live, false, 9);
        for outcome in outcomes {
            progress.show(&Event::Ended(outcome));
        }
        progress.end();
        String::from_utf8(progress.to).unwrap()
    }

    #[test]
    fn a_failure_is_printed_at_once_in_one_line() {
        let text = shown(false, &[outcome("x", Verdict::Fail, "bad\u{7}\nworse")]);
        assert_eq!(text, "fail       x [APPEND-1] bad\\u{7}\\u{a}worse\n");
    }

    #[test]
    fn a_pass_prints_nothing() {
        assert_eq!(shown(false, &[outcome("x", Verdict::Pass, "")]), "");
    }

    #[test]
    fn a_line_that_is_not_a_terminals_is_never_drawn_over() {
        let cases = crate::cases::all();
        let mut progress = Progress::on(Vec::new(), false, true, 9);
        progress.show(&Event::Begins(&cases[0]));
        progress.end();
        assert!(progress.to.is_empty());
        let mut live = Progress::on(Vec::new(), true, true, 9);
        live.show(&Event::Begins(&cases[0]));
        assert!(live.to.starts_with(CLEAR.as_bytes()));
    }
}
