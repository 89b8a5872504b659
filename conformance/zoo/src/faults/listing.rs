//! Faults of list.

use super::declare::faults;

faults! {}
