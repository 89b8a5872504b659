//! Faults of mkdir, put, write, truncate and touch.

use super::declare::faults;

faults! {}
