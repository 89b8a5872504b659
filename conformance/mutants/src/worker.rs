//! The thread that executes operations, one after the other ([SEQ-9]), while the server's own goes on answering.

use crate::{
    arguments::Arguments,
    reply::{Answer, Reply},
    store::Store,
};
use remofile_proto::SessionId;
use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{Receiver, Sender, channel},
    },
    thread,
};
use zmq::{Context, DONTWAIT, Socket, SocketType};

const DONE: &str = "inproc://done";

/// An operation to execute.
pub(crate) struct Task {
    pub(crate) session: SessionId,
    pub(crate) op: String,
    pub(crate) arguments: Arguments,
    pub(crate) payload: Vec<u8>,
    pub(crate) progress: Arc<Progress>,
}

/// How far an operation is, and whether it is still wanted.
#[derive(Debug, Default)]
pub(crate) struct Progress {
    cancelled: AtomicBool,
    pub(crate) done: AtomicU64,
    /// 0 where it is not known.
    pub(crate) total: AtomicU64,
}

/// The operation was cancelled: its reply is dropped.
pub(crate) struct Cancelled;

/// The server's end.
pub(crate) struct Worker {
    tasks: Sender<Task>,
    answers: Receiver<(Arc<Progress>, Reply)>,
    /// Readable when there is an answer.
    pub(crate) done: Socket,
}

impl Progress {
    pub(crate) fn cancel(&self) {
        self.cancelled.store(true, Relaxed);
    }

    /// Between two slices of work: tells how much is done, and hears whether to go on.
    pub(crate) fn step(&self, done: u64, total: u64) -> Result<(), Cancelled> {
        self.done.store(done, Relaxed);
        self.total.store(total, Relaxed);
        if self.cancelled.load(Relaxed) { Err(Cancelled) } else { Ok(()) }
    }
}

impl Worker {
    /// Starts the thread.
    pub(crate) fn start(context: &Context, store: Store) -> Result<Self, String> {
        let ends = || {
            let done = context.socket(SocketType::PAIR)?;
            done.bind(DONE)?;
            let told = context.socket(SocketType::PAIR)?;
            told.connect(DONE)?;
            Ok((done, told))
        };
        let (done, told) = ends().map_err(|error: zmq::Error| format!("cannot open a pair of sockets: {error}"))?;
        let (tasks, received) = channel();
        let (answer, answers) = channel();
        thread::Builder::new()
            .name("worker".to_owned())
            .spawn(move || work(store, &received, &answer, &told))
            .map_err(|error| format!("cannot start a thread: {error}"))?;
        Ok(Self { tasks, answers, done })
    }

    pub(crate) fn execute(&self, task: Task) -> Result<(), String> {
        self.tasks.send(task).map_err(|_| "the worker has ended".to_owned())
    }

    /// The next answer that is there, with the progress of its task.
    pub(crate) fn answer(&self) -> Option<(Arc<Progress>, Reply)> {
        while self.done.recv_bytes(DONTWAIT).is_ok() {}
        self.answers.try_recv().ok()
    }
}

/// Ends the process when the thread panics: otherwise the server would answer PENDING for ever and give no reason.
struct EndsAll;

impl Drop for EndsAll {
    fn drop(&mut self) {
        if thread::panicking() {
            std::process::abort();
        }
    }
}

fn work(mut store: Store, tasks: &Receiver<Task>, answers: &Sender<(Arc<Progress>, Reply)>, told: &Socket) {
    let _ends_all = EndsAll;
    for task in tasks {
        thread::sleep(store.slowness());
        let answer: Answer = store.execute(&task);
        let reply = answer.unwrap_or_else(Reply::from);
        if answers.send((task.progress, reply)).is_err() || told.send("", 0).is_err() {
            return;
        }
    }
}
