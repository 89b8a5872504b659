//! The names in one directory, sorted, in bounded memory.

use crate::fs::dir::DirReader;
use rustix::fd::AsFd;
use rustix::io::Errno;
use std::time::Instant;

/// What is kept per name beside its bytes.
const PER_NAME: usize = size_of::<(u32, u16)>();

/// A sorted run of a directory's names: all that follow a point, or as many as memory is granted for.
///
/// Names are kept in one buffer: a million of them cost a million times their length and eight bytes.
#[derive(Debug)]
pub(super) struct Names {
    bytes: Vec<u8>,
    /// Where each name begins, and its length, in the order of the names.
    spans: Vec<(u32, u16)>,
    /// Whether names behind the last one were left for another run.
    complete: bool,
}

/// A directory that is being read, a slice at a time.
#[derive(Debug)]
pub(super) struct Reading {
    names: Names,
    after: Vec<u8>,
    bound: Option<Vec<u8>>,
    budget: usize,
    reader: DirReader,
}

impl Reading {
    /// Begins with the names behind `after`; keeps the smallest ones if they need more than `budget` bytes.
    pub(super) fn begin(directory: impl AsFd, after: &[u8], budget: usize) -> Result<Self, Errno> {
        Self::begin_in(Names::default(), directory, after, budget)
    }

    /// Goes on behind the last of `names`, in the memory that they took.
    pub(super) fn begin_behind(mut names: Names, directory: impl AsFd, budget: usize) -> Result<Self, Errno> {
        let last = names.last().unwrap_or_default().to_vec();
        names.clear();
        Self::begin_in(names, directory, &last, budget)
    }

    fn begin_in(names: Names, directory: impl AsFd, after: &[u8], budget: usize) -> Result<Self, Errno> {
        let reader = DirReader::begin(directory)?;
        Ok(Self { names, after: after.to_vec(), bound: None, budget, reader })
    }

    /// Reads on until then; true when the directory is at its end.
    pub(super) fn advance(&mut self, directory: impl AsFd, until: Instant) -> Result<bool, Errno> {
        let Self { names, after, bound, budget, reader } = self;
        reader.read(directory, Some(until), |name| {
            if name > after.as_slice() && bound.as_deref().is_none_or(|bound| name <= bound) {
                names.push(name);
                if names.weight() > *budget {
                    *bound = names.keep_smaller_half();
                }
            }
        })
    }

    pub(super) fn finish(mut self) -> Names {
        self.names.sort();
        self.names
    }
}

impl Default for Names {
    fn default() -> Self {
        Self { bytes: Vec::new(), spans: Vec::new(), complete: true }
    }
}

impl Names {
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
            // Not behind where it was, so it fits again.
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

    #[test]
    fn a_small_budget_yields_the_same_names_in_several_runs() {
        let directory = tempfile::tempdir().unwrap();
        let mut expected: Vec<Vec<u8>> = (0..500).map(|n| format!("name-{}", n * 7919 % 500).into_bytes()).collect();
        for name in &expected {
            std::fs::write(directory.path().join(std::str::from_utf8(name).unwrap()), b"").unwrap();
        }
        expected.sort();
        let opened = std::fs::File::open(directory.path()).unwrap();
        let (mut found, mut after, mut runs) = (Vec::new(), Vec::new(), 0);
        loop {
            let mut reading = Reading::begin(&opened, &after, 1_000).unwrap();
            // A slice that is over before it begins still makes progress.
            while !reading.advance(&opened, Instant::now()).unwrap() {}
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
        let mut names = Names::default();
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
