//! The accept limiter: while few file descriptors are left, no new connection is accepted.
//!
//! Without a free descriptor libzmq's I/O thread cannot accept the next connection in the queue, polls it again at
//! once, and uses a whole core for as long as unauthenticated peers hold the descriptors. So the limiter attaches a
//! filter to the listening socket that drops every packet while few descriptors are left. TCP clients retry, and
//! connect when descriptors are free again, at the latest when the handshakes of silent peers have timed out.
//! Established connections are not affected. A connection that is in the queue already, with no descriptor left for it,
//! is accepted and closed: for that the limiter reserves as many descriptors as the queue is long, since libzmq takes
//! freed ones as well.

use super::TransportError;
use super::server::BACKLOG;
use rustix::event::{Timespec, epoll};
use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{
    ForeignRawFd, PidfdFlags, PidfdGetfdFlags, Resource, getpid, getrlimit, pidfd_getfd, pidfd_open,
};
use socket2::{SockFilter, SockRef};
use std::io::{self, ErrorKind};
use std::net::TcpListener;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::thread::{self, JoinHandle};

/// Descriptors that stay free: for connections in the accept queue when the limiter starts to drop packets, and for the
/// store and the threads of this process.
const SPARE: u64 = 160;

/// The limiter accepts again when this many more are free.
const RELIEF: u64 = 16;

/// How often the limiter counts descriptors while it drops packets, and while it does not.
const CHECK_WHILE_LIMITING: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const CHECK_INTERVAL: Timespec = Timespec { tv_sec: 1, tv_nsec: 0 };

/// `BPF_RET | BPF_K`: accepts the first 0 bytes of every packet.
const DROP_ALL: SockFilter = SockFilter::new(6, 0, 0, 0);

/// A thread that watches a listening socket. It ends when this is dropped.
pub(super) struct AcceptLimiter {
    control: Option<UnixStream>,
    thread: Option<JoinHandle<()>>,
}

impl AcceptLimiter {
    /// Watches the TCP socket that listens under this number in this process.
    pub(super) fn watch(listener: u32) -> Result<Self, TransportError> {
        let system = |what| move |source: io::Error| TransportError::System { what, source };
        let shared = share(listener).map_err(system("share the listening socket"))?;
        let (control, thread_end) = UnixStream::pair().map_err(system("open a control channel"))?;
        let limiter = LimiterThread::new(shared, &thread_end).map_err(system("watch the listening socket"))?;
        let thread = thread::Builder::new()
            .name("accept-limiter".to_owned())
            .spawn(move || limiter.run(&thread_end))
            .map_err(system("start the accept limiter's thread"))?;
        Ok(Self { control: Some(control), thread: Some(thread) })
    }
}

impl Drop for AcceptLimiter {
    fn drop(&mut self) {
        drop(self.control.take());
        if let Some(thread) = self.thread.take() {
            // A panic there does not change the filter.
            let _ = thread.join();
        }
    }
}

/// A descriptor of our own for the one that libzmq reported.
fn share(listener: u32) -> io::Result<TcpListener> {
    let number = ForeignRawFd::try_from(listener).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let listener = TcpListener::from(pidfd_getfd(this, number, PidfdGetfdFlags::empty())?);
    // Applies to libzmq's descriptor too, which expects that.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct LimiterThread {
    listener: TcpListener,
    epoll: OwnedFd,
    /// Freed to accept and close queued connections when no other descriptor is left.
    reserve: Vec<OwnedFd>,
    /// How many are kept in reserve: as many as the queue may be long.
    queue: usize,
    is_limiting: bool,
}

impl LimiterThread {
    fn new(listener: TcpListener, control: &UnixStream) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // Edge-triggered: libzmq accepts the connection.
        let once = epoll::EventFlags::IN | epoll::EventFlags::ET;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), once)?;
        epoll::add(&epoll, control, epoll::EventData::new_u64(CONTROL), epoll::EventFlags::IN)?;
        let longest = usize::try_from(BACKLOG).unwrap_or(0) + 1;
        let an_eighth = usize::try_from(limit() / 8).unwrap_or(longest);
        let queue = longest.min(an_eighth).max(1);
        if queue < longest {
            SockRef::from(&listener).listen(i32::try_from(queue - 1).unwrap_or(0))?;
        }
        let mut limiter = Self { listener, epoll, reserve: Vec::with_capacity(queue), queue, is_limiting: false };
        limiter.fill_reserve();
        Ok(limiter)
    }

    fn fill_reserve(&mut self) {
        while self.reserve.len() < self.queue {
            match fcntl_dupfd_cloexec(&self.epoll, 0) {
                Ok(descriptor) => self.reserve.push(descriptor),
                Err(_) => break,
            }
        }
    }

    fn run(mut self, _control: &UnixStream) {
        let mut events = Vec::with_capacity(2);
        loop {
            let wait = if self.is_limiting { CHECK_WHILE_LIMITING } else { CHECK_INTERVAL };
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return tracing::error!(%error, "the accept limiter has stopped"),
            }
            if events.iter().any(|event: &epoll::Event| event.data.u64() == CONTROL) {
                return;
            }
            if let Err(error) = self.check() {
                return tracing::error!(%error, "the accept limiter has stopped");
            }
        }
    }

    fn check(&mut self) -> io::Result<()> {
        self.fill_reserve();
        let free = free_descriptors(&self.listener);
        let least = spare() + if self.is_limiting { RELIEF } else { 0 };
        let socket = SockRef::from(&self.listener);
        match (free < least, self.is_limiting) {
            (true, false) => {
                socket.attach_filter(&[DROP_ALL])?;
                tracing::warn!(free, "few file descriptors left: new connections are not accepted");
            }
            (false, true) => {
                socket.detach_filter()?;
                tracing::info!(free, "file descriptors are free again: new connections are accepted");
            }
            _ => {}
        }
        self.is_limiting = free < least;
        if free == 0 {
            self.drop_queued();
        }
        Ok(())
    }

    /// Accepts and closes the connections in the queue, which libzmq cannot accept.
    fn drop_queued(&mut self) {
        self.reserve.clear();
        loop {
            match self.listener.accept() {
                Ok((connection, _)) => drop(connection),
                Err(error) if matches!(error.kind(), ErrorKind::ConnectionAborted | ErrorKind::Interrupted) => {}
                Err(_) => break,
            }
        }
        self.fill_reserve();
    }
}

const LISTENER: u64 = 0;
const CONTROL: u64 = 1;

/// Descriptors that are to stay free; fewer where there are few at all.
fn spare() -> u64 {
    SPARE.min(limit() / 4)
}

fn limit() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// At most so many are free: the system gives the lowest number that is.
fn free_descriptors(any: &TcpListener) -> u64 {
    fcntl_dupfd_cloexec(any, 0).map_or(0, |lowest| limit().saturating_sub(u64::from(lowest.as_raw_fd().unsigned_abs())))
}
