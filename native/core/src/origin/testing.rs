//! What tests of this folder share.

use std::time::Duration;

use tokio::task::LocalSet;

use super::{Address, Origin, OriginOptions};

/// Runs a task as a thread of the edge would.
pub(super) fn run<T>(task: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    LocalSet::new().block_on(&runtime, task)
}

/// A plain origin.
pub(super) fn origin_at(address: Address) -> Origin {
    Origin::new(OriginOptions {
        label: "o".to_owned(),
        address,
        base_path: String::new(),
        tls: None,
        server_name: String::new(),
        connect_timeout: Duration::from_secs(10),
        answer_timeout: Duration::from_secs(10),
    })
    .unwrap()
}
