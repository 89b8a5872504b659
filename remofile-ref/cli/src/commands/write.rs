//! `write`: writes standard input to a file on the server in place.

use crate::{
    connection::connect,
    failure::Failure,
    options::RemoteOptions,
    remote_path::{find, remote_path},
    render::{human_size, note, stdout, write_json},
    units::parse_size,
};
use clap::Args;
use remofile::client::{ClientError, RemoteFile};
use remofile_proto::Precondition;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal as _, Write as _};

/// The size of a read, in bytes.
const BLOCK: usize = 1 << 16;

/// The interval of keep-alives while standard input has no data, in nanoseconds.
const IDLE_NS: i64 = 100_000_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Overwrites existing bytes starting at --offset. A gap after the end of the file is filled with zeros. The write is not \
atomic: a program that reads the file meanwhile may see a part of it. To replace a file as a whole, use `remofile upload \
- PATH --overwrite`. If write fails, it prints the offset up to which all bytes were written.

Examples:
  printf 2026 | remofile write --offset 12 /report.txt
  echo 'one more line' | remofile write --append --create /log.txt
  remofile write --truncate /notes.txt < notes.txt    replace the content
  dd if=part.bin | remofile write --offset 1048576 /disk.img")]
pub(crate) struct WriteArgs {
    /// Path of the file
    #[arg(value_name = "PATH")]
    path: String,
    /// Start at this byte [default: 0]
    #[arg(long, value_name = "BYTES", value_parser = parse_size, conflicts_with = "append")]
    offset: Option<u64>,
    /// Start at the end of the file
    #[arg(short, long)]
    append: bool,
    /// Stop after this many bytes of standard input
    #[arg(long, value_name = "BYTES", value_parser = parse_size)]
    length: Option<u64>,
    /// Create the file if it does not exist
    #[arg(short, long)]
    create: bool,
    /// Truncate the file after the last byte that is written
    #[arg(short, long)]
    truncate: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &WriteArgs) -> Result<(), Failure> {
    let path = remote_path(&args.path)?;
    let mut client = connect(&args.options)?;
    if args.create && find(&mut client, &path)?.is_none() {
        match client.put(&path, Vec::new(), Precondition::Absent, None) {
            // Another client created it meanwhile.
            Err(error) if error.is_exists() => {}
            result => drop(result?),
        }
    }
    let mut file = client.open_file(&path).map_err(|error| match error {
        error if error.is_not_found() => Failure::Missing { error, hint: "use --create to create it" },
        error => error.into(),
    })?;
    let offset = if args.append { file.size() } else { args.offset.unwrap_or(0) };
    if io::stdin().is_terminal() {
        note("reading from the terminal; press Ctrl-D to finish");
    }
    let result = write_input(&mut file, offset, args);
    let (certain, size) = (file.confirmed(), file.size());
    let bytes = match result {
        Ok(bytes) => bytes,
        Err(failure) => {
            // The first failure is the one to report.
            let _ = file.close();
            note(format_args!(
                "{certain} bytes were written to '{path}', from offset {offset} to {}; later bytes may have been written",
                offset.saturating_add(certain)
            ));
            return Err(failure);
        }
    };
    file.close()?;
    client.bye();
    if args.options.output.is_json() {
        let line = serde_json::json!({
            "op": "write", "path": path.as_str(), "offset": offset, "bytes": bytes, "size": size,
        });
        write_json(&mut stdout(), line)?;
    } else {
        note(format_args!("wrote {} to '{path}' at offset {offset}", human_size(bytes)));
    }
    Ok(())
}

/// Writes standard input and flushes it; returns the number of bytes.
fn write_input(file: &mut RemoteFile, offset: u64, args: &WriteArgs) -> Result<u64, Failure> {
    let mut block = vec![0; BLOCK];
    let mut off = offset;
    let end = args.length.map_or(u64::MAX, |length| offset.saturating_add(length));
    while off < end {
        await_input(file)?;
        let wanted = usize::try_from(end - off).map_or(BLOCK, |rest| rest.min(BLOCK));
        // Not through a buffer, which would take bytes of the next reader of standard input.
        let count = match rustix::io::read(io::stdin(), &mut block[..wanted]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => {
                return Err(Failure::local("read", "standard input", errno.into()));
            }
        };
        let mut written = 0;
        while written < count {
            written += file.write_at(&block[written..count], off + written as u64)?;
        }
        off += count as u64;
    }
    if args.truncate {
        file.set_len(off)?;
    }
    file.flush().map_err(|error| match error.downcast::<ClientError>() {
        Ok(error) => Failure::from(error),
        Err(error) => Failure::Output(error),
    })?;
    Ok(off - offset)
}

/// Waits until standard input is readable, and keeps the session alive meanwhile.
fn await_input(file: &mut RemoteFile) -> Result<(), Failure> {
    let stdin = io::stdin();
    let timeout = Timespec { tv_sec: 0, tv_nsec: IDLE_NS };
    loop {
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => file.idle()?,
            // What cannot be polled can be read at once.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
}
