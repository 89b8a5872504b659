//! What becomes of a call whose session is lost (spec section 16).

use super::{
    ClientError, FileClient, path_of,
    payload::{Content, Payload},
};
use crate::unanswered::Unanswered;
use remofile_proto::{Answer, Code, Digest, Kind, Operation, Path};

/// How often a call opens a lost session again before it gives up.
pub(super) const ATTEMPTS: u32 = 3;

impl FileClient {
    /// Like [`FileClient::call`], and settles what becomes of the request when the session is lost [LOST-2].
    pub(super) fn settled(&mut self, operation: Operation, payload: Payload) -> Result<Answer, ClientError> {
        Ok(self.settled_with_content(operation, payload)?.0)
    }

    /// Like [`FileClient::settled`], with the bytes that came behind the answer.
    pub(super) fn settled_with_content(
        &mut self,
        operation: Operation,
        payload: Payload,
    ) -> Result<(Answer, Option<Content>), ClientError> {
        let mut repeated = false;
        for _ in 0..ATTEMPTS {
            let error = match self.call(operation.clone(), payload.clone()) {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            match error {
                ClientError::SessionLost { .. } => {
                    self.reopen()?;
                    repeated = true;
                    if let Some(answer) = self.done_all_the_same(&operation, &payload)? {
                        return Ok((answer, None));
                    }
                }
                error if repeated => return Ok((self.settle_refusal(&operation, error)?, None)),
                error => return Err(error),
            }
        }
        Err(in_doubt(&operation))
    }

    /// What a request came to whose reply was lost, where looking tells.
    fn done_all_the_same(&mut self, operation: &Operation, payload: &Payload) -> Result<Option<Answer>, ClientError> {
        match (Unanswered::of(operation), operation) {
            (Unanswered::CompareWithContent, Operation::Put { path, .. }) => {
                let theirs = self.look(|client| client.hash_of(path))?;
                let is_done = theirs.is_some_and(|theirs| Some(*theirs.as_bytes()) == payload.hash());
                if is_done { self.stat_once(path).map(Some) } else { Ok(None) }
            }
            (Unanswered::CompareBoth, Operation::Copy { from, to, .. }) => {
                let source = self.look(|client| client.hash_of(from))?;
                let target = self.look(|client| client.hash_of(to))?;
                if source.is_some() && source == target { self.stat_once(to).map(Some) } else { Ok(None) }
            }
            (Unanswered::LookAtBoth, Operation::Move { from, to, .. }) => match self.stat_once(from) {
                Err(error) if error.is_not_found() => self.look(|client| client.stat_once(to)),
                Err(ClientError::Refused { .. }) => Ok(None),
                result => result.map(|_| None),
            },
            // Calls wait for their answers: nothing else that changes the file is unanswered beside this one.
            (
                Unanswered::Repeat
                | Unanswered::RepeatUnlessDirectory
                | Unanswered::RepeatUnlessGone
                | Unanswered::AllInOrderOrDoubt,
                _,
            ) => Ok(None),
            _ => Err(in_doubt(operation)),
        }
    }

    /// A refusal of a repeated request that shows that the first one had been executed.
    fn settle_refusal(&mut self, operation: &Operation, error: ClientError) -> Result<Answer, ClientError> {
        match (Unanswered::of(operation), operation) {
            (Unanswered::RepeatUnlessGone, _) if error.is_not_found() => Ok(Answer::Empty),
            (Unanswered::RepeatUnlessDirectory, Operation::Mkdir { path }) if error.is_exists() => {
                match self.stat_once(path)? {
                    Answer::Entry(entry) if entry.kind == Kind::Dir => Ok(Answer::Entry(entry)),
                    _ => Err(error),
                }
            }
            // The first one may be what changed it.
            (Unanswered::AllInOrderOrDoubt, _) if error.code() == Some(Code::Changed) => Err(in_doubt(operation)),
            _ => Err(error),
        }
    }

    /// A refusal of what is only looked at says that it is not there in the way that was asked for.
    fn look<T>(&mut self, at: impl FnOnce(&mut Self) -> Result<T, ClientError>) -> Result<Option<T>, ClientError> {
        match at(self) {
            Ok(found) => Ok(Some(found)),
            Err(ClientError::Refused { .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn hash_of(&mut self, path: &Path) -> Result<Digest, ClientError> {
        match self.call(Operation::Hash { path: path.clone(), off: 0, len: None }, Payload::None)?.0 {
            Answer::Hash(hash) => Ok(hash.hash),
            other => Err(super::unexpected("hash", &other)),
        }
    }

    fn stat_once(&mut self, path: &Path) -> Result<Answer, ClientError> {
        Ok(self.call(Operation::Stat { path: path.clone() }, Payload::None)?.0)
    }
}

/// What is reported of a request that cannot be settled [LOST-1].
pub(super) fn in_doubt(operation: &Operation) -> ClientError {
    ClientError::InDoubt { operation: operation.name(), path: path_of(operation) }
}
