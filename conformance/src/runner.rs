//! Runs cases one after the other, each in a session and a directory of its own.

pub(crate) mod baseline;
mod housekeeping;
mod ledger;
pub(crate) mod plan;
pub(crate) mod select;

use crate::{
    engine::{
        case::{Case, Level, Need},
        client::{Peer, Welcome},
        context::Trial,
        environment::Environment,
        error::{Checked, Stop},
        journal::{Exchange, Journal},
        lint::{self, Finding},
        verdict::{Outcome, Report, Verdict},
    },
    mutation::{self, Sabotage},
    report::redact::Redactor,
    wire::{
        link::{Patience, Pattern},
        request::{mkdir, ping},
    },
};
use ledger::Ledger;
use plan::Plan;
use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant, SystemTime},
};

/// The case that is run before and after all others.
pub(crate) const SANITY: &str = "the-server-serves";

/// A run in progress.
pub(crate) struct Runner<'a> {
    environment: Rc<Environment>,
    redactor: &'a Redactor,
    /// Told of what happens as it happens.
    progress: &'a mut dyn FnMut(Event<'_>),
    peer: Option<Peer>,
    welcome: Option<Welcome>,
    ledger: Ledger,
    /// By requirement: the first finding, where it was seen, and how many there are.
    findings: BTreeMap<&'static str, Found>,
    replies: u64,
    served: Option<bool>,
    suspect: Option<String>,
    cases_run: u64,
}

/// Something that a run tells whoever watches it.
pub(crate) enum Event<'a> {
    /// A case begins.
    Begins(&'a Case),
    /// A case came to something.
    Ended(&'a Outcome),
}

struct Found {
    first: Finding,
    case: String,
    exchanges: Vec<Exchange>,
    count: u64,
}

/// Opens a first session and measures the round trip: what a run needs before it starts.
pub(crate) fn acquaint(environment: &Rc<Environment>) -> Checked<(Peer, Welcome)> {
    let mut peer = Peer::new("A", environment, &Journal::shared(), Pattern::Dealer)?;
    let welcome = peer.open()?;
    let mut trips: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let sent = Instant::now();
        peer.call(ping())?;
        trips.push(sent.elapsed());
    }
    trips.sort();
    let answer = environment.patience.get().answer;
    environment.patience.set(Patience::new(trips[trips.len() / 2], answer));
    Ok((peer, welcome))
}

impl<'a> Runner<'a> {
    /// A runner that goes on with the session of [`acquaint`].
    pub(crate) fn new(
        environment: &Rc<Environment>,
        peer: Peer,
        welcome: Welcome,
        redactor: &'a Redactor,
        progress: &'a mut dyn FnMut(Event<'_>),
    ) -> Self {
        Self {
            environment: Rc::clone(environment),
            redactor,
            progress,
            peer: Some(peer),
            welcome: Some(welcome),
            ledger: Ledger::default(),
            findings: BTreeMap::new(),
            replies: 0,
            served: None,
            suspect: None,
            cases_run: 0,
        }
    }

    /// Runs a plan, then judges every reply, and cleans up.
    pub(crate) fn run(mut self, plan: &Plan<'_>, stop: &dyn Fn() -> bool) -> Report {
        let (began, instant) = (SystemTime::now(), Instant::now());
        let mut failed = false;
        for case in plan.order(self.environment.seed) {
            let ended = (plan.fail_fast && failed).then(|| (Verdict::Missed, "a failure ended the run".to_owned()));
            let outcome = match ended.or_else(|| self.obstacle(case, stop)) {
                Some((verdict, reason)) => outcome(case, verdict, reason),
                None => {
                    (self.progress)(Event::Begins(case));
                    self.run_case(case)
                }
            };
            failed |= outcome.verdict.is_failure();
            self.served.get_or_insert(outcome.verdict == Verdict::Pass);
            self.tell(outcome);
        }
        let leftovers = self.clean_up();
        for rule in self.judge_rules(plan) {
            self.tell(rule);
        }
        Report {
            server: String::new(),
            seed: self.environment.seed,
            began,
            round_trip: self.environment.patience.get().round_trip,
            took: instant.elapsed(),
            welcome: self.welcome,
            outcomes: self.ledger.into_outcomes(),
            rounds: plan.rounds,
            replies: self.replies,
            served: self.served == Some(true),
            suspect: self.suspect,
            leftovers: leftovers.iter().map(|left| self.redactor.text(left)).collect(),
            stale: Vec::new(),
            strict: false,
            interrupted: stop(),
            options: Vec::new(),
        }
    }

    /// The one way by which anything leaves a run: without secrets.
    fn tell(&mut self, outcome: Outcome) {
        let outcome = self.redactor.outcome(outcome);
        (self.progress)(Event::Ended(&outcome));
        if !(outcome.verdict.is_failure() && mutation::is(Sabotage::CaseDropped)) {
            self.ledger.enter(outcome);
        }
    }

    /// Why a case is not run.
    fn obstacle(&self, case: &Case, stop: &dyn Fn() -> bool) -> Option<(Verdict, String)> {
        if stop() {
            return Some((Verdict::Missed, "the run was interrupted".into()));
        }
        if let Some(suspect) = &self.suspect
            && !self.environment.server.borrow().can_restart()
        {
            return Some((Verdict::Missed, format!("the server was gone after {suspect}")));
        }
        case.needs.iter().find_map(|need| self.lacks(*need))
    }

    fn lacks(&self, need: Need) -> Option<(Verdict, String)> {
        let welcome = self.welcome.as_ref()?;
        let said = |what: String| Some((Verdict::NotApplicable, what));
        let needs = |option: &str| Some((Verdict::NotRun, format!("needs {option}")));
        let server = self.environment.server.borrow();
        let insecure = self.environment.target.borrow().credentials().is_none();
        match need {
            Need::Writing if welcome.ro => said("hello said ro: true".into()),
            Need::ReadOnly if !welcome.ro => said("hello said ro: false".into()),
            Need::Posix if welcome.names != "posix" => said(format!("hello said names: {:?}", welcome.names)),
            Need::Windows if welcome.names != "windows" => said(format!("hello said names: {:?}", welcome.names)),
            Need::Exact if welcome.folds => said("hello said folds: true".into()),
            Need::Folds if !welcome.folds => said("hello said folds: false".into()),
            Need::Window(least) if welcome.window < least => said(format!("hello said window: {}", welcome.window)),
            Need::Curve if insecure => said("the run was asked to do without CURVE by --insecure".into()),
            Need::Spawn if !server.can_kill() => needs("--spawn"),
            Need::Restart if !server.can_restart() => needs("--spawn or --restart-cmd"),
            Need::Root if self.environment.root.is_none() => needs("--root or --spawn"),
            _ => None,
        }
    }

    fn run_case(&mut self, case: &Case) -> Outcome {
        let began = Instant::now();
        let journal = Journal::shared();
        self.cases_run += 1;
        let directory = format!("{}/{}", self.environment.run_directory, self.cases_run);
        let seed = self.environment.seed ^ u64::from_le_bytes(blake3_prefix(&case.id));
        let result = self.prepared(&journal, case, &directory).map(|peer| {
            let mut trial = Trial::new(&self.environment, peer, &journal, directory, seed);
            let result = (case.run)(&mut trial);
            (trial.peer, result)
        });
        let stop = match result {
            // A session that a case left in a bad way is not worth keeping.
            Ok((peer, result)) => {
                let fine = result.is_ok() || matches!(result, Err(Stop::NotApplicable(_)));
                self.peer = fine.then_some(peer);
                result.err()
            }
            Err(stop) => Some(stop.into_prerequisite("opening a session for the case")),
        };
        let gone = matches!(stop, Some(Stop::Silent(_) | Stop::Untestable(_))) && !self.is_alive();
        if gone {
            self.bury(case);
        }
        let (exchanges, forgotten, findings, replies) = journal.borrow_mut().take();
        self.replies += replies;
        self.keep(findings, &case.id, &exchanges);
        // Whatever binds the case, a server that is gone after it has not answered [ENV-8].
        let (verdict, reason) = judge(if gone { Level::Must } else { case.level }, stop);
        let silent = matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
        Outcome {
            exchanges: if silent { Vec::new() } else { exchanges },
            forgotten: if silent { 0 } else { forgotten },
            took: began.elapsed(),
            ..outcome(case, verdict, reason)
        }
    }

    /// A client with a new session, and the case's directory.
    fn prepared(&mut self, journal: &crate::engine::journal::Shared, case: &Case, directory: &str) -> Checked<Peer> {
        let mut peer = match self.peer.take() {
            Some(mut peer) => {
                peer.rest(journal);
                peer.close()?;
                peer
            }
            None => Peer::new("A", &self.environment, journal, Pattern::Dealer)?,
        };
        let welcome = peer.open()?;
        if case.needs.contains(&Need::Writing) {
            if self.cases_run == 1 || !self.has_directory(&mut peer)? {
                peer.given(mkdir(&self.environment.run_directory))?;
            }
            peer.given(mkdir(directory))?;
        }
        self.welcome = Some(welcome);
        Ok(peer)
    }

    fn keep(&mut self, findings: Vec<Finding>, case: &str, exchanges: &[Exchange]) {
        for finding in findings {
            let found = self.findings.entry(finding.requirement).or_insert_with(|| Found {
                first: finding,
                case: case.to_owned(),
                exchanges: exchanges.to_vec(),
                count: 0,
            });
            found.count += 1;
        }
    }

    /// One outcome for every rule that was selected, and for every other that was broken.
    fn judge_rules(&mut self, plan: &Plan<'_>) -> Vec<Outcome> {
        let judged = lint::cases().iter().filter_map(|case| {
            let found = case.checks.first().and_then(|requirement| self.findings.get(requirement));
            let selected = plan.rules.iter().any(|rule| rule.id == case.id);
            match found {
                None if !selected => None,
                None if self.replies == 0 => Some(outcome(case, Verdict::Missed, "no reply was seen".into())),
                None => Some(outcome(case, Verdict::Pass, String::new())),
                Some(found) => {
                    let what = format!("{} (first seen in {}, {} in all)", found.first.what, found.case, found.count);
                    Some(Outcome {
                        exchanges: found.exchanges.clone(),
                        seen_in: Some(found.case.clone()),
                        ..outcome(case, Verdict::Fail, what)
                    })
                }
            }
        });
        judged.collect()
    }
}

fn judge(level: Level, stop: Option<Stop>) -> (Verdict, String) {
    let Some(stop) = stop.filter(|stop| !is_overlooked(stop)) else { return (Verdict::Pass, String::new()) };
    let reason = stop.text().to_owned();
    let verdict = match (stop, level) {
        (Stop::Failed(_), _) if mutation::is(Sabotage::FailureDoesNotApply) => Verdict::NotApplicable,
        (Stop::Failed(_) | Stop::Silent(_), Level::Must) => Verdict::Fail,
        (Stop::Failed(_) | Stop::Silent(_), Level::Should) => Verdict::Warn,
        (Stop::Failed(_) | Stop::Silent(_), Level::May) => Verdict::Info,
        (Stop::Untestable(_), _) => Verdict::Untestable,
        (Stop::NotApplicable(_), _) => Verdict::NotApplicable,
        (Stop::Harness(_), _) => Verdict::HarnessError,
    };
    (verdict, reason)
}

fn is_overlooked(stop: &Stop) -> bool {
    mutation::is(Sabotage::EverythingPasses)
        || matches!(stop, Stop::Silent(_)) && mutation::is(Sabotage::SilencePasses)
        || matches!(stop, Stop::Untestable(_)) && mutation::is(Sabotage::UntestablePasses)
}

pub(crate) fn outcome(case: &Case, verdict: Verdict, reason: String) -> Outcome {
    Outcome {
        id: case.id.clone(),
        section: case.section.to_owned(),
        level: case.level,
        checks: case.checks.iter().map(|id| (*id).to_owned()).collect(),
        verdict,
        reason,
        exchanges: Vec::new(),
        forgotten: 0,
        took: Duration::ZERO,
        seen_in: None,
        flips: Vec::new(),
        known: None,
    }
}

fn blake3_prefix(text: &str) -> [u8; 8] {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes")
}
