//! One run of one case: a client with a session, a directory of its own, and what cases check with.

use crate::{
    engine::{
        client::{Client, ExpectedCodes, HelloReply},
        environment::{Environment, random_id},
        error::{CaseError, CaseResult, failed},
        journal::SharedJournal,
    },
    mutation::{self, HarnessMutation},
    wire::{
        cbor::Value,
        code::Code,
        connection::SocketKind,
        reply::{Entry, Reply},
        request::{self, Request},
    },
};
use std::{
    fmt::Debug,
    ops::{Deref, DerefMut},
    path::PathBuf,
    rc::Rc,
};

/// One run of one case. The client with the session is behind `Deref`: `t.expect(…)` is `t.client.expect(…)`.
pub(crate) struct CaseContext {
    pub(crate) environment: Rc<Environment>,
    pub(crate) client: Client,
    journal: SharedJournal,
    directory: String,
    strangers: u8,
    /// Where random choices of this case come from.
    pub(crate) seed: u64,
}

/// What is in a case's directory, and staged for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    entries: Vec<Value>,
    uploads: Vec<(Vec<u8>, u64)>,
}

impl CaseContext {
    /// A run with a client whose session is open and a directory that exists.
    pub(crate) fn new(
        environment: &Rc<Environment>,
        client: Client,
        journal: &SharedJournal,
        directory: String,
        seed: u64,
    ) -> Self {
        Self { environment: Rc::clone(environment), client, journal: Rc::clone(journal), directory, strangers: 0, seed }
    }

    /// The case's own directory on the server.
    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    /// A path in the case's own directory.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// The same path on this machine's disk, with `--root` or `--spawn`.
    pub(crate) fn on_disk(&self, name: &str) -> CaseResult<PathBuf> {
        let root = self.environment.root.as_ref();
        let root = root.ok_or_else(|| CaseError::Harness("the case does not say that it needs --root".into()))?;
        Ok(root.join(self.path(name).trim_start_matches('/')))
    }

    /// Another client, connected and without a session.
    pub(crate) fn another_client(&mut self) -> CaseResult<Client> {
        self.another_client_with(SocketKind::Dealer)
    }

    /// Another client on any kind of socket.
    pub(crate) fn another_client_with(&mut self, pattern: SocketKind) -> CaseResult<Client> {
        self.strangers += 1;
        let name = char::from(b'A' + self.strangers % 26).to_string();
        Client::new(&name, &self.environment, &self.journal, pattern)
    }

    /// A file with that content in the case's directory; gives its path.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) -> CaseResult<String> {
        let path = self.path(name);
        self.setup(request::put(&path, content))?;
        Ok(path)
    }

    /// A directory in the case's directory; gives its path.
    pub(crate) fn subdirectory(&mut self, name: &str) -> CaseResult<String> {
        let path = self.path(name);
        self.setup(request::mkdir(&path))?;
        Ok(path)
    }

    /// The entry of what has to be there.
    pub(crate) fn entry(&mut self, path: &str) -> CaseResult<Entry> {
        self.setup(request::stat(path))?.entry()
    }

    /// The whole of a file that fits into a chunk.
    pub(crate) fn content(&mut self, path: &str) -> CaseResult<Vec<u8>> {
        let chunk = self.hello_reply()?.chunk;
        let reply = self.setup(request::read(path, 0, chunk))?;
        reply.payload.ok_or_else(|| CaseError::Failed("a read answered OK without a payload".into()))
    }

    /// Bytes that look random and are the same for the same seed and salt.
    pub(crate) fn bytes(&self, salt: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        let mut hasher = blake3::Hasher::new();
        hasher.update(&self.seed.to_le_bytes()).update(&salt.to_le_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        bytes
    }

    /// An id for an upload or session.
    pub(crate) fn id(&self) -> [u8; 16] {
        random_id()
    }

    /// The check itself, with its post-conditions: the answer is one of these, nothing of the case's has changed, and
    /// the session goes on [REFUSE-1] [REFUSE-2].
    pub(crate) fn expect_refused(&mut self, request: Request, codes: impl ExpectedCodes) -> CaseResult<Reply> {
        let before = self.snapshot()?;
        let reply = self.expect(request, codes)?;
        self.expect_unchanged(&before)?;
        Ok(reply)
    }

    /// What is in the case's directory, and staged for it.
    pub(crate) fn snapshot(&mut self) -> CaseResult<Snapshot> {
        let request = request::list(&self.directory).arg("tree", true);
        let entries =
            self.entries(&request).map_err(|error| error.into_prerequisite("`list` of the case's directory"))?;
        let entries = entries.into_iter().map(|entry| lasting(entry.value)).collect();
        Ok(Snapshot { entries, uploads: self.staged()? })
    }

    /// Everything that a `list` gives, page by page: how much is on each is up to the server [LIST-6].
    pub(crate) fn entries(&mut self, request: &Request) -> CaseResult<Vec<Entry>> {
        let mut entries: Vec<Entry> = Vec::new();
        loop {
            let page = match entries.last() {
                None => request.clone(),
                Some(last) => request.clone().arg("after", last.text("name")?),
            };
            let page = self.expect_ok(page)?;
            entries.extend(page.items("entries")?);
            if !page.bool("more")? {
                return Ok(entries);
            }
        }
    }

    /// The names of what a `list` gives, page by page.
    pub(crate) fn names(&mut self, request: &Request) -> CaseResult<Vec<String>> {
        self.entries(request)?.iter().map(|entry| Ok(entry.text("name")?.to_owned())).collect()
    }

    /// The uploads that are staged for paths in the case's directory: id and bytes.
    pub(crate) fn staged(&mut self) -> CaseResult<Vec<(Vec<u8>, u64)>> {
        let uploads = self.uploads(&request::uploads()).map_err(|error| error.into_prerequisite("`uploads`"))?;
        let mut staged = Vec::new();
        for upload in uploads {
            if upload.text("path")?.starts_with(&self.directory) {
                staged.push((upload.bytes("up")?.to_vec(), upload.uint("off")?));
            }
        }
        Ok(staged)
    }

    /// Everything that `uploads` gives, page by page.
    pub(crate) fn uploads(&mut self, request: &Request) -> CaseResult<Vec<Entry>> {
        let mut uploads: Vec<Entry> = Vec::new();
        loop {
            let page = match uploads.last() {
                None => request.clone(),
                Some(last) => request.clone().arg("after", last.bytes("up")?),
            };
            let page = self.expect_ok(page)?;
            uploads.extend(page.items("uploads")?);
            if !page.bool("more")? {
                return Ok(uploads);
            }
        }
    }

    /// The check that nothing has changed since.
    pub(crate) fn expect_unchanged(&mut self, before: &Snapshot) -> CaseResult {
        let after = self.snapshot()?;
        if after == *before || mutation::is(HarnessMutation::PostConditionSkipped) {
            return Ok(());
        }
        let gone = before.entries.iter().find(|entry| !after.entries.contains(entry));
        let new = after.entries.iter().find(|entry| !before.entries.contains(entry));
        let show = |entry: Option<&Value>| entry.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        failed(format!(
            "the request was refused and has changed something all the same: before {}, after {}; uploads before {:?}, after {:?}",
            show(gone),
            show(new),
            before.uploads.len(),
            after.uploads.len()
        ))
    }

    /// The check that something holds.
    pub(crate) fn check(&self, holds: bool, what: impl Into<String>) -> CaseResult {
        if holds || mutation::is(HarnessMutation::MatcherAlwaysTrue) { Ok(()) } else { failed(what) }
    }

    /// The check that two things are equal.
    pub(crate) fn equal<T: PartialEq<U> + Debug, U: Debug>(&self, what: &str, got: T, wanted: U) -> CaseResult {
        self.check(got == wanted, format!("{what} is {}, not {}", short(&got), short(&wanted)))
    }

    /// The check that two byte strings are equal; names the first difference.
    pub(crate) fn equal_bytes(&self, what: &str, got: &[u8], wanted: &[u8]) -> CaseResult {
        if got == wanted || mutation::is(HarnessMutation::MatcherAlwaysTrue) {
            return Ok(());
        }
        let at = got.iter().zip(wanted).position(|(one, other)| one != other).unwrap_or(got.len().min(wanted.len()));
        let byte = |bytes: &[u8]| bytes.get(at).map_or_else(|| "the end".to_owned(), |byte| format!("{byte:#04x}"));
        failed(format!(
            "{what} has {} bytes, not {}; they differ first at byte {at}: {} and not {}",
            got.len(),
            wanted.len(),
            byte(got),
            byte(wanted)
        ))
    }

    /// The check that a file has exactly this content.
    pub(crate) fn expect_content(&mut self, path: &str, wanted: &[u8]) -> CaseResult {
        let got = self.content(path)?;
        self.equal_bytes(&format!("the content of {path}"), &got, wanted)
    }

    /// The check that nothing is at a path.
    pub(crate) fn expect_absent(&mut self, path: &str) -> CaseResult {
        self.expect(request::stat(path), crate::wire::code::NOT_FOUND).map(drop)
    }

    /// The check that a reply has one of these codes.
    pub(crate) fn code(&self, what: &str, reply: &Reply, codes: impl ExpectedCodes) -> CaseResult {
        let wanted: Vec<Code> = codes.codes().to_vec();
        if wanted.contains(&reply.code) || mutation::is(HarnessMutation::CodeNotCompared) {
            Ok(())
        } else {
            failed(format!("{what} was answered {}, not {wanted:?}", reply.code))
        }
    }

    /// What the server said to hello.
    pub(crate) fn server(&self) -> CaseResult<HelloReply> {
        self.client.hello_reply().cloned()
    }
}

impl Deref for CaseContext {
    type Target = Client;
    fn deref(&self) -> &Client {
        &self.client
    }
}

impl DerefMut for CaseContext {
    fn deref_mut(&mut self) -> &mut Client {
        &mut self.client
    }
}

/// An entry without `racy`, which goes away by itself.
fn lasting(entry: Value) -> Value {
    match entry {
        Value::Map(members) => Value::Map(members.into_iter().filter(|(key, _)| key != "racy").collect()),
        other => other,
    }
}

fn short(value: &impl Debug) -> String {
    let text = format!("{value:?}");
    if text.len() <= 300 { text } else { format!("{}…", &text[..text.floor_char_boundary(300)]) }
}
