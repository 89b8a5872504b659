//! Build shim: makes the `zmq` crate link libzmq 4.3.5 with CURVE, statically, with cargo alone.
//!
//! `zmq` 0.10 depends on `zmq-sys` 0.12, whose build script calls this crate's namesake of the 0.2 line: libzmq 4.3.4,
//! asked for without libsodium and therefore without CURVE. `[patch.crates-io]` in the workspace puts this crate in its
//! place. It forwards to `zeromq-src` 0.3 with the libsodium that `libsodium-sys-stable` compiles from the source it
//! carries. Needed: Rust, a C++ compiler and make.
//!
//! A patch does not reach dependents: a program that embeds Remofile repeats it in its own workspace, or links without CURVE,
//! and then every constructor of the transport refuses to start.

use upstream::LibLocation;

/// The part of the builder that `zmq-sys` 0.12 calls.
#[derive(Debug, Default)]
pub struct Build(());

impl Build {
    /// A build of libzmq 4.3.5.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Changes nothing: `zmq-sys` passes `None`, and CURVE is built all the same.
    pub fn with_libsodium(&mut self, _location: Option<LibLocation>) -> &mut Self {
        self
    }

    /// Compiles libzmq and tells cargo to link it and libsodium statically.
    pub fn build(&mut self) {
        let sodium = LibLocation::new(env!("REMOFILE_SODIUM_LIB"), env!("REMOFILE_SODIUM_INCLUDE"));
        upstream::Build::new().with_libsodium(Some(sodium)).build();
    }
}
