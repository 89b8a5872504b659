//! Faults of codes, their order, and what all operations share.

use super::declare::faults;

faults! {}
