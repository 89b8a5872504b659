//! The door: while descriptors run short nobody new is let in, so that the holder is served and nothing spins.
//!
//! libzmq's I/O thread is told again and again of a connection that waits, and cannot take it off the queue without a
//! descriptor: it spins, on a core of its own, for as long as strangers hold them all. So the listening socket is given
//! a filter that drops every packet once few descriptors are left. Whoever knocks knocks again, by TCP itself, and is
//! let in when there is room: strangers are out after the time of a handshake. Connections that exist do not notice.
//! Who was on the queue by then is hung up on, should there be no descriptor to let him in with: as many are kept for
//! it as the queue may be long, since libzmq takes of what is freed for it as well.

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

/// Descriptors that strangers are not let have: for those who are waiting to be accepted when the door closes, and for
/// the store and the threads of this process.
const SPARE: u64 = 160;

/// The door opens again when so many more are free.
const RELIEF: u64 = 16;

/// How often a closed door looks whether there is room again, and an open one whether the process itself needs so many.
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
            .name("door".to_owned())
            .spawn(move || limiter.keep(&thread_end))
            .map_err(system("start the door's thread"))?;
        Ok(Self { control: Some(control), thread: Some(thread) })
    }
}

impl Drop for AcceptLimiter {
    fn drop(&mut self) {
        drop(self.control.take());
        if let Some(thread) = self.thread.take() {
            // A panic there leaves the door as it was.
            let _ = thread.join();
        }
    }
}

/// A descriptor of our own for one that libzmq has told the number of.
fn share(listener: u32) -> io::Result<TcpListener> {
    let number = ForeignRawFd::try_from(listener).map_err(|_| io::Error::from(io::ErrorKind::InvalidInput))?;
    let this = pidfd_open(getpid(), PidfdFlags::empty())?;
    let listener = TcpListener::from(pidfd_getfd(this, number, PidfdGetfdFlags::empty())?);
    // Also libzmq's then, which takes it as it should be.
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct LimiterThread {
    listener: TcpListener,
    epoll: OwnedFd,
    /// For connections that have to be taken off the queue when there are no other descriptors.
    reserve: Vec<OwnedFd>,
    /// How many are kept in reserve: as many as the queue may be long.
    queue: usize,
    is_limiting: bool,
}

impl LimiterThread {
    fn new(listener: TcpListener, control: &UnixStream) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        // Told of each connection once: taking it is libzmq's.
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

    fn keep(mut self, _control: &UnixStream) {
        let mut events = Vec::with_capacity(2);
        loop {
            let wait = if self.is_limiting { CHECK_WHILE_LIMITING } else { CHECK_INTERVAL };
            events.clear();
            match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), Some(&wait)) {
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return tracing::error!(%error, "nobody watches the descriptors any more"),
            }
            if events.iter().any(|event: &epoll::Event| event.data.u64() == CONTROL) {
                return;
            }
            if let Err(error) = self.look() {
                return tracing::error!(%error, "nobody watches the descriptors any more");
            }
        }
    }

    fn look(&mut self) -> io::Result<()> {
        self.fill_reserve();
        let free = free_descriptors(&self.listener);
        let least = spare() + if self.is_limiting { RELIEF } else { 0 };
        let socket = SockRef::from(&self.listener);
        match (free < least, self.is_limiting) {
            (true, false) => {
                socket.attach_filter(&[DROP_ALL])?;
                tracing::warn!(free, "descriptors run short: nobody new is let in for now");
            }
            (false, true) => {
                socket.detach_filter()?;
                tracing::info!(free, "there are descriptors again: everybody is let in");
            }
            _ => {}
        }
        self.is_limiting = free < least;
        if free == 0 {
            self.drop_queued();
        }
        Ok(())
    }

    /// Takes off the queue whoever is on it still: nobody else could.
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
