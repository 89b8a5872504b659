//! A reply header, decoded as the answer to each kind of operation.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile_proto::{
    Answer, Digest, Hello, Message, Operation, Precondition, RemotePath, Reply, ReplyError, UploadId, encode_reply,
    envelope, path::valid_name,
};

fuzz_target!(|frame: &[u8]| {
    let frames = [frame, b"payload"];
    for operation in operations() {
        let is_read = matches!(operation, Operation::Read { .. });
        let frames = if is_read { &frames[..] } else { &frames[..1] };
        let Ok(reply) = Reply::decode(frames) else { continue };
        assert_eq!(envelope::classify(frames, usize::MAX), Message::Reply);

        let result = match reply.into_answer(&operation) {
            Ok(answer) => Ok(answer),
            Err(ReplyError::Refused(refusal)) => Err(refusal),
            Err(_) => continue,
        };
        if let (Ok(Answer::Listing(listing)), Operation::List { path, tree, .. }) = (&result, &operation) {
            for listed in &listing.entries {
                assert!(path.join(&listed.name).is_ok_and(|joined| joined != *path && joined.is_at_or_below(path)));
                assert!(*tree || valid_name(&listed.name).is_ok());
            }
        }
        let mut again = vec![encode_reply(reply.session, reply.seq, &result)];
        again.extend(is_read.then(|| b"payload".to_vec()));
        let reply = Reply::decode(&again).expect("what is written decodes");
        assert_eq!(reply.into_answer(&operation), result.map_err(ReplyError::Refused));
    }
});

/// One operation for each shape of answer.
fn operations() -> [Operation; 9] {
    let list = |tree| Operation::List { path: RemotePath::root(), after: None, limit: None, tree };
    let up = UploadId::new([0; 16]);
    [
        Operation::Hello(Hello { auth: [0; 32], client: String::new(), take: None, lease_ms: None }),
        Operation::Ping,
        Operation::Commit { up, size: 0, hash: Digest::new([0; 32]), pre: Precondition::Any, mtime_ns: None },
        list(false),
        list(true),
        Operation::Read { path: RemotePath::root(), off: 0, len: 7, etag: None },
        Operation::Begin { up, path: RemotePath::root(), size: None },
        Operation::Append { up, off: 0 },
        Operation::Uploads { after: None },
    ]
}
