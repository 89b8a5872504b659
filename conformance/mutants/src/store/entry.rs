//! Section 9: entries and etags.

use super::{Store, tree::kind};
use crate::{
    mutations,
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
        let mtime = || field("mtime_ns", Item::Int(self.mtime_ns(stat)));
        let has = |mutation| self.behaviour.has(mutation);
        match kind(stat) {
            FileType::RegularFile => self.file_fields(stat),
            FileType::Directory => {
                let mut fields = vec![field("kind", text("dir"))];
                if !has(&mutations::entries::NO_DIRECTORY_TIMES) {
                    fields.push(mtime());
                }
                if has(&mutations::entries::DIRECTORY_SIZES) {
                    fields.push(field("size", integer(size(stat))));
                }
                if self.is_racy(stat) && has(&mutations::entries::RACY_DIRECTORIES) {
                    fields.push(field("racy", Item::Bool(true)));
                }
                fields
            }
            FileType::Symlink if has(&mutations::entries::LINKS_ARE_SYMLINKS) => vec![field("kind", text("symlink"))],
            FileType::Symlink if has(&mutations::entries::LINKS_ARE_OTHERS) => vec![field("kind", text("other"))],
            FileType::Symlink if has(&mutations::entries::LINK_TIMES) => vec![field("kind", text("link")), mtime()],
            FileType::Symlink => vec![field("kind", text("link"))],
            _ if has(&mutations::entries::FIFOS_ARE_FILES) => self.file_fields(stat),
            _ => vec![field("kind", text("other"))],
        }
    }

    fn file_fields(&self, stat: &Stat) -> Fields {
        let mut fields = vec![
            field("kind", text("file")),
            field("size", integer(size(stat))),
            field("mtime_ns", Item::Int(self.mtime_ns(stat))),
            field("etag", bytes(&self.etag(stat))),
        ];
        let racy = self.is_racy(stat);
        let judged_otherwise =
            self.behaviour.any(&[(racy, &mutations::entries::NEVER_RACY), (!racy, &mutations::entries::ALWAYS_RACY)]);
        let told = racy != judged_otherwise;
        if told || self.behaviour.has(&mutations::entries::RACY_IS_FALSE) {
            fields.push(field("racy", Item::Bool(told)));
        }
        fields
    }

    /// [ENTRY-3] Without ctime, changes that restore the modification time would not show.
    pub(super) fn etag(&self, stat: &Stat) -> Vec<u8> {
        let mut hash = blake3::Hasher::new();
        let has = |mutation| self.behaviour.has(mutation);
        if !has(&mutations::entries::ETAG_WITHOUT_INODE) {
            hash.update(&stat.st_ino.to_be_bytes());
        }
        if !has(&mutations::entries::ETAG_OF_THE_PLACE) {
            hash.update(&size(stat).to_be_bytes());
        }
        let changed = [(stat.st_mtime, stat.st_mtime_nsec), (stat.st_ctime, stat.st_ctime_nsec)];
        let timeless = has(&mutations::entries::ETAG_OF_THE_PLACE) || has(&mutations::entries::ETAG_WITHOUT_TIMES);
        let mtime_alone = has(&mutations::entries::ETAG_WITHOUT_INODE) || has(&mutations::entries::ETAG_WITHOUT_CTIME);
        let times = if timeless {
            0
        } else if mtime_alone {
            1
        } else {
            2
        };
        for (seconds, fraction) in &changed[..times] {
            let fraction = if has(&mutations::entries::ETAG_IN_SECONDS) { 0 } else { *fraction };
            let time = self.kept(nanoseconds(*seconds, fraction));
            let coarse = if has(&mutations::entries::NEVER_RACY) { time.div_euclid(SECOND / 10) } else { time };
            hash.update(&coarse.to_be_bytes());
        }
        if has(&mutations::entries::ETAG_OF_THE_RUN) {
            hash.update(&std::process::id().to_be_bytes());
        }
        if let Some(session) = self.history.session.get()
            && has(&mutations::entries::ETAG_OF_THE_SESSION)
        {
            hash.update(session.as_bytes());
        }
        if self.history.hashes.get() > 0 && has(&mutations::entries::ETAG_OF_THE_MOMENT) {
            hash.update(&self.history.hashes.get().to_be_bytes());
        }
        let mut etag = [0; 64];
        hash.finalize_xof().fill(&mut etag);
        let len = match &self.behaviour {
            behaviour if behaviour.is_variant(&variants::LONG_ETAGS) => etag.len(),
            behaviour if behaviour.is_variant(&variants::ANY_ETAGS) => 5 + usize::from(etag[0] % 32),
            _ => 16,
        };
        let mut etag = etag[..len].to_vec();
        if size(stat) == 0 && has(&mutations::entries::ETAG_TOO_LONG) {
            etag.resize(65, 0);
        }
        etag
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

    fn mtime_ns(&self, stat: &Stat) -> i64 {
        let atime_ns = nanoseconds(stat.st_atime, stat.st_atime_nsec);
        let mtime_ns = self.kept(nanoseconds_of_mtime(stat));
        if atime_ns != mtime_ns && self.behaviour.has(&mutations::entries::MTIME_IS_ATIME) {
            return atime_ns;
        }
        mtime_ns
    }
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
