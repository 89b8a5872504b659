//! The `remofile` command.

use std::process::ExitCode;

/// The system's allocator gives the memory of each chunk back to the kernel, and a third of a transfer's time goes into
/// getting it again. This one replaces it for libzmq too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    remofile_cli::main()
}
