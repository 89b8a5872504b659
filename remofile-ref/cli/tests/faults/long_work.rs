//! A server that works for one client still answers the others, and stops on a signal.

use remofile_proto::cbor::Item;
use remofile_proto::{Answer, Code, Digest, Operation, UploadId, encode_request};
use remofile_testkit::peer::{Peer, path, random_session, text};
use remofile_testkit::process::{Server, staged_bytes};
use std::fs::File;
use std::time::{Duration, Instant};

/// The size of a file without content: hashing it takes far longer than any of these tests.
const SIZE: i64 = 200 << 30;

/// A stop in the way of a service manager has so long.
const STOP: Duration = Duration::from_secs(5);

const FILM: UploadId = UploadId::new([7; 16]);

fn hash() -> Operation {
    Operation::Hash { path: path("/huge"), off: 0, len: None }
}

fn begin() -> Operation {
    Operation::Begin { up: FILM, path: path("/film"), size: None }
}

/// A peer that holds the session of a server with a huge file.
fn with_a_huge_file(server: &Server) -> Peer {
    let mut peer = Peer::open(&server.endpoint);
    assert_eq!(peer.say("put", &[("path", text("/huge"))], Some(b"")).code, Code::Ok);
    assert_eq!(peer.say("truncate", &[("path", text("/huge")), ("size", Item::Int(SIZE))], None).code, Code::Ok);
    peer
}

/// Sends the next request, and expects that it is still under way: how far it is.
fn is_pending(peer: &mut Peer, operation: &Operation) -> (i64, i64) {
    let request = encode_request(peer.session, peer.next, operation);
    peer.send(&[&request]);
    let told = peer.receive();
    assert_eq!(told.code, Code::Pending);
    (told.integer("done").unwrap(), told.integer("total").unwrap())
}

#[test]
fn others_get_busy_within_a_second_while_a_huge_file_is_hashed() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = with_a_huge_file(&server);
    let mut other = Peer::connect(&server.endpoint);
    let mut progress = vec![is_pending(&mut holder, &hash())];
    let poll = encode_request(holder.session, holder.next, &hash());
    let mut waits = Vec::new();
    for _ in 0..9 {
        // A poll that is held, so that a reply is owed meanwhile.
        holder.send(&[&poll]);
        other.session = random_session();
        let asked = Instant::now();
        let told = other.hello(None);
        waits.push(asked.elapsed());
        assert_eq!((told.code, told.integer("idle_ms")), (Code::Busy, Some(0)));
        let told = holder.receive();
        assert_eq!(told.code, Code::Pending);
        progress.push((told.integer("done").unwrap(), told.integer("total").unwrap()));
    }
    // [SES-10], of most tries: a busy machine may lose one to something else.
    waits.sort();
    assert!(waits[waits.len() / 2] < Duration::from_secs(1), "{waits:?}");
    assert!(progress.is_sorted_by(|one, next| one.0 < next.0), "{progress:?}");
    assert!(progress.iter().all(|(done, total)| done < total && *total == SIZE), "{progress:?}");

    assert_eq!(holder.unnumbered(&Operation::Bye).code, Code::Ok);
    other.session = random_session();
    assert_eq!(other.hello(None).code, Code::Ok);
    assert_eq!(other.say("stat", &[("path", text("/huge"))], None).code, Code::Ok);
}

#[test]
fn a_client_that_takes_the_session_over_is_served_at_once() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut holder = with_a_huge_file(&server);
    is_pending(&mut holder, &hash());
    holder.send(&[&encode_request(holder.session, holder.next, &hash())]);
    let mut other = Peer::connect(&server.endpoint);
    assert_eq!(other.hello(Some(holder.session)).code, Code::Ok);
    assert_eq!(other.say("mkdir", &[("path", text("/new"))], None).code, Code::Ok);
    // The waiting poll was answered before the other client connected; the next one gets the refusal.
    let told = holder.receive();
    if told.code == Code::Pending {
        holder.send(&[&encode_request(holder.session, holder.next, &hash())]);
        assert_eq!(holder.receive().code, Code::NoSession);
    } else {
        assert_eq!(told.code, Code::NoSession);
    }
}

#[test]
fn a_server_that_hashes_stops_in_time_and_keeps_what_is_staged() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut peer = with_a_huge_file(&server);
    assert_eq!(peer.ask(&begin(), None).code, Code::Ok);
    assert_eq!(peer.ask(&Operation::Append { up: FILM, off: 0 }, Some(b"staged")).code, Code::Ok);
    is_pending(&mut peer, &hash());
    let (status, log, took) = server.terminate();
    assert!(status.success(), "{status}: {log}");
    assert!(took < STOP, "{took:?}");

    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    let Answer::Staged(staged) = peer.ask(&begin(), None).answer(&begin()) else { panic!("not begun") };
    assert_eq!((staged.off, staged.hash), (6, Digest::new(*blake3::hash(b"staged").as_bytes())));
}

#[test]
fn a_server_that_reads_a_huge_part_back_stops_in_time_and_keeps_it() {
    let served = tempfile::tempdir().unwrap();
    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    assert_eq!(peer.ask(&begin(), None).code, Code::Ok);
    let (status, ..) = server.terminate();
    assert!(status.success());
    let part = served.path().join(format!(".remofile/up-{FILM}"));
    File::options().write(true).open(part).unwrap().set_len(SIZE.cast_unsigned()).unwrap();

    let server = Server::start(served.path());
    let mut peer = Peer::open(&server.endpoint);
    let (done, total) = is_pending(&mut peer, &begin());
    assert!(done < total && total == SIZE);
    // Given up: what is read back next time begins again, and an upload of another path is not in its way.
    assert_eq!(peer.unnumbered(&Operation::Bye).code, Code::Ok);
    let mut peer = Peer::open(&server.endpoint);
    let other = Operation::Begin { up: UploadId::new([8; 16]), path: path("/other"), size: None };
    assert_eq!(peer.ask(&other, None).code, Code::Ok);
    is_pending(&mut peer, &begin());
    let (status, log, took) = server.terminate();
    assert!(status.success(), "{status}: {log}");
    assert!(took < STOP, "{took:?}");
    assert!(staged_bytes(served.path()) >= SIZE.cast_unsigned());
}
