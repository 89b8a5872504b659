//! Mutations of entries and etags.

use super::{SECOND, State, Store, nanoseconds, size};
use crate::{
    mutations::entries,
    reply::{Fields, field, integer, replace, text},
};
use remofile_proto::cbor::Item;
use rustix::fs::{FileType, Stat};

impl Store {
    pub(super) fn mutated_kind(&self, kind: FileType) -> FileType {
        match kind {
            FileType::RegularFile | FileType::Directory | FileType::Symlink => kind,
            _ if self.behaviour.has(&entries::FIFOS_ARE_FILES) => FileType::RegularFile,
            _ => kind,
        }
    }

    pub(super) fn mutated_fields(&self, stat: &Stat, mut fields: Fields) -> Fields {
        let has = |mutation| self.behaviour.has(mutation);
        match super::kind(stat) {
            FileType::Directory if has(&entries::NO_DIRECTORY_TIMES) => fields.retain(|(key, _)| key != "mtime_ns"),
            FileType::Directory if has(&entries::DIRECTORY_SIZES) => fields.push(field("size", integer(size(stat)))),
            FileType::Directory if self.is_racy(stat) && has(&entries::RACY_DIRECTORIES) => {
                fields.push(field("racy", Item::Bool(true)));
            }
            FileType::Symlink if has(&entries::LINKS_ARE_SYMLINKS) => replace(&mut fields, "kind", text("symlink")),
            FileType::Symlink if has(&entries::LINKS_ARE_OTHERS) => replace(&mut fields, "kind", text("other")),
            FileType::Symlink if has(&entries::LINK_TIMES) => fields.push(self.mtime(stat)),
            FileType::RegularFile if !fields.iter().any(|(key, _)| key == "racy") && has(&entries::RACY_IS_FALSE) => {
                fields.push(field("racy", Item::Bool(false)));
            }
            _ => {}
        }
        fields
    }

    pub(super) fn mutated_racy(&self, racy: bool) -> bool {
        racy != self.behaviour.any(&[(racy, &entries::NEVER_RACY), (!racy, &entries::ALWAYS_RACY)])
    }

    pub(super) fn mutated_state(&self, state: State) -> State {
        let has = |mutation| self.behaviour.has(mutation);
        let in_units = |state: State, unit: i64| State {
            mtime_ns: state.mtime_ns.map(|ns| ns.div_euclid(unit)),
            ctime_ns: state.ctime_ns.map(|ns| ns.div_euclid(unit)),
            ..state
        };
        match state {
            state if has(&entries::ETAG_WITHOUT_INODE) => State { inode: None, ctime_ns: None, ..state },
            state if has(&entries::ETAG_OF_THE_PLACE) => State { size: None, mtime_ns: None, ctime_ns: None, ..state },
            state if has(&entries::ETAG_WITHOUT_TIMES) => State { mtime_ns: None, ctime_ns: None, ..state },
            state if has(&entries::ETAG_WITHOUT_CTIME) => State { ctime_ns: None, ..state },
            state if has(&entries::ETAG_IN_SECONDS) => in_units(state, SECOND),
            state if has(&entries::NEVER_RACY) => in_units(state, SECOND / 10),
            state => state,
        }
    }

    /// Salts the hash of an etag.
    pub(super) fn mutated_hash(&self, hash: &mut blake3::Hasher) {
        if self.behaviour.has(&entries::ETAG_OF_THE_RUN) {
            hash.update(&std::process::id().to_be_bytes());
        }
        if let Some(session) = self.history.session.get()
            && self.behaviour.has(&entries::ETAG_OF_THE_SESSION)
        {
            hash.update(session.as_bytes());
        }
        let hashes = self.history.hashes.get();
        if hashes > 0 && self.behaviour.has(&entries::ETAG_OF_THE_MOMENT) {
            hash.update(&hashes.to_be_bytes());
        }
    }

    pub(super) fn mutated_etag(&self, stat: &Stat, mut etag: Vec<u8>) -> Vec<u8> {
        if size(stat) == 0 && self.behaviour.has(&entries::ETAG_TOO_LONG) {
            etag.resize(65, 0);
        }
        etag
    }

    pub(super) fn mutated_mtime(&self, stat: &Stat, mtime_ns: i64) -> i64 {
        let atime_ns = nanoseconds(stat.st_atime, stat.st_atime_nsec);
        if atime_ns != mtime_ns && self.behaviour.has(&entries::MTIME_IS_ATIME) { atime_ns } else { mtime_ns }
    }
}
