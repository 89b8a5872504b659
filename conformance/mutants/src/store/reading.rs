//! Sections 11.3, 11.5 and 11.6: stat, read and hash.

mod mutated;

use super::{Store, entry::size};
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
use std::{fs::File, thread, time::Instant};

impl Store {
    pub(super) fn stat(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        if let Some(answer) = self.mutated_stat_of(args, &place)? {
            return answer;
        }
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    pub(super) fn read(&mut self, args: &Arguments) -> Answer {
        let found = self.file(&args.path)?;
        self.check_etag("read", args, &found.stat)?;
        let file = found.open(OFlags::RDONLY)?;
        let wanted = usize::try_from(args.len.unwrap_or(0)).map_err(|_| Code::TooLarge)?;
        self.mutated_read(args, size(&found.stat))?;
        let mut payload = vec![0; wanted];
        let taken = read_at(&file, &mut payload, args.off)?;
        payload.truncate(self.mutated_length(taken, wanted));
        // [READ-2], [READ-3]
        let after = fstat(&file)?;
        self.check_etag("read", args, &after)?;
        let result = vec![field("etag", bytes(&self.etag(&after))), field("size", integer(size(&after)))];
        let result = self.mutated_result_of_read(result, payload.len() as u64, size(&after));
        Ok(Reply { payload: Some(payload), ..Reply::ok(result) })
    }

    pub(super) fn hash(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let file = self.file(&args.path)?.open(OFlags::RDONLY)?;
        let before = fstat(&file)?;
        let rest = size(&before).saturating_sub(args.off);
        // [HASH-1]
        let range = (args.off, args.len.map_or(rest, |len| len.min(rest)));
        let (off, len) = self.mutated_range(args, size(&before), range);
        let mut hash = self.mutated_hasher(blake3::Hasher::new());
        let done = self.each_slice(&file, off, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        let after = fstat(&file)?;
        // [HASH-2]
        let has_changed = done != len || self.etag(&after) != self.etag(&before);
        if self.mutated_change(&before, &after, has_changed) {
            return Err(Code::Changed.into());
        }
        self.history.hashes.set(self.history.hashes.get() + 1);
        Ok(Reply::ok(vec![
            field("hash", bytes(hash.finalize().as_bytes())),
            field("len", integer(self.mutated_len_of_hash(args, done))),
            field("etag", bytes(&self.etag(&after))),
        ]))
    }

    /// [OP-7]
    pub(super) fn check_etag(&self, op: &str, args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
        match &args.etag {
            Some(wanted) if *wanted != self.etag(stat) && self.mutated_guard(op) => Err(Code::Changed.into()),
            _ => Ok(()),
        }
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
        let began = Instant::now();
        while done < len {
            thread::sleep(self.limits.time_to_read(done, len).saturating_sub(began.elapsed()));
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
