//! What went over the wire in a case, kept short enough to print.

use crate::{
    engine::lint::Finding,
    mutation::{self, HarnessMutation},
    wire::cbor::{self, hex},
};
use std::{
    cell::RefCell,
    collections::VecDeque,
    rc::Rc,
    time::{Duration, Instant},
};

/// Messages that are kept of one case: enough for any that fails early, and for the end of a long one.
const KEPT: usize = 200;
/// Bytes that are kept of a header and of a payload.
const HEADER_KEPT: usize = 2_048;
const PAYLOAD_KEPT: usize = 64;

/// Which way a message went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Direction {
    Sent,
    Received,
}

/// One message.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    /// Since the case began.
    pub(crate) at: Duration,
    /// Which of the case's connections.
    pub(crate) peer: String,
    pub(crate) direction: Direction,
    /// What stands behind the delimiter, cut off where it is long.
    pub(crate) frames: Vec<Excerpt>,
}

/// A frame, or its beginning.
#[derive(Clone, Debug)]
pub(crate) struct Excerpt {
    pub(crate) bytes: Vec<u8>,
    /// Of the whole frame.
    pub(crate) length: usize,
}

/// What a case said and heard, and what was wrong with any reply.
pub(crate) struct Journal {
    began: Instant,
    exchanges: VecDeque<Exchange>,
    forgotten: usize,
    findings: Vec<Finding>,
    replies: u64,
}

/// A journal that all connections of a case write to.
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

    /// Counts a reply that was looked at, and keeps what was wrong with it.
    pub(crate) fn linted(&mut self, findings: Vec<Finding>) {
        self.replies += 1;
        if !mutation::is(HarnessMutation::LintOff) {
            self.findings.extend(findings);
        }
    }

    /// Takes what the case left: its messages, how many were forgotten, the findings, and the replies looked at.
    pub(crate) fn take(&mut self) -> (Vec<Exchange>, usize, Vec<Finding>, u64) {
        let exchanges = std::mem::take(&mut self.exchanges).into();
        let findings = std::mem::take(&mut self.findings);
        (exchanges, std::mem::take(&mut self.forgotten), findings, std::mem::take(&mut self.replies))
    }
}

impl Excerpt {
    /// Hexadecimal, with the length where bytes are left out.
    pub(crate) fn hex(&self) -> String {
        match self.length - self.bytes.len() {
            0 => hex(&self.bytes),
            more => format!("{}… ({more} more bytes)", hex(&self.bytes)),
        }
    }

    /// Diagnostic notation where it is a whole header of the profile, or why it is none.
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
