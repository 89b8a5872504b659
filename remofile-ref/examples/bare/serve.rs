//! The serving end: one request at a time, each answered before the next.

use crate::{
    Outcome,
    wire::{Header, bounds, keys, op},
};
use blake3::Hasher;
use remofile::transport::{Context, Message, ServerPattern, ServerSocket};
use std::{
    fs::{self, File},
    io::{Read as _, Write as _},
    path::{Path, PathBuf},
    time::Duration,
};

/// Prints where it listens, and serves until it is killed.
pub(crate) fn serve(directory: &Path) -> Outcome<()> {
    let (security, _) = keys();
    let endpoint = "127.0.0.1:0".parse()?;
    let mut socket = ServerSocket::bind(&Context::new(), &endpoint, ServerPattern::Router, &security, &bounds())?;
    println!("{}", socket.local_endpoint()?);
    let mut server = Server { directory: directory.to_owned(), writing: None, reading: None };
    loop {
        let Some(mut frames) = socket.recv(Duration::from_secs(3600))? else { continue };
        let (Some(content), Some(header)) = (frames.pop(), frames.pop()) else {
            return Err("a request of too few frames".into());
        };
        let (answer, content) = server.answer(&Header::parse(&header)?, &content)?;
        frames.extend([answer.message(), Message::from(content)]);
        socket.send(frames)?;
    }
}

struct Server {
    directory: PathBuf,
    writing: Option<(File, Hasher)>,
    reading: Option<(File, Hasher)>,
}

impl Server {
    fn answer(&mut self, header: &Header, content: &[u8]) -> Outcome<(Header, Vec<u8>)> {
        let staged = self.directory.join(".staged");
        let mut answer = Header { op: header.op, ..Header::default() };
        match header.op {
            op::BEGIN => self.writing = Some((File::create(staged)?, Hasher::new())),
            op::CHUNK => {
                let (file, hasher) = self.writing.as_mut().ok_or("nothing was begun")?;
                hasher.update(content);
                file.write_all(content)?;
            }
            op::END => {
                let (_, hasher) = self.writing.take().ok_or("nothing was begun")?;
                answer.text = hasher.finalize().as_bytes().to_vec();
                fs::rename(staged, self.directory.join(header.path()?))?;
            }
            op::OPEN => {
                let file = File::open(self.directory.join(header.path()?))?;
                answer.length = file.metadata()?.len();
                self.reading = Some((file, Hasher::new()));
            }
            op::READ => {
                let (file, hasher) = self.reading.as_mut().ok_or("nothing was opened")?;
                let content = read(file, header.length)?;
                hasher.update(&content);
                return Ok((answer, content));
            }
            op::DIGEST => {
                let (_, hasher) = self.reading.take().ok_or("nothing was opened")?;
                answer.text = hasher.finalize().as_bytes().to_vec();
            }
            op::DIRECTORY => fs::create_dir(self.directory.join(header.path()?))?,
            op::PUT => {
                answer.text = blake3::hash(content).as_bytes().to_vec();
                File::create_new(self.directory.join(header.path()?))?.write_all(content)?;
            }
            op::GET => {
                let mut file = File::open(self.directory.join(header.path()?))?;
                let content = read(&mut file, header.length)?;
                answer.text = blake3::hash(&content).as_bytes().to_vec();
                return Ok((answer, content));
            }
            op::LIST => return Ok((answer, list(&self.directory.join(header.path()?))?.into_bytes())),
            _ => {}
        }
        Ok((answer, Vec::new()))
    }
}

fn read(file: &mut File, length: u64) -> Outcome<Vec<u8>> {
    let mut content = Vec::with_capacity(usize::try_from(length)?);
    file.take(length).read_to_end(&mut content)?;
    Ok(content)
}

/// A line for each entry, parents first: its size, or `-` for a directory, and its name.
fn list(top: &Path) -> Outcome<String> {
    let (mut lines, mut open) = (String::new(), vec![PathBuf::new()]);
    while let Some(directory) = open.pop() {
        for entry in fs::read_dir(top.join(&directory))? {
            let entry = entry?;
            let name = directory.join(entry.file_name());
            let shown = name.to_str().ok_or("a name that is no text")?;
            let metadata = entry.metadata()?;
            if metadata.is_dir() {
                lines.push_str(&format!("- {shown}\n"));
                open.push(name);
            } else {
                lines.push_str(&format!("{} {shown}\n", metadata.len()));
            }
        }
    }
    Ok(lines)
}
