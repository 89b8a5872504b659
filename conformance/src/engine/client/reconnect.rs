//! Reconnects when the connection was cut.

use super::Client;
use crate::{
    engine::error::{CaseError, CaseResult},
    wire::connection::Frames,
};

/// The client gives up after this many cuts without a message between them.
const CUTS: u32 = 10;

impl Client {
    /// Whether a message of this case may have been lost or duplicated by a cut connection.
    pub(crate) fn was_cut(&self) -> bool {
        self.was_cut
    }

    /// Opens another connection and sends all unanswered requests again, in order [SEQ-21]. The server may have received
    /// or executed them already; by their numbers it executes each once [SEQ-3].
    pub(super) fn repair(&mut self) -> CaseResult {
        self.cuts += 1;
        if self.cuts > CUTS {
            return Err(CaseError::Silent(format!("the connection was cut {CUTS} times without a message in between")));
        }
        self.was_cut = true;
        let broken = |error| CaseError::Harness(format!("cannot open a socket: {error}"));
        self.connection = self.connection.reopen().map_err(broken)?;
        let unanswered = self.awaited.iter().filter(|sent| !sent.frames.is_empty());
        let again: Vec<Frames> =
            unanswered.flat_map(|sent| std::iter::repeat_n(sent.frames.clone(), sent.replies as usize)).collect();
        again.iter().try_for_each(|frames| self.transmit(frames))
    }
}
