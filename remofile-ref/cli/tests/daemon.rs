//! `start` and `stop`: once, twice, after a kill, and two servers.

use remofile_testkit::place::{Place, text};
use remofile_testkit::process::{DEADLINE, Done, TOKEN, remofile, run};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

/// A place with directories of its own for pid files and logs; servers that still run are ended with it.
struct Home {
    place: Place,
}

impl Home {
    fn new() -> Self {
        let place = Place::new();
        for name in ["run", "state", "other"] {
            fs::create_dir(place.beside(name)).unwrap();
        }
        Self { place }
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = remofile();
        command.args(args).current_dir(self.place.beside(""));
        command.env("XDG_RUNTIME_DIR", self.place.beside("run")).env("XDG_STATE_HOME", self.place.beside("state"));
        command.env("REMOFILE_TOKEN", TOKEN);
        command
    }

    fn run(&self, args: &[&str]) -> Done {
        run(&mut self.command(args))
    }

    fn client(&self, block: &Done, args: &[&str]) -> Command {
        let mut command = self.command(args);
        command.env("REMOFILE_SERVER", exported(block, "REMOFILE_SERVER"));
        command
    }

    fn pid_files(&self) -> Vec<PathBuf> {
        let Ok(entries) = fs::read_dir(self.place.beside("run/remofile")) else { return Vec::new() };
        entries.map(|entry| entry.unwrap().path()).collect()
    }

    fn only_pid(&self) -> u32 {
        let files = self.pid_files();
        assert_eq!(files.len(), 1, "{files:?}");
        fs::read_to_string(&files[0]).unwrap().trim().parse().unwrap()
    }
}

impl Drop for Home {
    fn drop(&mut self) {
        for file in self.pid_files() {
            let _ = run(&mut self.command(&["stop", "--pidfile", &text(&file)]));
        }
    }
}

fn exported(block: &Done, name: &str) -> String {
    let start = format!("export {name}=");
    block.stdout.lines().find_map(|line| line.strip_prefix(&start)).unwrap_or_default().to_owned()
}

fn port(block: &Done) -> String {
    exported(block, "REMOFILE_SERVER").rsplit_once(':').unwrap().1.to_owned()
}

/// A port that is free, or was a moment ago.
fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn is_alive(pid: u32) -> bool {
    let state = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // A zombie has ended; its parent may not reap it.
    state.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with('Z'))
}

#[test]
fn a_started_server_serves_until_it_is_stopped() {
    let home = Home::new();
    let block = home.run(&["start", "served", "0"]).success();
    assert_eq!(exported(&block, "REMOFILE_TOKEN"), TOKEN);
    assert_eq!(block.stderr, "");
    run(&mut home.client(&block, &["directory", "made", "/"])).success();
    assert!(home.place.served().join("made").is_dir());
    let pid = home.only_pid();
    assert!(is_alive(pid));
    home.run(&["stop", &port(&block)]).success().says("stopped");
    assert!(!is_alive(pid) && home.pid_files().is_empty());
    run(&mut home.client(&block, &["list"])).fails(5);
}

#[test]
fn its_log_is_in_a_file_of_its_own() {
    let home = Home::new();
    let block = home.run(&["start", "served", "0"]).success();
    run(&mut home.client(&block, &["directory", "made", "/"])).success();
    home.run(&["stop"]).success();
    let log = fs::read_to_string(home.place.beside(&format!("state/remofile/{}.log", port(&block)))).unwrap();
    assert!(log.contains("listening") && log.contains("mkdir") && log.contains("stopped"), "{log}");
    assert!(!log.contains(TOKEN));
}

#[test]
fn the_token_is_not_visible() {
    let home = Home::new();
    run(home.command(&["start", "served", "0", TOKEN]).env_remove("REMOFILE_TOKEN")).success();
    let shown = fs::read(format!("/proc/{}/cmdline", home.only_pid())).unwrap();
    assert!(!String::from_utf8_lossy(&shown).contains(TOKEN));
}

#[test]
fn starting_twice_is_fine_and_starts_one() {
    for port_given in [free_port(), "0".to_owned()] {
        let home = Home::new();
        let first = home.run(&["start", "served", &port_given]).success();
        let pid = home.only_pid();
        let again = home.run(&["start", "served", &port_given]).success().says("already serves");
        assert_eq!(exported(&again, "REMOFILE_SERVER"), exported(&first, "REMOFILE_SERVER"));
        assert_eq!(home.only_pid(), pid);
        run(&mut home.client(&first, &["list"])).success();
    }
}

#[test]
fn a_port_that_serves_something_else_is_not_taken_for_it() {
    let home = Home::new();
    let block = home.run(&["start", "served", "0"]).success();
    home.run(&["start", "other", &port(&block)]).fails(7).says("serves another directory or port");
    home.run(&["start", "served", &free_port()]).fails(7).says("another server is serving it");
}

#[test]
fn stopping_what_does_not_run_is_fine() {
    let home = Home::new();
    home.run(&["stop"]).success().says("no server is running");
    home.run(&["stop", "6768"]).success().says("no server '6768' is running");
    home.run(&["stop", "--pidfile", &home.place.text("missing.pid")]).success().says("no server '");
    let stopped = home.run(&["--json", "stop"]).success();
    let object: serde_json::Value = serde_json::from_str(&stopped.stdout).unwrap();
    assert_eq!((&object["schema"], &object["stopped"]), (&1.into(), &false.into()));
}

#[test]
fn a_killed_server_is_found_to_be_gone() {
    let home = Home::new();
    let block = home.run(&["start", "served", "0", "--name", "photos"]).success();
    let pid = home.only_pid();
    kill_process(Pid::from_raw(i32::try_from(pid).unwrap()).unwrap(), Signal::KILL).unwrap();
    let deadline = Instant::now() + DEADLINE;
    while is_alive(pid) {
        assert!(Instant::now() < deadline);
        std::thread::park_timeout(Duration::from_millis(2));
    }
    assert_eq!(home.pid_files().len(), 1);
    home.run(&["stop", "photos"]).success().says("removed its stale pid file");
    assert!(home.pid_files().is_empty());
    home.run(&["start", "served", &port(&block), "--name", "photos"]).success();
}

#[test]
fn a_process_that_has_the_number_of_a_dead_server_is_left_alone() {
    let home = Home::new();
    let mut bystander = Command::new("sleep").arg("600").spawn().unwrap();
    let pid_file = home.place.beside("stale.pid");
    fs::write(&pid_file, format!("{}\n", bystander.id())).unwrap();
    home.run(&["stop", "--pidfile", &text(&pid_file)]).success().says("removed its stale pid file");
    assert!(is_alive(bystander.id()));
    assert!(!pid_file.exists());
    bystander.kill().unwrap();
    bystander.wait().unwrap();
}

#[test]
fn two_servers_are_distinguished() {
    let home = Home::new();
    let first = home.run(&["start", "served", "0"]).success();
    let second = home.run(&["start", "other", "0", "--name", "second"]).success();
    home.run(&["stop"]).fails(2).says("several servers are running").says("second").says("hint: specify one");
    home.run(&["stop", "second"]).success();
    run(&mut home.client(&second, &["list"])).fails(5);
    run(&mut home.client(&first, &["list"])).success();
    home.run(&["stop"]).success();
}

#[test]
fn a_server_that_does_not_start_says_why_and_leaves_nothing() {
    let home = Home::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = listener.local_addr().unwrap().port().to_string();
    let refused = home.run(&["start", "served", &taken]).fails(5).says("port in use");
    assert_eq!(refused.stdout, "");
    assert!(home.pid_files().is_empty());
    home.run(&["start", "missing"]).fails(3).says("no such file or directory");
    home.run(&["start", "served", "--name", "../evil"]).fails(2).says("--name");
    run(home.command(&["start", "served", "0"]).env("REMOFILE_TOKEN", "short")).fails(2).says("token");
    assert!(home.pid_files().is_empty());
}

#[test]
fn what_was_uploaded_is_there_after_a_stop() {
    let home = Home::new();
    let block = home.run(&["start", "served", "0"]).success();
    let source = home.place.file("source", 3_000_000);
    run(&mut home.client(&block, &["upload", &source, "/"])).success();
    home.run(&["stop"]).success();
    assert!(fs::read(home.place.served().join("source")).unwrap() == fs::read(source).unwrap());
}

#[test]
fn a_pid_file_in_a_directory_that_others_write_to_is_not_trusted() {
    let home = Home::new();
    let directory = home.place.beside("run/remofile");
    fs::create_dir(&directory).unwrap();
    fs::set_permissions(&directory, std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    home.run(&["start", "served", "0"]).fails(1).says("cannot be trusted");
    home.run(&["stop"]).fails(1).says("cannot be trusted");
}
