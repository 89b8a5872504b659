//! The traits of `std::io`, and what dropping does.

use super::RemoteFile;
use std::io::{self, Read, Seek, SeekFrom, Write};

impl Read for RemoteFile {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let count = self.read_at(buf, self.position)?;
        self.position += count as u64;
        Ok(count)
    }
}

impl Write for RemoteFile {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let count = self.write_at(buf, self.position)?;
        self.position += count as u64;
        Ok(count)
    }

    /// Waits until everything written is durable on the server [DUR-2].
    fn flush(&mut self) -> io::Result<()> {
        self.finish_writes()?;
        self.reads.clear();
        Ok(self.client.flush()?)
    }
}

impl Seek for RemoteFile {
    /// Reports what is known of writes that failed; it waits for none.
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        self.report()?;
        if matches!(to, SeekFrom::End(_)) && self.etag.is_none() && self.writes.is_empty() && self.buffer.is_empty() {
            self.refresh()?;
        }
        let position = match to {
            SeekFrom::Start(off) => Some(off),
            SeekFrom::End(distance) => self.size.checked_add_signed(distance),
            SeekFrom::Current(distance) => self.position.checked_add_signed(distance),
        };
        self.position = position
            .filter(|position| i64::try_from(*position).is_ok())
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a position below 0 or above 2^63 - 1"))?;
        Ok(self.position)
    }
}

impl Drop for RemoteFile {
    fn drop(&mut self) {
        // The first time may report what failed before, and leave the rest to be sent.
        for _ in 0..2 {
            if let Err(error) = self.finish_writes() {
                tracing::warn!(path = %self.path, %error, "a file was dropped, and not all that was written got there");
            }
        }
    }
}
