//! Reference implementation of the Remofile protocol, version 1: server, client and their pure parts.
//!
//! ```no_run
//! remofile::FileServer::new("shared", "TTA3rMB8VtNYv25kdipkaJ")?.run("localhost:6768")?;
//! # Ok::<(), remofile::ServeError>(())
//! ```
//!
//! What a program that embeds either has to put into its `Cargo.toml`, sockets of its own, stopping, security and memory
//! are in `EMBEDDING.md`, which is also the module `embedding`.

#[cfg(feature = "transport")]
pub mod client;
#[cfg(feature = "transport")]
#[doc = include_str!("../EMBEDDING.md")]
pub mod embedding {}
mod fs;
mod keys;
pub mod protocol;
pub mod server;
pub mod storage;
#[cfg(feature = "transport")]
pub mod sync;
#[cfg(feature = "transport")]
pub mod transport;

#[cfg(feature = "transport")]
pub use client::{
    Cancel, ClientError, ClientOptions, FileClient, ItemOutcome, PartialDownload, Phase, Planned, Progress, RemoteFile,
    RemoteListing, Replace, SkipReason, TransferItem, TransferOptions, TransferStatus, Transferred, TreeProgress,
    TreeRemoved, TreeTransferred, partial_downloads,
};
pub use keys::{generate_keys, generate_token};
pub use remofile_proto::{PathError, Precondition, RemotePath, Token, TokenError};
pub use server::landlock::Confinement;
pub use server::service::{Frames, HandleOutcome};
#[cfg(feature = "transport")]
pub use server::{BoundServer, FileServer, Handler, ServeError, SocketServer, StopHandle};
pub use storage::{ExecutionStatus, Outcome, Storage, Store, StoreError, StoreOptions, Success};
#[cfg(feature = "transport")]
pub use transport::{Endpoint, EndpointError, zmq};
