//! What the server says: a code with its result, and the frames that carry it.

use crate::{behaviour::Behaviour, lax_encoder, mutations, variants, worker::Cancelled};
use remofile_proto::{Code, SessionId, cbor::Item, limits::MAGIC};
use rustix::io::Errno;

/// A text with control characters and several scripts.
const SORRY: &str =
    "Zu unserem größten Bedauern läßt sich „das“ nicht einrichten:\n\t☃ \u{202e}nejf\u{301}\u{0}\u{1b}[31m";

/// A result's keys and values, in any order.
pub(crate) type Fields = Vec<(String, Item)>;

/// The answer to a request.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) code: u8,
    pub(crate) result: Fields,
    pub(crate) payload: Option<Vec<u8>>,
}

/// The outcome of an operation.
pub(crate) type Answer = Result<Reply, Refusal>;

/// An answer other than OK.
#[derive(Clone, Debug)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) result: Fields,
}

impl Reply {
    /// OK with a result.
    pub(crate) fn ok(result: Fields) -> Self {
        Self { code: Code::Ok.number(), result, payload: None }
    }

    /// OK with `entry` ([ENTRY-2]).
    pub(crate) fn entry(entry: Item) -> Self {
        Self::ok(vec![field("entry", entry)])
    }

    /// A mutation: the opposite, which is OK for whatever was refused and a refusal for the rest.
    pub(crate) fn inverted(self) -> Self {
        if self.code == Code::Ok.number() { Refusal::from(Code::NotFound).into() } else { Self::ok(Vec::new()) }
    }

    /// A legal variant: looking unlike those of others, and meaning the same.
    pub(crate) fn varied(mut self, behaviour: &Behaviour) -> Self {
        let is_ok = self.code == Code::Ok.number();
        // [OP-3]
        let may_have_more = !is_ok || !self.result.is_empty();
        if may_have_more && behaviour.is_variant(&variants::UNKNOWN_KEYS) {
            self.result.push(field("x", Item::Bool(true)));
            self.result
                .push(field("x-unheard-of-and-so-on", Item::Array(vec![Item::Map(vec![field("", bytes(b""))])])));
        }
        if !is_ok && behaviour.is_variant(&variants::OTHER_TEXTS) {
            self.result.retain(|(key, _)| key != "msg");
            self.result.push(field("msg", text(&format!("{SORRY} ({})", self.code))));
        }
        if !is_ok && behaviour.is_variant(&variants::NO_TEXTS) {
            self.result.retain(|(key, _)| key != "msg");
        }
        self
    }

    /// The frames after the delimiter.
    pub(crate) fn frames(self, session: SessionId, seq: u64, behaviour: &Behaviour) -> Vec<Vec<u8>> {
        let tells_offset = self.code == Code::Ok.number() && self.result.iter().any(|(key, _)| key == "off");
        let mut items = vec![
            Item::Text(MAGIC.to_owned()),
            Item::Bytes(session.as_bytes().to_vec()),
            integer(seq),
            Item::Int(self.code.into()),
            Item::Map(self.result),
        ];
        if self.code == Code::BadMessage.number() && behaviour.has(&mutations::envelope::REFUSALS_WITHOUT_RESULT) {
            items.pop();
        }
        let header = lax_encoder::write(&Item::Array(items), behaviour);
        let payload = match self.payload {
            Some(payload) if payload.is_empty() && behaviour.has(&mutations::envelope::NOTHING_IS_NO_PAYLOAD) => None,
            None if tells_offset && behaviour.has(&mutations::envelope::UPLOADS_WITH_PAYLOAD) => Some(Vec::new()),
            None if self.code == Code::NotFound.number()
                && behaviour.has(&mutations::envelope::REFUSED_WITH_PAYLOAD) =>
            {
                Some(Vec::new())
            }
            payload => payload,
        };
        std::iter::once(header).chain(payload).collect()
    }
}

impl Refusal {
    /// A refusal with details.
    pub(crate) fn with(code: Code, result: Fields) -> Self {
        Self { code, result }
    }
}

impl From<Code> for Refusal {
    /// A refusal with a sentence for people ([CODE-2]).
    fn from(code: Code) -> Self {
        Self::with(code, vec![field("msg", text(code.text()))])
    }
}

impl From<Refusal> for Reply {
    fn from(refusal: Refusal) -> Self {
        Self { code: refusal.code.number(), result: refusal.result, payload: None }
    }
}

impl From<Errno> for Refusal {
    /// Steps 14 and 16 of the order: what the system says.
    fn from(errno: Errno) -> Self {
        Self::from(match errno {
            Errno::NOENT => Code::NotFound,
            Errno::NOTDIR | Errno::LOOP => Code::NotDir,
            Errno::ISDIR => Code::NotFile,
            Errno::EXIST => Code::Exists,
            Errno::NOTEMPTY => Code::NotEmpty,
            Errno::ACCESS | Errno::PERM | Errno::ROFS | Errno::BUSY | Errno::TXTBSY | Errno::XDEV => Code::Denied,
            Errno::NOSPC | Errno::DQUOT => Code::NoSpace,
            Errno::FBIG => Code::TooLarge,
            Errno::NAMETOOLONG => Code::BadName,
            _ => Code::Internal,
        })
    }
}

impl From<Cancelled> for Refusal {
    fn from(_: Cancelled) -> Self {
        Self::from(Code::NoSession)
    }
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Errno::from_io_error(&error).map_or(Code::Internal.into(), Self::from)
    }
}

/// A key with its value.
pub(crate) fn field(key: &str, value: Item) -> (String, Item) {
    (key.to_owned(), value)
}

/// Replaces the value of a key that is there.
pub(crate) fn replace(fields: &mut Fields, key: &str, value: Item) {
    if let Some((_, replaced)) = fields.iter_mut().find(|(name, _)| name == key) {
        *replaced = value;
    }
}

/// A count of bytes, milliseconds or requests; more than the profile has is shown as the most it has.
pub(crate) fn integer(number: u64) -> Item {
    Item::Int(i64::try_from(number).unwrap_or(i64::MAX))
}

pub(crate) fn text(text: &str) -> Item {
    Item::Text(text.to_owned())
}

pub(crate) fn bytes(bytes: &[u8]) -> Item {
    Item::Bytes(bytes.to_vec())
}
