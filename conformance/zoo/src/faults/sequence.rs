//! Faults of sequence numbers.

use super::declare::faults;

faults! {}
