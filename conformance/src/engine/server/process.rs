//! The process group of a server, which ends with the suite.

use super::LOOK_EVERY;
use remofile_proto::{Keys, Token, z85};
use rustix::process::{Pid, Signal, kill_process_group, test_kill_process_group};
use std::{
    fs::File,
    io::{self, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The most bytes of a server's output that are shown.
const SHOWN: u64 = 2_048;

/// The longest wait for the end of a killed group.
const GONE_WITHIN: Duration = Duration::from_secs(2);

/// A group of processes.
#[derive(Debug)]
pub(super) struct Process {
    leader: Child,
    group: Pid,
    /// Kills the group when its standard input closes, also when the suite dies.
    watchdog: Child,
    lifeline: Option<ChildStdin>,
    log: PathBuf,
    secrets: Vec<String>,
}

impl Process {
    /// Starts a command line of `sh` in its own process group, with its output in the file `log`.
    pub(super) fn start(line: &str, log: PathBuf, token: &Token) -> Result<Self, String> {
        let failed = |error: io::Error| format!("cannot start the server: {error}");
        let output = File::create(&log).map_err(failed)?;
        let errors = output.try_clone().map_err(failed)?;
        let mut leader = Command::new("sh")
            .arg("-c")
            .arg(line)
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .process_group(0)
            .spawn()
            .map_err(failed)?;
        let group = Pid::from_child(&leader);
        let watchdog = Command::new("sh")
            .args(["-c", "read -r _; kill -KILL 0"])
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(group.as_raw_pid())
            .spawn()
            .and_then(|mut watchdog| {
                let lifeline = watchdog.stdin.take().ok_or(io::ErrorKind::BrokenPipe)?;
                Ok((watchdog, lifeline))
            });
        match watchdog {
            Ok((watchdog, lifeline)) => {
                Ok(Self { leader, group, watchdog, lifeline: Some(lifeline), log, secrets: secrets(token) })
            }
            Err(error) => {
                kill_process_group(group, Signal::KILL).map_err(|error| failed(error.into()))?;
                leader.wait().map_err(failed)?;
                Err(failed(error))
            }
        }
    }

    /// Whether the leader has ended.
    pub(super) fn ended(&mut self) -> bool {
        matches!(self.leader.try_wait(), Ok(Some(_)) | Err(_))
    }

    /// Kills it; returns when it is gone.
    pub(super) fn kill(&mut self) -> Result<(), String> {
        self.signal(Signal::KILL)?;
        self.lifeline = None;
        let collected = self.leader.wait().and_then(|_| self.watchdog.wait());
        collected.map_err(|error| format!("cannot wait for the server: {error}"))?;
        self.await_gone(GONE_WITHIN);
        Ok(())
    }

    /// Sends SIGTERM, and SIGKILL if it has not ended within `timeout`.
    pub(super) fn terminate(&mut self, timeout: Duration) -> Result<(), String> {
        self.signal(Signal::TERM)?;
        let deadline = Instant::now() + timeout;
        while !self.ended() && Instant::now() < deadline {
            thread::sleep(LOOK_EVERY);
        }
        self.await_gone(deadline.saturating_duration_since(Instant::now()).min(GONE_WITHIN));
        self.kill()
    }

    /// The end of its output, without secrets.
    pub(super) fn end_of_log(&self) -> String {
        let mut words = end_of(&self.log).unwrap_or_default();
        for secret in &self.secrets {
            words = words.replace(secret, "[redacted]");
        }
        words.trim().chars().map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c }).collect()
    }

    fn signal(&self, signal: Signal) -> Result<(), String> {
        match kill_process_group(self.group, signal) {
            Ok(()) | Err(rustix::io::Errno::SRCH) => Ok(()),
            Err(error) => Err(format!("cannot end the server: {error}")),
        }
    }

    /// Waits for the processes that the leader started; there is no event for their end.
    fn await_gone(&mut self, timeout: Duration) {
        let deadline = Instant::now() + timeout;
        while Instant::now() < deadline {
            let collected = [self.leader.try_wait(), self.watchdog.try_wait()];
            if collected.iter().all(|status| !matches!(status, Ok(None))) && is_gone(self.group) {
                return;
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // A destructor cannot report a failure.
        let _ = self.kill();
    }
}

/// Whether no process of the group runs; a zombie holds neither port nor lock.
fn is_gone(group: Pid) -> bool {
    if test_kill_process_group(group) == Err(rustix::io::Errno::SRCH) {
        return true;
    }
    let Ok(processes) = std::fs::read_dir("/proc") else { return false };
    let runs = |directory: PathBuf| {
        let Ok(stat) = std::fs::read_to_string(directory.join("stat")) else { return false };
        // After the name, which may contain any character: state, parent, group.
        let Some((_, fields)) = stat.rsplit_once(')') else { return false };
        let fields: Vec<&str> = fields.split_whitespace().take(3).collect();
        let [state, _, member_of] = fields[..] else { return false };
        // A process whose first thread has ended may have others.
        let threads = || std::fs::read_dir(directory.join("task")).map_or(0, Iterator::count);
        member_of == group.as_raw_pid().to_string() && (state != "Z" || threads() > 1)
    };
    let mut seen = 0;
    let any = processes.flatten().any(|process| {
        seen += 1;
        runs(process.path())
    });
    seen > 0 && !any
}

fn end_of(path: &Path) -> io::Result<String> {
    let mut file = File::open(path)?;
    let length = file.seek(SeekFrom::End(0))?;
    let begin = length.saturating_sub(SHOWN);
    file.seek(SeekFrom::Start(begin))?;
    let mut bytes = Vec::new();
    file.take(SHOWN).read_to_end(&mut bytes)?;
    let text = String::from_utf8_lossy(&bytes);
    // Half a line could be half a secret, which the redaction would miss.
    Ok(match text.split_once('\n') {
        Some((_, whole)) if begin > 0 => whole.to_owned(),
        None if begin > 0 => String::new(),
        _ => text.into_owned(),
    })
}

/// The token and the secret keys, in every form that programs print.
fn secrets(token: &Token) -> Vec<String> {
    let keys = Keys::derive(token);
    let written = [&keys.server, &keys.client]
        .into_iter()
        .flat_map(|pair| [crate::wire::cbor::hex(pair.secret()), z85::encode(pair.secret()).to_string()]);
    std::iter::once(token.reveal().to_owned()).chain(written).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "TTA3rMB8VtNYv25kdipkaJ";

    fn started(line: &str) -> (Process, tempfile::TempDir) {
        let directory = tempfile::tempdir().unwrap();
        let process = Process::start(line, directory.path().join("log"), &TOKEN.parse().unwrap()).unwrap();
        (process, directory)
    }

    fn until(mut holds: impl FnMut() -> bool) {
        let deadline = Instant::now() + Duration::from_secs(10);
        while !holds() {
            assert!(Instant::now() < deadline);
            thread::sleep(LOOK_EVERY);
        }
    }

    #[test]
    fn children_of_a_command_end_with_it() {
        let (mut process, directory) = started("sleep 1000 & echo $!; wait");
        until(|| end_of(&directory.path().join("log")).unwrap().ends_with('\n'));
        let child = end_of(&directory.path().join("log")).unwrap();
        process.kill().unwrap();
        let state = std::fs::read_to_string(format!("/proc/{}/stat", child.trim()));
        assert!(state.is_err() || state.unwrap().contains(") Z "));
    }

    #[test]
    fn a_group_ends_with_its_lifeline() {
        let (mut process, _directory) = started("exec sleep 1000");
        assert!(!process.ended());
        drop(process.lifeline.take());
        until(|| process.ended());
    }

    #[test]
    fn the_end_of_the_log_does_not_show_the_token() {
        let (mut process, _directory) = started(&format!("echo the token is {TOKEN}; exit 1"));
        until(|| process.ended());
        assert_eq!(process.end_of_log(), "the token is [redacted]");
    }

    #[test]
    fn a_process_that_ignores_the_request_to_end_is_killed() {
        let (mut process, directory) = started("trap '' TERM; echo deaf; while :; do sleep 1000; done");
        until(|| end_of(&directory.path().join("log")).unwrap().ends_with('\n'));
        process.terminate(Duration::from_millis(50)).unwrap();
        assert!(process.ended());
    }
}
