//! Reads and writes whole ranges: short reads and writes, and `EINTR`, are continued.

use super::calls::{pread, pwrite};
use rustix::fd::AsFd;
use rustix::io::Errno;

/// Writes all bytes at an offset.
pub(crate) fn write_all_at(file: impl AsFd, mut bytes: &[u8], mut offset: u64) -> Result<(), Errno> {
    while !bytes.is_empty() {
        match pwrite(file.as_fd(), bytes, offset) {
            Ok(0) => return Err(Errno::IO),
            Ok(written) => {
                bytes = &bytes[written..];
                offset += written as u64;
            }
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// Appends to `bytes` up to `len` bytes of the file at `offset`, fewer only at its end; returns how many.
///
/// The memory is not filled with zeros first.
pub(crate) fn read_at(file: impl AsFd, bytes: &mut Vec<u8>, offset: u64, len: usize) -> Result<usize, Errno> {
    let begin = bytes.len();
    bytes.reserve_exact(len);
    while bytes.len() - begin < len {
        let done = (bytes.len() - begin) as u64;
        match pread(file.as_fd(), rustix::buffer::spare_capacity(bytes), offset + done) {
            Ok(0) => break,
            Ok(_) | Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    // The allocator may give more than is asked for.
    bytes.truncate(begin + len);
    Ok(bytes.len() - begin)
}
