//! Synchronising, beside rsync, and its trash.

mod rsync;
mod trash;
