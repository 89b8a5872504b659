//! How fast `std::io::copy` goes to and from a remote file, beside the transfers of whole files in the same run.
//!
//! ```console
//! $ cargo run --release --example remote_copy -- 512 5
//! ```
//!
//! The arguments are the size in MiB (64) and the number of pairs (3). The ratios are throughput of the copy by that of
//! the transfer, the median of all pairs; absolute times change with the machine and with the hour.

use remofile::{ClientOptions, FileClient, FileServer, Precondition, RemotePath, generate_token};
use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write as _};
use std::path::Path as LocalPath;
use std::time::Instant;

type Attempt<T> = Result<T, Box<dyn Error>>;

fn main() -> Attempt<()> {
    let mut args = std::env::args().skip(1);
    let mib: u64 = args.next().map_or(Ok(64), |text| text.parse())?;
    let pairs: usize = args.next().map_or(Ok(3), |text| text.parse())?;
    // In memory where there is such a place: disks are not what is compared.
    let memory = LocalPath::new("/dev/shm");
    let around = if memory.is_dir() { tempfile::tempdir_in(memory)? } else { tempfile::tempdir()? };
    fs::create_dir(around.path().join("served"))?;
    let source = around.path().join("source");
    let mut random = blake3::Hasher::new().finalize_xof();
    let mut file = File::create(&source)?;
    for _ in 0..mib {
        let mut block = vec![0; 1 << 20];
        random.fill(&mut block);
        file.write_all(&block)?;
    }
    let token = generate_token();
    let mut server = FileServer::new(around.path().join("served"), &token)?.bind("127.0.0.1:0")?;
    let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    std::thread::scope(|scope| {
        let serving = scope.spawn(|| server.run());
        let result = (|| {
            let client = ClientOptions::new().connect(&endpoint, &token)?;
            let (mut up, mut down) = (Vec::new(), Vec::new());
            for _ in 0..pairs {
                up.push(upload(&client, &source)? / copy_up(&client, &source)?);
                down.push(download(&client, around.path())? / copy_down(&client, around.path())?);
            }
            println!("{mib} MiB, {pairs} pairs: copy by transfer, up {:.2}, down {:.2}", median(up), median(down));
            client.bye();
            Ok(())
        })();
        stop.stop();
        serving.join().map_err(|_| "the server panicked")??;
        result
    })
}

fn upload(client: &FileClient, source: &LocalPath) -> Attempt<f64> {
    let target = RemotePath::parse("/uploaded")?;
    let started = Instant::now();
    client.upload_file(source, &target, Precondition::Any)?;
    let took = started.elapsed().as_secs_f64();
    client.remove(&target, None)?;
    Ok(took)
}

fn copy_up(client: &FileClient, source: &LocalPath) -> Attempt<f64> {
    let started = Instant::now();
    let mut file = client.create_file(&RemotePath::parse("/copied")?, Precondition::Any)?;
    std::io::copy(&mut File::open(source)?, &mut file)?;
    file.flush()?;
    file.close()?;
    Ok(started.elapsed().as_secs_f64())
}

fn download(client: &FileClient, around: &LocalPath) -> Attempt<f64> {
    let target = around.join("downloaded");
    let started = Instant::now();
    client.download_file(&RemotePath::parse("/copied")?, &target, true)?;
    let took = started.elapsed().as_secs_f64();
    fs::remove_file(target)?;
    Ok(took)
}

fn copy_down(client: &FileClient, around: &LocalPath) -> Attempt<f64> {
    let target = around.join("copied");
    let started = Instant::now();
    let mut file = client.open_file(&RemotePath::parse("/copied")?)?;
    // Large pieces both ways: `copy` uses the writer's buffer.
    let mut local = BufWriter::with_capacity(1 << 18, File::create(&target)?);
    std::io::copy(&mut file, &mut local)?;
    local.into_inner()?.sync_all()?;
    let took = started.elapsed().as_secs_f64();
    fs::remove_file(target)?;
    Ok(took)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all.get(all.len() / 2).copied().unwrap_or(f64::NAN)
}
