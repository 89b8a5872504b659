//! `--help`, `--version`, `man`, and what clap itself refuses.

use remofile_testkit::place::{Place, lines};
use remofile_testkit::process::{Server, remofile, run};
use remofile_testkit::skip::skip;
use std::fs;
use std::process::{Command, Stdio};

/// The commands that `remofile --help` lists.
fn commands() -> Vec<String> {
    let help = run(remofile().arg("--help")).success().stdout;
    let (_, below) = help.split_once("Commands:\n").unwrap();
    let (list, _) = below.split_once("\n\n").unwrap();
    let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    names.map(|line| line.split_whitespace().next().unwrap().to_owned()).filter(|name| name != "help").collect()
}

#[test]
fn every_command_helps_with_examples() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for command in commands {
        let help = run(remofile().args([&command, "--help"])).success();
        assert_eq!(help.stderr, "");
        assert!(help.stdout.contains("Examples:"), "{command}: {}", help.stdout);
        assert!(help.stdout.contains(&format!("Usage: remofile {command}")), "{}", help.stdout);
    }
}

/// The commands that have no connection.
const LOCAL: [&str; 8] = ["run", "start", "stop", "demo", "generate-token", "generate-keys", "completion", "man"];

#[test]
fn only_commands_with_a_connection_take_its_options() {
    for command in commands() {
        let help = run(remofile().args([&command, "--help"])).success().stdout;
        let is_local = LOCAL.contains(&command.as_str());
        assert_eq!(help.contains("--server <ENDPOINT>"), !is_local, "{help}");
    }
    for command in LOCAL {
        let rejected = |args: &[&str]| run(remofile().args(args)).fails(2);
        rejected(&[command, "--server", "a:1"]).says("error: unexpected argument '--server' found");
        // Without its arguments, clap rejects the command first.
        let directory: &[&str] = if matches!(command, "run" | "start") { &["."] } else { &[] };
        let shell: &[&str] = if command == "completion" { &["bash"] } else { &[] };
        rejected(&[&["--server", "a:1", command], directory, shell].concat())
            .says(&format!("error: `remofile {command}` does not accept --server"))
            .says(&format!("hint: `remofile {command} --help` lists its options"));
    }
}

#[test]
fn options_before_the_command_reach_its_subcommands() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::create_dir(place.beside("here")).unwrap();
    let summary = server.run(&["--json", "sync", "status", &place.text("here"), "/"]).stdout;
    assert!(summary.contains("\"summary\":true"), "{summary}");
    assert_eq!(server.run(&["sync", "--json", "trash", "list"]).stdout, "");
    assert_eq!(server.run(&["partials", "--json", "list"]).stdout, "");
    run(remofile().args(["--progress", "bar", "list"])).fails(2).says("`remofile list` does not accept --progress");
    run(remofile().args(["--take", "info"])).fails(2).says("`remofile info` does not accept --take");
    run(remofile().args(["-q", "list", "-v"])).fails(2).says("--quiet cannot be used with --verbose");
}

#[test]
fn numbers_that_are_none_are_reported_in_plain_words() {
    for (args, text) in [
        (&["ping", "-c", "x"][..], "'x' for '--count <N>': not a number"),
        (&["ping", "-c", "0"], "not a number from 1 to 4294967295"),
        (&["list", "--timeout", "soon"], "not a number of seconds"),
        (&["list", "--timeout", "0"], "the timeout must be greater than 0"),
        (&["list", "--server-port", "65536"], "not a port number from 0 to 65535"),
        (&["cat", "--offset", "-x", "/a"], "unexpected argument"),
        (&["cat", "--offset", "x", "/a"], "not a size"),
        (&["upload", "--bwlimit", "0", "a"], "the rate must be at least 1 byte per second"),
        (&["run", "--lease", "0", "."], "not a number from 1 to 86400"),
        (&["run", ".", "http"], "not a port number"),
        (&["partials", "clean", "--older-than", "7w"], "not an age"),
    ] {
        run(remofile().args(args)).fails(2).says(text);
    }
}

#[test]
fn the_version_is_one_line() {
    let version = run(remofile().arg("--version")).success();
    assert_eq!(version.stdout, format!("remofile {}\n", env!("CARGO_PKG_VERSION")));
}

#[test]
fn a_mistyped_flag_is_an_error_like_others() {
    let failed = run(remofile().args(["list", "--lon"])).fails(2);
    let said: Vec<_> = failed.stderr.lines().collect();
    assert_eq!(said[0], "remofile: error: unexpected argument '--lon' found");
    assert_eq!(said[1], "hint: a similar argument exists: '--long'");
    run(remofile().arg("lst")).fails(2).says("remofile: error: unrecognized subcommand 'lst'").says("hint: ");
    run(remofile().args(["-q", "-v", "list"])).fails(2).says("cannot be used with");
    let harmless = run(remofile().args(["list", "--\u{1b}[2J"])).fails(2);
    assert!(!harmless.stderr.contains('\u{1b}'), "{:?}", harmless.stderr);
}

#[test]
fn a_manual_page_has_its_sections() {
    let page = run(remofile().args(["man", "ping"])).success().stdout;
    for heading in ["NAME", "SYNOPSIS", "DESCRIPTION", "OPTIONS", "EXAMPLES", "ENVIRONMENT", "FILES", "EXIT STATUS"] {
        assert!(page.contains(&format!(".SH {heading}")) || page.contains(&format!(".SH \"{heading}\"")), "{heading}");
    }
    assert!(page.contains("\n\\fB23\\fR\n"), "{page}");
    run(remofile().args(["man", "nothing"])).fails(2).says("no command 'nothing'").says("hint: `remofile --help`");
}

#[test]
fn all_manual_pages_are_written_and_are_roff() {
    let place = Place::new();
    let directory = place.beside("man1");
    run(remofile().arg("man").arg("--output").arg(&directory)).success().says("wrote ");
    let pages: Vec<_> =
        fs::read_dir(&directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let wanted = commands().into_iter().map(|name| format!("remofile-{name}.1")).chain(["remofile.1".to_owned()]);
    let missing: Vec<_> = wanted.filter(|page| !pages.contains(page)).collect();
    assert_eq!(missing, [""; 0], "{pages:?}");
    if Command::new("groff").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_err() {
        return skip("groff is missing");
    }
    for page in pages {
        let made = Command::new("groff")
            .args(["-k", "-man", "-Tutf8", "-P-cbou", "-ww"])
            .arg(directory.join(&page))
            .output()
            .unwrap();
        assert!(made.status.success() && made.stderr.is_empty(), "{page}: {}", String::from_utf8_lossy(&made.stderr));
        assert!(String::from_utf8_lossy(&made.stdout).contains("EXAMPLES"), "{page}");
    }
}

#[test]
fn a_page_is_refused_where_a_file_stands_in_the_way() {
    let place = Place::new();
    let file = place.file("file", 1);
    run(remofile().args(["man", "--output", &file])).fails(4).says(&format!("cannot write '{file}': "));
}

#[test]
fn a_script_is_printed_for_each_shell() {
    for (shell, marks) in [("bash", "complete -F"), ("zsh", "#compdef remofile"), ("fish", "complete -c remofile")] {
        let done = run(remofile().args(["completion", shell])).success();
        assert!(lines(&done).iter().any(|line| line.starts_with(marks)), "{}", done.stdout);
    }
    run(remofile().args(["completion", "csh"])).fails(2).says("possible values: bash, zsh, fish");
}
