//! Files larger than a chunk: one at a time, resumed where an earlier run was interrupted.

use super::{Execution, local_version};
use crate::{
    client::{ClientError, TransferStatus, pipeline::PipelineDriver as _, refused},
    sync::{
        Action, Change, LocalVersion, Side, input::SavedFile, local_root::LocalRoot, local_scan::is_recently_modified,
        remote_scan::version_of,
    },
};
use remofile_proto::{Code, Entry, Kind, Precondition};
use std::time::SystemTime;

impl<'p> Execution<'_, 'p> {
    /// Returns how many bytes were transferred; `None` where the replaced file could not be kept, which was reported.
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
        let source = self.context.local.source(&action.path)?;
        let (version, expected) = (LocalVersion::of(&source), local_version(action)?);
        let is_aside = self.aside.contains(action.path.as_str());
        if version != *expected && !(is_aside && version.is_same_but_for_its_name(expected)) {
            return Err(source.changed());
        }
        let pre = action.expected.remote.clone().map_or(Precondition::Absent, Precondition::Etag);
        if matches!(action.change, Change::Transfer { replaces: true, .. }) {
            if self.trash_paths.remove(action.path.as_str()).is_none() {
                return Ok(None);
            }
            self.step()?;
            let etag = action.expected.remote.clone();
            self.context.remote_trash.keep(self.context.client, &path, etag).map_err(as_changed)?;
        }
        self.step()?;
        let (done, hash, entry) = self.context.client.upload_version(&source, &path, &pre).map_err(as_changed)?;
        let (etag, is_racy) = version_of(&entry)?;
        let is_recently_modified = is_recently_modified(&version, read_at);
        let file = SavedFile { hash, version, is_recently_modified, etag, is_racy, has_equal_times: true };
        self.save_file(&action.path, file);
        Ok(Some(done.transferred))
    }

    fn download_large(&mut self, action: &'p Action) -> Result<u64, ClientError> {
        let path = self.remote(&action.path)?;
        let state = self.context.input.path_state(&action.path);
        let remote = state.remote_file().ok_or_else(|| refused("download", &path, Code::NotFound))?;
        let entry = Entry {
            kind: Kind::File,
            size: Some(remote.size),
            mtime_ns: Some(remote.mtime_ns),
            etag: Some(remote.etag.clone()),
            racy: remote.is_racy,
        };
        let staged = LocalRoot::staged(&action.path);
        self.step()?;
        let target = self.context.local.target(&staged)?;
        let done = self.context.client.download_one_version(&path, &entry, &target)?;
        self.step()?;
        let source = self.context.local.source(&staged)?;
        let hash = self.context.client.hash_whole(&source, &path)?;
        let expected = action.expected.local.as_ref();
        let version = self.context.local.install(&action.path, expected, &mut self.context.local_trash)?;
        let file = SavedFile {
            hash,
            version,
            is_recently_modified: true,
            etag: remote.etag.clone(),
            is_racy: remote.is_racy,
            has_equal_times: true,
        };
        self.save_file(&action.path, file);
        debug_assert!(done.status != TransferStatus::Newer, "everything is replaced");
        Ok(done.transferred)
    }
}

/// Maps a failed precondition to a changed source.
fn as_changed(error: ClientError) -> ClientError {
    match error {
        ClientError::Refused { path, refusal, .. } if refusal.code == Code::Changed => {
            ClientError::SourceChanged { path }
        }
        error => error,
    }
}
