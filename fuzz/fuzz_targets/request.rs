//! A request header: accepted in its one encoding, and parsed to what it is written from.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remofile_proto::cbor::{Item, Value};
use remofile_proto::{Code, Header, Limits, Operation, OperationInfo, Payload, encode_request};

fuzz_target!(|frame: &[u8]| {
    let Ok(header) = Header::decode(frame) else { return };
    let items = vec![
        Item::Text("rmf1".into()),
        Item::Bytes(header.session.as_bytes().to_vec()),
        Item::Int(header.seq.try_into().expect("numbers are below 2^63")),
        Item::Text(header.op.into()),
        Value::Map(header.args).into(),
    ];
    assert_eq!(Item::Array(items).encode().expect("what was read can be written"), frame);

    let limits = Limits::default();
    match Operation::parse(&header, Payload::NONE, &limits) {
        Ok(operation) => {
            assert_eq!(operation.name(), header.op);
            let again = encode_request(header.session, header.seq, &operation);
            // Defaults that were written out and what hello ignores are not written again.
            assert!(again.len() <= frame.len());
            let header = Header::decode(&again).expect("what is written decodes");
            assert_eq!(Operation::parse(&header, Payload::NONE, &limits), Ok(operation));
        }
        Err(refusal) => {
            assert!(matches!(
                refusal.code,
                Code::BadOp | Code::BadArgs | Code::TooLarge | Code::Limit | Code::BadName | Code::Loop
            ));
            assert_eq!(refusal.code == Code::BadOp, OperationInfo::by_name(header.op).is_none());
        }
    }
});
