//! The names in one directory, sorted, in bounded memory.

use crate::storage::backend::BackendDir;
use std::io;
use std::time::Instant;

/// The memory for a name besides its bytes.
const PER_NAME: usize = size_of::<(u32, u16)>();

/// A sorted run of a directory's names: all that follow a point, or as many as memory is granted for.
///
/// SortedNames are kept in one buffer: a million of them cost a million times their length and eight bytes.
#[derive(Debug)]
pub(super) struct SortedNames {
    bytes: Vec<u8>,
    /// Where each name begins, and its length, in the order of the names.
    spans: Vec<(u32, u16)>,
    /// Whether the directory has no names after the last one.
    complete: bool,
}

/// A directory that is read in time slices.
#[derive(Debug)]
pub(super) struct NameReader {
    names: SortedNames,
    after: Vec<u8>,
    bound: Option<Vec<u8>>,
    budget: usize,
}

impl NameReader {
    /// Begins with the names after `after`; keeps the smallest ones if they need more than `budget` bytes.
    pub(super) fn begin(directory: &mut impl BackendDir, after: &[u8], budget: usize) -> io::Result<Self> {
        Self::begin_in(SortedNames::default(), directory, after, budget)
    }

    /// Continues after the last of `names`, in the memory that they used.
    pub(super) fn begin_after(
        mut names: SortedNames,
        directory: &mut impl BackendDir,
        budget: usize,
    ) -> io::Result<Self> {
        let last = names.last().unwrap_or_default().to_vec();
        names.clear();
        Self::begin_in(names, directory, &last, budget)
    }

    fn begin_in(names: SortedNames, directory: &mut impl BackendDir, after: &[u8], budget: usize) -> io::Result<Self> {
        directory.rewind()?;
        Ok(Self { names, after: after.to_vec(), bound: None, budget })
    }

    /// Reads until the deadline; true at the end of the directory.
    pub(super) fn advance(&mut self, directory: &mut impl BackendDir, deadline: Instant) -> io::Result<bool> {
        let Self { names, after, bound, budget } = self;
        directory.read(deadline, &mut |name| {
            if name > after.as_slice() && bound.as_deref().is_none_or(|bound| name <= bound) {
                names.push(name);
                if names.weight() > *budget {
                    *bound = names.keep_smaller_half();
                }
            }
        })
    }

    pub(super) fn finish(mut self) -> SortedNames {
        self.names.sort();
        self.names
    }
}

impl Default for SortedNames {
    fn default() -> Self {
        Self { bytes: Vec::new(), spans: Vec::new(), complete: true }
    }
}

impl SortedNames {
    pub(super) fn name(&self, index: usize) -> Option<&[u8]> {
        self.spans.get(index).map(|&span| slice(&self.bytes, span))
    }

    pub(super) fn last(&self) -> Option<&[u8]> {
        self.name(self.spans.len().checked_sub(1)?)
    }

    /// The index of the first name that is not less than `bytes`.
    pub(super) fn index_of(&self, bytes: &[u8]) -> usize {
        self.spans.partition_point(|&span| slice(&self.bytes, span) < bytes)
    }

    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Bytes of memory in use.
    pub(super) fn weight(&self) -> usize {
        self.bytes.len() + self.spans.len() * PER_NAME
    }

    fn push(&mut self, name: &[u8]) {
        // The budget is far below 4 GiB, and no file system has names of 64 KiB.
        if let (Ok(begin), Ok(len)) = (u32::try_from(self.bytes.len()), u16::try_from(name.len())) {
            self.bytes.extend_from_slice(name);
            self.spans.push((begin, len));
        }
    }

    fn sort(&mut self) {
        let bytes = &self.bytes;
        self.spans.sort_unstable_by(|&one, &other| slice(bytes, one).cmp(slice(bytes, other)));
        // A directory that changes while it is read may tell a name twice.
        self.spans.dedup_by(|one, other| slice(bytes, *one) == slice(bytes, *other));
    }

    /// Leaves the names unsorted, and gives the largest of those that are kept.
    ///
    /// In place: a copy would take half as much memory again.
    fn keep_smaller_half(&mut self) -> Option<Vec<u8>> {
        let last = self.spans.len().div_ceil(2).checked_sub(1)?;
        let bytes = &self.bytes;
        let by_name = |one: &(u32, u16), other: &(u32, u16)| slice(bytes, *one).cmp(slice(bytes, *other));
        let (_, largest, _) = self.spans.select_nth_unstable_by(last, by_name);
        let largest = slice(bytes, *largest).to_vec();
        self.complete = false;
        self.spans.truncate(last + 1);
        // In the order of the buffer, no name is moved onto one that is still to be moved.
        self.spans.sort_unstable();
        let mut end = 0;
        for (begin, len) in &mut self.spans {
            let from = *begin as usize;
            self.bytes.copy_within(from..from + usize::from(*len), end);
            // It never moves towards the end, so it fits.
            *begin = u32::try_from(end).unwrap_or(u32::MAX);
            end += usize::from(*len);
        }
        self.bytes.truncate(end);
        Some(largest)
    }

    fn clear(&mut self) {
        self.bytes.clear();
        self.spans.clear();
        self.complete = true;
    }
}

fn slice(bytes: &[u8], (begin, len): (u32, u16)) -> &[u8] {
    let begin = begin as usize;
    &bytes[begin..begin + usize::from(len)]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::storage::Posix;
    use crate::storage::backend::Backend as _;
    use remofile_proto::RemotePath;

    #[test]
    fn a_small_budget_yields_the_same_names_in_several_runs() {
        let directory = tempfile::tempdir().unwrap();
        let mut expected: Vec<Vec<u8>> = (0..500).map(|n| format!("name-{}", n * 7919 % 500).into_bytes()).collect();
        for name in &expected {
            std::fs::write(directory.path().join(std::str::from_utf8(name).unwrap()), b"").unwrap();
        }
        expected.sort();
        let posix = Posix::open(directory.path(), true).unwrap();
        let mut opened = posix.open_dir(&RemotePath::root()).unwrap();
        let (mut found, mut after, mut runs) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut reading = NameReader::begin(&mut opened, &after, 1_000).unwrap();
            // A time slice that ends before it begins still makes progress.
            while !reading.advance(&mut opened, Instant::now()).unwrap() {}
            let names = reading.finish();
            assert!(names.weight() <= 1_000);
            found.extend((0..).map_while(|index| names.name(index).map(<[u8]>::to_vec)));
            runs += 1;
            if names.is_complete() {
                break;
            }
            after = names.last().unwrap().to_vec();
        }
        assert_eq!(found, expected);
        assert!(runs > 3, "{runs}");
    }

    #[test]
    fn the_index_of_a_missing_name_is_that_of_the_next_one() {
        let mut names = SortedNames::default();
        for name in [&b"d"[..], b"b"] {
            names.push(name);
        }
        names.sort();
        assert_eq!(
            [names.index_of(b"a"), names.index_of(b"c"), names.index_of(b"d"), names.index_of(b"e")],
            [0, 1, 1, 2]
        );
    }
}
