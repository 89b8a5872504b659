//! `hash`: BLAKE3 checksums of files, computed by the server; prints them or checks a list.

use crate::{
    connection::connect,
    failure::Failure,
    item_counter::ItemCounter,
    options::{RangeOptions, RemoteOptions},
    remote_path::{PathArg, remote_path},
    render::{escaped, is_terminal, shown, stdout, write_json},
    system_error::system_text,
};
use clap::{Args, ValueHint};
use remofile::client::FileClient;
use remofile_proto::{Digest, RemotePath};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::{Path, PathBuf},
};

/// The longest line of a list, in bytes: a hash and a path with every character escaped.
const LINE_MAX: u64 = 16_384;

#[derive(Debug, Args)]
#[command(after_help = "\
The server computes the checksums; no file is transferred. The format is that of b3sum, so that each can check the \
output of the other.

Examples:
  remofile hash /isos/ubuntu.iso
  remofile hash 'photos/**' > photos.b3   relative paths, for b3sum --check
  remofile hash --check photos.b3
  b3sum photos/* | remofile hash --check -
  remofile hash --offset 1024 --length 512 /disk.img")]
pub(crate) struct HashArgs {
    /// Files or quoted patterns
    #[arg(required_unless_present = "check", value_name = "PATH")]
    paths: Vec<String>,
    #[command(flatten)]
    range: RangeOptions,
    /// Check the files that FILE lists; - is standard input
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath,
        conflicts_with_all = ["paths", "offset", "length"])]
    check: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) options: RemoteOptions,
}

pub(crate) fn run(args: &HashArgs) -> Result<(), Failure> {
    if let Some(file) = &args.check {
        return check(&args.options, file);
    }
    let arguments = PathArg::parse_all(&args.paths)?;
    let mut client = connect(&args.options)?;
    let mut out = BufWriter::new(stdout());
    let mut counter = ItemCounter::new(arguments.len());
    for argument in &arguments {
        let all = match argument.all(&mut client, false) {
            Ok(all) => all,
            Err(failure) => {
                counter.count_failure(failure)?;
                continue;
            }
        };
        // A pattern may match directories as well, which have no checksum.
        let files = all.into_iter().filter(|found| !found.is_match || found.is_file()).collect::<Vec<_>>();
        if files.is_empty() {
            counter.count_failure(Failure::NoMatch { pattern: argument.text().to_owned() })?;
        }
        counter.expect(files.len());
        for found in files {
            let result = client.hash_range(&found.path, args.range.offset, args.range.length);
            if let Some(hashed) = counter.count(result.map_err(Failure::from))? {
                if args.options.output.is_json() {
                    let line = serde_json::json!({
                        "path": found.path.as_str(), "hash": hashed.hash.to_string(), "len": hashed.len,
                        "offset": args.range.offset, "etag": hashed.etag.to_string(),
                    });
                    write_json(&mut out, line)?;
                } else {
                    writeln!(out, "{}", line_of(&hashed.hash, &found.shown))?;
                }
                // A checksum of a large file takes long.
                out.flush()?;
            }
        }
    }
    drop(out);
    client.bye();
    counter.finish()
}

fn check(options: &RemoteOptions, file: &Path) -> Result<(), Failure> {
    let is_stdin = file.as_os_str() == "-";
    let cannot_read =
        |error: io::Error| Failure::usage(format!("cannot read '{}': {}", file.display(), system_text(&error)));
    let mut lines: Box<dyn BufRead> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(cannot_read)?))
    };
    let mut client = connect(options)?;
    let mut out = stdout();
    let (mut total, mut failed) = (0u64, 0u64);
    let mut line = String::new();
    for number in 1u64.. {
        line.clear();
        if io::Read::take(&mut lines, LINE_MAX).read_line(&mut line).map_err(cannot_read)? == 0 {
            break;
        }
        let (expected, name) = parse_line(line.trim_end_matches(['\n', '\r'])).ok_or_else(|| {
            Failure::usage_with(
                format!("'{}', line {number}: not a checksum and a path", file.display()),
                "use the output of `remofile hash` or `b3sum`",
            )
        })?;
        let path = remote_path(&name)?;
        total += 1;
        let mismatch = mismatch(&mut client, &path, &expected)?;
        failed += u64::from(mismatch.is_some());
        if options.output.is_json() {
            let line = serde_json::json!({
                "path": path.as_str(), "status": if mismatch.is_none() { "ok" } else { "failed" }, "reason": mismatch,
            });
            write_json(&mut out, line)?;
        } else if let Some(why) = mismatch {
            writeln!(out, "{}: FAILED ({why})", shown(&name))?;
        } else if !options.output.is_quiet() {
            writeln!(out, "{}: OK", shown(&name))?;
        }
    }
    drop(out);
    client.bye();
    if failed == 0 { Ok(()) } else { Err(Failure::Mismatch { file: file.display().to_string(), failed, total }) }
}

/// Why a file differs from its checksum, if it does.
fn mismatch(client: &mut FileClient, path: &RemotePath, expected: &Digest) -> Result<Option<String>, Failure> {
    match client.hash(path) {
        Ok(hashed) if hashed.hash == *expected => Ok(None),
        Ok(_) => Ok(Some("checksum mismatch".to_owned())),
        Err(error) => match error.code() {
            Some(code) => Ok(Some(code.text().to_owned())),
            None => Err(error.into()),
        },
    }
}

/// A line of b3sum: a leading backslash marks a path with escaped backslashes.
fn line_of(hash: &Digest, path: &str) -> String {
    if is_terminal() {
        return format!("{hash}  {}", escaped(path));
    }
    if path.contains('\\') { format!("\\{hash}  {}", path.replace('\\', "\\\\")) } else { format!("{hash}  {path}") }
}

fn parse_line(line: &str) -> Option<(Digest, String)> {
    let (is_escaped, line) = match line.strip_prefix('\\') {
        Some(line) => (true, line),
        None => (false, line),
    };
    let (hash, path) = line.split_once("  ")?;
    let mut bytes = [0; 32];
    if hash.len() != 64 || !hash.is_ascii() || path.is_empty() {
        return None;
    }
    for (index, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(&hash[2 * index..2 * index + 2], 16).ok()?;
    }
    let path = if is_escaped { path.replace("\\n", "\n").replace("\\\\", "\\") } else { path.to_owned() };
    Some((Digest::new(bytes), path))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_line_is_parsed() {
        let hash = Digest::new(*blake3::hash(b"content").as_bytes());
        for path in ["/a b/c", "a  b", "a\\b", "\\"] {
            let line = line_of(&hash, path);
            assert_eq!(parse_line(&line), Some((hash, path.to_owned())), "{line}");
        }
    }

    #[test]
    fn an_invalid_line_is_not_parsed() {
        let hash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        for line in ["", "a  b", hash, &format!("{hash} a"), &format!("{hash}  "), &format!("x{}  a", &hash[1..])] {
            assert_eq!(parse_line(line), None, "{line}");
        }
    }
}
