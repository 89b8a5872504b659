//! Faults of hello, ping and bye.

use super::declare::faults;

faults! {}
