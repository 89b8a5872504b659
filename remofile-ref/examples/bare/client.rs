//! The asking end: so many bytes and messages under way, answers in the order of the requests.

use crate::{
    Outcome,
    wire::{CHUNK, Header, WINDOW, bounds, keys, op},
};
use blake3::{Hash, Hasher};
use remofile::transport::{ClientSocket, ClientSocketOptions, Context, LinkEvent, Message, SendOutcome, Wake};
use std::{
    collections::VecDeque,
    fs::{self, File},
    io::{Read as _, Write as _},
    path::Path,
    time::Duration,
};

/// How long one wait lasts; another follows, since a busy disk may hold the server up for as long as it likes.
const WAIT: Duration = Duration::from_secs(30);

pub(crate) struct Client {
    socket: ClientSocket,
    bytes_in_flight: u64,
    in_flight: u64,
    awaited: VecDeque<u64>,
    /// Answers that came and were not taken.
    answers: VecDeque<(Header, Message)>,
}

impl Client {
    pub(crate) fn connect(endpoint: &str, bytes_in_flight: u64) -> Outcome<Self> {
        let (_, security) = keys();
        let options = ClientSocketOptions { bounds: bounds(), ..ClientSocketOptions::default() };
        let mut socket = ClientSocket::connect(&Context::new(), &endpoint.parse()?, &security, &options)?;
        while socket.poll(WAIT)? != Wake::Event(LinkEvent::HandshakeSucceeded) {}
        Ok(Self { socket, bytes_in_flight, in_flight: 0, awaited: VecDeque::new(), answers: VecDeque::new() })
    }

    pub(crate) fn hello(mut self) -> Outcome<()> {
        self.ask(Header::of(op::HELLO, b""), Vec::new()).map(drop)
    }

    pub(crate) fn upload(mut self, local: &Path, name: &str) -> Outcome<()> {
        let mut file = File::open(local)?;
        let mut hasher = Hasher::new();
        self.ask(Header::of(op::BEGIN, b""), Vec::new())?;
        loop {
            let chunk = read_chunk(&mut file)?;
            if chunk.is_empty() {
                break;
            }
            hasher.update(&chunk);
            self.send(&Header::of(op::CHUNK, b""), CHUNK as u64, chunk)?;
            self.answers.clear();
        }
        while !self.awaited.is_empty() {
            self.receive()?;
        }
        self.answers.clear();
        let (end, _) = self.ask(Header::of(op::END, name.as_bytes()), Vec::new())?;
        same(&hasher.finalize(), &end)
    }

    pub(crate) fn download(mut self, name: &str, local: &Path) -> Outcome<()> {
        let (opened, _) = self.ask(Header::of(op::OPEN, name.as_bytes()), Vec::new())?;
        let mut file = File::create(local)?;
        let mut hasher = Hasher::new();
        let (mut asked, mut there) = (0, 0);
        while there < opened.length {
            while asked < opened.length && self.has_room(CHUNK as u64) {
                let length = (CHUNK as u64).min(opened.length - asked);
                let read = Header { op: op::READ, offset: asked, length, ..Header::default() };
                self.send(&read, length, Vec::new())?;
                asked += length;
            }
            let (_, content) = self.next()?;
            hasher.update(&content);
            file.write_all(&content)?;
            there += content.len() as u64;
        }
        let (end, _) = self.ask(Header::of(op::DIGEST, b""), Vec::new())?;
        same(&hasher.finalize(), &end)
    }

    pub(crate) fn put_tree(mut self, local: &Path, name: &str) -> Outcome<()> {
        self.ask(Header::of(op::DIRECTORY, name.as_bytes()), Vec::new())?;
        let (mut open, mut digests) = (vec![(local.to_owned(), name.to_owned())], VecDeque::new());
        while let Some((directory, remote)) = open.pop() {
            for entry in fs::read_dir(directory)? {
                let entry = entry?;
                let remote = format!("{remote}/{}", entry.file_name().to_str().ok_or("a name that is no text")?);
                if entry.file_type()?.is_dir() {
                    self.send(&Header::of(op::DIRECTORY, remote.as_bytes()), 0, Vec::new())?;
                    digests.push_back(None);
                    open.push((entry.path(), remote));
                } else {
                    let content = fs::read(entry.path())?;
                    digests.push_back(Some(blake3::hash(&content)));
                    self.send(&Header::of(op::PUT, remote.as_bytes()), content.len() as u64, content)?;
                }
                while let Some((answer, _)) = self.answers.pop_front() {
                    check(&mut digests, &answer)?;
                }
            }
        }
        while !digests.is_empty() {
            let (answer, _) = self.next()?;
            check(&mut digests, &answer)?;
        }
        Ok(())
    }

    pub(crate) fn get_tree(mut self, name: &str, local: &Path) -> Outcome<()> {
        let (_, list) = self.ask(Header::of(op::LIST, name.as_bytes()), Vec::new())?;
        fs::create_dir(local)?;
        let mut names = VecDeque::new();
        for line in std::str::from_utf8(&list)?.lines() {
            let (size, entry) = line.split_once(' ').ok_or("a line without a name")?;
            if size == "-" {
                fs::create_dir(local.join(entry))?;
                continue;
            }
            let mut get = Header::of(op::GET, format!("{name}/{entry}").as_bytes());
            get.length = size.parse()?;
            self.send(&get, get.length, Vec::new())?;
            names.push_back(entry);
            while let Some(answer) = self.answers.pop_front() {
                write(local, names.pop_front(), answer)?;
            }
        }
        while !names.is_empty() {
            let answer = self.next()?;
            write(local, names.pop_front(), answer)?;
        }
        Ok(())
    }

    fn ask(&mut self, header: Header, content: Vec<u8>) -> Outcome<(Header, Message)> {
        self.send(&header, 0, content)?;
        self.next()
    }

    fn has_room(&self, bytes: u64) -> bool {
        self.awaited.is_empty()
            || (self.in_flight + bytes <= self.bytes_in_flight && self.awaited.len() < usize::from(WINDOW))
    }

    /// Sends when there is room for so many bytes under way.
    fn send(&mut self, header: &Header, bytes: u64, content: Vec<u8>) -> Outcome<()> {
        while !self.has_room(bytes) {
            self.receive()?;
        }
        let mut frames = vec![Message::new(), header.message(), Message::from(content)];
        while let SendOutcome::Full(back) = self.socket.send(frames)? {
            frames = back;
            self.socket.wait_for_room(WAIT)?;
        }
        self.in_flight += bytes;
        self.awaited.push_back(bytes);
        // What came meanwhile.
        while let Some(frames) = self.socket.recv()? {
            self.take(frames)?;
        }
        Ok(())
    }

    fn next(&mut self) -> Outcome<(Header, Message)> {
        loop {
            if let Some(answer) = self.answers.pop_front() {
                return Ok(answer);
            }
            self.receive()?;
        }
    }

    /// Waits for one answer at least.
    fn receive(&mut self) -> Outcome<()> {
        loop {
            if let Some(frames) = self.socket.recv()? {
                return self.take(frames);
            }
            if self.socket.poll(WAIT)? == Wake::Event(LinkEvent::Disconnected) {
                return Err("the server closed the connection".into());
            }
        }
    }

    fn take(&mut self, mut frames: Vec<Message>) -> Outcome<()> {
        let (Some(content), Some(header)) = (frames.pop(), frames.pop()) else {
            return Err("an answer of too few frames".into());
        };
        let header = Header::parse(&header)?;
        self.in_flight -= self.awaited.pop_front().ok_or("an answer to nothing")?;
        self.answers.push_back((header, content));
        Ok(())
    }
}

fn read_chunk(file: &mut File) -> Outcome<Vec<u8>> {
    let mut chunk = Vec::with_capacity(CHUNK);
    file.take(CHUNK as u64).read_to_end(&mut chunk)?;
    Ok(chunk)
}

fn write(local: &Path, name: Option<&str>, (answer, content): (Header, Message)) -> Outcome<()> {
    same(&blake3::hash(&content), &answer)?;
    File::create_new(local.join(name.ok_or("an answer to nothing")?))?.write_all(&content)?;
    Ok(())
}

fn check(digests: &mut VecDeque<Option<Hash>>, answer: &Header) -> Outcome<()> {
    match digests.pop_front().ok_or("an answer to nothing")? {
        Some(digest) => same(&digest, answer),
        None => Ok(()),
    }
}

fn same(digest: &Hash, answer: &Header) -> Outcome<()> {
    if digest.as_bytes()[..] == answer.text[..] { Ok(()) } else { Err("the digests differ".into()) }
}
