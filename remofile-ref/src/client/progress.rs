//! Progress of calls, for programs that show it.

use super::{FileClient, TreeTransferred};
use remofile_proto::RemotePath;
use std::fmt;

/// How far a call has come.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// What is being done.
    pub phase: Phase,
    /// The remote path of the file that it is done to; none where it concerns all.
    pub path: Option<RemotePath>,
    /// How many bytes are done, those that were there already included.
    pub done: u64,
    /// Of how many bytes; none where that is not known.
    pub total: Option<u64>,
    /// How many bytes were there from before, and are not transferred again.
    pub resumed: u64,
    /// The whole of which the file is a part, where a directory is transferred.
    pub tree: Option<TreeProgress>,
}

/// What a call is at.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Phase {
    /// Items of a directory are counted, so that totals are known.
    Counting,
    /// Local bytes are hashed, to be compared with those of the server.
    Hashing,
    /// The server works on one long request, such as a hash or a copy, and says how far it is (PENDING).
    Serving {
        /// The operation, by its name in the protocol.
        operation: &'static str,
    },
    /// Content is on its way.
    Transferring,
    /// All content is there, and is made durable and visible under its name.
    Committing,
    /// What was changed is made durable.
    Flushing,
}

/// How far the transfer of a directory has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct TreeProgress {
    /// Files that are done: transferred, unchanged or failed.
    pub files: u64,
    /// Of how many, as counted at the beginning; 0 where nothing was counted.
    pub total_files: u64,
    /// The size of the files that are done, in bytes.
    pub bytes: u64,
    /// Of how many bytes, as counted at the beginning; 0 where nothing was counted.
    pub total_bytes: u64,
    /// How many bytes of content of those files were sent or received; what was there from before is not among them.
    pub transferred: u64,
}

/// What is called with progress.
type Watcher = Box<dyn FnMut(&Progress) + Send>;

/// Reports the progress of the calls of a handle.
#[derive(Default)]
pub(crate) struct Observer {
    watcher: Option<Watcher>,
    now: Option<Progress>,
}

impl FileClient {
    /// Calls `watcher` with the progress of calls: at the beginning and end of each phase, and at every reply in
    /// between, which may be thousands of times a second. It should be quick, and draw no more often than one can see.
    ///
    /// Directories are counted before they are transferred while a watcher is set. It must not use this handle, but may
    /// use a clone. Progress of several calls at once is mixed: give each a clone of the handle.
    ///
    /// ```
    /// use remofile::{FileClient, FileServer, Phase, generate_token};
    /// use std::sync::mpsc::channel;
    ///
    /// # let directory = tempfile::tempdir()?;
    /// # let token = generate_token();
    /// # let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
    /// # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    /// # std::thread::scope(|scope| {
    /// # scope.spawn(|| server.run());
    /// # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
    /// let mut client = FileClient::new(endpoint, token)?;
    /// let (sender, reports) = channel();
    /// client.watch(move |progress| {
    ///     let _ = sender.send(progress.clone());
    /// });
    /// client.upload("Cargo.toml", "/")?;
    /// let last = reports.try_iter().filter(|progress| progress.phase == Phase::Transferring).last();
    /// assert!(last.is_some_and(|progress| Some(progress.done) == progress.total));
    /// # Ok(client.bye())
    /// # })();
    /// # stop.stop();
    /// # result
    /// # })?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn watch(&self, watcher: impl FnMut(&Progress) + Send + 'static) {
        *self.observer() = Observer { watcher: Some(Box::new(watcher)), now: None };
    }

    /// Removes the watcher.
    pub fn unwatch(&self) {
        *self.observer() = Observer::default();
    }
}

impl Observer {
    pub(super) fn is_watched(&self) -> bool {
        self.watcher.is_some()
    }

    /// A phase begins; the bytes of an earlier one do not count.
    pub(crate) fn enter(&mut self, phase: Phase, path: Option<&RemotePath>, total: Option<u64>) {
        self.resume(phase, path, total, 0);
    }

    /// A phase begins with `resumed` bytes done.
    pub(super) fn resume(&mut self, phase: Phase, path: Option<&RemotePath>, total: Option<u64>, resumed: u64) {
        if self.is_watched() {
            let tree = self.now.as_ref().and_then(|now| now.tree);
            self.now = Some(Progress { phase, path: path.cloned(), done: resumed, total, resumed, tree });
            self.report();
        }
    }

    /// So many more bytes are done.
    pub(super) fn advance(&mut self, bytes: u64) {
        if let Some(now) = &mut self.now {
            now.done += bytes;
            self.report();
        }
    }

    /// The server says how far it is with the one request that it works on.
    pub(super) fn report_pending(
        &mut self,
        operation: &'static str,
        path: Option<&RemotePath>,
        done: u64,
        total: Option<u64>,
    ) {
        if self.is_watched() {
            let tree = self.now.as_ref().and_then(|now| now.tree);
            let phase = Phase::Serving { operation };
            let progress = Progress { phase, path: path.cloned(), done, total, resumed: 0, tree };
            if let Some(watcher) = &mut self.watcher {
                watcher(&progress);
            }
        }
    }

    /// Files are transferred from here on, of so much in all.
    pub(crate) fn enter_tree(&mut self, total_files: u64, total_bytes: u64) {
        if self.is_watched() {
            let tree = Some(TreeProgress { total_files, total_bytes, ..TreeProgress::default() });
            let (phase, total) = (Phase::Transferring, None);
            self.now = Some(Progress { phase, path: None, done: 0, total, resumed: 0, tree });
            self.report();
        }
    }

    /// Files of the directory were done; none of them is under way any more.
    pub(crate) fn count(&mut self, done: &TreeTransferred) {
        let Some(now) = &mut self.now else { return };
        let Some(tree) = &mut now.tree else { return };
        let files = done.files + done.unchanged + done.newer + done.failed;
        if (files, done.bytes) == (tree.files, tree.bytes) {
            return;
        }
        (tree.files, tree.bytes, tree.transferred) = (files, done.bytes, done.transferred);
        now.phase = Phase::Transferring;
        (now.path, now.done, now.total, now.resumed) = (None, 0, None, 0);
        self.report();
    }

    /// The call is over.
    pub(super) fn leave(&mut self) {
        self.now = None;
    }

    fn report(&mut self) {
        if let (Some(watcher), Some(now)) = (&mut self.watcher, &self.now) {
            watcher(now);
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Observer").field("is_watched", &self.is_watched()).finish_non_exhaustive()
    }
}
