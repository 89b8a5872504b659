//! Sections 11.3, 11.5 and 11.6: stat, read and hash.

use super::{
    Store,
    entry::{etag, size},
};
use crate::{
    arguments::Arguments,
    reply::{Answer, Refusal, Reply, bytes, field, integer},
    worker::Progress,
};
use remofile_proto::Code;
use rustix::{
    fs::{OFlags, Stat, fstat},
    io::{Errno, pread},
};
use std::fs::File;

impl Store {
    pub(super) fn stat(&mut self, args: &Arguments) -> Answer {
        let stat = self.place(&args.path)?.need()?;
        Ok(Reply::entry(self.entry(&stat)))
    }

    pub(super) fn read(&mut self, args: &Arguments) -> Answer {
        let found = self.file(&args.path)?;
        check_etag(args, &found.stat)?;
        let file = found.open(OFlags::RDONLY)?;
        let wanted = usize::try_from(args.len.unwrap_or(0)).map_err(|_| Code::TooLarge)?;
        let mut payload = vec![0; wanted];
        let taken = read_at(&file, &mut payload, args.off)?;
        payload.truncate(taken);
        // [READ-2], [READ-3]
        let after = fstat(&file)?;
        check_etag(args, &after)?;
        let result = vec![field("etag", bytes(&etag(&after))), field("size", integer(size(&after)))];
        Ok(Reply { payload: Some(payload), ..Reply::ok(result) })
    }

    pub(super) fn hash(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let file = self.file(&args.path)?.open(OFlags::RDONLY)?;
        let before = fstat(&file)?;
        let rest = size(&before).saturating_sub(args.off);
        let len = args.len.map_or(rest, |len| len.min(rest));
        let mut hash = blake3::Hasher::new();
        let done = self.each_slice(&file, args.off, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        let after = fstat(&file)?;
        // [HASH-2]
        if done != len || etag(&after) != etag(&before) {
            return Err(Code::Changed.into());
        }
        Ok(Reply::ok(vec![
            field("hash", bytes(hash.finalize().as_bytes())),
            field("len", integer(done)),
            field("etag", bytes(&etag(&after))),
        ]))
    }

    /// Hands on `len` bytes of a file from `off` on, or as many as there are, slice by slice; how many there were.
    pub(super) fn each_slice(
        &self,
        file: &File,
        off: u64,
        len: u64,
        progress: &Progress,
        mut take: impl FnMut(&[u8]) -> Result<(), Refusal>,
    ) -> Result<u64, Refusal> {
        let mut slice = vec![0; usize::try_from(len).unwrap_or(usize::MAX).min(self.limits.slice)];
        let mut done = 0;
        while done < len {
            progress.step(done, len)?;
            let wanted = usize::try_from(len - done).unwrap_or(usize::MAX).min(slice.len());
            let taken = read_at(file, &mut slice[..wanted], off + done)?;
            take(&slice[..taken])?;
            done += taken as u64;
            if taken < wanted {
                break;
            }
        }
        Ok(done)
    }
}

/// [OP-7]
pub(super) fn check_etag(args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
    match &args.etag {
        Some(wanted) if *wanted != etag(stat) => Err(Code::Changed.into()),
        _ => Ok(()),
    }
}

/// Fills the buffer from `off` on, or as far as the file goes ([READ-1], [READ-4]).
fn read_at(file: &File, buffer: &mut [u8], off: u64) -> Result<usize, Errno> {
    let mut taken = 0;
    // Systems differ in what they say of offsets that no file can have.
    if off >= size(&fstat(file)?) {
        return Ok(0);
    }
    while taken < buffer.len() {
        match pread(file, &mut buffer[taken..], off + taken as u64) {
            Ok(0) => break,
            Ok(more) => taken += more,
            Err(Errno::INTR) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(taken)
}
