//! Faults of kinds and targets.

use super::declare::faults;

faults! {}
