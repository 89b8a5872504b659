//! The work of a transfer without the protocol: read, BLAKE3, CURVE, BLAKE3, write. What transfers are measured against.
//!
//!     cargo run --release --example bare -- serve DIR
//!     cargo run --release --example bare -- upload ENDPOINT BYTES_IN_FLIGHT LOCAL NAME
//!     cargo run --release --example bare -- download ENDPOINT BYTES_IN_FLIGHT NAME LOCAL
//!     cargo run --release --example bare -- put ENDPOINT BYTES_IN_FLIGHT LOCAL_TREE NAME
//!     cargo run --release --example bare -- get ENDPOINT BYTES_IN_FLIGHT NAME LOCAL_TREE
//!     cargo run --release --example bare -- hello ENDPOINT
//!
//! Files go in chunks of 256 KiB, those of a tree in one message each, of which 64 are under way at most. Nothing is
//! checked but the digests, nothing is resumed, nothing survives a lost message, and every client may name any path:
//! a measure, and nothing to use.

mod client;
mod serve;
mod wire;

use std::{env, error::Error, path::Path};

type Outcome<T> = Result<T, Box<dyn Error>>;

const USAGE: &str = "say serve DIR, hello ENDPOINT, or upload|download|put|get ENDPOINT BYTES_IN_FLIGHT FROM TO";

fn main() -> Outcome<()> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", directory] => serve::serve(Path::new(directory)),
        ["hello", endpoint] => client::Client::connect(endpoint, 1)?.hello(),
        ["upload", endpoint, bytes, from, to] => {
            client::Client::connect(endpoint, bytes.parse()?)?.upload(Path::new(from), to)
        }
        ["download", endpoint, bytes, from, to] => {
            client::Client::connect(endpoint, bytes.parse()?)?.download(from, Path::new(to))
        }
        ["put", endpoint, bytes, from, to] => {
            client::Client::connect(endpoint, bytes.parse()?)?.put_tree(Path::new(from), to)
        }
        ["get", endpoint, bytes, from, to] => {
            client::Client::connect(endpoint, bytes.parse()?)?.get_tree(from, Path::new(to))
        }
        _ => Err(USAGE.into()),
    }
}
