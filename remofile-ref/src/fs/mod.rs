//! The local file system, for storage, client and sync: system calls, and what several of them together do.
//!
//! **Invariant**: `openat2`, `renameat2` and `linkat` are called here and nowhere else. A test holds it.

pub(crate) mod background_sync;
pub(crate) mod beneath;
pub(crate) mod calls;
pub(crate) mod dir;
pub(crate) mod io;
pub(crate) mod rename;
pub(crate) mod stat;
pub(crate) mod time;

#[cfg(test)]
mod tests;
