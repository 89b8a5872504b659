//! The `remofile` command.

fn main() {}
