//! Faults of remove, move and copy.

use super::declare::faults;

faults! {}
