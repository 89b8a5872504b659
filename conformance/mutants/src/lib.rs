//! The mutation server of the conformance suite: a server that keeps the protocol, with mutations
//! ([`mutations`](mod@mutations)) that each make it break one rule, and legal variants ([`variants`](mod@variants)) in
//! which it differs from other servers and keeps every rule.
//!
//! Without either it is an independent implementation of `spec/protocol.md`, which shares codec and keys with the
//! reference, and nothing else.
//!
//! # Adding a mutation
//!
//! Declare the mutation in the file of its section below `mutations/`, and add it to a hook. A hook is a method
//! `mutated_…` in the file `mutated.rs` beside the module that keeps the rule. The module computes a value by the rule
//! and passes it to the hook, and the hook returns it unchanged unless a mutation applies:
//!
//! ```text
//! let lease_ms = self.mutated_lease(asked, asked.min(longest).max(1_000));
//! ```
//!
//! In the hook the condition comes first, and `has` last: `has` reports that the server reached its mutation, which has
//! to be true only where the server breaks the rule.
//!
//! # Adding a legal variant
//!
//! Declare the variant in `variants.rs`, and ask for it with `is_variant` where the specification leaves a choice. A
//! variant and a mutation may go together: some rules, such as those for names that fold, apply to variants alone.

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
