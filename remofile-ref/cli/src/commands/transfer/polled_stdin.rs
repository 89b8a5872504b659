//! Standard input with a read timeout.

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};
use std::{
    fs::File,
    io::{self, Read},
    os::fd::AsFd as _,
};

/// The timeout of a read.
const WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };

/// Standard input; a read fails with [`io::ErrorKind::WouldBlock`] after 100 ms without data.
pub(super) struct PolledStdin(File);

impl PolledStdin {
    pub(super) fn open() -> io::Result<Self> {
        Ok(Self(File::from(io::stdin().as_fd().try_clone_to_owned()?)))
    }
}

impl Read for PolledStdin {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match poll(&mut [PollFd::new(&self.0, PollFlags::IN)], Some(&WAIT)) {
            Ok(0) | Err(Errno::INTR) => Err(io::ErrorKind::WouldBlock.into()),
            Ok(_) => self.0.read(bytes),
            Err(errno) => Err(errno.into()),
        }
    }
}
