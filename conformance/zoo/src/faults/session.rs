//! Faults of sessions.

use super::declare::faults;

faults! {}
