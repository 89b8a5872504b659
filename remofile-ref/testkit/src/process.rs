//! The real command as processes: a server on a port of the system's choice, and commands that must end in time.

use std::fs;
use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

/// How long a process may take for anything that is not a question of time.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// The token of the specification's vectors.
pub const TOKEN: &str = "TTA3rMB8VtNYv25kdipkaJ";

/// A `remofile run` that is ready; killed when dropped.
pub struct Server {
    child: Child,
    pub endpoint: String,
    /// What it printed until it was ready.
    pub announced: Vec<String>,
    stderr: Receiver<Vec<u8>>,
}

/// A process that is not the server; killed when dropped before its end.
pub struct Running {
    child: Child,
    started: Instant,
    stdout: Receiver<Vec<u8>>,
    stderr: Receiver<Vec<u8>>,
    ended: Option<ExitStatus>,
}

/// What came of a command.
#[derive(Debug)]
pub struct Done {
    pub status: ExitStatus,
    pub stdout: String,
    pub stderr: String,
    pub took: Duration,
    /// The largest resident size that was seen, in bytes; `None` where /proc tells nothing.
    pub resident: Option<u64>,
}

impl Server {
    pub fn start(directory: &Path) -> Self {
        Self::start_with(directory, &[])
    }

    pub fn start_with(directory: &Path, flags: &[&str]) -> Self {
        let mut command = remofile();
        command.arg("run").arg(directory).arg("0").args(flags).env("REMOFILE_TOKEN", TOKEN);
        Self::start_command(command)
    }

    /// Waits until the server says that it is ready.
    pub fn start_command(mut command: Command) -> Self {
        let has_own_key = command.get_args().any(|flag| flag == "--secret-key-file");
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stderr = drain(child.stderr.take().unwrap());
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut server = Self { child, endpoint: String::new(), announced: Vec::new(), stderr };
        for line in stdout.lines() {
            let line = line.unwrap();
            if let Some(endpoint) = line.strip_prefix("export REMOFILE_SERVER=") {
                endpoint.trim_matches('\'').clone_into(&mut server.endpoint);
            }
            server.announced.push(line);
            // A pinned key stands behind the token.
            let last = if has_own_key { "REMOFILE_PUBLIC_KEY" } else { "REMOFILE_TOKEN" };
            if server.announced.last().unwrap().starts_with(&format!("export {last}=")) {
                return server;
            }
        }
        let said = server.stderr.recv_timeout(DEADLINE).unwrap_or_default();
        panic!("the server did not start: {}", String::from_utf8_lossy(&said));
    }

    pub fn address(&self) -> SocketAddr {
        let (_, port) = self.endpoint.rsplit_once(':').unwrap();
        (Ipv4Addr::LOCALHOST, port.parse().unwrap()).into()
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The value of an exported variable, without its quotes.
    pub fn exported(&self, name: &str) -> String {
        let start = format!("export {name}=");
        let value = self.announced.iter().find_map(|line| line.strip_prefix(&start)).unwrap();
        value.trim_matches('\'').to_owned()
    }

    /// A command of a client of this server, with the token.
    pub fn client(&self, args: &[&str]) -> Command {
        let mut command = remofile();
        command.args(args).env("REMOFILE_SERVER", &self.endpoint).env("REMOFILE_TOKEN", TOKEN);
        command
    }

    /// Runs a command of a client, and expects it to succeed.
    pub fn run(&self, args: &[&str]) -> Done {
        run(&mut self.client(args)).success()
    }

    pub fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Ends it in the way of a service manager; gives its status, what it logged and how long that took.
    pub fn terminate(self) -> (ExitStatus, String, Duration) {
        self.end_by(rustix::process::Signal::TERM)
    }

    /// Ends it by one signal: a second one would end it at once.
    pub fn end_by(mut self, asked: rustix::process::Signal) -> (ExitStatus, String, Duration) {
        let started = Instant::now();
        signal(&self.child, asked);
        let said = self.stderr.recv_timeout(DEADLINE).expect("the server ends");
        let status = self.child.wait().unwrap();
        (status, String::from_utf8_lossy(&said).into_owned(), started.elapsed())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Running {
    pub fn start(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::null())
    }

    /// With a standard input that [`Running::stdin`] gives.
    pub fn start_fed(command: &mut Command) -> Self {
        Self::start_with(command, Stdio::piped())
    }

    pub fn stdin(&mut self) -> ChildStdin {
        self.child.stdin.take().unwrap()
    }

    pub fn signal(&self, signal: rustix::process::Signal) {
        self::signal(&self.child, signal);
    }

    fn start_with(command: &mut Command, stdin: Stdio) -> Self {
        let mut child = command.stdin(stdin).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (stdout, stderr) = (drain(child.stdout.take().unwrap()), drain(child.stderr.take().unwrap()));
        Self { child, started: Instant::now(), stdout, stderr, ended: None }
    }

    /// SIGKILL, as if the power of that machine went.
    pub fn kill(mut self) {
        self.child.kill().unwrap();
        self.ended = Some(self.child.wait().unwrap());
    }

    /// Waits for its end.
    pub fn finish(mut self) -> Done {
        let mut resident = None;
        let stdout = loop {
            resident = resident_peak(self.child.id()).or(resident);
            match self.stdout.recv_timeout(Duration::from_millis(2)) {
                Ok(stdout) => break stdout,
                Err(RecvTimeoutError::Timeout) => {
                    assert!(self.started.elapsed() < DEADLINE, "the command does not end")
                }
                Err(RecvTimeoutError::Disconnected) => panic!("the reader of its output is gone"),
            }
        };
        let stderr = self.stderr.recv_timeout(DEADLINE).expect("the command ends");
        let status = self.child.wait().unwrap();
        self.ended = Some(status);
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        Done { status, stdout: text(stdout), stderr: text(stderr), took: self.started.elapsed(), resident }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended.is_none() {
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

impl Done {
    pub fn success(self) -> Self {
        assert!(self.status.success(), "{}: {}{}", self.status, self.stdout, self.stderr);
        self
    }

    /// Expects a failure with this exit code and the token in none of its words.
    pub fn fails(self, code: i32) -> Self {
        assert_eq!(self.status.code(), Some(code), "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.contains("error"), "no word of it: {self:?}");
        for said in [&self.stdout, &self.stderr] {
            assert!(!said.contains(TOKEN), "the token is in what it says: {said}");
        }
        self
    }

    /// Expects this in what it says on standard error.
    pub fn says(self, text: &str) -> Self {
        assert!(self.stderr.contains(text), "'{text}' is not in '{}'", self.stderr);
        self
    }
}

/// The command's file: cargo puts it into the directory above the one of the test binaries.
pub fn remofile_file() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    let file = test.parent().and_then(Path::parent).unwrap().join("remofile");
    assert!(file.is_file(), "{} is missing: cargo build -p remofile-cli builds it", file.display());
    file
}

/// The command, without the variables of the environment that change what it does.
pub fn remofile() -> Command {
    let mut command = Command::new(remofile_file());
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("REMOFILE_")) {
        command.env_remove(name);
    }
    // Without the configuration file of the user who runs the tests.
    command.env("XDG_CONFIG_HOME", "/nonexistent");
    // Continuous integration is taken to want colours.
    command.env_remove("CI");
    command
}

pub fn run(command: &mut Command) -> Done {
    Running::start(command).finish()
}

/// Runs a command with this on its standard input.
pub fn run_with_input(command: &mut Command, input: &[u8]) -> Done {
    let mut running = Running::start_fed(command);
    let (mut stdin, input) = (running.stdin(), input.to_vec());
    // A command that does not want all of it closes its end.
    let feeding = thread::spawn(move || drop(stdin.write_all(&input)));
    let done = running.finish();
    feeding.join().unwrap();
    done
}

/// VmHWM of a living process in bytes.
pub fn resident_peak(pid: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}

/// A file of bytes that do not repeat, the same for each seed.
pub fn make_file(path: &Path, size: usize, seed: u64) -> PathBuf {
    fs::write(path, content(size, seed)).unwrap();
    path.to_owned()
}

pub fn content(size: usize, seed: u64) -> Vec<u8> {
    let mut bytes = vec![0; size];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// Waits until so many bytes are staged: what the relay has passed on, the server may not have read yet.
pub fn await_staged_bytes(served: &Path, bytes: u64) {
    let deadline = Instant::now() + DEADLINE;
    while staged_bytes(served) < bytes {
        assert!(Instant::now() < deadline, "{} of {bytes} bytes are staged", staged_bytes(served));
        thread::park_timeout(Duration::from_millis(2));
    }
}

/// The bytes of the uploads that are staged in a served directory.
pub fn staged_bytes(served: &Path) -> u64 {
    staged(served).iter().map(|metadata| metadata.len()).sum()
}

/// How many files there are of uploads that are staged, or left behind.
pub fn staged_uploads(served: &Path) -> usize {
    staged(served).len()
}

fn staged(served: &Path) -> Vec<fs::Metadata> {
    let entries = fs::read_dir(served.join(".remofile")).unwrap().map(Result::unwrap);
    let unfinished = entries.filter(|entry| entry.file_name() != "lock" && entry.file_name() != "root");
    // The server may rename or remove a file between the two calls.
    unfinished.filter_map(|entry| found(entry.metadata())).collect()
}

fn found<T>(result: io::Result<T>) -> Option<T> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => None,
        other => Some(other.unwrap()),
    }
}

fn signal(child: &Child, signal: rustix::process::Signal) {
    rustix::process::kill_process(rustix::process::Pid::from_child(child), signal).unwrap();
}

/// Reads to the end in the background.
fn drain(mut from: impl Read + Send + 'static) -> Receiver<Vec<u8>> {
    let (sender, receiver) = channel();
    thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.read_to_end(&mut bytes);
        let _ = sender.send(bytes);
    });
    receiver
}
