//! Executes a sequence of steps on a server and on the model, and compares the results.

use super::{
    model::{Model, Node, Refused},
    step::{CommitFault, Etag, ModelPre, ModelStep},
};
use crate::{
    engine::{
        context::CaseContext,
        error::{CaseResult, failed},
    },
    wire::{
        cbor::Value,
        code::{Code, OK},
        reply::Reply,
        request::{self, Request},
    },
};

/// An etag that no file has.
const FOREIGN: [u8; 64] = [0xee; 64];

/// One sequence, in a directory and with uploads of its own.
pub(super) struct Play<'a> {
    t: &'a mut CaseContext,
    base: String,
    ids: [[u8; 16]; 3],
    model: Model,
    /// Whether the connection is cut after the next request.
    cut: bool,
    /// The requests of this session, with their replies.
    history: Vec<(u64, Request, Reply)>,
}

impl<'a> Play<'a> {
    /// Creates a directory and opens a new session.
    pub(super) fn new(t: &'a mut CaseContext, name: &str) -> CaseResult<Self> {
        t.close()?;
        t.open()?;
        let base = t.subdirectory(name)?;
        let ids = [t.id(), t.id(), t.id()];
        Ok(Self { t, base, ids, model: Model::default(), cut: false, history: Vec::new() })
    }

    /// Compares all entries and uploads, and aborts the uploads.
    pub(super) fn finish(mut self) -> CaseResult {
        self.compare_all()?;
        self.abandon()
    }

    /// Aborts all uploads.
    pub(super) fn abandon(self) -> CaseResult {
        self.ids.into_iter().try_for_each(|up| self.t.setup(request::abort(up)).map(drop))
    }

    /// Executes one step.
    pub(super) fn step(&mut self, step: &ModelStep) -> CaseResult {
        match step {
            ModelStep::Stat { .. } | ModelStep::List { .. } | ModelStep::Read { .. } | ModelStep::Hash { .. } => {
                self.look(step)
            }
            ModelStep::Begin { .. }
            | ModelStep::Append { .. }
            | ModelStep::Commit { .. }
            | ModelStep::Abort { .. }
            | ModelStep::Uploads => self.upload(step),
            ModelStep::Again { back } => self.again(*back),
            ModelStep::Cut => {
                self.cut = true;
                Ok(())
            }
            ModelStep::Session => {
                self.t.close()?;
                self.t.open()?;
                self.history.clear();
                self.model.new_session();
                Ok(())
            }
            ModelStep::Flush => self.expect(request::flush(), Ok(())).map(drop),
            _ => self.change(step),
        }
    }

    fn change(&mut self, step: &ModelStep) -> CaseResult {
        let (request, expected, path) = match step {
            ModelStep::Mkdir { path } => (request::mkdir(&self.at(path)), self.model.mkdir(path), path),
            ModelStep::Put { path, fill, len, pre } => {
                let content = filled(*fill, *len);
                let request = self.with_pre(request::put(&self.at(path), content.clone()), path, *pre)?;
                (request, self.model.put(path, content, *pre), path)
            }
            ModelStep::Write { path, off, fill, len } => {
                let bytes = filled(*fill, *len);
                (request::write(&self.at(path), *off, bytes.clone()), self.model.write(path, *off, &bytes), path)
            }
            ModelStep::Truncate { path, size } => {
                (request::truncate(&self.at(path), *size), self.model.truncate(path, *size), path)
            }
            ModelStep::Touch { path, seconds } => {
                let request = request::touch(&self.at(path), seconds.saturating_mul(1_000_000_000));
                (request, self.model.node(path).map(drop), path)
            }
            ModelStep::Remove { path, etag } => {
                let request = request::remove(&self.at(path));
                let request = match etag {
                    Etag::None => request,
                    Etag::Present => request.arg("etag", self.present(path)?),
                    Etag::Foreign => request.arg("etag", FOREIGN),
                };
                return self.expect_model(request, |model| model.remove(path, *etag)).map(drop);
            }
            ModelStep::Move { from, to, pre } => {
                let request = self.with_pre(request::rename(&self.at(from), &self.at(to)), to, *pre)?;
                (request, self.model.rename(from, to, *pre), to)
            }
            ModelStep::Copy { from, to, pre } => {
                let request = self.with_pre(request::copy(&self.at(from), &self.at(to)), to, *pre)?;
                (request, self.model.copy(from, to, *pre), to)
            }
            _ => return Ok(()),
        };
        let reply = self.expect(request, expected)?;
        if reply.is_ok() {
            self.compare_entry(&reply, path)?;
        }
        if let (ModelStep::Touch { path, .. }, OK) = (step, reply.code) {
            self.model.touched(path, reply.entry()?.mtime_ns()?);
        }
        Ok(())
    }

    fn look(&mut self, step: &ModelStep) -> CaseResult {
        match step {
            ModelStep::Stat { path } => {
                let expected = self.model.node(path).map(drop);
                let reply = self.expect(request::stat(&self.at(path)), expected)?;
                if reply.is_ok() { self.compare_entry(&reply, path) } else { Ok(()) }
            }
            ModelStep::List { path, tree } => {
                let at = self.at(path);
                match self.model.list(path, *tree) {
                    Ok(names) => self.compare_list(&at, *tree, &names),
                    Err(code) => self.expect(request::list(&at).arg("tree", *tree), Err(code)).map(drop),
                }
            }
            ModelStep::Read { path, off, len } => {
                let expected = self.model.file(path).map(|file| part(file, *off, *len));
                let reply = self.expect(request::read(&self.at(path), *off, *len), expected.clone().map(drop))?;
                match (reply.payload, expected) {
                    (Some(payload), Ok(wanted)) => {
                        self.t.equal_bytes(&format!("what was read of {path}"), &payload, &wanted)
                    }
                    _ => Ok(()),
                }
            }
            ModelStep::Hash { path, off, len } => {
                let expected = self.model.file(path).map(|file| part(file, *off, *len));
                let request = request::hash(&self.at(path)).arg("off", *off).arg("len", *len);
                let reply = self.expect(request, expected.clone().map(drop))?;
                let Ok(wanted) = expected else { return Ok(()) };
                self.t.equal(&format!("`len` of hash of {path}"), reply.uint("len")?, wanted.len() as u64)?;
                let hash = blake3::hash(&wanted);
                self.t.equal_bytes(&format!("the hash of {path}"), reply.bytes("hash")?, hash.as_bytes())
            }
            _ => Ok(()),
        }
    }

    fn upload(&mut self, step: &ModelStep) -> CaseResult {
        match step {
            ModelStep::Begin { up, path } => {
                let reply = self.expect(request::begin(self.id(*up), &self.at(path)), Ok(()))?;
                let staged = self.model.begin(*up, path);
                self.t.equal("`off` of begin", reply.uint("off")?, staged.len() as u64)?;
                self.t.equal_bytes("`hash` of begin", reply.bytes("hash")?, blake3::hash(&staged).as_bytes())
            }
            ModelStep::Append { up, shift, fill, len } => {
                let staged = self.model.uploads.get(up).map_or(0, |upload| upload.content.len() as u64);
                let (off, bytes) = (staged.saturating_add_signed(*shift), filled(*fill, *len));
                let expected = self.model.append(*up, off, &bytes);
                let reply = self.expect(request::append(self.id(*up), off, bytes), expected.map(drop))?;
                match expected {
                    Ok(then) => self.t.equal("`off` of append", reply.uint("off")?, then),
                    Err(code) => self.compare_offset(code, *up, &reply),
                }
            }
            ModelStep::Commit { up, lie, pre } => {
                let upload = self.model.uploads.get(up);
                let path = upload.map_or_else(|| "a".to_owned(), |upload| upload.path.clone());
                let content = upload.map(|upload| upload.content.clone()).unwrap_or_default();
                let mut request = request::commit(self.id(*up), &content);
                if matches!(lie, CommitFault::Size | CommitFault::Both) {
                    request = request.arg("size", content.len() as u64 + 1);
                }
                if matches!(lie, CommitFault::Hash | CommitFault::Both) {
                    request = request.arg("hash", [0x11; 32]);
                }
                let request = self.with_pre(request, &path, *pre)?;
                let expected = self.model.commit(*up, *lie, *pre);
                let reply = self.expect(request, expected)?;
                match expected {
                    Ok(()) => self.compare_entry(&reply, &path),
                    Err(code) => self.compare_offset(code, *up, &reply),
                }
            }
            ModelStep::Abort { up } => {
                self.model.uploads.remove(up);
                self.expect(request::abort(self.id(*up)), Ok(())).map(drop)
            }
            _ => self.compare_uploads(),
        }
    }

    /// Sends an identical message again: the reply is identical, except for operations that may be executed again [SEQ-8].
    fn again(&mut self, back: u64) -> CaseResult {
        let window = self.t.server()?.window;
        let index = self.history.len().checked_sub(usize::try_from(back).unwrap_or(usize::MAX).saturating_add(1));
        let Some((seq, request, reply)) = index.and_then(|index| self.history.get(index)).cloned() else {
            return Ok(());
        };
        if seq + window < self.t.next {
            return Ok(());
        }
        self.t.send_as(seq, &request)?;
        let again = self.t.final_reply(seq)?;
        if matches!(request.op.as_str(), "read" | "list" | "uploads") || again.frames == reply.frames {
            return Ok(());
        }
        failed(format!(
            "{} was answered {} {} first, and {} {} when it was sent again",
            request.op, reply.code, reply.result, again.code, again.result
        ))
    }

    fn expect_model(&mut self, request: Request, change: impl FnOnce(&mut Model) -> Refused) -> CaseResult<Reply> {
        let expected = change(&mut self.model);
        self.expect(request, expected)
    }

    /// Sends a request, cuts the connection after it if planned, and compares the code.
    fn expect(&mut self, request: Request, expected: Refused) -> CaseResult<Reply> {
        let reply = self.call(request)?;
        let wanted = expected.err().unwrap_or(OK);
        if reply.code == wanted {
            return Ok(reply);
        }
        let args = self.history.last().map(|(_, request, _)| Value::Map(request.args.clone()).to_string());
        let args = args.unwrap_or_default();
        failed(format!("{} {args} was answered {} and not {wanted} (result {})", reply.op, reply.code, reply.result))
    }

    fn call(&mut self, request: Request) -> CaseResult<Reply> {
        let seq = self.t.send(&request)?;
        if std::mem::take(&mut self.cut) {
            self.t.reconnect()?;
            self.t.send_as(seq, &request)?;
        }
        let reply = self.t.final_reply(seq)?;
        self.history.push((seq, request, reply.clone()));
        Ok(reply)
    }

    /// The request with `pre`; the etag of the target is read first.
    fn with_pre(&mut self, request: Request, path: &str, pre: ModelPre) -> CaseResult<Request> {
        Ok(match pre {
            ModelPre::Absent => request,
            ModelPre::Any => request.arg("pre", "any"),
            ModelPre::Present => request.arg("pre", self.present(path)?),
            ModelPre::Foreign => request.arg("pre", FOREIGN),
        })
    }

    fn present(&mut self, path: &str) -> CaseResult<Vec<u8>> {
        let stat = request::stat(&self.at(path));
        let reply = self.t.call(stat)?;
        let etag = if reply.is_ok() { reply.entry()?.etag().ok() } else { None };
        Ok(etag.unwrap_or_else(|| FOREIGN.to_vec()))
    }

    fn compare_offset(&self, code: Code, up: u8, reply: &Reply) -> CaseResult {
        match self.model.uploads.get(&up) {
            Some(upload) if code == crate::wire::code::OFFSET => {
                self.t.equal("`off` of OFFSET", reply.uint("off")?, upload.content.len() as u64)
            }
            _ => Ok(()),
        }
    }

    fn compare_entry(&self, reply: &Reply, path: &str) -> CaseResult {
        let entry = reply.entry()?;
        let what = |key: &str| format!("{key} of {path} in the entry of {}", reply.op);
        match self.model.nodes.get(path) {
            None => failed(format!("{} answers an entry of {path}, where nothing is", reply.op)),
            Some(Node::Dir) => self.t.equal(&what("the kind"), entry.kind()?, "dir"),
            Some(Node::File(content, mtime)) => {
                self.t.equal(&what("the kind"), entry.kind()?, "file")?;
                self.t.equal(&what("the size"), entry.size()?, content.len() as u64)?;
                match mtime {
                    // What touch changes is known from its own reply.
                    Some(mtime) if reply.op != "touch" => self.t.equal(&what("mtime_ns"), entry.mtime_ns()?, *mtime),
                    _ => Ok(()),
                }
            }
        }
    }

    fn compare_list(&mut self, path: &str, tree: bool, wanted: &[String]) -> CaseResult {
        let mut names: Vec<String> = Vec::new();
        loop {
            let after = names.last().cloned().unwrap_or_default();
            let request = request::list(path).arg("tree", tree).arg("after", after);
            let page = self.expect(request, Ok(()))?;
            let found = page.names()?;
            let more = page.bool("more")? && !found.is_empty();
            names.extend(found);
            if !more {
                return self.t.equal("the names that are listed", names, wanted);
            }
        }
    }

    fn compare_uploads(&mut self) -> CaseResult {
        let listed = self.t.staged()?;
        let mut wanted: Vec<(Vec<u8>, u64)> = Vec::new();
        for (up, upload) in &self.model.uploads {
            wanted.push((self.id(*up).to_vec(), upload.content.len() as u64));
        }
        wanted.sort();
        let own: Vec<_> = listed.into_iter().filter(|(up, _)| self.ids.iter().any(|id| id == up.as_slice())).collect();
        self.t.equal("what is staged", own, wanted)
    }

    fn compare_all(&mut self) -> CaseResult {
        let mut names: Vec<String> = self.model.nodes.keys().cloned().collect();
        names.sort_by_key(|name| name.replace('/', "\0"));
        let base = self.base.clone();
        self.compare_list(&base, true, &names)?;
        for name in names {
            self.look(&ModelStep::Stat { path: name.clone() })?;
            if matches!(self.model.nodes.get(&name), Some(Node::File(..))) {
                self.look(&ModelStep::Read { path: name, off: 0, len: 65_536 })?;
            }
        }
        self.compare_uploads()
    }

    fn at(&self, path: &str) -> String {
        format!("{}/{path}", self.base)
    }

    fn id(&self, up: u8) -> [u8; 16] {
        self.ids[usize::from(up) % self.ids.len()]
    }
}

fn filled(fill: u8, length: usize) -> Vec<u8> {
    (0..=250).cycle().map(|byte: u8| byte ^ fill).take(length).collect()
}

fn part(file: &Node, off: u64, len: u64) -> Vec<u8> {
    let Node::File(content, _) = file else { return Vec::new() };
    let begin = usize::try_from(off).unwrap_or(usize::MAX).min(content.len());
    let end = begin.saturating_add(usize::try_from(len).unwrap_or(usize::MAX)).min(content.len());
    content[begin..end].to_vec()
}
