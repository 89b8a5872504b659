//! The unit of systemd: it is one, it shuts the server in, and the server needs nothing that it forbids.

use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{DEADLINE, TOKEN, remofile};
use remofile_testkit::skip::skip;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Instant;

/// Tenths of systemd's measure of exposure, of 100: up to 20 it says "OK".
const EXPOSURE: &str = "--threshold=20";

fn unit() -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../dist/remofile@.service")).unwrap()
}

/// The unit for the program that was just built, as an instance.
fn installed(place: &Place) -> PathBuf {
    let program = remofile().get_program().to_str().unwrap().to_owned();
    let path = place.beside("remofile@photos.service");
    fs::write(&path, unit().replace("/usr/bin/remofile", &program)).unwrap();
    path
}

fn analyze(args: &[&str]) -> Option<Output> {
    match Command::new("systemd-analyze").args(args).output() {
        Ok(output) => Some(output),
        Err(error) => {
            skip(&format!("systemd-analyze cannot be run: {error}"));
            None
        }
    }
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

#[test]
fn systemd_finds_no_fault_with_the_unit() {
    let place = Place::new();
    let unit = text(&installed(&place));
    let Some(output) = analyze(&["verify", "--man=no", &unit]) else { return };
    assert!(output.status.success() && said(&output).is_empty(), "{}", said(&output));
}

#[test]
fn systemd_finds_the_unit_shut_in() {
    let place = Place::new();
    let unit = text(&installed(&place));
    let Some(output) = analyze(&["security", "--offline=true", EXPOSURE, "--no-pager", &unit]) else { return };
    assert!(output.status.success(), "{}", said(&output));
}

/// The sets of system calls that systemd knows by name.
fn sets() -> Option<BTreeMap<String, Vec<String>>> {
    let output = analyze(&["syscall-filter", "--no-pager"])?;
    let text = String::from_utf8(output.stdout).unwrap();
    let mut sets: BTreeMap<String, Vec<String>> = BTreeMap::new();
    let mut set = String::new();
    for line in text.lines().filter(|line| !line.trim_start().starts_with('#') && !line.is_empty()) {
        if line.starts_with('@') {
            line.trim().clone_into(&mut set);
        } else if line.starts_with(' ') {
            sets.entry(set.clone()).or_default().push(line.trim().to_owned());
        }
    }
    Some(sets)
}

fn members(sets: &BTreeMap<String, Vec<String>>, name: &str) -> BTreeSet<String> {
    match name.starts_with('@') {
        true => sets[name].iter().flat_map(|member| members(sets, member)).collect(),
        false => BTreeSet::from([name.to_owned()]),
    }
}

/// The calls that the unit allows, as systemd reads its lines: the first says what is allowed, later ones add and take.
fn allowed(sets: &BTreeMap<String, Vec<String>>) -> BTreeSet<String> {
    let mut allowed = BTreeSet::new();
    let unit = unit();
    for line in unit.lines().filter_map(|line| line.strip_prefix("SystemCallFilter=")) {
        let (takes, names) = line.strip_prefix('~').map_or((false, line), |names| (true, names));
        for call in names.split_whitespace().flat_map(|name| members(sets, name)) {
            if takes {
                allowed.remove(&call)
            } else {
                allowed.insert(call)
            };
        }
    }
    assert!(allowed.len() > 100, "{allowed:?}");
    allowed
}

#[test]
fn a_server_at_work_calls_nothing_that_the_unit_forbids() {
    let Some(sets) = sets() else { return };
    let allowed = allowed(&sets);
    let place = Place::new();
    let trace = place.beside("trace");
    let notify = place.beside("notify");
    let _manager = std::os::unix::net::UnixDatagram::bind(&notify).unwrap();
    let mut command = Command::new("strace");
    command.args(["-f", "-qq", "-o"]).arg(&trace).arg(remofile().get_program());
    command.arg("run").arg(place.served()).args(["0", "--pidfile", &place.text("pid")]);
    command.env("REMOFILE_TOKEN", TOKEN).env("NOTIFY_SOCKET", &notify).env("WATCHDOG_USEC", "200000");
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn();
    let mut child = match child {
        Ok(child) => child,
        Err(error) => return skip(&format!("strace cannot be run: {error}")),
    };
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let Some(endpoint) = lines.take(4).find_map(|line| Some(line.strip_prefix("export REMOFILE_SERVER=")?.to_owned()))
    else {
        child.wait().unwrap();
        return skip("strace cannot follow a process here");
    };
    let client = |args: &[&str]| {
        let mut command = remofile();
        command.args(args).env("REMOFILE_SERVER", &endpoint).env("REMOFILE_TOKEN", TOKEN);
        remofile_testkit::process::run(&mut command).success();
    };
    let source = place.file("source", 3_000_000);
    client(&["directory", "inside", "/"]);
    client(&["upload", &source, "/inside"]);
    client(&["copy", "/inside/source", "/copy"]);
    client(&["hash", "/copy"]);
    client(&["move", "/copy", "/moved"]);
    client(&["download", "/moved", &place.text("fetched")]);
    client(&["list", "-r", "/"]);
    client(&["file", "empty", "/"]);
    client(&["remove", "-r", "/inside"]);
    // The server, not strace.
    let pid: i32 = fs::read_to_string(place.beside("pid")).unwrap().trim().parse().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_raw(pid).unwrap(), rustix::process::Signal::TERM).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while child.try_wait().unwrap().is_none() {
        assert!(Instant::now() < deadline, "the server does not end");
        std::thread::park_timeout(std::time::Duration::from_millis(5));
    }
    let trace = fs::read_to_string(trace).unwrap();
    let called: BTreeSet<&str> = trace.lines().filter_map(call).collect();
    assert!(called.contains("openat2") && called.contains("renameat2") | called.contains("renameat"), "{called:?}");
    let forbidden: Vec<_> = called.iter().filter(|call| !allowed.contains(**call)).collect();
    assert!(forbidden.is_empty(), "{forbidden:?}");
}

/// The name of the call in a line of strace: `1234 openat2(5, …`.
fn call(line: &str) -> Option<&str> {
    let (_, rest) = line.split_once(' ')?;
    let (name, _) = rest.trim_start().split_once('(')?;
    let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    is_name.then_some(name)
}
