//! `start` and `stop`: a server in the background, found again by its pid file.

use super::{
    Refused, ServeArgs, bind_address,
    block::Block,
    directory, given_token,
    neighbours::{listener, serves},
    pid_file::{self, PidState},
    refused::{local, named},
    with_port,
};
use crate::{
    args::Cli,
    failure::{Failure, exit, plain},
    output::{note, write_json},
};
use clap::{Args, ValueHint};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, geteuid, pidfd_open, pidfd_send_signal},
};
use std::{
    env,
    ffi::OsString,
    fs::{self, DirBuilder},
    io::{self, Read as _},
    os::unix::fs::{DirBuilderExt as _, MetadataExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        remofile start ./shared                   port 6768, this machine only, a new token\n  \
        remofile start ./photos 0 --name photos   a free port, and a name for stop\n  \
        remofile stop photos\n\n\
        It returns once the server is ready, or says why it is not. The log is in ~/.local/state/remofile unless\n\
        --log-file names another place. A server that runs already is left alone.")]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// What `stop` is to know it by; else the port
    #[arg(long, value_name = "NAME", value_parser = parse_name, conflicts_with = "pidfile")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        remofile stop              the server that `remofile start` started, if it is one\n  \
        remofile stop 6768         the one on that port\n  \
        remofile stop --pidfile /run/remofile.pid\n\n\
        It waits until the server is gone. Unfinished uploads are kept. That nothing runs is no failure.")]
pub(crate) struct StopArgs {
    /// The port, or the name that `start` was given; else the only server that runs
    #[arg(value_parser = parse_name, conflicts_with = "pidfile")]
    pub(crate) name: Option<String>,
    /// The pid file of the server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pidfile: Option<PathBuf>,
    /// How long to wait for its end
    #[arg(long = "within", value_name = "SECONDS", default_value_t = 10)]
    pub(crate) within: u64,
}

/// Starts a server in the background and prints its block once it is ready.
pub(crate) fn start(cli: &Cli, args: &StartArgs) -> Result<(), Failure> {
    let serve = &args.serve;
    let directory = directory(serve)?;
    let token = given_token(cli, serve)?;
    let pid_file = match &serve.pidfile {
        Some(path) => std::path::absolute(path).map_err(|error| local("find", path, &error))?,
        None => runtime_directory()?.join(format!("{}.pid", args.name.as_deref().unwrap_or("{port}"))),
    };
    // A file in the name of a port that is not known yet is new in any case.
    let known = with_port(&pid_file, serve.port);
    if serve.port != 0 || known == pid_file {
        match pid_file::state(&known).map_err(|error| local("read the pid file", &known, &error))? {
            PidState::Live(pid) => return runs_already(cli, serve, serve.port, &directory, &known, pid),
            PidState::Absent | PidState::Stale => {}
        }
    } else if serve.pidfile.is_none()
        && let Some((port, path, pid)) = server_of(&directory)?
    {
        return runs_already(cli, serve, port, &directory, &path, pid);
    }
    let log_file = match &serve.log.log_file {
        Some(path) => std::path::absolute(path).map_err(|error| local("find", path, &error))?,
        None => log_directory()?.join(format!("{}.log", args.name.as_deref().unwrap_or("{port}"))),
    };

    let program = env::current_exe().map_err(|error| failed("find this program", error))?;
    let mut command = Command::new(program);
    command.arg("run").args(flags(cli, serve)).arg("--detached");
    command.arg("--pidfile").arg(&pid_file).arg("--log-file").arg(&log_file);
    command.arg("--").arg(&directory).arg(serve.port.to_string());
    match &token {
        // Not on its command line, which others can see.
        Some(token) => command.env("REMOFILE_TOKEN", token.reveal()),
        None => command.env_remove("REMOFILE_TOKEN"),
    };
    command.env_remove("REMOFILE_TOKEN_FILE");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed("start the server", error))?;
    let mut block = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        // It ends when the server leaves the terminal, ready, or dies.
        stdout.read_to_end(&mut block).map_err(|error| failed("hear from the server", error))?;
    }
    if block.is_empty() {
        // It has said why.
        let status = child.wait().map_err(|error| failed("wait for the server", error))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        return Err(Failure::Reported(code.unwrap_or(exit::OTHER)));
    }
    io::Write::write_all(&mut io::stdout().lock(), &block)?;
    Ok(())
}

/// Ends a server and waits until it is gone.
pub(crate) fn stop(cli: &Cli, args: &StopArgs) -> Result<(), Failure> {
    let (path, name) = match (&args.pidfile, &args.name) {
        (Some(path), _) => (path.clone(), named(path)),
        (None, Some(name)) => (runtime_directory()?.join(format!("{name}.pid")), name.clone()),
        (None, None) => match running()?.as_slice() {
            [] => return told(cli, None, "no server runs that `remofile start` started"),
            [only] => (runtime_directory()?.join(format!("{only}.pid")), only.clone()),
            several => {
                let what = format!("several servers run: {}", several.join(", "));
                return Err(Failure::usage_with(what, "say which one: remofile stop NAME"));
            }
        },
    };
    let unreadable = |error: io::Error| local("read the pid file", &path, &error);
    let pid = match pid_file::state(&path).map_err(unreadable)? {
        PidState::Absent => return told(cli, None, &format!("no server runs as '{name}'")),
        PidState::Stale => {
            pid_file::remove_stale(&path).map_err(|error| local("remove the pid file", &path, &error))?;
            return told(cli, None, &format!("no server runs as '{name}' any more; its pid file is removed"));
        }
        PidState::Live(pid) => pid,
    };
    match end(&path, pid, Duration::from_secs(args.within))? {
        Ended::Stopped => told(cli, Some(pid), &format!("stopped '{name}', process {pid}")),
        Ended::Died => told(cli, None, &format!("no server runs as '{name}' any more; its pid file is removed")),
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// In order: it removed its pid file.
    Stopped,
    /// It was killed, and left its pid file.
    Died,
}

/// Sends SIGTERM to the server that holds the pid file, and to nothing else, and waits for its end.
fn end(path: &Path, pid: u32, within: Duration) -> Result<Ended, Failure> {
    let cannot = |errno: Errno| {
        let refused = Refused::new(exit::OTHER, format!("cannot stop process {pid}: {}", plain(&errno.into())));
        Failure::from(if errno == Errno::PERM {
            refused.hint("it runs as another user: stop it as that one")
        } else {
            refused
        })
    };
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Err(cannot(Errno::SRCH)) };
    let process = match pidfd_open(id, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return tidy_up(path),
        other => other.map_err(cannot)?,
    };
    // The number may have gone to another process until a moment ago: only now it cannot any more.
    match pid_file::state(path).map_err(|error| local("read the pid file", path, &error))? {
        PidState::Live(still) if still == pid => {}
        _ => return tidy_up(path),
    }
    match pidfd_send_signal(&process, Signal::TERM) {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(errno) => return Err(cannot(errno)),
    }
    let deadline = Instant::now() + within;
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let wait = Timespec::try_from(left).map_err(|_| cannot(Errno::INVAL))?;
        match poll(&mut [PollFd::new(&process, PollFlags::IN)], Some(&wait)) {
            Ok(0) => {
                let what = format!("process {pid} has not ended within {} s", within.as_secs());
                return Err(Refused::new(exit::OTHER, what)
                    .hint(format!("its disk may stand still; `kill -9 {pid}` ends it"))
                    .into());
            }
            // A process that was killed a moment ago still holds its locks, and takes the signal.
            Ok(_) => return tidy_up(path),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(cannot(errno)),
        }
    }
}

/// Removes the pid file of a server that has ended, where the server has not done so itself.
fn tidy_up(path: &Path) -> Result<Ended, Failure> {
    match pid_file::state(path).map_err(|error| local("read the pid file", path, &error))? {
        PidState::Stale => {
            pid_file::remove_stale(path).map_err(|error| local("remove the pid file", path, &error))?;
            Ok(Ended::Died)
        }
        // Absent, or taken by another server since.
        PidState::Absent | PidState::Live(_) => Ok(Ended::Stopped),
    }
}

/// A server holds the pid file: fine if it is the one that is asked for.
fn runs_already(
    cli: &Cli,
    args: &ServeArgs,
    port: u16,
    directory: &Path,
    pid_file: &Path,
    pid: u32,
) -> Result<(), Failure> {
    let is_it = serves(pid, directory) && (port == 0 || listener(port).is_some_and(|process| process.pid == pid));
    if !is_it {
        let what = format!("the pid file '{}' is that of process {pid}, which serves something else", named(pid_file));
        let hint = "name another port or --name, or stop that one first";
        return Err(Refused::new(exit::BUSY, what).hint(hint).into());
    }
    note(format_args!("'{}' is served already, by process {pid}", directory.display()));
    if port == 0 {
        // Its name is none, and nobody else says where it listens.
        return Ok(());
    }
    let (bind, insecure) = (bind_address(&args.bind)?, cli.connection.insecure);
    let (token, public_key) = (None, None);
    let block = Block { directory, bind, port, token, public_key, read_only: args.read_only, insecure, pid };
    Ok(block.print(&mut io::stdout().lock(), cli.output.json)?)
}

/// The server of this user that serves a directory under the name of its port: port, pid file and process.
fn server_of(directory: &Path) -> Result<Option<(u16, PathBuf, u32)>, Failure> {
    let files = runtime_directory()?;
    let found = running()?.into_iter().find_map(|name| {
        let path = files.join(format!("{name}.pid"));
        match pid_file::state(&path) {
            Ok(PidState::Live(pid)) if serves(pid, directory) => Some((name.parse().ok()?, path, pid)),
            _ => None,
        }
    });
    Ok(found)
}

/// The names of the servers of this user that run, by their pid files.
fn running() -> Result<Vec<String>, Failure> {
    let directory = runtime_directory()?;
    let unreadable = |error: io::Error| local("look for servers in", &directory, &error);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Some(name) = entry.file_name().to_str().and_then(|name| Some(name.strip_suffix(".pid")?.to_owned())) else {
            continue;
        };
        match pid_file::state(&entry.path()) {
            Ok(PidState::Live(_)) => names.push(name),
            // Left by one that was killed: nobody else tidies up.
            Ok(PidState::Stale) => drop(pid_file::remove_stale(&entry.path())),
            Ok(PidState::Absent) | Err(_) => {}
        }
    }
    names.sort();
    Ok(names)
}

/// The flags of `run` that mean what these mean.
fn flags(cli: &Cli, args: &ServeArgs) -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["--bind".into(), args.bind.clone().into()];
    let mut flag = |is_set: bool, name: &str| flags.extend(is_set.then(|| name.into()));
    flag(args.read_only, "--read-only");
    flag(args.rep, "--rep");
    flag(args.allow_root, "--allow-root");
    flag(cli.connection.insecure, "--insecure");
    flag(cli.output.json, "--json");
    flag(cli.output.quiet, "--quiet");
    flag(cli.output.verbose > 0, "--verbose");
    let mut value = |name: &str, value: Option<OsString>| {
        if let Some(value) = value {
            flags.extend([name.into(), value]);
        }
    };
    value("--lease", Some(args.lease.to_string().into()));
    value("--max-size", args.max_size.map(|bytes| bytes.to_string().into()));
    let absolute = |path: &PathBuf| std::path::absolute(path).unwrap_or_else(|_| path.clone()).into_os_string();
    value("--secret-key-file", args.secret_key_file.as_ref().map(absolute));
    value("--log-level", args.log.log_level.clone().map(OsString::from));
    value("--log-format", Some(args.log.log_format.name().into()));
    flags
}

/// Where pid files are: a directory of this user's alone.
fn runtime_directory() -> Result<PathBuf, Failure> {
    let own = absolute_variable("XDG_RUNTIME_DIR").map(|directory| directory.join("remofile"));
    let user = geteuid();
    let directory = own.unwrap_or_else(|| match user.is_root() {
        true => PathBuf::from("/run/remofile"),
        false => env::temp_dir().join(format!("remofile-{}", user.as_raw())),
    });
    make_private(&directory)?;
    // In a directory that everybody writes to, somebody else may have made it first.
    let metadata = fs::symlink_metadata(&directory).map_err(|error| local("look at", &directory, &error))?;
    if !metadata.is_dir() || metadata.uid() != user.as_raw() || metadata.mode() & 0o022 != 0 {
        let what =
            format!("'{}' is open to others, or not yours: pid files there cannot be trusted", named(&directory));
        return Err(Refused::new(exit::OTHER, what).hint("remove it, or name a file by --pidfile").into());
    }
    Ok(directory)
}

fn log_directory() -> Result<PathBuf, Failure> {
    let own = absolute_variable("XDG_STATE_HOME").map(|directory| directory.join("remofile"));
    let directory = match (own, geteuid().is_root(), absolute_variable("HOME")) {
        (Some(own), _, _) => own,
        (None, true, _) => PathBuf::from("/var/log/remofile"),
        (None, false, Some(home)) => home.join(".local/state/remofile"),
        (None, false, None) => return runtime_directory(),
    };
    make_private(&directory)?;
    Ok(directory)
}

fn make_private(directory: &Path) -> Result<(), Failure> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(directory)
        .map_err(|error| local("make", directory, &error).into())
}

fn absolute_variable(name: &str) -> Option<PathBuf> {
    env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute())
}

fn told(cli: &Cli, pid: Option<u32>, text: &str) -> Result<(), Failure> {
    note(text);
    if cli.output.json {
        let object = serde_json::json!({ "op": "stop", "stopped": pid.is_some(), "pid": pid });
        write_json(&mut io::stdout().lock(), object)?;
    }
    Ok(())
}

fn failed(what: &str, error: io::Error) -> Failure {
    Failure::Serve { what: format!("cannot {what}"), source: Box::new(error) }
}

/// A name that is safe in the name of a file.
fn parse_name(text: &str) -> Result<String, String> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_safe) {
        Ok(text.to_owned())
    } else {
        Err("a name has 1 to 64 letters, digits, dots, hyphens and underscores, and does not begin with a dot"
            .to_owned())
    }
}
