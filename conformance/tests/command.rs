//! The command against broken servers and a correct one: exit codes and messages.
#![allow(clippy::unwrap_used)]

mod planted;

use planted::{
    OTHER_TOKEN, TOKEN, Tcp, closed_port, command, conformance, ran,
    remofile::{DEADLINE, Lock, Planted, Sent, busy},
    repository,
};
use remofile_proto::{Answer, Code, Keys, Operation, Refusal, Token, z85};
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs,
    io::{Read, Write},
    process::Stdio,
    sync::atomic::Ordering,
    thread,
    time::{Duration, Instant},
};

/// A case that the planted server can answer.
const CASE: &str = "a-directory-has-neither-size-nor-etag";

fn run(address: &str) -> planted::Ran {
    conformance(&["run", address, CASE, "--timeout", "1"])
}

#[test]
fn a_closed_port_is_unreachable() {
    run(&closed_port()).ends(3, &["nothing listens at 127.0.0.1:", "hint: start the server"]);
}

#[test]
fn a_name_that_does_not_exist_is_reported() {
    run("no-such-host.invalid:1").ends(3, &["cannot be resolved"]);
}

#[test]
fn a_server_that_accepts_and_hangs_is_reported() {
    run(&Tcp::saying(b"").address).ends(3, &["sends no ZeroMQ greeting", "what worked: name, TCP"]);
}

#[test]
fn a_server_that_hangs_up_is_reported() {
    run(&Tcp::serve(drop).address).ends(3, &["closed the connection before a ZeroMQ greeting"]);
}

#[test]
fn garbage_is_shown_without_its_control_characters() {
    let server = Tcp::saying(b"\x1b[31mwhat do you want?\x07\r\n");
    let ran = run(&server.address);
    ran.ends(3, &["this is not ZeroMQ", "what do you"]);
    assert!(!ran.stderr.contains(['\x1b', '\x07']), "{:?}", ran.stderr);
}

#[test]
fn a_web_server_is_named_as_one() {
    let server = Tcp::serve(|mut stream| {
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") && stream.read(&mut byte).is_ok_and(|read| read == 1) {
            request.push(byte[0]);
        }
        let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n");
    });
    run(&server.address).ends(3, &["it answers in HTTP", "is this its port?"]);
}

#[test]
fn a_server_with_another_key_is_refused_and_the_token_doubted() {
    let server = Planted::start(Lock::Open(OTHER_TOKEN), |_, _, _| Sent::Reply);
    conformance(&["run", &server.address, CASE, "--timeout", "3"])
        .ends(6, &["key is not the one that this token gives"]);
}

#[test]
fn a_client_that_is_not_admitted_gets_a_hint_about_the_token() {
    let server = Planted::start(Lock::Refusing, |_, _, _| Sent::Reply);
    conformance(&["run", &server.address, CASE]).ends(6, &["refused with status 400", "REMOFILE_TOKEN"]);
}

#[test]
fn a_pinned_key_that_is_another_is_refused() {
    let server = Planted::right();
    let key = z85::encode(&[7; 32]);
    let ran = conformance(&["run", &server.address, CASE, "--timeout", "3", "--server-key", &key]);
    ran.ends(6, &["another key than --server-key"]);
    assert!(!ran.stderr.contains(&key));
}

#[test]
fn the_pinned_key_of_the_server_is_enough() {
    let server = Planted::right();
    let key = z85::encode(Keys::derive(&TOKEN.parse::<Token>().unwrap()).server.public());
    conformance(&["run", &server.address, CASE, "--server-key", &key]).ends(0, &["2 passed, 0 failed"]);
}

#[test]
fn a_server_without_curve_needs_to_be_asked_for_by_name() {
    let server = Planted::start(Lock::None, |_, _, _| Sent::Reply);
    conformance(&["run", &server.address, CASE]).ends(3, &["ZMTP mechanism NULL, not CURVE", "--insecure"]);
    conformance(&["run", &server.address, CASE, "--insecure"]).ends(0, &["2 passed, 0 failed"]);
}

#[cfg(not(feature = "harness-mutations"))]
#[test]
fn without_the_feature_no_option_mutates_the_suite() {
    let ran = conformance(&["run", "--harness-mutation", "everything-passes", &closed_port()]);
    ran.ends(2, &["unexpected argument '--harness-mutation'"]);
    conformance(&["selftest", "--harness"]).ends(2, &["harness mutations", "--features harness-mutations"]);
}

#[cfg(feature = "harness-mutations")]
#[test]
fn a_run_with_a_harness_mutation_says_so() {
    let server = Planted::changing(wrong_entry);
    conformance(&["run", &server.address, CASE]).ends(1, &[]);
    conformance(&["run", &server.address, CASE, "--harness-mutation", "exit-always-zero"])
        .ends(0, &["harness mutation exit-always-zero: the results of this run mean nothing"]);
}

#[test]
fn auth_is_a_refused_token() {
    let server = Planted::changing(|_, _, reply| {
        *reply = Err(Refusal::new(Code::Auth));
        Sent::Reply
    });
    conformance(&["run", &server.address, CASE]).ends(6, &["hello was answered AUTH", "KEY-7"]);
}

#[test]
fn the_holder_of_the_session_is_named() {
    let server = Planted::changing(|_, _, reply| {
        *reply = Err(busy());
        Sent::Reply
    });
    let ran = conformance(&["run", &server.address, CASE]);
    ran.ends(3, &["the server is busy", "@laptop", "lease of 30 s", "--wait 31"]);
    assert!(!ran.stderr.contains('\u{7}'));
}

#[test]
fn a_busy_server_is_waited_for_when_asked() {
    let mut hellos = 0;
    let server = Planted::changing(move |operation, _, reply| {
        if matches!(operation, Operation::Hello(_)) {
            hellos += 1;
            if hellos <= 2 {
                *reply = Err(busy());
            }
        }
        Sent::Reply
    });
    conformance(&["run", &server.address, CASE, "--wait", "60"]).ends(0, &["2 passed, 0 failed"]);
}

#[test]
fn a_server_that_does_not_answer_hello_is_reported() {
    let server = Planted::changing(|_, _, _| Sent::Death);
    run(&server.address).ends(3, &["does not answer hello", "what worked: name, TCP, greeting, mechanism, handshake"]);
}

#[test]
fn another_version_is_reported() {
    let server = Planted::changing(|_, _, _| {
        let header = [&b"\x85\x64rmf1\x50"[..], &[0; 16], &[0x00, 13, 0xa0]].concat();
        Sent::Bytes(vec![header])
    });
    run(&server.address).ends(3, &["another version"]);
}

#[test]
fn a_server_that_answers_garbage_after_the_handshake_is_reported() {
    let server = Planted::changing(|_, _, _| Sent::Bytes(vec![b"what?".to_vec()]));
    run(&server.address).ends(3, &["not a Remofile server, or a broken one"]);
}

#[test]
fn a_server_that_dies_ends_the_run_with_the_case_that_killed_it() {
    let server = Planted::changing(|operation, _, _| {
        let killer = matches!(operation, Operation::Stat { path } if path.as_str().ends_with("/d"));
        if killer { Sent::Death } else { Sent::Reply }
    });
    let ran = conformance(&["run", &server.address, CASE, "--timeout", "1"]);
    ran.ends(1, &[&format!("did not answer any more after {CASE}"), "[ENTRY-2]", "no answer to request", "again"]);
}

#[test]
fn a_server_that_fails_at_the_least_is_not_conformant_and_the_report_is_written() {
    let server = Planted::changing(|operation, _, reply| {
        if matches!(operation, Operation::Ping) {
            *reply = Err(Refusal::new(Code::NoSession));
        }
        Sent::Reply
    });
    let ran = conformance(&["run", &server.address, CASE, "--format", "json"]);
    ran.ends(1, &["a ping in the open session was answered NO_SESSION", "no session could be opened"]);
    assert_eq!(serde_json::from_str::<serde_json::Value>(&ran.stdout).unwrap()["counts"]["fail"], 1);
}

#[test]
fn a_wrong_reply_is_reported_with_clause_messages_and_command() {
    let server = Planted::changing(wrong_entry);
    conformance(&["run", &server.address, CASE, "--seed", "7"]).ends(
        1,
        &["fail       a-directory", "[ENTRY-2] (section 9)", "\"stat\"", "8564726d663150", &format!("{CASE} --seed 7")],
    );
}

fn wrong_entry(operation: &Operation, _: usize, reply: &mut Result<Answer, Refusal>) -> Sent {
    if let (Operation::Stat { path }, Ok(Answer::Entry(entry))) = (operation, reply)
        && path.as_str().ends_with("/d")
    {
        entry.size = Some(4_096);
    }
    Sent::Reply
}

#[test]
fn a_known_failure_passes_and_a_stale_entry_fails() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("baseline");
    let file = file.to_str().unwrap();
    fs::write(file, format!("{CASE}: fail — sizes of directories are shown\n")).unwrap();
    let wrong = Planted::changing(wrong_entry);
    let ran = conformance(&["run", &wrong.address, CASE, "--baseline", file]);
    // The check of every reply sees it as well, and is not in the file.
    ran.ends(1, &["known: sizes of directories are shown"]);
    let right = Planted::right();
    conformance(&["run", &right.address, CASE, "--baseline", file]).ends(1, &["the baseline is stale", "is pass now"]);
}

#[test]
fn a_failure_is_saved_and_replayed() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().to_str().unwrap();
    let server = Planted::changing(wrong_entry);
    conformance(&["run", &server.address, CASE, "--save-failures", path]).ends(1, &[]);
    let file = directory.path().join(format!("{CASE}.replay.json"));
    assert!(!fs::read_to_string(&file).unwrap().contains(TOKEN));
    conformance(&["replay", file.to_str().unwrap()]).ends(1, &[CASE]);
    let right = Planted::right();
    conformance(&["replay", file.to_str().unwrap(), &right.address]).ends(0, &["2 passed, 0 failed"]);
}

#[test]
fn every_form_is_written_to_its_file_and_none_shows_the_token() {
    let directory = tempfile::tempdir().unwrap();
    let server = Planted::changing(wrong_entry);
    let names = ["r.json", "r.xml", "r.tap", "r.html", "r.txt"].map(|name| directory.path().join(name));
    let mut arguments = vec!["run", server.address.as_str(), CASE];
    for name in &names {
        arguments.extend(["--output", name.to_str().unwrap()]);
    }
    conformance(&arguments).ends(1, &["not conformant"]);
    let keys = Keys::derive(&TOKEN.parse::<Token>().unwrap());
    for name in &names {
        let text = fs::read_to_string(name).unwrap();
        assert!(text.contains(CASE), "{}", name.display());
        for secret in [TOKEN.to_owned(), z85::encode(keys.client.secret()), z85::encode(keys.server.secret())] {
            assert!(!text.contains(&secret), "{}", name.display());
        }
    }
}

#[test]
fn a_hundred_milliseconds_of_distance_change_nothing() {
    let server = Planted::right();
    let relay = Tcp::delaying(server.address.clone(), Duration::from_millis(50));
    let ran = conformance(&["run", &relay.address, CASE, "--timeout", "1", "--format", "json"]);
    ran.ends(0, &[]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(report["round_trip_ms"].as_f64().unwrap() >= 100.0, "{}", report["round_trip_ms"]);
    assert_eq!(report["leftovers"], serde_json::json!([]));
}

#[test]
fn an_interrupted_run_cleans_up_and_reports() {
    let server = Planted::right();
    let mut child = command(&["run", &server.address, CASE, "--repeat", "10000", "--format", "json"]);
    let child = child.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let deadline = Instant::now() + DEADLINE;
    while server.heard.load(Ordering::Relaxed) < 100 {
        assert!(Instant::now() < deadline, "the run does not begin");
        thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let ran = ran(child.wait_with_output().unwrap());
    ran.ends(4, &[]);
    let report: serde_json::Value = serde_json::from_str(&ran.stdout).unwrap();
    assert_eq!((&report["interrupted"], &report["leftovers"]), (&serde_json::json!(true), &serde_json::json!([])));
}

#[test]
fn doctor_goes_through_the_steps() {
    let server = Planted::right();
    conformance(&["doctor", &server.address]).ends(0, &["ok      TCP", "ok      hello", "the server speaks Remofile"]);
    conformance(&["doctor", &closed_port()]).ends(3, &["ok      name", "failed  TCP", "hint:"]);
}

#[test]
fn an_invalid_command_line_is_a_usage_error() {
    conformance(&["run", "localhost:x"]).ends(2, &["is not an address"]);
    conformance(&["run"]).ends(2, &["no server is given"]);
    conformance(&["run", "a:1", "--output", "/dev/null/x.json"]).ends(2, &["--output"]);
    let ran = ran(command(&["run", "a:1"]).env("REMOFILE_TOKEN", "short").output().unwrap());
    ran.ends(2, &["invalid token"]);
    let ran = planted::ran(command(&["run", "a:1"]).env_remove("REMOFILE_TOKEN").output().unwrap());
    ran.ends(2, &["no token is given", "REMOFILE_TOKEN"]);
}

#[test]
fn a_pattern_that_fits_nothing_is_reported() {
    conformance(&["run", "a:1", "no-such-case"]).ends(4, &["no case matches the pattern 'no-such-case'"]);
    conformance(&["run", "a:1", "SEQ-1", "--skip", "*"]).ends(4, &["no case matches the patterns"]);
}

#[test]
fn a_dry_run_names_what_would_run_and_needs_no_server() {
    let ran = conformance(&["run", "ENTRY-2", "--dry-run"]);
    ran.ends(0, &[CASE, "entries-have-the-keys-of-their-kind"]);
    assert!(!ran.stdout.contains("the-server-serves"));
}

#[test]
fn a_closed_standard_output_is_not_a_failure() {
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let output = command(&["list"]).stdout(writer).output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn list_explain_and_vectors_need_no_server() {
    conformance(&["list"]).ends(0, &[CASE]);
    conformance(&["list", "--matrix"]).ends(0, &["SEQ-3 (must, section 7.1)"]);
    conformance(&["explain", CASE]).ends(0, &["It checks:", "[ENTRY-2]"]);
    conformance(&["explain", "SEQ-3"]).ends(0, &["section 7.1"]);
    conformance(&["vectors", repository("spec/vectors").to_str().unwrap()]).ends(0, &["0 differ"]);
    conformance(&["decode", "00"]).ends(1, &["not a Remofile message"]);
}
