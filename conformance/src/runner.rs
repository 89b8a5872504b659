//! Runs cases one after the other, each in a session and a directory of its own.

mod housekeeping;

use crate::{
    case::{Case, Level, Need},
    environment::Environment,
    journal::{Exchange, Journal},
    link::{Patience, Pattern},
    lint::{self, Finding},
    peer::{Peer, Welcome},
    request::{mkdir, ping},
    stop::{Checked, Stop},
    trial::Trial,
    verdict::{Outcome, Report, Verdict},
};
use std::{
    collections::BTreeMap,
    rc::Rc,
    time::{Duration, Instant},
};

/// The case that is run before and after all others.
pub(crate) const SANITY: &str = "the-server-serves";

/// A run in progress.
pub(crate) struct Runner<'a> {
    environment: Rc<Environment>,
    /// Told of each outcome as it comes.
    progress: &'a mut dyn FnMut(&Outcome),
    peer: Option<Peer>,
    welcome: Option<Welcome>,
    outcomes: Vec<Outcome>,
    /// By requirement: the first finding, where it was seen, and how many there are.
    findings: BTreeMap<&'static str, Found>,
    replies: u64,
    suspect: Option<String>,
    cases_run: u64,
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
        progress: &'a mut dyn FnMut(&Outcome),
    ) -> Self {
        Self {
            environment: Rc::clone(environment),
            progress,
            peer: Some(peer),
            welcome: Some(welcome),
            outcomes: Vec::new(),
            findings: BTreeMap::new(),
            replies: 0,
            suspect: None,
            cases_run: 0,
        }
    }

    /// Runs the cases in the order given, then the checks of every reply, and cleans up.
    pub(crate) fn run(mut self, cases: &[&Case], stop: &dyn Fn() -> bool, server: &str) -> Report {
        let began = Instant::now();
        for case in cases {
            let outcome = match self.obstacle(case, stop) {
                Some((verdict, reason)) => outcome(case, verdict, reason),
                None => self.run_case(case),
            };
            self.tell(outcome);
        }
        let leftovers = self.clean_up();
        for rule in self.judge_rules() {
            self.tell(rule);
        }
        Report {
            server: server.to_owned(),
            seed: self.environment.seed,
            round_trip: self.environment.patience.get().round_trip,
            took: began.elapsed(),
            welcome: self.welcome,
            outcomes: self.outcomes,
            replies: self.replies,
            suspect: self.suspect,
            leftovers,
        }
    }

    fn tell(&mut self, outcome: Outcome) {
        (self.progress)(&outcome);
        self.outcomes.push(outcome);
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
            Err(stop) => Some(stop.as_prerequisite("opening a session for the case")),
        };
        if matches!(stop, Some(Stop::Silent(_) | Stop::Untestable(_))) && !self.is_alive() {
            self.bury(case);
        }
        let (exchanges, forgotten, findings, replies) = journal.borrow_mut().take();
        self.replies += replies;
        self.keep(findings, &case.id, &exchanges);
        let (verdict, reason) = judge(case.level, stop);
        let silent = matches!(verdict, Verdict::Pass | Verdict::NotApplicable);
        Outcome {
            exchanges: if silent { Vec::new() } else { exchanges },
            forgotten: if silent { 0 } else { forgotten },
            took: began.elapsed(),
            ..outcome(case, verdict, reason)
        }
    }

    /// A client with a new session, and the case's directory.
    fn prepared(&mut self, journal: &crate::journal::Shared, case: &Case, directory: &str) -> Checked<Peer> {
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

    /// One outcome for every rule that all replies are held to.
    fn judge_rules(&mut self) -> Vec<Outcome> {
        let cases = lint::cases();
        let judged = cases.iter().map(|case| {
            let found = case.checks.first().and_then(|requirement| self.findings.get(requirement));
            match found {
                None if self.replies == 0 => outcome(case, Verdict::Missed, "no reply was seen".into()),
                None => outcome(case, Verdict::Pass, String::new()),
                Some(found) => Outcome {
                    exchanges: found.exchanges.clone(),
                    ..outcome(
                        case,
                        Verdict::Fail,
                        format!("{} (first seen in {}, {} in all)", found.first.what, found.case, found.count),
                    )
                },
            }
        });
        judged.collect()
    }
}

fn judge(level: Level, stop: Option<Stop>) -> (Verdict, String) {
    let Some(stop) = stop else { return (Verdict::Pass, String::new()) };
    let reason = stop.text().to_owned();
    let verdict = match (stop, level) {
        (Stop::Failed(_) | Stop::Silent(_), Level::Must) => Verdict::Fail,
        (Stop::Failed(_) | Stop::Silent(_), Level::Should) => Verdict::Warn,
        (Stop::Failed(_) | Stop::Silent(_), Level::May) => Verdict::Info,
        (Stop::Untestable(_), _) => Verdict::Untestable,
        (Stop::NotApplicable(_), _) => Verdict::NotApplicable,
        (Stop::Harness(_), _) => Verdict::HarnessError,
    };
    (verdict, reason)
}

fn outcome(case: &Case, verdict: Verdict, reason: String) -> Outcome {
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
    }
}

fn blake3_prefix(text: &str) -> [u8; 8] {
    let hash = blake3::hash(text.as_bytes());
    hash.as_bytes()[..8].try_into().expect("a hash has 32 bytes")
}
