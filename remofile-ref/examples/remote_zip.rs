//! One member out of the middle of a large archive on a server, without fetching the archive.
//!
//! ```console
//! $ cargo run --example remote_zip
//! member 20 of 40: 262144 bytes, as they were
//! 330916 of 10492808 bytes of the archive were transferred
//! ```

use remofile::{ClientOptions, FileServer, RemotePath, generate_token};
use std::error::Error;
use std::fs::File;
use std::io::{Read, Write};
use zip::{CompressionMethod, ZipArchive, ZipWriter, write::SimpleFileOptions};

type Attempt<T> = Result<T, Box<dyn Error>>;

const MEMBERS: u8 = 40;

fn main() -> Attempt<()> {
    run(&mut std::io::stdout()).map(drop)
}

/// Serves an archive, reads one member of it through a client, and prints how many of its bytes were transferred.
pub(crate) fn run(out: &mut dyn Write) -> Attempt<(u64, u64)> {
    let directory = tempfile::tempdir()?;
    write_archive(File::create(directory.path().join("archive.zip"))?)?;
    let token = generate_token();
    let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
    let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.run());
        let result = (|| {
            let client = ClientOptions::new().connect(&endpoint, &token)?;
            let mut file = client.open_file(&RemotePath::parse("/archive.zip")?)?;
            let size = file.size();

            // The directory stands at the end of an archive, and says where its members are.
            let mut archive = ZipArchive::new(&mut file)?;
            let index = usize::from(MEMBERS / 2);
            let mut bytes = Vec::new();
            archive.by_index(index)?.read_to_end(&mut bytes)?;
            if bytes != content(MEMBERS / 2) {
                return Err("the member is not what was packed".into());
            }
            writeln!(out, "member {index} of {}: {} bytes, as they were", archive.len(), bytes.len())?;

            let transferred = file.transferred();
            writeln!(out, "{transferred} of {size} bytes of the archive were transferred")?;
            file.close()?;
            client.bye();
            Ok((transferred, size))
        })();
        stop.stop();
        serving.join().map_err(|_| "the server panicked")??;
        result
    })
}

fn write_archive(file: File) -> Attempt<()> {
    let mut archive = ZipWriter::new(file);
    let options = SimpleFileOptions::default().compression_method(CompressionMethod::Deflated);
    for member in 0..MEMBERS {
        archive.start_file(format!("member {member}"), options)?;
        archive.write_all(&content(member))?;
    }
    archive.finish()?;
    Ok(())
}

/// Bytes that cannot be compressed, others for each member.
fn content(member: u8) -> Vec<u8> {
    let mut bytes = vec![0; 1 << 18];
    blake3::Hasher::new().update(&[member]).finalize_xof().fill(&mut bytes);
    bytes
}
