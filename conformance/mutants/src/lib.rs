//! A zoo of servers for the conformance suite: one that keeps the protocol, and behaviour that make it break one rule
//! ([`mutations`](mod@mutations)) or look unlike other servers while it keeps them all ([`variants`](mod@legal variants)).
//!
//! With every switch off it is an implementation of `spec/protocol.md` of its own, which shares the codec and the keys
//! with the reference and nothing else.
//!
//! # Planting a mutation
//!
//! A mutation is declared in the file of its section below `mutations/`, and planted where the rule is kept:
//!
//! ```text
//! if entry.kind() == Kind::Link && self.behaviour.has(&mutations::paths::LINKS_ARE_FOLLOWED) {
//!     …the wrong thing…
//! }
//! ```
//!
//! `has` comes last: it tells that the mutation was reached, which is true only where the server now does the wrong thing.
//!
//! # Planting a legal variant
//!
//! A legal variant is declared in `variants.rs`, and planted where the specification leaves a choice, with `is_variant` in place of
//! `has`. It may go together with a mutation: some rules, such as those for names that fold, apply to those variants alone.
#![allow(
    clippy::nonminimal_bool,
    reason = "the condition of a mutation stands beside that of its rule, and is not folded into it"
)]

mod arguments;
mod behaviour;
mod command;
mod envelope;
mod lax_decoder;
mod lax_encoder;
mod limits;
pub mod mutations;
mod paths;
mod reply;
mod sequence;
mod server;
mod session;
mod store;
mod transport;
pub mod variants;
mod worker;

pub use command::command;
pub use mutations::{Mutation, mutations};
pub use variants::{LegalVariant, legal_variants};
