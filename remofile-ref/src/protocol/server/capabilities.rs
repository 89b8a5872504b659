//! The capabilities of a server: the one place that decides what the reply to hello announces.

/// The names of the capabilities that this server announces in the reply to hello [EXT-1]. Version 1 defines none.
///
/// A client uses a capability only if the server announces it, so that what is announced is what both sides agree on.
pub fn announced_capabilities() -> impl Iterator<Item = String> {
    std::iter::empty()
}
