//! Faults of limits.

use super::declare::faults;

faults! {}
