//! Random operations and their file format.

use serde::{Deserialize, Serialize};

/// A failing sequence in its file format: JSON with `"kind": "operations"`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Sequence {
    pub(super) kind: NodeKind,
    pub(super) steps: Vec<ModelStep>,
}

/// Marks this kind of file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum NodeKind {
    Operations,
}

/// One operation. Paths are relative to the directory of the sequence; content is `len` bytes
/// determined by `fill`; uploads have small numbers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "op", rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum ModelStep {
    Stat {
        path: String,
    },
    List {
        path: String,
        tree: bool,
    },
    Read {
        path: String,
        off: u64,
        len: u64,
    },
    Hash {
        path: String,
        off: u64,
        len: u64,
    },
    Mkdir {
        path: String,
    },
    Put {
        path: String,
        fill: u8,
        len: usize,
        pre: ModelPre,
    },
    Write {
        path: String,
        off: u64,
        fill: u8,
        len: usize,
    },
    Truncate {
        path: String,
        size: u64,
    },
    Touch {
        path: String,
        seconds: i64,
    },
    Remove {
        path: String,
        etag: Etag,
    },
    Move {
        from: String,
        to: String,
        pre: ModelPre,
    },
    Copy {
        from: String,
        to: String,
        pre: ModelPre,
    },
    Begin {
        up: u8,
        path: String,
    },
    /// At the number of bytes that are staged, moved by `shift`.
    Append {
        up: u8,
        shift: i64,
        fill: u8,
        len: usize,
    },
    /// With the right size and hash, or a wrong one.
    Commit {
        up: u8,
        lie: CommitFault,
        pre: ModelPre,
    },
    Abort {
        up: u8,
    },
    Uploads,
    Flush,
    /// Sends the message of an earlier request again, counted backwards.
    Again {
        back: u64,
    },
    /// The connection is cut after the next request, which is sent again over a new one.
    Cut,
    /// `bye` and a new session.
    Session,
}

/// The `pre` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum ModelPre {
    Absent,
    Any,
    /// The etag of the target; an unused one if there is no file.
    Present,
    /// An etag that no file has.
    Foreign,
}

/// The `etag` of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Etag {
    None,
    Present,
    Foreign,
}

/// The error in a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum CommitFault {
    None,
    Size,
    Hash,
    Both,
}

/// The mix of random steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Mix {
    /// Of a hundred steps, how many are about uploads.
    pub(super) uploads: u64,
    /// How many send an earlier message again, or cut the connection.
    pub(super) repeats: u64,
    /// How many end the session.
    pub(super) sessions: u64,
}

/// A random number generator (splitmix64) with the same output on every platform.
#[derive(Clone, Debug)]
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below the bound, which must not be 0.
    fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    fn of<T: Copy, const N: usize>(&mut self, choices: [T; N]) -> T {
        let index = usize::try_from(self.below(N as u64)).unwrap_or(0);
        choices[index]
    }

    fn byte(&mut self) -> u8 {
        self.next().to_le_bytes()[0]
    }
}

impl ModelStep {
    /// Draws a step, with few names, so that many steps concern the same entries.
    pub(super) fn draw(random: &mut Random, mix: Mix) -> Self {
        let kind = random.below(100);
        if kind < mix.uploads {
            return Self::draw_upload(random);
        }
        if kind < mix.uploads + mix.repeats {
            return if random.below(3) == 0 { ModelStep::Cut } else { ModelStep::Again { back: random.below(4) } };
        }
        if kind < mix.uploads + mix.repeats + mix.sessions {
            return ModelStep::Session;
        }
        let path = path(random);
        match random.below(20) {
            0 => ModelStep::Stat { path },
            1 => ModelStep::List { path, tree: random.below(2) == 0 },
            2 => ModelStep::Read { path, off: offset(random), len: offset(random) },
            3 => ModelStep::Hash { path, off: offset(random), len: offset(random) },
            4..=6 => ModelStep::Mkdir { path },
            7..=9 => ModelStep::Put { path, fill: random.byte(), len: length(random), pre: pre(random) },
            10 | 11 => ModelStep::Write { path, off: offset(random), fill: random.byte(), len: length(random) },
            12 => ModelStep::Truncate { path, size: offset(random) },
            13 => ModelStep::Touch { path, seconds: i64::from(random.byte()) * 10_000_000 },
            14 | 15 => {
                ModelStep::Remove { path, etag: random.of([Etag::None, Etag::None, Etag::Present, Etag::Foreign]) }
            }
            16 | 17 => ModelStep::Move { from: path, to: self::path(random), pre: pre(random) },
            18 => ModelStep::Copy { from: path, to: self::path(random), pre: pre(random) },
            _ => ModelStep::Flush,
        }
    }

    fn draw_upload(random: &mut Random) -> Self {
        let up = random.byte() % 3;
        match random.below(12) {
            0..=2 => ModelStep::Begin { up, path: path(random) },
            3..=6 => ModelStep::Append {
                up,
                shift: random.of([0, 0, 0, 0, -1, 1]),
                fill: random.byte(),
                len: length(random),
            },
            7..=9 => ModelStep::Commit {
                up,
                lie: random.of([
                    CommitFault::None,
                    CommitFault::None,
                    CommitFault::None,
                    CommitFault::Size,
                    CommitFault::Hash,
                    CommitFault::Both,
                ]),
                pre: pre(random),
            },
            10 => ModelStep::Abort { up },
            _ => ModelStep::Uploads,
        }
    }
}

fn path(random: &mut Random) -> String {
    let depth = random.of([1, 1, 1, 2, 2, 3]);
    let names: Vec<&str> = (0..depth).map(|_| random.of(["a", "b", "c"])).collect();
    names.join("/")
}

fn pre(random: &mut Random) -> ModelPre {
    random.of([ModelPre::Absent, ModelPre::Any, ModelPre::Any, ModelPre::Present, ModelPre::Foreign])
}

fn length(random: &mut Random) -> usize {
    random.of([0, 1, 7, 511, 512, 4_095, 4_096, 9_000])
}

fn offset(random: &mut Random) -> u64 {
    random.of([0, 0, 1, 6, 7, 8, 511, 512, 4_096, 10_000])
}
