//! `demo`: the whole tour on one machine, each step by the very command that it prints.

use super::failure::Failure;
use clap::Args;
use remofile::generate_token;
use rustix::process::{Pid, Signal, kill_process};
use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, Read, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
    remofile demo                transfers this program itself, there and back\n  \
    remofile demo ubuntu.iso     or a file of yours")]
pub(crate) struct DemoArgs {
    /// The file to transfer; else the executable itself
    pub(crate) file: Option<PathBuf>,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(step("find this program"))?;
    let source = args.file.clone().unwrap_or_else(|| program.clone());
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("'{}' has no usable file name", source.display())))?
        .to_owned();
    let scratch = tempfile::tempdir().map_err(step("make a temporary directory"))?;
    let served = scratch.path().join("served");
    let fetched = scratch.path().join("fetched");
    for directory in [&served, &fetched] {
        fs::create_dir(directory).map_err(step("make a temporary directory"))?;
    }
    let token = generate_token();

    writeln!(io::stdout(), "$ remofile generate-token")?;
    writeln!(io::stdout(), "{}", token.reveal())?;
    writeln!(io::stdout(), "$ REMOFILE_TOKEN={} remofile run -q {} 0 &", token.reveal(), served.display())?;
    let server = Server::start(&program, &served, token.reveal())?;
    writeln!(io::stdout(), "$ export REMOFILE_SERVER={} REMOFILE_TOKEN={}", server.endpoint, token.reveal())?;

    let client = Client { program: &program, endpoint: &server.endpoint, token: token.reveal() };
    client.run(&["upload", &display(&source), "/"])?;
    client.run(&["list", "-l", "/"])?;
    client.run(&["download", &format!("/{name}"), &display(&fetched)])?;
    let copy = fetched.join(&name);
    writeln!(io::stdout(), "$ cmp {} {}", source.display(), copy.display())?;
    let bytes = compare(&source, &copy)?;
    writeln!(io::stdout(), "$ kill %1")?;
    server.stop()?;
    writeln!(io::stdout(), "{bytes} bytes went there and came back, encrypted: identical")?;
    Ok(())
}

/// The server process; it is stopped when this is dropped.
struct Server {
    process: Child,
    endpoint: String,
}

impl Server {
    fn start(program: &Path, served: &Path, token: &str) -> Result<Self, Failure> {
        let mut process = Command::new(program)
            .args(["run", "-q"])
            .arg(served)
            .arg("0")
            .env("REMOFILE_TOKEN", token)
            .env_remove("REMOFILE_TOKEN_FILE")
            .env_remove("NOTIFY_SOCKET")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(step("start the server"))?;
        let stdout = process.stdout.take().ok_or_else(|| failed("the server has no output"))?;
        let mut server = Server { process, endpoint: String::new() };
        // The block is printed when the server is ready, and ends with the token.
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(step("read what the server prints"))?;
            writeln!(io::stdout(), "{line}")?;
            if let Some(endpoint) = line.strip_prefix("export REMOFILE_SERVER=") {
                endpoint.clone_into(&mut server.endpoint);
            }
            if line.starts_with("export REMOFILE_TOKEN=") {
                return Ok(server);
            }
        }
        Err(failed("the server ended before it was ready"))
    }
}

impl Server {
    /// Ends it as a shell or a service manager would.
    fn stop(mut self) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)
            .map_err(|errno| step("stop the server")(errno.into()))?;
        let status = self.process.wait().map_err(step("wait for the server"))?;
        if status.success() { Ok(()) } else { Err(failed(&format!("the server ended with {status}"))) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // What it serves is temporary: nothing is lost by a kill, and a failure here has nobody to be told.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Client<'a> {
    program: &'a Path,
    endpoint: &'a str,
    token: &'a str,
}

impl Client<'_> {
    fn run(&self, args: &[&str]) -> Result<(), Failure> {
        writeln!(io::stdout(), "$ remofile {}", args.join(" "))?;
        let status = Command::new(self.program)
            .args(args)
            .env("REMOFILE_SERVER", self.endpoint)
            .env("REMOFILE_TOKEN", self.token)
            .env_remove("REMOFILE_PUBLIC_KEY")
            // Nothing of the user's own settings is tried here.
            .env("REMOFILE_CONFIG", "/dev/null")
            .env_remove("REMOFILE_PROFILE")
            .stdin(Stdio::null())
            .status()
            .map_err(step("start a client"))?;
        if status.success() { Ok(()) } else { Err(failed(&format!("remofile {} ended with {status}", args[0]))) }
    }
}

/// How many bytes two files have, if they are the same.
fn compare(left: &Path, right: &Path) -> Result<u64, Failure> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(step("open a file to compare"));
    let (mut left, mut right) = (open(left)?, open(right)?);
    let (mut ours, mut theirs) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut bytes = 0u64;
    loop {
        let count = fill(&mut left, &mut ours).map_err(step("read a file to compare"))?;
        let other = fill(&mut right, &mut theirs).map_err(step("read a file to compare"))?;
        if ours[..count] != theirs[..other] {
            return Err(failed(&format!("the files differ behind byte {bytes}")));
        }
        if count == 0 {
            return Ok(bytes);
        }
        bytes += count as u64;
    }
}

fn fill(reader: &mut impl Read, buffer: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < buffer.len() {
        match reader.read(&mut buffer[filled..]) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

fn display(path: &Path) -> String {
    path.display().to_string()
}

fn step(what: &'static str) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Serve { what: format!("the demo cannot {what}"), source: Box::new(source) }
}

fn failed(what: &str) -> Failure {
    Failure::Serve { what: "the demo failed".to_owned(), source: what.into() }
}
