//! The codec and the specification, one module for each concern.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]

mod capabilities;
mod cbor;
mod cddl;
mod diagnostic;
mod envelope;
mod json;
mod matches;
mod operations;
mod paths;
mod replies;
mod requests;
mod snapshots;
mod spec;
mod spec_examples;
mod strategies;
mod tokens;
mod vector_files;
mod vectors;
