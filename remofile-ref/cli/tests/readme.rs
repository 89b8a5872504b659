//! The transcripts of every document are true: their commands are run, and what they print is what stands there.
//!
//! What differs from run to run is made alike on both sides: ports, tokens, process ids, sizes, times, temporary places.

use regex::Regex;
use remofile_testkit::place::text;
use remofile_testkit::process::remofile;
use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// Blocks whose commands are not run here, by document and first command, and why.
const NOT_RUN: &[(&str, &str, &str)] = &[
    ("README.md", "cargo run --release --bin remofile -- demo", "it builds all; what it prints is the block behind it"),
    ("README.md", "cargo test --workspace", "this is one of those tests"),
    ("README.md", "cargo run -p conformance -- run", "a program that this crate must not depend on; .ci/run runs it"),
    ("CONTRIBUTING.md", "cargo test --workspace", "these build and test everything; .ci/run runs them"),
    (
        "conformance/README.md",
        "export REMOFILE_TOKEN=",
        "a program that this crate must not depend on; .ci/run runs it",
    ),
];

/// The block that shows what `remofile demo` prints begins with this command.
const DEMO: (&str, &str) = ("README.md", "remofile generate-token");

/// Where the documents have their files: the home of the test stands for it.
const HOME: &str = "/home/anna";

/// The ports of the documents; free ones stand for them.
const PORTS: [&str; 2] = ["6768", "7000"];

/// A block of a document: commands, and what each prints.
struct Block {
    document: String,
    line: usize,
    commands: Vec<(String, Vec<String>)>,
}

fn top() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every document of the project.
fn documents() -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open = vec![top()];
    while let Some(directory) = open.pop() {
        for path in fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()) {
            let name = path.file_name().unwrap().to_str().unwrap();
            if path.is_dir() && name != "target" && !name.starts_with('.') {
                open.push(path);
            } else if name.ends_with(".md") {
                found.push(path);
            }
        }
    }
    found.sort();
    found
}

fn blocks() -> Vec<Block> {
    let top = top();
    let mut blocks = Vec::new();
    for path in documents() {
        let document = text(path.strip_prefix(&top).unwrap());
        let content = fs::read_to_string(&path).unwrap();
        let mut block: Option<Block> = None;
        for (number, line) in content.lines().enumerate() {
            match (&mut block, line) {
                (None, "```console") => {
                    block = Some(Block { document: document.clone(), line: number + 1, commands: Vec::new() });
                }
                (Some(_), "```") => blocks.extend(block.take()),
                (Some(open), line) => match (line.strip_prefix("$ "), open.commands.last_mut()) {
                    (Some(command), _) => open.commands.push((command.to_owned(), Vec::new())),
                    (None, Some((_, printed))) => printed.push(line.to_owned()),
                    (None, None) => panic!("{document}:{}: no command prints this", number + 1),
                },
                (None, _) => {}
            }
        }
        assert!(block.is_none(), "{document}: a block does not end");
    }
    blocks
}

impl Block {
    fn first(&self) -> &str {
        &self.commands[0].0
    }

    fn is(&self, document: &str, start: &str) -> bool {
        self.document == document && self.first().starts_with(start)
    }

    fn is_run(&self) -> bool {
        !self.is(DEMO.0, DEMO.1) && !NOT_RUN.iter().any(|(document, start, _)| self.is(document, start))
    }
}

/// The machine of the documents: a home with files, the command in the path, and what was exported so far.
struct Machine {
    home: tempfile::TempDir,
    ports: BTreeMap<&'static str, u16>,
    exported: BTreeMap<String, String>,
    background: Vec<Child>,
}

impl Drop for Machine {
    fn drop(&mut self) {
        let _ = self.shell("remofile stop 7000 2>&1").output();
        for child in &mut self.background {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Machine {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        for directory in ["bin", "run", "shared", "photos/2026"] {
            fs::create_dir_all(home.path().join(directory)).unwrap();
        }
        symlink(remofile().get_program(), home.path().join("bin/remofile")).unwrap();
        let bytes = |size| remofile_testkit::process::content(size, 1);
        fs::write(home.path().join("ubuntu-16.04.3-desktop-amd64.iso"), bytes(3_000_000)).unwrap();
        fs::write(home.path().join("photos/cat.jpg"), bytes(20_000)).unwrap();
        fs::write(home.path().join("photos/2026/dog.jpg"), bytes(30_000)).unwrap();
        fs::write(home.path().join("notes.txt"), "buy milk\ncall Bob\n").unwrap();
        let ports = PORTS.map(|port| (port, free_port())).into();
        Self { home, ports, exported: BTreeMap::new(), background: Vec::new() }
    }

    /// The command line that runs for a command of a document: both of its streams are printed. But for servers: theirs is
    /// the block, and the log beside it is of another place and time each time.
    fn shell(&self, line: &str) -> Command {
        let streams = if is_server(line) { "exec 2>/dev/null" } else { "exec 2>&1" };
        let mut command = Command::new("sh");
        let path = format!("{}:{}", text(&self.home.path().join("bin")), std::env::var("PATH").unwrap_or_default());
        // The shell becomes the server, so that the child which is killed at the end is the server.
        let become_server = if is_server(line) { "exec " } else { "" };
        command.arg("-c").arg(format!("{streams}\n{become_server}{}", self.here(line))).current_dir(self.home.path());
        command.env_clear().env("PATH", path).env("HOME", self.home.path()).env("TMPDIR", self.home.path());
        command.env("XDG_RUNTIME_DIR", self.home.path().join("run")).env("LC_ALL", "C").env("TZ", "UTC");
        command.env("XDG_STATE_HOME", self.home.path().join("state"));
        command.envs(&self.exported).stdin(Stdio::null()).stdout(Stdio::piped());
        command
    }

    fn here(&self, line: &str) -> String {
        let ports = self.ports.iter();
        ports.fold(line.replace(HOME, &text(self.home.path())), |line, (port, free)| {
            line.replace(port, &free.to_string())
        })
    }

    /// Runs a command and gives what it prints; one that serves is left running once it has printed so many lines.
    fn run(&mut self, command: &str, expected: usize) -> Vec<String> {
        let mut child = self.shell(command).spawn().unwrap();
        let serves = is_server(command);
        let reader = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
        let printed: Vec<String> = if serves { reader.take(expected).collect() } else { reader.collect() };
        if serves {
            self.background.push(child);
        } else {
            child.wait().unwrap();
        }
        for line in &printed {
            if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
                self.exported.insert(name.to_owned(), value.trim_matches('\'').to_owned());
            }
        }
        printed
    }

    /// What was printed here, in the words of the documents.
    fn there(&self, line: &str) -> String {
        let program = text(&fs::canonicalize(remofile().get_program()).unwrap());
        let home = [text(&self.home.path().canonicalize().unwrap()), text(self.home.path())];
        let line = home
            .iter()
            .fold(line.replace(&program, "…/target/release/remofile"), |line, home| line.replace(home, HOME));
        self.ports.iter().fold(line, |line, (port, free)| line.replace(&free.to_string(), port))
    }
}

fn is_server(command: &str) -> bool {
    command.starts_with("remofile run ")
}

/// A port outside of what the system gives to outgoing connections, so that none takes it before it is used.
fn free_port() -> u16 {
    let from = 20_000 + u16::try_from(std::process::id() % 10_000).unwrap();
    let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
    static NEXT: std::sync::atomic::AtomicU16 = std::sync::atomic::AtomicU16::new(0);
    let skipped = NEXT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
    (from + skipped * 500..from + skipped * 500 + 500).find(is_free).expect("one of 500 ports is free")
}

/// A line without what differs from run to run.
fn alike(line: &str) -> String {
    const VARYING: [(&str, &str); 11] = [
        (r"REMOFILE_TOKEN=[0-9A-Za-z]{22}", "REMOFILE_TOKEN=TOKEN"),
        (r"^[0-9A-Za-z]{22}$", "TOKEN"),
        (r"conflict-\d{8}T\d{6}Z-[\w-]+", "CONFLICT"),
        (r"\d{8}T\d{6}Z", "STAMP"),
        (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
        (r"(/tmp|/home/anna)/\.tmp\w{6}", "TEMPORARY"),
        (r"localhost:\d{5}", "localhost:PORT"),
        (r"\d+(\.\d+)? (B|[KMGT]iB)\b", "SIZE"),
        (r"\d+(\.\d+)? (ms|s)\b", "DURATION"),
        (r"process \d+", "process ID"),
        (r"\b\d{5,}\b", "NUMBER"),
    ];
    let line = VARYING.iter().fold(line.trim_end().to_owned(), |line, (pattern, name)| {
        Regex::new(&format!("(?-u){pattern}")).unwrap().replace_all(&line, *name).into_owned()
    });
    // Columns are as wide as what stands in them.
    Regex::new(r" +").unwrap().replace_all(&line, " ").into_owned()
}

fn all_alike<S: AsRef<str>>(lines: &[S]) -> Vec<String> {
    lines.iter().map(|line| alike(line.as_ref())).collect()
}

#[test]
fn every_transcript_is_what_the_commands_print() {
    let mut machine = Machine::new();
    let mut wrong = Vec::new();
    let mut commands = 0;
    for block in blocks().iter().filter(|block| block.is_run()) {
        for (command, expected) in &block.commands {
            let printed = machine.run(command, expected.len());
            let printed: Vec<String> = printed.iter().map(|line| machine.there(line)).collect();
            if all_alike(&printed) != all_alike(expected) {
                let place = format!("{}:{}", block.document, block.line);
                wrong.push(format!("{place}: $ {command}\n{}\nand not\n{}", printed.join("\n"), expected.join("\n")));
            }
            commands += 1;
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(commands >= 20, "{commands} commands");
}

#[test]
fn the_tour_prints_what_is_shown_of_it() {
    let blocks = blocks();
    let block = blocks.iter().find(|block| block.is(DEMO.0, DEMO.1)).unwrap();
    let shown: Vec<String> = block
        .commands
        .iter()
        .flat_map(|(command, printed)| [format!("$ {command}")].into_iter().chain(printed.iter().cloned()))
        .collect();
    let mut machine = Machine::new();
    let printed: Vec<String> = machine.run("remofile demo", 0).iter().map(|line| machine.there(line)).collect();
    assert_eq!(all_alike(&printed), all_alike(&shown), "{}", printed.join("\n"));
}

#[test]
fn every_block_that_is_not_run_is_there_once() {
    let blocks = blocks();
    for (document, start, reason) in NOT_RUN {
        let count = blocks.iter().filter(|block| block.is(document, start)).count();
        assert_eq!(count, 1, "{document}: '{start}', which is not run because {reason}");
    }
}
