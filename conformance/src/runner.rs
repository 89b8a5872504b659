//! Runs cases one after another, each in its own session and directory.

pub(crate) mod baseline;
mod housekeeping;
mod ledger;
pub(crate) mod plan;
pub(crate) mod select;

use crate::{
    engine::{
        case::{Case, Level, Need},
        client::{Client, HelloReply},
        context::CaseContext,
        environment::Environment,
        error::{CaseError, CaseResult},
        journal::{Exchange, Journal},
        lint::{self, Finding},
        verdict::{Outcome, Report, Verdict},
    },
    mutation,
    report::redact::Redactor,
    wire::{
        connection::{SocketKind, Timeouts},
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

/// The case that runs before and after all others.
pub(crate) const SANITY: &str = "the-server-serves";

/// A run in progress.
pub(crate) struct Runner<'a> {
    environment: Rc<Environment>,
    redactor: &'a Redactor,
    /// Receives events while the run continues.
    progress: &'a mut dyn FnMut(Event<'_>),
    client: Option<Client>,
    hello_reply: Option<HelloReply>,
    ledger: Ledger,
    /// By requirement: the first finding, its case, and the number of findings.
    findings: BTreeMap<&'static str, Found>,
    replies: u64,
    served: Option<bool>,
    suspect: Option<String>,
    cases_run: u64,
}

/// An event of a run.
pub(crate) enum Event<'a> {
    /// A case begins.
    Begins(&'a Case),
    /// A case ended with this outcome.
    Ended(&'a Outcome),
}

struct Found {
    first: Finding,
    case: String,
    exchanges: Vec<Exchange>,
    count: u64,
}

/// Opens the first session of a run and measures the round trip.
pub(crate) fn connect_and_measure(environment: &Rc<Environment>) -> CaseResult<(Client, HelloReply)> {
    let mut client = Client::new("A", environment, &Journal::shared(), SocketKind::Dealer)?;
    let hello_reply = client.open()?;
    let mut trips: Vec<Duration> = Vec::new();
    for _ in 0..5 {
        let sent = Instant::now();
        client.call(ping())?;
        trips.push(sent.elapsed());
    }
    trips.sort();
    let answer = environment.timeouts.get().reply;
    environment.timeouts.set(Timeouts::new(trips[trips.len() / 2], answer));
    Ok((client, hello_reply))
}

impl<'a> Runner<'a> {
    /// A runner that uses the session of [`connect_and_measure`].
    pub(crate) fn new(
        environment: &Rc<Environment>,
        client: Client,
        hello_reply: HelloReply,
        redactor: &'a Redactor,
        progress: &'a mut dyn FnMut(Event<'_>),
    ) -> Self {
        Self {
            environment: Rc::clone(environment),
            redactor,
            progress,
            client: Some(client),
            hello_reply: Some(hello_reply),
            ledger: Ledger::default(),
            findings: BTreeMap::new(),
            replies: 0,
            served: None,
            suspect: None,
            cases_run: 0,
        }
    }

    /// Runs a plan, cleans up, and judges the checks of every reply.
    pub(crate) fn run(mut self, plan: &Plan<'_>, stop: &dyn Fn() -> bool) -> Report {
        let (began, instant) = (SystemTime::now(), Instant::now());
        let mut failed = false;
        for case in plan.order(self.environment.seed) {
            let ended =
                (plan.fail_fast && failed).then(|| (Verdict::Missed, "the run ended at the first failure".to_owned()));
            let outcome = match ended.or_else(|| self.reason_not_run(case, stop)) {
                Some((verdict, reason)) => outcome(case, verdict, reason),
                None => {
                    (self.progress)(Event::Begins(case));
                    self.run_case(case)
                }
            };
            failed |= outcome.verdict.is_failure();
            self.served.get_or_insert(outcome.verdict == Verdict::Pass);
            self.record(outcome);
        }
        let leftovers = self.clean_up();
        for rule in self.judge_rules(plan) {
            self.record(rule);
        }
        Report {
            server: String::new(),
            seed: self.environment.seed,
            began,
            round_trip: self.environment.timeouts.get().round_trip,
            took: instant.elapsed(),
            hello_reply: self.hello_reply,
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

    /// Records and shows an outcome, without secrets: the only way out of a run.
    fn record(&mut self, outcome: Outcome) {
        let outcome = self.redactor.outcome(outcome);
        (self.progress)(Event::Ended(&outcome));
        if !(outcome.verdict.is_failure() && mutation::active!(CaseDropped)) {
            self.ledger.enter(outcome);
        }
    }

    /// Why a case is not run.
    fn reason_not_run(&self, case: &Case, stop: &dyn Fn() -> bool) -> Option<(Verdict, String)> {
        if stop() {
            return Some((Verdict::Missed, "the run was interrupted".into()));
        }
        if let Some(suspect) = &self.suspect
            && !self.environment.server.borrow().can_restart()
        {
            return Some((Verdict::Missed, format!("the server did not answer any more after {suspect}")));
        }
        case.needs.iter().find_map(|need| self.lacks(*need))
    }

    fn lacks(&self, need: Need) -> Option<(Verdict, String)> {
        let hello_reply = self.hello_reply.as_ref()?;
        let said = |what: String| Some((Verdict::NotApplicable, what));
        let needs = |option: &str| Some((Verdict::NotRun, format!("needs {option}")));
        let server = self.environment.server.borrow();
        let insecure = self.environment.target.borrow().credentials().is_none();
        match need {
            Need::Writing if hello_reply.ro => said("hello said ro: true".into()),
            Need::ReadOnly if !hello_reply.ro => said("hello said ro: false".into()),
            Need::Posix if hello_reply.names != "posix" => said(format!("hello said names: {:?}", hello_reply.names)),
            Need::Windows if hello_reply.names != "windows" => {
                said(format!("hello said names: {:?}", hello_reply.names))
            }
            Need::Exact if hello_reply.folds => said("hello said folds: true".into()),
            Need::Folds if !hello_reply.folds => said("hello said folds: false".into()),
            Need::Window(least) if hello_reply.window < least => {
                said(format!("hello said window: {}", hello_reply.window))
            }
            Need::Curve if insecure => said("--insecure was given".into()),
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
        let result = self.prepared(&journal, case, &directory).map(|client| {
            let mut context = CaseContext::new(&self.environment, client, &journal, directory, seed);
            let result = (case.run)(&mut context);
            (context.client, result)
        });
        let error = match result {
            // After a failed case its session is not used again.
            Ok((client, result)) => {
                let fine = result.is_ok() || matches!(result, Err(CaseError::NotApplicable(_)));
                self.client = fine.then_some(client);
                result.err()
            }
            Err(error) => Some(error.into_prerequisite("opening a session for the case")),
        };
        let gone = matches!(error, Some(CaseError::Silent(_) | CaseError::Untestable(_))) && !self.is_alive();
        if gone {
            self.mark_dead(case);
        }
        let (exchanges, forgotten, findings, replies) = journal.borrow_mut().take();
        self.replies += replies;
        self.keep(findings, &case.id, &exchanges);
        // At any level of the case, a server that is gone has not answered [ENV-8].
        let (verdict, reason) = judge(if gone { Level::Must } else { case.level }, error);
        let silent = matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
        Outcome {
            exchanges: if silent { Vec::new() } else { exchanges },
            forgotten: if silent { 0 } else { forgotten },
            took: began.elapsed(),
            ..outcome(case, verdict, reason)
        }
    }

    /// Opens a new session and creates the case's directory.
    fn prepared(
        &mut self,
        journal: &crate::engine::journal::SharedJournal,
        case: &Case,
        directory: &str,
    ) -> CaseResult<Client> {
        let mut client = match self.client.take() {
            Some(mut client) => {
                client.rest(journal);
                client.close()?;
                client
            }
            None => Client::new("A", &self.environment, journal, SocketKind::Dealer)?,
        };
        let hello_reply = client.open()?;
        if case.needs.contains(&Need::Writing) {
            if self.cases_run == 1 || !self.has_directory(&mut client)? {
                client.setup(mkdir(&self.environment.run_directory))?;
            }
            client.setup(mkdir(directory))?;
        }
        self.hello_reply = Some(hello_reply);
        Ok(client)
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

    /// An outcome for every selected check of every reply, and for every other one that failed.
    fn judge_rules(&mut self, plan: &Plan<'_>) -> Vec<Outcome> {
        let judged = lint::cases().iter().filter_map(|case| {
            let found = case.checks.first().and_then(|requirement| self.findings.get(requirement));
            let selected = plan.rules.iter().any(|rule| rule.id == case.id);
            match found {
                None if !selected => None,
                None if self.replies == 0 => Some(outcome(case, Verdict::Missed, "no reply was received".into())),
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

fn judge(level: Level, error: Option<CaseError>) -> (Verdict, String) {
    let Some(error) = error.filter(|error| !is_ignored(error)) else { return (Verdict::Pass, String::new()) };
    let reason = error.text().to_owned();
    let verdict = match (error, level) {
        (CaseError::Failed(_), _) if mutation::active!(FailureDoesNotApply) => Verdict::NotApplicable,
        (CaseError::Failed(_) | CaseError::Silent(_), Level::Must) => Verdict::Fail,
        (CaseError::Failed(_) | CaseError::Silent(_), Level::Should) => Verdict::Warn,
        (CaseError::Failed(_) | CaseError::Silent(_), Level::May) => Verdict::Info,
        (CaseError::Untestable(_), _) => Verdict::Untestable,
        (CaseError::NotApplicable(_), _) => Verdict::NotApplicable,
        (CaseError::Harness(_), _) => Verdict::HarnessError,
    };
    (verdict, reason)
}

fn is_ignored(error: &CaseError) -> bool {
    match error {
        _ if mutation::active!(EverythingPasses) => true,
        CaseError::Silent(_) => mutation::active!(SilencePasses),
        CaseError::Untestable(_) => mutation::active!(UntestablePasses),
        _ => false,
    }
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
