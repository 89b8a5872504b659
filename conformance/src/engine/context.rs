//! The context of a running case: a client with a session, a directory, and the checks.

use crate::{
    engine::{
        client::{Client, ExpectedCodes, HelloReply},
        environment::{Environment, random_id},
        error::{CaseError, CaseResult, failed},
        journal::SharedJournal,
    },
    mutation,
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

/// One run of one case. It dereferences to the client with the session: `t.expect(…)` is `t.client.expect(…)`.
pub(crate) struct CaseContext {
    pub(crate) environment: Rc<Environment>,
    pub(crate) client: Client,
    journal: SharedJournal,
    directory: String,
    other_clients: u8,
    /// The seed of this case's random choices.
    pub(crate) seed: u64,
}

/// The entries of a case's directory and the uploads staged for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Snapshot {
    entries: Vec<Value>,
    uploads: Vec<(Vec<u8>, u64)>,
}

impl CaseContext {
    /// The context of a client with an open session and of an existing directory.
    pub(crate) fn new(
        environment: &Rc<Environment>,
        client: Client,
        journal: &SharedJournal,
        directory: String,
        seed: u64,
    ) -> Self {
        Self {
            environment: Rc::clone(environment),
            client,
            journal: Rc::clone(journal),
            directory,
            other_clients: 0,
            seed,
        }
    }

    /// The case's own directory on the server.
    pub(crate) fn directory(&self) -> &str {
        &self.directory
    }

    /// A path in the case's own directory.
    pub(crate) fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.directory)
    }

    /// The path of a file of the case on this machine, with `--root` or `--spawn`.
    pub(crate) fn on_disk(&self, name: &str) -> CaseResult<PathBuf> {
        let root = self.environment.root.as_ref();
        let root = root.ok_or_else(|| CaseError::Harness("the case does not say that it needs --root".into()))?;
        Ok(root.join(self.path(name).trim_start_matches('/')))
    }

    /// Another client on a DEALER socket, without a session.
    pub(crate) fn another_client(&mut self) -> CaseResult<Client> {
        self.another_client_with(SocketKind::Dealer)
    }

    /// Another client on any kind of socket, without a session.
    pub(crate) fn another_client_with(&mut self, pattern: SocketKind) -> CaseResult<Client> {
        self.other_clients += 1;
        let name = char::from(b'A' + self.other_clients % 26).to_string();
        Client::new(&name, &self.environment, &self.journal, pattern)
    }

    /// Creates a file in the case's directory and returns its path.
    pub(crate) fn file(&mut self, name: &str, content: &[u8]) -> CaseResult<String> {
        let path = self.path(name);
        self.setup(request::put(&path, content))?;
        Ok(path)
    }

    /// Creates a directory in the case's directory and returns its path.
    pub(crate) fn subdirectory(&mut self, name: &str) -> CaseResult<String> {
        let path = self.path(name);
        self.setup(request::mkdir(&path))?;
        Ok(path)
    }

    /// The entry of an existing path.
    pub(crate) fn entry(&mut self, path: &str) -> CaseResult<Entry> {
        self.setup(request::stat(path))?.entry()
    }

    /// The content of a file that fits into a chunk.
    pub(crate) fn content(&mut self, path: &str) -> CaseResult<Vec<u8>> {
        let chunk = self.hello_reply()?.chunk;
        let reply = self.setup(request::read(path, 0, chunk))?;
        reply.payload.ok_or_else(|| CaseError::Failed("a read answered OK without a payload".into()))
    }

    /// Pseudo-random bytes, the same for the same seed and salt.
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

    /// Checks that a request is answered with one of the codes, that nothing in the case's directory has changed, and that
    /// the session continues [REFUSE-1] [REFUSE-2].
    pub(crate) fn expect_refused(&mut self, request: Request, codes: impl ExpectedCodes) -> CaseResult<Reply> {
        let before = self.snapshot()?;
        let reply = self.expect(request, codes)?;
        self.expect_unchanged(&before)?;
        Ok(reply)
    }

    /// Lists the case's directory and the uploads staged for it.
    pub(crate) fn snapshot(&mut self) -> CaseResult<Snapshot> {
        let request = request::list(&self.directory).arg("tree", true);
        let entries =
            self.entries(&request).map_err(|error| error.into_prerequisite("`list` of the case's directory"))?;
        let entries = entries.into_iter().map(|entry| lasting(entry.value)).collect();
        Ok(Snapshot { entries, uploads: self.staged()? })
    }

    /// All entries of a `list`, from all pages; the server chooses their size [LIST-6].
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

    /// The names of a `list`, from all pages.
    pub(crate) fn names(&mut self, request: &Request) -> CaseResult<Vec<String>> {
        self.entries(request)?.iter().map(|entry| Ok(entry.text("name")?.to_owned())).collect()
    }

    /// The uploads staged for paths in the case's directory: id and number of bytes.
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

    /// All uploads of an `uploads`, from all pages.
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

    /// Checks that nothing has changed since a snapshot.
    pub(crate) fn expect_unchanged(&mut self, before: &Snapshot) -> CaseResult {
        let after = self.snapshot()?;
        if after == *before || mutation::active!(PostConditionSkipped) {
            return Ok(());
        }
        let gone = before.entries.iter().find(|entry| !after.entries.contains(entry));
        let new = after.entries.iter().find(|entry| !before.entries.contains(entry));
        let show = |entry: Option<&Value>| entry.map_or_else(|| "nothing".to_owned(), ToString::to_string);
        failed(format!(
            "the refused request changed something: before {}, after {}; uploads before {:?}, after {:?}",
            show(gone),
            show(new),
            before.uploads.len(),
            after.uploads.len()
        ))
    }

    /// Checks that a condition holds.
    pub(crate) fn check(&self, holds: bool, what: impl Into<String>) -> CaseResult {
        if holds || mutation::active!(MatcherAlwaysTrue) { Ok(()) } else { failed(what) }
    }

    /// Checks that two values are equal.
    pub(crate) fn equal<T: PartialEq<U> + Debug, U: Debug>(&self, what: &str, got: T, wanted: U) -> CaseResult {
        self.check(got == wanted, format!("{what} is {}, not {}", short(&got), short(&wanted)))
    }

    /// Checks that two byte strings are equal, and names the first difference.
    pub(crate) fn equal_bytes(&self, what: &str, got: &[u8], wanted: &[u8]) -> CaseResult {
        if got == wanted || mutation::active!(MatcherAlwaysTrue) {
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

    /// Checks that a file has exactly this content.
    pub(crate) fn expect_content(&mut self, path: &str, wanted: &[u8]) -> CaseResult {
        let got = self.content(path)?;
        self.equal_bytes(&format!("the content of {path}"), &got, wanted)
    }

    /// Checks that nothing is at a path.
    pub(crate) fn expect_absent(&mut self, path: &str) -> CaseResult {
        self.expect(request::stat(path), crate::wire::code::NOT_FOUND).map(drop)
    }

    /// Checks that a reply has one of the codes.
    pub(crate) fn code(&self, what: &str, reply: &Reply, codes: impl ExpectedCodes) -> CaseResult {
        let wanted: Vec<Code> = codes.codes().to_vec();
        if wanted.contains(&reply.code) || mutation::active!(CodeNotCompared) {
            Ok(())
        } else {
            failed(format!("{what} was answered {}, not {wanted:?}", reply.code))
        }
    }

    /// The reply to `hello`.
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

/// An entry without `racy`, which the server leaves out after a time.
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
