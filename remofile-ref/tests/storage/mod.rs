//! The storage of a served directory: operations, limits, faults and power cuts.

mod denied;
mod faults;
mod file;
mod jail;
mod list;
mod model;
mod open;
mod power;
mod racer;
mod target;
mod upload;
