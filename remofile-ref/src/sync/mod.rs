//! Synchronises a local directory with a directory of a server: in both directions, or as a mirror in one.
//!
//! [`FileClient::synchronize`](crate::FileClient::synchronize) compares three things: the local directory, the
//! server's, and the *saved state* of what both had when they were last synchronised. A change on one side is applied
//! to the other. [`synchronize_upload`](crate::FileClient::synchronize_upload) and
//! [`synchronize_download`](crate::FileClient::synchronize_download) make one side equal to the other.
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
//! let options = SyncOptions::new().state_directory(around.path().join("state"));
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
//! "Same" and "changed" compare the content with the saved state: a new modification time alone changes nothing. A
//! *conflict* keeps both: the server's version keeps the name, the local one becomes `NAME.conflict-UTC-HOST.EXT`
//! beside it, on both sides ([`ConflictName`]). A file that was renamed on one side is renamed on the other. Without a
//! saved state, or with a damaged one, both sides are merged: files that differ are conflicts, and nothing is deleted.
//!
//! # Guarantees
//!
//! - **Only the version that the plan saw is replaced or removed.** On the server its etag is part of the request; here
//!   its metadata is compared just before, and the replaced file is compared again and put back if it is another
//!   version.
//! - **What is replaced or removed is moved, not deleted**: to the [`trash`] of the side that loses it.
//! - **A run may be killed anywhere, on either side.** The saved state records a change only after it is durable on
//!   both sides; the next run detects by content what was done. Files are visible complete or not at all.
//! - **A missing or wrong directory deletes nothing**: a [`SafetyCheck`] stops the run before it changes anything if a
//!   side is missing, empty or another directory, or if more than ten and more than half of its files would be removed.
//! - **What cannot be synchronised is left alone on both sides and reported** ([`ProblemReason`]): a file against a
//!   directory, names that differ in case or normalisation alone, links and special files, names that the other side
//!   does not allow, what cannot be read. All others are synchronised.
//! - **The clocks of the two machines are never compared.** A file that was modified so recently that its time stamps
//!   prove nothing (`racy` on the server) is read again.
//! - **An unchanged file costs no request and no read**: one local scan and one listing of the server's tree suffice.
//!
//! # Limitations
//!
//! - Two-way runs keep the modification time of what they transfer, and do not transfer a time that changed alone.
//!   Permissions, owners, links and extended attributes are not synchronised at all.
//! - There is no snapshot of both sides: the next run sees what programs change during a run, file by file. A run does
//!   not notice a change made in place between the last check and the exchange of two names; the replaced file, with
//!   the change, is then in the trash. A program that keeps a local file open while sync replaces it goes on writing to
//!   the old file, which is now in the trash.
//! - On file systems without `renameat2` a replaced file is absent for an instant, and a local trash on another file
//!   system than the file (a mount below the root) is filled by copying.
//! - A saved state that was restored from a backup is trusted. So is a local file whose earlier content reappears after
//!   a power failure: what it replaces on the server is in the trash there.
//! - Only one run at a time synchronises a pair of roots; other programs may change both sides meanwhile, and the
//!   server serves one client at a time.

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
