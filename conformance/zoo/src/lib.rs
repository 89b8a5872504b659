//! A zoo of servers for the conformance suite: one that keeps the protocol, and switches that make it break one rule
//! ([`faults`](mod@faults)) or look unlike other servers while it keeps them all ([`oddities`](mod@oddities)).
//!
//! With every switch off it is an implementation of `spec/protocol.md` of its own, which shares the codec and the keys
//! with the reference and nothing else.
//!
//! # Planting a fault
//!
//! A fault is declared in the file of its section below `faults/`, and planted where the rule is kept:
//!
//! ```text
//! if entry.kind() == Kind::Link && self.switches.has(&faults::paths::LINKS_ARE_FOLLOWED) {
//!     …the wrong thing…
//! }
//! ```
//!
//! `has` comes last: it tells that the fault was reached, which is true only where the server now does the wrong thing.
//!
//! # Planting an oddity
//!
//! An oddity is declared in `oddities.rs`, and planted where the specification leaves a choice, with `is_odd` in place of
//! `has`. It may go together with a fault: some rules, such as those for names that fold, hold for odd servers alone.
#![allow(
    clippy::nonminimal_bool,
    reason = "the condition of a fault stands beside that of its rule, and is not folded into it"
)]

mod arguments;
mod careless;
mod command;
mod envelope;
pub mod faults;
mod forgiving;
mod limits;
pub mod oddities;
mod paths;
mod reply;
mod sequence;
mod server;
mod session;
mod store;
mod switches;
mod wire;
mod worker;

pub use command::command;
pub use faults::{Fault, faults};
pub use oddities::{Oddity, oddities};
