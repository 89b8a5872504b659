//! A run from its beginning to its end.

use super::{SyncError, SyncItem, SyncOptions, SyncReport};
use crate::client::FileClient;
use remofile_proto::Path;
use std::path::Path as LocalPath;

/// What is told of each item.
pub(super) type OnItem<'a> = dyn FnMut(&SyncItem<'_>) + 'a;

/// Which way content goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mode {
    Both,
    Upload,
    Download,
}

impl FileClient {
    /// Synchronises the directory `local` with the directory `remote` in both directions. A root that is not there, and
    /// was never synchronised, is made; its parent has to be there.
    ///
    /// `on_item` is told of each action as soon as it is known what became of it.
    ///
    /// # Errors
    /// [`SyncError`]: a guard stopped the run, or what concerns all items. All else is in the report.
    pub fn synchronize(
        &mut self,
        local: &LocalPath,
        remote: &Path,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Mode::Both, options, on_item)
    }

    /// Makes `remote` what `local` is (a push): content, and modification times of files. What `local` has not is
    /// removed only by [`SyncOptions::delete`].
    ///
    /// # Errors
    /// As [`FileClient::synchronize`].
    pub fn synchronize_upload(
        &mut self,
        local: &LocalPath,
        remote: &Path,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Mode::Upload, options, on_item)
    }

    /// Makes `local` what `remote` is (a pull): the mirror image of [`FileClient::synchronize_upload`].
    ///
    /// # Errors
    /// As [`FileClient::synchronize`].
    pub fn synchronize_download(
        &mut self,
        local: &LocalPath,
        remote: &Path,
        options: &SyncOptions,
        on_item: &mut dyn FnMut(&SyncItem<'_>),
    ) -> Result<SyncReport, SyncError> {
        run(self, local, remote, Mode::Download, options, on_item)
    }
}

fn run(
    _client: &mut FileClient,
    _local: &LocalPath,
    _remote: &Path,
    _mode: Mode,
    _options: &SyncOptions,
    _on_item: &mut OnItem<'_>,
) -> Result<SyncReport, SyncError> {
    Ok(SyncReport::default())
}
