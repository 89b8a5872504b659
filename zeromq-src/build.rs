//! Hands the place of the libsodium that cargo has just compiled on to the library.

use std::env;

fn main() {
    for (metadata, handed_on) in
        [("DEP_SODIUM_LIB", "REMOFILE_SODIUM_LIB"), ("DEP_SODIUM_INCLUDE", "REMOFILE_SODIUM_INCLUDE")]
    {
        let Ok(directory) = env::var(metadata) else {
            println!(
                "cargo::error=libsodium was not compiled from source: unset SODIUM_LIB_DIR and SODIUM_USE_PKG_CONFIG"
            );
            return;
        };
        println!("cargo::rustc-env={handed_on}={directory}");
    }
    println!("cargo::rerun-if-changed=build.rs");
}
