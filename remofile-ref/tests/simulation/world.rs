//! The whole system: the possible next events are a list, from which the driver chooses.

use super::client::{CHUNK, Client, ClientFault, Job, MessageFrames};
use super::disk::{Content, Platter, SimulatedDisk};
use remofile::protocol::server::session::ServerLimits;
use remofile::server::service::{HandleOutcome, Service};
use remofile_proto::{BootId, Capabilities, HelloReply, Names, SessionId};
use std::cell::RefCell;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::fmt::Write as _;
use std::rc::Rc;
use std::time::Duration;

type AuthCheck = fn(&SessionId, &[u8; 32]) -> bool;

/// One way that the world may go on. Numbers are those of a client and of one of its connections, 0 the oldest.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Act {
    Serve(usize, usize),
    Hear(usize, usize),
    /// The server does a slice of what it works on.
    Work,
    /// Nothing can happen until a timer expires.
    Wait,
    // From here on: faults.
    /// A timer expires although messages are on their way.
    Hurry,
    LoseUp(usize, usize),
    LoseDown(usize, usize),
    RepeatUp(usize, usize),
    /// The connection is cut, and another one made; what is on its way is lost, or comes late.
    Cut(usize, bool),
    KillServer,
    KillClient(usize),
    /// The power of the server's machine: of what was not synced everything is lost, or each as it pleases; where all
    /// is kept the server was merely killed.
    Power(Fate),
    /// The client takes the session from its owner.
    Take(usize),
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Fate {
    Lost,
    Mixed,
}

impl Act {
    pub fn is_fault(self) -> bool {
        !matches!(self, Self::Serve(..) | Self::Hear(..) | Self::Work | Self::Wait)
    }
}

/// A message, and whether it is a second one of it: such a one does not outlive the server that it was sent to.
#[derive(Clone, Debug)]
struct SimulatedPacket {
    frames: MessageFrames,
    is_second: bool,
}

/// The connections of one client, the current one last.
#[derive(Debug)]
struct SimulatedLink {
    up: Vec<VecDeque<SimulatedPacket>>,
    down: Vec<VecDeque<MessageFrames>>,
    /// The number of the oldest connection.
    first: usize,
}

const LINGERING: usize = 2;

impl SimulatedLink {
    fn new() -> Self {
        Self { up: vec![VecDeque::new()], down: vec![VecDeque::new()], first: 0 }
    }

    fn cut(&mut self, comes_late: bool) {
        if !comes_late {
            self.up.last_mut().unwrap().clear();
            self.down.last_mut().unwrap().clear();
        }
        self.up.push(VecDeque::new());
        self.down.push(VecDeque::new());
        while self.up.len() > LINGERING {
            self.up.remove(0);
            self.down.remove(0);
            self.first += 1;
        }
    }

    fn is_quiet(&self) -> bool {
        self.up.iter().all(VecDeque::is_empty) && self.down.iter().all(VecDeque::is_empty)
    }
}

/// What is simulated.
#[derive(Clone, Debug)]
pub struct Scene {
    pub window: u64,
    pub jobs: Vec<Vec<Job>>,
    pub fault: ClientFault,
    pub disk_lies: bool,
    /// Whether the power may go, servers and clients may be killed: else only the network is bad.
    pub deaths: bool,
}

pub struct Simulation {
    scene: Scene,
    pub now: Duration,
    platter: Rc<RefCell<Platter>>,
    service: Service<SimulatedDisk, AuthCheck>,
    clients: Vec<(Client, SimulatedLink)>,
    starts: u8,
    seen: HashSet<i64>,
    checked: usize,
    lost_power: bool,
}

pub fn auth(id: SessionId) -> [u8; 32] {
    let mut auth = [7; 32];
    auth[..16].copy_from_slice(id.as_bytes());
    auth
}

impl Simulation {
    pub fn new(scene: &Scene) -> Self {
        let platter = Rc::new(RefCell::new(Platter::new(scene.disk_lies)));
        let client = |(at, jobs): (usize, &Vec<Job>)| {
            (Client::new(at as u8 + 1, jobs.clone(), scene.fault), SimulatedLink::new())
        };
        Self {
            scene: scene.clone(),
            now: Duration::from_secs(1),
            service: serve(scene.window, 1, &platter),
            platter,
            clients: scene.jobs.iter().enumerate().map(client).collect(),
            starts: 1,
            seen: HashSet::new(),
            checked: 0,
            lost_power: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.clients.iter().all(|(client, link)| client.is_done() && link.is_quiet())
    }

    /// What may happen next without a fault.
    pub fn acts(&mut self) -> Vec<Act> {
        let mut acts = Vec::new();
        for at in 0..self.clients.len() {
            // A client that can send does: to wait would be the network's delay.
            if let Some(frames) = self.clients[at].0.send(self.now) {
                let (_, link) = &mut self.clients[at];
                link.up.last_mut().unwrap().push_back(SimulatedPacket { frames, is_second: false });
                return self.acts();
            }
            let (_, link) = &self.clients[at];
            for connection in 0..link.up.len() {
                if !self.service.owes_reply() && !link.up[connection].is_empty() {
                    acts.push(Act::Serve(at, connection));
                }
                if !link.down[connection].is_empty() {
                    acts.push(Act::Hear(at, connection));
                }
            }
        }
        if self.service.is_working() {
            acts.push(Act::Work);
        }
        if acts.is_empty() && self.next_deadline().is_some() {
            acts.push(Act::Wait);
        }
        acts
    }

    /// What may go wrong next.
    pub fn faults(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        for (at, (client, link)) in self.clients.iter().enumerate() {
            for connection in 0..link.up.len() {
                if !link.up[connection].is_empty() {
                    acts.extend([Act::LoseUp(at, connection), Act::RepeatUp(at, connection)]);
                }
                if !link.down[connection].is_empty() {
                    acts.push(Act::LoseDown(at, connection));
                }
            }
            if !client.is_done() {
                acts.extend([Act::Cut(at, false), Act::Cut(at, true)]);
                if self.clients.len() > 1 {
                    acts.push(Act::Take(at));
                }
                if self.scene.deaths {
                    acts.push(Act::KillClient(at));
                }
            }
        }
        if !self.clients.iter().all(|(_, link)| link.is_quiet()) && self.next_deadline().is_some() {
            acts.push(Act::Hurry);
        }
        if self.scene.deaths {
            acts.extend([Act::KillServer, Act::Power(Fate::Lost), Act::Power(Fate::Mixed)]);
        }
        acts
    }

    /// Does it; `pick` chooses what a power cut leaves.
    pub fn act(&mut self, act: Act, mut pick: impl FnMut(usize) -> usize) -> Result<(), String> {
        match act {
            Act::Serve(at, connection) => self.serve(at, connection),
            Act::Hear(at, connection) => {
                let (client, link) = &mut self.clients[at];
                if let Some(frames) = link.down[connection].pop_front() {
                    client.receive(self.now, &frames)?;
                }
            }
            Act::Work => {
                self.now += Duration::from_millis(100);
                let reply = self.service.run_slice(self.now);
                self.deliver(reply);
            }
            Act::Wait | Act::Hurry => {
                self.now = self.now.max(self.next_deadline().unwrap_or(self.now)) + Duration::from_millis(1);
                let now = self.now;
                self.clients.iter_mut().try_for_each(|(client, _)| client.on_timer(now))?;
            }
            Act::LoseUp(at, connection) => drop(self.clients[at].1.up[connection].pop_front()),
            Act::LoseDown(at, connection) => drop(self.clients[at].1.down[connection].pop_front()),
            Act::RepeatUp(at, connection) => {
                let queue = &mut self.clients[at].1.up[connection];
                let again = queue.front().map(|packet| SimulatedPacket { is_second: true, ..packet.clone() });
                queue.extend(again);
            }
            Act::Cut(at, comes_late) => {
                let (client, link) = &mut self.clients[at];
                link.cut(comes_late);
                client.on_reconnected(self.now);
            }
            Act::KillServer => self.restart(),
            Act::KillClient(at) => {
                self.clients[at].0.die();
                self.clients[at].1.cut(true);
            }
            Act::Power(fate) => {
                self.lost_power = true;
                self.platter.borrow_mut().lose_power(|ways| match fate {
                    Fate::Lost => 0,
                    Fate::Mixed => pick(ways),
                });
                self.restart();
            }
            Act::Take(at) => self.clients[at].0.takes = true,
        }
        self.check()
    }

    fn next_deadline(&self) -> Option<Duration> {
        self.clients.iter().filter_map(|(client, _)| client.next_deadline()).min()
    }

    fn serve(&mut self, at: usize, connection: usize) {
        let (_, link) = &mut self.clients[at];
        let Some(SimulatedPacket { frames, .. }) = link.up[connection].pop_front() else { return };
        let route = vec![at as u8 + 1, (link.first + connection) as u8];
        let frames: MessageFrames = [route].into_iter().chain(frames).collect();
        let reaction = self.service.handle(self.now, &frames);
        self.service.work_ended(self.now);
        match reaction {
            HandleOutcome::Reply(frames) => self.deliver(Some(frames)),
            HandleOutcome::Later => {}
            HandleOutcome::NotOurs | HandleOutcome::Silent => panic!("the client sent no request: {frames:?}"),
        }
    }

    fn deliver(&mut self, reply: Option<MessageFrames>) {
        let Some(mut frames) = reply else { return };
        let route = frames.remove(0);
        let link = &mut self.clients[usize::from(route[0]) - 1].1;
        if let Some(queue) = usize::from(route[1]).checked_sub(link.first).and_then(|at| link.down.get_mut(at)) {
            queue.push_back(frames);
        }
    }

    fn restart(&mut self) {
        self.starts = self.starts.wrapping_add(1);
        self.service = serve(self.scene.window, self.starts, &self.platter);
        for (client, link) in &mut self.clients {
            link.up.iter_mut().for_each(|queue| queue.retain(|packet| !packet.is_second));
            link.cut(true);
            client.on_reconnected(self.now);
        }
    }

    /// What must hold at any moment.
    fn check(&mut self) -> Result<(), String> {
        let platter = self.platter.borrow();
        for label in &platter.executed[self.checked..] {
            if !self.seen.insert(*label) {
                return Err(format!("request {label:x} was executed twice"));
            }
        }
        self.checked = platter.executed.len();
        for (path, content) in &platter.now.files {
            let is_wanted = |job: &Job| matches!(job, Job::Put(at, whole) | Job::Upload(at, whole) if at == path && whole == content);
            // A file that a put made is empty after a power cut, until it is flushed.
            if !content.is_empty() && !self.scene.jobs.iter().flatten().any(is_wanted) {
                return Err(format!("{path} is a mixture: {content:?}"));
            }
        }
        for (client, _) in &self.clients {
            for path in client.promised.keys() {
                let now = platter.now.files.get(path);
                // Another job of the same client for this path may be under way.
                if !now.is_some_and(|now| self.may_be(client, path, now)) {
                    return Err(format!("{path} was flushed, and is {now:?} in place of {:?}", client.promised[path]));
                }
            }
        }
        Ok(())
    }

    fn may_be(&self, client: &Client, path: &str, now: &Content) -> bool {
        client.allowed.get(path).is_some_and(|allowed| allowed.contains(now)) || client.wants(path, now)
    }

    /// What must hold when everybody is done.
    pub fn check_end(&self) -> Result<(), String> {
        if self.lost_power {
            // What was not flushed may be lost; what was flushed is checked all the time.
            return Ok(());
        }
        let platter = self.platter.borrow();
        let mut wanted: BTreeMap<&str, &Content> = BTreeMap::new();
        for job in self.scene.jobs.iter().flatten() {
            if let Job::Put(path, content) | Job::Upload(path, content) = job {
                wanted.insert(path, content);
            }
        }
        for (path, content) in wanted {
            if platter.now.files.get(path) != Some(content) {
                return Err(format!("{path} is {:?} in the end, not {content:?}", platter.now.files.get(path)));
            }
        }
        match platter.now.staged.is_empty() {
            true => Ok(()),
            false => Err(format!("left over: {:?}", platter.now.staged)),
        }
    }

    /// Everything that the future depends on.
    pub fn state(&self) -> blake3::Hash {
        let mut text = String::new();
        let platter = self.platter.borrow();
        write!(text, "{:?} {:?} {:?} {:?} ", self.now, self.service, self.clients, platter.now).unwrap();
        write!(text, "{:?} {:?}", platter.stable, platter.executed).unwrap();
        blake3::hash(text.as_bytes())
    }

    pub fn lost_sessions(&self) -> u64 {
        self.clients.iter().map(|(client, _)| client.lost_sessions).sum()
    }
}

fn serve(window: u64, start: u8, platter: &Rc<RefCell<Platter>>) -> Service<SimulatedDisk, AuthCheck> {
    let welcome = HelloReply {
        window,
        chunk: 65_536,
        header: 65_536,
        lease_ms: 30_000,
        boot: BootId::new([start; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: false,
        caps: Capabilities::default(),
    };
    let authentic: AuthCheck = |id, given| *given == auth(*id);
    Service::new(ServerLimits { welcome, uploads: 64 }, SimulatedDisk::new(Rc::clone(platter)), authentic)
}

/// So many chunks that differ by the seed.
pub fn content(chunks: usize, seed: u8) -> Content {
    (0..chunks * CHUNK).map(|at| seed.wrapping_mul(31).wrapping_add(at as u8) | 1).collect()
}
