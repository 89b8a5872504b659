//! Runs the suite against one mutation server, in a process of its own, and checks its report.

use super::server_config::{KeyFile, ServerConfig, Variant};
use crate::{
    engine::{server::quoted, verdict::Verdict},
    exit::{Exit, Failure},
    mutation::HarnessMutation,
    runner::{SANITY, plan::every_case},
};
use remofile_proto::z85;
use rustix::{
    fs::{Access, access, statvfs},
    process::{Pid, Signal, kill_process_group},
};
use serde::Deserialize;
use std::{
    collections::BTreeMap,
    env,
    fs::{self, File},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant},
};
use tempfile::TempDir;

/// The interval at which a thread checks whether its run has ended or the self-test is interrupted.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// How long an interrupted run may take to clean up.
const END_WITHIN: Duration = Duration::from_secs(10);

/// More bytes than all simultaneous runs need.
const ROOM: u64 = 1 << 30;

/// A run of cases of the suite against a server.
#[derive(Clone, Debug, Default)]
pub(super) struct RunSpec {
    pub(super) server: ServerConfig,
    /// The ids of the cases; all cases if empty.
    pub(super) cases: Vec<String>,
    pub(super) seed: u64,
    pub(super) shuffle: bool,
    /// Seconds without a reply after which the server counts as silent.
    pub(super) silent_after: u64,
    /// The harness mutation.
    pub(super) sabotage: Option<HarnessMutation>,
    /// The time limit, where it is less than that of the executor.
    pub(super) limit: Option<Duration>,
    /// Address and token of a running server, in place of one that the suite starts.
    pub(super) foreign: Option<(String, String)>,
}

/// The result of a case.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ReportedCase {
    pub(super) verdict: Verdict,
    pub(super) reason: String,
    /// For a check of every reply: the case in which it failed first.
    pub(super) seen_in: Option<String>,
}

/// The report of a run.
#[derive(Clone, Debug, Default)]
pub(super) struct RunReport {
    /// Whether the first case passed.
    pub(super) served: bool,
    /// Whether the server reported that its mutation or variant was reached.
    pub(super) reached: bool,
    pub(super) cases: BTreeMap<String, ReportedCase>,
    pub(super) leftovers: Vec<String>,
    pub(super) took: Duration,
}

/// The outcome of a run.
#[derive(Clone, Debug)]
pub(super) enum RunOutcome {
    Reported(RunReport),
    /// No session could be opened: the reason.
    Unreachable(String),
    /// The suite itself failed: the error.
    Failed(String),
    Interrupted,
}

/// Runs the suite in child processes.
pub(super) struct Executor<'a> {
    program: PathBuf,
    scratch: TempDir,
    pinned: KeyFile,
    /// The time limit of a run.
    limit: Duration,
    interrupted: &'a AtomicBool,
    specs: AtomicU64,
}

impl<'a> Executor<'a> {
    pub(super) fn new(limit: Duration, interrupted: &'a AtomicBool) -> Result<Self, Failure> {
        let failed =
            |what: &str, error: &dyn std::fmt::Display| Failure::new(Exit::OwnFault, format!("{what}: {error}"));
        let program = env::current_exe().map_err(|error| failed("this program cannot be found", &error))?;
        let scratch = TempDir::with_prefix_in("selftest-", place_for_scratch());
        let scratch = scratch.map_err(|error| failed("no temporary directory", &error))?;
        let pair = zmq::CurveKeyPair::new().map_err(|error| failed("no key pair", &error))?;
        let (public, secret) = (z85::encode(&pair.public_key).to_string(), z85::encode(&pair.secret_key).to_string());
        let file = scratch.path().join("keys");
        fs::write(&file, format!("public {public}\nsecret {secret}\n"))
            .map_err(|error| failed("no file for keys", &error))?;
        let pinned = KeyFile { file: file.display().to_string(), public };
        Ok(Self { program, scratch, pinned, limit, interrupted, specs: AtomicU64::new(0) })
    }

    /// A directory that is removed with the executor.
    pub(super) fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// The `sh` command line of a server, for `--spawn`; the server creates the file `reached` when it reaches its mutation.
    pub(super) fn serving(&self, server: &ServerConfig, reached: &Path) -> String {
        let mut words = vec![self.program.display().to_string(), "mutation-server".into()];
        words.extend(server.server_options(&self.pinned));
        words.extend(["--reached".into(), reached.display().to_string()]);
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        // Who may change nothing can make nothing to read.
        let set_up = match server.variant {
            Variant::ReadOnly => "[ -e {root}/file ] || echo content > {root}/file; ",
            _ => "",
        };
        format!("{set_up}exec {} {{root}} {{port}} {{token}}", words.join(" "))
    }

    /// Runs the suite. Retries once when the server could not be reached: another process may have taken its port.
    pub(super) fn execute(&self, spec: &RunSpec) -> RunOutcome {
        if self.interrupted.load(Ordering::Relaxed) {
            return RunOutcome::Interrupted;
        }
        match self.execute_once(spec) {
            RunOutcome::Unreachable(_) => self.execute_once(spec),
            outcome => outcome,
        }
    }

    fn execute_once(&self, spec: &RunSpec) -> RunOutcome {
        let number = self.specs.fetch_add(1, Ordering::Relaxed);
        let place = self.scratch.path().join(number.to_string());
        let outcome = fs::create_dir(&place)
            .map_err(|error| RunOutcome::Failed(format!("no directory for a run: {error}")))
            .and_then(|()| self.run(spec, &place));
        // What a killed run left in its directory goes with it.
        let removed = fs::remove_dir_all(&place);
        match (outcome, removed) {
            (Ok(RunOutcome::Reported(_)), Err(error)) => {
                RunOutcome::Failed(format!("the directory of a run could not be removed: {error}"))
            }
            (Ok(outcome) | Err(outcome), _) => outcome,
        }
    }

    fn run(&self, spec: &RunSpec, place: &Path) -> Result<RunOutcome, RunOutcome> {
        let broken = |what: String| RunOutcome::Failed(format!("{}: {what}", spec.server));
        let (report, reached, errors) = (place.join("report.json"), place.join("reached"), place.join("errors"));
        let began = Instant::now();
        let file = File::create(&errors).map_err(|error| broken(error.to_string()))?;
        let child = self.command(spec, place, &report, &reached).stderr(file).spawn();
        let child = child.map_err(|error| broken(format!("the suite could not be started: {error}")))?;
        let status = self.wait_for(child, spec.limit.unwrap_or(self.limit)).map_err(|outcome| match outcome {
            RunOutcome::Failed(what) => broken(what),
            other => other,
        })?;
        let said = fs::read_to_string(&errors).unwrap_or_default();
        let Some(code) = status.code() else {
            return Err(broken(format!("the suite crashed: {status}: {}", said.trim())));
        };
        if code == Exit::Unreachable as i32 || code == Exit::Refused as i32 {
            return Ok(RunOutcome::Unreachable(said.trim().to_owned()));
        }
        let text = fs::read_to_string(&report).unwrap_or_default();
        let document: ReportDocument = serde_json::from_str(&text)
            .map_err(|error| broken(format!("exit code {code} and no report ({error}): {}", said.trim())))?;
        let ran =
            RunReport { reached: reached.exists(), took: began.elapsed(), ..document.understood().map_err(broken)? };
        inconsistency(&ran, spec, code, document.exit).map_or(Ok(RunOutcome::Reported(ran)), |what| Err(broken(what)))
    }

    fn command(&self, spec: &RunSpec, place: &Path, report: &Path, reached: &Path) -> Command {
        let mut command = Command::new(&self.program);
        command.arg("run");
        match &spec.foreign {
            Some((address, token)) => command.arg(address).env("REMOFILE_TOKEN", token),
            None => command.arg("--spawn").arg(self.serving(&spec.server, reached)).env_remove("REMOFILE_TOKEN"),
        };
        command
            .args(spec.server.run_options(&self.pinned))
            .args(["--seed", &spec.seed.to_string(), "--timeout", &spec.silent_after.max(1).to_string()])
            .arg("--output")
            .arg(report)
            .args(spec.shuffle.then_some("--shuffle"))
            .args(spec.sabotage.map(|mutation| format!("--harness-mutation={}", mutation.name())))
            .args(&spec.cases)
            // Files that it leaves lie here, even when it is killed.
            .env("TMPDIR", place)
            .env_remove("REMOFILE_SERVER")
            .env_remove("REMOFILE_TOKEN_FILE")
            .env_remove("REMOFILE_PUBLIC_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // An interrupt key of the terminal reaches this process alone: a run that gets two signals does not clean up.
            .process_group(0);
        command
    }

    /// Waits for a run, and ends it at its time limit or on an interruption.
    fn wait_for(&self, mut child: Child, limit: Duration) -> Result<ExitStatus, RunOutcome> {
        let group = Pid::from_child(&child);
        let mut deadline = Instant::now() + limit;
        let mut asked: Option<RunOutcome> = None;
        loop {
            match child.try_wait() {
                Ok(Some(status)) => return asked.map_or(Ok(status), Err),
                Ok(None) => {}
                Err(error) => return Err(RunOutcome::Failed(format!("the suite could not be waited for: {error}"))),
            }
            let late = Instant::now() > deadline;
            if asked.is_none() && (late || self.interrupted.load(Ordering::Relaxed)) {
                asked = Some(match late {
                    true => RunOutcome::Failed(format!("the suite did not end within {} s", limit.as_secs())),
                    false => RunOutcome::Interrupted,
                });
                deadline = Instant::now() + END_WITHIN;
                signal(group, Signal::TERM);
            } else if late {
                signal(group, Signal::KILL);
            }
            thread::sleep(LOOK_EVERY);
        }
    }
}

/// The file system in memory if it has room and TMPDIR is not set: a thousand servers make and remove
/// a hundred thousand files, and none of them is kept.
fn place_for_scratch() -> PathBuf {
    let shared = Path::new("/dev/shm");
    let has_room = || statvfs(shared).is_ok_and(|stat| stat.f_bavail.saturating_mul(stat.f_frsize) >= ROOM);
    let is_open = || access(shared, Access::WRITE_OK | Access::EXEC_OK).is_ok();
    if env::var_os("TMPDIR").is_none() && is_open() && has_room() { shared.to_owned() } else { env::temp_dir() }
}

fn signal(group: Pid, signal: Signal) {
    // It may have ended this very moment.
    let _ = kill_process_group(group, signal);
}

/// The part of a report that the self-test reads.
#[derive(Deserialize)]
struct ReportDocument {
    exit: i32,
    served: bool,
    leftovers: Vec<String>,
    cases: Vec<ReportCase>,
}

#[derive(Deserialize)]
struct ReportCase {
    id: String,
    verdict: String,
    reason: String,
    seen_in: Option<String>,
}

impl ReportDocument {
    fn understood(&self) -> Result<RunReport, String> {
        let mut cases = BTreeMap::new();
        for case in &self.cases {
            let verdict = Verdict::ALL.into_iter().find(|verdict| verdict.to_string() == case.verdict);
            let verdict = verdict.ok_or_else(|| format!("{:?} is no verdict", case.verdict))?;
            let result = ReportedCase { verdict, reason: case.reason.clone(), seen_in: case.seen_in.clone() };
            if cases.insert(case.id.clone(), result).is_some() {
                return Err(format!("{} stands twice in the report", case.id));
            }
        }
        Ok(RunReport { served: self.served, leftovers: self.leftovers.clone(), cases, ..RunReport::default() })
    }
}

/// Why a report is inconsistent, if it is.
fn inconsistency(ran: &RunReport, spec: &RunSpec, code: i32, reported: i32) -> Option<String> {
    let all: Vec<String>;
    let wanted = if spec.cases.is_empty() {
        all = every_case().iter().map(|case| case.id.clone()).collect();
        &all
    } else {
        &spec.cases
    };
    let sanity = SANITY.to_owned();
    if let Some(lost) = wanted.iter().chain([&sanity]).find(|id| !ran.cases.contains_key(*id)) {
        return Some(format!("{lost} was to be run and is not in the report"));
    }
    if let Some((id, result)) = ran.cases.iter().find(|(_, result)| result.verdict == Verdict::HarnessError) {
        return Some(format!("{id} ended in a harness error: {}", result.reason));
    }
    let any = |wanted: &dyn Fn(Verdict) -> bool| ran.cases.values().any(|result| wanted(result.verdict));
    let right = if any(&Verdict::is_failure) {
        Exit::NotConformant
    } else if any(&|verdict| verdict == Verdict::Missed) || !any(&Verdict::has_run) {
        Exit::Incomplete
    } else {
        Exit::Conformant
    };
    let right = right as i32;
    (code != right || reported != right)
        .then(|| format!("exit code {code}, and {reported} in the report, where the verdicts make {right}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(verdicts: &[(&str, Verdict)]) -> RunReport {
        let result = |verdict| ReportedCase { verdict, reason: String::new(), seen_in: None };
        let cases = verdicts.iter().map(|(id, verdict)| ((*id).to_owned(), result(*verdict)));
        RunReport { served: true, cases: cases.collect(), ..RunReport::default() }
    }

    fn spec(cases: &[&str]) -> RunSpec {
        RunSpec { cases: cases.iter().map(|case| (*case).to_owned()).collect(), ..RunSpec::default() }
    }

    #[test]
    fn a_report_that_agrees_with_its_exit_code_is_believed() {
        let ran = ran(&[(SANITY, Verdict::Pass), ("x", Verdict::Fail)]);
        assert_eq!(inconsistency(&ran, &spec(&["x"]), 1, 1), None);
    }

    #[test]
    fn a_case_that_is_left_out_is_noticed() {
        let ran = ran(&[(SANITY, Verdict::Pass)]);
        assert!(inconsistency(&ran, &spec(&["x"]), 0, 0).is_some_and(|what| what.starts_with("x was")));
    }

    #[test]
    fn a_run_without_its_first_case_is_noticed() {
        assert!(inconsistency(&ran(&[("x", Verdict::Pass)]), &spec(&["x"]), 0, 0).is_some());
    }

    #[test]
    fn an_exit_code_that_the_verdicts_do_not_make_is_noticed() {
        let failed = ran(&[(SANITY, Verdict::Pass), ("x", Verdict::Fail)]);
        assert!(
            inconsistency(&failed, &spec(&["x"]), 0, 1).is_some()
                && inconsistency(&failed, &spec(&["x"]), 1, 0).is_some()
        );
    }

    #[test]
    fn a_harness_error_is_no_kill() {
        let ran = ran(&[(SANITY, Verdict::Pass), ("x", Verdict::HarnessError)]);
        assert!(inconsistency(&ran, &spec(&["x"]), 5, 5).is_some_and(|what| what.contains("harness error")));
    }
}
