//! The suite as the judge of this server, whatever was done to it: for mutants of its source.

use std::process::Command;

/// Names the suite, which is built from the source as it was.
const SUITE: &str = "REMOFILE_CONFORMANCE";

#[test]
fn the_suite_passes() {
    let suite = std::env::var_os(SUITE).unwrap_or_else(|| panic!("{SUITE} is not set: see conformance/mutants.sh"));
    // What servers are like, and what is asked of them: where names are special, only what is about names.
    let ways: [(&[&str], &[&str]); 5] = [
        (&[], &[]),
        (&["--odd", "folding-names"], &["*fold*", "*spelling*"]),
        (&["--odd", "windows-names"], &["windows-*"]),
        (&["--read-only"], &[]),
        (&["--rep"], &[]),
    ];
    for (way, patterns) in ways {
        let serve =
            format!("exec '{}' {} {{root}} {{port}} {{token}}", env!("CARGO_BIN_EXE_zoo-server"), way.join(" "));
        let run = Command::new(&suite)
            .args(["run", "--fail-fast", "--timeout", "2", "--seed", "1", "--no-color", "--spawn", &serve])
            .args(patterns)
            .env_remove("REMOFILE_SERVER")
            .output()
            .expect("the suite can be started");
        assert!(run.status.success(), "{way:?}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
