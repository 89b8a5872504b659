//! A session with a display of progress.

use super::report::TransferReport;
use crate::{
    cancel::{command_reports, on_exit, signalled},
    failure::Failure,
    render::{ProgressMode, Screen, TransferPosition},
};
use remofile::client::{ClientError, FileClient, TransferItem, TreeTransferred};
use std::{
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::{Duration, Instant},
};

/// The time that an interrupted command waits for the server to close its session.
const BYE_WAIT: Duration = Duration::from_millis(300);

/// The time that the report of a signal waits for the screen.
const SCREEN_WAIT: Duration = Duration::from_millis(100);

/// A transfer: the client and its progress.
pub(crate) struct Transfer {
    client: FileClient,
    screen: Arc<Mutex<Screen>>,
}

impl Transfer {
    /// Shows the progress of `client` from now on.
    pub(crate) fn new(mode: ProgressMode, client: FileClient) -> Self {
        let screen = Arc::new(Mutex::new(Screen::new(mode)));
        let watcher = Arc::clone(&screen);
        client.watch(move |progress| lock(&watcher).on_progress(progress));
        let last = Arc::clone(&screen);
        on_exit(move || {
            // The thread that holds the screen may be blocked by a terminal that accepts no output.
            let deadline = Instant::now() + SCREEN_WAIT;
            while Instant::now() < deadline {
                if let Ok(mut screen) = last.try_lock() {
                    screen.clear();
                    return stopped(&screen).print();
                }
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { client, screen }
    }

    pub(crate) fn client(&mut self) -> &mut FileClient {
        &mut self.client
    }

    /// The display of progress.
    pub(crate) fn screen(&self) -> Arc<Mutex<Screen>> {
        Arc::clone(&self.screen)
    }

    /// Transfers items, and reports each of them.
    pub(super) fn items(
        &mut self,
        report: &mut TransferReport,
        call: impl FnOnce(&mut FileClient, &mut dyn FnMut(&TransferItem<'_>)) -> Result<TreeTransferred, ClientError>,
    ) -> Result<TreeTransferred, Failure> {
        let screen = Arc::clone(&self.screen);
        let done = call(&mut self.client, &mut |item| report.on_item(item, &mut lock(&screen)));
        self.ended(done)
    }

    /// Removes the progress from the terminal. The failure after a signal says how to resume.
    pub(crate) fn ended<T>(&mut self, done: Result<T, ClientError>) -> Result<T, Failure> {
        if signalled().is_some() {
            command_reports();
        }
        let mut screen = lock(&self.screen);
        screen.clear();
        screen.flush_lines().map_err(Failure::Output)?;
        match done {
            Err(_) if signalled().is_some() => Err(stopped(&screen)),
            Err(error) => Err(error.into()),
            Ok(done) => Ok(done),
        }
    }

    /// Closes the session, so that the next command need not wait for its lease.
    pub(crate) fn finish<T>(self, result: Result<T, Failure>) -> Result<T, Failure> {
        match (&result, signalled()) {
            (Ok(_), None) => self.client.bye(),
            _ => self.client.bye_within(BYE_WAIT),
        }
        result
    }
}

/// The failure of a transfer that a signal stopped.
fn stopped(screen: &Screen) -> Failure {
    let TransferPosition { done, total, can_resume } = screen.position();
    Failure::Stopped { done, total, can_resume }
}

/// Locks the display; after a panic of another thread it is still consistent.
pub(crate) fn lock(screen: &Mutex<Screen>) -> std::sync::MutexGuard<'_, Screen> {
    screen.lock().unwrap_or_else(PoisonError::into_inner)
}
