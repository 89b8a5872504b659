//! Sections 11.3, 11.5 and 11.6: stat, read and hash.

use super::{Store, entry::size, tree::kind};
use crate::{
    Mutation,
    arguments::Arguments,
    limits, mutations,
    reply::{Answer, Refusal, Reply, bytes, field, integer},
    worker::Progress,
};
use remofile_proto::Code;
use rustix::{
    fs::{FileType, OFlags, Stat, fstat},
    io::{Errno, pread},
};
use std::{fs::File, thread, time::Instant};

impl Store {
    pub(super) fn stat(&mut self, args: &Arguments) -> Answer {
        let place = self.place(&args.path)?;
        let there = place.look()?;
        let is_link = there.as_ref().map(kind) == Some(FileType::Symlink);
        if is_link && self.behaviour.has(&mutations::reading::STAT_FOLLOWS) {
            return Ok(Reply::entry(self.entry(&place.find_through()?.stat)));
        }
        if args.path.is_root() && self.behaviour.has(&mutations::reading::NO_STAT_OF_THE_ROOT) {
            return Err(Code::NotFound.into());
        }
        Ok(Reply::entry(self.entry(&place.need()?)))
    }

    pub(super) fn read(&mut self, args: &Arguments) -> Answer {
        let found = self.file(&args.path)?;
        self.check_etag("read", args, &found.stat)?;
        let file = found.open(OFlags::RDONLY)?;
        let wanted = usize::try_from(args.len.unwrap_or(0)).map_err(|_| Code::TooLarge)?;
        self.refuse_at_the_end(args.off, size(&found.stat))?;
        let is_behind = args.etag.is_some() && args.off >= size(&found.stat);
        if is_behind && self.behaviour.has(&mutations::reading::PAST_THE_END_IS_CHANGED) {
            return Err(Code::Changed.into());
        }
        let mut payload = vec![0; wanted];
        let taken = read_at(&file, &mut payload, args.off)?;
        payload.truncate(self.length_taken(taken, wanted));
        // [READ-2], [READ-3]
        let after = fstat(&file)?;
        self.check_etag("read", args, &after)?;
        let is_part = payload.len() as u64 != size(&after);
        let size = match is_part && self.behaviour.has(&mutations::reading::SIZE_OF_THE_PAYLOAD) {
            true => payload.len() as u64,
            false => size(&after),
        };
        let mut result = vec![field("etag", bytes(&self.etag(&after))), field("size", integer(size))];
        if is_part && self.behaviour.has(&mutations::codes::NO_SIZE) {
            result.pop();
        }
        Ok(Reply { payload: Some(payload), ..Reply::ok(result) })
    }

    /// Mutations: an offset at or past the end is refused.
    fn refuse_at_the_end(&self, off: u64, size: u64) -> Result<(), Refusal> {
        if off > size && self.behaviour.has(&mutations::reading::PAST_THE_END) {
            return Err(Code::BadArgs.into());
        }
        if off == size && self.behaviour.has(&mutations::reading::AT_THE_END) {
            return Err(Code::NotFound.into());
        }
        Ok(())
    }

    /// How many bytes are sent of those that were read ([READ-4]).
    fn length_taken(&self, taken: usize, wanted: usize) -> usize {
        if taken > 65_536 && self.behaviour.has(&mutations::reading::SHORT_READS) {
            return 65_536;
        }
        if (1..wanted).contains(&taken) && self.behaviour.has(&mutations::reading::READ_TO_THE_LAST_BYTE) {
            return taken - 1;
        }
        let pads = (1..wanted).contains(&taken) && self.behaviour.has(&mutations::reading::PADDED_READS);
        if pads { wanted } else { taken }
    }

    pub(super) fn hash(&mut self, args: &Arguments, progress: &Progress) -> Answer {
        let file = self.file(&args.path)?.open(OFlags::RDONLY)?;
        let before = fstat(&file)?;
        let (off, len) = self.range(args, size(&before));
        let mut hash = match self.behaviour.has(&mutations::reading::HASH_KEYED) {
            true => blake3::Hasher::new_derive_key("remofile hash"),
            false => blake3::Hasher::new(),
        };
        let done = self.each_slice(&file, off, len, progress, |slice| {
            hash.update(slice);
            Ok(())
        })?;
        let after = fstat(&file)?;
        // [HASH-2]
        let changed = done != len || self.etag(&after) != self.etag(&before);
        let unseen = self.behaviour.any(&[
            (changed, &mutations::reading::HASH_IS_NOT_HELD),
            (changed && size(&after) > size(&before), &mutations::reading::HASH_DOES_NOT_SEE_GROWTH),
        ]);
        if changed && !unseen {
            return Err(Code::Changed.into());
        }
        let asked = args.len.filter(|len| *len > done && self.behaviour.has(&mutations::reading::HASH_RETURNS_LEN));
        self.history.hashes.set(self.history.hashes.get() + 1);
        Ok(Reply::ok(vec![
            field("hash", bytes(hash.finalize().as_bytes())),
            field("len", integer(asked.unwrap_or(done))),
            field("etag", bytes(&self.etag(&after))),
        ]))
    }

    /// The part of a file of that size which is to be hashed ([HASH-1]).
    fn range(&self, args: &Arguments, size: u64) -> (u64, u64) {
        let rest = size.saturating_sub(args.off);
        let len = args.len.map_or(rest, |len| len.min(rest));
        if len < size && size <= limits::QUICK && self.behaviour.has(&mutations::reading::HASH_OF_ALL) {
            return (0, size);
        }
        if args.off > 0 && self.behaviour.has(&mutations::reading::HASH_FROM_THE_START) {
            return (0, len);
        }
        if args.len == Some(0) && rest > 0 && self.behaviour.has(&mutations::reading::HASH_OF_NO_LEN) {
            return (args.off, rest);
        }
        if len > self.limits.chunk && self.behaviour.has(&mutations::reading::HASH_OF_A_CHUNK) {
            return (args.off, self.limits.chunk);
        }
        (args.off, len)
    }

    /// [OP-7]
    pub(super) fn check_etag(&self, op: &str, args: &Arguments, stat: &Stat) -> Result<(), Refusal> {
        let unguarded = unguarded(op);
        match &args.etag {
            Some(wanted) if *wanted != self.etag(stat) => match unguarded {
                Some(mutation) if self.behaviour.has(mutation) => Ok(()),
                _ => Err(Code::Changed.into()),
            },
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

/// The mutation of each operation that takes an etag and does not look at it.
fn unguarded(op: &str) -> Option<&'static Mutation> {
    Some(match op {
        "read" => &mutations::reading::READ_UNGUARDED,
        "write" => &mutations::writing::WRITE_UNGUARDED,
        "truncate" => &mutations::writing::TRUNCATE_UNGUARDED,
        "remove" => &mutations::moving::REMOVE_UNGUARDED,
        "move" => &mutations::moving::MOVE_UNGUARDED,
        "copy" => &mutations::moving::COPY_UNGUARDED,
        _ => return None,
    })
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
