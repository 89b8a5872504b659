//! Connections that lose, repeat and delay: each keeps its own order, and old ones may deliver after new ones.

use super::random::ModelRandom;
use std::collections::VecDeque;

/// A message after the routing frame.
pub type Frames = Vec<Vec<u8>>;

#[derive(Clone)]
pub struct Packet {
    pub frames: Frames,
    /// Delivered once already: does not outlive the server that it was delivered to.
    pub repeated: bool,
}

/// The connections of one client, the current one last.
pub struct Link {
    pub up: Vec<VecDeque<Packet>>,
    pub down: Vec<VecDeque<Packet>>,
    pub sent: u64,
    /// The number of the oldest connection.
    first: usize,
}

/// Old connections that may still deliver.
const LINGERING: usize = 3;

impl Link {
    pub fn new() -> Self {
        Self { up: vec![VecDeque::new()], down: vec![VecDeque::new()], sent: 0, first: 0 }
    }

    pub fn current(&self) -> usize {
        self.up.len() - 1
    }

    pub fn send(&mut self, frames: Frames) {
        self.sent += 1;
        let current = self.current();
        self.up[current].push_back(Packet { frames, repeated: false });
    }

    /// Takes the next message of one of the connections.
    pub fn take(queues: &mut [VecDeque<Packet>], random: &mut ModelRandom) -> Option<(usize, Packet)> {
        let full: Vec<usize> = (0..queues.len()).filter(|at| !queues[*at].is_empty()).collect();
        let at = *full.get(random.below(full.len()))?;
        queues[at].pop_front().map(|packet| (at, packet))
    }

    /// Loses what the network had taken; later messages are sent over the new connection or arrives late.
    pub fn cut(&mut self, random: &mut ModelRandom) {
        for queues in [&mut self.up, &mut self.down] {
            let last = queues.last_mut().unwrap();
            let start = random.below(last.len() + 1);
            let end = start + random.below(last.len() - start + 1);
            last.drain(start..end);
            let moved = if random.one_in(2) { last.split_off(start) } else { VecDeque::new() };
            queues.push(moved);
        }
        // What the server had to say over the old connection is lost.
        let current = self.current();
        if random.one_in(2) {
            self.down[current].clear();
        }
        while self.up.len() > LINGERING + 1 {
            self.up.remove(0);
            self.down.remove(0);
            self.first += 1;
        }
    }

    /// The number of the connection in this place.
    pub fn number(&self, at: usize) -> usize {
        self.first + at
    }

    /// Sends a reply over the connection of this number, if it may still deliver.
    pub fn answer(&mut self, number: usize, frames: Frames, random: &mut ModelRandom) {
        let current = number == self.number(self.current());
        let place = number.checked_sub(self.first).filter(|_| current || random.one_in(2));
        if let Some(queue) = place.and_then(|at| self.down.get_mut(at)) {
            queue.push_back(Packet { frames, repeated: false });
        }
    }

    pub fn lose_one(&mut self, random: &mut ModelRandom) {
        let queues = if random.one_in(2) { &mut self.up } else { &mut self.down };
        let at = random.below(queues.len());
        let packet = random.below(queues[at].len());
        queues[at].remove(packet);
    }

    pub fn is_quiet(&self) -> bool {
        self.up.iter().chain(&self.down).all(VecDeque::is_empty)
    }
}
