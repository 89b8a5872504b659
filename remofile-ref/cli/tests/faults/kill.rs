//! SIGKILL at every single call that changes a disk or sends: of a server, and of a client, in an upload and in a put.
//!
//! Each run is one process under strace, which kills it at the n-th call of one name; n grows until no process dies.

use remofile_testkit::place::Place;
use remofile_testkit::process::{DEADLINE, Running, Server, TOKEN, content, remofile, run, staged_uploads};
use remofile_testkit::skip::skip;
use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Mutex;
use std::thread;
use std::time::Instant;

/// What a server does to its disk; `openat` and `mkdirat` make names as well.
const OF_SERVER: &str = "pwrite64 fdatasync fsync syncfs renameat renameat2 linkat unlinkat mkdirat openat openat2 \
    fchmod ftruncate fallocate utimensat write sendto";
/// What a client does to the network and to its own disk.
const OF_CLIENT: &str = "sendto write pwrite64 fdatasync fsync renameat renameat2 rename linkat unlinkat unlink \
    mkdirat mkdir fchmod ftruncate fallocate utimensat openat open";

/// One chunk less one byte: a put; and an upload of three requests.
const SMALL: usize = 1_000;
const LARGE: usize = 600 << 10;

/// How many processes are tried at once.
const AT_ONCE: usize = 4;

const OLD: &[u8] = b"old content";

/// strace that is the child of its tracee, so that the tracee is ours to wait for.
fn strace(options: &[&str], traced: &Command) -> Command {
    let mut command = Command::new("strace");
    command.args(["-D", "-f", "-qqq"]).args(options).arg(traced.get_program()).args(traced.get_args());
    for (name, value) in traced.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
}

fn strace_is_there() -> bool {
    let tried = Command::new("strace").args(["-D", "-qqq", "-o", "/dev/null", "true"]).status();
    match tried {
        Ok(status) if status.success() => true,
        tried => {
            skip(&format!("strace: {tried:?}"));
            false
        }
    }
}

fn serving(directory: &Path) -> Command {
    let mut command = remofile();
    command.arg("run").arg(directory).arg("0").env("REMOFILE_TOKEN", TOKEN);
    command
}

/// A server that may die before it is ready, or later.
struct Mortal {
    child: Child,
    endpoint: Option<String>,
}

impl Mortal {
    fn start(mut command: Command) -> Self {
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut endpoint = None;
        for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
            if let Some(said) = line.strip_prefix("export REMOFILE_SERVER=") {
                endpoint = Some(said.trim_matches('\'').to_owned());
            }
            if line.starts_with("export REMOFILE_TOKEN=") {
                break;
            }
        }
        if endpoint.is_none() {
            // It is dying, and its death is not to be seen too late.
            child.wait().unwrap();
        }
        Self { child, endpoint }
    }

    fn is_dead(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }
}

impl Drop for Mortal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How often each call killed.
type Killed = BTreeMap<String, usize>;

/// A point at which a process is killed.
#[derive(Clone, Debug)]
struct Point {
    call: String,
    nth: usize,
}

impl Point {
    fn injection(&self) -> String {
        format!("inject={}:signal=KILL:when={}", self.call, self.nth)
    }
}

/// The points of all these calls, tried by several threads until none of them kills any more; gives how often each killed.
fn every_point(calls: &str, before: &HashMap<String, usize>, try_point: impl Fn(&Point) -> bool + Sync) -> Killed {
    let killed = Mutex::new(Killed::new());
    let mut open: Vec<Point> = calls
        .split_whitespace()
        .map(|call| Point { call: call.to_owned(), nth: 1 + before.get(call).unwrap_or(&0) })
        .collect();
    open.reverse();
    let open = Mutex::new(open);
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                // The thread that takes a call tries all its points: only then their number is known.
                while let Some(mut point) = { open.lock().unwrap().pop() } {
                    while try_point(&point) {
                        *killed.lock().unwrap().entry(point.call.clone()).or_insert(0) += 1;
                        point.nth += 1;
                    }
                }
            });
        }
    });
    killed.into_inner().unwrap()
}

/// How often the first thread makes each call before `mark`. These calls are not tried.
fn startup(calls: &str, mark: &str, command: &Command, wait: impl FnOnce(Command)) -> HashMap<String, usize> {
    let around = tempfile::tempdir().unwrap();
    let trace = around.path().join("trace");
    let traced = format!("trace=connect,{}", calls.split_whitespace().collect::<Vec<_>>().join(","));
    wait(strace(&["-o", trace.to_str().unwrap(), "-e", &traced], command));
    let trace = fs::read_to_string(trace).unwrap();
    let until = trace.lines().position(|line| line.contains(mark)).expect("the program reaches the mark");
    let thread = trace.split(' ').next().unwrap();
    let mut made = HashMap::new();
    for line in trace.lines().take(until).filter(|line| line.starts_with(thread)) {
        let call = line[thread.len()..].trim_start().split('(').next().unwrap();
        *made.entry(call.to_owned()).or_insert(0) += 1;
    }
    made
}

/// Says where it was killed; each of these calls has to be among them.
fn assert_killed(who: &str, killed: &Killed, calls: &str) {
    println!("{who} was killed at {} points: {killed:?}", killed.values().sum::<usize>());
    for call in calls.split_whitespace() {
        assert!(killed.contains_key(call), "{who} was never killed at {call}: {killed:?}");
    }
}

/// Nothing is there but the file, and in the staging directory nothing but what belongs there.
fn assert_nothing_is_left(place: &Place) {
    let names: Vec<_> = fs::read_dir(place.served()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(names.iter().all(|name| name == "file" || name == ".remofile"), "left behind: {names:?}");
    assert_eq!(staged_uploads(&place.served()), 0, "left behind in the staging directory");
}

fn assert_old_or_new(at: &Path, new: &[u8], when: &Point) {
    let now = fs::read(at).unwrap();
    assert!(now == OLD || now == new, "{when:?}: neither the old content nor the new, but {} bytes", now.len());
}

/// A place with an old file, and the new one beside it.
fn place(size: usize) -> (Place, Vec<u8>) {
    let place = Place::new();
    fs::write(place.served().join("file"), OLD).unwrap();
    place.file("file", size);
    (place, content(size, size as u64))
}

/// The command whose repetition completes what was interrupted.
fn upload(place: &Place, endpoint: &str) -> Command {
    let mut command = remofile();
    command.args(["upload", "--overwrite", &place.text("file"), "/"]);
    command.env("REMOFILE_SERVER", endpoint).env("REMOFILE_TOKEN", TOKEN);
    command
}

/// Kills the server at one point of the upload of so many bytes; says whether it died.
fn server_dies(size: usize, point: &Point) -> bool {
    let (place, new) = place(size);
    let killing = strace(&["-o", "/dev/null", "-e", &point.injection()], &serving(&place.served()));
    let mut server = Mortal::start(killing);
    if let Some(endpoint) = &server.endpoint {
        let mut client = upload(&place, endpoint).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let deadline = Instant::now() + DEADLINE;
        // Either the call is over, or the server is.
        while client.try_wait().unwrap().is_none() && !server.is_dead() {
            assert!(Instant::now() < deadline, "{point:?}: neither ends");
            thread::park_timeout(std::time::Duration::from_millis(5));
        }
        let _ = client.kill();
        client.wait().unwrap();
    }
    let died = server.is_dead();
    drop(server);
    assert_old_or_new(&place.served().join("file"), &new, point);
    let server = Server::start(&place.served());
    server.run(&["upload", "--overwrite", &place.text("file"), "/"]);
    assert!(fs::read(place.served().join("file")).unwrap() == new, "{point:?}: the content differs");
    assert_nothing_is_left(&place);
    died
}

fn kill_servers(size: usize) -> Killed {
    let (place, _) = place(size);
    let before = startup(OF_SERVER, ".remofile", &serving(&place.served()), |command| {
        drop(Mortal::start(command));
    });
    every_point(OF_SERVER, &before, |point| server_dies(size, point))
}

#[test]
fn a_server_that_is_killed_at_any_call_of_an_upload_leaves_the_old_file_or_the_new_one() {
    if strace_is_there() {
        let killed = kill_servers(LARGE);
        assert_killed("an upload: the server", &killed, "pwrite64 fdatasync syncfs renameat unlinkat openat sendto");
    }
}

#[test]
fn a_server_that_is_killed_at_any_call_of_a_put_leaves_the_old_file_or_the_new_one() {
    if strace_is_there() {
        let killed = kill_servers(SMALL);
        assert_killed("a put: the server", &killed, "pwrite64 fdatasync syncfs renameat openat sendto");
    }
}

/// Kills the client at one point; says whether it died.
fn client_dies(
    server: &Server,
    place: &Place,
    command: &Command,
    point: &Point,
    check: impl Fn(&Place, &Point),
) -> bool {
    let mut killing = strace(&["-o", "/dev/null", "-e", &point.injection()], command);
    let mut client = killing.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let status = client.wait().unwrap();
    let died = !status.success();
    assert!(!died || status.code().is_none(), "{point:?}: {status}");
    check(place, point);
    // The session of the dead is leased still.
    let mut again = remofile();
    again.arg("--take").args(command.get_args());
    again.env("REMOFILE_SERVER", &server.endpoint).env("REMOFILE_TOKEN", TOKEN);
    run(&mut again).success();
    died
}

fn kill_uploading_clients(size: usize) -> Killed {
    let (starting, _) = place(size);
    let server = Server::start(&starting.served());
    let before = startup(OF_CLIENT, "sin_port", &upload(&starting, &server.endpoint), |mut command| {
        drop(Running::start(&mut command).finish());
    });
    every_point(OF_CLIENT, &before, |point| {
        let (place, new) = place(size);
        let server = Server::start(&place.served());
        let died = client_dies(&server, &place, &upload(&place, &server.endpoint), point, |place, point| {
            assert_old_or_new(&place.served().join("file"), &new, point);
        });
        assert!(fs::read(place.served().join("file")).unwrap() == new, "{point:?}: the content differs");
        assert_nothing_is_left(&place);
        died
    })
}

#[test]
fn a_client_that_is_killed_at_any_call_of_an_upload_leaves_the_old_file_or_the_new_one() {
    if strace_is_there() {
        let killed = kill_uploading_clients(LARGE);
        assert_killed("an upload: the client", &killed, "sendto write");
    }
}

#[test]
fn a_client_that_is_killed_at_any_call_of_a_put_leaves_the_old_file_or_the_new_one() {
    if strace_is_there() {
        let killed = kill_uploading_clients(SMALL);
        assert_killed("a put: the client", &killed, "sendto write");
    }
}

#[test]
fn a_client_that_is_killed_at_any_call_of_a_download_leaves_the_old_file_or_the_new_one() {
    if !strace_is_there() {
        return;
    }
    let download = |place: &Place, endpoint: &str| {
        let mut command = remofile();
        command.args(["download", "--overwrite", "/file", &place.text("down")]);
        command.env("REMOFILE_SERVER", endpoint).env("REMOFILE_TOKEN", TOKEN);
        command
    };
    let prepared = || {
        let place = Place::new();
        let new = content(LARGE, 1);
        fs::write(place.served().join("file"), &new).unwrap();
        fs::create_dir(place.beside("down")).unwrap();
        fs::write(place.beside("down/file"), OLD).unwrap();
        (place, new)
    };
    let (starting, _) = prepared();
    let server = Server::start(&starting.served());
    let before = startup(OF_CLIENT, "sin_port", &download(&starting, &server.endpoint), |mut command| {
        drop(Running::start(&mut command).finish());
    });
    let killed = every_point(OF_CLIENT, &before, |point| {
        let (place, new) = prepared();
        let server = Server::start(&place.served());
        let died = client_dies(&server, &place, &download(&place, &server.endpoint), point, |place, point| {
            assert_old_or_new(&place.beside("down/file"), &new, point);
        });
        assert!(fs::read(place.beside("down/file")).unwrap() == new, "{point:?}: the content differs");
        let left: Vec<_> =
            fs::read_dir(place.beside("down")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(left, ["file"], "{point:?}: left behind");
        died
    });
    assert_killed("a download: the client", &killed, "sendto write fsync renameat unlinkat ftruncate");
}
