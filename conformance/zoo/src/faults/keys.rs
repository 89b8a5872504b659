//! Faults of token, keys and CURVE.

use super::declare::faults;

faults! {}
