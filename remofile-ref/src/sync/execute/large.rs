//! Files of more than a chunk: one at a time, resumed where an earlier run broke off.

use super::{Execution, local_version};
use crate::{
    client::{ClientError, TransferStatus, pipeline::PipelineDriver as _, refused},
    sync::{
        Action, Change, LocalVersion, Side, local::LocalRoot, scan::is_fresh, sides::ArchivedFile, survey::version_of,
    },
};
use remofile_proto::{Code, Entry, Kind, Precondition};
use std::time::SystemTime;

impl<'p> Execution<'_, 'p> {
    /// Gives how many bytes went over the wire; nothing where what is in the way found no place, which was told.
    pub(super) fn large(&mut self, action: &'p Action, on: Side) -> Result<Option<u64>, ClientError> {
        self.drain()?;
        match on {
            Side::Remote => self.upload_large(action),
            Side::Local => self.download_large(action).map(Some),
        }
    }

    fn upload_large(&mut self, action: &'p Action) -> Result<Option<u64>, ClientError> {
        let path = self.remote(&action.path)?;
        let read_at = SystemTime::now();
        let source = self.tools.local.source(&action.path)?;
        let (version, expected) = (LocalVersion::of(&source), local_version(action)?);
        let is_aside = self.aside.contains(action.path.as_str());
        if version != *expected && !(is_aside && version.is_same_but_for_its_name(expected)) {
            return Err(source.changed());
        }
        let pre = action.expected.remote.clone().map_or(Precondition::Absent, Precondition::Etag);
        if matches!(action.change, Change::Transfer { replaces: true, .. }) {
            if self.places.remove(action.path.as_str()).is_none() {
                return Ok(None);
            }
            self.step()?;
            let etag = action.expected.remote.clone();
            self.tools.remote_trash.keep(self.tools.client, &path, etag).map_err(as_changed)?;
        }
        self.step()?;
        let (done, hash, entry) = self.tools.client.upload_version(&source, &path, &pre).map_err(as_changed)?;
        let (etag, is_racy) = version_of(&entry)?;
        let is_fresh = is_fresh(&version, read_at);
        let file = ArchivedFile { hash, version, is_fresh, etag, is_racy, has_equal_times: true };
        self.archive_file(&action.path, file);
        Ok(Some(done.transferred))
    }

    fn download_large(&mut self, action: &'p Action) -> Result<u64, ClientError> {
        let path = self.remote(&action.path)?;
        let row = self.tools.sides.row(&action.path);
        let remote = row.remote_file().ok_or_else(|| refused("download", &path, Code::NotFound))?;
        let entry = Entry {
            kind: Kind::File,
            size: Some(remote.size),
            mtime_ns: Some(remote.mtime_ns),
            etag: Some(remote.etag.clone()),
            racy: remote.is_racy,
        };
        let staged = LocalRoot::staged(&action.path);
        self.step()?;
        let target = self.tools.local.target(&staged)?;
        let done = self.tools.client.download_one_version(&path, &entry, &target)?;
        self.step()?;
        let source = self.tools.local.source(&staged)?;
        let hash = self.tools.client.hash_whole(&source, &path)?;
        let expected = action.expected.local.as_ref();
        let version = self.tools.local.install(&action.path, expected, &mut self.tools.local_trash)?;
        let file = ArchivedFile {
            hash,
            version,
            is_fresh: true,
            etag: remote.etag.clone(),
            is_racy: remote.is_racy,
            has_equal_times: true,
        };
        self.archive_file(&action.path, file);
        debug_assert!(done.status != TransferStatus::Newer, "everything is replaced");
        Ok(done.transferred)
    }
}

/// Another version than the plan saw is there.
fn as_changed(error: ClientError) -> ClientError {
    match error {
        ClientError::Refused { path, refusal, .. } if refusal.code == Code::Changed => {
            ClientError::SourceChanged { path }
        }
        error => error,
    }
}
