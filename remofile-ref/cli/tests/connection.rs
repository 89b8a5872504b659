//! Where the server is and how one proves oneself: flags, environment, profiles, prompt; and who waits for whom.

use remofile::{ClientOptions, FileClient, FileServer};
use remofile_testkit::place::Place;
use remofile_testkit::process::{Done, Server, TOKEN, remofile, run};
use remofile_testkit::skip::skip;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File, Permissions};
use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener};
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::thread;

/// A configuration file that only its owner reads.
fn config(place: &Place, text: &str) -> PathBuf {
    let file = place.beside("config.toml");
    fs::write(&file, text).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    file
}

/// A command that has no way to a server, but those of its arguments.
fn with_config(place: &Place, text: &str, args: &[&str]) -> Command {
    let mut command = remofile();
    command.env("REMOFILE_CONFIG", config(place, text)).args(args);
    command
}

/// Fails because of the endpoint, and names it: nothing is connected to.
fn names_endpoint(command: &mut Command, endpoint: &str) {
    run(command).fails(2).says(&format!("invalid server '{endpoint}'"));
}

// Order.

#[test]
fn options_override_the_environment_which_overrides_profiles_and_common_settings() {
    let place = Place::new();
    let text = "server = 'common !'\ndefault_profile = 'p'\n[profiles.p]\nserver = 'profile !'\n[profiles.q]\n";
    names_endpoint(
        with_config(&place, text, &["list", "--server", "flag !"]).env("REMOFILE_SERVER", "environment !"),
        "flag !",
    );
    names_endpoint(with_config(&place, text, &["list"]).env("REMOFILE_SERVER", "environment !"), "environment !");
    names_endpoint(&mut with_config(&place, text, &["list"]), "profile !");
    names_endpoint(&mut with_config(&place, text, &["list", "--profile", "q"]), "common !");
}

#[test]
fn options_stand_before_and_after_the_command() {
    names_endpoint(remofile().args(["--server", "before !", "list"]), "before !");
    names_endpoint(remofile().args(["list", "/", "--server", "after !"]), "after !");
}

#[test]
fn an_option_overrides_a_variable_of_another_name() {
    let place = Place::new();
    let server = Server::start(&place.served());
    names_endpoint(remofile().args(["list", "--hostname", "flag !"]).env("REMOFILE_SERVER", "a:1"), "flag !:6768");
    let token = place.text("token");
    fs::write(&token, TOKEN).unwrap();
    let mut command = server.client(&["list", "--token-file", &token]);
    run(command.env("REMOFILE_TOKEN", "9mZ7sWq4HnXe6RbKcV3tYp")).success();
    let mut command = server.client(&["list", "--token-command", &format!("cat '{token}'")]);
    run(command.env("REMOFILE_TOKEN", "9mZ7sWq4HnXe6RbKcV3tYp")).success();
}

#[test]
fn an_empty_variable_counts_as_none() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let mut command = server.client(&["list"]);
    for name in ["REMOFILE_HOSTNAME", "REMOFILE_PORT", "REMOFILE_PUBLIC_KEY", "REMOFILE_TOKEN_FILE", "REMOFILE_TIMEOUT"]
    {
        command.env(name, "");
    }
    run(command.env("REMOFILE_PROFILE", "").env("REMOFILE_CONFIG", "")).success();
    run(server.client(&["list"]).env("REMOFILE_SERVER", "")).fails(2).says("no server specified");
    run(server.client(&["list"]).env("REMOFILE_TOKEN", "")).fails(2).says("no token specified");
}

#[test]
fn a_profile_that_the_environment_overrides_is_warned_of() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let text = "[profiles.work]\nserver = 'localhost:1'\ntoken_file = 'none'\n";
    let mut command = server.client(&["list", "--profile", "work"]);
    command.env("REMOFILE_CONFIG", config(&place, text));
    run(&mut command).success().says("of the environment (REMOFILE_…) override profile 'work'");
}

// Endpoints.

#[test]
fn a_host_without_a_port_takes_that_of_the_protocol() {
    let reaches = |command: &mut Command, endpoint: &str| {
        let done = run(command.env("REMOFILE_TOKEN", TOKEN).env("REMOFILE_TIMEOUT", "2"));
        done.says(&format!("'{endpoint}'"));
    };
    reaches(remofile().args(["list", "--server", "127.0.0.1"]), "tcp://127.0.0.1:6768");
    reaches(remofile().args(["list", "--server", "tcp://[::1]"]), "tcp://[::1]:6768");
    reaches(remofile().args(["list", "--hostname", "::1", "--server-port", "1"]), "tcp://[::1]:1");
}

#[test]
fn a_port_by_a_source_that_goes_first_replaces_that_of_the_name() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let port = server.address().port().to_string();
    run(server.client(&["list", "--server-port", &port]).env("REMOFILE_SERVER", "localhost:1")).success();
    let mut command = server.client(&["list"]);
    run(command.env("REMOFILE_SERVER", "localhost").env("REMOFILE_PORT", &port)).success();
    let mut command = server.client(&["list"]);
    run(command.env_remove("REMOFILE_SERVER").env("REMOFILE_HOSTNAME", "localhost").env("REMOFILE_PORT", &port))
        .success();
    // A name that has a port keeps it where both come from the same source.
    run(server.client(&["list"]).env("REMOFILE_PORT", "1")).success();
}

#[test]
fn every_form_of_an_endpoint_connects() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let port = server.address().port();
    for endpoint in [format!("127.0.0.1:{port}"), format!("tcp://localhost:{port}")] {
        run(server.client(&["list"]).env("REMOFILE_SERVER", endpoint)).success();
    }
    if TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_err() {
        return skip("there is no IPv6 here");
    }
    let other = Place::new();
    let server = Server::start_with(&other.served(), &["--bind", "::1"]);
    let port = server.address().port();
    run(server.client(&["list"]).env("REMOFILE_SERVER", format!("[::1]:{port}"))).success();
}

#[test]
fn a_unix_socket_connects() {
    let place = Place::new();
    let endpoint = format!("ipc://{}", place.text("socket"));
    let mut server = FileServer::new(place.served(), TOKEN).unwrap().bind(endpoint.as_str()).unwrap();
    let stop = server.stop_handle();
    thread::scope(|scope| {
        scope.spawn(|| server.run());
        let done = run(remofile().args(["list", "--server", &endpoint]).env("REMOFILE_TOKEN", TOKEN));
        stop.stop();
        done.success();
    });
}

#[test]
fn what_is_no_endpoint_is_reported_with_what_to_write() {
    for (endpoint, why) in [
        ("::1:6768", "write it in brackets"),
        ("localhost:http", "is not a port"),
        ("https://localhost", "is not spoken"),
        ("localhost:0", "a server can listen there"),
        ("*:6768", "a server can listen there"),
        ("inproc://a", "within one process"),
        ("a b", "is not a host name"),
    ] {
        let failed = run(remofile().args(["list", "--server", endpoint]).env("REMOFILE_TOKEN", TOKEN)).fails(2);
        failed.says(why).says("hint: use host, host:port, [::1]:port");
    }
    for (name, value) in [("REMOFILE_PORT", "65536"), ("REMOFILE_TIMEOUT", "soon")] {
        run(remofile().arg("list").env(name, value)).fails(2).says(&format!("{name} '{value}' is not a"));
    }
    run(remofile().args(["list", "--server", "a", "--hostname", "b"])).fails(2).says("cannot be used with");
}

// Secrets.

#[test]
fn a_token_on_the_command_line_works_and_is_warned_of() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let without = |args: &[&str]| run(server.client(args).env_remove("REMOFILE_TOKEN")).success();
    without(&["list", "--token", TOKEN]).says("warning: other users can see a token on the command line");
    assert_eq!(without(&["-q", "list", "--token", TOKEN]).stderr, "");
    assert_eq!(server.run(&["list"]).stderr, "");
}

#[test]
fn a_token_file_that_others_can_read_is_warned_of() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let file = place.beside("token");
    fs::write(&file, format!("{TOKEN}\r\n")).unwrap();
    let list =
        || run(server.client(&["list"]).env_remove("REMOFILE_TOKEN").env("REMOFILE_TOKEN_FILE", &file)).success();
    fs::set_permissions(&file, Permissions::from_mode(0o640)).unwrap();
    list().says("accessible to other users (mode 640)").says("chmod 600");
    fs::set_permissions(&file, Permissions::from_mode(0o600)).unwrap();
    assert_eq!(list().stderr, "");
}

#[test]
fn a_token_that_cannot_be_had_is_reported_by_its_source() {
    let place = Place::new();
    let list = |args: &[&str]| run(remofile().args(["list", "--server", "a:1"]).args(args)).fails(2);
    let missing = list(&["--token-file", &place.text("missing")]).says("token file '");
    missing.says("no such file or directory\nhint: the file must contain the token");
    list(&["--token-command", "exit 3"])
        .says("token command 'exit 3': failed with exit status: 3")
        .says("hint: the command must");
    list(&["--token-command", "echo no-token"]).says("invalid token").says("hint: `remofile generate-token`");
    list(&[]).says("no token specified").says("hint: set REMOFILE_TOKEN");
    run(remofile().arg("list")).fails(2).says("no server specified").says("hint: set REMOFILE_SERVER");
    let key = run(remofile().args(["list", "--server", "a:1", "--public-key", "short"]).env("REMOFILE_TOKEN", TOKEN));
    key.fails(2).says("invalid public key").says("hint: use the 40 characters");
}

#[test]
fn a_token_is_asked_for_on_a_terminal_and_not_shown() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let mut client = server.client(&["list"]);
    let (done, seen) =
        answering(client.env_remove("REMOFILE_TOKEN"), "Token for tcp://localhost:", &format!("{TOKEN}\n"));
    assert!(done, "{seen}");
    assert!(!seen.contains(TOKEN), "{seen}");
}

/// Runs a command on a terminal, and types the answer when the question stands there; gives whether it succeeded, and
/// all that stood there.
fn answering(command: &mut Command, question: &str, answer: &str) -> (bool, String) {
    let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
    let terminal = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
    let mut child = command.stdin(terminal()).stdout(terminal()).stderr(terminal()).spawn().unwrap();
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut master = File::from(master);
    let (mut seen, mut bytes, mut is_answered) = (String::new(), [0; 1024], false);
    // A terminal without open descriptors ends with EIO.
    while let Ok(count @ 1..) = master.read(&mut bytes) {
        seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
        if !is_answered && seen.contains(question) && echo_is_off(&name) {
            is_answered = true;
            master.write_all(answer.as_bytes()).unwrap();
        }
    }
    (child.wait().unwrap().success(), seen)
}

/// The question is there before the terminal is silent: waits for that.
fn echo_is_off(terminal: &str) -> bool {
    let terminal = File::open(terminal).unwrap();
    let deadline = std::time::Instant::now() + remofile_testkit::process::DEADLINE;
    while rustix::termios::tcgetattr(&terminal).unwrap().local_modes.contains(rustix::termios::LocalModes::ECHO) {
        assert!(std::time::Instant::now() < deadline, "the terminal shows what is typed");
        thread::park_timeout(std::time::Duration::from_millis(2));
    }
    true
}

// Profiles.

#[test]
fn a_profile_is_all_that_is_needed() {
    let place = Place::new();
    let server = Server::start(&place.served());
    fs::write(place.beside("token"), TOKEN).unwrap();
    fs::set_permissions(place.beside("token"), Permissions::from_mode(0o600)).unwrap();
    let text = format!(
        "timeout = 20\nwait = 0.5\n[profiles.file]\nserver = '{0}'\ntoken_file = 'token'\n\
         [profiles.command]\nserver = '{0}'\ntoken_command = 'echo {TOKEN}'\n\
         [profiles.text]\nhostname = 'localhost'\nport = {1}\ntoken = '{TOKEN}'\n",
        server.endpoint,
        server.address().port(),
    );
    for name in ["file", "command", "text"] {
        assert_eq!(run(&mut with_config(&place, &text, &["list", "--profile", name])).success().stderr, "", "{name}");
        run(with_config(&place, &text, &["list"]).env("REMOFILE_PROFILE", name)).success();
    }
}

#[test]
fn the_file_lies_where_the_user_keeps_such_files() {
    let place = Place::new();
    let server = Server::start(&place.served());
    for (variable, below) in [("XDG_CONFIG_HOME", "xdg"), ("HOME", "home/.config")] {
        let directory = place.beside(below).join("remofile");
        fs::create_dir_all(&directory).unwrap();
        let text = format!("default_profile = 'a'\n[profiles.a]\nserver = '{}'\ntoken_file = '~/t'\n", server.endpoint);
        fs::write(directory.join("config.toml"), text).unwrap();
        fs::create_dir_all(place.beside("home")).unwrap();
        fs::write(place.beside("home/t"), TOKEN).unwrap();
        let mut command = remofile();
        command.env_remove("XDG_CONFIG_HOME").env("HOME", place.beside("home"));
        if variable == "XDG_CONFIG_HOME" {
            command.env(variable, place.beside("xdg"));
        }
        run(command.arg("list")).success();
    }
}

#[test]
fn a_configuration_that_others_can_read_is_warned_of_where_it_holds_a_token() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let with_token = format!("server = '{}'\ntoken = '{TOKEN}'\n", server.endpoint);
    let mut command = with_config(&place, &with_token, &["list"]);
    fs::set_permissions(place.beside("config.toml"), Permissions::from_mode(0o644)).unwrap();
    run(&mut command).success().says("configuration file").says("accessible to other users (mode 644)");
    let mut command = with_config(&place, &format!("server = '{}'\n", server.endpoint), &["list"]);
    fs::set_permissions(place.beside("config.toml"), Permissions::from_mode(0o644)).unwrap();
    assert_eq!(run(command.env("REMOFILE_TOKEN", TOKEN)).success().stderr, "");
}

#[test]
fn a_mistake_in_the_configuration_is_reported_by_its_line_and_without_the_token() {
    let place = Place::new();
    let mistake = |text: &str, args: &[&str]| -> Done { run(with_config(&place, text, args).arg("list")).fails(2) };
    mistake("server = 'a'\nservr = 'b'\n", &[])
        .says("config.toml:2: unknown key 'servr'")
        .says("hint: known keys: server");
    mistake("[profiles.a]\n\nport = '1'\n", &[])
        .says("config.toml:3: 'port' must be a number from 0 to 65535")
        .says("string");
    mistake("[profiles.a]\ntimeout = 'x'\n", &[]).says("config.toml:2: 'timeout' must be a number of seconds");
    mistake("insecure = 1\n", &[]).says("config.toml:1: 'insecure' must be true or false");
    mistake("profiles = 1\n", &[]).says("config.toml:1: 'profiles' must be a table");
    mistake(&format!("\ntoken = {TOKEN}\n"), &[]).says("config.toml:2: ").says("hint: correct that line");
    mistake(&format!("token = ['{TOKEN}']\n"), &[]).says("'token' must be a string in quotes");
    mistake("[profiles.a]\n[profiles.b]\n", &["--profile", "c"]).says("no profile 'c' in").says("hint: profiles: a, b");
    mistake("", &["--profile", "c"]).says("hint: add one: [profiles.c]");
    let missing = run(remofile().args(["list", "--config", &place.text("missing")])).fails(2);
    missing.says("configuration file '").says("no such file or directory");
}

// Who holds the session.

#[test]
fn waiting_is_reported_and_ends_when_the_holder_leaves() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let options = ClientOptions::new().name("alice@desk");
    let holder = FileClient::connect(&server.endpoint.parse().unwrap(), &TOKEN.parse().unwrap(), options).unwrap();
    let mut child = server.client(&["list"]).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    let mut stderr = child.stderr.take().unwrap();
    let (mut said, mut byte) = (Vec::new(), [0]);
    while !said.ends_with(b"\n") && stderr.read(&mut byte).unwrap() == 1 {
        said.push(byte[0]);
    }
    let said = String::from_utf8(said).unwrap();
    assert!(said.starts_with("remofile: 'alice@desk' holds the session (last active "), "{said}");
    assert!(said.ends_with("waiting until its lease of 30 s expires (--take takes it over)\n"), "{said}");
    holder.bye();
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_wait_that_is_over_says_who_is_there() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let options = ClientOptions::new().name("alice\u{1b}[2J@desk");
    let _holder = FileClient::connect(&server.endpoint.parse().unwrap(), &TOKEN.parse().unwrap(), options).unwrap();
    let failed = run(&mut server.client(&["--wait", "0.2", "list"])).fails(7).says("waiting up to 200 ms");
    let failed = failed.says("error: cannot open a session: 'alice\\u{1b}[2J@desk' holds it (last active");
    failed.says("hint: wait for it with --wait");
}

#[test]
fn info_shows_who_holds_the_session_and_leaves_it_to_him() {
    let place = Place::new();
    let server = Server::start(&place.served());
    let options = ClientOptions::new().name("alice@desk");
    let holder = FileClient::connect(&server.endpoint.parse().unwrap(), &TOKEN.parse().unwrap(), options).unwrap();
    let shown = server.run(&["info"]).stdout;
    assert!(shown.contains("in use by 'alice@desk', last active "), "{shown}");
    let object: serde_json::Value = serde_json::from_str(&server.run(&["--json", "info"]).stdout).unwrap();
    assert_eq!((&object["session"]["state"], &object["session"]["client"]), (&"busy".into(), &"alice@desk".into()));
    holder.ping().unwrap();
}
