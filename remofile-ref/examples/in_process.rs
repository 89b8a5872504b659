//! A server without a socket: messages go in and out of a handler as lists of frames.
//!
//! ```console
//! $ cargo run --example in_process
//! /greeting.txt: hello
//! ```

use remofile::{FileServer, Frames, HandleOutcome, Handler, Precondition, RemotePath, generate_token};
use remofile_proto::{Hello, Keys, Operation, Reply, SessionId, encode_request, envelope};
use std::error::Error;
use std::io::Write;

type Attempt<T> = Result<T, Box<dyn Error>>;

fn main() -> Attempt<()> {
    run(&mut std::io::stdout())
}

/// Opens a session, puts a file and writes what is read of it to `out`.
pub(crate) fn run(out: &mut dyn Write) -> Attempt<()> {
    let directory = tempfile::tempdir()?;
    let token = generate_token();
    let mut handler = FileServer::new(directory.path(), &token)?.open()?;

    let mut id = [0; 16];
    getrandom::fill(&mut id)?;
    let session = SessionId::new(id);
    let auth = Keys::derive(&token).hello.auth(session);
    let hello = Hello { auth, client: "in_process".to_owned(), take: None, lease_ms: None };
    exchange(&mut handler, encode_request(session, 0, &Operation::Hello(hello)), None)?;

    let path = RemotePath::parse("/greeting.txt")?;
    let put = Operation::Put { path: path.clone(), pre: Precondition::Absent, mtime_ns: None };
    exchange(&mut handler, encode_request(session, 1, &put), Some(b"hello".to_vec()))?;

    let read = Operation::Read { path: path.clone(), off: 0, len: 100, etag: None };
    let reply = exchange(&mut handler, encode_request(session, 2, &read), None)?;
    let payload = reply.last().ok_or("a reply without frames")?;
    writeln!(out, "{path}: {}", String::from_utf8_lossy(payload))?;

    // Messages that are not Remofile's are left to the program.
    assert_eq!(handler.handle(&[&b""[..], b"GET /"]), HandleOutcome::NotOurs);
    Ok(())
}

/// One request and its reply, which must be OK.
fn exchange(handler: &mut Handler, header: Vec<u8>, payload: Option<Vec<u8>>) -> Attempt<Frames> {
    let frames = envelope::frames(&[b""], header, payload);
    let reply = match handler.handle(&frames) {
        HandleOutcome::Reply(reply) => reply,
        // A long operation: its reply, or PENDING, comes within about half a second of slices.
        HandleOutcome::Later => loop {
            if let Some(reply) = handler.run_slice() {
                break reply;
            }
        },
        HandleOutcome::NotOurs | HandleOutcome::Silent => return Err("not taken for a request".into()),
    };
    let code = Reply::decode(&reply)?.code;
    if code != 0 {
        return Err(format!("refused with code {code}").into());
    }
    Ok(reply)
}
