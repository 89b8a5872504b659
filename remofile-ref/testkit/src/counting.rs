//! A server over the real store that counts how often each operation is executed.

use crate::process::TOKEN;
use crate::storage_server::{StorageServer, welcome};
use remofile::transport::{Bounds, ServerPattern};
use remofile::{ExecutionStatus, Storage, Store, StoreOptions, Token};
use remofile_proto::Operation;
use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path as LocalPath;

/// The real store, and how often each operation reached it.
struct Counting {
    store: Store,
    executed: BTreeMap<String, u32>,
}

impl Storage for Counting {
    fn perform(&mut self, operation: &Operation, payload: &[u8]) -> ExecutionStatus {
        if !is_computed(operation) {
            *self.executed.entry(text(operation)).or_default() += 1;
        }
        self.store.perform(operation, payload)
    }

    fn proceed(&mut self) -> ExecutionStatus {
        self.store.proceed()
    }

    fn cancel(&mut self) {
        self.store.cancel();
    }
}

/// A server over the counting store, in a thread.
pub struct CountingServer {
    pub address: SocketAddr,
    serving: StorageServer<BTreeMap<String, u32>>,
}

impl CountingServer {
    pub fn start(directory: &LocalPath, pattern: ServerPattern) -> Self {
        let store = Store::open(directory, StoreOptions { chunk: 65_536, ..StoreOptions::default() }).unwrap();
        let storage = Counting { store, executed: BTreeMap::new() };
        let bounds = Bounds { window: 32, chunk: 65_536, ..Bounds::default() };
        let welcome = welcome(&bounds);
        let serving = StorageServer::start(storage, pattern, bounds, welcome, |storage| storage.executed.clone());
        Self { address: (Ipv4Addr::LOCALHOST, serving.port).into(), serving }
    }

    /// Ends it and tells how often each operation was executed.
    pub fn stop(self) -> BTreeMap<String, u32> {
        self.serving.stop().unwrap()
    }
}

/// Whether a server may execute it again on a resend [SEQ-8].
pub fn is_computed(operation: &Operation) -> bool {
    matches!(operation, Operation::Read { .. })
}

/// What an operation is counted under.
pub fn text(operation: &Operation) -> String {
    format!("{operation:?}")
}

pub fn token() -> Token {
    TOKEN.parse().unwrap()
}
