//! The lines of `EMBEDDING.md` are all that another workspace needs: a crate of its own, with exactly these.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const PROGRAM: &str = r#"
use remofile::{FileClient, FileServer, generate_token, zmq};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    remofile::transport::require_curve()?;
    let directory = std::env::args().nth(1).ok_or("no directory")?;
    let token = generate_token();
    let mut server = FileServer::new(&directory, &token)?.bind("127.0.0.1:0")?;
    let (endpoint, stop) = (server.local_endpoint().clone(), server.stop_handle());
    let serving = std::thread::spawn(move || server.run());
    let mut client = FileClient::new(&endpoint, &token)?;
    client.mkdir(&"/made".parse()?)?;
    client.bye();
    stop.stop();
    serving.join().map_err(|_| "the server panicked")??;
    println!("curve: {:?}, libzmq: {:?}", zmq::has("curve"), zmq::version());
    Ok(())
}
"#;

#[test]
fn another_workspace_with_the_lines_of_the_page_has_curve() {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    if let Err(error) = Command::new(&cargo).arg("--version").output() {
        return remofile_testkit::skip::skip(&format!("cargo does not run: {error}"));
    }
    let served = tempfile::tempdir().unwrap();
    // Always at the same place, and beside what this workspace has built: only the first run compiles libzmq.
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let embedder = scratch.join("embedder");
    if let Err(error) = fs::create_dir_all(embedder.join("src")) {
        return remofile_testkit::skip::skip(&format!("the target directory is not writable: {error}"));
    }
    fs::write(embedder.join("Cargo.toml"), manifest()).unwrap();
    fs::write(embedder.join("src/main.rs"), PROGRAM).unwrap();
    // The versions that are here already: nothing is to be fetched.
    fs::copy(repository().join("Cargo.lock"), embedder.join("Cargo.lock")).unwrap();

    let run = Command::new(cargo)
        .args(["run", "--quiet", "--offline", "--"])
        .arg(served.path())
        .current_dir(&embedder)
        .env("CARGO_TARGET_DIR", scratch.parent().unwrap())
        .output()
        .unwrap();
    let (printed, said) = (String::from_utf8_lossy(&run.stdout), String::from_utf8_lossy(&run.stderr));
    if said.contains("--offline") || said.contains("no matching package") {
        return remofile_testkit::skip::skip(&format!("the registry's packages are not here: {said}"));
    }
    assert!(run.status.success(), "{said}");
    assert_eq!(printed, "curve: Some(true), libzmq: (4, 3, 5)\n");
    assert!(served.path().join("made").is_dir());
}

/// The page's lines, with this repository for its address, among what every manifest has and what keeps it apart.
fn manifest() -> String {
    let page = include_str!("../EMBEDDING.md");
    let lines = page.split("```toml\n").nth(1).unwrap().split("```").next().unwrap();
    let here = |package: &str| format!("path = {:?}", repository().join(package));
    let mut sections = lines.split("[patch.crates-io]").map(str::to_owned);
    let (dependencies, patch) = (sections.next().unwrap(), sections.next().unwrap());
    assert!(dependencies.contains("git = \"…\"") && patch.contains("git = \"…\""), "{lines}");
    let dependencies = dependencies.replace("git = \"…\"", &here("remofile-ref"));
    let patch = patch.replace("git = \"…\"", &here("zeromq-src"));
    format!(
        "[package]\nname = \"embedder\"\nedition = \"2024\"\n\n{dependencies}\n[patch.crates-io]{patch}\n\
         [workspace]\n\n{}",
        dev_profile()
    )
}

/// The profile of this workspace, so that what it has built of the same crates is used again.
fn dev_profile() -> String {
    let workspace = fs::read_to_string(repository().join("Cargo.toml")).unwrap();
    let profile = workspace.split_once("[profile.dev]").unwrap().1.split("[profile.release]").next().unwrap();
    format!("[profile.dev]{profile}")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}
