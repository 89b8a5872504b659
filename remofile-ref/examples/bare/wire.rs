//! Messages: an operation, two numbers and a path in one frame, content in the next.

use crate::Outcome;
use remofile::transport::{Bounds, ClientSecurity, CurveKey, Message, ServerSecurity};

/// Bytes of a file in one message.
pub(crate) const CHUNK: usize = 256 << 10;

/// Messages under way.
pub(crate) const WINDOW: u16 = 64;

/// What is asked for.
pub(crate) mod op {
    pub(crate) const HELLO: u8 = b'H';
    pub(crate) const BEGIN: u8 = b'U';
    pub(crate) const CHUNK: u8 = b'C';
    pub(crate) const END: u8 = b'E';
    pub(crate) const OPEN: u8 = b'O';
    pub(crate) const READ: u8 = b'R';
    pub(crate) const DIGEST: u8 = b'X';
    pub(crate) const DIRECTORY: u8 = b'M';
    pub(crate) const PUT: u8 = b'P';
    pub(crate) const GET: u8 = b'G';
    pub(crate) const LIST: u8 = b'L';
}

/// A message without its content. An answer has the digest or the size that was asked for.
#[derive(Default)]
pub(crate) struct Header {
    pub(crate) op: u8,
    pub(crate) offset: u64,
    pub(crate) length: u64,
    pub(crate) text: Vec<u8>,
}

impl Header {
    pub(crate) fn of(op: u8, text: &[u8]) -> Self {
        Self { op, text: text.to_owned(), ..Self::default() }
    }

    pub(crate) fn message(&self) -> Message {
        let mut bytes = vec![self.op];
        bytes.extend(self.offset.to_le_bytes());
        bytes.extend(self.length.to_le_bytes());
        bytes.extend(&self.text);
        Message::from(bytes)
    }

    pub(crate) fn parse(bytes: &[u8]) -> Outcome<Self> {
        let ([op, ..], Some(Ok(offset)), Some(Ok(length)), Some(text)) = (
            bytes,
            bytes.get(1..9).map(<[u8; 8]>::try_from),
            bytes.get(9..17).map(<[u8; 8]>::try_from),
            bytes.get(17..),
        ) else {
            return Err("a header that is too short".into());
        };
        let (offset, length) = (u64::from_le_bytes(offset), u64::from_le_bytes(length));
        Ok(Self { op: *op, offset, length, text: text.to_owned() })
    }

    pub(crate) fn path(&self) -> Outcome<&str> {
        Ok(std::str::from_utf8(&self.text)?)
    }
}

pub(crate) fn bounds() -> Bounds {
    Bounds { window: WINDOW, ..Bounds::default() }
}

/// Fixed keys: both processes know them, and what is measured is no secret.
pub(crate) fn keys() -> (ServerSecurity, ClientSecurity) {
    let token = remofile_proto::Token::parse("TTA3rMB8VtNYv25kdipkaJ").expect("the token of the specification is one");
    let keys = remofile_proto::Keys::derive(&token);
    let server = ServerSecurity::Curve {
        secret: CurveKey::new(*keys.server.secret()),
        admitted: CurveKey::new(*keys.client.public()),
    };
    let client = ClientSecurity::Curve {
        server: CurveKey::new(*keys.server.public()),
        public: CurveKey::new(*keys.client.public()),
        secret: CurveKey::new(*keys.client.secret()),
    };
    (server, client)
}
