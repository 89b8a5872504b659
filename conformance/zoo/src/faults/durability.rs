//! Faults of flush and durability.

use super::declare::faults;

faults! {}
