//! What becomes of a call whose session is lost (spec section 16).

use super::{
    ClientError, FailedRequest, FileClient, path_of,
    payload::{Content, Payload},
    retry::{RETRIES, Retry},
};
use remofile_proto::{Answer, Code, Digest, Kind, Operation, Recovery, RemotePath};

impl FileClient {
    /// Like [`FileClient::call`], and settles what becomes of the request when the session is lost [LOST-2].
    pub(super) fn call_resolved(&mut self, operation: Operation, payload: Payload) -> Result<Answer, ClientError> {
        Ok(self.call_resolved_with_content(operation, payload)?.0)
    }

    /// Like [`FileClient::call_resolved`], with the payload of the reply.
    pub(super) fn call_resolved_with_content(
        &mut self,
        operation: Operation,
        payload: Payload,
    ) -> Result<(Answer, Option<Content>), ClientError> {
        let mut is_uncertain = false;
        let mut retry = Retry::default();
        loop {
            let failed = match self.resolve_or_attempt(&operation, &payload, is_uncertain) {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            is_uncertain |= failed.is_uncertain;
            retry.after(self, failed.error, 0).map_err(|error| unresolved(&operation, is_uncertain, error))?;
        }
    }

    /// Flushes; where that does not cover all that was acknowledged, `again` looks what of it is there and makes what is
    /// missing [DUR-6].
    pub(super) fn flush_or_repeat(
        &mut self,
        path: Option<&RemotePath>,
        mut again: impl FnMut(&mut Self) -> Result<(), ClientError>,
    ) -> Result<(), ClientError> {
        for _ in 0..RETRIES {
            match self.flush_observed(path) {
                Err(ClientError::NotFlushed) => again(self)?,
                result => return result,
            }
        }
        self.flush_observed(path)
    }

    /// Sends a request; one that may have been executed before goes by the table.
    fn resolve_or_attempt(
        &mut self,
        operation: &Operation,
        payload: &Payload,
        is_uncertain: bool,
    ) -> Result<(Answer, Option<Content>), FailedRequest> {
        if is_uncertain && let Some(answer) = self.find_executed(operation, payload)? {
            self.note_change();
            return Ok((answer, None));
        }
        match self.attempt(operation.clone(), payload.clone()) {
            Err(FailedRequest { error: error @ ClientError::Refused { .. }, .. }) if is_uncertain => {
                let answer = self.resolve_refusal(operation, error)?;
                self.note_change();
                Ok((answer, None))
            }
            result => result,
        }
    }

    /// The result of a request whose reply was lost, where looking shows that it was executed.
    fn find_executed(&mut self, operation: &Operation, payload: &Payload) -> Result<Option<Answer>, ClientError> {
        let path = operation.path().ok_or_else(|| uncertain(operation));
        let target = operation.target().ok_or_else(|| uncertain(operation));
        match operation.info().recovery {
            Recovery::CompareContent => {
                let path = path?;
                let is_done = payload.hash().map_or(Ok(false), |ours| self.has_content(path, &Digest::new(ours)))?;
                if is_done { self.stat_once(path).map(Some) } else { Ok(None) }
            }
            Recovery::CompareFiles => {
                let (from, to) = (path?, target?);
                let source = self.look(|client| client.hash_of(from))?;
                let target = self.look(|client| client.hash_of(to))?;
                if source.is_some() && source == target { self.stat_once(to).map(Some) } else { Ok(None) }
            }
            Recovery::CheckBothPaths => {
                let (from, to) = (path?, target?);
                match self.stat_once(from) {
                    Err(error) if error.is_not_found() => self.look(|client| client.stat_once(to)),
                    Err(ClientError::Refused { .. }) => Ok(None),
                    result => result.map(|_| None),
                }
            }
            // Calls wait for their replies: no other request that changes the file is unanswered beside this one.
            Recovery::RepeatInOrder
            | Recovery::Repeat
            | Recovery::RepeatUnlessDirectory
            | Recovery::RepeatUnlessNotFound
            | Recovery::NotNeeded => Ok(None),
            Recovery::Resume | Recovery::ResumeUnlessCommitted => Err(uncertain(operation)),
        }
    }

    /// A refusal of a repeated request that shows that the first one had been executed.
    fn resolve_refusal(&mut self, operation: &Operation, error: ClientError) -> Result<Answer, ClientError> {
        match operation.info().recovery {
            Recovery::RepeatUnlessNotFound if error.is_not_found() => Ok(Answer::Empty),
            Recovery::RepeatUnlessDirectory if error.is_exists() => {
                match operation.path().map(|path| self.stat_once(path)).transpose()? {
                    Some(Answer::Entry(entry)) if entry.kind == Kind::Dir => Ok(Answer::Entry(entry)),
                    _ => Err(error),
                }
            }
            // The first one may be what changed it.
            Recovery::RepeatInOrder if error.code() == Some(Code::Changed) => Err(uncertain(operation)),
            Recovery::RepeatUnlessNotFound
            | Recovery::RepeatUnlessDirectory
            | Recovery::RepeatInOrder
            | Recovery::Repeat
            | Recovery::CompareContent
            | Recovery::CompareFiles
            | Recovery::CheckBothPaths
            | Recovery::Resume
            | Recovery::ResumeUnlessCommitted
            | Recovery::NotNeeded => Err(error),
        }
    }

    /// Whether a file is there with this hash.
    pub(super) fn has_content(&mut self, path: &RemotePath, hash: &Digest) -> Result<bool, ClientError> {
        Ok(self.look(|client| client.hash_of(path))?.is_some_and(|theirs| theirs == *hash))
    }

    /// A refusal of what is only looked at says that it is not there in the way that was asked for.
    fn look<T>(&mut self, at: impl FnOnce(&mut Self) -> Result<T, ClientError>) -> Result<Option<T>, ClientError> {
        match at(self) {
            Ok(found) => Ok(Some(found)),
            Err(ClientError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn hash_of(&mut self, path: &RemotePath) -> Result<Digest, ClientError> {
        match self.call(Operation::Hash { path: path.clone(), off: 0, len: None }, Payload::None)?.0 {
            Answer::Hash(hash) => Ok(hash.hash),
            other => Err(super::unexpected("hash", &other)),
        }
    }

    fn stat_once(&mut self, path: &RemotePath) -> Result<Answer, ClientError> {
        Ok(self.call(Operation::Stat { path: path.clone() }, Payload::None)?.0)
    }
}

/// What is reported of a request that cannot be settled [LOST-1].
pub(super) fn uncertain(operation: &Operation) -> ClientError {
    ClientError::InDoubt { operation: operation.name(), path: path_of(operation), source: None }
}

/// What is reported of a request that may have been executed, when no session could be opened to look.
pub(super) fn unresolved(operation: &Operation, is_uncertain: bool, error: ClientError) -> ClientError {
    match error {
        ClientError::Refused { .. } | ClientError::InDoubt { .. } | ClientError::Cancelled => error,
        error if is_uncertain && operation.info().is_mutating() => {
            ClientError::InDoubt { operation: operation.name(), path: path_of(operation), source: Some(error.into()) }
        }
        error => error,
    }
}
