//! What there is on the server before it is downloaded: how much, of which kinds, and what of it is left out.

use crate::client::{
    Answer, ClientError, Entry, FileClient, Kind, Operation, Phase, RemotePath, TransferOptions, listing::Pages,
    payload::Payload,
};
use remofile_proto::ListedEntry;
use std::{
    collections::HashMap,
    path::{Path as LocalPath, PathBuf},
};

/// How many sources are looked at together.
pub(super) const STATS: usize = 64;

/// What was counted is kept for the transfer up to so many bytes; what is more is listed twice.
const KEPT_MAX: usize = 8 << 20;

/// The listings that counting has brought, by the directory that was listed.
#[derive(Debug, Default)]
pub(super) struct Counted {
    listings: HashMap<String, Pages>,
    /// In bytes, about.
    kept: usize,
}

impl Counted {
    /// The listing of a tree: the one that was counted, once, where it was kept.
    pub(super) fn listing_of(&mut self, remote: &RemotePath) -> Pages {
        self.listings.remove(remote.as_str()).unwrap_or_else(|| Pages::new(remote.clone(), true))
    }

    /// Whether there is room for an entry.
    fn has_room_for(&mut self, listed: &ListedEntry) -> bool {
        self.kept += size_of::<ListedEntry>() + listed.name.len();
        self.kept <= KEPT_MAX
    }
}

impl FileClient {
    /// Counts what there is, and reports the totals.
    pub(super) fn count_remote(
        &mut self,
        sources: &[(RemotePath, PathBuf)],
        options: &TransferOptions,
    ) -> Result<Counted, ClientError> {
        self.observer().enter(Phase::Counting, None, None);
        let mut counted = Counted::default();
        let (mut files, mut bytes) = (0u64, 0u64);
        let mut add = |entry: &Entry| {
            files = files.saturating_add(1);
            bytes = entry.size.unwrap_or(0).saturating_add(bytes);
        };
        for some in sources.chunks(STATS) {
            let remotes: Vec<_> = some.iter().map(|(remote, _)| remote).collect();
            for (found, remote) in self.stat_each(&remotes)?.into_iter().zip(remotes) {
                match found {
                    Ok(entry) if entry.kind == Kind::File => add(&entry),
                    Ok(entry) if entry.kind == Kind::Dir && options.recursive => {
                        match self.count_tree(remote, options, &mut counted, &mut add) {
                            // What cannot be looked at counts for nothing here.
                            Ok(()) | Err(ClientError::Refused { .. }) => {}
                            Err(error) => return Err(error),
                        }
                    }
                    _ => {}
                }
            }
        }
        self.observer().enter_tree(files, bytes);
        Ok(counted)
    }

    fn count_tree(
        &mut self,
        remote: &RemotePath,
        options: &TransferOptions,
        counted: &mut Counted,
        add: &mut dyn FnMut(&Entry),
    ) -> Result<(), ClientError> {
        let mut excluded = None;
        let mut kept = Some(Vec::new());
        let mut pages = Pages::new(remote.clone(), true);
        while let Some(page) = pages.next(self)? {
            for listed in page {
                let left_out = leaves_out(options, &mut excluded, &listed.name, listed.entry.kind);
                if listed.entry.kind == Kind::File && left_out.is_none() {
                    add(&listed.entry);
                }
                if !counted.has_room_for(&listed) {
                    kept = None;
                } else if let Some(kept) = &mut kept {
                    kept.push(listed);
                }
            }
        }
        if let Some(entries) = kept {
            counted.listings.insert(remote.as_str().to_owned(), pages.again(entries));
        }
        Ok(())
    }

    /// Looks at many entries in little more time than at one; each may be refused.
    pub(super) fn stat_each(&mut self, paths: &[&RemotePath]) -> Result<Vec<Result<Entry, ClientError>>, ClientError> {
        match self.stat_together(paths) {
            // [LOST-2] Looking changes nothing: once more, each on its own.
            Err(ClientError::SessionLost { .. }) => {
                paths.iter().map(|path| settled_or_refused(self.stat(path))).collect()
            }
            result => result,
        }
    }

    fn stat_together(&mut self, paths: &[&RemotePath]) -> Result<Vec<Result<Entry, ClientError>>, ClientError> {
        let mut asked = HashMap::new();
        for (index, path) in paths.iter().enumerate() {
            asked.insert(self.submit_of_many(Operation::Stat { path: (*path).clone() }, Payload::None)?, index);
        }
        let mut found: Vec<Option<Result<Entry, ClientError>>> = paths.iter().map(|_| None).collect();
        while !asked.is_empty() {
            let completion = self.next_completion()?;
            let Some(index) = asked.remove(&completion.seq) else { continue };
            found[index] = Some(match completion.result {
                Ok((Answer::Entry(entry), _)) => Ok(entry),
                Ok((other, _)) => return Err(crate::client::unexpected("stat", &other)),
                Err(refusal) => {
                    Err(ClientError::Refused { operation: "stat", path: paths[index].to_string(), refusal })
                }
            });
        }
        Ok(found.into_iter().flatten().collect())
    }
}

/// What is left out of a listing: below `excluded`, and what the options exclude.
pub(super) fn leaves_out(
    options: &TransferOptions,
    excluded: &mut Option<String>,
    name: &str,
    kind: Kind,
) -> Option<bool> {
    if excluded.as_deref().is_some_and(|directory| is_below(name, directory)) {
        return Some(false);
    }
    if !options.excludes(LocalPath::new(name), kind == Kind::Dir) {
        return None;
    }
    if kind == Kind::Dir {
        *excluded = Some(name.to_owned());
    }
    Some(true)
}

pub(super) fn is_below(name: &str, directory: &str) -> bool {
    name.strip_prefix(directory).is_some_and(|rest| rest.starts_with('/'))
}

/// A refusal concerns one entry, any other error all of them.
fn settled_or_refused(result: Result<Entry, ClientError>) -> Result<Result<Entry, ClientError>, ClientError> {
    match result {
        Err(error @ ClientError::Refused { .. }) => Ok(Err(error)),
        Err(error) => Err(error),
        Ok(entry) => Ok(Ok(entry)),
    }
}
