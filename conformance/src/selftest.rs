//! Measures the suite: against servers with one mutation each, sound servers, and mutations of the suite itself.

mod committed;
mod equivalents;
mod executor;
mod findings;
mod foreign_files;
mod harness;
mod html;
mod kill_status;
mod kill_table;
mod pool;
mod score;
mod server_config;
mod summary;
mod terminal;

pub(crate) use findings::SelfTestReport;

use crate::{
    command::args::SelfTest,
    engine::{case::Case, verdict::Verdict},
    exit::{Exit, Failure},
    runner::{SANITY, plan::every_case, select::matches},
};
use committed::CommittedFiles;
use executor::{Executor, RunOutcome, RunSpec};
use kill_status::{Cell, KillStatus, MutationResult, cell_of, cites, classify};
use kill_table::Kill;
use remofile_mutants::Mutation;
use server_config::{ServerConfig, Variant};
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};

/// The mutation that every suite detects: if it survives, the run is void.
const CONTROL: &str = "nothing-is-answered-right";

/// Seconds without a reply after which a sound server counts as silent, and one with a mutation.
const SOUND_SILENT_AFTER: u64 = 5;
const MUTATED_SILENT_AFTER: u64 = 2;

/// One of so many mutations runs twice.
const REPEATED: usize = 10;

/// Runs at the same time per core: they spend most of their time waiting.
const RUNS_A_CORE: usize = 4;

/// The results of a self-test so far.
struct Observations {
    sound: Vec<(ServerConfig, RunOutcome)>,
    /// The plain server again, with the cases in another order.
    again: Option<RunOutcome>,
    rows: Vec<MutationResult>,
    /// The mutations that ran twice, with the status of the second run.
    repeated: Vec<(&'static str, KillStatus)>,
    errors: Vec<String>,
}

/// Runs the self-test; `on_progress` gets the number of finished runs, of all runs, and the name of the server.
pub(crate) fn perform(
    arguments: &SelfTest,
    interrupted: &AtomicBool,
    on_progress: &mut dyn FnMut(usize, usize, &str),
) -> Result<SelfTestReport, Failure> {
    let (began, instant) = (SystemTime::now(), Instant::now());
    if arguments.harness && !harness::is_available() {
        return Err(Failure::usage(harness::NEEDS_FEATURE));
    }
    let committed = CommittedFiles::read(arguments.tables.as_deref())?;
    let every = every_case();
    let selection = Selection::new(arguments, &every, &committed)?;
    let executor = Executor::new(Duration::from_secs(arguments.limit), interrupted)?;
    let mut observed =
        Observations { sound: Vec::new(), again: None, rows: Vec::new(), repeated: Vec::new(), errors: Vec::new() };
    let mut void = control(&executor, arguments.seed);
    let mut harness = Vec::new();
    if void.is_none() {
        try_all(&executor, &selection, &every, &mut observed, on_progress);
        if !interrupted.load(Ordering::Relaxed) {
            try_survivors(&executor, &selection, &every, &mut observed);
            retry_kills(&executor, &selection, &committed, &mut observed);
        }
        if (selection.whole || arguments.harness) && !harness::is_available() {
            observed.errors.push(harness::NEEDS_FEATURE.to_owned());
        } else if (selection.whole || arguments.harness) && !interrupted.load(Ordering::Relaxed) {
            let errors;
            (harness, errors) = harness::run(&executor, selection.workers, arguments.seed);
            observed.errors.extend(errors);
            let lives = harness.iter().any(|mutant| harness::is_control(&mutant.name) && !mutant.killed);
            void = lives.then(|| "a suite in which everything passes was not detected".to_owned());
        }
    }
    let mut findings = summary::summarize(&selection, &every, &committed, &observed, harness);
    findings.void = void;
    findings.began = jiff::Timestamp::try_from(began).unwrap_or_default().to_string();
    findings.took_ms = findings::milliseconds(instant.elapsed());
    findings.interrupted = interrupted.load(Ordering::Relaxed);
    findings.exit = findings.exit() as u8;
    let sane = matches!(findings.exit(), Exit::Conformant | Exit::NotConformant);
    if arguments.write && sane {
        committed.write(&findings, &observed.rows, &every, selection.whole && selection.full)?;
    }
    Ok(findings)
}

/// Renders a report for a terminal.
pub(crate) fn terminal(findings: &SelfTestReport, colour: bool) -> String {
    terminal::render(findings, colour)
}

/// Renders a report as one page.
pub(crate) fn page(findings: &SelfTestReport) -> String {
    html::render(findings)
}

/// What a self-test runs.
struct Selection {
    mutations: Vec<&'static Mutation>,
    /// Sound servers.
    sound: Vec<ServerConfig>,
    /// With `full`: the cases to run against each mutation.
    cases: Vec<String>,
    full: bool,
    /// Whether everything is selected.
    whole: bool,
    workers: usize,
    seed: u64,
    /// The runs of each mutation.
    plans: Vec<Vec<RunSpec>>,
}

impl Selection {
    fn new(arguments: &SelfTest, every: &[&Case], committed: &CommittedFiles) -> Result<Self, Failure> {
        let named = !arguments.mutation.is_empty() || !arguments.variant.is_empty() || arguments.harness;
        let mutations = fitting(
            remofile_mutants::mutations().collect(),
            &arguments.mutation,
            |mutation| mutation.name,
            "mutation",
        )?;
        let variants = Variant::all();
        let names: Vec<String> = variants.iter().map(ToString::to_string).collect();
        let sound = fitting(names, &arguments.variant, String::as_str, "sound server")?;
        let sound: Vec<ServerConfig> =
            sound.iter().filter_map(|name| Variant::named(name)).map(ServerConfig::sound).collect();
        let cases = fitting(every.to_vec(), &arguments.case, |case| &case.id, "case")?;
        let cases: Vec<String> = cases
            .iter()
            .filter(|case| !arguments.without_kill || committed.kill_table.entry(&case.id).is_none())
            .map(|case| case.id.clone())
            .collect();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut selection = Self {
            mutations: if named && arguments.mutation.is_empty() { Vec::new() } else { mutations },
            sound: if named && arguments.variant.is_empty() { Vec::new() } else { sound },
            cases,
            full: arguments.full,
            whole: !named && arguments.case.is_empty() && !arguments.without_kill,
            workers: arguments.jobs.unwrap_or(cores * RUNS_A_CORE),
            seed: arguments.seed,
            plans: Vec::new(),
        };
        selection.plans =
            selection.mutations.iter().map(|mutation| selection.plan(mutation, every, committed)).collect();
        Ok(selection)
    }

    /// The runs of a mutation: the cases that cite what it breaks and those that the kill table names, or all with `full`;
    /// at the plain server first, then at the variants that the kill table names.
    fn plan(&self, mutation: &'static Mutation, every: &[&Case], committed: &CommittedFiles) -> Vec<RunSpec> {
        let mut plans: Vec<(Variant, BTreeSet<String>)> = vec![(Variant::Plain, BTreeSet::new())];
        for (case, kill) in committed.kill_table.of_mutation(mutation.name) {
            let at = plans.iter().position(|(variant, _)| *variant == kill.variant).unwrap_or_else(|| {
                plans.push((kill.variant, BTreeSet::new()));
                plans.len() - 1
            });
            plans[at].1.insert(case.to_owned());
            plans[at].1.extend(kill.through.clone());
        }
        if self.full {
            plans[0].1.extend(self.cases.iter().cloned());
        } else {
            plans[0].1.extend(every.iter().filter(|case| cites(case, mutation)).map(|case| case.id.clone()));
        }
        let spec = |(variant, cases): (Variant, BTreeSet<String>)| self.spec(variant, mutation, cases);
        plans.into_iter().map(spec).collect()
    }

    fn spec(&self, variant: Variant, mutation: &'static Mutation, mut cases: BTreeSet<String>) -> RunSpec {
        // Without a case the run would be of all of them.
        cases.insert(SANITY.to_owned());
        RunSpec {
            server: ServerConfig { variant, mutation: Some(mutation.name) },
            cases: cases.into_iter().collect(),
            seed: self.seed,
            silent_after: MUTATED_SILENT_AFTER,
            ..RunSpec::default()
        }
    }

    /// The whole suite, or a sample of it for a legal variant that was not named: together the variants run each case
    /// many times.
    fn sound_spec(&self, server: ServerConfig, every: &[&Case]) -> RunSpec {
        let one_of = if self.full || !self.whole { 1 } else { server.variant.one_of() };
        let cases = if one_of > 1 { sample(every, server, self.seed, one_of) } else { Vec::new() };
        RunSpec { server, cases, seed: self.seed, silent_after: SOUND_SILENT_AFTER, ..RunSpec::default() }
    }

    /// The whole suite again at the plain server, in another order.
    fn repetition(&self, every: &[&Case]) -> RunSpec {
        let seed = self.seed.wrapping_add(1);
        RunSpec { shuffle: true, seed, ..self.sound_spec(ServerConfig::default(), every) }
    }
}

/// A sample of one in so many cases, different for each server and seed, with the case that runs first.
fn sample(every: &[&Case], server: ServerConfig, seed: u64, one_of: usize) -> Vec<String> {
    let is_drawn = |id: &str| {
        let [one, other, ..] = *blake3::hash(format!("{server} {seed} {id}").as_bytes()).as_bytes();
        usize::from(u16::from_le_bytes([one, other])).is_multiple_of(one_of)
    };
    let shows = |case: &Case| case.checks.iter().any(|id| server.variant.shown_by().contains(id));
    let is_tried = |case: &Case| case.id == SANITY || shows(case) || is_drawn(&case.id);
    every.iter().filter(|case| is_tried(case)).map(|case| case.id.clone()).collect()
}

/// The items that match one of the patterns; all without a pattern.
fn fitting<T: Clone>(
    items: Vec<T>,
    patterns: &[String],
    name: impl Fn(&T) -> &str,
    what: &str,
) -> Result<Vec<T>, Failure> {
    for pattern in patterns {
        if !items.iter().any(|item| matches(pattern, name(item))) {
            return Err(Failure::new(Exit::Incomplete, format!("no {what} matches the pattern '{pattern}'"))
                .hint("see conformance mutation-server --list-mutations and --list-variants, and conformance list"));
        }
    }
    let fits = |item: &T| patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name(item)));
    Ok(items.into_iter().filter(fits).collect())
}

/// Why the run is void: the suite has to tell a server that answers nothing right from a sound one.
fn control(executor: &Executor<'_>, seed: u64) -> Option<String> {
    let spec = |mutation| RunSpec {
        server: ServerConfig { variant: Variant::Plain, mutation },
        cases: vec![SANITY.to_owned()],
        seed,
        silent_after: MUTATED_SILENT_AFTER,
        ..RunSpec::default()
    };
    let passes = |outcome: &RunOutcome| match outcome {
        RunOutcome::Reported(ran) => Ok(ran.served && ran.cases.values().all(|result| result.verdict == Verdict::Pass)),
        RunOutcome::Unreachable(why) | RunOutcome::Failed(why) => Err(why.clone()),
        RunOutcome::Interrupted => Ok(true),
    };
    match (passes(&executor.execute(&spec(None))), passes(&executor.execute(&spec(Some(CONTROL))))) {
        (Ok(true), Ok(false)) => None,
        (Ok(false), _) => Some("a sound server fails at the first case".into()),
        (_, Ok(true)) => Some("a server that answers nothing right passes".into()),
        (Err(why), _) | (_, Err(why)) => Some(why),
    }
}

/// Runs the sound servers and the mutations.
fn try_all(
    executor: &Executor<'_>,
    selection: &Selection,
    every: &[&Case],
    observed: &mut Observations,
    on_progress: &mut dyn FnMut(usize, usize, &str),
) {
    let mut specs: Vec<RunSpec> = selection.sound.iter().map(|server| selection.sound_spec(*server, every)).collect();
    specs.extend(selection.whole.then(|| selection.repetition(every)));
    let sound = specs.len();
    specs.extend(selection.plans.iter().flatten().cloned());
    let planned = specs.len();
    let again = selection.plans.iter().enumerate().filter(|(at, _)| selection.whole && at % REPEATED == 0);
    specs.extend(again.flat_map(|(_, plan)| plan.iter().cloned()).map(|spec| RunSpec {
        seed: selection.seed.wrapping_add(1),
        shuffle: true,
        ..spec
    }));
    let (mut through, all) = (0, specs.len());
    let mut told = |spec: &RunSpec, _: &RunOutcome| {
        through += 1;
        on_progress(through, all, &spec.server.to_string());
    };
    // All cases or few first: they may take long, and the end is not to wait for one run alone.
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|at| (*at >= sound, specs[*at].cases.len()));
    let mut outcome = pool::execute_all(executor, &specs, &order, selection.workers, &mut told);
    let repeated = outcome.split_off(planned);
    let mutated = outcome.split_off(sound);
    observed.again = if selection.whole { outcome.pop() } else { None };
    observed.sound = selection.sound.iter().copied().zip(outcome).collect();
    for broken in
        mutated.iter().chain(&repeated).chain(observed.sound.iter().map(|(_, outcome)| outcome)).chain(&observed.again)
    {
        if let RunOutcome::Failed(what) = broken {
            observed.errors.push(what.clone());
        }
    }
    let mut mutated = mutated.iter();
    let mut repeated = repeated.iter();
    for (at, (mutation, plan)) in selection.mutations.iter().zip(&selection.plans).enumerate() {
        let judge = |outcome: &mut dyn Iterator<Item = &RunOutcome>| {
            let trials: Vec<(Variant, &RunOutcome)> =
                plan.iter().map(|spec| spec.server.variant).zip(outcome).collect();
            classify(mutation, every, &trials)
        };
        let row = judge(&mut mutated);
        if selection.whole && at % REPEATED == 0 {
            observed.repeated.push((mutation.name, judge(&mut repeated).class));
        }
        observed.rows.push(row);
    }
}

/// Runs surviving mutations again, and at other variants, where other cases apply.
fn try_survivors(executor: &Executor<'_>, selection: &Selection, every: &[&Case], observed: &mut Observations) {
    let alive: Vec<usize> = (0..observed.rows.len())
        .filter(|at| !matches!(observed.rows[*at].class, KillStatus::Killed | KillStatus::Equivalent))
        .collect();
    let try_one = |at: &usize| {
        let (row, mutation) = (&observed.rows[*at], selection.mutations[*at]);
        let does_not_apply =
            |id: &str| row.cells.get(id).is_some_and(|cell| cell.result.verdict == Verdict::NotApplicable);
        let cases: BTreeSet<String> = every
            .iter()
            .filter(|case| cites(case, mutation) && (!row.reached || does_not_apply(&case.id)))
            .map(|case| case.id.clone())
            .collect();
        let is_killed = |row: &MutationResult| row.class == KillStatus::Killed;
        kill_again(executor, selection, every, *at).or_else(|| {
            let variants = Variant::all().into_iter().skip(1).filter(|_| !cases.is_empty());
            variants
                .map(|variant| (variant, executor.execute(&selection.spec(variant, mutation, cases.clone()))))
                .find_map(|(variant, outcome)| {
                    Some(classify(mutation, every, &[(variant, &outcome)])).filter(is_killed)
                })
        })
    };
    let found = pool::each(&alive, selection.workers, try_one, &mut |_, _| ());
    for (at, row) in alive.into_iter().zip(found) {
        if let Some(mut killed) = row {
            let before = std::mem::take(&mut observed.rows[at].cells);
            for (id, cell) in before {
                killed.cells.entry(id).or_insert(cell);
            }
            killed.killed_at.append(&mut observed.rows[at].killed_at);
            observed.rows[at] = killed;
        }
    }
    let missed =
        |name: &str| observed.rows.iter().position(|row| row.mutation.name == name && row.class == KillStatus::Killed);
    let flipped: Vec<(usize, usize)> = (0..)
        .zip(&observed.repeated)
        .filter(|(_, (_, class))| *class != KillStatus::Killed)
        .filter_map(|(turn, (name, _))| Some((turn, missed(name)?)))
        .collect();
    let found =
        pool::each(&flipped, selection.workers, |(_, at)| kill_again(executor, selection, every, *at), &mut |_, _| ());
    for ((turn, _), row) in flipped.into_iter().zip(found) {
        if row.is_some() {
            observed.repeated[turn].1 = KillStatus::Killed;
        }
    }
}

/// Runs a mutation again that should have been killed.
fn kill_again(executor: &Executor<'_>, selection: &Selection, every: &[&Case], at: usize) -> Option<MutationResult> {
    (1..=AGAIN).find_map(|turn| {
        let plan =
            selection.plans[at].iter().map(|spec| RunSpec { seed: selection.seed.wrapping_add(turn), ..spec.clone() });
        let outcome: Vec<(Variant, RunOutcome)> =
            plan.map(|spec| (spec.server.variant, executor.execute(&spec))).collect();
        let trials: Vec<(Variant, &RunOutcome)> =
            outcome.iter().map(|(variant, outcome)| (*variant, outcome)).collect();
        Some(classify(selection.mutations[at], every, &trials)).filter(|row| row.class == KillStatus::Killed)
    })
}

/// How often a mutation runs again that should have been killed: some cases need a moment that a busy machine may not
/// give.
const AGAIN: u64 = 2;

/// Runs the cases again that did not kill the mutation of their line in the kill table.
fn retry_kills(
    executor: &Executor<'_>,
    selection: &Selection,
    committed: &CommittedFiles,
    observed: &mut Observations,
) {
    let mut missed = Vec::new();
    for (at, row) in observed.rows.iter().enumerate() {
        for (case, kill) in committed.kill_table.of_mutation(row.mutation.name) {
            let is_killer = row.is_killed_by(case, kill.variant);
            // Of a part nothing is known of those that were not run.
            if !is_killer && row.cells.contains_key(case) {
                missed.push((at, case.to_owned(), kill.clone()));
            }
        }
    }
    let try_one = |(at, case, kill): &(usize, String, Kill)| {
        (1..=AGAIN).find_map(|turn| {
            let cases = kill.through.iter().chain([case]).cloned().collect();
            let spec = selection.spec(kill.variant, selection.mutations[*at], cases);
            match executor.execute(&RunSpec { seed: selection.seed.wrapping_add(turn), ..spec }) {
                RunOutcome::Reported(ran) => cell_of(&ran, case, kill.variant).filter(Cell::kills),
                _ => None,
            }
        })
    };
    let found = pool::each(&missed, selection.workers, try_one, &mut |_, _| ());
    for ((at, case, _), cell) in missed.into_iter().zip(found) {
        if let Some(cell) = cell {
            observed.rows[at].killed_at.insert((case.clone(), cell.variant));
            observed.rows[at].cells.insert(case, cell);
        }
    }
}
