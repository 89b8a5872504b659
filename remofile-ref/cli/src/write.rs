//! `write`: standard input into a file of the server, in place.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{human_size, note, stdout, write_json},
    remote::{look, remote_path},
};
use clap::Args;
use remofile::client::{ClientError, RemoteFile};
use remofile_proto::Precondition;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::io::{self, IsTerminal as _, Write as _};

/// How much is read at once.
const BLOCK: usize = 1 << 16;

/// How long nothing may come before the session is looked after, in nanoseconds.
const IDLE_NS: i64 = 100_000_000;

#[derive(Debug, Args)]
#[command(after_help = "\
Bytes go over those that are there, from --offset on; what is in front and behind stays. A gap behind the end is filled \
with zeros. It is not atomic: whoever reads meanwhile may see a part. To replace a file as a whole use `remofile upload - \
PATH --overwrite`. If it breaks off, it says up to which offset the bytes are there for certain.

Examples:
  printf 2026 | remofile write --offset 12 /report.txt
  echo 'one more line' | remofile write --append --create /log.txt
  remofile write --truncate /notes.txt < notes.txt    all that is in it then
  dd if=part.bin | remofile write --offset 1048576 /disk.img")]
pub(crate) struct WriteArgs {
    /// The file
    #[arg(value_name = "PATH")]
    path: String,
    /// The first byte to write over; the beginning if it is not given
    #[arg(long, value_name = "BYTES", conflicts_with = "append")]
    offset: Option<u64>,
    /// Behind the end of the file
    #[arg(short, long)]
    append: bool,
    /// No more than so many bytes of standard input
    #[arg(long, value_name = "BYTES")]
    length: Option<u64>,
    /// Make the file if it is not there
    #[arg(short, long)]
    create: bool,
    /// Cut the file off behind what was written
    #[arg(short, long)]
    truncate: bool,
}

pub(crate) fn run(cli: &Cli, args: &WriteArgs) -> Result<(), Failure> {
    let path = remote_path(&args.path)?;
    let mut client = connect(cli)?;
    if args.create && look(&mut client, &path)?.is_none() {
        match client.put(&path, Vec::new(), Precondition::Absent, None) {
            // Somebody else was faster.
            Err(error) if error.is_exists() => {}
            result => drop(result?),
        }
    }
    let mut file = client.open_file(&path).map_err(|error| match error {
        error if error.is_not_found() => Failure::Missing { error, hint: "--create makes it" },
        error => error.into(),
    })?;
    let offset = if args.append { file.size() } else { args.offset.unwrap_or(0) };
    if io::stdin().is_terminal() {
        note("reading from the terminal; Ctrl-D ends it");
    }
    let result = pour(&mut file, offset, args);
    let (certain, size) = (file.confirmed(), file.size());
    let bytes = match result {
        Ok(bytes) => bytes,
        Err(failure) => {
            // What this brings is not news any more.
            let _ = file.close();
            note(format_args!(
                "of standard input {certain} bytes are written for certain, from offset {offset} to {} of '{path}'; \
                 more of it may be",
                offset.saturating_add(certain)
            ));
            return Err(failure);
        }
    };
    file.close()?;
    client.bye();
    if cli.output.json {
        let line = serde_json::json!({
            "op": "write", "path": path.as_str(), "offset": offset, "bytes": bytes, "size": size,
        });
        write_json(&mut stdout(), line)?;
    } else {
        note(format_args!("wrote {} to '{path}' at offset {offset}", human_size(bytes)));
    }
    Ok(())
}

/// Gives how many bytes there were; they are durable then.
fn pour(file: &mut RemoteFile, offset: u64, args: &WriteArgs) -> Result<u64, Failure> {
    let mut block = vec![0; BLOCK];
    let mut off = offset;
    let end = args.length.map_or(u64::MAX, |length| offset.saturating_add(length));
    while off < end {
        await_input(file)?;
        let wanted = usize::try_from(end - off).map_or(BLOCK, |rest| rest.min(BLOCK));
        // Not through a buffer, which would take more than is wanted from whoever reads behind.
        let count = match rustix::io::read(io::stdin(), &mut block[..wanted]) {
            Ok(0) => break,
            Ok(count) => count,
            Err(rustix::io::Errno::INTR) => continue,
            Err(errno) => {
                let object = "standard input".to_owned();
                return Err(Failure::Local { what: "read", object, source: errno.into() });
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

/// Waits until there is something to read, or the end, and looks after the session meanwhile.
fn await_input(file: &mut RemoteFile) -> Result<(), Failure> {
    let stdin = io::stdin();
    let timeout = Timespec { tv_sec: 0, tv_nsec: IDLE_NS };
    loop {
        let mut watched = [PollFd::new(&stdin, PollFlags::IN)];
        match poll(&mut watched, Some(&timeout)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => file.idle()?,
            // What cannot be watched can be read at once.
            Ok(_) | Err(_) => return Ok(()),
        }
    }
}
