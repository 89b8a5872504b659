//! The owner of the session.

use super::{Fingerprint, open_uploads::OpenUploads, reply_cache::ReplyCache};
use remofile_proto::{Busy, SessionId};
use std::time::Duration;

/// The one session that is open, lapsed or released. Of a replaced session only the id is kept.
#[derive(Debug)]
pub(super) struct SessionOwner {
    pub(super) id: SessionId,
    pub(super) client: String,
    pub(super) lease: Duration,
    /// When its last request came, or the server's own work for it ended [SES-14].
    pub(super) last_heard: Duration,
    /// It sent bye: only remembered replies are left [SES-18].
    pub(super) closed: bool,
    pub(super) reply_cache: ReplyCache,
    pub(super) open_uploads: OpenUploads,
    pub(super) running: Option<RunningRequest>,
}

/// The current or last owner of the session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnerInfo {
    /// The id.
    pub session: SessionId,
    /// The client's name from hello: any text of at most 128 bytes.
    pub client: String,
    /// The lease that was granted.
    pub lease: Duration,
    /// How long it has sent nothing.
    pub idle: Duration,
    /// Whether it sent bye.
    pub closed: bool,
    /// Whether an operation is being executed for it.
    pub is_executing: bool,
}

/// The request that is being executed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct RunningRequest {
    pub(super) seq: u64,
    pub(super) fingerprint: Fingerprint,
}

impl SessionOwner {
    /// Whether a new id may replace this one without `take` [SES-6].
    pub(super) fn is_expired(&self, now: Duration) -> bool {
        self.closed || (self.running.is_none() && self.idle(now) >= self.lease)
    }

    pub(super) fn mark_heard(&mut self, now: Duration) {
        self.last_heard = self.last_heard.max(now);
    }

    pub(super) fn busy_detail(&self, now: Duration) -> Busy {
        let idle = if self.running.is_some() { Duration::ZERO } else { self.idle(now) };
        Busy {
            idle_ms: milliseconds(idle),
            lease_ms: milliseconds(self.lease),
            client: self.client.clone(),
            session: self.id,
        }
    }

    pub(super) fn owner_info(&self, now: Duration) -> OwnerInfo {
        OwnerInfo {
            session: self.id,
            client: self.client.clone(),
            lease: self.lease,
            idle: self.idle(now),
            closed: self.closed,
            is_executing: self.running.is_some(),
        }
    }

    fn idle(&self, now: Duration) -> Duration {
        now.saturating_sub(self.last_heard)
    }
}

/// Whole milliseconds, at most what the protocol's integers hold.
pub(super) fn milliseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX).min(i64::MAX as u64)
}
