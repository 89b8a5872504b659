//! The ids of ended sessions: none of them opens a session again in this process [SES-5].

use remofile_proto::SessionId;
use std::collections::VecDeque;

/// How many retired ids are remembered, 16 bytes each.
const REMEMBERED: usize = 1024;

/// The last retired ids, oldest first.
#[derive(Debug, Default)]
pub(super) struct RetiredIds(VecDeque<SessionId>);

impl RetiredIds {
    pub(super) fn contains(&self, id: SessionId) -> bool {
        self.0.contains(&id)
    }

    pub(super) fn push(&mut self, id: SessionId) {
        if self.0.len() == REMEMBERED {
            self.0.pop_front();
        }
        self.0.push_back(id);
    }
}
