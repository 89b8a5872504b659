//! `hash`: BLAKE3 of files, computed on the server, and compared with a list of them.

use super::{
    args::Cli,
    connection::connect,
    failure::Failure,
    output::{escaped, is_terminal, shown, stdout, write_json},
    remote::{Given, remote_path},
    tally::Tally,
};
use clap::{Args, ValueHint};
use remofile::client::FileClient;
use remofile_proto::{Digest, RemotePath};
use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
};

/// No line of a list of hashes is longer: a hash and a path, of which each character may be escaped.
const LINE_MAX: u64 = 16_384;

#[derive(Debug, Args)]
#[command(after_help = "\
The server reads the files; nothing of them goes over the wire. Lines are those of b3sum, so that either checks what the \
other has printed.

Examples:
  remofile hash /isos/ubuntu.iso
  remofile hash 'photos/**' > photos.b3   relative, so that b3sum --check finds them too
  remofile hash --check photos.b3
  b3sum photos/* | remofile hash --check -
  remofile hash --offset 1024 --length 512 /disk.img")]
pub(crate) struct HashArgs {
    /// Files or quoted patterns
    #[arg(required_unless_present = "check", value_name = "PATH")]
    paths: Vec<String>,
    /// From this byte on
    #[arg(long, value_name = "BYTES", default_value_t = 0, conflicts_with = "check")]
    offset: u64,
    /// No more than so many bytes
    #[arg(long, value_name = "BYTES", conflicts_with = "check")]
    length: Option<u64>,
    /// Compare with the lines of this file; - is standard input
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath, conflicts_with = "paths")]
    check: Option<PathBuf>,
}

pub(crate) fn run(cli: &Cli, args: &HashArgs) -> Result<(), Failure> {
    if let Some(file) = &args.check {
        return check(cli, file);
    }
    let given = Given::parse_all(&args.paths)?;
    let mut client = connect(cli)?;
    let mut out = BufWriter::new(stdout());
    let mut tally = Tally::of(given.len());
    for one in &given {
        let all = match one.all(&mut client, false) {
            Ok(all) => all,
            Err(failure) => {
                tally.fail(failure)?;
                continue;
            }
        };
        // What a pattern matches beside files has no content to be hashed.
        let files = all.into_iter().filter(|found| !found.is_match || found.is_file()).collect::<Vec<_>>();
        if files.is_empty() {
            tally.fail(Failure::NoMatch { pattern: one.text().to_owned() })?;
        }
        tally.expect(files.len());
        for found in files {
            let result = client.hash_range(&found.path, args.offset, args.length);
            if let Some(hashed) = tally.note(result.map_err(Failure::from))? {
                if cli.output.json {
                    let line = serde_json::json!({
                        "path": found.path.as_str(), "hash": hashed.hash.to_string(), "len": hashed.len,
                        "offset": args.offset, "etag": hashed.etag.to_string(),
                    });
                    write_json(&mut out, line)?;
                } else {
                    writeln!(out, "{}", line_of(&hashed.hash, &found.shown))?;
                }
                // Each may have taken long.
                out.flush()?;
            }
        }
    }
    drop(out);
    client.bye();
    tally.finish()
}

fn check(cli: &Cli, file: &std::path::Path) -> Result<(), Failure> {
    let is_stdin = file.as_os_str() == "-";
    let cannot_read = |error: io::Error| Failure::usage(format!("cannot read '{}': {error}", file.display()));
    let mut lines: Box<dyn BufRead> = if is_stdin {
        Box::new(io::stdin().lock())
    } else {
        Box::new(BufReader::new(File::open(file).map_err(cannot_read)?))
    };
    let mut client = connect(cli)?;
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
                format!("line {number} of '{}' is not a hash and a path", file.display()),
                "`remofile hash` and `b3sum` print such lines",
            )
        })?;
        let path = remote_path(&name)?;
        total += 1;
        let verdict = verdict(&mut client, &path, &expected)?;
        failed += u64::from(verdict.is_some());
        if cli.output.json {
            let line = serde_json::json!({
                "path": path.as_str(), "status": if verdict.is_none() { "ok" } else { "failed" }, "reason": verdict,
            });
            write_json(&mut out, line)?;
        } else if let Some(why) = verdict {
            writeln!(out, "{}: FAILED ({why})", shown(&name))?;
        } else if !cli.output.quiet {
            writeln!(out, "{}: OK", shown(&name))?;
        }
    }
    drop(out);
    client.bye();
    if failed == 0 { Ok(()) } else { Err(Failure::Mismatch { file: file.display().to_string(), failed, total }) }
}

/// Why a file is not what was expected, if it is not.
fn verdict(client: &mut FileClient, path: &RemotePath, expected: &Digest) -> Result<Option<String>, Failure> {
    match client.hash(path) {
        Ok(hashed) if hashed.hash == *expected => Ok(None),
        Ok(_) => Ok(Some("another content".to_owned())),
        Err(error) => match error.code() {
            Some(code) => Ok(Some(code.text().to_owned())),
            None => Err(error.into()),
        },
    }
}

/// A hash and a path as b3sum has them: a backslash in the path is escaped, and one in front says so.
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
    fn a_line_is_read_back() {
        let hash = Digest::new(*blake3::hash(b"content").as_bytes());
        for path in ["/a b/c", "a  b", "a\\b", "\\"] {
            let line = line_of(&hash, path);
            assert_eq!(parse_line(&line), Some((hash, path.to_owned())), "{line}");
        }
    }

    #[test]
    fn what_is_no_line_of_hashes_is_told() {
        let hash = "af1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262";
        for line in ["", "a  b", hash, &format!("{hash} a"), &format!("{hash}  "), &format!("x{}  a", &hash[1..])] {
            assert_eq!(parse_line(line), None, "{line}");
        }
    }
}
