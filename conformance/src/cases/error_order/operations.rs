//! Every numbered operation with arguments that are right, and the files that they are right for.

use crate::{
    engine::{context::CaseContext, error::CaseResult},
    wire::request::{
        Request, abort, append, begin, commit, copy, flush, hash, list, mkdir, put, read, remove, rename, stat, touch,
        truncate, uploads, write,
    },
};

/// What is in the files of the furnished directory.
pub(super) const CONTENT: &[u8] = b"the content of the file";

/// The id of the upload that is staged for `staged`.
pub(super) const UP: [u8; 16] = *b"conformance-up-1";

/// How an operation treats a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    /// It takes a file.
    File,
    /// It takes a directory.
    Directory,
    /// It takes anything.
    Anything,
    /// It makes or replaces a file.
    Target,
    /// It makes a directory.
    New,
    /// It only notes the path.
    Noted,
}

/// An operation of the table.
#[derive(Clone, Debug)]
pub(super) struct Operation {
    pub(super) name: &'static str,
    /// Its path arguments in the order of the checks.
    pub(super) paths: &'static [(&'static str, Role)],
    /// The argument that is held against the chunk, `payload` standing for the payload.
    pub(super) sized: Option<&'static str>,
    pub(super) etag: bool,
    pub(super) upload: bool,
}

/// The numbered operations.
pub(super) fn all() -> Vec<Operation> {
    use Role::{Anything, Directory, File, New, Noted, Target};
    let op = |name, paths| Operation { name, paths, sized: None, etag: false, upload: false };
    let etag = |operation: Operation| Operation { etag: true, ..operation };
    let sized = |operation: Operation, by| Operation { sized: Some(by), ..operation };
    let upload = |operation: Operation| Operation { upload: true, ..operation };
    vec![
        op("stat", &[("path", Anything)]),
        op("list", &[("path", Directory)]),
        sized(etag(op("read", &[("path", File)])), "len"),
        op("hash", &[("path", File)]),
        op("mkdir", &[("path", New)]),
        sized(op("put", &[("path", Target)]), "payload"),
        sized(etag(op("write", &[("path", File)])), "payload"),
        etag(op("truncate", &[("path", File)])),
        op("touch", &[("path", Anything)]),
        etag(op("remove", &[("path", Anything)])),
        etag(op("move", &[("from", Anything), ("to", Target)])),
        etag(op("copy", &[("from", File), ("to", Target)])),
        op("begin", &[("path", Noted)]),
        sized(upload(op("append", &[])), "payload"),
        upload(op("commit", &[])),
        op("abort", &[]),
        op("uploads", &[]),
        op("flush", &[]),
    ]
}

/// Makes the files that the operations and their defects refer to.
pub(super) fn set_up_fixture(t: &mut CaseContext) -> CaseResult {
    t.file("file", CONTENT)?;
    t.file("other", b"another content")?;
    let full = t.subdirectory("full")?;
    t.setup(put(&format!("{full}/inner"), CONTENT))?;
    t.subdirectory("empty")?;
    let staged = t.path("staged");
    t.setup(begin(UP, &staged))?;
    t.setup(append(UP, 0, CONTENT))?;
    Ok(())
}

impl Operation {
    /// The request with arguments that are right.
    pub(super) fn base(&self, t: &CaseContext) -> CaseResult<Request> {
        let (file, new) = (t.path("file"), t.path("new"));
        Ok(match self.name {
            "stat" => stat(&file),
            "list" => list(&t.path("empty")),
            "read" => read(&file, 0, 4),
            "hash" => hash(&file),
            "mkdir" => mkdir(&new),
            "put" => put(&new, CONTENT),
            "write" => write(&file, 0, CONTENT),
            "truncate" => truncate(&file, 4),
            "touch" => touch(&file, 1_700_000_000_000_000_000),
            "remove" => remove(&file),
            "move" => rename(&file, &new),
            "copy" => copy(&file, &new),
            "begin" => begin(*b"conformance-up-2", &new),
            "append" => append(UP, CONTENT.len() as u64, CONTENT),
            "commit" => commit(UP, CONTENT),
            "abort" => abort(UP),
            "uploads" => uploads(),
            _ => flush(),
        })
    }
}
