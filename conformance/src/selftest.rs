//! How good the suite is: it is tried on servers with faults, on sound ones, and on itself.

mod bench;
mod classes;
mod equivalents;
mod findings;
mod harness;
mod headline;
mod html;
mod pool;
mod stand;
mod summing;
mod tables;
mod terminal;
mod tidy;
mod witnesses;

pub(crate) use findings::Findings;

use crate::{
    command::args::SelfTest,
    engine::{case::Case, verdict::Verdict},
    exit::{Exit, Failure},
    runner::{SANITY, plan::every_case, select::matches},
};
use bench::{Attempt, Bench, Tried};
use classes::{Cell, Class, Row, cell_of, cites, classify};
use remofile_zoo::Fault;
use stand::{Stand, Variant};
use std::{
    collections::BTreeSet,
    num::NonZeroUsize,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant, SystemTime},
};
use tables::Tables;
use witnesses::Kill;

/// The fault that nothing can miss: where it lives, the run is void.
const CONTROL: &str = "nothing-is-answered-right";

/// Seconds after which a sound server counts as silent, and one with a fault.
const SOUND_SILENT_AFTER: u64 = 5;
const FAULTY_SILENT_AFTER: u64 = 2;

/// One of so many faults is tried twice.
const REPEATED: usize = 10;

/// How many runs go on at once for each core: most of their time is spent waiting.
const RUNS_A_CORE: usize = 4;

/// What a self-test has seen so far.
struct Seen {
    sound: Vec<(Stand, Tried)>,
    /// The plain server once more, in another order.
    again: Option<Tried>,
    rows: Vec<Row>,
    /// Faults that were tried twice, and what became of them the second time.
    repeated: Vec<(&'static str, Class)>,
    errors: Vec<String>,
}

/// Tries the suite; `tell` hears of every server that is through, with how many are and how many there will be.
pub(crate) fn perform(
    arguments: &SelfTest,
    interrupted: &AtomicBool,
    tell: &mut dyn FnMut(usize, usize, &str),
) -> Result<Findings, Failure> {
    let (began, instant) = (SystemTime::now(), Instant::now());
    if arguments.harness && !harness::is_available() {
        return Err(Failure::usage(harness::NEEDS_FEATURE));
    }
    let tables = Tables::read(arguments.tables.as_deref())?;
    let every = every_case();
    let chosen = Chosen::new(arguments, &every, &tables)?;
    let bench = Bench::new(Duration::from_secs(arguments.limit), interrupted)?;
    let mut seen = Seen { sound: Vec::new(), again: None, rows: Vec::new(), repeated: Vec::new(), errors: Vec::new() };
    let mut void = control(&bench, arguments.seed);
    let mut spoilt = Vec::new();
    if void.is_none() {
        try_all(&bench, &chosen, &every, &mut seen, tell);
        if !interrupted.load(Ordering::Relaxed) {
            try_survivors(&bench, &chosen, &every, &mut seen);
            try_witnesses_again(&bench, &chosen, &tables, &mut seen);
        }
        if (chosen.whole || arguments.harness) && !harness::is_available() {
            seen.errors.push(harness::NEEDS_FEATURE.to_owned());
        } else if (chosen.whole || arguments.harness) && !interrupted.load(Ordering::Relaxed) {
            let errors;
            (spoilt, errors) = harness::spoil(&bench, chosen.workers, arguments.seed);
            seen.errors.extend(errors);
            let lives = spoilt.iter().any(|mutant| harness::is_control(&mutant.name) && !mutant.killed);
            void = lives.then(|| "a suite in which everything passes went unnoticed".to_owned());
        }
    }
    let mut findings = summing::sum_up(&chosen, &every, &tables, &seen, spoilt);
    findings.void = void;
    findings.began = jiff::Timestamp::try_from(began).unwrap_or_default().to_string();
    findings.took_ms = findings::milliseconds(instant.elapsed());
    findings.interrupted = interrupted.load(Ordering::Relaxed);
    findings.exit = findings.exit() as u8;
    let sane = matches!(findings.exit(), Exit::Conformant | Exit::NotConformant);
    if arguments.write && sane {
        tables.write(&findings, &seen.rows, &every, chosen.whole && chosen.full)?;
    }
    Ok(findings)
}

/// Findings for people.
pub(crate) fn terminal(findings: &Findings, colour: bool) -> String {
    terminal::render(findings, colour)
}

/// Findings as one page.
pub(crate) fn page(findings: &Findings) -> String {
    html::render(findings)
}

/// What a self-test is to try.
struct Chosen {
    faults: Vec<&'static Fault>,
    /// Sound servers.
    sound: Vec<Stand>,
    /// With `full`: the cases that each fault is tried with.
    cases: Vec<String>,
    full: bool,
    /// Whether it is everything.
    whole: bool,
    workers: usize,
    seed: u64,
    /// For each fault what is tried on it.
    plans: Vec<Vec<Attempt>>,
}

impl Chosen {
    fn new(arguments: &SelfTest, every: &[&Case], tables: &Tables) -> Result<Self, Failure> {
        let named = !arguments.fault.is_empty() || !arguments.odd.is_empty() || arguments.harness;
        let faults = fitting(remofile_zoo::faults().collect(), &arguments.fault, |fault| fault.name, "fault")?;
        let variants = Variant::all();
        let names: Vec<String> = variants.iter().map(ToString::to_string).collect();
        let sound = fitting(names, &arguments.odd, String::as_str, "sound server")?;
        let sound: Vec<Stand> = sound.iter().filter_map(|name| Variant::named(name)).map(Stand::sound).collect();
        let cases = fitting(every.to_vec(), &arguments.case, |case| &case.id, "case")?;
        let cases: Vec<String> = cases
            .iter()
            .filter(|case| !arguments.unwitnessed || tables.witnesses.entry(&case.id).is_none())
            .map(|case| case.id.clone())
            .collect();
        let cores = thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let mut chosen = Self {
            faults: if named && arguments.fault.is_empty() { Vec::new() } else { faults },
            sound: if named && arguments.odd.is_empty() { Vec::new() } else { sound },
            cases,
            full: arguments.full,
            whole: !named && arguments.case.is_empty() && !arguments.unwitnessed,
            workers: arguments.jobs.unwrap_or(cores * RUNS_A_CORE),
            seed: arguments.seed,
            plans: Vec::new(),
        };
        chosen.plans = chosen.faults.iter().map(|fault| chosen.plan(fault, every, tables)).collect();
        Ok(chosen)
    }

    /// What is tried on a fault: the cases that cite what it breaks and those whose witness it is, or all with `full`;
    /// for the plain server first, then for the variants at which witnesses are to be seen.
    fn plan(&self, fault: &'static Fault, every: &[&Case], tables: &Tables) -> Vec<Attempt> {
        let mut plans: Vec<(Variant, BTreeSet<String>)> = vec![(Variant::Plain, BTreeSet::new())];
        for (case, kill) in tables.witnesses.of_fault(fault.name) {
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
            plans[0].1.extend(every.iter().filter(|case| cites(case, fault)).map(|case| case.id.clone()));
        }
        let attempt = |(variant, cases): (Variant, BTreeSet<String>)| self.attempt(variant, fault, cases);
        plans.into_iter().map(attempt).collect()
    }

    fn attempt(&self, variant: Variant, fault: &'static Fault, mut cases: BTreeSet<String>) -> Attempt {
        // Without a case the run would be of all of them.
        cases.insert(SANITY.to_owned());
        Attempt {
            stand: Stand { variant, fault: Some(fault.name) },
            cases: cases.into_iter().collect(),
            seed: self.seed,
            silent_after: FAULTY_SILENT_AFTER,
            ..Attempt::default()
        }
    }

    /// The whole suite; of an oddity that was not asked for by its name a part of it, so that all of them together are
    /// tried with each case many times.
    fn sound_attempt(&self, stand: Stand, every: &[&Case]) -> Attempt {
        let one_of = if self.full || !self.whole { 1 } else { stand.variant.one_of() };
        let cases = if one_of > 1 { sample(every, stand, self.seed, one_of) } else { Vec::new() };
        Attempt { stand, cases, seed: self.seed, silent_after: SOUND_SILENT_AFTER, ..Attempt::default() }
    }

    /// The whole suite once more on the plain server, in another order.
    fn repetition(&self, every: &[&Case]) -> Attempt {
        let seed = self.seed.wrapping_add(1);
        Attempt { shuffle: true, seed, ..self.sound_attempt(Stand::default(), every) }
    }
}

/// One of so many cases, others for each server and each seed, and the one that is run first.
fn sample(every: &[&Case], stand: Stand, seed: u64, one_of: usize) -> Vec<String> {
    let is_drawn = |id: &str| {
        let [one, other, ..] = *blake3::hash(format!("{stand} {seed} {id}").as_bytes()).as_bytes();
        usize::from(u16::from_le_bytes([one, other])).is_multiple_of(one_of)
    };
    let shows = |case: &Case| case.checks.iter().any(|id| stand.variant.shown_by().contains(id));
    let is_tried = |case: &Case| case.id == SANITY || shows(case) || is_drawn(&case.id);
    every.iter().filter(|case| is_tried(case)).map(|case| case.id.clone()).collect()
}

/// The items that fit one of the patterns; all without a pattern.
fn fitting<T: Clone>(
    items: Vec<T>,
    patterns: &[String],
    name: impl Fn(&T) -> &str,
    what: &str,
) -> Result<Vec<T>, Failure> {
    for pattern in patterns {
        if !items.iter().any(|item| matches(pattern, name(item))) {
            return Err(Failure::new(Exit::Incomplete, format!("no {what} fits the pattern '{pattern}'"))
                .hint("see conformance zoo --list-faults and --list-oddities, and conformance list"));
        }
    }
    let fits = |item: &T| patterns.is_empty() || patterns.iter().any(|pattern| matches(pattern, name(item)));
    Ok(items.into_iter().filter(fits).collect())
}

/// Why nothing can be said: a server that answers nothing right has to be told from a sound one.
fn control(bench: &Bench<'_>, seed: u64) -> Option<String> {
    let attempt = |fault| Attempt {
        stand: Stand { variant: Variant::Plain, fault },
        cases: vec![SANITY.to_owned()],
        seed,
        silent_after: FAULTY_SILENT_AFTER,
        ..Attempt::default()
    };
    let passes = |tried: &Tried| match tried {
        Tried::Ran(ran) => Ok(ran.served && ran.cases.values().all(|came| came.verdict == Verdict::Pass)),
        Tried::Unserved(why) | Tried::Broken(why) => Err(why.clone()),
        Tried::Interrupted => Ok(true),
    };
    match (passes(&bench.attempt(&attempt(None))), passes(&bench.attempt(&attempt(Some(CONTROL))))) {
        (Ok(true), Ok(false)) => None,
        (Ok(false), _) => Some("a sound server fails at the first case".into()),
        (_, Ok(true)) => Some("a server that answers nothing right passes".into()),
        (Err(why), _) | (_, Err(why)) => Some(why),
    }
}

/// Tries the sound servers and the faults.
fn try_all(
    bench: &Bench<'_>,
    chosen: &Chosen,
    every: &[&Case],
    seen: &mut Seen,
    tell: &mut dyn FnMut(usize, usize, &str),
) {
    let mut attempts: Vec<Attempt> = chosen.sound.iter().map(|stand| chosen.sound_attempt(*stand, every)).collect();
    attempts.extend(chosen.whole.then(|| chosen.repetition(every)));
    let sound = attempts.len();
    attempts.extend(chosen.plans.iter().flatten().cloned());
    let planned = attempts.len();
    let again = chosen.plans.iter().enumerate().filter(|(at, _)| chosen.whole && at % REPEATED == 0);
    attempts.extend(again.flat_map(|(_, plan)| plan.iter().cloned()).map(|attempt| Attempt {
        seed: chosen.seed.wrapping_add(1),
        shuffle: true,
        ..attempt
    }));
    let (mut through, all) = (0, attempts.len());
    let mut told = |attempt: &Attempt, _: &Tried| {
        through += 1;
        tell(through, all, &attempt.stand.to_string());
    };
    // All cases or few first: they may take long, and the end is not to wait for one run alone.
    let mut order: Vec<usize> = (0..all).collect();
    order.sort_by_key(|at| (*at >= sound, attempts[*at].cases.len()));
    let mut tried = pool::attempt_all(bench, &attempts, &order, chosen.workers, &mut told);
    let repeated = tried.split_off(planned);
    let faulty = tried.split_off(sound);
    seen.again = if chosen.whole { tried.pop() } else { None };
    seen.sound = chosen.sound.iter().copied().zip(tried).collect();
    for broken in faulty.iter().chain(&repeated).chain(seen.sound.iter().map(|(_, tried)| tried)).chain(&seen.again) {
        if let Tried::Broken(what) = broken {
            seen.errors.push(what.clone());
        }
    }
    let mut faulty = faulty.iter();
    let mut repeated = repeated.iter();
    for (at, (fault, plan)) in chosen.faults.iter().zip(&chosen.plans).enumerate() {
        let judge = |tried: &mut dyn Iterator<Item = &Tried>| {
            let trials: Vec<(Variant, &Tried)> = plan.iter().map(|attempt| attempt.stand.variant).zip(tried).collect();
            classify(fault, every, &trials)
        };
        let row = judge(&mut faulty);
        if chosen.whole && at % REPEATED == 0 {
            seen.repeated.push((fault.name, judge(&mut repeated).class));
        }
        seen.rows.push(row);
    }
}

/// Tries the faults that live again, and where the server serves in another way: there cases apply that did not before.
fn try_survivors(bench: &Bench<'_>, chosen: &Chosen, every: &[&Case], seen: &mut Seen) {
    let alive: Vec<usize> =
        (0..seen.rows.len()).filter(|at| !matches!(seen.rows[*at].class, Class::Killed | Class::Equivalent)).collect();
    let try_one = |at: &usize| {
        let (row, fault) = (&seen.rows[*at], chosen.faults[*at]);
        let does_not_apply =
            |id: &str| row.cells.get(id).is_some_and(|cell| cell.came.verdict == Verdict::NotApplicable);
        let cases: BTreeSet<String> = every
            .iter()
            .filter(|case| cites(case, fault) && (!row.reached || does_not_apply(&case.id)))
            .map(|case| case.id.clone())
            .collect();
        let is_killed = |row: &Row| row.class == Class::Killed;
        kill_again(bench, chosen, every, *at).or_else(|| {
            let variants = Variant::all().into_iter().skip(1).filter(|_| !cases.is_empty());
            variants
                .map(|variant| (variant, bench.attempt(&chosen.attempt(variant, fault, cases.clone()))))
                .find_map(|(variant, tried)| Some(classify(fault, every, &[(variant, &tried)])).filter(is_killed))
        })
    };
    let found = pool::each(&alive, chosen.workers, try_one, &mut |_, _| ());
    for (at, row) in alive.into_iter().zip(found) {
        if let Some(mut killed) = row {
            let before = std::mem::take(&mut seen.rows[at].cells);
            for (id, cell) in before {
                killed.cells.entry(id).or_insert(cell);
            }
            seen.rows[at] = killed;
        }
    }
    let missed = |name: &str| seen.rows.iter().position(|row| row.fault.name == name && row.class == Class::Killed);
    let flipped: Vec<(usize, usize)> = (0..)
        .zip(&seen.repeated)
        .filter(|(_, (_, class))| *class != Class::Killed)
        .filter_map(|(turn, (name, _))| Some((turn, missed(name)?)))
        .collect();
    let found = pool::each(&flipped, chosen.workers, |(_, at)| kill_again(bench, chosen, every, *at), &mut |_, _| ());
    for ((turn, _), row) in flipped.into_iter().zip(found) {
        if row.is_some() {
            seen.repeated[turn].1 = Class::Killed;
        }
    }
}

/// Tries a fault that was to be killed once more.
fn kill_again(bench: &Bench<'_>, chosen: &Chosen, every: &[&Case], at: usize) -> Option<Row> {
    (1..=AGAIN).find_map(|turn| {
        let plan =
            chosen.plans[at].iter().map(|attempt| Attempt { seed: chosen.seed.wrapping_add(turn), ..attempt.clone() });
        let tried: Vec<(Variant, Tried)> =
            plan.map(|attempt| (attempt.stand.variant, bench.attempt(&attempt))).collect();
        let trials: Vec<(Variant, &Tried)> = tried.iter().map(|(variant, tried)| (*variant, tried)).collect();
        Some(classify(chosen.faults[at], every, &trials)).filter(|row| row.class == Class::Killed)
    })
}

/// How often what was to be killed and was not is tried again: some cases wait for a moment that a busy machine may not
/// give.
const AGAIN: u64 = 2;

/// Tries cases once more on the fault that they are said to kill, and did not.
fn try_witnesses_again(bench: &Bench<'_>, chosen: &Chosen, tables: &Tables, seen: &mut Seen) {
    let mut missed = Vec::new();
    for (at, row) in seen.rows.iter().enumerate() {
        for (case, kill) in tables.witnesses.of_fault(row.fault.name) {
            let is_killer = row.cells.get(case).is_some_and(|cell| cell.kills() && cell.variant == kill.variant);
            // Of a part nothing is known of those that were not run.
            if !is_killer && row.cells.contains_key(case) {
                missed.push((at, case.to_owned(), kill.clone()));
            }
        }
    }
    let try_one = |(at, case, kill): &(usize, String, Kill)| {
        (1..=AGAIN).find_map(|turn| {
            let cases = kill.through.iter().chain([case]).cloned().collect();
            let attempt = chosen.attempt(kill.variant, chosen.faults[*at], cases);
            match bench.attempt(&Attempt { seed: chosen.seed.wrapping_add(turn), ..attempt }) {
                Tried::Ran(ran) => cell_of(&ran, case, kill.variant).filter(Cell::kills),
                _ => None,
            }
        })
    };
    let found = pool::each(&missed, chosen.workers, try_one, &mut |_, _| ());
    for ((at, case, _), cell) in missed.into_iter().zip(found) {
        if let Some(cell) = cell {
            seen.rows[at].cells.insert(case, cell);
        }
    }
}
