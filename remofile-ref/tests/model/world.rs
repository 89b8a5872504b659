//! Clients, network, servers and disk in one place; every step is chosen by the seed.

use super::disk::{DiskLog, Kinds};
use super::network::{Frames, Link, Packet};
use super::peer::{Fault, Peer};
use super::random::ModelRandom;
use super::server::Server;
use remofile::protocol::client::request_window::RetryPolicy;
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

/// What is broken on purpose, to see that the checks find it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    None,
    Client(Fault),
    /// The server executes again what it remembers.
    ExecutesAgain,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub requests: u64,
    pub messages: u64,
    pub faults: u64,
    pub steps: u64,
    pub in_doubt: u64,
    pub restarts: u64,
    pub losses: u64,
}

pub struct World {
    pub now: Duration,
    pub random: ModelRandom,
    pub log: Rc<RefCell<DiskLog>>,
    pub server: Server,
    pub peers: Vec<(Peer, Link)>,
    window: u64,
    mutant: Mutant,
    next_label: u64,
    /// How often time jumps to a client's deadline, of 100 steps.
    impatience: usize,
    pub tally: Tally,
}

/// With no more faults everything has to be done within this many steps.
const CALM_STEPS: u64 = 2_000;

impl World {
    pub fn new(seed: u64, window: u64, work: Vec<Vec<(Kinds, u64)>>, policy: RetryPolicy, mutant: Mutant) -> Self {
        let log = Rc::new(RefCell::new(DiskLog::default()));
        let fault = if let Mutant::Client(fault) = mutant { fault } else { Fault::None };
        let peers = work.into_iter().map(|todo| (Peer::new(todo, policy.clone(), fault), Link::new())).collect();
        Self {
            now: Duration::from_secs(1),
            random: ModelRandom(seed),
            server: Server::start(window, log.clone(), mutant == Mutant::ExecutesAgain),
            log,
            peers,
            window,
            mutant,
            next_label: 1,
            impatience: 6,
            tally: Tally::default(),
        }
    }

    /// A world out of a seed: one or two clients, any window, any mixture of requests.
    pub fn from_seed(seed: u64, mutant: Mutant) -> Self {
        let mut random = ModelRandom(seed);
        let window = [1, 2, 4, 8][random.below(4)];
        let clients = if random.one_in(3) { 2 } else { 1 };
        let long = random.one_in(3);
        let reads = random.one_in(2);
        let mut work = Vec::new();
        for _ in 0..clients {
            let count = 3 + random.below(10);
            work.push((0..count).map(|_| kind(&mut random, long, reads)).collect());
        }
        // Sometimes a client gives up early, and sees its session lost by silence.
        let total = Duration::from_secs(if random.one_in(4) { 3 } else { 1_000_000 });
        let mut world =
            World::new(seed ^ 0x5eed, window, work, RetryPolicy { total, ..RetryPolicy::default() }, mutant);
        world.impatience = [2, 6, 16][random.below(3)];
        world
    }

    /// Runs with faults, then without, and looks whether everything is as it should be.
    pub fn run(mut self, fault_steps: usize) -> Result<Tally, String> {
        for (peer, _) in &mut self.peers {
            peer.takes = self.random.one_in(2);
            peer.start(self.now, &mut self.random);
        }
        for _ in 0..fault_steps {
            self.step_with_faults()?;
        }
        self.peers.iter_mut().for_each(|(peer, _)| peer.takes = false);
        self.calm_down()?;
        self.check()?;
        Ok(self.tally())
    }

    /// Runs until everybody is done.
    pub fn calm_down(&mut self) -> Result<(), String> {
        let mut steps = 0;
        while !self.peers.iter().all(|(peer, link)| peer.is_done() && link.is_quiet()) {
            steps += self.round()?;
            if steps > CALM_STEPS {
                return Err(format!("no progress within {CALM_STEPS} steps after the last fault"));
            }
        }
        self.tally.steps = steps;
        Ok(())
    }

    /// Lets every participant act; when none can, time passes. Returns the number of steps.
    pub fn round(&mut self) -> Result<u64, String> {
        let mut steps = 0;
        for at in 0..self.peers.len() {
            while self.send(at) {
                steps += 1;
            }
            while self.server.may_receive() && self.serve(at) {
                steps += 1;
            }
            while self.hear(at)? {
                steps += 1;
                while self.send(at) {
                    steps += 1;
                }
            }
        }
        if self.server.is_working() {
            self.slice(Duration::from_millis(100));
            steps += 1;
        } else if steps == 0 {
            let deadline = self.peers.iter().filter_map(|(peer, _)| peer.next_deadline()).min();
            self.now = self.now.max(deadline.unwrap_or(self.now)) + Duration::from_millis(1);
            steps += 1;
        }
        self.timers()?;
        Ok(steps)
    }

    pub fn send(&mut self, at: usize) -> bool {
        let (peer, link) = &mut self.peers[at];
        let Some(frames) = peer.send(self.now, &mut self.next_label) else { return false };
        link.send(frames);
        true
    }

    /// The server takes one message of this client.
    pub fn serve(&mut self, at: usize) -> bool {
        let (_, link) = &mut self.peers[at];
        let Some((connection, packet)) = Link::take(&mut link.up, &mut self.random) else { return false };
        if !packet.repeated && self.random.one_in(self.repeat_every()) {
            let (_, link) = &mut self.peers[at];
            link.up[connection].push_front(Packet { repeated: true, ..packet.clone() });
        }
        let number = self.peers[at].1.number(connection) as u64;
        let route: Vec<u8> = [at as u8 + 1].into_iter().chain(number.to_le_bytes()).collect();
        let frames: Frames = [route].into_iter().chain(packet.frames).collect();
        let reply = self.server.receive(self.now, &frames);
        self.deliver(reply);
        true
    }

    pub fn hear(&mut self, at: usize) -> Result<bool, String> {
        let (peer, link) = &mut self.peers[at];
        let Some((_, packet)) = Link::take(&mut link.down, &mut self.random) else { return Ok(false) };
        peer.receive(self.now, &packet.frames, &mut self.random)?;
        Ok(true)
    }

    pub fn check(&self) -> Result<(), String> {
        let log = self.log.borrow();
        if let Some(fault) = log.faults.first() {
            return Err(fault.clone());
        }
        let mut once = HashSet::new();
        if let Some(twice) = log.executed.iter().find(|label| !once.insert(**label)) {
            return Err(format!("request {twice} was executed twice"));
        }
        for (peer, _) in &self.peers {
            let mine: HashSet<u64> = peer.submitted.iter().copied().collect();
            let order: Vec<u64> = log.executed.iter().copied().filter(|label| mine.contains(label)).collect();
            if !order.is_sorted() {
                return Err(format!("requests were executed in the order {order:?}"));
            }
            if let Some((label, _)) = peer.in_doubt.iter().find(|(label, sent)| !sent && once.contains(label)) {
                return Err(format!("request {label} was executed, and its client says that it was never sent"));
            }
            let settled = peer.acknowledged.len() + peer.in_doubt.len();
            if settled != peer.submitted.len() {
                return Err(format!("{settled} of {} requests were settled", peer.submitted.len()));
            }
            // Reads leave no trace; whatever else was acknowledged has been executed.
            if let Some(label) =
                peer.acknowledged.iter().find(|label| self.leaves_trace(**label) && !once.contains(label))
            {
                return Err(format!("request {label} was acknowledged and not executed"));
            }
            // A hello that comes late may find its client's next session lapsed, and end it.
            let accounted = self.tally.restarts > 0 || self.peers.len() > 1 || self.gives_up() || peer.late_hellos;
            if !accounted && !peer.in_doubt.is_empty() {
                return Err(format!("a session was lost for no reason: {:?}", peer.losses));
            }
        }
        Ok(())
    }

    pub fn tally(&self) -> Tally {
        let mut tally = self.tally;
        for (peer, link) in &self.peers {
            tally.requests += peer.submitted.len() as u64;
            tally.messages += link.sent;
            tally.in_doubt += peer.in_doubt.len() as u64;
            tally.losses += peer.losses.len() as u64;
        }
        tally
    }

    fn step_with_faults(&mut self) -> Result<(), String> {
        let at = self.random.below(self.peers.len());
        match self.random.below(94 + self.impatience) {
            0..30 => {
                self.send(at);
            }
            30..55 => {
                if self.server.may_receive() {
                    self.serve(at);
                }
            }
            55..80 => {
                self.hear(at)?;
            }
            80..88 => {
                let duration = Duration::from_millis(self.random.below(300) as u64);
                self.slice(duration);
                self.timers()?;
            }
            88..90 => {
                self.tally.faults += 1;
                let (_, link) = &mut self.peers[at];
                link.lose_one(&mut self.random);
            }
            90..93 => {
                self.tally.faults += 1;
                let (peer, link) = &mut self.peers[at];
                link.cut(&mut self.random);
                // With a proxy in between the peer does not notice it.
                if !self.random.one_in(3) {
                    peer.on_reconnected(self.now);
                }
            }
            93 => {
                if self.random.one_in(3) {
                    self.restart();
                }
            }
            _ => {
                let (peer, _) = &self.peers[at];
                self.now = self.now.max(peer.next_deadline().unwrap_or(self.now));
                self.timers()?;
            }
        }
        Ok(())
    }

    /// The server dies and another one starts: what it remembered is gone, what is executed is not.
    fn restart(&mut self) {
        self.tally.faults += 1;
        self.tally.restarts += 1;
        self.server = Server::start(self.window, self.log.clone(), self.mutant == Mutant::ExecutesAgain);
        for (_, link) in &mut self.peers {
            link.up.iter_mut().for_each(|queue| queue.retain(|packet| !packet.repeated));
            if self.random.one_in(2) {
                link.down.iter_mut().for_each(|queue| queue.clear());
            }
        }
    }

    fn slice(&mut self, duration: Duration) {
        self.now += duration;
        if self.server.is_working() {
            let reply = self.server.slice(self.now);
            self.deliver(reply);
        }
    }

    fn deliver(&mut self, reply: Option<Frames>) {
        let Some(mut frames) = reply else { return };
        let route = frames.remove(0);
        let number = u64::from_le_bytes(route[1..].try_into().unwrap()) as usize;
        self.peers[usize::from(route[0]) - 1].1.answer(number, frames, &mut self.random);
    }

    fn timers(&mut self) -> Result<(), String> {
        let (now, random) = (self.now, &mut self.random);
        self.peers.iter_mut().try_for_each(|(peer, _)| peer.on_timer(now, random))
    }

    fn repeat_every(&self) -> usize {
        if self.tally.faults > 0 { 40 } else { usize::MAX }
    }

    fn gives_up(&self) -> bool {
        self.peers.iter().any(|(peer, _)| peer.policy.total < Duration::from_secs(1_000))
    }

    fn leaves_trace(&self, label: u64) -> bool {
        !self.peers.iter().any(|(peer, _)| peer.reads.contains(&label))
    }
}

fn kind(random: &mut ModelRandom, long: bool, reads: bool) -> (Kinds, u64) {
    match random.below(8) {
        0 | 1 if reads => (Kinds::Read, 0),
        2 if long => (Kinds::Hash, 1 + random.below(12) as u64),
        3 if long => (Kinds::Copy, 1 + random.below(12) as u64),
        4 => (Kinds::Refused, 0),
        5 => (Kinds::Put, 0),
        _ => (Kinds::Touch, 0),
    }
}
