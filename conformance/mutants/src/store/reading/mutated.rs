//! Mutations of stat, read and hash, and of the etags that guard operations.

use super::{Store, size};
use crate::{
    arguments::Arguments,
    limits,
    mutations::{codes, moving, reading, writing},
    reply::{Answer, Fields, Refusal, Reply, integer, replace},
    store::tree::{Place, kind},
};
use remofile_proto::Code;
use rustix::fs::{FileType, Stat};

impl Store {
    pub(super) fn mutated_stat_of(&self, args: &Arguments, place: &Place<'_>) -> Result<Option<Answer>, Refusal> {
        let is_link = place.look()?.as_ref().map(kind) == Some(FileType::Symlink);
        if is_link && self.behaviour.has(&reading::STAT_FOLLOWS) {
            return Ok(Some(Ok(Reply::entry(self.entry(&place.find_through()?.stat)))));
        }
        if args.path.is_root() && self.behaviour.has(&reading::NO_STAT_OF_THE_ROOT) {
            return Err(Code::NotFound.into());
        }
        Ok(None)
    }

    /// Refuses to read at or past the end.
    pub(super) fn mutated_read(&self, args: &Arguments, size: u64) -> Result<(), Refusal> {
        let has = |mutation| self.behaviour.has(mutation);
        match args.off {
            off if off > size && has(&reading::PAST_THE_END) => Err(Code::BadArgs.into()),
            off if off == size && has(&reading::AT_THE_END) => Err(Code::NotFound.into()),
            off if args.etag.is_some() && off >= size && has(&reading::PAST_THE_END_IS_CHANGED) => {
                Err(Code::Changed.into())
            }
            _ => Ok(()),
        }
    }

    /// How many bytes are sent of those that were read.
    pub(super) fn mutated_length(&self, taken: usize, wanted: usize) -> usize {
        if taken > 65_536 && self.behaviour.has(&reading::SHORT_READS) {
            return 65_536;
        }
        let is_last = (1..wanted).contains(&taken);
        if is_last && self.behaviour.has(&reading::READ_TO_THE_LAST_BYTE) {
            return taken - 1;
        }
        if is_last && self.behaviour.has(&reading::PADDED_READS) { wanted } else { taken }
    }

    pub(super) fn mutated_result_of_read(&self, mut result: Fields, len: u64, size: u64) -> Fields {
        if len != size && self.behaviour.has(&reading::SIZE_OF_THE_PAYLOAD) {
            replace(&mut result, "size", integer(len));
        }
        if len != size && self.behaviour.has(&codes::NO_SIZE) {
            result.retain(|(key, _)| key != "size");
        }
        result
    }

    /// The part of a file of that size which is hashed.
    pub(super) fn mutated_range(&self, args: &Arguments, size: u64, (off, len): (u64, u64)) -> (u64, u64) {
        let rest = size.saturating_sub(off);
        if len < size && size <= limits::QUICK && self.behaviour.has(&reading::HASH_OF_ALL) {
            return (0, size);
        }
        if off > 0 && self.behaviour.has(&reading::HASH_FROM_THE_START) {
            return (0, len);
        }
        if args.len == Some(0) && rest > 0 && self.behaviour.has(&reading::HASH_OF_NO_LEN) {
            return (off, rest);
        }
        let cut = len > self.limits.chunk && self.behaviour.has(&reading::HASH_OF_A_CHUNK);
        (off, if cut { self.limits.chunk } else { len })
    }

    pub(super) fn mutated_hasher(&self, hasher: blake3::Hasher) -> blake3::Hasher {
        match self.behaviour.has(&reading::HASH_KEYED) {
            true => blake3::Hasher::new_derive_key("remofile hash"),
            false => hasher,
        }
    }

    /// Whether a file counts as changed.
    pub(super) fn mutated_change(&self, before: &Stat, after: &Stat, has_changed: bool) -> bool {
        let has_grown = size(after) > size(before);
        let is_missed = self.behaviour.any(&[
            (has_changed, &reading::HASH_IS_NOT_HELD),
            (has_changed && has_grown, &reading::HASH_DOES_NOT_SEE_GROWTH),
        ]);
        has_changed && !is_missed
    }

    pub(super) fn mutated_len_of_hash(&self, args: &Arguments, done: u64) -> u64 {
        let asked = args.len.filter(|len| *len > done && self.behaviour.has(&reading::HASH_RETURNS_LEN));
        asked.unwrap_or(done)
    }

    /// Whether an operation compares the etag.
    pub(super) fn mutated_guard(&self, op: &str) -> bool {
        !self.behaviour.has(match op {
            "read" => &reading::READ_UNGUARDED,
            "write" => &writing::WRITE_UNGUARDED,
            "truncate" => &writing::TRUNCATE_UNGUARDED,
            "remove" => &moving::REMOVE_UNGUARDED,
            "move" => &moving::MOVE_UNGUARDED,
            _ => &moving::COPY_UNGUARDED,
        })
    }
}
