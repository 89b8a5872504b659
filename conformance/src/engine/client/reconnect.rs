//! Going on when the server, or something on the way, has cut the connection.

use super::Client;
use crate::{
    engine::error::{CaseError, CaseResult},
    wire::connection::Frames,
};

/// So many cuts one behind the other, without a message in between, and there is no use in going on.
const CUTS: u32 = 10;

impl Client {
    /// Whether something that was sent in this case may have been lost, or come twice, with a connection.
    pub(crate) fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Goes on over another connection, and sends again whatever is unanswered, in its order [SEQ-21]: the server has
    /// received it or has not, executed it or has not, and its numbers make one of that [SEQ-3].
    pub(super) fn repair(&mut self) -> CaseResult {
        self.cuts += 1;
        if self.cuts > CUTS {
            return Err(CaseError::Silent(format!(
                "the connection was cut {CUTS} times, and no message came in between"
            )));
        }
        self.was_cut = true;
        let broken = |error| CaseError::Harness(format!("no socket could be opened: {error}"));
        self.connection = self.connection.reopen().map_err(broken)?;
        let unanswered = self.awaited.iter().filter(|sent| !sent.frames.is_empty());
        let again: Vec<Frames> =
            unanswered.flat_map(|sent| std::iter::repeat_n(sent.frames.clone(), sent.replies as usize)).collect();
        again.iter().try_for_each(|frames| self.transmit(frames))
    }
}
