//! The file formats of the saved state: a snapshot, which is complete or invalid, and a journal, whose end may be
//! missing.

use crate::sync::{
    LocalVersion,
    input::{SavedEntry, SavedFile},
};
use remofile_proto::{Digest, Etag};

const SNAPSHOT: &[u8; 24] = b"remofile sync archive 1\n";
const JOURNAL: &[u8; 24] = b"remofile sync journal 1\n";
const HASH: usize = 32;

/// How many bytes a journal without a batch is long.
pub(super) const JOURNAL_HEADER: usize = 24 + 8;

/// The entries of the saved state, in the order of listings.
pub(in crate::sync) type Entries = Vec<(Box<str>, SavedEntry)>;

/// An update of the saved state: the new entry of a path, or its removal.
pub(super) type Update = (Box<str>, Option<SavedEntry>);

/// The content of a journal.
#[derive(Debug, PartialEq)]
pub(super) struct StateJournal {
    pub(super) updates: Vec<Update>,
    /// How many bytes of it are valid.
    pub(super) len: usize,
    /// The hash that the next batch is chained to.
    pub(super) chain: [u8; HASH],
}

impl StateJournal {
    /// None has been written.
    pub(super) fn none(generation: u64) -> Self {
        Self { updates: Vec::new(), len: 0, chain: first_chain(&journal_header(generation)) }
    }
}

/// The bytes differ from what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Damaged;

/// A snapshot of these entries.
pub(super) fn snapshot<'a>(generation: u64, entries: impl Iterator<Item = (&'a str, &'a SavedEntry)>) -> Vec<u8> {
    let mut bytes = SNAPSHOT.to_vec();
    bytes.extend(generation.to_le_bytes());
    for (path, saved) in entries {
        put_update(&mut bytes, path, Some(saved));
    }
    let hash = *blake3::hash(&bytes).as_bytes();
    bytes.extend(hash);
    bytes
}

/// The generation and entries of a snapshot.
pub(super) fn read_snapshot(bytes: &[u8]) -> Result<(u64, Entries), Damaged> {
    let (content, hash) = bytes.split_last_chunk::<HASH>().ok_or(Damaged)?;
    if blake3::hash(content).as_bytes() != hash {
        return Err(Damaged);
    }
    let mut rest = content.strip_prefix(SNAPSHOT).ok_or(Damaged)?;
    let generation = u64::from_le_bytes(take(&mut rest).ok_or(Damaged)?);
    let mut entries = Vec::new();
    while !rest.is_empty() {
        match take_update(&mut rest).ok_or(Damaged)? {
            (path, Some(saved)) => entries.push((path, saved)),
            (_, None) => return Err(Damaged),
        }
    }
    Ok((generation, entries))
}

/// The beginning of a journal on top of the snapshot of this generation.
pub(super) fn journal_header(generation: u64) -> [u8; JOURNAL_HEADER] {
    let mut header = [0; JOURNAL_HEADER];
    header[..24].copy_from_slice(JOURNAL);
    header[24..].copy_from_slice(&generation.to_le_bytes());
    header
}

/// The hash that the first batch after this header is chained to.
pub(super) fn first_chain(header: &[u8; JOURNAL_HEADER]) -> [u8; HASH] {
    *blake3::hash(header).as_bytes()
}

/// A batch, and the hash that the next one is chained to.
pub(super) fn batch<'a>(
    chain: &[u8; HASH],
    updates: impl Iterator<Item = (&'a str, Option<&'a SavedEntry>)>,
) -> (Vec<u8>, [u8; HASH]) {
    let mut payload = Vec::new();
    for (path, saved) in updates {
        put_update(&mut payload, path, saved);
    }
    let hash = chained(chain, &payload);
    let mut bytes = length(payload.len()).to_le_bytes().to_vec();
    bytes.extend(hash);
    bytes.extend(payload);
    (bytes, hash)
}

/// The journal on top of the snapshot of `generation`; one of another generation is ignored.
///
/// Ignores an incomplete end, which a crash leaves: it was never reported as durable. Any other error is damage, since
/// removed entries might reappear.
pub(super) fn read_journal(bytes: &[u8], generation: u64) -> Result<StateJournal, Damaged> {
    let header = journal_header(generation);
    let mut journal = StateJournal::none(generation);
    let Some(mut rest) = bytes.strip_prefix(&header) else { return Ok(journal) };
    journal.len = header.len();
    while !rest.is_empty() {
        let (hash, mut payload, behind) = match take_batch(rest) {
            Ok(Some(batch)) => batch,
            Ok(None) => return Ok(journal),
            Err(Damaged) => return if is_blank_at_the_end(rest) { Ok(journal) } else { Err(Damaged) },
        };
        if chained(&journal.chain, payload) != *hash {
            return if is_blank_at_the_end(rest) { Ok(journal) } else { Err(Damaged) };
        }
        while !payload.is_empty() {
            journal.updates.push(take_update(&mut payload).ok_or(Damaged)?);
        }
        journal.len += rest.len() - behind.len();
        (journal.chain, rest) = (*hash, behind);
    }
    Ok(journal)
}

/// The hash and payload of a batch, and the bytes after it; `None` where it is cut off.
#[allow(clippy::type_complexity, reason = "three slices of one")]
fn take_batch(bytes: &[u8]) -> Result<Option<(&[u8; HASH], &[u8], &[u8])>, Damaged> {
    let Some((announced, rest)) = bytes.split_first_chunk::<8>() else { return Ok(None) };
    let announced = u64::from_le_bytes(*announced);
    let len = announced >> 32;
    // A length that is not the one that was written would pass for an end that is cut off.
    if announced & u64::from(u32::MAX) != !len & u64::from(u32::MAX) {
        return Err(Damaged);
    }
    let Some((hash, rest)) = rest.split_first_chunk::<HASH>() else { return Ok(None) };
    let split = rest.split_at_checked(usize::try_from(len).unwrap_or(usize::MAX));
    Ok(split.map(|(payload, behind)| (hash, payload, behind)))
}

/// A length, and its complement as a check.
fn length(len: usize) -> u64 {
    let len = u32::try_from(len).expect("a batch is written long before it has 4 GiB");
    u64::from(len) << 32 | u64::from(!len)
}

/// A file that was made longer before its content reached the disk ends in zeros.
fn is_blank_at_the_end(bytes: &[u8]) -> bool {
    bytes.iter().rev().take(64).all(|byte| *byte == 0)
}

fn chained(chain: &[u8; HASH], payload: &[u8]) -> [u8; HASH] {
    *blake3::Hasher::new().update(chain).update(payload).finalize().as_bytes()
}

fn put_update(bytes: &mut Vec<u8>, path: &str, saved: Option<&SavedEntry>) {
    let len = u16::try_from(path.len()).expect("a path is at most 4,096 bytes long");
    bytes.extend(len.to_le_bytes());
    bytes.extend(path.as_bytes());
    let file = match saved {
        None => return bytes.push(0),
        Some(SavedEntry::Directory) => return bytes.push(1),
        Some(SavedEntry::File(file)) => file,
    };
    bytes.push(2);
    bytes.extend(file.hash.as_bytes());
    let LocalVersion { device, inode, size, mtime_ns, ctime_ns } = file.version;
    for number in [device, inode, size, mtime_ns.cast_unsigned(), ctime_ns.cast_unsigned()] {
        bytes.extend(number.to_le_bytes());
    }
    bytes.push(u8::from(file.is_recently_modified) | u8::from(file.is_racy) << 1 | u8::from(file.has_equal_times) << 2);
    let etag = file.etag.as_bytes();
    bytes.push(u8::try_from(etag.len()).expect("an etag is at most 64 bytes long"));
    bytes.extend(etag);
}

fn take_update(bytes: &mut &[u8]) -> Option<Update> {
    let len = usize::from(u16::from_le_bytes(take(bytes)?));
    let (path, rest) = bytes.split_at_checked(len)?;
    *bytes = rest;
    let path: Box<str> = std::str::from_utf8(path).ok()?.into();
    let saved = match take::<1>(bytes)? {
        [0] => None,
        [1] => Some(SavedEntry::Directory),
        [2] => Some(SavedEntry::File(take_file(bytes)?)),
        _ => return None,
    };
    Some((path, saved))
}

fn take_file(bytes: &mut &[u8]) -> Option<SavedFile> {
    let hash = Digest::new(take(bytes)?);
    let mut number = || take(bytes).map(u64::from_le_bytes);
    let (device, inode, size) = (number()?, number()?, number()?);
    let (mtime_ns, ctime_ns) = (number()?.cast_signed(), number()?.cast_signed());
    let [flags] = take(bytes)?;
    let [len] = take(bytes)?;
    let (etag, rest) = bytes.split_at_checked(usize::from(len))?;
    *bytes = rest;
    Some(SavedFile {
        hash,
        version: LocalVersion { device, inode, size, mtime_ns, ctime_ns },
        is_recently_modified: flags & 1 != 0,
        etag: Etag::try_from(etag).ok()?,
        is_racy: flags & 2 != 0,
        has_equal_times: flags & 4 != 0,
    })
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, rest) = bytes.split_first_chunk::<N>()?;
    *bytes = rest;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn file() -> impl Strategy<Value = SavedEntry> {
        let numbers = (any::<u64>(), any::<u64>(), any::<u64>(), any::<i64>(), any::<i64>());
        let etag = prop::collection::vec(any::<u8>(), 1..=64);
        (any::<[u8; 32]>(), numbers, any::<[bool; 3]>(), etag).prop_map(|(hash, numbers, flags, etag)| {
            let (device, inode, size, mtime_ns, ctime_ns) = numbers;
            SavedEntry::File(SavedFile {
                hash: Digest::new(hash),
                version: LocalVersion { device, inode, size, mtime_ns, ctime_ns },
                is_recently_modified: flags[0],
                etag: Etag::try_from(&etag[..]).unwrap(),
                is_racy: flags[1],
                has_equal_times: flags[2],
            })
        })
    }

    fn update() -> impl Strategy<Value = Update> {
        let saved = prop_oneof![Just(None), Just(Some(SavedEntry::Directory)), file().prop_map(Some)];
        ("[a-zé/]{1,40}", saved).prop_map(|(path, saved)| (path.into(), saved))
    }

    /// A journal of these batches, and where each of them ends.
    fn journal(batches: &[Vec<Update>]) -> (Vec<u8>, Vec<usize>) {
        let header = journal_header(7);
        let (mut bytes, mut chain, mut ends) = (header.to_vec(), first_chain(&header), vec![header.len()]);
        for updates in batches {
            let (batch, next) = batch(&chain, updates.iter().map(|(path, saved)| (&**path, saved.as_ref())));
            bytes.extend(batch);
            chain = next;
            ends.push(bytes.len());
        }
        (bytes, ends)
    }

    fn batches() -> impl Strategy<Value = Vec<Vec<Update>>> {
        prop::collection::vec(prop::collection::vec(update(), 1..4), 1..4)
    }

    proptest! {
        #[test]
        fn a_snapshot_is_read_as_it_was_written(updates in prop::collection::vec(update(), 0..20), generation in any::<u64>()) {
            let entries: Vec<_> =
                updates.into_iter().filter_map(|(path, saved)| Some((path, saved?))).collect();
            let bytes = snapshot(generation, entries.iter().map(|(path, saved)| (&**path, saved)));
            prop_assert_eq!(read_snapshot(&bytes), Ok((generation, entries)));
        }

        #[test]
        fn a_snapshot_with_one_bit_flipped_is_damaged(updates in prop::collection::vec(update(), 0..5), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let entries = updates.iter().filter_map(|(path, saved)| Some((&**path, saved.as_ref()?)));
            let mut bytes = snapshot(1, entries);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            prop_assert_eq!(read_snapshot(&bytes), Err(Damaged));
        }

        #[test]
        fn a_journal_that_is_cut_off_anywhere_gives_its_whole_batches(batches in batches(), at in any::<prop::sample::Index>()) {
            let (bytes, ends) = journal(&batches);
            let at = at.index(bytes.len() + 1);
            let read = read_journal(&bytes[..at], 7).unwrap();
            let whole = ends.iter().filter(|end| **end <= at).count();
            let expected: Vec<_> = batches.iter().take(whole.saturating_sub(1)).flatten().cloned().collect();
            prop_assert_eq!(read.updates, expected);
            prop_assert_eq!(read.len, if whole == 0 { 0 } else { ends[whole - 1] });
        }

        #[test]
        fn a_journal_with_one_bit_flipped_is_damaged_or_ends_earlier(batches in batches(), at in any::<prop::sample::Index>(), bit in 0..8u8) {
            let (mut bytes, _) = journal(&batches);
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
            if let Ok(read) = read_journal(&bytes, 7) {
                let all: Vec<_> = batches.iter().flatten().cloned().collect();
                prop_assert!(read.updates.len() < all.len() && all.starts_with(&read.updates));
            }
        }

        #[test]
        fn arbitrary_bytes_are_rejected(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert_eq!(read_snapshot(&bytes), Err(Damaged));
            let mut after_a_header = journal_header(7).to_vec();
            after_a_header.extend(&bytes);
            if let Ok(journal) = read_journal(&after_a_header, 7) {
                prop_assert!(journal.updates.is_empty());
            }
        }
    }

    #[test]
    fn a_journal_of_another_generation_is_ignored() {
        let (bytes, _) = journal(&[vec![("a".into(), None)]]);
        assert_eq!(read_journal(&bytes, 8).unwrap().updates, []);
    }

    #[test]
    fn a_batch_whose_end_is_blank_was_not_written_whole() {
        let long: Box<str> = "x".repeat(4_000).into();
        let (mut bytes, ends) = journal(&[vec![("a".into(), None)], vec![(long, None)]]);
        let len = bytes.len();
        bytes[len - 2_000..].fill(0);
        let read = read_journal(&bytes, 7).unwrap();
        assert_eq!((read.updates.len(), read.len), (1, ends[1]));
    }
}
