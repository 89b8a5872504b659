//! Faults of stat, read and hash.

use super::declare::faults;

faults! {}
