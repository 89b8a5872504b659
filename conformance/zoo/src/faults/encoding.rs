//! Faults of the CBOR profile.

use super::declare::faults;

faults! {}
