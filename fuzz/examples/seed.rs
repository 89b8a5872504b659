//! Writes the corpora: every vector of `spec/vectors` as input of the targets that take its kind.

use serde_json::Value;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::{env, fs};

fn main() -> Result<(), Box<dyn Error>> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let vectors = env::args_os().nth(1).map_or_else(|| here.join("../spec/vectors"), PathBuf::from);
    let mut written = 0;
    for file in fs::read_dir(&vectors)? {
        let path = file?.path();
        if path.extension().is_none_or(|extension| extension != "json") {
            continue;
        }
        let vector: Value = serde_json::from_slice(&fs::read(&path)?)?;
        let name = path.file_stem().ok_or("a file without a name")?;
        for (target, input) in inputs(&vector).map_err(|error| format!("{}: {error}", path.display()))? {
            let corpus = here.join("corpus").join(target);
            fs::create_dir_all(&corpus)?;
            fs::write(corpus.join(name), input)?;
            written += 1;
        }
    }
    if written == 0 {
        return Err(format!("no vectors in {}", vectors.display()).into());
    }
    println!("{written} inputs from {}", vectors.display());
    Ok(())
}

/// The targets that a vector is for, and its input of each.
fn inputs(vector: &Value) -> Result<Vec<(&'static str, Vec<u8>)>, Box<dyn Error>> {
    let text =
        |key: &str| Ok::<_, Box<dyn Error>>(vector[key].as_str().ok_or(format!("no {key}"))?.as_bytes().to_vec());
    Ok(match vector["kind"].as_str() {
        Some(kind @ ("request" | "reply")) => {
            let frames = frames(vector)?;
            let header = frames.first().cloned().unwrap_or_default();
            let with_delimiter = prefixed([vec![]].iter().chain(&frames))?;
            let target = if kind == "request" { "request" } else { "reply" };
            vec![(target, header.clone()), ("cbor", header), ("envelope", with_delimiter)]
        }
        Some("envelope") => vec![("envelope", prefixed(frames(vector)?.iter())?)],
        Some("path") => vec![("path", text("path")?)],
        Some("token" | "keys") => vec![("token", text("token")?)],
        Some("sequence") => vec![("session", sequence(vector)?)],
        _ => vec![],
    })
}

/// The steps as the target `session` reads them: time that goes by in units of 200 ms, and messages as frames after
/// their length in one byte. A longer frame is cut.
fn sequence(vector: &Value) -> Result<Vec<u8>, Box<dyn Error>> {
    const PASS_TIME: u8 = 0;
    const SEND_FRAMES: u8 = 3;
    let mut bytes = Vec::new();
    let mut units_before = 0;
    for step in vector["steps"].as_array().ok_or("no steps")? {
        let units = step["at_ms"].as_u64().ok_or("no at_ms")? / 200;
        let mut left = units.saturating_sub(units_before);
        units_before = units;
        while left > 0 {
            let passed = u8::try_from(left).unwrap_or(u8::MAX);
            bytes.extend([PASS_TIME, passed]);
            left -= u64::from(passed);
        }
        let frames = frames(step)?;
        bytes.extend([SEND_FRAMES, u8::try_from(1 + frames.len())?, 0]);
        for frame in &frames {
            let len = u8::try_from(frame.len()).unwrap_or(u8::MAX);
            bytes.push(len);
            bytes.extend(&frame[..usize::from(len)]);
        }
    }
    Ok(bytes)
}

/// Frames are hexadecimal, or an object that says what is repeated.
fn frames(vector: &Value) -> Result<Vec<Vec<u8>>, Box<dyn Error>> {
    let frames = vector["frames"].as_array().ok_or("no frames")?;
    let frame = |frame: &Value| match frame {
        Value::String(hex) => unhex(hex),
        _ => {
            let part = |key: &str| unhex(frame[key].as_str().unwrap_or_default());
            let times = usize::try_from(frame["times"].as_u64().ok_or("no times")?)?;
            Ok([part("hex")?, part("then")?.repeat(times)].concat())
        }
    };
    frames.iter().map(frame).collect()
}

fn unhex(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    let digits = hex.as_bytes();
    digits.chunks(2).map(|pair| Ok(u8::from_str_radix(std::str::from_utf8(pair)?, 16)?)).collect()
}

/// Each frame after its length in two bytes; a longer frame is cut.
fn prefixed<'a>(frames: impl Iterator<Item = &'a Vec<u8>>) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut bytes = Vec::new();
    for frame in frames {
        let len = u16::try_from(frame.len()).unwrap_or(u16::MAX);
        bytes.extend(len.to_le_bytes());
        bytes.extend(&frame[..usize::from(len)]);
    }
    Ok(bytes)
}
