//! Faults of paths and names.

use super::declare::faults;

faults! {}
