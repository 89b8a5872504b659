//! The messages of a case, shortened for printing.

use crate::{
    engine::lint::Finding,
    mutation,
    wire::cbor::{self, hex},
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

/// Messages kept of a case: enough for a case that fails early, and for the end of a long one.
const KEPT: usize = 200;
/// Bytes kept of a header and of a payload.
const HEADER_KEPT: usize = 2_048;
const PAYLOAD_KEPT: usize = 64;

/// The direction of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Time since the case began.
    pub(crate) at: Duration,
    /// The name of the client.
    pub(crate) peer: String,
    pub(crate) direction: Direction,
    /// The frames after the delimiter, shortened.
    pub(crate) frames: Vec<Excerpt>,
}

/// A frame, or its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    pub(crate) bytes: Vec<u8>,
    /// The length of the whole frame.
    pub(crate) length: usize,
}

/// The messages of a case, and the findings about its replies.
pub(crate) struct Journal {
    began: Instant,
    exchanges: VecDeque<Exchange>,
    forgotten: usize,
    findings: Vec<Finding>,
    replies: u64,
}

/// The journal that all clients of a case write to.
pub(crate) type SharedJournal = Rc<RefCell<Journal>>;

impl Journal {
    pub(crate) fn shared() -> SharedJournal {
        Rc::new(RefCell::new(Self {
            began: Instant::now(),
            exchanges: VecDeque::new(),
            forgotten: 0,
            findings: Vec::new(),
            replies: 0,
        }))
    }

    pub(crate) fn record(&mut self, peer: &str, direction: Direction, frames: &[Vec<u8>]) {
        if self.exchanges.len() == KEPT {
            self.exchanges.pop_front();
            self.forgotten += 1;
        }
        let frames = frames.iter().enumerate().map(|(index, frame)| {
            let kept = if index == 0 { HEADER_KEPT } else { PAYLOAD_KEPT };
            Excerpt { bytes: frame[..frame.len().min(kept)].to_vec(), length: frame.len() }
        });
        let exchange =
            Exchange { at: self.began.elapsed(), peer: peer.to_owned(), direction, frames: frames.collect() };
        self.exchanges.push_back(exchange);
    }

    /// Counts a checked reply and keeps its findings.
    pub(crate) fn linted(&mut self, findings: Vec<Finding>) {
        self.replies += 1;
        if !mutation::active!(LintOff) {
            self.findings.extend(findings);
        }
    }

    /// Takes the messages, the number of dropped ones, the findings, and the number of checked replies.
    pub(crate) fn take(&mut self) -> (Vec<Exchange>, usize, Vec<Finding>, u64) {
        let exchanges = std::mem::take(&mut self.exchanges).into();
        let findings = std::mem::take(&mut self.findings);
        (exchanges, std::mem::take(&mut self.forgotten), findings, std::mem::take(&mut self.replies))
    }
}

impl Excerpt {
    /// Hexadecimal, with the number of omitted bytes.
    pub(crate) fn hex(&self) -> String {
        match self.length - self.bytes.len() {
            0 => hex(&self.bytes),
            more => format!("{}… ({more} more bytes)", hex(&self.bytes)),
        }
    }

    /// Diagnostic notation of a header, or why it cannot be decoded.
    pub(crate) fn notation(&self) -> String {
        if self.bytes.len() < self.length {
            return format!("{} bytes", self.length);
        }
        match cbor::read(&self.bytes) {
            Ok(value) => value.to_string().replace(&format!("h'{}'", hex(crate::report::redact::BLANK)), "[redacted]"),
            Err(broken) => format!("not the profile's CBOR: {broken}"),
        }
    }
}
