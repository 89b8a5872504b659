//! What goes where and how it looks: terminal, pipe, `--json`, `-q`, colours, readers that are gone.

use remofile_testkit::place::{Place, lines};
use remofile_testkit::process::{Server, TOKEN, remofile, run};
use remofile_testkit::terminal::on_a_terminal;
use std::fs::{self, File};
use std::os::unix::fs::PermissionsExt as _;
use std::process::{Command, Stdio};

/// A colour: what begins an escape sequence.
const COLOUR: &str = "\u{1b}[";

fn object(line: &str) -> serde_json::Value {
    let object: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(object["schema"], 1, "{line}");
    object
}

/// A command that fails with an error and a hint.
fn failing() -> Command {
    let mut command = remofile();
    command.args(["list", "--server", "a b"]).env("REMOFILE_TOKEN", TOKEN);
    command
}

// Pipe and JSON.

#[test]
fn ping_gives_a_line_for_each_answer_and_a_summary() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let done = server.run(&["ping", "-c", "3"]);
    let said = lines(&done);
    assert_eq!(said.len(), 4);
    assert!(said[..3].iter().all(|line| line.starts_with("answer from tcp://localhost:") && line.ends_with(" ms")));
    assert!(said[3].starts_with("count 3, min ") && said[3].contains(", avg ") && said[3].contains(", max "));
    assert_eq!(lines(&server.run(&["-q", "ping", "-c", "2"])).len(), 1);
    assert_eq!(done.stderr, "");
    run(&mut server.client(&["ping", "-c", "0"])).fails(2).says("not a number from 1 to");
}

#[test]
fn ping_as_json_is_one_object() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let done = server.run(&["ping", "--json", "-c", "3"]);
    let [line] = lines(&done)[..] else { panic!("{}", done.stdout) };
    let object = object(line);
    assert_eq!((&object["op"], &object["count"]), (&"ping".into(), &3.into()));
    let [min, avg, max] = ["min_ms", "avg_ms", "max_ms"].map(|name| object[name].as_f64().unwrap());
    assert!(0.0 < min && min <= avg && avg <= max, "{line}");
}

#[test]
fn info_is_exact_in_a_pipe_and_for_people_on_a_terminal() {
    let place = Place::new();
    let server = Server::start_with(&place.served(), &["--read-only"]);
    let piped = server.run(&["info"]);
    let value = |name: &str| {
        let line = lines(&piped).into_iter().find(|line| line.starts_with(name)).unwrap();
        line[name.len()..].trim().to_owned()
    };
    assert_eq!(value("protocol"), "1");
    assert_eq!(value("program"), env!("CARGO_PKG_VERSION"));
    assert_eq!(value("access"), "read-only");
    assert_eq!(value("session"), "free");
    assert_eq!(value("chunk"), "262144");
    assert!(on_a_terminal(&mut server.client(&["info"])).contains("chunk        256.0 KiB"));
}

#[test]
fn info_as_json_has_the_names_of_the_specification() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let done = server.run(&["--json", "info"]);
    let object = object(done.stdout.trim_end());
    for name in ["window", "chunk", "header", "lease_ms", "boot", "root", "names", "folds", "ro", "caps"] {
        assert!(object.get(name).is_some_and(|value| !value.is_null()), "{name}: {object}");
    }
    assert_eq!((&object["protocol"], &object["session"]["state"]), (&1.into(), &"free".into()));
    assert!(!done.stdout.contains(place.served().to_str().unwrap()), "a path of the server's machine is shown");
}

#[test]
fn a_secret_goes_into_a_file_of_its_owner_and_never_over_one() {
    let place = Place::new();
    let (token, keys) = (place.beside("token"), place.beside("keys"));
    let done = run(remofile().args(["generate-token", "--output"]).arg(&token)).success().says("wrote '");
    assert_eq!(done.stdout, "");
    let done = run(remofile().args(["generate-keys", "--output"]).arg(&keys)).success();
    assert!(done.stdout.starts_with("public ") && !done.stdout.contains("secret"), "{}", done.stdout);
    let kept = fs::read_to_string(&keys).unwrap();
    assert!(kept.starts_with(&done.stdout) && kept.contains("\nsecret "), "{kept}");
    for file in [&token, &keys] {
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    run(remofile().args(["generate-keys", "--output"]).arg(&keys)).fails(4).says("cannot create '").says("file exists");
    assert_eq!(fs::read_to_string(&keys).unwrap(), kept);
    let quiet = run(remofile().args(["-q", "generate-token", "--output"]).arg(place.beside("other"))).success();
    assert_eq!(quiet.stderr, "");
}

#[test]
fn a_generated_token_as_json_is_one_object() {
    let done = run(remofile().args(["--json", "generate-token"])).success();
    assert_eq!(object(&done.stdout)["token"].as_str().unwrap().len(), 22);
    let done = run(remofile().args(["--json", "generate-keys"])).success();
    assert_eq!(object(&done.stdout)["secret_key"].as_str().unwrap().len(), 40);
}

#[test]
fn with_json_an_error_stays_text_on_standard_error() {
    let done = run(failing().arg("--json")).fails(2).says("remofile: error: invalid server 'a b'");
    assert_eq!(done.stdout, "");
}

// Colours.

#[test]
fn errors_have_colours_on_a_terminal_alone() {
    assert!(on_a_terminal(failing().env("TERM", "xterm").env_remove("NO_COLOR")).contains(COLOUR));
    let piped = run(failing().env("TERM", "xterm"));
    assert!(!piped.stderr.contains(COLOUR), "{}", piped.stderr);
}

#[test]
fn who_wants_no_colours_gets_none() {
    let seen = on_a_terminal(failing().env("TERM", "xterm").env("NO_COLOR", "1"));
    assert!(seen.contains("remofile: error: invalid server 'a b'") && !seen.contains(COLOUR), "{seen:?}");
    let seen = on_a_terminal(failing().env("TERM", "dumb").env_remove("NO_COLOR"));
    assert!(seen.contains("remofile: error: invalid server 'a b'") && !seen.contains(COLOUR), "{seen:?}");
    let seen = on_a_terminal(failing().args(["--color", "never"]).env("TERM", "xterm").env_remove("NO_COLOR"));
    assert!(seen.contains("remofile: error: invalid server 'a b'") && !seen.contains(COLOUR), "{seen:?}");
}

#[test]
fn who_wants_colours_gets_them_in_a_pipe_too() {
    assert!(run(failing().env("CLICOLOR_FORCE", "1").env_remove("NO_COLOR")).stderr.contains(COLOUR));
    assert!(run(failing().args(["--color", "always"]).env("NO_COLOR", "1")).stderr.contains(COLOUR));
}

// Readers that are gone, and disks that are full.

#[test]
fn a_reader_that_has_seen_enough_is_no_error() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = server.client(&["ping"]).stdout(writer).stderr(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{}", output.status);
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
}

#[test]
fn reading_errors_changes_nothing() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let status = failing().stdout(Stdio::null()).stderr(writer).status().unwrap();
    assert_eq!(status.code(), Some(2));
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = remofile().arg("generate-token").stdout(full).stderr(Stdio::piped()).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert_eq!(said, "remofile: error: cannot write to standard output: no space left on device\n");
}

#[test]
fn quiet_leaves_errors_alone() {
    let done = run(failing().arg("-q")).fails(2);
    assert!(done.stderr.starts_with("remofile: error: invalid server 'a b'"), "{}", done.stderr);
}
