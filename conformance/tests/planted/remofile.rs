//! A server of a few operations, with a way to change any reply.

use super::TOKEN;
use remofile_proto::{
    Answer, BootId, Busy, Code, Detail, Entry, HelloReply, Kind, Limits, Listing, Message, Names, Operation, Payload,
    Refusal, SessionId, Uploads, encode_reply, envelope,
};
use remofile_proto::{Keys, Token};
use std::{
    collections::BTreeSet,
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};
use zmq::{Context, Socket};

/// How the server is secured.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Lock {
    /// CURVE, with the keys of this token; every client is admitted.
    Open(&'static str),
    /// CURVE with the expected keys; no client is admitted.
    Refusing,
    /// Nothing.
    None,
}

/// A server in a thread.
pub struct Planted {
    pub address: String,
    /// Requests so far.
    pub heard: Arc<AtomicUsize>,
    ending: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// What a server does with a request: the operation, how many there were before, and the reply that would be right.
pub type Change = dyn FnMut(&Operation, usize, &mut Result<Answer, Refusal>) -> Sent + Send;

/// What is sent.
pub enum Sent {
    /// The reply, as changed.
    Reply,
    /// Nothing, and nothing from now on.
    Death,
    /// These frames after the prefix.
    Bytes(Vec<Vec<u8>>),
}

impl Planted {
    /// A server that does everything right, as far as it goes.
    pub fn right() -> Self {
        Self::start(Lock::Open(TOKEN), |_, _, _| Sent::Reply)
    }

    /// A server that changes its replies.
    pub fn changing(
        change: impl FnMut(&Operation, usize, &mut Result<Answer, Refusal>) -> Sent + Send + 'static,
    ) -> Self {
        Self::start(Lock::Open(TOKEN), change)
    }

    pub fn start(
        lock: Lock,
        change: impl FnMut(&Operation, usize, &mut Result<Answer, Refusal>) -> Sent + Send + 'static,
    ) -> Self {
        let context = Context::new();
        let gate = (lock == Lock::Refusing).then(|| zap(&context));
        let socket = context.socket(zmq::ROUTER).unwrap();
        socket.set_linger(0).unwrap();
        let token = match lock {
            Lock::Open(token) => Some(token),
            Lock::Refusing => Some(TOKEN),
            Lock::None => None,
        };
        if let Some(token) = token {
            let keys = Keys::derive(&token.parse::<Token>().unwrap());
            socket.set_curve_server(true).unwrap();
            socket.set_curve_secretkey(keys.server.secret()).unwrap();
        }
        if gate.is_some() {
            socket.set_zap_domain("planted").unwrap();
        }
        socket.bind(&format!("tcp://{}:0", Ipv4Addr::LOCALHOST)).unwrap();
        let endpoint = socket.get_last_endpoint().unwrap().unwrap();
        let (heard, ending) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
        let (count, end) = (Arc::clone(&heard), Arc::clone(&ending));
        let thread = thread::spawn(move || serve(&socket, gate.as_ref(), &count, &end, Box::new(change)));
        Self { address: endpoint.trim_start_matches("tcp://").to_owned(), heard, ending, thread: Some(thread) }
    }
}

impl Drop for Planted {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The endpoint of a handler that refuses everybody.
fn zap(context: &Context) -> Socket {
    let gate = context.socket(zmq::REP).unwrap();
    gate.set_linger(0).unwrap();
    gate.bind("inproc://zeromq.zap.01").unwrap();
    gate
}

fn refuse(gate: &Socket) {
    if let Ok(request) = gate.recv_multipart(zmq::DONTWAIT) {
        let id = request[1].clone();
        gate.send_multipart([b"1.0".to_vec(), id, b"400".to_vec(), b"no".to_vec(), vec![], vec![]], 0).unwrap();
    }
}

fn serve(socket: &Socket, gate: Option<&Socket>, heard: &AtomicUsize, ending: &AtomicBool, mut change: Box<Change>) {
    let mut directories = BTreeSet::new();
    let mut dead = false;
    while !ending.load(Ordering::Relaxed) {
        if let Some(gate) = gate {
            refuse(gate);
        }
        // Short, because it is also how the end of the test is noticed.
        if socket.poll(zmq::POLLIN, 5).unwrap() == 0 {
            continue;
        }
        let message = socket.recv_multipart(0).unwrap();
        let Some(delimiter) = message.iter().position(Vec::is_empty) else { continue };
        let (prefix, frames) = message.split_at(delimiter + 1);
        let Message::Request(request) = envelope::classify(frames, 65_536) else { continue };
        let Ok(operation) = Operation::parse(&request.header, Payload::of_request(&request), &Limits::default()) else {
            continue;
        };
        let before = heard.fetch_add(1, Ordering::Relaxed);
        let mut reply = right(&operation, &mut directories);
        let sent = if dead { Sent::Death } else { change(&operation, before, &mut reply) };
        let frames = match sent {
            Sent::Reply => vec![encode_reply(request.header.session, request.header.seq, &reply)],
            Sent::Bytes(frames) => frames,
            Sent::Death => {
                dead = true;
                continue;
            }
        };
        socket.send_multipart(prefix.iter().chain(&frames).map(Vec::as_slice), 0).unwrap();
    }
}

fn right(operation: &Operation, directories: &mut BTreeSet<String>) -> Result<Answer, Refusal> {
    let entry =
        Entry { kind: Kind::Dir, size: None, mtime_ns: Some(1_760_000_000_000_000_000), etag: None, racy: false };
    match operation {
        Operation::Hello(_) => Ok(Answer::Hello(HelloReply {
            window: 1,
            chunk: 65_536,
            header: 16_384,
            lease_ms: 30_000,
            boot: BootId::new([0xb0; 16]),
            root: None,
            names: Names::Posix,
            folds: false,
            ro: false,
            caps: ["x-planted\u{1b}[31m"].into_iter().collect(),
        })),
        Operation::Stat { path } if path.as_str() == "/" || directories.contains(path.as_str()) => {
            Ok(Answer::Entry(entry))
        }
        Operation::Stat { .. } => Err(Refusal::new(Code::NotFound)),
        Operation::Mkdir { path } => {
            directories.insert(path.as_str().to_owned());
            Ok(Answer::Entry(entry))
        }
        Operation::Remove { path, .. } => {
            directories.remove(path.as_str());
            Ok(Answer::Empty)
        }
        Operation::List { path, after, limit, tree } => {
            let below = format!("{}/", path.as_str().trim_end_matches('/'));
            let names = directories.iter().filter_map(|name| name.strip_prefix(&below)).map(str::to_owned);
            let mut listed: Vec<String> = names
                .filter(|name| *tree || !name.contains('/'))
                .filter(|name| after.as_ref().is_none_or(|after| name > after))
                .collect();
            let page = limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap());
            let more = listed.len() > page;
            listed.truncate(page);
            let entries =
                listed.into_iter().map(|name| remofile_proto::ListedEntry { name, entry: entry.clone() }).collect();
            Ok(Answer::Listing(Listing { entries, more, skipped: 0 }))
        }
        Operation::Uploads { .. } => Ok(Answer::Uploads(Uploads::default())),
        _ => Ok(Answer::Empty),
    }
}

/// BUSY, with a client name that contains a control character.
pub fn busy() -> Refusal {
    let busy = Busy {
        idle_ms: 4_200,
        lease_ms: 30_000,
        client: "anna\u{7}@laptop".into(),
        session: SessionId::new([0xb2; 16]),
    };
    Refusal { detail: Detail::Busy(busy), ..Refusal::new(Code::Busy) }
}

/// How long a test waits for what must happen.
pub const DEADLINE: Duration = Duration::from_secs(60);
