//! Serves a backend of its own: a read-only map of names to texts.
//!
//!     cargo run --example own_backend 127.0.0.1:6768
//!     remofile list 127.0.0.1:6768

use remofile::storage::{Access, Backend, BackendDir, BackendFile, BackendInfo, Location, Status};
use remofile::{FileServer, RemotePath, ServeError, Token, generate_token};
use remofile_proto::Kind;
use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Instant;

/// When all files were made: 2026-01-01, in nanoseconds since 1970.
const MADE: i64 = 1_767_225_600_000_000_000;

/// Texts by their names.
#[derive(Clone, Debug)]
struct Texts(Arc<BTreeMap<&'static str, String>>);

/// An open text.
#[derive(Debug)]
struct Text {
    texts: Texts,
    name: &'static str,
}

impl Texts {
    fn find(&self, name: &str) -> Option<(&'static str, Status)> {
        let (id, (name, text)) = self.0.iter().enumerate().find(|(_, (found, _))| **found == name)?;
        let status = Status::new(Kind::File, id as u64 + 1).with_size(text.len() as u64);
        Some((name, status.with_times(MADE, MADE)))
    }
}

impl Backend for Texts {
    type File = Text;
    type Dir = Texts;

    fn info(&self) -> BackendInfo {
        BackendInfo { read_only: true, ..BackendInfo::default() }
    }

    fn stat(&self, at: Location<'_>) -> io::Result<Option<Status>> {
        match at {
            Location::Served(path) if path.is_root() => Ok(Some(Status::new(Kind::Dir, 0).with_times(MADE, MADE))),
            Location::Served(path) => match path.as_str()[1..].split_once('/') {
                None => Ok(self.find(&path.as_str()[1..]).map(|(_, status)| status)),
                Some((first, _)) if self.find(first).is_some() => Err(ErrorKind::NotADirectory.into()),
                Some(_) => Err(ErrorKind::NotFound.into()),
            },
            Location::Staged(_) => Ok(None),
        }
    }

    fn open(&self, at: Location<'_>, _access: Access) -> io::Result<(Text, Status)> {
        let Location::Served(path) = at else { return Err(ErrorKind::ReadOnlyFilesystem.into()) };
        Backend::stat(self, at)?;
        let (name, status) = self.find(&path.as_str()[1..]).ok_or(ErrorKind::NotFound)?;
        Ok((Text { texts: self.clone(), name }, status))
    }

    fn open_dir(&self, path: &RemotePath) -> io::Result<Texts> {
        match Backend::stat(self, Location::Served(path))? {
            Some(_) if path.is_root() => Ok(self.clone()),
            Some(_) => Err(ErrorKind::NotADirectory.into()),
            None => Err(ErrorKind::NotFound.into()),
        }
    }
}

impl BackendFile for Text {
    fn status(&self) -> io::Result<Status> {
        self.texts.find(self.name).map(|(_, status)| status).ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn read_at(&self, bytes: &mut Vec<u8>, off: u64, len: usize) -> io::Result<usize> {
        let text = self.texts.0[self.name].as_bytes();
        let begin = usize::try_from(off).unwrap_or(usize::MAX).min(text.len());
        let end = begin.saturating_add(len).min(text.len());
        bytes.extend_from_slice(&text[begin..end]);
        Ok(end - begin)
    }
}

impl BackendDir for Texts {
    fn rewind(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn read(&mut self, _deadline: Instant, each: &mut dyn FnMut(&[u8])) -> io::Result<bool> {
        self.0.keys().for_each(|name| each(name.as_bytes()));
        Ok(true)
    }

    fn stat(&self, name: &str) -> io::Result<Option<Status>> {
        Ok(self.find(name).map(|(_, status)| status))
    }

    fn open_dir(&self, name: &str) -> io::Result<Self> {
        Err(if self.find(name).is_some() { ErrorKind::NotADirectory } else { ErrorKind::NotFound }.into())
    }
}

/// A server of the texts.
pub(crate) fn server(token: &Token) -> Result<FileServer, ServeError> {
    let texts = BTreeMap::from([
        ("hello.txt", "Hello from a map.\n".to_owned()),
        ("numbers.txt", (1..=1_000).map(|number| format!("{number}\n")).collect()),
    ]);
    FileServer::with_backend(Texts(Arc::new(texts)), token)
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let token = generate_token();
    let endpoint = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".to_owned());
    let mut server = server(&token)?.bind(&*endpoint)?;
    println!("REMOFILE_TOKEN={} remofile list {}", token.reveal(), server.local_endpoint());
    server.run()?;
    Ok(())
}
