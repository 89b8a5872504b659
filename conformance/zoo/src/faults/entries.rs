//! Faults of entries and etags.

use super::declare::faults;

faults! {}
