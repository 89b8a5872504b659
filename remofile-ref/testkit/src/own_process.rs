//! A test in a process of its own: for what changes or measures the whole process, while other tests run beside it.

use rustix::process::{Signal, set_parent_process_death_signal};
use std::env;
use std::process::{Child, ChildStdout, Command, Stdio};

/// The role of this process, and what it is asked for.
const ROLE: &str = "REMOFILE_TEST_ROLE";

/// A process that runs the current test again in another role; killed when dropped.
pub struct OwnProcess(Child);

impl OwnProcess {
    pub fn stdout(&mut self) -> ChildStdout {
        self.0.stdout.take().unwrap()
    }
}

impl Drop for OwnProcess {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The name of the test function that this stands in, as its binary lists it.
///
/// The name of the thread is that of the test only where the machine runs several tests at once.
#[macro_export]
macro_rules! this_test {
    () => {{
        fn here() {}
        $crate::own_process::test_around(std::any::type_name_of_val(&here))
    }};
}

/// The test around a function of this full name, without the name of the crate.
pub fn test_around(function: &str) -> String {
    let names: Vec<&str> = function.split("::").filter(|name| *name != "{{closure}}").collect();
    names[1..names.len() - 1].join("::")
}

/// Runs `body` in a process where no other test runs, and fails if it fails there.
pub fn alone(test: &str, body: impl FnOnce()) {
    if asked("alone").is_some() {
        return body();
    }
    let output = again(test, "alone", "").output().unwrap();
    let printed = [output.stdout, output.stderr].concat();
    let printed = String::from_utf8_lossy(&printed);
    assert!(output.status.success() && printed.contains("1 passed"), "{}: {printed}", output.status);
}

/// Starts a test in a process of its own, where [`asked`] gives `what` for this role.
pub fn start(test: &str, role: &str, what: &str) -> OwnProcess {
    OwnProcess(again(test, role, what).stdout(Stdio::piped()).spawn().unwrap())
}

/// What this process is asked for in this role; `None` in a process that has another role, or none.
pub fn asked(role: &str) -> Option<String> {
    let (own, what) = env::var(ROLE).ok()?.split_once(':').map(|(own, what)| (own.to_owned(), what.to_owned()))?;
    if own != role {
        return None;
    }
    // The parent dies with all its tests where a test takes too long.
    set_parent_process_death_signal(Some(Signal::KILL)).unwrap();
    Some(what)
}

fn again(test: &str, role: &str, what: &str) -> Command {
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(ROLE, format!("{role}:{what}")).stdin(Stdio::null());
    command
}
