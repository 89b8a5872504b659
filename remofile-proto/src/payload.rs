//! Payloads: how many bytes of content a payload frame carries, and how it encodes them.

use crate::envelope::Request;
use crate::reply::Reply;

/// How a payload frame encodes its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Encoding {
    /// The frame is the content: the only encoding of version 1.
    Identity,
}

/// A payload frame as limits and ranges count it: by its content, however it is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Payload {
    /// How many bytes of content it carries, after decoding.
    pub raw_len: u64,
    /// How the frame encodes them.
    pub encoding: Encoding,
}

impl Payload {
    /// What a message without a payload frame carries.
    pub const NONE: Self = Self::identity(0);

    /// A frame that is its content.
    #[must_use]
    pub const fn identity(raw_len: u64) -> Self {
        Self { raw_len, encoding: Encoding::Identity }
    }

    /// The payload of a request.
    #[must_use]
    pub fn of_request(request: &Request<'_>) -> Self {
        Self::of_frame(request.payload)
    }

    /// The payload of a reply.
    #[must_use]
    pub fn of_reply(reply: &Reply<'_>) -> Self {
        Self::of_frame(reply.payload)
    }

    fn of_frame(frame: Option<&[u8]>) -> Self {
        Self::identity(frame.map_or(0, <[u8]>::len) as u64)
    }
}
