//! Mutations of flush and durability.

use super::declare::mutations;

mutations! {}
