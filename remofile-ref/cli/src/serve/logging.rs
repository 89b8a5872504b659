//! The log of a server: text or JSON, to standard error or to a file that is opened anew on SIGHUP.

use crate::{args::OutputArgs, failure::Failure, settings::variable};
use clap::{Args, ValueEnum};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// How a server logs.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log")]
pub(crate) struct LogArgs {
    /// One line of text, or one JSON object, an event
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// error, warn, info, debug or trace; else REMOFILE_LOG, else info
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// A file to append to, opened anew on SIGHUP; {port} in it stands for the port. Else standard error
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A log file; until it is opened what is logged is kept.
#[derive(Clone, Debug)]
pub(super) struct LogFile(Arc<Writer>);

#[derive(Debug)]
struct Writer(Mutex<Target>);

#[derive(Debug)]
enum Target {
    /// The file's name is not known yet.
    Early(Vec<u8>),
    Open {
        path: PathBuf,
        file: File,
    },
}

/// Sends events where the flags say; gives the log file, which is to be opened yet.
pub(super) fn start(args: &LogArgs, output: &OutputArgs) -> Result<Option<LogFile>, Failure> {
    let filter = filter(args, output)?;
    let Some(_) = &args.log_file else {
        // To standard error an event is a line, on a terminal with colours where they are wanted.
        let colours = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        subscribe(filter, args.log_format, io::stderr, colours);
        return Ok(None);
    };
    let log = LogFile(Arc::new(Writer(Mutex::new(Target::Early(Vec::new())))));
    subscribe(filter, args.log_format, Arc::clone(&log.0), false);
    Ok(Some(log))
}

fn filter(args: &LogArgs, output: &OutputArgs) -> Result<EnvFilter, Failure> {
    let of_environment = variable("REMOFILE_LOG")?;
    let (source, text) = match &args.log_level {
        Some(level) => ("--log-level", level.clone()),
        None if output.quiet => ("-q", "error".to_owned()),
        None => match of_environment {
            Some(text) => ("REMOFILE_LOG", text),
            None => ("-v", if output.verbose > 0 { "debug" } else { "info" }.to_owned()),
        },
    };
    EnvFilter::try_new(&text).map_err(|error| {
        Failure::usage_with(
            format!("{source} '{}' is no level: {error}", text.escape_debug()),
            "write error, warn, info, debug or trace",
        )
    })
}

fn subscribe<W>(filter: EnvFilter, format: LogFormat, writer: W, colours: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(colours);
    // It fails only where something is subscribed already, and then events go there.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(builder.with_target(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().flatten_event(true).finish()),
    };
}

impl LogFormat {
    /// As the flag has it.
    pub(super) fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

impl LogFile {
    /// Opens the file, making it and its directory where they are missing, and writes what was kept for it.
    pub(super) fn open(&self, path: &Path) -> io::Result<()> {
        let mut file = append_to(path)?;
        let mut target = self.0.lock();
        if let Target::Early(kept) = &*target {
            file.write_all(kept)?;
        }
        *target = Target::Open { path: path.to_owned(), file };
        Ok(())
    }

    /// Opens the file anew by its name, which another file may have now. Where that fails the old one stays.
    pub(super) fn reopen(&self) -> io::Result<()> {
        match &mut *self.0.lock() {
            Target::Early(_) => Ok(()),
            Target::Open { path, file } => {
                *file = append_to(path)?;
                Ok(())
            }
        }
    }

    /// A descriptor of the open file, for what is written past it.
    pub(super) fn descriptor(&self) -> Option<File> {
        match &*self.0.lock() {
            Target::Early(_) => None,
            Target::Open { file, .. } => file.try_clone().ok(),
        }
    }
}

impl Writer {
    fn lock(&self) -> MutexGuard<'_, Target> {
        // What it guards is whole at any moment.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &Writer {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut *self.lock() {
            Target::Early(kept) => kept.write(line),
            Target::Open { file, .. } => file.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// The names of clients and files are in it: it is nobody else's to read.
fn append_to(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
