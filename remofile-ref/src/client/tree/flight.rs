//! Small requests under way, each with the job that it belongs to, in one session after another.

use crate::client::{Answer, ClientError, FileClient, Operation, payload::Content, payload::Payload};
use remofile_proto::Refusal;
use std::collections::HashMap;

/// How often a lost session is opened again without a single answer in between.
const ATTEMPTS_WITHOUT_PROGRESS: u32 = 3;

/// Jobs whose requests are unanswered.
#[derive(Debug)]
pub(super) struct Flight<J> {
    /// With the sizes of their files in bytes.
    jobs: HashMap<u64, (J, u64)>,
    in_flight: u64,
    /// How often the session was lost since the last answer.
    losses: u32,
}

/// What came of waiting.
pub(super) enum Landed<J> {
    /// The answer to a job's request; nothing where it is to one that nobody waits for.
    Answered(Option<J>, Result<(Answer, Option<Content>), Refusal>),
    /// The session was lost with these unanswered, and another one is open to settle them in [LOST-2].
    Lost(Vec<J>),
}

/// What came of sending.
pub(super) enum Sending<J> {
    Sent,
    /// The session had been lost: this job was not sent, and the others are unanswered.
    Lost(J, Vec<J>),
}

impl<J> Flight<J> {
    pub(super) fn new() -> Self {
        Self { jobs: HashMap::new(), in_flight: 0, losses: 0 }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether a file of this size may be under way as well.
    pub(super) fn has_room(&self, client: &FileClient, size: u64) -> bool {
        self.is_empty() || (self.in_flight.saturating_add(size) <= client.in_flight_limit() && client.can_submit())
    }

    /// Sends the request of a job, for a file of `size` bytes.
    pub(super) fn send(
        &mut self,
        client: &mut FileClient,
        operation: Operation,
        payload: Payload,
        size: u64,
        job: J,
    ) -> Result<Sending<J>, ClientError> {
        match client.submit(operation, payload) {
            Ok(seq) => {
                self.in_flight += size;
                self.jobs.insert(seq, (job, size));
                Ok(Sending::Sent)
            }
            Err(error @ ClientError::SessionLost { .. }) => Ok(Sending::Lost(job, self.recover(client, error)?)),
            Err(error) => Err(error),
        }
    }

    /// Waits for the next answer.
    pub(super) fn next(&mut self, client: &mut FileClient) -> Result<Landed<J>, ClientError> {
        match client.next_completion() {
            Ok(completion) => {
                self.losses = 0;
                let job = self.jobs.remove(&completion.seq).map(|(job, size)| {
                    self.in_flight -= size;
                    job
                });
                Ok(Landed::Answered(job, completion.result))
            }
            Err(error @ ClientError::SessionLost { .. }) => Ok(Landed::Lost(self.recover(client, error)?)),
            Err(error) => Err(error),
        }
    }

    /// Opens a new session; gives what was unanswered in the old one.
    fn recover(&mut self, client: &mut FileClient, loss: ClientError) -> Result<Vec<J>, ClientError> {
        if self.losses == ATTEMPTS_WITHOUT_PROGRESS {
            return Err(loss);
        }
        self.losses += 1;
        client.reopen()?;
        self.in_flight = 0;
        Ok(self.jobs.drain().map(|(_, (job, _))| job).collect())
    }
}
