//! The log of a server: text or JSON, to standard error or to a file that SIGHUP reopens.

use crate::{connection::variable, failure::Failure, options::OutputOptions, render::escaped};
use clap::{Args, ValueEnum};
use std::{
    fs::{DirBuilder, File, OpenOptions},
    io::{self, Write},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tracing_subscriber::{EnvFilter, fmt::MakeWriter};

/// The log options.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Log options")]
pub(crate) struct LogArgs {
    /// Log format: a line of text or a JSON object per event
    #[arg(long, value_name = "FORMAT", default_value = "text")]
    pub(crate) log_format: LogFormat,
    /// Log level: error, warn, info, debug or trace [env: REMOFILE_LOG] [default: info]
    #[arg(long, value_name = "LEVEL")]
    pub(crate) log_level: Option<String>,
    /// Append the log to FILE, which SIGHUP reopens; {port} is replaced by the port [default: standard error]
    #[arg(long, value_name = "FILE")]
    pub(crate) log_file: Option<PathBuf>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LogFormat {
    Text,
    Json,
}

/// A log file; it keeps events in memory until it is open.
#[derive(Clone, Debug)]
pub(super) struct LogFile(Arc<LogWriter>);

#[derive(Debug)]
struct LogWriter(Mutex<LogTarget>);

#[derive(Debug)]
enum LogTarget {
    /// The name of the file is not known yet.
    Early(Vec<u8>),
    Open {
        path: PathBuf,
        file: File,
    },
}

/// Starts the log; returns the log file, which is not open yet.
pub(super) fn start(args: &LogArgs, output: &OutputOptions) -> Result<Option<LogFile>, Failure> {
    let filter = filter(args, output)?;
    let Some(_) = &args.log_file else {
        let with_colors = anstream::AutoStream::choice(&io::stderr()) != anstream::ColorChoice::Never;
        subscribe(filter, args.log_format, io::stderr, with_colors);
        return Ok(None);
    };
    let log = LogFile(Arc::new(LogWriter(Mutex::new(LogTarget::Early(Vec::new())))));
    subscribe(filter, args.log_format, Arc::clone(&log.0), false);
    Ok(Some(log))
}

fn filter(args: &LogArgs, output: &OutputOptions) -> Result<EnvFilter, Failure> {
    let of_environment = variable("REMOFILE_LOG")?;
    let (source, text) = match &args.log_level {
        Some(level) => ("--log-level", level.clone()),
        None if output.is_quiet() => ("-q", "error".to_owned()),
        None => match of_environment {
            Some(text) => ("REMOFILE_LOG", text),
            None => ("-v", if output.is_verbose() { "debug" } else { "info" }.to_owned()),
        },
    };
    EnvFilter::try_new(&text).map_err(|error| {
        Failure::usage_with(
            format!("invalid log level '{}' ({source}): {error}", escaped(&text)),
            "use error, warn, info, debug or trace",
        )
    })
}

fn subscribe<W>(filter: EnvFilter, format: LogFormat, writer: W, with_colors: bool)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer).with_ansi(with_colors);
    // It fails only if a subscriber is set already, which then receives the events.
    let _ = match format {
        LogFormat::Text => tracing::subscriber::set_global_default(builder.with_target(false).finish()),
        LogFormat::Json => tracing::subscriber::set_global_default(builder.json().flatten_event(true).finish()),
    };
}

impl LogFormat {
    /// The value of the option.
    pub(super) fn name(self) -> &'static str {
        match self {
            LogFormat::Text => "text",
            LogFormat::Json => "json",
        }
    }
}

impl LogFile {
    /// Opens the file, creates it and its directory if necessary, and writes the kept events.
    pub(super) fn open(&self, path: &Path) -> io::Result<()> {
        let mut file = append_to(path)?;
        let mut target = self.0.lock();
        if let LogTarget::Early(kept) = &*target {
            file.write_all(kept)?;
        }
        *target = LogTarget::Open { path: path.to_owned(), file };
        Ok(())
    }

    /// Reopens the file by its name. After a failure the old file stays open.
    pub(super) fn reopen(&self) -> io::Result<()> {
        match &mut *self.0.lock() {
            LogTarget::Early(_) => Ok(()),
            LogTarget::Open { path, file } => {
                *file = append_to(path)?;
                Ok(())
            }
        }
    }

    /// A descriptor of the open file.
    pub(super) fn descriptor(&self) -> Option<File> {
        match &*self.0.lock() {
            LogTarget::Early(_) => None,
            LogTarget::Open { file, .. } => file.try_clone().ok(),
        }
    }
}

impl LogWriter {
    fn lock(&self) -> MutexGuard<'_, LogTarget> {
        // The state is consistent even after a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for &LogWriter {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        match &mut *self.lock() {
            LogTarget::Early(kept) => kept.write(line),
            LogTarget::Open { file, .. } => file.write(line),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Opens a log file that only its user can read, since it contains names of clients and files.
fn append_to(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new().recursive(true).mode(0o700).create(directory)?;
    }
    OpenOptions::new().append(true).create(true).mode(0o600).open(path)
}
