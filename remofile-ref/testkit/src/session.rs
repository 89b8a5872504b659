//! The real command in a terminal session of its own, with keys that can be pressed.

use crate::process::DEADLINE;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A command whose controlling terminal is a pseudo-terminal; killed when dropped before its end.
pub struct Session {
    child: Child,
    master: File,
    seen: Arc<Mutex<Vec<u8>>>,
    reading: Option<JoinHandle<()>>,
}

impl Session {
    /// None where there is no `setsid` to give a process a terminal.
    pub fn start(command: &Command) -> Option<Self> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let terminal = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let mut under = Command::new("setsid");
        under.arg("--ctty").arg(command.get_program()).args(command.get_args());
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => under.env(name, value),
                None => under.env_remove(name),
            };
        }
        if let Some(directory) = command.get_current_dir() {
            under.current_dir(directory);
        }
        let child = under.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn();
        drop(under);
        let child = child.ok()?;
        let (master, seen) = (File::from(master), Arc::<Mutex<Vec<u8>>>::default());
        let reading = {
            let (mut master, seen) = (master.try_clone().unwrap(), Arc::clone(&seen));
            thread::spawn(move || {
                let mut bytes = [0; 4096];
                // A terminal without open descriptors ends with EIO.
                while let Ok(count @ 1..) = master.read(&mut bytes) {
                    seen.lock().unwrap().extend_from_slice(&bytes[..count]);
                }
            })
        };
        Some(Self { child, master, seen, reading: Some(reading) })
    }

    pub fn press(&mut self, keys: &[u8]) {
        self.master.write_all(keys).unwrap();
    }

    pub fn resize(&self, columns: u16) {
        tcsetwinsize(&self.master, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that was written to the terminal so far.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    pub fn await_text(&self, text: &str) {
        let deadline = Instant::now() + DEADLINE;
        while !self.seen().contains(text) {
            assert!(Instant::now() < deadline, "'{text}' does not come: {:?}", self.seen());
            thread::park_timeout(Duration::from_millis(2));
        }
    }

    /// Waits for its end; gives its status, what was written, and how long that took from now on.
    pub fn finish(mut self) -> (ExitStatus, String, Duration) {
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(started.elapsed() < DEADLINE, "the command does not end: {:?}", self.seen());
            thread::park_timeout(Duration::from_millis(1));
        };
        let took = started.elapsed();
        self.reading.take().unwrap().join().unwrap();
        (status, self.seen(), took)
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What stands on a terminal in the end where this was written: carriage returns and erasures are carried out.
pub fn left_on_screen(written: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    let (mut row, mut column) = (0usize, 0usize);
    let mut characters = written.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => column = 0,
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(String::new());
                }
            }
            '\u{1b}' => {
                characters.next();
                let mut number = String::new();
                let end = loop {
                    match characters.next() {
                        Some(digit) if digit.is_ascii_digit() || digit == '?' || digit == ';' => number.push(digit),
                        end => break end,
                    }
                };
                let count = number.parse::<usize>().unwrap_or(1);
                match end {
                    Some('K') if number == "2" => lines[row].clear(),
                    Some('K') => lines[row] = lines[row].chars().take(column).collect(),
                    Some('J') => {
                        lines[row] = lines[row].chars().take(column).collect();
                        lines.truncate(row + 1);
                    }
                    Some('A') => row = row.saturating_sub(count),
                    Some('B') => row += count,
                    _ => {}
                }
                while row >= lines.len() {
                    lines.push(String::new());
                }
            }
            character => {
                let mut line: Vec<char> = lines[row].chars().collect();
                while line.len() <= column {
                    line.push(' ');
                }
                line[column] = character;
                lines[row] = line.into_iter().collect();
                column += 1;
            }
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty()).collect()
}
