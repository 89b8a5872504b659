//! Faults of uploads.

use super::declare::faults;

faults! {}
