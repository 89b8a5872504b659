//! `demo`: serves, uploads, lists, downloads and compares on one machine; each step runs the command that it prints.

use crate::{failure::Failure, options::MessageOptions};
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
    remofile demo                upload this program and download it again\n  \
    remofile demo ubuntu.iso     the same with ubuntu.iso")]
pub(crate) struct DemoArgs {
    /// File to transfer [default: this program]
    file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: MessageOptions,
}

pub(crate) fn run(args: &DemoArgs) -> Result<(), Failure> {
    let program = std::env::current_exe().map_err(step("find this program"))?;
    let source = args.file.clone().unwrap_or_else(|| program.clone());
    let name = source
        .file_name()
        .and_then(|name| name.to_str())
        .ok_or_else(|| Failure::usage(format!("'{}' has no file name in UTF-8", source.display())))?
        .to_owned();
    let scratch = tempfile::tempdir().map_err(step("create a temporary directory"))?;
    let served = scratch.path().join("served");
    let fetched = scratch.path().join("fetched");
    for directory in [&served, &fetched] {
        fs::create_dir(directory).map_err(step("create a temporary directory"))?;
    }
    let token = generate_token();

    writeln!(io::stdout(), "$ remofile generate-token")?;
    writeln!(io::stdout(), "{}", token.reveal())?;
    writeln!(io::stdout(), "$ REMOFILE_TOKEN={} remofile run -q {} 0 &", token.reveal(), served.display())?;
    let server = DemoServer::start(&program, &served, token.reveal())?;
    writeln!(io::stdout(), "$ export REMOFILE_SERVER={} REMOFILE_TOKEN={}", server.endpoint, token.reveal())?;

    let client = DemoClient { program: &program, endpoint: &server.endpoint, token: token.reveal() };
    client.run(&["upload", &display(&source), "/"])?;
    client.run(&["list", "-l", "/"])?;
    client.run(&["download", &format!("/{name}"), &display(&fetched)])?;
    let copy = fetched.join(&name);
    writeln!(io::stdout(), "$ cmp {} {}", source.display(), copy.display())?;
    let bytes = compare(&source, &copy)?;
    writeln!(io::stdout(), "$ kill %1")?;
    server.stop()?;
    writeln!(io::stdout(), "{bytes} bytes uploaded and downloaded over an encrypted connection: identical")?;
    Ok(())
}

/// The server process; it is stopped when this is dropped.
struct DemoServer {
    process: Child,
    endpoint: String,
}

impl DemoServer {
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
        let stdout = process.stdout.take().ok_or_else(|| failed("the server has no standard output"))?;
        let mut server = DemoServer { process, endpoint: String::new() };
        // The server prints the settings when it is ready; the token is the last of them.
        for line in BufReader::new(stdout).lines() {
            let line = line.map_err(step("read the output of the server"))?;
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

impl DemoServer {
    /// Stops it with SIGTERM, as a service manager does.
    fn stop(mut self) -> Result<(), Failure> {
        kill_process(Pid::from_child(&self.process), Signal::TERM)
            .map_err(|errno| step("stop the server")(errno.into()))?;
        let status = self.process.wait().map_err(step("wait for the server"))?;
        if status.success() { Ok(()) } else { Err(failed(&format!("the server ended with {status}"))) }
    }
}

impl Drop for DemoServer {
    fn drop(&mut self) {
        // The served directory is temporary, so that a kill loses nothing.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct DemoClient<'a> {
    program: &'a Path,
    endpoint: &'a str,
    token: &'a str,
}

impl DemoClient<'_> {
    fn run(&self, args: &[&str]) -> Result<(), Failure> {
        writeln!(io::stdout(), "$ remofile {}", args.join(" "))?;
        let status = Command::new(self.program)
            .args(args)
            .env("REMOFILE_SERVER", self.endpoint)
            .env("REMOFILE_TOKEN", self.token)
            .env_remove("REMOFILE_PUBLIC_KEY")
            // The user's own settings do not apply.
            .env("REMOFILE_CONFIG", "/dev/null")
            .env_remove("REMOFILE_PROFILE")
            .stdin(Stdio::null())
            .status()
            .map_err(step("start a client"))?;
        if status.success() { Ok(()) } else { Err(failed(&format!("remofile {} ended with {status}", args[0]))) }
    }
}

/// The size of two files, if they are identical.
fn compare(left: &Path, right: &Path) -> Result<u64, Failure> {
    let open = |path: &Path| File::open(path).map(BufReader::new).map_err(step("open a file to compare"));
    let (mut left, mut right) = (open(left)?, open(right)?);
    let (mut ours, mut theirs) = (vec![0; 1 << 16], vec![0; 1 << 16]);
    let mut bytes = 0u64;
    loop {
        let count = fill(&mut left, &mut ours).map_err(step("read a file to compare"))?;
        let other = fill(&mut right, &mut theirs).map_err(step("read a file to compare"))?;
        if ours[..count] != theirs[..other] {
            return Err(failed(&format!("the files differ after byte {bytes}")));
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
    move |source| Failure::caused(format!("demo: cannot {what}"), source)
}

fn failed(what: &str) -> Failure {
    Failure::caused("demo", what)
}
