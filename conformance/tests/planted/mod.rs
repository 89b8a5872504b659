//! Small servers with one trait each, to see what the command says of them.
#![allow(dead_code, unreachable_pub, missing_docs, clippy::unwrap_used, reason = "each test uses a part of it")]

pub mod remofile;

use std::{
    io::{Read, Write},
    net::{Ipv4Addr, Shutdown, TcpListener, TcpStream},
    path::PathBuf,
    process::{Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// The token of every server here.
pub const TOKEN: &str = "PlantedTokenZ9x8w7v6u5t4";
/// Another server.
pub const OTHER_TOKEN: &str = "AnotherTokenQ1w2e3r4t5y6";

/// What the command did.
pub struct Ran {
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

/// The command, with the token in its environment and nothing else of this process's.
pub fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_conformance"));
    command.args(arguments).env("REMOFILE_TOKEN", TOKEN).stdin(Stdio::null());
    for name in ["REMOFILE_SERVER", "REMOFILE_TOKEN_FILE", "REMOFILE_PUBLIC_KEY", "NO_COLOR"] {
        command.env_remove(name);
    }
    command
}

/// Runs the command to its end.
pub fn conformance(arguments: &[&str]) -> Ran {
    ran(command(arguments).output().unwrap())
}

pub fn ran(output: Output) -> Ran {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let code = output.status.code().expect("the command was not killed");
    Ran { code, stdout: text(output.stdout), stderr: text(output.stderr) }
}

impl Ran {
    /// Asserts on the exit code and on words of standard error.
    #[track_caller]
    pub fn ends(&self, code: i32, words: &[&str]) {
        let all = format!("exit code {}\n--- stdout\n{}\n--- stderr\n{}", self.code, self.stdout, self.stderr);
        assert_eq!(self.code, code, "{all}");
        for word in words {
            assert!(self.stderr.contains(word) || self.stdout.contains(word), "lacks {word:?}: {all}");
        }
        assert!(!self.stderr.contains("panicked"), "{all}");
        assert!(!all.contains(TOKEN), "the token is shown: {all}");
    }
}

/// A TCP server that does the same with every connection.
pub struct Tcp {
    pub address: String,
    ending: Arc<AtomicBool>,
    port: u16,
}

impl Tcp {
    pub fn serve(handle: impl Fn(TcpStream) + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let ending = Arc::new(AtomicBool::new(false));
        let (flag, handle) = (Arc::clone(&ending), Arc::new(handle));
        thread::spawn(move || {
            for stream in listener.incoming() {
                if flag.load(Ordering::Relaxed) {
                    break;
                }
                let handle = Arc::clone(&handle);
                thread::spawn(move || handle(stream.unwrap()));
            }
        });
        Self { address: format!("127.0.0.1:{port}"), ending, port }
    }

    /// A server that says these bytes and then listens until the other goes.
    pub fn saying(words: &'static [u8]) -> Self {
        Self::serve(move |mut stream| {
            let _ = stream.write_all(words);
            let _ = stream.read_to_end(&mut Vec::new());
        })
    }

    /// A relay to a server that holds everything back for this long, in both directions.
    pub fn delaying(to: String, delay: Duration) -> Self {
        Self::serve(move |client| {
            let Ok(server) = TcpStream::connect(&to) else { return };
            let (from_client, to_client) = (client.try_clone().unwrap(), client);
            let (from_server, to_server) = (server.try_clone().unwrap(), server);
            thread::spawn(move || carry(from_server, to_client, delay));
            carry(from_client, to_server, delay);
        })
    }
}

impl Drop for Tcp {
    fn drop(&mut self) {
        self.ending.store(true, Ordering::Relaxed);
        let _ = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port));
    }
}

/// Copies bytes, each after the delay, and reads on meanwhile.
fn carry(mut from: TcpStream, mut to: TcpStream, delay: Duration) {
    let (sender, receiver) = std::sync::mpsc::channel::<(Instant, Vec<u8>)>();
    let writer = thread::spawn(move || {
        while let Ok((due, bytes)) = receiver.recv() {
            thread::sleep(due.saturating_duration_since(Instant::now()));
            if to.write_all(&bytes).is_err() {
                return;
            }
        }
        let _ = to.shutdown(Shutdown::Both);
    });
    let mut bytes = [0; 16_384];
    while let Ok(length @ 1..) = from.read(&mut bytes) {
        if sender.send((Instant::now() + delay, bytes[..length].to_vec())).is_err() {
            break;
        }
    }
    drop(sender);
    let _ = writer.join();
}

/// A port without a listener.
pub fn closed_port() -> String {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    format!("127.0.0.1:{}", listener.local_addr().unwrap().port())
}

/// A file of the repository.
pub fn repository(path: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..").join(path)
}
