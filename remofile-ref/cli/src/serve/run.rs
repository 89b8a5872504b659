//! `run`: serves a directory in the foreground.

use super::{
    connect_info::ConnectInfo,
    directory::{directory, reject_inside},
    log::{self, LogFile},
    notify,
    options::{RunArgs, ServeArgs, bind_address, given_token, key_pair, with_port},
    pid_file::{PidFile, PidFileError},
    signals,
    start_error::{self, StartError, named},
};
use crate::{exit_code, failure::Failure};
use remofile::{
    Confinement, generate_token,
    server::{BoundServer, FileServer},
    transport::{Endpoint, SERVER_DESCRIPTORS, ServerPattern, set_descriptor_limit},
};
use remofile_proto::{KeyPair, Token};
use std::{fs::File, io, net::IpAddr, path::PathBuf, time::Duration};

/// Serves a directory until a signal stops the server.
pub(crate) fn run(args: &RunArgs) -> Result<(), Failure> {
    if args.detached {
        rustix::process::setsid().map_err(|errno| Failure::caused("cannot create a session", errno))?;
    }
    let log = log::start(&args.serve.log, &args.serve.output)?;
    let prepared = PreparedServer::new(&args.serve)?;
    let served = prepared.serve(log.as_ref(), args.detached);
    if let (Err(failure), Some(_), true) = (&served, &log, args.detached) {
        // A detached server has no standard error.
        tracing::error!(%failure, "the server failed");
    }
    served
}

/// The checked options of a server.
struct PreparedServer<'a> {
    args: &'a ServeArgs,
    directory: PathBuf,
    bind: IpAddr,
    token: Token,
    keys: Option<KeyPair>,
}

impl<'a> PreparedServer<'a> {
    fn new(args: &'a ServeArgs) -> Result<Self, Failure> {
        let bind = bind_address(&args.bind)?;
        let token = given_token(args)?.unwrap_or_else(generate_token);
        let directory = directory(args)?;
        let keys = args.secret_key_file.as_deref().map(key_pair).transpose()?;
        Ok(Self { args, directory, bind, token, keys })
    }

    fn serve(&self, log: Option<&LogFile>, detached: bool) -> Result<(), Failure> {
        let args = self.args;
        let insecure = args.insecure.insecure;
        // With a known port, the pid file is locked before anything else.
        let mut pid_file = if args.port == 0 { None } else { self.lock_pid_file(args.port)? };
        if let Some(log) = log.filter(|_| args.port != 0) {
            self.open_log(log, args.port)?;
        }
        let mut server = FileServer::new(&self.directory, &self.token)
            .map_err(|error| start_error::start(&args.directory, &error))?
            .read_only(args.read_only)
            .max_file_size(args.max_size)
            .lease(Duration::from_secs(args.lease))
            .pattern(if args.rep { ServerPattern::Rep } else { ServerPattern::Router })
            .insecure(insecure);
        if let Some(keys) = &self.keys {
            server = server.key_pair(keys.clone());
        }
        signals::stop_by_signal(&server.stop_handle(), log)
            .map_err(|error| Failure::caused("cannot handle signals", error))?;
        if let Err(error) = set_descriptor_limit(SERVER_DESCRIPTORS) {
            tracing::warn!(%error, "cannot raise the limit of open files");
        }
        let endpoint = Endpoint::Tcp { host: self.bind.to_string(), port: args.port };
        let mut bound = server.bind(&endpoint).map_err(|error| start_error::start(&args.directory, &error))?;
        let port = bound.local_port().unwrap_or(args.port);
        if args.port == 0 {
            pid_file = self.lock_pid_file(port)?;
            if let Some(log) = log {
                self.open_log(log, port)?;
            }
        }

        let info = ConnectInfo {
            directory: &self.directory,
            bind: self.bind,
            port,
            token: Some(&self.token),
            public_key: self.keys.as_ref().map(KeyPair::public),
            read_only: args.read_only,
            insecure,
            pid: std::process::id(),
        };
        info.print(&mut io::stdout().lock(), args.output.is_json())?;
        if detached {
            detach(log).map_err(|error| Failure::caused("cannot detach from the terminal", error))?;
        }
        confine(&bound, pid_file.as_ref());
        notify::notify(&format!(
            "READY=1\nMAINPID={}\nSTATUS=serving {} on {}",
            std::process::id(),
            named(&self.directory),
            bound.local_endpoint()
        ));
        let served = match notify::watchdog() {
            Some(every) => bound.run_with_beat(every, || notify::notify("WATCHDOG=1")),
            None => bound.run(),
        };
        notify::notify("STOPPING=1\nSTATUS=stopping");
        drop(bound);
        drop(pid_file);
        served.map_err(|error| Failure::caused("the server failed", error))
    }

    fn lock_pid_file(&self, port: u16) -> Result<Option<PidFile>, Failure> {
        let Some(path) = &self.args.pidfile else { return Ok(None) };
        let path = with_port(path, port);
        reject_inside(&self.directory, &path, "pid file")?;
        let error = match PidFile::lock(&path) {
            Ok(file) => return Ok(Some(file)),
            Err(PidFileError::Locked(pid)) => {
                let what = format!("pid file '{}' is locked by process {pid}", named(&path));
                StartError::new(exit_code::BUSY, what)
                    .hint(format!("`remofile stop --pidfile '{}'` stops it", named(&path)))
            }
            Err(PidFileError::NotPidFile) => {
                let what = format!("'{}' is not a pid file", named(&path));
                StartError::new(exit_code::EXISTS, what).hint("use a file that does not exist")
            }
            Err(PidFileError::Io(error)) => return Err(start_error::local("write pid file", &path, error)),
        };
        Err(error.into())
    }

    fn open_log(&self, log: &LogFile, port: u16) -> Result<(), Failure> {
        let Some(path) = &self.args.log.log_file else { return Ok(()) };
        let path = with_port(path, port);
        reject_inside(&self.directory, &path, "log file")?;
        log.open(&path).map_err(|error| start_error::local("open log file", &path, error))
    }
}

/// Confines the process to the served directory, and to that of the pid file, which is removed at the end.
fn confine(bound: &BoundServer, pid_file: Option<&PidFile>) {
    let beside = pid_file.and_then(|file| file.path().parent()).map(|parent| match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    });
    match bound.confine_thread(beside.as_slice()) {
        Ok(Confinement::Full) => tracing::info!("confined to the served directory by Landlock"),
        Ok(confinement) => tracing::info!(?confinement, "partly confined to the served directory: see SECURITY.md"),
        Err(error) => tracing::warn!(%error, "not confined to the served directory by Landlock"),
    }
}

/// Detaches from the terminal; output goes to the log, if there is one.
fn detach(log: Option<&LogFile>) -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let stderr = log.and_then(LogFile::descriptor).map_or_else(|| nothing.try_clone(), Ok)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&stderr)?;
    // So that file systems can be unmounted.
    std::env::set_current_dir("/")
}
