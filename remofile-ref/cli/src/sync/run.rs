//! One run: a session, what is left out, the library's call, and how it ended.

use super::{Flags, Mode, Pair, ignored::IGNORE_FILE, ignored::Ignored, report::Report};
use crate::{
    args::Cli,
    connection::Target,
    failure::{Failure, exit},
    transfer::{Transfer, lock},
};
use remofile::{
    client::{ClientError, FileClient},
    sync::{SafetyCheck, SyncError, SyncOptions, SyncReport},
};
use remofile_proto::Kind;
use std::sync::Arc;

/// No file of patterns on the server is longer, in bytes.
const IGNORE_FILE_MAX: u64 = 1 << 20;

pub(super) fn once(cli: &Cli, pair: &Pair, mode: Mode, flags: &Flags) -> Result<(), Failure> {
    let mut report = Report::new(cli, pair, mode, flags.dry_run);
    let done = with(cli, &Target::find(cli)?, pair, mode, flags, &mut report)?;
    report.finish(&done)
}

/// Synchronises in a session of its own, and lets go of it.
pub(super) fn with(
    cli: &Cli,
    target: &Target,
    pair: &Pair,
    mode: Mode,
    flags: &Flags,
    report: &mut Report,
) -> Result<SyncReport, Failure> {
    let mut transfer = Transfer::watched(cli, target.clone().connect()?);
    let result = in_session(&mut transfer, pair, mode, flags, report);
    transfer.finish(result)
}

/// The same, in a session that goes on.
pub(super) fn in_session(
    transfer: &mut Transfer,
    pair: &Pair,
    mode: Mode,
    flags: &Flags,
    report: &mut Report,
) -> Result<SyncReport, Failure> {
    let instead = match mode {
        // What is mirrored is the server's, and so is what it says of itself.
        Mode::Pull => remote_patterns(transfer.client(), pair)?,
        Mode::Both | Mode::Push => None,
    };
    let ignored = Ignored::new(&pair.local, &flags.filter, instead.as_deref())?;
    let options = SyncOptions::new()
        .delete(flags.delete)
        .allow_delete(flags.allow_delete)
        .dry_run(flags.dry_run)
        .bytes_per_second(flags.bwlimit.unwrap_or(0))
        .exclude(move |path, is_directory| ignored.excludes(path, is_directory));
    let screen = transfer.screen();
    let shown = Arc::clone(&screen);
    let client = transfer.client();
    let mut on_item = |item: &remofile::sync::SyncItem<'_>| report.on_item(item, &mut lock(&shown));
    let done = match mode {
        Mode::Both => client.synchronize(&pair.local, &pair.remote, &options, &mut on_item),
        Mode::Push => client.synchronize_upload(&pair.local, &pair.remote, &options, &mut on_item),
        Mode::Pull => client.synchronize_download(&pair.local, &pair.remote, &options, &mut on_item),
    };
    if let Ok(done) = &done {
        report.on_report(done, &mut lock(&screen));
    }
    let (done, stopped) = match done {
        Ok(done) => (Ok(Some(done)), None),
        Err(SyncError::Client(error)) => (Err(error), None),
        Err(error) => (Ok(None), Some(error)),
    };
    match (transfer.ended(done)?, stopped) {
        (Some(done), _) => Ok(done),
        (None, Some(error)) => Err(failure(error, pair)),
        (None, None) => Err(ClientError::Cancelled.into()),
    }
}

/// The patterns at the top of the remote directory, if there are any.
fn remote_patterns(client: &mut FileClient, pair: &Pair) -> Result<Option<String>, Failure> {
    let Ok(path) = pair.remote.join(IGNORE_FILE) else { return Ok(None) };
    let entry = match client.stat(&path) {
        Ok(entry) if entry.kind == Kind::File => entry,
        Ok(_) | Err(ClientError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = entry.size.unwrap_or(0);
    if size > IGNORE_FILE_MAX {
        return Err(Failure::usage(format!("'{path}' is no file of patterns: it has {size} bytes")));
    }
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < size {
        let at = bytes.len() as u64;
        let (read, _) = client.read(&path, at, size - at, entry.etag.clone())?;
        if read.is_empty() {
            break;
        }
        bytes.extend(read);
    }
    Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
}

/// What stopped a run, in the words of the command line.
pub(super) fn failure(error: SyncError, pair: &Pair) -> Failure {
    let what = format!("cannot synchronise '{}' with '{}'", pair.local.display(), pair.remote);
    match error {
        SyncError::Client(error) => error.into(),
        SyncError::SafetyCheck(guard) => {
            let hint = match &guard {
                SafetyCheck::Vanished { .. } | SafetyCheck::Emptied { .. } => {
                    "is it mounted, and this the right path? --allow-delete goes on, and takes what is gone for removed"
                }
                SafetyCheck::OtherRoot => {
                    "is this the right server? --allow-delete goes on, and compares both as if for the first time"
                }
                _ => "-n --allow-delete shows the plan; --allow-delete executes it",
            };
            Failure::Said { what: format!("{what}: {guard}"), hint: Some(hint.to_owned()), exit: exit::GUARDED }
        }
        SyncError::State { path, source } => {
            Failure::Local { what: "use the record of earlier runs in", object: path.display().to_string(), source }
        }
        SyncError::Locked { .. } => Failure::Said {
            what: format!("{what}: another run is at it"),
            hint: Some("wait until it is done; one with --watch goes on until it is stopped".to_owned()),
            exit: exit::BUSY,
        },
        error => Failure::Said { what: format!("{what}: {error}"), hint: None, exit: exit::OTHER },
    }
}
