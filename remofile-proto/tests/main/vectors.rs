//! The codec judges every vector of `spec/vectors` as its file says.

use crate::json;
use crate::vector_files::{
    EnvelopeVector, Frame, KeysVector, PathVector, ReplyVector, RequestVector, TokenVector, Vector, hex, judge, same,
    session,
};
use remofile_proto::envelope::{classify, receive};
use remofile_proto::{
    Answer, Class, Code, Digest, Hello, Keys, Limits, Message, Operation, Payload, Precondition, Refusal, RemotePath,
    Reply, ReplyError, Token, UploadId, encode_reply, encode_request, z85,
};

/// What every vector is written for.
const LIMITS: Limits = Limits { chunk: 65_536, header: 65_536 };

#[test]
fn requests_are_decoded_and_refused_as_the_vectors_say() {
    judge(Vector::request, |_, vector: &RequestVector| {
        let frames = bytes(&vector.frames);
        match classify(&frames, LIMITS.header) {
            Message::Request(request) => {
                same("session", hex(request.header.session.as_bytes()), vector.session.clone())?;
                same("seq", request.header.seq, vector.seq)?;
                same("op", Some(request.header.op), vector.op.as_deref())?;
                match Operation::parse(&request.header, Payload::of_request(&request), &LIMITS) {
                    Ok(operation) => {
                        same("verdict", "accept", &vector.expect)?;
                        same("args", Some(json::args(&operation)), vector.args.clone())?;
                        let written = encode_request(request.header.session, request.header.seq, &operation);
                        same("encoding", hex(&written), hex(&canonical(&vector.reencoded, &frames)))
                    }
                    Err(refusal) => same("verdict", refusal.code.name(), &vector.expect),
                }
            }
            refused => {
                same("verdict", verdict(&refused), &vector.expect)?;
                same("answer", answered(&refused), Some((vector.session.clone(), vector.seq)))
            }
        }
    });
}

#[test]
fn replies_are_decoded_and_refused_as_the_vectors_say() {
    judge(Vector::reply, |_, vector: &ReplyVector| {
        let frames = bytes(&vector.frames);
        let Ok(reply) = Reply::decode(&frames) else {
            return same("verdict", "refuse", &vector.expect);
        };
        let decoded = match reply.into_answer(&asked(&vector.op)) {
            Ok(answer) => Ok(answer),
            Err(ReplyError::Refused(refusal)) => Err(refusal),
            Err(ReplyError::UnknownCode { number, class, msg }) => {
                same("verdict", "accept", &vector.expect)?;
                same("code", Some(number), vector.code)?;
                same("msg", msg.as_deref(), vector.result.as_ref().unwrap().get("msg").and_then(|msg| msg.as_str()))?;
                return same("loss of the session", Some(class == Class::Session), vector.loses_session);
            }
            Err(_) => return same("verdict", "refuse", &vector.expect),
        };
        same("verdict", "accept", &vector.expect)?;
        same("session", Some(hex(reply.session.as_bytes())), vector.session.clone())?;
        same("seq", Some(reply.seq), vector.seq)?;
        same("code", Some(number(&decoded)), vector.code)?;
        same("result", Some(decoded.as_ref().map_or_else(json::refusal, json::answer)), vector.result.clone())?;
        let written = encode_reply(reply.session, reply.seq, &decoded);
        same("encoding", hex(&written), hex(&canonical(&vector.reencoded, &frames)))
    });
}

#[test]
fn envelopes_are_classified_as_the_vectors_say() {
    judge(Vector::envelope, |_, vector: &EnvelopeVector| {
        let frames = bytes(&vector.frames);
        let received = receive(&frames, LIMITS.header);
        same("verdict", verdict(&received.message), &vector.expect)?;
        if vector.expect == "not-ours" {
            return same("answer", received.message.refusal(), None);
        }
        same("route", Some(received.prefix.len()), vector.route)?;
        same("answer", answered(&received.message), vector.session.clone().zip(vector.seq))
    });
}

#[test]
fn paths_are_checked_as_the_vectors_say() {
    judge(Vector::path, |_, vector: &PathVector| {
        let verdict = match RemotePath::parse(&vector.path) {
            Err(error) => error.code().name(),
            Ok(path) if vector.names == "windows" && path.check_windows().is_err() => Code::BadName.name(),
            Ok(path) => {
                same("path", path.as_str(), &vector.path)?;
                "accept"
            }
        };
        same("verdict", verdict, &vector.expect)
    });
}

#[test]
fn tokens_are_checked_as_the_vectors_say() {
    judge(Vector::token, |_, vector: &TokenVector| {
        same("verdict", if Token::parse(&vector.token).is_ok() { "accept" } else { "refuse" }, &vector.expect)
    });
}

#[test]
fn keys_are_derived_down_to_the_bytes_of_hello() {
    judge(Vector::keys, |_, vector: &KeysVector| {
        let keys = Keys::derive(&Token::parse(&vector.token).unwrap());
        for (what, key, expected) in [
            ("server secret", keys.server.secret(), &vector.server_secret),
            ("server public", keys.server.public(), &vector.server_public),
            ("client secret", keys.client.secret(), &vector.client_secret),
            ("client public", keys.client.public(), &vector.client_public),
        ] {
            same(what, hex(key), expected.hex.clone())?;
            same(what, z85::encode(key), expected.z85.clone())?;
            same(what, z85::decode(&expected.z85).unwrap(), *key)?;
        }
        let session = session(&vector.session);
        let auth = keys.hello.auth(session);
        same("auth", hex(&auth), vector.auth.clone())?;
        let hello = Hello { auth, client: vector.client.clone(), take: None, lease_ms: None };
        same("hello", vec![encode_request(session, 0, &Operation::Hello(hello))], bytes(&vector.frames))
    });
}

fn bytes(frames: &[Frame]) -> Vec<Vec<u8>> {
    frames.iter().map(Frame::bytes).collect()
}

/// What a writer makes of it: the header as it came, unless the vector says otherwise.
fn canonical(reencoded: &Option<Frame>, frames: &[Vec<u8>]) -> Vec<u8> {
    reencoded.as_ref().map_or_else(|| frames[0].clone(), Frame::bytes)
}

fn verdict(message: &Message<'_>) -> &'static str {
    match message {
        Message::Request(_) => "accept",
        Message::NotOurs | Message::Reply => "not-ours",
        Message::WrongVersion => "VERSION",
        Message::BadMessage { .. } => "BAD_MESSAGE",
    }
}

/// The session and number of the reply.
fn answered(message: &Message<'_>) -> Option<(String, u64)> {
    if let Message::Request(request) = message {
        return Some((hex(request.header.session.as_bytes()), request.header.seq));
    }
    let frames = [message.refusal()?];
    let reply = Reply::decode(&frames).unwrap();
    Some((hex(reply.session.as_bytes()), reply.seq))
}

fn number(decoded: &Result<Answer, Refusal>) -> u64 {
    decoded.as_ref().map_or_else(|refusal| refusal.code.number(), |_| Code::Ok.number()).into()
}

/// A request of this name that any of the replies could answer.
fn asked(op: &str) -> Operation {
    let path = RemotePath::root();
    let up = UploadId::new([0; 16]);
    match op {
        "hello" => Operation::Hello(Hello { auth: [0; 32], client: String::new(), take: None, lease_ms: None }),
        "ping" => Operation::Ping,
        "bye" => Operation::Bye,
        "stat" => Operation::Stat { path },
        "list" => Operation::List { path, after: None, limit: None, tree: true },
        "read" => Operation::Read { path, off: 0, len: LIMITS.chunk, etag: None },
        "hash" => Operation::Hash { path, off: 0, len: None },
        "mkdir" => Operation::Mkdir { path },
        "put" => Operation::Put { path, pre: Precondition::Absent, mtime_ns: None },
        "write" => Operation::Write { path, off: 0, etag: None },
        "truncate" => Operation::Truncate { path, size: 0, etag: None },
        "touch" => Operation::Touch { path, mtime_ns: 0 },
        "remove" => Operation::Remove { path, etag: None },
        "move" => Operation::Move { from: path.clone(), to: path, pre: Precondition::Absent, etag: None },
        "copy" => Operation::Copy { from: path.clone(), to: path, pre: Precondition::Absent, etag: None },
        "begin" => Operation::Begin { up, path, size: None },
        "append" => Operation::Append { up, off: 0 },
        "commit" => {
            let pre = Precondition::Absent;
            Operation::Commit { up, size: 0, hash: Digest::new([0; 32]), pre, mtime_ns: None }
        }
        "abort" => Operation::Abort { up },
        "uploads" => Operation::Uploads { after: None },
        "flush" => Operation::Flush,
        other => panic!("no operation {other}"),
    }
}
