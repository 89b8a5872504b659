//! A server inside a program: it listens on a free port in a thread of its own, and stops on request.
//!
//! ```console
//! $ cargo run --example embed_server
//! serving on tcp://127.0.0.1:40213
//! a client left /greeting.txt: hello
//! stopped
//! ```

use remofile::{FileClient, FileServer, Precondition, generate_token};
use std::error::Error;
use std::io::Write;
use std::thread;

fn main() -> Result<(), Box<dyn Error>> {
    run(&mut std::io::stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Result<(), Box<dyn Error>> {
    let directory = tempfile::tempdir()?;
    let token = generate_token();

    // Listening comes first: whatever is wrong with the directory or the port is known before the thread starts.
    let mut server = FileServer::new(&directory, &token)?.max_file_size(Some(1 << 30)).bind("127.0.0.1:0")?;
    let endpoint = server.local_endpoint().clone();
    let stop = server.stop_handle();
    let serving = thread::spawn(move || server.run());
    writeln!(out, "serving on {endpoint}")?;

    // Any client will do; this one happens to live here.
    let client = FileClient::new(&endpoint, &token)?;
    client.put(&"/greeting.txt".parse()?, b"hello".to_vec(), Precondition::Absent, None)?;
    client.bye();
    let greeting = std::fs::read_to_string(directory.path().join("greeting.txt"))?;
    writeln!(out, "a client left /greeting.txt: {greeting}")?;
    if greeting != "hello" {
        return Err("the file is not what was put".into());
    }

    stop.stop();
    serving.join().map_err(|_| "the server panicked")??;
    writeln!(out, "stopped")?;
    Ok(())
}
