//! Serves files in memory, which are gone when it ends: `memory_server ENDPOINT TOKEN`.
//!
//! The conformance suite runs against it: see `conformance/memory.sh`.

use remofile::{FileServer, storage::Memory};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let (Some(endpoint), Some(token)) = (arguments.next(), arguments.next()) else {
        return Err("usage: memory_server ENDPOINT TOKEN".into());
    };
    FileServer::with_backend(Memory::new(), &*token)?.run(&*endpoint)?;
    Ok(())
}
