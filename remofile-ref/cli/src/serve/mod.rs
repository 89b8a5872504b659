//! `run`: serves a directory until it is told to stop; `start` and `stop` do so in the background.

mod block;
mod daemon;
mod logging;
mod neighbours;
mod notify;
mod pid_file;
mod refused;
mod signals;

pub(crate) use daemon::{StartArgs, StopArgs, start, stop};
pub(crate) use refused::Refused;

use super::{
    args::Cli,
    connection::{parse_token, token, warn_of_visible_token},
    failure::{Failure, exit, plain},
    output::{escaped, warn},
};
use block::Block;
use clap::{Args, ValueHint};
use logging::{LogArgs, LogFile};
use pid_file::{PidFile, Taken};
use refused::named;
use remofile::{
    Confinement, generate_token,
    server::{BoundServer, FileServer},
    transport::{Endpoint, SERVER_DESCRIPTORS, ServerPattern, set_descriptor_limit},
};
use remofile_proto::{KeyPair, Token, z85};
use std::{
    fs::{self, File},
    io,
    net::{IpAddr, Ipv4Addr},
    os::unix::fs::MetadataExt as _,
    path::{Path, PathBuf},
    time::Duration,
};

/// What stands in the name of a file for the port.
const PORT: &str = "{port}";

/// What is served, to whom and how.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// The directory to serve
    #[arg(value_hint = ValueHint::DirPath)]
    pub(crate) directory: PathBuf,
    /// The port; 0 takes a free one
    #[arg(default_value_t = super::connection::DEFAULT_PORT)]
    pub(crate) port: u16,
    /// The token; else REMOFILE_TOKEN or a token file, else a new one
    #[arg(value_name = "TOKEN")]
    pub(crate) run_token: Option<String>,
    /// The address of this machine to listen on; 0.0.0.0 is all of IPv4, :: all
    #[arg(long, default_value = "127.0.0.1", value_name = "ADDRESS")]
    pub(crate) bind: String,
    /// Refuse every change
    #[arg(long)]
    pub(crate) read_only: bool,
    /// The largest file, in bytes or as 500M, 20G, 1T
    #[arg(long, value_name = "SIZE", value_parser = parse_size)]
    pub(crate) max_size: Option<u64>,
    /// How long a silent client keeps the session, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    pub(crate) lease: u64,
    /// A file that holds the process id as long as the server runs; {port} in it stands for the port
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) pidfile: Option<PathBuf>,
    /// A file with the secret key that generate-keys printed, in place of one derived from the token
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) secret_key_file: Option<PathBuf>,
    /// Take one request at a time, over a REP socket, in place of a ROUTER
    #[arg(long)]
    pub(crate) rep: bool,
    /// Serve / all the same
    #[arg(long)]
    pub(crate) allow_root: bool,
    #[command(flatten)]
    pub(crate) log: LogArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  \
        remofile run ./shared                          port 6768, this machine only, a new token\n  \
        remofile run --bind 0.0.0.0 ./shared           other machines too\n  \
        remofile run --read-only ./shared 0            a free port, nothing is changed\n  \
        remofile run --token-file ~/token ./shared     always the same token\n\n\
        What it prints is pasted on the client, and printed only once it is ready. SIGTERM and SIGINT end it within\n\
        seconds; unfinished uploads are kept. SIGHUP opens the log file anew.")]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) serve: ServeArgs,
    /// Leave the terminal once ready: what `start` runs
    #[arg(long, hide = true)]
    pub(crate) detached: bool,
}

pub(crate) fn run(cli: &Cli, args: &RunArgs) -> Result<(), Failure> {
    if args.detached {
        rustix::process::setsid()
            .map_err(|errno| Failure::Serve { what: "cannot leave the session".to_owned(), source: Box::new(errno) })?;
    }
    let log = logging::start(&args.serve.log, &cli.output)?;
    let prepared = Prepared::new(cli, &args.serve)?;
    let served = prepared.serve(cli, log.as_ref(), args.detached);
    if let (Err(failure), Some(_), true) = (&served, &log, args.detached) {
        // Standard error is gone by the time at which serving fails.
        tracing::error!(%failure, "serving ended");
    }
    served
}

/// A command line that makes sense, as far as that can be seen before anything is opened.
struct Prepared<'a> {
    args: &'a ServeArgs,
    directory: PathBuf,
    bind: IpAddr,
    token: Token,
    keys: Option<KeyPair>,
}

impl<'a> Prepared<'a> {
    fn new(cli: &Cli, args: &'a ServeArgs) -> Result<Self, Failure> {
        let bind = bind_address(&args.bind)?;
        let token = given_token(cli, args)?.unwrap_or_else(generate_token);
        let directory = directory(args)?;
        let keys = args.secret_key_file.as_deref().map(key_pair).transpose()?;
        Ok(Self { args, directory, bind, token, keys })
    }

    fn serve(&self, cli: &Cli, log: Option<&LogFile>, detached: bool) -> Result<(), Failure> {
        let args = self.args;
        let insecure = cli.connection.insecure;
        // Where the port is known, so is the name of the pid file: then it is taken before anything else.
        let mut pid_file = if args.port == 0 { None } else { self.take_pid_file(args.port)? };
        if let Some(log) = log.filter(|_| args.port != 0) {
            self.open_log(log, args.port)?;
        }
        let mut server = FileServer::new(&self.directory, &self.token)
            .map_err(|error| refused::start(&args.directory, &error))?
            .read_only(args.read_only)
            .max_file_size(args.max_size)
            .lease(Duration::from_secs(args.lease))
            .pattern(if args.rep { ServerPattern::Rep } else { ServerPattern::Router })
            .insecure(insecure);
        if let Some(keys) = &self.keys {
            server = server.key_pair(keys.clone());
        }
        signals::stop_by_signal(&server.stop_handle(), log)
            .map_err(|error| Failure::Serve { what: "cannot handle signals".to_owned(), source: Box::new(error) })?;
        if let Err(error) = set_descriptor_limit(SERVER_DESCRIPTORS) {
            tracing::warn!(%error, "the limit of open descriptors stays as it is");
        }
        let endpoint = Endpoint::Tcp { host: self.bind.to_string(), port: args.port };
        let mut bound = server.bind(&endpoint).map_err(|error| refused::start(&args.directory, &error))?;
        let port = bound.local_port().unwrap_or(args.port);
        if args.port == 0 {
            pid_file = self.take_pid_file(port)?;
            if let Some(log) = log {
                self.open_log(log, port)?;
            }
        }

        let block = Block {
            directory: &self.directory,
            bind: self.bind,
            port,
            token: Some(&self.token),
            public_key: self.keys.as_ref().map(KeyPair::public),
            read_only: args.read_only,
            insecure,
            pid: std::process::id(),
        };
        block.print(&mut io::stdout().lock(), cli.output.json)?;
        if detached {
            leave_terminal(log).map_err(|error| Failure::Serve {
                what: "cannot leave the terminal".to_owned(),
                source: Box::new(error),
            })?;
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
        served.map_err(|error| Failure::Serve { what: "serving ended".to_owned(), source: Box::new(error) })
    }

    fn take_pid_file(&self, port: u16) -> Result<Option<PidFile>, Failure> {
        let Some(path) = &self.args.pidfile else { return Ok(None) };
        let path = with_port(path, port);
        self.refuse_inside(&path, "pid file")?;
        let refused = match PidFile::take(&path) {
            Ok(file) => return Ok(Some(file)),
            Err(Taken::By(pid)) => {
                let what = format!("the pid file '{}' is that of process {pid}, which runs", named(&path));
                Refused::new(exit::BUSY, what).hint(format!("`remofile stop --pidfile '{}'` ends it", named(&path)))
            }
            Err(Taken::NoPidFile) => {
                let what = format!("'{}' is no pid file: it holds something else", named(&path));
                Refused::new(exit::EXISTS, what).hint("name a file that does not exist yet")
            }
            Err(Taken::Io(error)) => refused::local("write the pid file", &path, &error),
        };
        Err(refused.into())
    }

    fn open_log(&self, log: &LogFile, port: u16) -> Result<(), Failure> {
        let Some(path) = &self.args.log.log_file else { return Ok(()) };
        let path = with_port(path, port);
        self.refuse_inside(&path, "log file")?;
        log.open(&path).map_err(|error| refused::local("open the log file", &path, &error).into())
    }

    /// Clients can read what is served, and change it.
    fn refuse_inside(&self, file: &Path, what: &str) -> Result<(), Failure> {
        refuse_inside(&self.directory, file, what)
    }
}

/// The token of the command line, the environment or a file; none where a new one is to be made.
fn given_token(cli: &Cli, args: &ServeArgs) -> Result<Option<Token>, Failure> {
    match &args.run_token {
        Some(text) => {
            warn_of_visible_token();
            parse_token(text).map(Some)
        }
        None => token(&cli.connection),
    }
}

/// The directory to serve, opened once to see that it can be; surprising ones are refused or warned of.
fn directory(args: &ServeArgs) -> Result<PathBuf, Failure> {
    let refused = |error: io::Error| Failure::from(refused::directory(&args.directory, &error));
    let directory = fs::canonicalize(&args.directory).map_err(refused)?;
    fs::read_dir(&directory).map_err(refused)?;
    if is_top(&directory) && !args.allow_root {
        return Err(Failure::usage_with(
            format!("will not serve '{}': everything on this machine is in it", named(&args.directory)),
            "serve a directory below it, or say --allow-root",
        ));
    }
    if let Some(why) = surprise(&directory) {
        warn(format_args!("'{}' is {why}: whoever has the token can {}", directory.display(), may(args)));
    }
    if let Some(file) = &args.secret_key_file {
        refuse_inside(&directory, file, "secret key file")?;
    }
    Ok(directory)
}

fn refuse_inside(directory: &Path, file: &Path, what: &str) -> Result<(), Failure> {
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    // The file itself may not exist yet; where it leads, if it is a link, counts as well.
    let places = [fs::canonicalize(parent), fs::canonicalize(file)];
    if places.iter().flatten().any(|place| place.starts_with(directory)) && !is_top(directory) {
        return Err(Failure::usage_with(
            format!("the {what} '{}' lies in the directory that is served", named(file)),
            "clients could read or change it there: keep it elsewhere",
        ));
    }
    Ok(())
}

/// Whether it is `/`, by whatever name.
fn is_top(directory: &Path) -> bool {
    match (fs::metadata(directory), fs::metadata("/")) {
        (Ok(directory), Ok(top)) => (directory.dev(), directory.ino()) == (top.dev(), top.ino()),
        _ => directory == Path::new("/"),
    }
}

/// What a directory is that is seldom meant to be served.
fn surprise(directory: &Path) -> Option<&'static str> {
    const SYSTEM: [&str; 12] =
        ["/bin", "/boot", "/dev", "/etc", "/home", "/lib", "/proc", "/root", "/run", "/sys", "/usr", "/var"];
    let home = std::env::var_os("HOME").and_then(|home| fs::canonicalize(home).ok());
    if home.as_deref() == Some(directory) {
        return Some("your home directory, with its keys and start-up files");
    }
    SYSTEM.iter().any(|system| directory == Path::new(system)).then_some("a directory of the system")
}

fn may(args: &ServeArgs) -> &'static str {
    if args.read_only { "read all of it" } else { "read and change all of it" }
}

fn bind_address(text: &str) -> Result<IpAddr, Failure> {
    match text {
        "localhost" => Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)),
        "*" => Ok(IpAddr::V4(Ipv4Addr::UNSPECIFIED)),
        _ => text.trim_start_matches('[').trim_end_matches(']').parse().map_err(|_| {
            Failure::usage_with(
                format!("--bind '{}' is not an address", escaped(text)),
                "write an IP address of this machine, 0.0.0.0 for all of IPv4, :: for all",
            )
        }),
    }
}

/// Nothing is opened outside the served directory from here on; the pid file is removed at the end.
fn confine(bound: &BoundServer, pid_file: Option<&PidFile>) {
    let beside = pid_file.and_then(|file| file.path().parent()).map(|parent| match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    });
    match bound.confine_thread(beside.as_slice()) {
        Ok(Confinement::Full) => tracing::info!("confined to the served directory by the kernel"),
        Ok(confinement) => tracing::info!(?confinement, "the kernel confines less than it could: see SECURITY.md"),
        Err(error) => tracing::warn!(%error, "not confined to the served directory by the kernel"),
    }
}

fn with_port(path: &Path, port: u16) -> PathBuf {
    match path.to_str() {
        Some(text) => PathBuf::from(text.replace(PORT, &port.to_string())),
        None => path.to_owned(),
    }
}

/// From here on there is no terminal: what is still printed goes to the log, if there is one.
fn leave_terminal(log: Option<&LogFile>) -> io::Result<()> {
    let nothing = File::options().read(true).write(true).open("/dev/null")?;
    let said = log.and_then(LogFile::descriptor).map_or_else(|| nothing.try_clone(), Ok)?;
    rustix::stdio::dup2_stdout(&nothing)?;
    rustix::stdio::dup2_stderr(&said)?;
    // Not to keep a file system from being unmounted.
    std::env::set_current_dir("/")
}

/// A size as people write it: `1500`, `500K`, `1.5G`, `2TiB`, in powers of 1,024.
fn parse_size(text: &str) -> Result<u64, String> {
    let at = text.find(|character: char| character.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(at);
    let wrong = || "write a number of bytes, or one with K, M, G or T behind it".to_owned();
    let power = match unit.trim_end_matches("iB").trim_end_matches('B').to_ascii_uppercase().as_str() {
        "" => 0,
        "K" => 1,
        "M" => 2,
        "G" => 3,
        "T" => 4,
        _ => return Err(wrong()),
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let is_number =
        |digits: &str| !digits.is_empty() && digits.len() <= 19 && digits.bytes().all(|b| b.is_ascii_digit());
    if !is_number(whole) || !is_number(fraction) || fraction.len() > 9 || (power == 0 && number.contains('.')) {
        return Err(wrong());
    }
    let scale = 1_024_u128.pow(power);
    let part = |digits: &str| digits.parse::<u128>().map_err(|_| wrong());
    let decimals = 10_u128.pow(u32::try_from(fraction.len()).map_err(|_| wrong())?);
    let bytes = part(whole)? * scale + part(fraction)? * scale / decimals;
    u64::try_from(bytes)
        .ok()
        .filter(|bytes| *bytes <= i64::MAX.cast_unsigned())
        .ok_or_else(|| "no file is as large as that".to_owned())
}

/// Reads what `generate-keys` printed, or the secret key alone.
fn key_pair(file: &Path) -> Result<KeyPair, Failure> {
    let text = fs::read_to_string(file)
        .map_err(|error| Failure::usage(format!("cannot read the key file '{}': {}", named(file), plain(&error))))?;
    let secret = text
        .lines()
        .find_map(|line| line.strip_prefix("secret "))
        .or_else(|| text.lines().next())
        .unwrap_or_default()
        .trim();
    z85::decode(secret).map(KeyPair::from_secret).map_err(|error| {
        Failure::usage_with(
            format!("'{}' holds no secret key: {error}", named(file)),
            "keep what `remofile generate-keys` printed in that file",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_in_powers_of_1024() {
        let sizes = [("0", 0), ("1500", 1500), ("2k", 2048), ("1.5M", 1_572_864), ("20G", 20 << 30), ("1TiB", 1 << 40)];
        for (text, bytes) in sizes {
            assert_eq!(parse_size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn what_is_no_size_is_refused() {
        for text in
            ["", "M", "-1", "1.5", "1e9", "1.M", ".5M", "5X", "1 G", "0x10", "99999999T", "99999999999999999999"]
        {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }
}
