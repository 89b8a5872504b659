//! The codec from the outside, one module a concern.
#![allow(clippy::unwrap_used, reason = "a test fails where it is surprised")]

mod cbor;
mod diagnostic;
mod envelope;
mod operations;
mod paths;
mod replies;
mod requests;
mod snapshots;
mod spec_examples;
mod strategies;
mod tokens;
