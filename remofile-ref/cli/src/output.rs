//! What a user sees: what goes where, colours, names that cannot harm a terminal, sizes, times, JSON.

use super::{args::OutputArgs, failure::Failure};
use anstream::{AutoStream, ColorChoice};
use anstyle::{AnsiColor, Style};
use clap::ValueEnum;
use std::{
    fmt,
    io::{self, IsTerminal as _, Write},
    sync::atomic::{AtomicBool, Ordering},
};
use unicode_width::UnicodeWidthStr as _;

/// The schema number of `--json` lines.
pub(crate) const JSON_SCHEMA: u32 = 1;

/// Whether `--quiet` was said.
static QUIET: AtomicBool = AtomicBool::new(false);

/// `error:`
pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
/// `warning:`
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default().bold();
/// `hint:`
pub(crate) const HINT: Style = AnsiColor::Cyan.on_default().bold();
/// Names of directories.
pub(crate) const DIRECTORY: Style = AnsiColor::Blue.on_default().bold();
/// Names of links and special files.
pub(crate) const SPECIAL: Style = AnsiColor::Cyan.on_default();

/// When there are colours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Color {
    /// On a terminal, unless NO_COLOR or TERM=dumb say otherwise; CLICOLOR_FORCE wants them in a pipe too
    #[default]
    Auto,
    /// Always
    Always,
    /// Never
    Never,
}

/// How progress is shown, on standard error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub(crate) enum Progress {
    /// A bar on a terminal, else nothing
    #[default]
    Auto,
    /// One bar, drawn anew
    Bar,
    /// A line now and then
    Lines,
    /// One JSON object a line
    Json,
    /// Nothing
    None,
}

impl OutputArgs {
    /// Has all that is printed from here on follow `--color` and `--quiet`.
    pub(crate) fn apply(&self) {
        QUIET.store(self.quiet, Ordering::Relaxed);
        match self.color {
            Color::Auto => {}
            Color::Always => ColorChoice::AlwaysAnsi.write_global(),
            Color::Never => ColorChoice::Never.write_global(),
        }
    }

    /// What progress is shown as: never [`Progress::Auto`]. `--quiet` shows none that was not asked for by name.
    pub(crate) fn progress(&self) -> Progress {
        match self.progress {
            Progress::Auto if !self.quiet && io::stderr().is_terminal() => Progress::Bar,
            Progress::Auto => Progress::None,
            asked => asked,
        }
    }
}

/// Says something on standard error, unless `--quiet`: `remofile: TEXT`. The text is escaped.
pub(crate) fn note(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        tell(format_args!("remofile: {}", escaped(&text.to_string())));
    }
}

/// Warns on standard error, unless `--quiet`: `remofile: warning: TEXT`. The text is escaped.
pub(crate) fn warn(text: impl fmt::Display) {
    if !QUIET.load(Ordering::Relaxed) {
        tell(format_args!("remofile: {WARNING}warning:{WARNING:#} {}", escaped(&text.to_string())));
    }
}

/// Prints a failure as `remofile: error: …`, with a hint below it where there is one.
pub(crate) fn report(failure: &Failure) {
    tell_error(&failure.to_string());
    if let Some(hint) = failure.hint() {
        tell_hint(&hint);
    }
}

pub(crate) fn tell_error(what: &str) {
    tell(format_args!("remofile: {ERROR}error:{ERROR:#} {}", escaped(what)));
}

pub(crate) fn tell_hint(hint: &str) {
    tell(format_args!("{HINT}hint:{HINT:#} {}", escaped(hint)));
}

/// A line on standard error; styles in it are dropped where there are no colours. One that nobody reads is no error.
/// Names from elsewhere have to be [`escaped`].
pub(crate) fn tell(line: impl fmt::Display) {
    // One write, so that lines of several processes do not mix.
    let _ = anstream::stderr().lock().write_all(format!("{line}\n").as_bytes());
}

/// Standard output for data: styles are dropped where there are no colours.
pub(crate) fn stdout() -> AutoStream<io::StdoutLock<'static>> {
    AutoStream::new(io::stdout().lock(), AutoStream::choice(&io::stdout()))
}

/// Whether a person reads standard output.
pub(crate) fn is_terminal() -> bool {
    io::stdout().is_terminal()
}

/// How many columns the terminal of standard output has; 80 where it does not tell.
pub(crate) fn terminal_width() -> usize {
    let told = rustix::termios::tcgetwinsize(io::stdout()).map(|size| usize::from(size.ws_col)).unwrap_or(0);
    if told == 0 { 80 } else { told }
}

/// One line of `--json`: the object with the schema number in it.
pub(crate) fn write_json(out: &mut impl Write, mut object: serde_json::Value) -> io::Result<()> {
    object["schema"] = JSON_SCHEMA.into();
    writeln!(out, "{object}")
}

/// A name for standard output: on a terminal control characters and other invisible ones are escaped; elsewhere names
/// are as they are, so that a script gets the exact bytes.
pub(crate) fn shown(name: &str) -> String {
    if is_terminal() { escaped(name) } else { name.to_owned() }
}

/// A name with everything escaped that would move the cursor, change its direction or be invisible.
pub(crate) fn escaped(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for character in name.chars() {
        let harmful = character.is_control()
            || matches!(character, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}')
            || matches!(character, '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}');
        if harmful {
            text.extend(character.escape_unicode());
        } else {
            text.push(character);
        }
    }
    text
}

/// Names in columns, downwards first as `ls` has them; each is a text that was [`escaped`], and its style.
pub(crate) fn write_columns(out: &mut impl Write, names: &[(String, Style)], width: usize) -> io::Result<()> {
    const GAP: usize = 2;
    let widths: Vec<usize> = names.iter().map(|(name, _)| name.width()).collect();
    // The fewest rows whose columns fit beside one another.
    let column_widths = |rows: usize| widths.chunks(rows).map(|column| column.iter().copied().max().unwrap_or(0));
    let fits = |rows: &usize| column_widths(*rows).map(|column| column + GAP).sum::<usize>() <= width + GAP;
    // More columns than this cannot fit, and the search stays short for a million names.
    let fewest = names.len().div_ceil((width / (GAP + 1)).max(1)).max(1);
    let rows = (fewest..names.len()).find(fits).unwrap_or(names.len()).max(1);
    let columns: Vec<usize> = column_widths(rows).collect();
    for row in 0..rows.min(names.len()) {
        let mut padding = 0;
        for (column, column_width) in columns.iter().enumerate() {
            let at = column * rows + row;
            let Some((name, style)) = names.get(at) else { break };
            write!(out, "{:padding$}{style}{name}{style:#}", "")?;
            padding = column_width - widths[at] + GAP;
        }
        writeln!(out)?;
    }
    Ok(())
}

/// A size on standard output: for people on a terminal, else exact.
pub(crate) fn size(bytes: u64) -> String {
    if is_terminal() { human_size(bytes) } else { bytes.to_string() }
}

/// A size for people, in powers of 1,024: `17 B`, `4.2 MiB`.
pub(crate) fn human_size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"];
    let mut unit = 0;
    let mut shrunk = bytes;
    while shrunk >= 1024 && unit + 1 < UNITS.len() {
        shrunk /= 1024;
        unit += 1;
    }
    if unit == 0 {
        return format!("{bytes} B");
    }
    let scale = 1u64 << (10 * unit);
    let tenths = u128::from(bytes) * 10 / u128::from(scale);
    format!("{}.{} {}", tenths / 10, tenths % 10, UNITS[unit])
}

/// A duration for people: `350 ms`, `4.2 s`, `3 min 20 s`, `2 h 5 min`.
pub(crate) fn human_duration(milliseconds: u64) -> String {
    let seconds = milliseconds / 1000;
    match seconds {
        0 => format!("{milliseconds} ms"),
        1..10 if milliseconds % 1000 >= 100 => format!("{seconds}.{} s", milliseconds % 1000 / 100),
        1..120 => format!("{seconds} s"),
        120..7200 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds / 60 % 60),
    }
}

/// A time as ISO 8601 in UTC with seconds, `2025-10-09T08:53:20Z`; its nanoseconds where it is out of range.
pub(crate) fn iso_time(nanoseconds: i64) -> String {
    jiff::Timestamp::from_nanosecond(i128::from(nanoseconds))
        .map_or_else(|_| nanoseconds.to_string(), |time| time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn columns(names: &[&str], width: usize) -> String {
        let names: Vec<_> = names.iter().map(|name| ((*name).to_owned(), Style::new())).collect();
        let mut out = Vec::new();
        write_columns(&mut out, &names, width).unwrap();
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn names_go_down_before_they_go_right() {
        assert_eq!(columns(&["a", "bb", "c", "dddd"], 9), "a   c\nbb  dddd\n");
    }

    #[test]
    fn a_line_is_filled_to_its_last_column() {
        assert_eq!(columns(&["aaa", "bbb"], 8), "aaa  bbb\n");
        assert_eq!(columns(&["aaa", "bbb"], 7), "aaa\nbbb\n");
    }

    #[test]
    fn a_wide_character_counts_twice() {
        assert_eq!(columns(&["字", "b", "c", "d"], 6), "字  c\nb   d\n");
    }

    #[test]
    fn a_name_wider_than_the_terminal_has_a_line_of_its_own() {
        assert_eq!(columns(&["long-name", "b"], 4), "long-name\nb\n");
        assert_eq!(columns(&[], 80), "");
    }

    #[test]
    fn durations_are_as_coarse_as_people_say_them() {
        let said: Vec<_> = [0, 350, 1_000, 4_200, 59_900, 200_000, 7_500_000].map(human_duration).into();
        assert_eq!(said, ["0 ms", "350 ms", "1 s", "4.2 s", "59 s", "3 min 20 s", "2 h 5 min"]);
    }

    #[test]
    fn sizes_are_rounded_down() {
        let said: Vec<_> = [17, 1_023, 1_024, 4_404_019, u64::MAX].map(human_size).into();
        assert_eq!(said, ["17 B", "1023 B", "1.0 KiB", "4.1 MiB", "15.9 EiB"]);
    }

    #[test]
    fn what_is_invisible_is_escaped_and_what_people_write_is_not() {
        assert_eq!(escaped("Müller 字 \u{1f600}"), "Müller 字 \u{1f600}");
        assert_eq!(escaped("a\u{1b}[2J\u{202e}\u{ad}"), "a\\u{1b}[2J\\u{202e}\\u{ad}");
    }
}
