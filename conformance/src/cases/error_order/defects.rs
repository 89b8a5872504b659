//! Defects of requests, with their step in the order of checks and their code.

use super::operations::{Operation, Role};
use crate::{
    engine::{context::CaseContext, error::CaseResult},
    wire::{
        code::{
            BAD_ARGS, BAD_MESSAGE, BAD_NAME, CHANGED, Code, DENIED, EXISTS, LIMIT, LOOP, NO_SESSION, NO_UPLOAD,
            NOT_DIR, NOT_EMPTY, NOT_FILE, NOT_FOUND, OFFSET, SEQ, TOO_LARGE,
        },
        request::Request,
    },
};

/// A request under construction, with its envelope.
pub(super) struct FaultyRequest {
    pub(super) session: [u8; 16],
    pub(super) seq: u64,
    pub(super) request: Request,
    extra_frame: bool,
}

/// What a defect changes, in order of application; two defects of the same slot cannot be combined.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Slot {
    Frames,
    Session,
    Seq,
    Args,
    Size,
    Upload,
    Etag,
    Path(usize),
}

/// A defect of a request.
#[derive(Clone, Debug)]
pub(super) struct Defect {
    pub(super) name: &'static str,
    /// The step of spec section 14.1, and the place within it.
    pub(super) step: (u8, u8),
    pub(super) code: Code,
    pub(super) slot: Slot,
    pub(super) apply: fn(&mut FaultyRequest, &CaseContext) -> CaseResult,
    requirements: &'static [&'static str],
}

impl Defect {
    /// What a server breaks that gives another code.
    pub(super) fn requirements(&self) -> &'static [&'static str] {
        self.requirements
    }
}

impl FaultyRequest {
    pub(super) fn new(t: &CaseContext, request: Request) -> Self {
        Self { session: t.session, seq: t.next, request, extra_frame: false }
    }

    /// The frames after the delimiter.
    pub(super) fn frames(&self) -> Vec<Vec<u8>> {
        let mut frames = self.request.frames(self.session, self.seq);
        if self.extra_frame {
            frames.push(b"one too many".to_vec());
        }
        frames
    }

    fn set(&mut self, key: &str, value: impl Into<crate::wire::cbor::Value>) {
        self.request = self.request.clone().arg(key, value);
    }

    fn text(&self, key: &str) -> String {
        let value = self.request.args.iter().find(|(name, _)| name == key);
        value.and_then(|(_, value)| value.text()).unwrap_or_default().to_owned()
    }
}

macro_rules! defect {
    ($name:literal, $step:expr, $code:expr, $slot:expr, $requirements:expr, $apply:expr) => {
        Defect { name: $name, step: $step, code: $code, slot: $slot, apply: $apply, requirements: $requirements }
    };
}

/// The defects that an operation can have, in the order of the steps.
pub(super) fn of(operation: &Operation) -> Vec<Defect> {
    let mut defects = everywhere();
    if let Some(by) = operation.sized {
        defects.push(oversize(by));
    }
    if operation.upload {
        defects.extend(uploads(operation.name));
    }
    for (index, (key, role)) in operation.paths.iter().enumerate() {
        defects.extend(names(operation.name, index, key));
        defects.extend(files(operation.name, *role));
    }
    if operation.etag {
        defects.push(defect!("a-wrong-etag", (14, 30), CHANGED, Slot::Etag, &["CODE-5", "OP-7"], |a, _| {
            a.set("etag", *b"no such etag");
            Ok(())
        }));
    }
    defects.sort_by_key(|defect| defect.step);
    defects
}

fn everywhere() -> Vec<Defect> {
    vec![
        defect!("an-extra-frame", (3, 0), BAD_MESSAGE, Slot::Frames, &["CODE-5", "ENV-18"], |a, _| {
            a.extra_frame = true;
            Ok(())
        }),
        defect!("an-unknown-session", (5, 0), NO_SESSION, Slot::Session, &["CODE-5", "SES-19"], |a, t| {
            a.session = t.id();
            Ok(())
        }),
        defect!("a-gap-before-it", (6, 0), SEQ, Slot::Seq, &["CODE-5", "SEQ-5"], |a, _| {
            a.seq += 1;
            Ok(())
        }),
        defect!("an-unknown-argument", (8, 0), BAD_ARGS, Slot::Args, &["CODE-5", "CBOR-13"], |a, _| {
            a.set("zz_unknown", 1_u64);
            Ok(())
        }),
    ]
}

fn oversize(by: &str) -> Defect {
    if by == "len" {
        return defect!("a-len-above-the-chunk", (9, 0), TOO_LARGE, Slot::Size, &["CODE-5", "OP-5"], |a, t| {
            a.set("len", t.server()?.chunk + 1);
            Ok(())
        });
    }
    defect!("a-payload-above-the-chunk", (9, 0), TOO_LARGE, Slot::Size, &["CODE-5", "OP-5"], |a, t| {
        let length = usize::try_from(t.server()?.chunk).unwrap_or(usize::MAX) + 1;
        a.request.payload = Some(vec![0; length]);
        Ok(())
    })
}

/// Paths that are refused for what they are.
fn names(operation: &str, index: usize, key: &str) -> Vec<Defect> {
    let slot = Slot::Path(index);
    let at_itself: &'static [&'static str] =
        if operation == "copy" { &["CODE-5", "COPY-2"] } else { &["CODE-5", "MOVE-2"] };
    match (index, key) {
        (0, "from") => vec![
            defect!("a-from-too-deep", (10, 0), LIMIT, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("from", deep(t));
                Ok(())
            }),
            defect!("a-bad-name-in-from", (10, 1), BAD_NAME, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("from", t.path("../escape"));
                Ok(())
            }),
        ],
        (0, _) => vec![
            defect!("a-path-too-deep", (10, 0), LIMIT, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("path", deep(t));
                Ok(())
            }),
            defect!("a-bad-name-in-path", (10, 1), BAD_NAME, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("path", t.path("../escape"));
                Ok(())
            }),
        ],
        _ => vec![
            defect!("a-to-too-deep", (10, 2), LIMIT, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("to", deep(t));
                Ok(())
            }),
            defect!("a-bad-name-in-to", (10, 3), BAD_NAME, slot, &["CODE-5", "PATH-7"], |a, t| {
                a.set("to", t.path("../escape"));
                Ok(())
            }),
            defect!("a-to-that-is-from", (11, 0), LOOP, slot, at_itself, |a, _| {
                a.set("to", a.text("from"));
                Ok(())
            }),
            defect!("a-to-below-from", (11, 0), LOOP, slot, at_itself, |a, _| {
                a.set("to", format!("{}/below", a.text("from")));
                Ok(())
            }),
        ],
    }
}

/// What is, or is not, in the file system at a path.
fn files(operation: &str, role: Role) -> Vec<Defect> {
    let mut defects = Vec::new();
    match role {
        Role::File | Role::Anything | Role::Directory => defects.extend(sources(operation, role)),
        Role::Target | Role::New => defects.extend(targets(operation, role)),
        Role::Noted => {}
    }
    defects
}

fn sources(operation: &str, role: Role) -> Vec<Defect> {
    let slot = Slot::Path(0);
    let mut defects = vec![
        defect!("a-missing-parent", (14, 10), NOT_FOUND, slot, &["CODE-5", "PATH-13"], |a, t| source(
            a,
            t,
            "missing/file"
        )),
        defect!("a-file-as-parent", (14, 10), NOT_DIR, slot, &["CODE-5", "PATH-13"], |a, t| source(a, t, "file/file")),
        defect!("a-missing-entry", (14, 11), NOT_FOUND, slot, &["CODE-5"], |a, t| source(a, t, "nothing")),
    ];
    match role {
        Role::File => defects.push(defect!("a-directory", (14, 20), NOT_FILE, slot, &["CODE-5", "KIND-1"], |a, t| {
            source(a, t, "empty")
        })),
        Role::Directory => defects
            .push(defect!("a-file", (14, 20), NOT_DIR, slot, &["CODE-5", "KIND-2"], |a, t| { source(a, t, "file") })),
        _ => {}
    }
    if operation == "remove" {
        defects.push(defect!(
            "a-directory-that-is-not-empty",
            (14, 40),
            NOT_EMPTY,
            slot,
            &["CODE-5", "REMOVE-2"],
            |a, t| { source(a, t, "full") }
        ));
        defects.push(defect!("the-root", (12, 0), DENIED, slot, &["CODE-5", "REMOVE-3"], |a, _| {
            a.set("path", "/");
            Ok(())
        }));
    }
    defects
}

fn targets(operation: &str, role: Role) -> Vec<Defect> {
    let index = usize::from(matches!(operation, "move" | "copy"));
    let slot = Slot::Path(index);
    let taken: &'static [&'static str] =
        if role == Role::New { &["CODE-5", "MKDIR-2"] } else { &["CODE-5", "TARGET-4"] };
    let mut defects = vec![
        defect!("a-target-in-a-missing-directory", (14, 50), NOT_FOUND, slot, &["CODE-5", "PATH-13"], |a, t| {
            target(a, t, "missing/new")
        }),
        defect!("a-target-below-a-file", (14, 50), NOT_DIR, slot, &["CODE-5", "PATH-13"], |a, t| target(
            a,
            t,
            "other/new"
        )),
        defect!("a-file-at-the-target", (14, 60), EXISTS, slot, taken, |a, t| target(a, t, "other")),
        defect!("a-directory-at-the-target", (14, 60), EXISTS, slot, taken, |a, t| { target(a, t, "full") }),
    ];
    if role == Role::Target {
        defects.push(defect!(
            "a-directory-to-be-replaced",
            (14, 61),
            NOT_FILE,
            slot,
            &["CODE-5", "TARGET-5"],
            |a, t| {
                a.set("pre", "any");
                target(a, t, "full")
            }
        ));
        defects.push(defect!("an-etag-for-nothing", (14, 63), CHANGED, slot, &["CODE-5", "TARGET-7"], |a, _| {
            a.set("pre", *b"no such etag");
            Ok(())
        }));
        defects.push(defect!("another-files-etag", (14, 63), CHANGED, slot, &["CODE-5", "TARGET-7"], |a, t| {
            a.set("pre", *b"no such etag");
            target(a, t, "other")
        }));
    }
    defects
}

fn uploads(operation: &str) -> Vec<Defect> {
    let unknown =
        defect!("an-upload-that-was-not-begun", (13, 0), NO_UPLOAD, Slot::Upload, &["CODE-5", "APPEND-2"], |a, t| {
            a.set("up", t.id());
            Ok(())
        });
    let offset = if operation == "append" {
        defect!("a-wrong-off", (13, 1), OFFSET, Slot::Path(0), &["CODE-5", "APPEND-1"], |a, _| {
            a.set("off", 1_u64);
            Ok(())
        })
    } else {
        defect!("a-wrong-size", (13, 1), OFFSET, Slot::Path(0), &["CODE-5", "COMMIT-1"], |a, _| {
            a.set("size", 1_u64);
            Ok(())
        })
    };
    vec![unknown, offset]
}

/// A path of 129 names, short enough otherwise.
fn deep(t: &CaseContext) -> String {
    let names = t.directory().matches('/').count();
    format!("{}{}", t.directory(), "/x".repeat(129 - names))
}

fn source(a: &mut FaultyRequest, t: &CaseContext, name: &str) -> CaseResult {
    let key = if a.request.args.iter().any(|(key, _)| key == "from") { "from" } else { "path" };
    a.set(key, t.path(name));
    Ok(())
}

fn target(a: &mut FaultyRequest, t: &CaseContext, name: &str) -> CaseResult {
    let key = if a.request.args.iter().any(|(key, _)| key == "to") { "to" } else { "path" };
    a.set(key, t.path(name));
    Ok(())
}
