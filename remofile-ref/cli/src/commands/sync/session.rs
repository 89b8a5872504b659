//! A single run: the session, the exclusions, the call of the library, and its failures.

use super::{
    exclusions::{Exclusions, IGNORE_FILE},
    options::{Pair, SyncFlags, SyncMode},
    report::SyncReporter,
};
use crate::commands::transfer::{Transfer, lock};
use crate::{
    connection::ServerTarget,
    exit_code,
    failure::Failure,
    options::{AllOptions, RemoteOptions},
};
use remofile::{
    client::{ClientError, FileClient},
    sync::{SafetyCheck, SyncError, SyncOptions, SyncReport},
};
use remofile_proto::Kind;
use std::sync::Arc;

/// The largest file of patterns on the server, in bytes.
const IGNORE_FILE_MAX: u64 = 1 << 20;

pub(super) fn once(options: &AllOptions, pair: &Pair, mode: SyncMode, flags: &SyncFlags) -> Result<(), Failure> {
    let mut reporter = SyncReporter::new(&options.remote.output, pair, mode, flags.dry_run);
    let done = with(options, &find_server(options)?, pair, mode, flags, &mut reporter)?;
    reporter.finish(&done)
}

/// Finds the server.
pub(super) fn find_server(options: &AllOptions) -> Result<ServerTarget, Failure> {
    let RemoteOptions { connection, wait, take, .. } = &options.remote;
    ServerTarget::find(connection, wait, take)
}

/// Opens a session with a display of progress.
pub(super) fn open_transfer(options: &AllOptions, target: &ServerTarget) -> Result<Transfer, Failure> {
    let mode = options.progress.mode(options.remote.output.is_quiet());
    Ok(Transfer::new(mode, target.clone().connect()?))
}

/// Synchronizes in a session of its own.
pub(super) fn with(
    options: &AllOptions,
    target: &ServerTarget,
    pair: &Pair,
    mode: SyncMode,
    flags: &SyncFlags,
    reporter: &mut SyncReporter,
) -> Result<SyncReport, Failure> {
    let mut transfer = open_transfer(options, target)?;
    let result = in_session(&mut transfer, pair, mode, flags, reporter);
    transfer.finish(result)
}

/// Synchronizes in an open session.
pub(super) fn in_session(
    transfer: &mut Transfer,
    pair: &Pair,
    mode: SyncMode,
    flags: &SyncFlags,
    reporter: &mut SyncReporter,
) -> Result<SyncReport, Failure> {
    let instead = match mode {
        // The patterns on the server decide what is mirrored.
        SyncMode::Pull => remote_patterns(transfer.client(), pair)?,
        SyncMode::Both | SyncMode::Push => None,
    };
    let exclusions = Exclusions::new(&pair.local, &flags.filter, instead.as_deref())?;
    let sync_options = SyncOptions::new()
        .delete(flags.delete)
        .allow_delete(flags.allow_delete)
        .dry_run(flags.dry_run)
        .bytes_per_second(flags.bwlimit.unwrap_or(0))
        .exclude(move |path, is_directory| exclusions.excludes(path, is_directory));
    let screen = transfer.screen();
    let shown = Arc::clone(&screen);
    let client = transfer.client();
    let mut on_item = |item: &remofile::sync::SyncItem<'_>| reporter.on_item(item, &mut lock(&shown));
    let done = match mode {
        SyncMode::Both => client.synchronize(&pair.local, &pair.remote, &sync_options, &mut on_item),
        SyncMode::Push => client.synchronize_upload(&pair.local, &pair.remote, &sync_options, &mut on_item),
        SyncMode::Pull => client.synchronize_download(&pair.local, &pair.remote, &sync_options, &mut on_item),
    };
    if let Ok(done) = &done {
        reporter.on_report(done, &mut lock(&screen));
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

/// The patterns at the top of the remote directory, if it has any.
fn remote_patterns(client: &mut FileClient, pair: &Pair) -> Result<Option<String>, Failure> {
    let Ok(path) = pair.remote.join(IGNORE_FILE) else { return Ok(None) };
    let entry = match client.stat(&path) {
        Ok(entry) if entry.kind == Kind::File => entry,
        Ok(_) | Err(ClientError::Refused { .. }) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let size = entry.size.unwrap_or(0);
    if size > IGNORE_FILE_MAX {
        return Err(Failure::usage(format!("'{path}': pattern file too large ({size} bytes)")));
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

/// The failure of a run.
pub(super) fn failure(error: SyncError, pair: &Pair) -> Failure {
    let what = format!("cannot synchronize '{}' with '{}'", pair.local.display(), pair.remote);
    match error {
        SyncError::Client(error) => error.into(),
        SyncError::SafetyCheck(guard) => {
            let hint = match &guard {
                SafetyCheck::Vanished { .. } | SafetyCheck::Emptied { .. } => {
                    "check the path, and whether it is mounted; --allow-delete continues and treats the missing files as removed"
                }
                SafetyCheck::OtherRoot => {
                    "check that this is the right server; --allow-delete continues and compares both sides as in a first run"
                }
                _ => "-n --allow-delete prints the plan; --allow-delete executes it",
            };
            Failure::Other {
                what: format!("{what}: {guard}"),
                hint: Some(hint.to_owned()),
                exit_code: exit_code::SAFETY_CHECK,
            }
        }
        SyncError::State { path, source } => {
            Failure::local("use the sync state in", path.display().to_string(), source)
        }
        SyncError::Locked { .. } => Failure::Other {
            what: format!("{what}: another sync of these directories is running"),
            hint: Some("wait until it finishes; a run with --watch has to be stopped".to_owned()),
            exit_code: exit_code::BUSY,
        },
        error => Failure::Other { what: format!("{what}: {error}"), hint: None, exit_code: exit_code::OTHER },
    }
}
