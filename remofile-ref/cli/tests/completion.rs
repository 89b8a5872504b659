//! Completion as the shells do it: the real scripts in the real shells, against a real server.

use remofile::{ClientOptions, FileClient};
use remofile_testkit::place::Place;
use remofile_testkit::process::{DEADLINE, Server, TOKEN, remofile, run};
use remofile_testkit::skip::skip;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time that completion may take according to the documentation; doubled, since tests share the machine.
const AT_ONCE: Duration = Duration::from_millis(600);

/// A served directory with names that need quotes.
fn furnished() -> (Place, Server) {
    let place = Place::new();
    fs::create_dir(place.served().join("my-os-isos")).unwrap();
    fs::create_dir(place.served().join("my photos")).unwrap();
    for file in ["my-os-isos/ubuntu.iso", "my-os-isos/debian.iso", "my photos/it's $1.jpg", "notes:old.txt", ".hidden"]
    {
        fs::write(place.served().join(file), "").unwrap();
    }
    let server = Server::start(&place.served());
    (place, server)
}

/// A shell in which `remofile` is the command under test, and leads to this server.
fn shell(program: &str, server: &Server) -> Option<Command> {
    if Command::new(program).arg("-c").arg("true").stdin(Stdio::null()).status().is_err() {
        skip(&format!("{program} is missing"));
        return None;
    }
    let mut command = server.client(&[]);
    let binary = Path::new(command.get_program()).parent().unwrap().to_owned();
    let path =
        std::env::join_paths([binary].into_iter().chain(std::env::split_paths(&std::env::var_os("PATH").unwrap())));
    let environment: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = Command::new(program);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command.env("PATH", path.unwrap()).current_dir("/");
    Some(command)
}

fn script(shell: &str) -> String {
    run(remofile().args(["completion", shell])).success().stdout
}

/// A shell at a terminal, to which lines are typed as people do it.
struct Typing {
    shell: std::process::Child,
    terminal: File,
    seen: String,
}

impl Typing {
    fn start(command: &mut Command) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let name = ptsname(&master, Vec::new()).unwrap().into_string().unwrap();
        let end = || Stdio::from(File::options().read(true).write(true).open(&name).unwrap());
        let shell = command.env("TERM", "dumb").stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { shell, terminal: File::from(master), seen: String::new() }
    }

    fn write(&mut self, text: &str) {
        self.terminal.write_all(text.as_bytes()).unwrap();
    }

    /// Reads until this text has been shown, and gives what stands behind it in its line.
    fn await_text(&mut self, text: &str) -> String {
        let deadline = Instant::now() + DEADLINE;
        loop {
            if let Some((_, rest)) = self.seen.split_once(text)
                && let Some((line, behind)) = rest.split_once('\n')
            {
                let line = line.trim_end_matches('\r').to_owned();
                self.seen = behind.to_owned();
                return line;
            }
            assert!(Instant::now() < deadline, "'{text}' is not in {:?}", self.seen);
            let mut fds = [PollFd::new(&self.terminal, PollFlags::IN)];
            let second = Timespec { tv_sec: 1, tv_nsec: 0 };
            if poll(&mut fds, Some(&second)).unwrap() > 0 {
                let mut bytes = [0; 4096];
                let count = self.terminal.read(&mut bytes).unwrap();
                self.seen.push_str(&String::from_utf8_lossy(&bytes[..count]));
            }
        }
    }

    /// Types a line and Tab, and gives the resulting line: ^O prints and clears it.
    fn completed(&mut self, line: &str) -> String {
        self.write(&format!("{line}\t\u{f}"));
        let shown = self.await_text("SEEN<");
        shown.strip_suffix('>').unwrap().to_owned()
    }
}

impl Drop for Typing {
    fn drop(&mut self) {
        let _ = self.shell.kill();
        let _ = self.shell.wait();
    }
}

/// An interactive bash with the script.
fn bash(place: &Place, server: &Server) -> Option<Typing> {
    fs::write(place.beside("script"), script("bash")).unwrap();
    let mut typing = Typing::start(shell("bash", server)?.args(["--norc", "--noprofile", "-i"]));
    typing.write(&format!(
        "PS1=; bind 'set enable-bracketed-paste off'; bind 'set bell-style none'; . '{}'; \
         bind -x '\"\\C-o\": echo \"SEEN<$READLINE_LINE>\"; READLINE_LINE= READLINE_POINT=0'; echo REA''DY\n",
        place.text("script")
    ));
    typing.await_text("READY");
    Some(typing)
}

#[test]
fn bash_completes_commands_flags_and_values() {
    let (place, server) = furnished();
    let Some(mut bash) = bash(&place, &server) else { return };
    assert_eq!(bash.completed("remofile downl"), "remofile download ");
    assert_eq!(bash.completed("remofile -q list --rec"), "remofile -q list --recursive ");
    assert_eq!(bash.completed("remofile list --color=al"), "remofile list --color=always ");
    assert_eq!(bash.completed("remofile list --color n"), "remofile list --color never ");
    assert_eq!(bash.completed("remofile nothing x"), "remofile nothing x");
}

#[test]
fn bash_completes_paths_of_the_server_and_quotes_them() {
    let (place, server) = furnished();
    let Some(mut bash) = bash(&place, &server) else { return };
    assert_eq!(bash.completed("remofile ls /my-"), "remofile ls /my-os-isos/");
    assert_eq!(bash.completed("remofile rm /my-os-isos/u"), "remofile rm /my-os-isos/ubuntu.iso ");
    assert_eq!(bash.completed("remofile get my-os-isos/d"), "remofile get my-os-isos/debian.iso ");
    assert_eq!(bash.completed("remofile ls /my\\ ph"), "remofile ls /my\\ photos/");
    assert_eq!(bash.completed("remofile ls /my\\ photos/i"), "remofile ls /my\\ photos/it\\'s\\ \\$1.jpg ");
    assert_eq!(bash.completed("remofile ls \"/my ph"), "remofile ls \"/my photos/\"");
    assert_eq!(bash.completed("remofile rm /notes:"), "remofile rm /notes:old.txt ");
    assert_eq!(bash.completed("remofile ls /n"), "remofile ls /notes:old.txt ");
    assert_eq!(bash.completed("remofile ls /.h"), "remofile ls /.hidden ");
}

#[test]
fn bash_completes_local_files_of_an_upload_and_a_destination_on_the_server() {
    let (place, server) = furnished();
    place.file("source.iso", 1);
    let Some(mut bash) = bash(&place, &server) else { return };
    let (begun, whole) = (place.text("sour"), place.text("source.iso"));
    assert_eq!(bash.completed(&format!("remofile upload {begun}")), format!("remofile upload {whole} "));
    assert_eq!(bash.completed("remofile upload a.iso /my-"), "remofile upload a.iso /my-os-isos/");
    assert_eq!(bash.completed(&format!("remofile put a {begun}")), format!("remofile put a {whole} "));
}

#[test]
fn zsh_completes_commands_and_paths_of_the_server() {
    let (place, server) = furnished();
    let Some(mut zsh) = shell("zsh", &server) else { return };
    let functions = place.beside("functions");
    fs::create_dir(&functions).unwrap();
    fs::write(functions.join("_remofile"), script("zsh")).unwrap();
    let mut zsh = Typing::start(zsh.args(["-f", "-i"]));
    zsh.write(&format!(
        "PROMPT= RPROMPT= PS2=; unsetopt beep prompt_sp prompt_cr zle_bracketed_paste; fpath=('{0}' $fpath); \
         autoload -U compinit; compinit -u -d '{0}/dump'; show() {{ local line=$BUFFER; BUFFER=; zle -I; print -r -- \"SEEN<$line>\" }}; \
         zle -N show; bindkey '^O' show; bindkey '^I' complete-word; print REA''DY\n",
        functions.display()
    ));
    zsh.await_text("READY");
    assert_eq!(zsh.completed("remofile downl"), "remofile download ");
    assert_eq!(zsh.completed("remofile list --recurs"), "remofile list --recursive ");
    assert_eq!(zsh.completed("remofile ls /my-"), "remofile ls /my-os-isos/");
    assert_eq!(zsh.completed("remofile ls /my\\ ph"), "remofile ls /my\\ photos/");
    assert_eq!(zsh.completed("remofile rm /my-os-isos/u"), "remofile rm /my-os-isos/ubuntu.iso ");
    assert_eq!(zsh.completed("remofile --color=nev"), "remofile --color=never ");
    assert_eq!(
        zsh.completed(&format!("remofile put {}", place.text("func"))),
        format!("remofile put {}/", place.text("functions"))
    );
}

#[test]
fn fish_completes_commands_and_paths_of_the_server() {
    let (place, server) = furnished();
    let Some(mut fish) = shell("fish", &server) else { return };
    fs::create_dir(place.beside("home")).unwrap();
    let asks = format!(
        "{}\nfor line in $argv; complete -C \"$line\" | string replace -r '\\t.*' ''; echo ==; end",
        script("fish")
    );
    let lines = [
        "remofile downl",
        "remofile ls /my",
        "remofile rm /my-os-isos/",
        "remofile ls --color ",
        "remofile ls --recur",
    ];
    fish.env("HOME", place.beside("home")).env("XDG_CONFIG_HOME", place.beside("home"));
    let done = run(fish.args(["--no-config", "-c", &asks, "--"]).args(lines)).success();
    let seen: Vec<_> = done.stdout.lines().collect();
    let blocks: Vec<&[&str]> = seen.split(|line| *line == "==").collect();
    assert_eq!(blocks[0], ["download"], "{}", done.stderr);
    assert_eq!(blocks[1], ["/my photos/", "/my-os-isos/"]);
    assert_eq!(blocks[2], ["/my-os-isos/debian.iso", "/my-os-isos/ubuntu.iso"]);
    assert_eq!(blocks[3], ["always", "auto", "never"]);
    assert_eq!(blocks[4], ["--recursive"]);
}

/// Asks as a script does, and gives what was answered and said in vain.
fn asked(server: &str, flags: &[&str]) -> (String, Duration) {
    let mut command = remofile();
    command.env("REMOFILE_SERVER", server).env("REMOFILE_TOKEN", TOKEN);
    let done = run(command.args(["__complete", "fish", "--"]).args(flags).args(["ls", "/"])).success();
    assert_eq!(done.stderr, "");
    (done.stdout, done.took)
}

#[test]
fn a_server_in_use_is_left_alone_and_nothing_is_said() {
    let (_place, server) = furnished();
    let options = ClientOptions::new().name("alice@desk");
    let holder = FileClient::connect(&server.endpoint.parse().unwrap(), &TOKEN.parse().unwrap(), options).unwrap();
    let (offered, took) = asked(&server.endpoint, &["--take"]);
    assert_eq!(offered, "words\n");
    assert!(took < AT_ONCE, "{took:?}");
    holder.ping().unwrap();
    holder.bye();
    assert!(asked(&server.endpoint, &[]).0.contains("/my-os-isos/\n"));
}

#[test]
fn a_server_that_does_not_answer_is_given_up_in_time() {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    for server in [silent.local_addr().unwrap().to_string(), "127.0.0.1:1".to_owned(), "192.0.2.1:1".to_owned()] {
        let (offered, took) = asked(&server, &[]);
        assert_eq!(offered, "words\n");
        assert!(took < AT_ONCE, "{server}: {took:?}");
    }
    let (offered, _) = asked("no endpoint !", &[]);
    assert_eq!(offered, "words\n");
}

#[test]
fn a_session_is_free_again_after_a_completion() {
    let (_place, server) = furnished();
    let started = Instant::now();
    for _ in 0..5 {
        assert!(asked(&server.endpoint, &[]).0.contains("/my-os-isos/\n"));
        run(&mut server.client(&["--wait", "0", "list"])).success();
    }
    assert!(started.elapsed() < DEADLINE);
}

#[test]
fn no_command_of_the_user_is_run_for_a_completion() {
    let (place, server) = furnished();
    let witness = place.text("witness");
    let flag = format!("--token-command=touch '{witness}'; echo {TOKEN}");
    let mut command = server.client(&["__complete", "fish", "--", &flag, "ls", "/"]);
    run(command.env_remove("REMOFILE_TOKEN")).success();
    assert!(!Path::new(&witness).exists());
}

#[test]
fn profiles_are_offered() {
    let place = Place::new();
    fs::write(place.beside("config.toml"), "[profiles.home]\n[profiles.work]\n").unwrap();
    let mut command = remofile();
    command.env("REMOFILE_CONFIG", place.beside("config.toml"));
    let done = run(command.args(["__complete", "zsh", "--", "list", "--profile", "w"])).success();
    assert_eq!(done.stdout, "words\nwork\n");
}
