//! One session that several handles share: a lock that is free between requests, and one thread that receives for all.

use super::{
    Cancel, ClientError, FileClient,
    channel::{CANCEL_CHECK, CallerId, Channel, Completion, Delivery},
    payload::Payload,
    progress::Observer,
};
use parking_lot::{Mutex, MutexGuard, RwLock};
use remofile_proto::{HelloReply, Operation, limits};
use std::{
    fmt,
    io::Write as _,
    os::unix::net::UnixStream,
    sync::{
        Arc,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// How often a call that is busy with itself looks whether it was cancelled and the lease is to be renewed.
const KEEP_ALIVE_CHECK: Duration = Duration::from_millis(20);

/// A session, shared by handles; the last of them ends it.
pub(super) struct SharedSession {
    channel: Mutex<Channel>,
    /// What the server said to the last hello.
    welcome: RwLock<Arc<HelloReply>>,
    /// How many threads wait for the lock: one that receives gives way to them.
    wanted: Arc<AtomicUsize>,
    /// Interrupts the thread that receives.
    waker: UnixStream,
    callers: AtomicU64,
    /// Callers that have ended while the channel was in use.
    ended: Mutex<Vec<CallerId>>,
}

/// What one handle has for all its calls.
pub(super) struct HandleSettings {
    pub(super) cancel: Mutex<Cancel>,
    pub(super) observer: Mutex<Observer>,
    /// How many losses of changes its flushes have reported.
    pub(super) losses_reported: AtomicU64,
}

impl SharedSession {
    /// # Errors
    /// [`ClientError::Local`] where the system has no descriptors left.
    pub(super) fn new(mut channel: Channel) -> Result<Arc<Self>, ClientError> {
        let failed = |error| ClientError::local("a socket pair", error);
        let (waker, woken) = UnixStream::pair().map_err(failed)?;
        waker.set_nonblocking(true).map_err(failed)?;
        woken.set_nonblocking(true).map_err(failed)?;
        let wanted = channel.interrupt_on(woken);
        let welcome = RwLock::new(channel.welcome());
        Ok(Arc::new(Self {
            channel: Mutex::new(channel),
            welcome,
            wanted,
            waker,
            callers: AtomicU64::new(1),
            ended: Mutex::default(),
        }))
    }

    pub(super) fn new_caller(&self) -> CallerId {
        self.callers.fetch_add(1, Ordering::Relaxed)
    }

    pub(super) fn welcome(&self) -> Arc<HelloReply> {
        Arc::clone(&self.welcome.read())
    }

    pub(super) fn into_channel(self) -> Channel {
        self.channel.into_inner()
    }

    /// Drops the replies that a caller has not taken.
    pub(super) fn forget(&self, caller: CallerId) {
        match self.channel.try_lock() {
            Some(mut channel) => channel.forget(caller),
            None => self.ended.lock().push(caller),
        }
    }

    /// Takes the lock, and interrupts the thread that receives for that.
    fn lock(&self, cancel: &Cancel) -> Result<MutexGuard<'_, Channel>, ClientError> {
        if let Some(channel) = self.channel.try_lock() {
            return Ok(channel);
        }
        self.wanted.fetch_add(1, Ordering::SeqCst);
        let locked = loop {
            // A full pipe interrupts as well.
            let _ = (&self.waker).write(&[0]);
            if let Some(channel) = self.channel.try_lock_for(CANCEL_CHECK) {
                break Ok(channel);
            }
            if cancel.is_cancelled() {
                break Err(ClientError::Cancelled);
            }
        };
        self.wanted.fetch_sub(1, Ordering::SeqCst);
        locked
    }

    /// Gives way to threads that wait for the lock.
    fn give_way(&self, channel: &mut MutexGuard<'_, Channel>) {
        MutexGuard::bump(channel);
        while self.wanted.load(Ordering::SeqCst) > 0 {
            MutexGuard::unlocked_fair(channel, thread::yield_now);
        }
    }
}

impl fmt::Debug for SharedSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SharedSession").field("channel", &self.channel).finish_non_exhaustive()
    }
}

impl HandleSettings {
    pub(super) fn new(cancel: Cancel) -> Arc<Self> {
        Arc::new(Self { cancel: Mutex::new(cancel), observer: Mutex::default(), losses_reported: AtomicU64::new(0) })
    }

    /// Those of a new handle: cancelled by the same, and watched by none.
    pub(super) fn for_clone(&self) -> Arc<Self> {
        Arc::new(Self {
            cancel: Mutex::new(self.cancel.lock().clone()),
            observer: Mutex::default(),
            losses_reported: AtomicU64::new(self.losses_reported.load(Ordering::Relaxed)),
        })
    }
}

impl fmt::Debug for HandleSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HandleSettings").finish_non_exhaustive()
    }
}

/// Requests and replies of one call.
impl FileClient {
    /// The same session and settings, for one call or one open file: with requests and replies of its own.
    pub(crate) fn for_call(&self) -> Self {
        Self {
            session: Arc::clone(&self.session),
            settings: Arc::clone(&self.settings),
            caller: self.session.new_caller(),
            limit: self.limit.clone(),
            limiter: None,
            checked_at: Instant::now(),
        }
    }

    pub(super) fn cancel(&self) -> Cancel {
        self.limit.clone().unwrap_or_else(|| self.settings.cancel.lock().clone())
    }

    /// Uses the channel while no other thread does.
    pub(super) fn with_channel<T>(
        &self,
        act: impl FnOnce(&mut Channel) -> Result<T, ClientError>,
    ) -> Result<T, ClientError> {
        let cancel = self.cancel();
        let mut channel = self.session.lock(&cancel)?;
        channel.enter(self.caller, &cancel);
        let result = act(&mut channel);
        channel.pass_on_if_undriven();
        result
    }

    /// Waits until `found` gives something, at most until `deadline`; receives for all callers where no other thread
    /// does.
    fn wait_for<T>(
        &self,
        deadline: Option<Instant>,
        mut found: impl FnMut(&mut Channel) -> Result<Option<T>, ClientError>,
    ) -> Result<Option<T>, ClientError> {
        let cancel = self.cancel();
        let mut channel = self.session.lock(&cancel)?;
        self.session.ended.lock().drain(..).for_each(|ended| channel.forget(ended));
        let mut drives = false;
        let result = loop {
            channel.enter(self.caller, &cancel);
            match found(&mut channel) {
                Ok(None) => {}
                result => break result,
            }
            let left = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            if left.is_some_and(|left| left.is_zero()) {
                break Ok(None);
            }
            if !drives && channel.is_driven {
                let ready = channel.begin_waiting(self.caller);
                ready.wait_for(&mut channel, left.map_or(CANCEL_CHECK, |left| left.min(CANCEL_CHECK)));
                channel.end_waiting(self.caller);
                channel.enter(self.caller, &cancel);
                if let Err(error) = channel.check_cancelled() {
                    break Err(error);
                }
                continue;
            }
            drives = true;
            channel.is_driven = true;
            if let Err(error) = channel.drive(left.unwrap_or(Duration::MAX)) {
                break Err(error);
            }
            self.session.give_way(&mut channel);
        };
        if drives {
            channel.is_driven = false;
        }
        channel.pass_on_if_undriven();
        result
    }

    pub(super) fn has_room(&self) -> bool {
        self.with_channel(|channel| Ok(channel.has_room(self.caller))).unwrap_or(true)
    }

    pub(super) fn in_flight_limit(&self) -> u64 {
        self.with_channel(|channel| Ok(channel.in_flight_limit(self.caller))).unwrap_or(0)
    }

    pub(super) fn can_submit(&self) -> bool {
        self.with_channel(|channel| Ok(channel.can_submit())).unwrap_or(true)
    }

    /// Takes a request, and waits for room in the window where there is none.
    pub(super) fn submit(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        self.submit_request(operation, payload, false)
    }

    /// As [`submit`](Self::submit), for one of many: a small one waits until others have come, or anything is waited for.
    pub(super) fn submit_of_many(&mut self, operation: Operation, payload: Payload) -> Result<u64, ClientError> {
        self.submit_request(operation, payload, true)
    }

    fn submit_request(&mut self, operation: Operation, payload: Payload, is_of_many: bool) -> Result<u64, ClientError> {
        let mut request = Some((operation, payload));
        let submitted = self.wait_for(None, |channel| channel.submit(self.caller, &mut request, is_of_many))?;
        submitted.ok_or_else(|| ClientError::SessionLost { reason: "it took no request".to_owned() })
    }

    /// Waits for the reply to any request of this caller.
    pub(super) fn next_completion(&mut self) -> Result<Completion, ClientError> {
        loop {
            match self.wait_for(None, |channel| channel.take_delivery(self.caller))? {
                Some(Delivery::Completion(completion)) => return Ok(completion),
                Some(Delivery::Pending(notice)) => {
                    self.observer().report_pending(notice.operation, notice.path.as_ref(), notice.done, notice.total)
                }
                None => {}
            }
        }
    }

    /// Drops the replies to all requests that this caller has sent so far.
    pub(super) fn discard_outstanding(&mut self) -> Result<(), ClientError> {
        let caller = self.caller;
        self.with_channel(|channel| {
            channel.forget(caller);
            Ok(())
        })?;
        self.caller = self.session.new_caller();
        Ok(())
    }

    /// Opens a new session in place of one that was lost, unless another caller has done so.
    pub(super) fn reopen(&mut self) -> Result<(), ClientError> {
        let session = Arc::clone(&self.session);
        self.with_channel(|channel| {
            if channel.is_over() {
                channel.reopen()?;
                *session.welcome.write() = channel.welcome();
            }
            Ok(())
        })?;
        self.discard_outstanding()
    }

    pub(super) fn may_have_been_executed(&self, seq: u64) -> bool {
        // A caller that was cancelled meanwhile knows nothing of its request.
        self.with_channel(|channel| Ok(channel.may_have_been_executed(self.caller, seq))).unwrap_or(true)
    }

    /// Takes note of a change that the server has made, as a look tells.
    pub(super) fn note_change(&self) {
        let _ = self.with_channel(|channel| {
            channel.changed();
            Ok(())
        });
    }

    /// Takes note of a flush that was answered OK: whether it covers all changes that this handle knows of [DUR-6].
    pub(super) fn note_flush(&self) -> Result<bool, ClientError> {
        let losses = self.with_channel(|channel| Ok(channel.flushed()))?;
        Ok(self.settings.losses_reported.swap(losses, Ordering::Relaxed) >= losses)
    }

    /// Renews the lease, and waits for the reply.
    pub(super) fn send_ping(&self) -> Result<(), ClientError> {
        let timeout = self.with_channel(|channel| {
            channel.send_ping()?;
            Ok(channel.timeout())
        })?;
        match self.wait_for(Instant::now().checked_add(timeout), Channel::take_ping_reply)? {
            Some(()) => Ok(()),
            None => Err(ClientError::TimedOut { operation: "ping", after: timeout }),
        }
    }

    /// Renews the lease if nothing has done so for a third of it, for times in which this client is busy with itself
    /// [SES-16].
    pub(super) fn keep_session(&mut self) -> Result<(), ClientError> {
        if self.cancel().is_cancelled() {
            return self.with_channel(|channel| channel.check_cancelled());
        }
        if self.checked_at.elapsed() < KEEP_ALIVE_CHECK {
            return Ok(());
        }
        self.checked_at = Instant::now();
        if self.with_channel(|channel| Ok(channel.is_ping_due()))? { self.send_ping() } else { Ok(()) }
    }

    /// Waits until `at`; replies are received and the session is kept meanwhile.
    pub(super) fn sleep_until(&mut self, at: Instant) -> Result<(), ClientError> {
        while Instant::now() < at {
            let slice = at.min(Instant::now() + CANCEL_CHECK);
            self.wait_for(Some(slice), |channel| channel.check_open().map(|()| None::<()>))?;
            self.keep_session()?;
        }
        Ok(())
    }

    /// The largest payload in bytes.
    pub(crate) fn chunk(&self) -> usize {
        usize::try_from(self.session.welcome().chunk.min(limits::CHUNK_MAX)).unwrap_or(limits::HEADER)
    }
}
