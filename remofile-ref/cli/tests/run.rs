//! `run`: the block, what is refused and with which words, signals, the pid file.

use remofile_testkit::place::{Place, lines, text};
use remofile_testkit::process::{DEADLINE, Done, Running, Server, TOKEN, remofile, run};
use remofile_testkit::relay::{Cuts, Relay};
use remofile_testkit::skip::skip;
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::TcpListener;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// How long a server may take to end.
const END: Duration = Duration::from_secs(5);

fn serve(place: &Place, args: &[&str]) -> Command {
    let mut command = remofile();
    command.arg("run").arg(place.served()).args(args).env("REMOFILE_TOKEN", TOKEN);
    command
}

/// A server that does not start: nothing stands on its standard output.
fn refuses(command: &mut Command, code: i32) -> Done {
    let done = run(command).fails(code);
    assert_eq!(done.stdout, "");
    done
}

/// What comes of a command as a user with no rights; nothing, and skipped, where that cannot be tried.
fn as_another_user(mut command: Command) -> Option<Done> {
    if rustix::process::geteuid().is_root() {
        command.uid(65_534).gid(65_534);
    }
    match command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn() {
        Err(error) => {
            skip(&format!("another user cannot run this program: {error}"));
            return None;
        }
        Ok(mut child) => {
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
    Some(run(&mut command))
}

fn signal(server: &Server, signal: Signal) {
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap();
    kill_process(pid, signal).unwrap();
}

// The block.

#[test]
fn the_block_is_shell_code_that_connects() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let script = format!("{}\nexec \"$0\" list /", server.announced.join("\n"));
    fs::write(place.served().join("there"), "").unwrap();
    let mut shell = Command::new("sh");
    shell.arg("-c").arg(script).arg(remofile().get_program()).env_clear();
    assert_eq!(lines(&run(&mut shell).success()), ["there"]);
}

#[test]
fn a_server_says_that_only_this_machine_reaches_it() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let served = place.served().canonicalize().unwrap();
    assert_eq!(server.announced[0], format!("# serving {}", text(&served)));
    assert!(server.announced[1].contains("this machine only"), "{:?}", server.announced);
    assert!(server.exported("REMOFILE_SERVER").starts_with("localhost:"));
}

#[test]
fn a_server_for_others_shows_an_address_that_they_can_use() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--bind", "0.0.0.0"]);
    let host = server.exported("REMOFILE_SERVER");
    assert!(!host.contains("HOST") && !host.starts_with("0.0.0.0") && !host.starts_with("localhost"), "{host}");
    assert!(server.announced[1].contains("other machines"), "{:?}", server.announced);
    match host.rsplit_once(':').unwrap().0.parse::<std::net::IpAddr>() {
        Ok(address) => {
            assert!(!address.is_loopback() && !address.is_unspecified());
            server.run(&["list"]);
        }
        Err(_) => skip("this machine has no address but loopback"),
    }
}

#[test]
fn the_block_of_json_is_one_object() {
    let place = Place::new();
    let mut child = serve(&place, &["0", "--json", "--read-only"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = child.id();
    child.kill().unwrap();
    child.wait().unwrap();
    let block: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert_eq!(block["schema"], 1);
    assert_eq!(block["op"], "run");
    assert_eq!(block["token"], TOKEN);
    assert_eq!(block["server"], format!("localhost:{}", block["port"]));
    assert_eq!(block["directory"], text(&place.served().canonicalize().unwrap()));
    assert_eq!((&block["read_only"], &block["encrypted"], &block["pid"]), (&true.into(), &true.into(), &pid.into()));
}

#[test]
fn quiet_keeps_the_block_and_drops_the_log() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["-q"]);
    server.run(&["list"]);
    let (status, log, _) = server.terminate();
    assert!(status.success());
    assert_eq!(log, "");
}

#[test]
fn a_name_of_a_directory_cannot_become_a_command() {
    let place = Place::new();
    let served = place.beside("x\nexport REMOFILE_TOKEN=evil\n# y");
    fs::create_dir(&served).unwrap();
    let server = Server::start(&served);
    assert_eq!(server.announced.len(), 4, "{:?}", server.announced);
    assert_eq!(server.exported("REMOFILE_TOKEN"), TOKEN);
}

#[test]
fn a_token_goes_by_argument_then_environment_then_file_then_chance() {
    let place = Place::new();
    let other = "9mZ7sWq4HnXe6RbKcV3tYp";
    let file = place.beside("token");
    fs::write(&file, format!("{other}\n")).unwrap();
    let exported = |args: &[&str], environment: &[(&str, &str)]| {
        let mut command = remofile();
        command.arg("run").arg(place.served()).args(args).envs(environment.iter().copied());
        Server::start_command(command).exported("REMOFILE_TOKEN")
    };
    assert_eq!(exported(&["0", TOKEN], &[("REMOFILE_TOKEN", other)]), TOKEN);
    assert_eq!(exported(&["0"], &[("REMOFILE_TOKEN", TOKEN)]), TOKEN);
    assert_eq!(exported(&["0", "--token-file", &text(&file)], &[]), other);
    let drawn = exported(&["0"], &[]);
    assert!(drawn.len() == 22 && drawn != exported(&["0"], &[]));
}

// What is refused.

#[test]
fn a_port_that_is_taken_says_by_whom() {
    let place = Place::new();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port().to_string();
    let me = format!("process {}", std::process::id());
    refuses(&mut serve(&place, &[&port]), 5).says("port in use by").says(&me).says("hint: use another port");
}

#[test]
fn a_port_below_1024_is_for_root() {
    let place = Place::new();
    let unprivileged = fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap_or_default();
    if unprivileged.trim() != "1024" {
        return skip("any user may listen on any port here");
    }
    fs::set_permissions(place.served(), std::os::unix::fs::PermissionsExt::from_mode(0o777)).unwrap();
    fs::set_permissions(place.beside(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let Some(done) = as_another_user(serve(&place, &["1023"])) else { return };
    done.fails(5).says("only root can use ports below 1024").says("hint: use a port from 1024");
}

#[test]
fn an_address_of_another_machine_is_distinguished_from_a_bad_one() {
    let place = Place::new();
    refuses(&mut serve(&place, &["0", "--bind", "192.0.2.77"]), 5)
        .says("not an address of this machine")
        .says("hint: its addresses: ");
    refuses(&mut serve(&place, &["0", "--bind", "files.example"]), 2).says("invalid address");
}

#[test]
fn a_directory_that_cannot_be_served_says_why() {
    let place = Place::new();
    let file = place.file("file", 1);
    let run_on = |directory: &str| {
        let mut command = remofile();
        command.args(["run", directory, "0"]).env("REMOFILE_TOKEN", TOKEN);
        command
    };
    refuses(&mut run_on(&place.text("missing")), 3).says("no such file or directory").says("hint: `mkdir");
    refuses(&mut run_on(&file), 4).says("not a directory");
}

#[test]
fn a_directory_that_is_closed_to_the_server_says_so() {
    if !rustix::process::geteuid().is_root() {
        return skip("only root can become another user");
    }
    let place = Place::new();
    fs::set_permissions(place.beside(""), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    fs::set_permissions(place.served(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
    let Some(done) = as_another_user(serve(&place, &["0"])) else { return };
    done.fails(1).says("permission denied").says("hint: run the server as a user who can");
    // One that may be read, but not written to.
    fs::set_permissions(place.served(), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let Some(done) = as_another_user(serve(&place, &["0"])) else { return };
    done.fails(1).says(".remofile").says("--read-only");
}

#[test]
fn the_top_of_all_directories_is_not_served_unasked() {
    for name in ["/", "//", "/.", "/proc/self/root", "/tmp/.."] {
        let done = run(remofile().args(["run", name, "0", "--read-only"]).env("REMOFILE_TOKEN", TOKEN)).fails(2);
        assert_eq!(done.stdout, "");
        done.says("refusing to serve").says("--allow-root");
    }
    let mut command = remofile();
    command.args(["run", "/", "0", "--read-only", "--allow-root"]).env("REMOFILE_TOKEN", TOKEN);
    Server::start_command(command).run(&["list", "/"]);
}

#[test]
fn a_home_directory_is_worth_a_warning() {
    let place = Place::new();
    let mut command = serve(&place, &["0"]);
    command.env("HOME", place.served());
    let (_, log, _) = Server::start_command(command).terminate();
    assert!(log.contains("warning") && log.contains("your home directory"), "{log}");
    assert!(Server::start(&place.served()).terminate().1.lines().all(|line| !line.contains("warning")));
}

#[test]
fn secrets_and_logs_do_not_lie_in_what_is_served() {
    let place = Place::new();
    let inside = text(&place.served().join("inside"));
    for flag in ["--pidfile", "--log-file"] {
        refuses(&mut serve(&place, &["0", flag, &inside]), 2).says("is in the served directory");
        assert!(!place.served().join("inside").exists());
    }
    fs::write(&inside, run(remofile().arg("generate-keys")).success().stdout).unwrap();
    refuses(&mut serve(&place, &["0", "--secret-key-file", &inside]), 2).says("is in the served directory");
}

#[test]
fn sizes_and_leases_that_make_no_sense_are_wrong_usage() {
    let place = Place::new();
    for flags in [&["--max-size", "big"][..], &["--max-size", "1x"], &["--lease", "0"], &["--lease", "x"]] {
        refuses(&mut serve(&place, &[&["0"], flags].concat()), 2).says(flags[0]);
    }
    refuses(serve(&place, &["0"]).env("REMOFILE_TOKEN", "short"), 2).says("token").says("generate-token");
}

#[test]
fn a_file_larger_than_the_limit_is_refused() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--max-size", "1.5M"]);
    server.run(&["upload", &place.file("fits", 1_572_864), "/"]);
    run(&mut server.client(&["upload", &place.file("large", 1_572_865), "/"]))
        .fails(10)
        .says("/large")
        .says("above the limit");
}

// How it ends.

#[test]
fn every_signal_that_asks_for_the_end_gets_it() {
    for asked in [Signal::TERM, Signal::INT, Signal::HUP] {
        let place = Place::new();
        let pid_file = place.beside("pid");
        let server = Server::start_with(&place.served(), &["--pidfile", &text(&pid_file)]);
        assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", server.pid()));
        // The server leaves SIGHUP ignored where its parent ignores it, as nohup does; SIGINT and SIGTERM always end it.
        let asked = if asked == Signal::HUP && is_ignored(asked) {
            kill_process(Pid::from_raw(i32::try_from(server.pid()).unwrap()).unwrap(), asked).unwrap();
            server.run(&["list", "/"]);
            Signal::TERM
        } else {
            asked
        };
        let (status, log, took) = server.end_by(asked);
        assert!(status.success() && took < END, "{asked:?}: {status} after {took:?}: {log}");
        assert!(!pid_file.exists());
    }
}

/// Whether a signal is ignored here, and so by whatever is started from here.
fn is_ignored(signal: Signal) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap();
    u64::from_str_radix(mask.trim(), 16).unwrap() >> (signal.as_raw() - 1) & 1 == 1
}

#[test]
fn a_server_ends_while_it_hashes() {
    let place = Place::new();
    // Sparse: 64 GiB of zeros, which take longer to hash than the test lasts.
    fs::File::create(place.served().join("huge")).unwrap().set_len(64 << 30).unwrap();
    let server = Server::start(&place.served());
    let relay = Relay::start(server.address(), Cuts::NONE);
    let mut client = remofile_testkit::place::through(&relay, &["--timeout", "2", "hash", "/huge"]);
    let hashing = Running::start(&mut client);
    let deadline = Instant::now() + DEADLINE;
    let busy = || run(&mut server.client(&["--wait", "0", "list"])).status.code() == Some(7);
    while !busy() {
        assert!(Instant::now() < deadline, "no hash is running");
    }
    let (status, log, took) = server.terminate();
    assert!(status.success() && took < END, "{status} after {took:?}: {log}");
    hashing.finish().fails(5);
}

#[test]
fn a_hangup_that_is_ignored_stays_ignored() {
    let place = Place::new();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(remofile().get_program());
    command.arg("run").arg(place.served()).arg("0").env("REMOFILE_TOKEN", TOKEN);
    let server = Server::start_command(command);
    signal(&server, Signal::HUP);
    server.run(&["list"]);
}

// The pid file.

#[test]
fn a_pid_file_of_a_live_server_is_not_taken() {
    let (place, other) = (Place::new(), Place::new());
    let pid_file = text(&place.beside("pid"));
    let server = Server::start_with(&place.served(), &["--pidfile", &pid_file]);
    refuses(&mut serve(&other, &["0", "--pidfile", &pid_file]), 7)
        .says(&format!("process {}", server.pid()))
        .says("hint: `remofile stop");
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", server.pid()));
}

#[test]
fn a_pid_file_that_a_dead_server_left_is_replaced() {
    let place = Place::new();
    let pid_file = place.beside("pid");
    let mut server = Server::start_with(&place.served(), &["--pidfile", &text(&pid_file)]);
    server.kill();
    assert!(pid_file.exists());
    let server = Server::start_with(&place.served(), &["--pidfile", &text(&pid_file)]);
    assert_eq!(fs::read_to_string(&pid_file).unwrap(), format!("{}\n", server.pid()));
}

#[test]
fn a_file_that_is_no_pid_file_stays_unchanged() {
    let place = Place::new();
    let letter = place.beside("letter");
    fs::write(&letter, "Dear Anna,\n").unwrap();
    refuses(&mut serve(&place, &["0", "--pidfile", &text(&letter)]), 4).says("is not a pid file");
    assert_eq!(fs::read_to_string(letter).unwrap(), "Dear Anna,\n");
}

#[test]
fn the_port_stands_in_the_names_of_files() {
    let place = Place::new();
    let names = [place.text("{port}.pid"), place.text("{port}.log")];
    let server = Server::start_with(&place.served(), &["--pidfile", &names[0], "--log-file", &names[1]]);
    let port = server.address().port();
    assert!(place.beside(&format!("{port}.pid")).exists());
    let mut log = String::new();
    fs::File::open(place.beside(&format!("{port}.log"))).unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("listening"), "{log}");
}

#[test]
fn a_demo_that_has_no_place_says_so() {
    run(remofile().arg("demo").env("TMPDIR", "/nonexistent")).fails(1).says("cannot create a temporary directory");
}
