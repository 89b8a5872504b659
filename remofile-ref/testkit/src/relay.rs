//! A TCP relay that cuts connections: at random numbers of bytes, at random times, in the handshake too.

use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often a silent connection is looked at.
const TICK: Duration = Duration::from_millis(5);

/// A CURVE handshake takes about 700 bytes each way.
const HANDSHAKE: u64 = 700;

/// Which connections are cut, and when: all drawn from one seed.
#[derive(Clone, Copy, Debug)]
pub struct Cuts {
    pub seed: u64,
    /// After so many cuts, everything passes.
    pub at_most: usize,
    /// How many bytes a connection that is cut in mid-transfer may have carried in one direction.
    pub bytes: u64,
    /// After so many bytes from clients to the server, nothing more of theirs passes.
    pub hold_at: u64,
}

impl Cuts {
    pub const NONE: Self = Self { seed: 0, at_most: 0, bytes: 1, hold_at: u64::MAX };
}

/// The seed of a test: from REMOFILE_SEED, or another one each time; it is printed where the test fails.
pub fn seed() -> u64 {
    let seed = match std::env::var("REMOFILE_SEED") {
        Ok(text) => text.parse().expect("REMOFILE_SEED is a number"),
        Err(_) => {
            let mut bytes = [0; 8];
            getrandom::fill(&mut bytes).unwrap();
            u64::from_le_bytes(bytes)
        }
    };
    eprintln!("to see it again: REMOFILE_SEED={seed}");
    seed
}

/// SplitMix64: small, and the same everywhere.
pub struct Random(pub u64);

impl Random {
    pub fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub fn below(&mut self, end: u64) -> u64 {
        self.next_u64() % end
    }
}

/// A relay at work; its threads end when it is dropped.
pub struct Relay {
    shared: Arc<Shared>,
    address: SocketAddr,
    acceptor: Option<JoinHandle<()>>,
}

struct Shared {
    target: Mutex<SocketAddr>,
    random: Mutex<Random>,
    cuts: Cuts,
    cut: AtomicUsize,
    connections: AtomicUsize,
    /// Bytes from clients to the server.
    up: AtomicU64,
    /// Bytes from the server to clients.
    down: AtomicU64,
    released: AtomicBool,
    stop: AtomicBool,
}

/// When one connection is cut.
#[derive(Clone, Copy, Debug)]
enum Fate {
    Lives,
    AfterBytes { upwards: bool, bytes: u64 },
    AfterTime(Duration),
}

/// A connection while it is relayed.
struct Passage {
    fate: Fate,
    since: Instant,
    /// Bytes carried: down, up.
    carried: [AtomicU64; 2],
    over: AtomicBool,
}

impl Relay {
    pub fn start(target: SocketAddr, cuts: Cuts) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            target: Mutex::new(target),
            random: Mutex::new(Random(cuts.seed)),
            cuts,
            cut: AtomicUsize::new(0),
            connections: AtomicUsize::new(0),
            up: AtomicU64::new(0),
            down: AtomicU64::new(0),
            released: AtomicBool::new(false),
            stop: AtomicBool::new(false),
        });
        let acceptor = thread::spawn({
            let shared = Arc::clone(&shared);
            move || accept(&listener, &shared)
        });
        Self { shared, address, acceptor: Some(acceptor) }
    }

    /// Lets everything of the clients' pass again.
    pub fn release(&self) {
        self.shared.released.store(true, Ordering::Relaxed);
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// New connections go there.
    pub fn retarget(&self, target: SocketAddr) {
        *self.shared.target.lock().unwrap() = target;
    }

    /// How many bytes have passed, both ways together.
    pub fn carried(&self) -> u64 {
        self.shared.up.load(Ordering::Relaxed) + self.shared.down.load(Ordering::Relaxed)
    }

    pub fn cuts(&self) -> usize {
        self.shared.cut.load(Ordering::Relaxed)
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::Relaxed);
        // Wakes the acceptor.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    let mut pumps = Vec::new();
    for client in listener.incoming() {
        if shared.stop.load(Ordering::Relaxed) {
            break;
        }
        let target = *shared.target.lock().unwrap();
        let (Ok(client), Ok(server)) = (client, TcpStream::connect(target)) else { continue };
        let passage = Arc::new(Passage {
            fate: shared.draw(),
            since: Instant::now(),
            carried: Default::default(),
            over: AtomicBool::new(false),
        });
        for (upwards, from, to) in [(true, &client, &server), (false, &server, &client)] {
            let (from, to) = (from.try_clone().unwrap(), to.try_clone().unwrap());
            let (shared, passage) = (Arc::clone(shared), Arc::clone(&passage));
            pumps.push(thread::spawn(move || {
                let _ = shared.pump(&passage, upwards, from, to);
            }));
        }
    }
    for pump in pumps {
        let _ = pump.join();
    }
}

impl Shared {
    /// A third is cut in the handshake, a third behind it by bytes, and a third by time.
    fn draw(&self) -> Fate {
        let mut random = self.random.lock().unwrap();
        let (kind, upwards, bytes, time) =
            (random.below(3), random.below(2) == 0, random.next_u64(), random.below(30_000));
        let first = self.connections.fetch_add(1, Ordering::Relaxed) == 0;
        if self.cut.load(Ordering::Relaxed) >= self.cuts.at_most {
            return Fate::Lives;
        }
        match kind {
            // [CURVE-7] A client may take handshakes that fail from the beginning for a refusal.
            0 if !first => Fate::AfterBytes { upwards, bytes: bytes % HANDSHAKE },
            1 => Fate::AfterTime(Duration::from_micros(time)),
            // Replies are small.
            _ if upwards => Fate::AfterBytes { upwards, bytes: HANDSHAKE + bytes % self.cuts.bytes },
            _ => Fate::AfterBytes { upwards, bytes: HANDSHAKE + bytes % (self.cuts.bytes / 64).max(1) },
        }
    }

    fn pump(&self, passage: &Passage, upwards: bool, mut from: TcpStream, mut to: TcpStream) -> io::Result<()> {
        from.set_read_timeout(Some(TICK))?;
        to.set_write_timeout(Some(TICK))?;
        let mut buffer = vec![0; 1 << 16];
        loop {
            if passage.over.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed) {
                break;
            }
            let mut allowed = passage.allowed(upwards);
            if allowed == 0 {
                self.cut(passage);
                break;
            }
            if upwards {
                let left = match self.released.load(Ordering::Relaxed) {
                    true => u64::MAX,
                    false => self.cuts.hold_at.saturating_sub(self.up.load(Ordering::Relaxed)),
                };
                if left == 0 {
                    thread::park_timeout(TICK);
                    continue;
                }
                allowed = allowed.min(left);
            }
            let room = usize::try_from(allowed).map_or(buffer.len(), |allowed| allowed.min(buffer.len()));
            let count = match from.read(&mut buffer[..room]) {
                Ok(0) => break,
                Ok(count) => count,
                Err(error) if is_timeout(&error) => continue,
                Err(_) => break,
            };
            if self.forward(passage, &mut to, &buffer[..count]).is_err() {
                break;
            }
            passage.carried[usize::from(upwards)].fetch_add(count as u64, Ordering::Relaxed);
            let carried = if upwards { &self.up } else { &self.down };
            carried.fetch_add(count as u64, Ordering::Relaxed);
        }
        passage.over.store(true, Ordering::Relaxed);
        // Either may be gone already.
        let _ = from.shutdown(Shutdown::Both);
        let _ = to.shutdown(Shutdown::Both);
        Ok(())
    }

    fn forward(&self, passage: &Passage, to: &mut TcpStream, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match to.write(bytes) {
                Ok(count) => bytes = &bytes[count..],
                Err(error) if is_timeout(&error) => {
                    let ends = passage.over.load(Ordering::Relaxed) || self.stop.load(Ordering::Relaxed);
                    if ends || passage.allowed(true) == 0 || passage.allowed(false) == 0 {
                        self.cut(passage);
                        return Err(error);
                    }
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn cut(&self, passage: &Passage) {
        if !passage.over.swap(true, Ordering::Relaxed) {
            self.cut.fetch_add(1, Ordering::Relaxed);
        }
    }
}

impl Passage {
    /// How many more bytes may pass in this direction; 0 cuts.
    fn allowed(&self, upwards: bool) -> u64 {
        match self.fate {
            Fate::AfterBytes { upwards: direction, bytes } if direction == upwards => {
                bytes.saturating_sub(self.carried[usize::from(upwards)].load(Ordering::Relaxed))
            }
            Fate::AfterTime(time) if self.since.elapsed() >= time => 0,
            Fate::AfterBytes { .. } | Fate::AfterTime(_) | Fate::Lives => u64::MAX,
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut | io::ErrorKind::Interrupted)
}
