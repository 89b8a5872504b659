//! One start of the server, as a ROUTER: the first frame says which client and connection.

use super::disk::{DiskLog, ModelDisk};
use super::network::Frames;
use remofile::protocol::server::session::ServerLimits;
use remofile::server::service::{HandleOutcome, Service};
use remofile_proto::envelope::{self, Message};
use remofile_proto::{BootId, Capabilities, HelloReply, Limits, Names, Operation, Payload, SessionId};
use std::cell::RefCell;
use std::collections::HashSet;
use std::rc::Rc;
use std::time::Duration;

type Authentic = fn(&SessionId, &[u8; 32]) -> bool;

pub struct Server {
    service: Service<ModelDisk, Authentic>,
    disk: ModelDisk,
    /// A deliberately broken server: executes what it has executed before.
    seen: Option<HashSet<Vec<u8>>>,
}

/// What the model takes for a right `auth`.
pub fn auth(id: SessionId) -> [u8; 32] {
    let mut auth = [7; 32];
    auth[..16].copy_from_slice(id.as_bytes());
    auth
}

pub fn terms(window: u64) -> ServerLimits {
    let welcome = HelloReply {
        window,
        chunk: 65_536,
        header: 65_536,
        lease_ms: 30_000,
        boot: BootId::new([1; 16]),
        root: None,
        names: Names::Posix,
        folds: false,
        ro: false,
        caps: Capabilities::default(),
    };
    ServerLimits { welcome, uploads: 64 }
}

impl Server {
    pub fn start(window: u64, log: Rc<RefCell<DiskLog>>, executes_again: bool) -> Self {
        let authentic: Authentic = |id, given| *given == auth(*id);
        Self {
            service: Service::new(terms(window), ModelDisk::new(log.clone()), authentic),
            disk: ModelDisk::new(log),
            seen: executes_again.then(HashSet::new),
        }
    }

    /// The reply to a message, if there is one at once.
    pub fn receive(&mut self, now: Duration, frames: &[Vec<u8>]) -> Option<Frames> {
        let reaction = self.service.handle(now, frames);
        self.service.work_ended(now);
        if let HandleOutcome::Reply(_) = reaction {
            self.execute_again(frames);
        }
        match reaction {
            HandleOutcome::Reply(frames) => Some(frames),
            HandleOutcome::Later => None,
            HandleOutcome::NotOurs | HandleOutcome::Silent => panic!("the client sent no request: {frames:?}"),
        }
    }

    /// What the broken server does with a header that it has seen before.
    fn execute_again(&mut self, frames: &[Vec<u8>]) {
        let (Some(seen), Message::Request(request)) = (&mut self.seen, envelope::receive(frames, 65_536).message)
        else {
            return;
        };
        let is_new = seen.insert(request.header_frame.to_vec());
        if let (false, Ok(touch @ Operation::Touch { .. })) =
            (is_new, Operation::parse(&request.header, Payload::NONE, &Limits::default()))
        {
            let _ = remofile::Storage::perform(&mut self.disk, &touch, &[]);
        }
    }

    pub fn slice(&mut self, now: Duration) -> Option<Frames> {
        self.service.run_slice(now)
    }

    pub fn is_working(&self) -> bool {
        self.service.is_working()
    }

    pub fn may_receive(&self) -> bool {
        !self.service.owes_reply()
    }
}
