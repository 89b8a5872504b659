//! Uploads or downloads a directory with all it holds.
//!
//!     REMOFILE_SERVER=localhost:6768 REMOFILE_TOKEN=… cargo run --example tree -- upload photos /photos
//!     REMOFILE_SERVER=localhost:6768 REMOFILE_TOKEN=… cargo run --example tree -- download /photos copy

use remofile::FileClient;
use std::{env, error::Error, path::Path};

fn main() -> Result<(), Box<dyn Error>> {
    let args: Vec<String> = env::args().skip(1).collect();
    let client = FileClient::new(env::var("REMOFILE_SERVER")?, env::var("REMOFILE_TOKEN")?)?;
    let done = match args.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        ["upload", local, remote] => client.upload_tree(Path::new(local), &remote.parse()?, false)?,
        ["download", remote, local] => client.download_tree(&remote.parse()?, Path::new(local), false)?,
        _ => return Err("say upload LOCAL REMOTE, or download REMOTE LOCAL".into()),
    };
    client.bye();
    println!("{} files transferred, {} failed", done.files, done.failed);
    if done.failed == 0 { Ok(()) } else { Err("some items failed".into()) }
}
