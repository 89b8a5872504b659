//! The server's side: answers and refusals to header frames.

use crate::cbor::{Counter, MapWriter, Sink, Writer};
use crate::{
    Answer, Detail, Entry, HelloReply, Kind, ListedEntry, Listing, Names, Refusal, SessionId, UploadEntry, Uploads,
    limits,
};
use alloc::vec::Vec;

/// What the header of a page has at most beside its entries or uploads, in bytes.
///
/// A page fits a chunk if this and the sum of `encoded_len` of its entries do not exceed it.
pub const PAGE_OVERHEAD: usize = 80;

/// The header frame of a reply. Integers are at most 2^63 - 1.
///
/// A READ answered OK has its bytes in a payload frame after this one.
#[must_use]
pub fn encode_reply(session: SessionId, seq: u64, result: &Result<Answer, Refusal>) -> Vec<u8> {
    let capacity = match result {
        Ok(Answer::Listing(listing)) => PAGE_OVERHEAD + listing.entries.len() * 128,
        Ok(Answer::Uploads(uploads)) => PAGE_OVERHEAD + uploads.uploads.len() * 128,
        _ => 192,
    };
    let mut writer = Writer(Vec::with_capacity(capacity));
    writer.array(5);
    writer.text(limits::MAGIC);
    writer.bytes(session.as_bytes());
    writer.uint(seq);
    match result {
        Ok(answer) => {
            writer.uint(0);
            writer.map(|result| write_answer(result, answer));
        }
        Err(refusal) => {
            writer.uint(refusal.code.number().into());
            writer.map(|result| write_refusal(result, refusal));
        }
    }
    writer.0
}

impl ListedEntry {
    /// How many bytes this takes in the header of a page.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut writer = Writer(Counter::default());
        write_entry(&mut writer, &self.entry, Some(&self.name));
        writer.0.0
    }
}

impl UploadEntry {
    /// How many bytes this takes in the header of a page.
    #[must_use]
    pub fn encoded_len(&self) -> usize {
        let mut writer = Writer(Counter::default());
        write_upload(&mut writer, self);
        writer.0.0
    }
}

impl Kind {
    /// The word on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Kind::File => "file",
            Kind::Dir => "dir",
            Kind::Link => "link",
            Kind::Other => "other",
        }
    }
}

impl Names {
    /// The word on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Names::Posix => "posix",
            Names::Windows => "windows",
        }
    }
}

fn write_answer<S: Sink>(result: &mut MapWriter<'_, S>, answer: &Answer) {
    match answer {
        Answer::Empty => {}
        Answer::Hello(hello) => write_hello(result, hello),
        Answer::Entry(entry) => write_entry(result.key("entry"), entry, None),
        Answer::Listing(listing) => write_listing(result, listing),
        Answer::Read(read) => {
            result.bytes("etag", read.etag.as_bytes());
            result.uint("size", read.size);
        }
        Answer::Hash(hash) => {
            result.uint("len", hash.len);
            result.bytes("etag", hash.etag.as_bytes());
            result.bytes("hash", &hash.hash.as_bytes()[..]);
        }
        Answer::Staged(staged) => {
            result.uint("off", staged.off);
            result.bytes("hash", &staged.hash.as_bytes()[..]);
        }
        Answer::Offset(off) => result.uint("off", *off),
        Answer::Uploads(uploads) => write_uploads(result, uploads),
    }
}

fn write_hello<S: Sink>(result: &mut MapWriter<'_, S>, hello: &HelloReply) {
    result.key("ro").bool(hello.ro);
    result.bytes("boot", &hello.boot.as_bytes()[..]);
    let caps = result.key("caps");
    let names = hello.caps.names();
    caps.array(names.len());
    names.for_each(|name| caps.text(name));
    result.bytes("root", hello.root.as_ref().map(|root| &root.as_bytes()[..]));
    result.uint("chunk", hello.chunk);
    result.key("folds").bool(hello.folds);
    result.text("names", hello.names.name());
    result.uint("header", hello.header);
    result.uint("window", hello.window);
    result.uint("lease_ms", hello.lease_ms);
}

fn write_listing<S: Sink>(result: &mut MapWriter<'_, S>, listing: &Listing) {
    result.key("more").bool(listing.more);
    let entries = result.key("entries");
    entries.array(listing.entries.len());
    listing.entries.iter().for_each(|listed| write_entry(entries, &listed.entry, Some(&listed.name)));
    result.uint("skipped", listing.skipped);
}

fn write_uploads<S: Sink>(result: &mut MapWriter<'_, S>, uploads: &Uploads) {
    result.key("more").bool(uploads.more);
    let entries = result.key("uploads");
    entries.array(uploads.uploads.len());
    uploads.uploads.iter().for_each(|upload| write_upload(entries, upload));
}

fn write_entry<S: Sink>(writer: &mut Writer<S>, entry: &Entry, name: Option<&str>) {
    writer.map(|map| {
        map.bytes("etag", entry.etag.as_ref().map(|etag| etag.as_bytes()));
        map.text("kind", entry.kind.name());
        map.text("name", name);
        map.flag("racy", entry.racy);
        map.uint("size", entry.size);
        map.int("mtime_ns", entry.mtime_ns);
    });
}

fn write_upload<S: Sink>(writer: &mut Writer<S>, upload: &UploadEntry) {
    writer.map(|map| {
        map.bytes("up", &upload.up.as_bytes()[..]);
        map.uint("off", upload.off);
        map.text("path", upload.path.as_str());
        map.uint("size", upload.size);
        map.uint("age_ms", upload.age_ms);
    });
}

/// `msg` sorts before every other key, whichever the details are.
fn write_refusal<S: Sink>(result: &mut MapWriter<'_, S>, refusal: &Refusal) {
    result.text("msg", refusal.msg.as_deref());
    match &refusal.detail {
        Detail::None => {}
        Detail::Busy(busy) => {
            result.text("client", busy.client.as_str());
            result.uint("idle_ms", busy.idle_ms);
            result.bytes("session", &busy.session.as_bytes()[..]);
            result.uint("lease_ms", busy.lease_ms);
        }
        Detail::Next(next) => result.uint("next", *next),
        Detail::Offset(off) => result.uint("off", *off),
        Detail::Progress { done, total } => {
            result.uint("done", *done);
            result.uint("total", *total);
        }
    }
}
