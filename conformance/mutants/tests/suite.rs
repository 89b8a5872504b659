//! Runs the suite against this server: `conformance/mutants.sh` runs this test on each source mutant.

use std::process::Command;

/// The variable that names the suite, which is built from the unchanged source.
const SUITE: &str = "REMOFILE_CONFORMANCE";

#[test]
fn the_suite_passes() {
    let suite = std::env::var_os(SUITE).unwrap_or_else(|| panic!("{SUITE} is not set: see conformance/mutants.sh"));
    // Options of the server, and the cases to run: where names are special, only the cases about names.
    let setups: [(&[&str], &[&str]); 5] = [
        (&[], &[]),
        (&["--variant", "folding-names"], &["*fold*", "*spelling*"]),
        (&["--variant", "windows-names"], &["windows-*"]),
        (&["--read-only"], &[]),
        (&["--rep"], &[]),
    ];
    for (options, patterns) in setups {
        let serve = format!(
            "exec '{}' {} {{root}} {{port}} {{token}}",
            env!("CARGO_BIN_EXE_mutation-server"),
            options.join(" ")
        );
        let run = Command::new(&suite)
            .args(["run", "--fail-fast", "--timeout", "2", "--seed", "1", "--no-color", "--spawn", &serve])
            .args(patterns)
            .env_remove("REMOFILE_SERVER")
            .output()
            .expect("the suite can be started");
        assert!(run.status.success(), "{options:?}: {}", String::from_utf8_lossy(&run.stdout));
    }
}
