//! Helpers of cases about paths and files: requests by path, pipelines, the clock of the file system.

use crate::{
    engine::{
        client::ExpectedCodes,
        context::CaseContext,
        error::{CaseError, CaseResult, failed},
    },
    wire::{
        cbor::Value,
        reply::{Entry, Reply},
        request::{Request, begin, copy, hash, list, mkdir, put, read, remove, rename, stat, touch, truncate, write},
    },
};
use std::time::{Duration, Instant};

/// The longest time that an entry may stay `racy`; the coarsest known time stamps are FAT's of two seconds.
pub(crate) const RACY_FOR: Duration = Duration::from_secs(5);

/// Every request with a path, in every argument that takes a path; `other` is a valid path for
/// the other argument of `move` and `copy`.
pub(crate) fn by_path(path: &str, other: &str) -> Vec<Request> {
    vec![
        stat(path),
        list(path),
        list(path).arg("tree", true),
        read(path, 0, 1),
        hash(path),
        mkdir(path),
        put(path, "p").arg("pre", "any"),
        write(path, 0, "w"),
        truncate(path, 0),
        touch(path, 0),
        remove(path),
        rename(path, other),
        rename(other, path).arg("pre", "any"),
        copy(path, other),
        copy(other, path).arg("pre", "any"),
    ]
}

/// Like [`by_path`], with `begin`, which checks only the name [BEGIN-4].
pub(crate) fn by_name(t: &CaseContext, path: &str, other: &str) -> Vec<Request> {
    let mut requests = by_path(path, other);
    requests.push(begin(t.id(), path));
    requests
}

/// Pipelines requests up to the window and returns their final replies in order.
pub(crate) fn all(t: &mut CaseContext, requests: Vec<Request>) -> CaseResult<Vec<Reply>> {
    let window = usize::try_from(t.server()?.window).unwrap_or(1).clamp(1, 64);
    let mut replies = Vec::new();
    for batch in requests.chunks(window) {
        let mut sent = Vec::new();
        for request in batch {
            sent.push(t.send(request)?);
        }
        replies.extend(t.final_replies(&sent)?);
    }
    Ok(replies)
}

/// Pipelines setup requests.
pub(crate) fn setup_all(t: &mut CaseContext, requests: Vec<Request>) -> CaseResult<Vec<Reply>> {
    let replies = all(t, requests.clone())?;
    match replies.iter().position(|reply| !reply.is_ok()) {
        None => Ok(replies),
        Some(at) => Err(CaseError::Untestable(format!(
            "a setup step failed: {} was answered {}",
            shown(&requests[at]),
            replies[at].code
        ))),
    }
}

/// Checks that each of these is answered by one of the codes.
pub(crate) fn expect_all(
    t: &mut CaseContext,
    requests: Vec<Request>,
    codes: impl ExpectedCodes,
) -> CaseResult<Vec<Reply>> {
    let replies = all(t, requests.clone())?;
    for (request, reply) in requests.iter().zip(&replies) {
        t.code(&shown(request), reply, codes.codes())?;
    }
    Ok(replies)
}

/// Like [`expect_all`], and checks that nothing has changed [REFUSE-1] and that the session continues [REFUSE-2].
pub(crate) fn refuse_all(t: &mut CaseContext, requests: Vec<Request>, codes: impl ExpectedCodes) -> CaseResult {
    let before = t.snapshot()?;
    expect_all(t, requests, codes)?;
    t.expect_unchanged(&before)
}

/// The names in the case's directory.
pub(crate) fn listed(t: &mut CaseContext) -> CaseResult<Vec<String>> {
    let request = list(t.directory());
    t.names(&request)
}

/// An entry without `racy`, which the server leaves out after a time.
pub(crate) fn lasting(entry: &Entry) -> Vec<(String, Value)> {
    match &entry.value {
        Value::Map(members) => members.iter().filter(|(key, _)| key != "racy" && key != "name").cloned().collect(),
        _ => Vec::new(),
    }
}

/// Checks that an entry equals that of a following `stat` [ENTRY-5].
pub(crate) fn expect_stat(t: &mut CaseContext, path: &str, entry: &Entry) -> CaseResult {
    let now = t.expect_ok(stat(path))?.entry()?;
    t.equal(&format!("the entry of {path} in the result"), lasting(entry), lasting(&now))
}

/// Waits until a file is no longer `racy`: from then on every change changes its etag [ENTRY-6].
pub(crate) fn settled(t: &mut CaseContext, path: &str) -> CaseResult<Entry> {
    let untestable = || CaseError::Untestable(format!("{path} must lose its `racy`, and files here never do"));
    if t.environment.stays_racy.get() {
        return Err(untestable());
    }
    let entry = settles(t, path)?;
    t.environment.stays_racy.set(entry.is_none());
    entry.ok_or_else(untestable)
}

/// Like [`settled`]; none if an unchanged file stays `racy`.
pub(crate) fn settles(t: &mut CaseContext, path: &str) -> CaseResult<Option<Entry>> {
    let until = Instant::now() + RACY_FOR;
    loop {
        let entry = t.entry(path)?;
        if entry.value.member("racy").is_none() {
            return Ok(Some(entry));
        }
        if Instant::now() > until {
            return Ok(None);
        }
        t.let_pass(Duration::from_millis(5))?;
    }
}

/// The modification times that the server's file system can store.
pub(crate) struct Clock {
    granularity: i128,
    least: i64,
    most: i64,
}

impl Clock {
    /// Measures the granularity by times that the server sets, and the bounds by setting extreme times.
    pub(crate) fn learn(t: &mut CaseContext) -> CaseResult<Self> {
        let path = t.file("clock", b"")?;
        let mut granularity = 1_000_000_000_i128;
        for _ in 0..3 {
            let now = i128::from(t.setup(put(&path, "tick").arg("pre", "any"))?.entry()?.mtime_ns()?);
            while granularity > 1 && now % granularity != 0 {
                granularity /= 10;
            }
        }
        // By both operations: a difference between their bounds is an error.
        let mut ends = [i64::MAX, i64::MIN];
        for time in [i64::MIN, i64::MAX] {
            for request in [touch(&path, time), put(&path, "tick").arg("pre", "any").arg("mtime_ns", time)] {
                let kept = t.setup(request)?.entry()?.mtime_ns()?;
                ends = [kept.min(ends[0]), kept.max(ends[1])];
            }
        }
        let [least, most] = ends;
        Ok(Self { granularity, least, most })
    }

    /// The least and the greatest time.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        (self.least, self.most)
    }

    /// Checks that a time is the nearest to the one asked for [PUT-2] [TOUCH-1].
    pub(crate) fn expect_nearest(&self, got: i64, asked: i64) -> CaseResult {
        // A file system with whole seconds may store only even ones.
        let slack = if self.granularity == 1_000_000_000 { 2 } else { 1 } * self.granularity;
        let nearest = asked.clamp(self.least.min(self.most), self.most.max(self.least));
        if (i128::from(got) - i128::from(nearest)).abs() < slack {
            return Ok(());
        }
        failed(format!(
            "mtime_ns {asked} became {got}; this file system stores {} to {} in steps of {} ns",
            self.least, self.most, self.granularity
        ))
    }
}

fn shown(request: &Request) -> String {
    let text = format!("{} {}", request.op, Value::Map(request.args.clone()));
    if text.len() <= 400 { text } else { format!("{}…", &text[..text.floor_char_boundary(400)]) }
}
