//! A client inside a program: it makes a directory, puts a file, and reads a part of it back.
//!
//! ```console
//! $ export REMOFILE_SERVER=localhost:6768 REMOFILE_TOKEN=TTA3rMB8VtNYv25kdipkaJ
//! $ cargo run --example embed_client
//! /examples-2042/numbers.txt has 3890 bytes
//! bytes 20 to 22 are "10"
//! ```

use remofile::{FileClient, Precondition, RemotePath};
use std::error::Error;
use std::io::Write;

fn main() -> Result<(), Box<dyn Error>> {
    run(&std::env::var("REMOFILE_SERVER")?, &std::env::var("REMOFILE_TOKEN")?, &mut std::io::stdout())
}

pub(crate) fn run(server: &str, token: &str, out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let client = FileClient::new(server, token)?;

    let directory = RemotePath::parse(&format!("/examples-{}", std::process::id()))?;
    client.mkdir(&directory)?;
    let path = directory.join("numbers.txt")?;
    let numbers: String = (0..1_000).map(|number| format!("{number}\n")).collect();
    let entry = client.put(&path, numbers.clone().into_bytes(), Precondition::Absent, None)?;
    writeln!(out, "{path} has {} bytes", entry.size.unwrap_or_default())?;

    // Reading with the etag: if the file changed meanwhile, this would be an error instead of other bytes.
    let (bytes, _) = client.read(&path, 20, 2, entry.etag)?;
    writeln!(out, "bytes 20 to 22 are {:?}", String::from_utf8_lossy(&bytes))?;
    if bytes != numbers.as_bytes()[20..22] {
        return Err("the bytes are not those that were put".into());
    }

    client.flush()?;
    client.remove_tree(&directory)?;
    client.bye();
    Ok(())
}
