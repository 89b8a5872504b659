//! The conformance suite of the Remofile protocol.

fn main() {}
