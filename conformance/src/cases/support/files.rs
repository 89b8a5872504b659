//! What the cases about paths and files share: requests by path, many at once, the clock of the file system.

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

/// How long an entry may stay `racy`: coarser time stamps than FAT's two seconds are not known.
pub(crate) const RACY_FOR: Duration = Duration::from_secs(5);

/// Every request that looks for something at a path, in every place that a path can stand; `other` is a good path for
/// the other place of `move` and `copy`.
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

/// As [`by_path`], with `begin`, which looks at the path alone [BEGIN-4].
pub(crate) fn by_name(t: &CaseContext, path: &str, other: &str) -> Vec<Request> {
    let mut requests = by_path(path, other);
    requests.push(begin(t.id(), path));
    requests
}

/// Sends requests as far ahead as the window lets, and gives their final replies in order.
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

/// Steps that the check builds upon, sent together.
pub(crate) fn setup_all(t: &mut CaseContext, requests: Vec<Request>) -> CaseResult<Vec<Reply>> {
    let replies = all(t, requests.clone())?;
    match replies.iter().position(|reply| !reply.is_ok()) {
        None => Ok(replies),
        Some(at) => Err(CaseError::Untestable(format!(
            "a step that the check builds upon failed: {} was answered {}",
            shown(&requests[at]),
            replies[at].code
        ))),
    }
}

/// The check that each of these is answered by one of the codes.
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

/// As [`expect_all`], and nothing has changed behind them [REFUSE-1] and the session goes on [REFUSE-2].
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

/// An entry without `racy`, which goes away by itself.
pub(crate) fn lasting(entry: &Entry) -> Vec<(String, Value)> {
    match &entry.value {
        Value::Map(members) => members.iter().filter(|(key, _)| key != "racy" && key != "name").cloned().collect(),
        _ => Vec::new(),
    }
}

/// The check that an entry is what `stat` says right behind it [ENTRY-5].
pub(crate) fn expect_stat(t: &mut CaseContext, path: &str, entry: &Entry) -> CaseResult {
    let now = t.expect_ok(stat(path))?.entry()?;
    t.equal(&format!("the entry of {path} in the result"), lasting(entry), lasting(&now))
}

/// The entry of a file once it is no longer `racy`: from then on its etag tells every change [ENTRY-6].
pub(crate) fn settled(t: &mut CaseContext, path: &str) -> CaseResult<Entry> {
    let untestable = || CaseError::Untestable(format!("{path} has to lose its `racy`, and files here never do"));
    if t.environment.stays_racy.get() {
        return Err(untestable());
    }
    let entry = settles(t, path)?;
    t.environment.stays_racy.set(entry.is_none());
    entry.ok_or_else(untestable)
}

/// As [`settled`]; none where a file that nothing changes stays `racy`.
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

/// The modification times that the file system behind a server keeps.
pub(crate) struct Clock {
    granularity: i128,
    least: i64,
    most: i64,
}

impl Clock {
    /// Learns them: the granularity from times that the server sets, the bounds by asking for what lies beyond.
    pub(crate) fn learn(t: &mut CaseContext) -> CaseResult<Self> {
        let path = t.file("clock", b"")?;
        let mut granularity = 1_000_000_000_i128;
        for _ in 0..3 {
            let now = i128::from(t.setup(put(&path, "tick").arg("pre", "any"))?.entry()?.mtime_ns()?);
            while granularity > 1 && now % granularity != 0 {
                granularity /= 10;
            }
        }
        // By both ways: one that stops short of what the other reaches is found out.
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

    /// The least and the greatest.
    pub(crate) fn bounds(&self) -> (i64, i64) {
        (self.least, self.most)
    }

    /// The check that a time is the nearest to the one asked for [PUT-2] [TOUCH-1].
    pub(crate) fn expect_nearest(&self, got: i64, asked: i64) -> CaseResult {
        // A file system that shows whole seconds may keep every second one alone.
        let slack = if self.granularity == 1_000_000_000 { 2 } else { 1 } * self.granularity;
        let nearest = asked.clamp(self.least.min(self.most), self.most.max(self.least));
        if (i128::from(got) - i128::from(nearest)).abs() < slack {
            return Ok(());
        }
        failed(format!(
            "mtime_ns {asked} became {got}; this file system keeps {} to {} in steps of {} ns",
            self.least, self.most, self.granularity
        ))
    }
}

fn shown(request: &Request) -> String {
    let text = format!("{} {}", request.op, Value::Map(request.args.clone()));
    if text.len() <= 400 { text } else { format!("{}…", &text[..text.floor_char_boundary(400)]) }
}
