//! How little a client needs: a REQ socket, CURVE, and the codec. It says hello, lists, puts, reads and says bye.
//!
//! ```console
//! $ export REMOFILE_SERVER=localhost:6768 REMOFILE_TOKEN=TTA3rMB8VtNYv25kdipkaJ
//! $ cargo run --example lockstep_req
//! listed 3 entries of /
//! put /lockstep-2042.txt
//! read "one request at a time"
//! ```
//!
//! What it leaves out is repair: after a time-out it gives up, where a client that is to survive a cut connection sends
//! the same bytes again (section 7.3 of the protocol). The library's `ClientOptions::lockstep` does that.

use remofile_proto::{
    Answer, Hello, Keys, Operation, Precondition, RemotePath, Reply, SessionId, Token, encode_request,
};
use std::error::Error;
use std::io::Write;

type Attempt<T> = Result<T, Box<dyn Error>>;

fn main() -> Attempt<()> {
    run(&std::env::var("REMOFILE_SERVER")?, &std::env::var("REMOFILE_TOKEN")?, &mut std::io::stdout())
}

/// `server` is `host:port`.
pub(crate) fn run(server: &str, token: &str, out: &mut dyn Write) -> Attempt<()> {
    let mut client = Lockstep::connect(server, &Token::parse(token)?)?;

    let root = Operation::List { path: RemotePath::root(), after: None, limit: None, tree: false };
    let Answer::Listing(listing) = client.ask(&root, None)?.0 else { return Err("no listing".into()) };
    writeln!(out, "listed {} entries of /", listing.entries.len())?;

    let path = RemotePath::parse(&format!("/lockstep-{}.txt", std::process::id()))?;
    let content = b"one request at a time";
    let put = Operation::Put { path: path.clone(), pre: Precondition::Absent, mtime_ns: None };
    client.ask(&put, Some(content))?;
    writeln!(out, "put {path}")?;

    let (_, read) = client.ask(&Operation::Read { path: path.clone(), off: 0, len: 65_536, etag: None }, None)?;
    writeln!(out, "read {:?}", String::from_utf8_lossy(&read))?;
    client.ask(&Operation::Remove { path, etag: None }, None)?;
    client.say(0, &Operation::Bye, None)?;
    if read == content { Ok(()) } else { Err("what was read is not what was put".into()) }
}

struct Lockstep {
    socket: zmq::Socket,
    session: SessionId,
    /// The number of the next request.
    next: u64,
}

impl Lockstep {
    fn connect(server: &str, token: &Token) -> Attempt<Self> {
        let keys = Keys::derive(token);
        let socket = zmq::Context::new().socket(zmq::REQ)?;
        socket.set_curve_serverkey(keys.server.public())?;
        socket.set_curve_publickey(keys.client.public())?;
        socket.set_curve_secretkey(keys.client.secret())?;
        socket.set_rcvtimeo(10_000)?;
        socket.set_linger(0)?;
        socket.connect(&format!("tcp://{}", server.trim_start_matches("tcp://")))?;

        let mut id = [0; 16];
        getrandom::fill(&mut id)?;
        let session = SessionId::new(id);
        let mut client = Self { socket, session, next: 1 };
        let auth = keys.hello.auth(session);
        let hello = Hello { auth, client: "lockstep_req".to_owned(), take: None, lease_ms: None };
        client.say(0, &Operation::Hello(hello), None)?;
        Ok(client)
    }

    /// A numbered request.
    fn ask(&mut self, operation: &Operation, payload: Option<&[u8]>) -> Attempt<(Answer, Vec<u8>)> {
        let seq = self.next;
        self.next += 1;
        self.say(seq, operation, payload)
    }

    /// Sends a request and gives what it is answered: the result and the payload.
    fn say(&mut self, seq: u64, operation: &Operation, payload: Option<&[u8]>) -> Attempt<(Answer, Vec<u8>)> {
        let header = encode_request(self.session, seq, operation);
        self.socket.send_multipart([&header[..]].into_iter().chain(payload), 0)?;
        let frames = self.socket.recv_multipart(0)?;
        let reply = Reply::decode(&frames)?;
        if (reply.session, reply.seq) != (self.session, seq) {
            return Err("not the reply to this request".into());
        }
        Ok((reply.into_answer(operation)?, reply.payload.unwrap_or_default().to_vec()))
    }
}
