//! Section 9: entries and etags.

mod mutated;

use super::{Store, tree::kind};
use crate::{
    reply::{Fields, bytes, field, integer, text},
    variants,
};
use remofile_proto::cbor::Item;
use rustix::fs::{FileType, Stat, Timespec, Timestamps, UTIME_NOW};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// How long another change may leave the time stamps as they are: some ticks of the system's clock.
const RACY: Duration = Duration::from_millis(50);

const SECOND: i64 = 1_000_000_000;

/// What a coarse file system counts time in.
const TICK: i64 = SECOND / 10;

impl Store {
    pub(super) fn entry(&self, stat: &Stat) -> Item {
        Item::Map(self.entry_fields(stat))
    }

    /// [ENTRY-1], [ENTRY-2]
    pub(super) fn entry_fields(&self, stat: &Stat) -> Fields {
        let mut fields = self.fields_of_kind(stat);
        if self.behaviour.is_variant(&variants::UNKNOWN_KEYS) {
            fields.push(field("mode", integer(u64::from(stat.st_mode))));
            fields.push(field("x-links", Item::Array(vec![Item::Bool(true), text("and so on")])));
        }
        fields
    }

    fn fields_of_kind(&self, stat: &Stat) -> Fields {
        let fields = match self.mutated_kind(kind(stat)) {
            FileType::RegularFile => self.file_fields(stat),
            FileType::Directory => vec![field("kind", text("dir")), self.mtime(stat)],
            FileType::Symlink => vec![field("kind", text("link"))],
            _ => vec![field("kind", text("other"))],
        };
        self.mutated_fields(stat, fields)
    }

    fn file_fields(&self, stat: &Stat) -> Fields {
        let mut fields = vec![
            field("kind", text("file")),
            field("size", integer(size(stat))),
            self.mtime(stat),
            field("etag", bytes(&self.etag(stat))),
        ];
        if self.mutated_racy(self.is_racy(stat)) {
            fields.push(field("racy", Item::Bool(true)));
        }
        fields
    }

    /// [ENTRY-3] Without ctime, changes that restore the modification time would not show.
    pub(super) fn etag(&self, stat: &Stat) -> Vec<u8> {
        let state = self.mutated_state(State {
            inode: Some(stat.st_ino),
            size: Some(size(stat)),
            mtime_ns: Some(self.kept(nanoseconds_of_mtime(stat))),
            ctime_ns: Some(self.kept(nanoseconds(stat.st_ctime, stat.st_ctime_nsec))),
        });
        let mut hash = blake3::Hasher::new();
        for number in [state.inode, state.size].into_iter().flatten() {
            hash.update(&number.to_be_bytes());
        }
        for time in [state.mtime_ns, state.ctime_ns].into_iter().flatten() {
            hash.update(&time.to_be_bytes());
        }
        self.mutated_hash(&mut hash);
        let mut etag = [0; 64];
        hash.finalize_xof().fill(&mut etag);
        let len = match &self.behaviour {
            behaviour if behaviour.is_variant(&variants::LONG_ETAGS) => etag.len(),
            behaviour if behaviour.is_variant(&variants::ANY_ETAGS) => 5 + usize::from(etag[0] % 32),
            _ => 16,
        };
        self.mutated_etag(stat, etag[..len].to_vec())
    }

    /// A time as the file system keeps it.
    fn kept(&self, ns: i64) -> i64 {
        if self.behaviour.is_variant(&variants::COARSE_TIMES) { ns.saturating_sub(ns.rem_euclid(TICK)) } else { ns }
    }

    /// [ENTRY-6]
    fn is_racy(&self, stat: &Stat) -> bool {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let changed = nanoseconds(stat.st_ctime, stat.st_ctime_nsec);
        let changed = Duration::from_nanos(u64::try_from(changed).unwrap_or(0));
        let for_long = match &self.behaviour {
            behaviour if behaviour.is_variant(&variants::LONG_RACY) => Duration::from_millis(500),
            behaviour if behaviour.is_variant(&variants::COARSE_TIMES) => {
                RACY + Duration::from_nanos(TICK.unsigned_abs())
            }
            _ => RACY,
        };
        now < changed + for_long
    }

    /// The time nearest to this one that the file system can keep ([TOUCH-1]).
    pub(super) fn nearest(&self, ns: i64) -> i64 {
        if self.behaviour.is_variant(&variants::COARSE_TIMES) { self.kept(ns.saturating_add(TICK / 2)) } else { ns }
    }

    fn mtime(&self, stat: &Stat) -> (String, Item) {
        let mtime_ns = self.kept(nanoseconds_of_mtime(stat));
        field("mtime_ns", Item::Int(self.mutated_mtime(stat, mtime_ns)))
    }
}

/// What an etag is made of.
struct State {
    inode: Option<u64>,
    size: Option<u64>,
    mtime_ns: Option<i64>,
    ctime_ns: Option<i64>,
}

pub(super) fn nanoseconds_of_mtime(stat: &Stat) -> i64 {
    nanoseconds(stat.st_mtime, stat.st_mtime_nsec)
}

pub(super) fn size(stat: &Stat) -> u64 {
    u64::try_from(stat.st_size).unwrap_or(0)
}

/// What sets a modification time: the present one where none is given.
pub(super) fn times(mtime_ns: Option<i64>) -> Timestamps {
    let now = Timespec { tv_sec: 0, tv_nsec: UTIME_NOW };
    let given = |ns: i64| Timespec { tv_sec: ns.div_euclid(SECOND), tv_nsec: ns.rem_euclid(SECOND) };
    Timestamps { last_access: now, last_modification: mtime_ns.map_or(now, given) }
}

/// The nearest that the protocol can say.
fn nanoseconds(seconds: i64, fraction: impl TryInto<i64>) -> i64 {
    let fraction = fraction.try_into().unwrap_or(0);
    let nanoseconds = i128::from(seconds) * i128::from(SECOND) + i128::from(fraction);
    i64::try_from(nanoseconds).unwrap_or(if seconds < 0 { i64::MIN } else { i64::MAX })
}
