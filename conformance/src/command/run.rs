//! `conformance run`

use super::{Colours, outputs::Destinations, print, replay, setup};
use crate::{
    command::args::{Access, Hooks, Run},
    doctor::{Diagnosis, diagnose},
    engine::{
        case::Case,
        client::{Client, HelloReply},
        environment::Environment,
        verdict::{Report, Verdict},
    },
    exit::{Exit, Failure},
    report::{Progress, redact::Redactor},
    runner::{
        self, Runner, SANITY,
        baseline::Baseline,
        outcome,
        plan::{Plan, every_case},
        select::select,
    },
};
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    flag,
};
use std::{
    fmt::Write as _,
    io::{self, IsTerminal},
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant, SystemTime},
};

/// The longest pause between two attempts at a busy server.
const PAUSE: Duration = Duration::from_millis(500);

/// Runs the selected cases and writes the report.
pub(super) fn run(arguments: &Run, colours: Colours) -> Result<Exit, Failure> {
    let (server, patterns) =
        setup::words(&arguments.words, arguments.hooks.spawn.is_some() || arguments.choice.dry_run);
    let every = every_case();
    let choice = &arguments.choice;
    let selected = select(&every, &patterns, &choice.skip, choice.level)?;
    if choice.dry_run {
        print(&dry(&selected))?;
        return Ok(Exit::Conformant);
    }
    run_cases(arguments, server.as_deref(), &selected, colours)
}

/// Runs selected cases and writes the report.
pub(super) fn run_cases(
    arguments: &Run,
    server: Option<&str>,
    selected: &[&Case],
    colours: Colours,
) -> Result<Exit, Failure> {
    let (every, choice) = (every_case(), &arguments.choice);
    let baseline = arguments.judging.baseline.as_deref().map(Baseline::load).transpose()?.unwrap_or_default();
    let established = setup::establish(&arguments.access, &arguments.hooks, server)?;
    let destinations = Destinations::open(&arguments.outputs)?;
    let environment =
        setup::environment(established, choice.seed.unwrap_or_else(setup::random_seed), &arguments.access);
    let redactor = Redactor::new(&environment.target.borrow());
    let interrupted = interruption()?;
    let plan = Plan { fail_fast: choice.fail_fast, ..Plan::new(selected, choice.repeat, choice.shuffle) };
    let mut report = execute(&environment, &plan, &redactor, &interrupted, arguments, colours)
        .map_err(|failure| redacted(&redactor, failure))?;
    report.server = redactor.text(server.unwrap_or_default());
    report.strict = arguments.judging.strict;
    report.options = options(&arguments.access, &arguments.hooks).iter().map(|word| redactor.text(word)).collect();
    report.stale = baseline.apply(&mut report.outcomes, |id| every.iter().any(|case| case.id == id));
    if let Some(directory) = &arguments.outputs.save_failures {
        replay::save(&report, &arguments.access, directory)?;
    }
    destinations.write(&report, &redactor, colours)?;
    Ok(report.exit())
}

fn execute(
    environment: &Rc<Environment>,
    plan: &Plan<'_>,
    redactor: &Redactor,
    interrupted: &AtomicBool,
    arguments: &Run,
    colours: Colours,
) -> Result<Report, Failure> {
    let (client, hello_reply) =
        match first_session(environment, Duration::from_secs(arguments.access.wait), interrupted)? {
            Ok(first_session) => first_session,
            Err(reason) => return Ok(report_without_session(environment, plan, &redactor.text(&reason))),
        };
    let stderr = io::stderr();
    let mut progress = Progress::new(stderr.is_terminal(), colours.on(&stderr), plan.steps());
    let mut show = |event: runner::Event<'_>| progress.show(&event);
    let runner = Runner::new(environment, client, hello_reply, redactor, &mut show);
    let report = runner.run(plan, &|| interrupted.load(Ordering::Relaxed));
    progress.end();
    Ok(report)
}

/// Opens the first session of a run. A reachable server that cannot open one is a finding, not an error.
fn first_session(
    environment: &Rc<Environment>,
    wait: Duration,
    interrupted: &AtomicBool,
) -> Result<Result<(Client, HelloReply), String>, Failure> {
    let deadline = Instant::now() + wait;
    loop {
        let diagnosis = diagnose(environment);
        match (diagnosis.failure(), diagnosis.busy) {
            (None, _) => return Ok(runner::connect_and_measure(environment).map_err(|error| error.text().to_owned())),
            (Some(failure), _) if failure.exit == Exit::NotConformant => return Ok(Err(failure.what.clone())),
            (_, Some(rest)) if Instant::now() < deadline && !interrupted.load(Ordering::Relaxed) => {
                // The protocol has no event for the end of a session, so the client asks again.
                let left = deadline.saturating_duration_since(Instant::now());
                thread::sleep(rest.clamp(Duration::from_millis(50), PAUSE).min(left));
            }
            (Some(failure), _) => return Err(summed_up(failure, &diagnosis)),
        }
    }
}

/// Adds to a failure the steps that succeeded.
fn summed_up(failure: &Failure, diagnosis: &Diagnosis) -> Failure {
    let reached = diagnosis.steps.iter().filter(|step| step.found.is_ok()).map(|step| step.name).collect::<Vec<_>>();
    let reached = if reached.is_empty() { String::new() } else { format!(" (what worked: {})", reached.join(", ")) };
    Failure { what: format!("{}{reached}", failure.what), ..failure.clone() }
}

/// The report of a run without a session, because the server fails the sanity case.
fn report_without_session(environment: &Environment, plan: &Plan<'_>, reason: &str) -> Report {
    let every = every_case();
    let sanity = every.iter().filter(|case| case.id == SANITY);
    let mut outcomes: Vec<_> = sanity.map(|case| outcome(case, Verdict::Fail, reason.to_owned())).collect();
    let rest = plan.cases.iter().chain(&plan.rules);
    outcomes.extend(rest.map(|case| outcome(case, Verdict::Missed, "no session could be opened".into())));
    Report {
        server: String::new(),
        seed: environment.seed,
        began: SystemTime::now(),
        round_trip: Duration::ZERO,
        took: Duration::ZERO,
        hello_reply: None,
        outcomes,
        rounds: plan.rounds,
        replies: 0,
        served: false,
        suspect: None,
        leftovers: Vec::new(),
        stale: Vec::new(),
        strict: false,
        interrupted: false,
        options: Vec::new(),
    }
}

/// Becomes true at the first SIGINT or SIGTERM; the second one ends the process.
pub(super) fn interruption() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        flag::register_conditional_default(signal, Arc::clone(&interrupted))
            .and_then(|_| flag::register(signal, Arc::clone(&interrupted)))
            .map_err(|error| Failure::new(Exit::OwnFault, format!("cannot handle signals: {error}")))?;
    }
    Ok(interrupted)
}

/// The options that change how a case runs, without credentials other than file names.
pub(super) fn options(access: &Access, hooks: &Hooks) -> Vec<String> {
    let mut words = Vec::new();
    let mut option = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            words.extend([name.to_owned(), value]);
        }
    };
    option("--timeout", (access.timeout != 5).then(|| access.timeout.to_string()));
    option("--token-file", access.token_file.as_ref().map(|path| path.display().to_string()));
    option("--server-key", access.server_key.clone().filter(|key| key.starts_with('@') && key.len() != 40));
    option("--spawn", hooks.spawn.clone());
    option("--restart-cmd", hooks.restart_cmd.clone());
    option("--root", hooks.root.as_ref().map(|path| path.display().to_string()));
    if access.insecure {
        words.push("--insecure".into());
    }
    words
}

fn dry(selected: &[&Case]) -> String {
    let mut text = String::new();
    for case in selected {
        let _ = writeln!(text, "{}", case.id);
    }
    text
}

fn redacted(redactor: &Redactor, failure: Failure) -> Failure {
    Failure { what: redactor.text(&failure.what), hint: redactor.text(&failure.hint), ..failure }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_options_of_a_repetition_hold_no_secret() {
        let access = Access { server_key: Some("k".repeat(40)), insecure: true, timeout: 9, ..Access::default() };
        let words = options(&access, &Hooks { spawn: Some("server {token}".into()), ..Hooks::default() });
        assert_eq!(words, ["--timeout", "9", "--spawn", "server {token}", "--insecure"]);
    }

    #[test]
    fn what_was_selected_is_one_id_a_line() {
        let every = every_case();
        assert_eq!(dry(&every).lines().count(), every.len());
    }
}
