//! `cat`: prints the contents of files.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::{RangeOptions, RemoteOptions},
    remote_path::PathArg,
    render::{JSON_SCHEMA, escaped, is_terminal, print_message},
};
use clap::Args;
use remofile::client::{ClientError, FileClient};
use remofile_proto::{Code, RemotePath};
use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd as _,
};

/// The size of a read, in bytes.
const BLOCK: usize = 1 << 18;

#[derive(Debug, Args)]
#[command(after_help = "\
If a file changes while it is read, the command fails with exit code 24. On a terminal, control characters are escaped \
unless --raw is given. With --json, an object per file is printed to standard error.

Examples:
  remofile cat /notes.txt
  remofile cat /logs/a.log /logs/b.log | grep error
  remofile cat --offset 1024 --length 512 /disk.img | xxd
  remofile cat /backup.tar | tar -t")]
pub(crate) struct CatArgs {
    /// Files or quoted patterns
    #[arg(required = true, value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    range: RangeOptions,
    /// Do not escape control characters on a terminal
    #[arg(long)]
    raw: bool,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &CatArgs) -> Result<(), Failure> {
    let arguments = PathArg::parse_all(&args.paths)?;
    // Not through the line buffer of the standard library, which searches every byte.
    let stdout = File::from(io::stdout().as_fd().try_clone_to_owned()?);
    let mut out: Box<dyn Write> = if is_terminal() && !args.raw {
        Box::new(Escaping { out: stdout, held: Vec::new() })
    } else {
        Box::new(stdout)
    };
    let mut client = connect(&args.options)?;
    let mut counter = ItemCounter::new(arguments.len());
    for argument in &arguments {
        let all = match argument.all(&mut client, false) {
            Ok(all) => all,
            Err(failure) => {
                counter.count_failure(failure)?;
                continue;
            }
        };
        counter.expect(all.len());
        for found in all {
            let result = copy_out(&mut client, &found.path, args, &mut out);
            if let Some(bytes) = counter.count(result)?
                && args.options.output.is_json()
            {
                let line = serde_json::json!({
                    "schema": JSON_SCHEMA, "op": "cat", "path": found.path.as_str(),
                    "offset": args.range.offset, "bytes": bytes,
                });
                print_message(line);
            }
        }
    }
    out.flush()?;
    client.bye();
    counter.finish()
}

/// Returns the number of bytes.
fn copy_out(client: &mut FileClient, path: &RemotePath, args: &CatArgs, out: &mut dyn Write) -> Result<u64, Failure> {
    let changed = |error: ClientError| match error.code() {
        Some(Code::Changed) => ClientError::SourceChanged { path: path.to_string() },
        _ => error,
    };
    let mut file = client.open_file(path)?;
    let end = args.range.length.map_or(file.size(), |length| args.range.offset.saturating_add(length).min(file.size()));
    let mut block = vec![0; BLOCK];
    let mut off = args.range.offset;
    while off < end {
        let wanted = usize::try_from(end - off).map_or(BLOCK, |rest| rest.min(BLOCK));
        let count = file.read_at(&mut block[..wanted], off).map_err(changed)?;
        if count == 0 {
            break;
        }
        out.write_all(&block[..count])?;
        off += count as u64;
    }
    file.close()?;
    Ok(off - args.range.offset)
}

/// Text for a terminal: keeps line breaks and tabs, and escapes other control characters and bytes that are not UTF-8.
struct Escaping<W: Write> {
    out: W,
    /// The start of an incomplete character.
    held: Vec<u8>,
}

impl<W: Write> Write for Escaping<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        let held = std::mem::take(&mut self.held);
        let mut text = String::new();
        let mut rest = &held[..];
        while !rest.is_empty() {
            let (valid, broken) = match str::from_utf8(rest) {
                Ok(valid) => (valid.len(), Some(0)),
                Err(error) => (error.valid_up_to(), error.error_len()),
            };
            push_text(&mut text, &String::from_utf8_lossy(&rest[..valid]));
            let Some(broken) = broken else {
                self.held = rest[valid..].to_vec();
                break;
            };
            text.extend(rest[valid..valid + broken].escape_ascii().map(char::from));
            rest = &rest[valid + broken..];
        }
        self.out.write_all(text.as_bytes())?;
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.out.write_all(held.escape_ascii().to_string().as_bytes())?;
        self.out.flush()
    }
}

fn push_text(text: &mut String, valid: &str) {
    for line in valid.split_inclusive('\n') {
        let (line, end) = match line.strip_suffix('\n') {
            Some(line) => (line.strip_suffix('\r').unwrap_or(line), "\n"),
            None => (line, ""),
        };
        for (index, cell) in line.split('\t').enumerate() {
            text.push_str(if index == 0 { "" } else { "\t" });
            text.push_str(&escaped(cell));
        }
        text.push_str(end);
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn shown(pieces: &[&[u8]]) -> String {
        let mut out = Escaping { out: Vec::new(), held: Vec::new() };
        pieces.iter().for_each(|piece| out.write_all(piece).unwrap());
        out.flush().unwrap();
        String::from_utf8(out.out).unwrap()
    }

    #[test]
    fn control_characters_are_escaped_and_text_is_not() {
        assert_eq!(shown(&["a\tb\r\nMüller\n".as_bytes()]), "a\tb\nMüller\n");
        assert_eq!(shown(&[b"a\x1b[2Jb\rc"]), "a\\u{1b}[2Jb\\u{d}c");
    }

    #[test]
    fn a_character_may_arrive_in_pieces() {
        assert_eq!(shown(&[b"\xc3", b"\xbc", b"x"]), "üx");
        assert_eq!(shown(&[b"\xe2\x82", b"\xac"]), "€");
    }

    #[test]
    fn bytes_that_are_not_utf_8_are_escaped() {
        assert_eq!(shown(&[b"a\xffb", b"\xc3"]), "a\\xffb\\xc3");
    }
}
