//! `start` and `stop`: servers in the background, identified by their pid files.

use super::{
    connect_info::ConnectInfo,
    directory::directory,
    options::{ServeArgs, bind_address, given_token, with_port},
    pid_file::{self, PidState},
    processes::{listener, serves},
    start_error::{StartError, local, named},
};
use crate::{
    directories, exit_code,
    failure::Failure,
    options::OutputOptions,
    render::{human_duration, note, write_json},
    system_error::system_text,
    units::parse_seconds,
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
        remofile start ./shared                   port 6768, local clients only, a new token\n  \
        remofile start ./photos 0 --name photos   a free port, and a name for stop\n  \
        remofile stop photos\n\n\
        `start` returns when the server is ready, or prints why it failed. The default log file is in\n\
        ~/.local/state/remofile. A server that is already running is not restarted.")]
pub(crate) struct StartArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Name for `stop` [default: the port]
    #[arg(long, value_name = "NAME", value_parser = parse_name, conflicts_with = "pidfile")]
    pub(crate) name: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        remofile stop              the only server in the background\n  \
        remofile stop 6768         the server on that port\n  \
        remofile stop --pidfile /run/remofile.pid\n\n\
        `stop` waits until the server has exited. Incomplete uploads are kept. If no server is running, it succeeds.")]
pub(crate) struct StopArgs {
    /// Port or name of the server [default: the only one that is running]
    #[arg(value_parser = parse_name, conflicts_with = "pidfile")]
    pub(crate) name: Option<String>,
    /// Pid file of the server
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pidfile: Option<PathBuf>,
    /// Seconds to wait until the server has exited
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_seconds)]
    within: Duration,
    #[command(flatten)]
    pub(crate) options: OutputOptions,
}

/// Starts a server in the background, and prints the settings for clients when it is ready.
pub(crate) fn start(args: &StartArgs) -> Result<(), Failure> {
    let serve = &args.serve;
    let directory = directory(serve)?;
    let token = given_token(serve)?;
    let pid_file = match &serve.pidfile {
        Some(path) => std::path::absolute(path).map_err(|error| local("find", path, error))?,
        None => runtime_directory()?.join(format!("{}.pid", args.name.as_deref().unwrap_or("{port}"))),
    };
    // Without a known port, the file cannot exist yet.
    let known = with_port(&pid_file, serve.port);
    if serve.port != 0 || known == pid_file {
        match pid_file::state(&known).map_err(|error| local("read pid file", &known, error))? {
            PidState::Live(pid) => return already_running(serve, serve.port, &directory, &known, pid),
            PidState::Absent | PidState::Stale => {}
        }
    } else if serve.pidfile.is_none()
        && let Some((port, path, pid)) = server_of(&directory)?
    {
        return already_running(serve, port, &directory, &path, pid);
    }
    let log_file = match &serve.log.log_file {
        Some(path) => std::path::absolute(path).map_err(|error| local("find", path, error))?,
        None => log_directory()?.join(format!("{}.log", args.name.as_deref().unwrap_or("{port}"))),
    };

    let program = env::current_exe().map_err(|error| failed("find this program", error))?;
    let mut command = Command::new(program);
    command.arg("run").args(run_options(serve)).arg("--detached");
    command.arg("--pidfile").arg(&pid_file).arg("--log-file").arg(&log_file);
    command.arg("--").arg(&directory).arg(serve.port.to_string());
    match &token {
        // Not on the command line, which other users can see.
        Some(token) => command.env("REMOFILE_TOKEN", token.reveal()),
        None => command.env_remove("REMOFILE_TOKEN"),
    };
    command.env_remove("REMOFILE_TOKEN_FILE");
    let mut child = command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(|error| failed("start the server", error))?;
    let mut info = Vec::new();
    if let Some(stdout) = &mut child.stdout {
        // It ends when the server is ready and detaches, or exits.
        stdout.read_to_end(&mut info).map_err(|error| failed("read the output of the server", error))?;
    }
    if info.is_empty() {
        // The server has printed why.
        let status = child.wait().map_err(|error| failed("wait for the server", error))?;
        let code = status.code().and_then(|code| u8::try_from(code).ok()).filter(|code| *code != 0);
        return Err(Failure::Reported(code.unwrap_or(exit_code::OTHER)));
    }
    io::Write::write_all(&mut io::stdout().lock(), &info)?;
    Ok(())
}

/// Stops a server and waits until it has exited.
pub(crate) fn stop(args: &StopArgs) -> Result<(), Failure> {
    let (path, name) = match (&args.pidfile, &args.name) {
        (Some(path), _) => (path.clone(), named(path)),
        (None, Some(name)) => (runtime_directory()?.join(format!("{name}.pid")), name.clone()),
        (None, None) => match running()?.as_slice() {
            [] => return print_stopped(&args.options, None, "no server is running in the background"),
            [only] => (runtime_directory()?.join(format!("{only}.pid")), only.clone()),
            several => {
                let what = format!("several servers are running: {}", several.join(", "));
                return Err(Failure::usage_with(what, "specify one: remofile stop NAME"));
            }
        },
    };
    let unreadable = |error: io::Error| local("read pid file", &path, error);
    let pid = match pid_file::state(&path).map_err(unreadable)? {
        PidState::Absent => return print_stopped(&args.options, None, &format!("no server '{name}' is running")),
        PidState::Stale => {
            pid_file::remove_stale(&path).map_err(|error| local("remove pid file", &path, error))?;
            return print_stopped(
                &args.options,
                None,
                &format!("server '{name}' is not running; removed its stale pid file"),
            );
        }
        PidState::Live(pid) => pid,
    };
    match terminate(&path, pid, args.within)? {
        Ended::Stopped => print_stopped(&args.options, Some(pid), &format!("stopped '{name}' (process {pid})")),
        Ended::Died => {
            print_stopped(&args.options, None, &format!("server '{name}' is not running; removed its stale pid file"))
        }
    }
}

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ended {
    /// It removed its pid file.
    Stopped,
    /// It was killed, and left its pid file.
    Died,
}

/// Sends SIGTERM to the server that has locked the pid file, and waits until it has exited.
fn terminate(path: &Path, pid: u32, within: Duration) -> Result<Ended, Failure> {
    let cannot = |errno: Errno| {
        let error =
            StartError::new(exit_code::OTHER, format!("cannot stop process {pid}: {}", system_text(&errno.into())));
        Failure::from(if errno == Errno::PERM {
            error.hint("it runs as another user; stop it as that user")
        } else {
            error
        })
    };
    let Some(id) = i32::try_from(pid).ok().and_then(Pid::from_raw) else { return Err(cannot(Errno::SRCH)) };
    let process = match pidfd_open(id, PidfdFlags::empty()) {
        Err(Errno::SRCH) => return tidy_up(path),
        other => other.map_err(cannot)?,
    };
    // Before the descriptor was open, the number could have passed to another process.
    match pid_file::state(path).map_err(|error| local("read pid file", path, error))? {
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
                let what = format!("process {pid} did not exit within {}", human_duration(within));
                return Err(StartError::new(exit_code::OTHER, what)
                    .hint(format!("its disk may be blocked; `kill -9 {pid}` kills it"))
                    .into());
            }
            // A process that was killed just before still holds its locks, and accepts the signal.
            Ok(_) => return tidy_up(path),
            Err(Errno::INTR) => {}
            Err(errno) => return Err(cannot(errno)),
        }
    }
}

/// Removes the pid file of a server that has exited without removing it.
fn tidy_up(path: &Path) -> Result<Ended, Failure> {
    match pid_file::state(path).map_err(|error| local("read pid file", path, error))? {
        PidState::Stale => {
            pid_file::remove_stale(path).map_err(|error| local("remove pid file", path, error))?;
            Ok(Ended::Died)
        }
        // Absent, or locked by a server that was started since.
        PidState::Absent | PidState::Live(_) => Ok(Ended::Stopped),
    }
}

/// Handles a locked pid file: succeeds if it is that of the requested server.
fn already_running(args: &ServeArgs, port: u16, directory: &Path, pid_file: &Path, pid: u32) -> Result<(), Failure> {
    let is_it = serves(pid, directory) && (port == 0 || listener(port).is_some_and(|process| process.pid == pid));
    if !is_it {
        let what = format!(
            "pid file '{}' is locked by process {pid}, which serves another directory or port",
            named(pid_file)
        );
        let hint = "use another port or --name, or stop that server";
        return Err(StartError::new(exit_code::BUSY, what).hint(hint).into());
    }
    note(format_args!("process {pid} already serves '{}'", directory.display()));
    if port == 0 {
        // Its port is not known.
        return Ok(());
    }
    let (bind, insecure) = (bind_address(&args.bind)?, args.insecure.insecure);
    let (token, public_key) = (None, None);
    let info = ConnectInfo { directory, bind, port, token, public_key, read_only: args.read_only, insecure, pid };
    Ok(info.print(&mut io::stdout().lock(), args.output.is_json())?)
}

/// The server of this user that serves a directory, named after its port: port, pid file and process.
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

/// The names of the running servers of this user.
fn running() -> Result<Vec<String>, Failure> {
    let directory = runtime_directory()?;
    let unreadable = |error: io::Error| local("read", &directory, error);
    let mut names = Vec::new();
    for entry in fs::read_dir(&directory).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let Some(name) = entry.file_name().to_str().and_then(|name| Some(name.strip_suffix(".pid")?.to_owned())) else {
            continue;
        };
        match pid_file::state(&entry.path()) {
            Ok(PidState::Live(_)) => names.push(name),
            // A server that was killed does not remove its file.
            Ok(PidState::Stale) => drop(pid_file::remove_stale(&entry.path())),
            Ok(PidState::Absent) | Err(_) => {}
        }
    }
    names.sort();
    Ok(names)
}

/// The same options for `run`.
fn run_options(args: &ServeArgs) -> Vec<OsString> {
    let mut flags: Vec<OsString> = vec!["--bind".into(), args.bind.clone().into()];
    let mut flag = |is_set: bool, name: &str| flags.extend(is_set.then(|| name.into()));
    flag(args.read_only, "--read-only");
    flag(args.rep, "--rep");
    flag(args.allow_root, "--allow-root");
    flag(args.insecure.insecure, "--insecure");
    flag(args.output.is_json(), "--json");
    flag(args.output.is_quiet(), "--quiet");
    flag(args.output.is_verbose(), "--verbose");
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

/// The directory of pid files, which only this user can write to.
fn runtime_directory() -> Result<PathBuf, Failure> {
    let own = directories::runtime().map(|directory| directory.join("remofile"));
    let user = geteuid();
    let directory = own.unwrap_or_else(|| match user.is_root() {
        true => PathBuf::from("/run/remofile"),
        false => env::temp_dir().join(format!("remofile-{}", user.as_raw())),
    });
    create_private(&directory)?;
    // In a directory like /tmp, another user may have created it.
    let metadata = fs::symlink_metadata(&directory).map_err(|error| local("access", &directory, error))?;
    if !metadata.is_dir() || metadata.uid() != user.as_raw() || metadata.mode() & 0o022 != 0 {
        let what = format!(
            "'{}' belongs to another user or is writable by others: its pid files cannot be trusted",
            named(&directory)
        );
        return Err(StartError::new(exit_code::OTHER, what).hint("remove it, or use --pidfile").into());
    }
    Ok(directory)
}

fn log_directory() -> Result<PathBuf, Failure> {
    let own = directories::state_home().map(|directory| directory.join("remofile"));
    let directory = match (own, geteuid().is_root(), directories::home()) {
        (Some(own), _, _) => own,
        (None, true, _) => PathBuf::from("/var/log/remofile"),
        (None, false, Some(home)) => home.join(".local/state/remofile"),
        (None, false, None) => return runtime_directory(),
    };
    create_private(&directory)?;
    Ok(directory)
}

fn create_private(directory: &Path) -> Result<(), Failure> {
    DirBuilder::new().recursive(true).mode(0o700).create(directory).map_err(|error| local("create", directory, error))
}

fn print_stopped(output: &OutputOptions, pid: Option<u32>, text: &str) -> Result<(), Failure> {
    note(text);
    if output.is_json() {
        let object = serde_json::json!({ "op": "stop", "stopped": pid.is_some(), "pid": pid });
        write_json(&mut io::stdout().lock(), object)?;
    }
    Ok(())
}

fn failed(what: &str, error: io::Error) -> Failure {
    Failure::caused(format!("cannot {what}"), error)
}

/// Parses a name that is safe in file names.
fn parse_name(text: &str) -> Result<String, String> {
    let is_safe = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && !text.starts_with('.') && text.bytes().all(is_safe) {
        Ok(text.to_owned())
    } else {
        Err("use 1 to 64 letters, digits, dots, hyphens and underscores, without a leading dot".to_owned())
    }
}
