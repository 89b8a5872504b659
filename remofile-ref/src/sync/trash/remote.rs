//! The trash of a server: an ordinary directory, filled by MOVE and COPY on it.

use super::{Cleaned, TRASH, Timestamp, Trashed, run_names, stamp_of_run};
use crate::client::{ClientError, FileClient};
use remofile_proto::{Code, Etag, Kind, Precondition, RemotePath};
use std::{
    collections::HashSet,
    time::{Duration, SystemTime},
};

/// The trash of a server, `/.remofile-trash`, which is made by what is put there first.
#[derive(Debug)]
pub struct RemoteTrash {
    top: RemotePath,
    stamp: Timestamp,
    /// Directories of it that are known to be there.
    made: HashSet<RemotePath>,
}

impl RemoteTrash {
    /// For a run that began at `stamp`; nothing is asked of the server yet.
    #[must_use]
    pub fn new(stamp: Timestamp) -> Self {
        Self { top: top(), stamp, made: HashSet::new() }
    }

    /// Moves the file at `path` into the trash, if it is of this version, and returns its path there. One request, and
    /// one for each directory of the trash that is needed for the first time.
    ///
    /// # Errors
    /// CHANGED if it has another etag, NOT_FOUND if it does not exist; nothing is changed then.
    pub fn put(
        &mut self,
        client: &mut FileClient,
        path: &RemotePath,
        etag: Option<Etag>,
    ) -> Result<RemotePath, ClientError> {
        self.placed(client, path, |client, to| client.rename(path, to, Precondition::Absent, etag.clone()).map(drop))
    }

    /// Keeps a copy of the file at `path`, which is about to be replaced, if it is of this version; gives its place.
    /// The server copies it, and its content goes over no wire.
    ///
    /// # Errors
    /// Those of [`FileClient::copy`].
    pub fn keep(
        &mut self,
        client: &mut FileClient,
        path: &RemotePath,
        etag: Option<Etag>,
    ) -> Result<RemotePath, ClientError> {
        self.placed(client, path, |client, to| client.copy(path, to, Precondition::Absent, etag.clone()).map(drop))
    }

    /// The path in the trash for the file at `path`, in a directory that this call makes if needed: for
    /// a caller that sends many such requests at once, each with [`Precondition::Absent`], and falls back on
    /// [`RemoteTrash::put`] where one of them is answered EXISTS.
    ///
    /// # Errors
    /// Those of [`FileClient::mkdir`]; [`ClientError::BadPath`] where the place would be too long or too deep.
    pub fn place(&mut self, client: &mut FileClient, path: &RemotePath) -> Result<RemotePath, ClientError> {
        self.placed(client, path, |_, _| Ok(()))
    }

    /// All files in it, the oldest first, then by path.
    ///
    /// # Errors
    /// Those of a listing.
    pub fn list(&self, client: &mut FileClient) -> Result<Vec<Trashed>, ClientError> {
        let mut found = Vec::new();
        for listed in client.list(&self.top, true) {
            let listed = match listed {
                Ok(listed) => listed,
                Err(error) if error.is_not_found() => break,
                Err(error) => return Err(error),
            };
            let entry = listed.entry;
            if entry.kind != Kind::Dir {
                found.extend(Trashed::at(&listed.name, entry.size.unwrap_or(0), entry.mtime_ns, entry.etag));
            }
        }
        found.sort_by(|one, other| (one.stamp, &one.path, &one.place).cmp(&(other.stamp, &other.path, &other.place)));
        Ok(found)
    }

    /// Moves a file back to its original path; missing parent directories are made.
    ///
    /// # Errors
    /// EXISTS if the path exists; the file then stays in the trash.
    pub fn restore(&mut self, client: &mut FileClient, trashed: &Trashed) -> Result<(), ClientError> {
        let (from, to) = (RemotePath::root().join(&trashed.place)?, RemotePath::root().join(&trashed.path)?);
        make(client, &above(&to), &mut HashSet::new())?;
        client.rename(&from, &to, Precondition::Absent, trashed.etag.clone())?;
        self.prune(client, &from)
    }

    /// Removes for good what has been in it for `older_than` at `now`.
    ///
    /// # Errors
    /// Those of a listing, and of the first file that is refused, when all others are gone.
    pub fn clean(
        &mut self,
        client: &mut FileClient,
        older_than: Duration,
        now: SystemTime,
    ) -> Result<Cleaned, ClientError> {
        let mut cleaned = Cleaned::default();
        let mut old = Vec::new();
        for listed in client.list(&self.top, false) {
            match listed {
                Ok(listed) if stamp_of_run(&listed.name).is_some_and(|stamp| stamp.age(now) >= older_than) => {
                    old.push(self.top.join(&listed.name)?);
                }
                Ok(_) => {}
                Err(error) if error.is_not_found() => return Ok(cleaned),
                Err(error) => return Err(error),
            }
        }
        self.made.clear();
        let mut failure = None;
        for run in &old {
            let removed = client.remove_tree_with(run, |_, kind| cleaned.files += u64::from(kind != Kind::Dir))?;
            failure = failure.or(removed.failures.into_iter().next());
        }
        match failure {
            Some((_, error)) => Err(error),
            None if old.is_empty() => Ok(cleaned),
            None => self.prune(client, &self.top.join("-")?).map(|()| cleaned),
        }
    }

    /// Calls `put` for each directory of the run until one succeeds, and returns the path there.
    fn placed(
        &mut self,
        client: &mut FileClient,
        path: &RemotePath,
        mut put: impl FnMut(&mut FileClient, &RemotePath) -> Result<(), ClientError>,
    ) -> Result<RemotePath, ClientError> {
        make(client, &self.top, &mut self.made)?;
        for run in run_names(self.stamp) {
            let to = self.top.join(&format!("{run}{}", path.as_str()))?;
            match make(client, &above(&to), &mut self.made) {
                // A file was put there before.
                Err(error) if matches!(error.code(), Some(Code::Exists | Code::NotDir | Code::NameClash)) => continue,
                result => result?,
            }
            match put(client, &to) {
                // Another one of that path was put there before.
                Err(error) if matches!(error.code(), Some(Code::Exists | Code::NameClash)) => {}
                result => return result.map(|()| to),
            }
        }
        Err(ClientError::Refused {
            operation: "move",
            path: path.to_string(),
            refusal: remofile_proto::Refusal::new(Code::Exists),
        })
    }

    /// Removes the parent directories of a path in the trash, up to the trash itself, while they are empty.
    fn prune(&mut self, client: &mut FileClient, place: &RemotePath) -> Result<(), ClientError> {
        self.made.clear();
        let mut directory = above(place);
        while directory.is_at_or_below(&self.top) {
            match client.remove(&directory, None) {
                Ok(()) => {}
                Err(ClientError::Refused { .. }) => break,
                Err(error) => return Err(error),
            }
            directory = above(&directory);
        }
        Ok(())
    }
}

fn top() -> RemotePath {
    RemotePath::root().join(TRASH).expect("the name of a trash is a name")
}

/// Makes a directory with all above it; `made` are those that are known to be there.
fn make(client: &mut FileClient, directory: &RemotePath, made: &mut HashSet<RemotePath>) -> Result<(), ClientError> {
    if directory.is_root() || made.contains(directory) {
        return Ok(());
    }
    match client.mkdir(directory) {
        Err(error) if error.is_not_found() => {
            make(client, &above(directory), made)?;
            client.mkdir(directory).map(drop).or_else(|error| is_directory(client, directory, error))?;
        }
        result => result.map(drop).or_else(|error| is_directory(client, directory, error))?,
    }
    made.insert(directory.clone());
    Ok(())
}

/// EXISTS is not an error for a directory.
fn is_directory(client: &mut FileClient, directory: &RemotePath, error: ClientError) -> Result<(), ClientError> {
    if error.is_exists() && client.stat(directory)?.kind == Kind::Dir { Ok(()) } else { Err(error) }
}

/// The directory that a path is in; `/` is in itself.
fn above(path: &RemotePath) -> RemotePath {
    let above = path.split_last().map_or("/", |(above, _)| above);
    RemotePath::parse(above).expect("the beginning of a path is a path")
}
