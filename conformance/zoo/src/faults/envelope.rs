//! Faults of the envelope.

use super::declare::faults;

faults! {}
