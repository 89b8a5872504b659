//! Synchronising a local directory with one of a server: in both directions, or as a mirror in one.
//!
//! [`FileClient::synchronize`](crate::FileClient::synchronize) compares three things: what is here, what the server has,
//! and the *archive* of what both had when they were last the same. What changed on one side goes to the other one.
//! [`synchronize_upload`](crate::FileClient::synchronize_upload) and
//! [`synchronize_download`](crate::FileClient::synchronize_download) make one side what the other is.
//!
//! ```
//! use remofile::{FileClient, FileServer, RemotePath, generate_token, sync::SyncOptions};
//!
//! # let around = tempfile::tempdir()?;
//! # let (notes, served) = (around.path().join("notes"), around.path().join("served"));
//! # for directory in [&notes, &served] { std::fs::create_dir(directory)?; }
//! # let token = generate_token();
//! # let mut server = FileServer::new(&served, &token)?.bind("127.0.0.1:0")?;
//! # let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
//! # std::thread::scope(|scope| {
//! # scope.spawn(|| server.run());
//! # let result = (|| -> Result<(), Box<dyn std::error::Error>> {
//! std::fs::write(notes.join("today.txt"), "feed the cat")?;
//! let mut client = FileClient::new(endpoint, token)?;
//! let options = SyncOptions::new().state_directory(around.path().join("archives"));
//! let report = client.synchronize(&notes, &RemotePath::root(), &options, &mut |item| {
//!     println!("{} {}", item.action.change.name(), item.action.path); // upload today.txt
//! })?;
//! assert_eq!((report.uploaded, report.conflicts), (1, 0));
//! # Ok(client.bye())
//! # })();
//! # stop.stop();
//! # result
//! # })?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # Both directions
//!
//! | here \ on the server | same | changed | deleted |
//! |---|---|---|---|
//! | same | nothing | download | delete here |
//! | changed | upload | equal content: nothing; else a conflict | upload |
//! | deleted | delete there | download | nothing |
//!
//! "Same" and "changed" are against the archive, and by content: a time that changes alone moves nothing. A *conflict*
//! keeps both: the server's version keeps the name, the local one becomes `NAME.conflict-UTC-HOST.EXT` beside it, on both
//! sides ([`ConflictName`]). A file that was renamed on one side is renamed on the other. Without an archive, or with one
//! that is damaged, both sides are united: files that differ are conflicts, and nothing is deleted.
//!
//! # What is guaranteed
//!
//! - **Only the version that the plan saw is replaced or removed.** On the server its etag is part of the request; here
//!   its stamp is compared right before, and what was displaced is compared once more and put back if it is another one.
//! - **What is replaced or removed is moved, not deleted**: to the [`trash`] of the side that loses it.
//! - **A run may be killed anywhere, on either side.** The archive knows of a change only after it is durable on both
//!   sides; the next run finds out by content what had been done. Files are seen whole or not at all.
//! - **Nothing is deleted because a side is not what it seems**: [`SafetyCheck`]s stop the run before anything is done, where
//!   a side is gone, was emptied or is another directory, or where more than half and more than ten of its files would go.
//! - **What cannot be synchronised is left alone on both sides and reported** ([`ProblemReason`]): a file against a directory, names
//!   that differ in case or normalisation alone, links and special files, names that the other side does not allow, what
//!   cannot be read. The rest goes on.
//! - **The clocks of the two machines are never compared.** A state that may have changed without its stamps showing it
//!   (fresh here, racy on the server) is read again.
//! - **What nothing has touched costs nothing of its own**: one walk here and one listing of the tree there tell, without
//!   reading, hashing or asking for a single file.
//!
//! # What is not
//!
//! - Two-way runs keep the modification time of what they transfer, and do not transfer a time that changed alone.
//!   Permissions, owners, links and extended attributes are not synchronised at all.
//! - There is no moment in which both sides are looked at as a whole: what programs change during a run is seen by the
//!   next one, file by file. A change that is made in place during the instant between the last look and the exchange of two
//!   names is not noticed by the run; what is displaced then is in the trash, with the change in it.
//! - On file systems without `renameat2` a replaced file is absent for an instant, and a local trash on another file
//!   system than the file (a mount below the root) is filled by copying.
//! - An archive that was put back from a backup is believed. So is a local file that its own file system brought back by
//!   a power cut: what it replaces on the server is in the trash there.
//! - One run at a time has the archive of two roots; other programs and machines may change both sides meanwhile, and the
//!   server lets one client at a time in.

mod action;
mod compare;
mod conflict;
mod error;
mod execute;
#[cfg(test)]
mod failpoint;
mod input;
mod local_root;
mod local_scan;
mod options;
mod plan;
mod remote_scan;
mod report;
mod run;
mod safety;
mod state;
#[cfg(test)]
mod tests;
mod timestamp;
pub mod trash;

pub use action::{Action, Change, Expected, LocalVersion, Side};
pub use conflict::ConflictName;
pub use error::{SafetyCheck, SyncError};
pub use options::SyncOptions;
pub use report::{Plan, Problem, ProblemReason, SyncItem, SyncOutcome, SyncReport};
pub use timestamp::Timestamp;
