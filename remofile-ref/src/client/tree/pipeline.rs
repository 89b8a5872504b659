//! Small requests under way, each with the job that it belongs to, in one session after another.

use crate::client::{Answer, ClientError, FileClient, Operation, payload::Content, payload::Payload, retry::Retry};
use remofile_proto::Refusal;
use std::collections::HashMap;

/// Jobs whose requests are unanswered.
#[derive(Debug)]
pub(crate) struct Pipeline<J> {
    /// With their weights in bytes.
    jobs: HashMap<u64, (J, u64)>,
    in_flight: u64,
    retry: Retry,
    replies: u64,
}

/// A request that a job needs answered next.
pub(crate) struct Request {
    pub(crate) operation: Operation,
    pub(crate) payload: Payload,
    /// How many bytes of content it brings, in either direction.
    pub(crate) content: u64,
}

/// What goes through files and keeps small ones in flight, in either direction.
pub(crate) trait PipelineDriver {
    /// A small file on its way.
    type Item;

    fn parts(&mut self) -> (&mut FileClient, &mut Pipeline<Self::Item>);

    /// How many bytes the answers of a job may keep in memory.
    fn weight(&self, job: &Self::Item) -> u64;

    /// What a job needs next; nothing where it failed, which has been noted then.
    fn request(&mut self, job: &Self::Item) -> Result<Option<Request>, ClientError>;

    fn on_reply(&mut self, job: Self::Item, answer: ReplyResult) -> Result<(), ClientError>;

    /// What a job whose request was unanswered when the session was lost goes on with [LOST-2].
    fn recover(job: Self::Item) -> Self::Item;

    /// In which order jobs go on that were unanswered when the session was lost.
    fn sort_for_recovery(_jobs: &mut [Self::Item]) {}

    /// Reports progress.
    fn report_progress(&mut self) {}

    /// Sends what the job needs next, when there is room for it.
    fn submit(&mut self, job: Self::Item) -> Result<(), ClientError> {
        let weight = self.weight(&job);
        loop {
            let (client, pipeline) = self.parts();
            if pipeline.has_room(client, weight) {
                return self.send(job);
            }
            self.advance()?;
        }
    }

    fn send(&mut self, job: Self::Item) -> Result<(), ClientError> {
        let Some(Request { operation, payload, content }) = self.request(&job)? else { return Ok(()) };
        let weight = self.weight(&job);
        let (client, pipeline) = self.parts();
        // What was not numbered was not sent: it needs no settling.
        let (job, others) = match pipeline.send(client, operation, payload, (content, weight), job)? {
            None => return Ok(()),
            Some(lost) => lost,
        };
        self.recover_all(others)?;
        self.send(job)
    }

    /// Waits for the next answer, and goes on with its job.
    fn advance(&mut self) -> Result<(), ClientError> {
        let (client, pipeline) = self.parts();
        match pipeline.next(client)? {
            Completed::Replied(Some(job), answer) => self.on_reply(job, answer)?,
            // To what a call before gave up on.
            Completed::Replied(None, _) => {}
            Completed::Lost(jobs) => self.recover_all(jobs)?,
        }
        self.report_progress();
        Ok(())
    }

    /// Waits until everything under way is done.
    fn drain(&mut self) -> Result<(), ClientError> {
        while !self.parts().1.is_empty() {
            self.advance()?;
        }
        Ok(())
    }

    fn recover_all(&mut self, mut jobs: Vec<Self::Item>) -> Result<(), ClientError> {
        Self::sort_for_recovery(&mut jobs);
        jobs.into_iter().try_for_each(|job| self.send(Self::recover(job)))
    }
}

/// What a request was answered.
pub(crate) type ReplyResult = Result<(Answer, Option<Content>), Refusal>;

/// What came of waiting.
enum Completed<J> {
    /// The answer to a job's request; none where no item waits for it.
    Replied(Option<J>, ReplyResult),
    /// The session was lost with these unanswered, and another one is open to settle them in [LOST-2].
    Lost(Vec<J>),
}

impl<J> Pipeline<J> {
    pub(crate) fn new() -> Self {
        Self { jobs: HashMap::new(), in_flight: 0, retry: Retry::default(), replies: 0 }
    }

    fn is_empty(&self) -> bool {
        self.jobs.is_empty()
    }

    /// Whether a job of this weight may be under way as well.
    fn has_room(&self, client: &FileClient, weight: u64) -> bool {
        self.is_empty() || (self.in_flight.saturating_add(weight) <= client.in_flight_limit() && client.can_submit())
    }

    /// Sends the request of a job. Where the session had been lost, it was not sent: it comes back, with all those that
    /// were unanswered.
    fn send(
        &mut self,
        client: &mut FileClient,
        operation: Operation,
        payload: Payload,
        (content, weight): (u64, u64),
        job: J,
    ) -> Result<Option<(J, Vec<J>)>, ClientError> {
        let rate_limited = if content > 0 { client.await_rate(content) } else { Ok(()) };
        match rate_limited.and_then(|()| client.submit_of_many(operation, payload)) {
            Ok(seq) => {
                self.in_flight += weight;
                self.jobs.insert(seq, (job, weight));
                Ok(None)
            }
            Err(error @ ClientError::SessionLost { .. }) => Ok(Some((job, self.recover(client, error)?))),
            Err(error) => Err(error),
        }
    }

    /// Waits for the next answer.
    fn next(&mut self, client: &mut FileClient) -> Result<Completed<J>, ClientError> {
        match client.next_completion() {
            Ok(completion) => {
                self.replies += 1;
                let job = self.jobs.remove(&completion.seq).map(|(job, weight)| {
                    self.in_flight -= weight;
                    job
                });
                Ok(Completed::Replied(job, completion.result))
            }
            Err(error @ ClientError::SessionLost { .. }) => Ok(Completed::Lost(self.recover(client, error)?)),
            Err(error) => Err(error),
        }
    }

    /// Opens a new session; gives what was unanswered in the old one.
    fn recover(&mut self, client: &mut FileClient, loss: ClientError) -> Result<Vec<J>, ClientError> {
        self.retry.after(client, loss, self.replies)?;
        self.in_flight = 0;
        Ok(self.jobs.drain().map(|(_, (job, _))| job).collect())
    }
}
