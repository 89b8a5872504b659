//! One ROUTER for a program's own messages and for Remofile, both at the same time.
//!
//! ```console
//! $ cargo run --example share_router
//! 100 questions answered while 40 files were put
//! ```
//!
//! The socket is the program's: it chooses the endpoint and the security. Here everything stays in the process.

use remofile::zmq::{Context, DEALER, Message, ROUTER, Socket};
use remofile::{ClientOptions, FileServer, Precondition, generate_token};
use std::error::Error;
use std::io::Write;
use std::thread;

type Attempt<T> = Result<T, Box<dyn Error + Send + Sync>>;

const ENDPOINT: &str = "inproc://everything";
const QUESTIONS: u32 = 100;
const FILES: u32 = 40;

fn main() -> Attempt<()> {
    run(&mut std::io::stdout())
}

pub(crate) fn run(out: &mut dyn Write) -> Attempt<()> {
    let directory = tempfile::tempdir()?;
    let token = generate_token();
    let context = Context::new();

    let router = context.socket(ROUTER)?;
    router.bind(ENDPOINT)?;
    let mut server = FileServer::new(&directory, &token)?.on_socket(router)?;
    let stop = server.stop_handle();
    let serving = thread::spawn(move || {
        // Remofile's messages are recognised by their first bytes; all others come here.
        server.run_with(|question, socket| answer(&question, socket))
    });

    let asking = thread::spawn({
        let context = context.clone();
        move || ask(&context)
    });
    let dealer = connected(&context)?;
    let client = ClientOptions::new().over_socket(dealer, &token)?;
    for number in 0..FILES {
        let content = vec![b'x'; 50_000];
        client.put(&format!("/file{number}").parse()?, content, Precondition::Absent, None)?;
    }
    client.bye();
    asking.join().map_err(|_| "asking panicked")??;

    stop.stop();
    serving.join().map_err(|_| "the server panicked")??;
    let files = std::fs::read_dir(directory.path())?.filter_map(Result::ok).filter(|entry| entry.path().is_file());
    if files.count() != FILES as usize {
        return Err("some files are missing".into());
    }
    writeln!(out, "{QUESTIONS} questions answered while {FILES} files were put")?;
    Ok(())
}

/// The program's own protocol: a routing frame and a number; the answer is its double.
fn answer(question: &[Message], socket: &Socket) {
    if let [peer, number] = question
        && let Some(number) = number.as_str().and_then(|number| number.parse::<u32>().ok())
    {
        // A ROUTER does not wait: an answer to a peer that is gone is dropped.
        let _ = socket.send_multipart([&peer[..], (2 * number).to_string().as_bytes()], 0);
    }
}

fn ask(context: &Context) -> Attempt<()> {
    let socket = connected(context)?;
    socket.set_rcvtimeo(10_000)?;
    for number in 0..QUESTIONS {
        socket.send(number.to_string().as_bytes(), 0)?;
        if socket.recv_bytes(0)? != (2 * number).to_string().as_bytes() {
            return Err(format!("{number} was answered wrongly").into());
        }
    }
    Ok(())
}

fn connected(context: &Context) -> Attempt<Socket> {
    let socket = context.socket(DEALER)?;
    socket.set_linger(0)?;
    socket.connect(ENDPOINT)?;
    Ok(socket)
}
