//! Sessions: WebSockets that end at the edge, and whose other end is a script's process, which gets messages and not bytes.
//!
//! Theory. A [`Session`] is a leg of a tunnel, in the place of a connection to an origin: it answers pings and Closes, takes
//! messages out of frames and puts messages into them. A [`Link`] is the connection of one tunnel loop to one script's
//! process: all sessions of the script in that loop speak over it, in [`records`]. What a process has not acknowledged is
//! kept, and told again to the next one, so that a process may be replaced while its clients stay.
//!
//! Law 1: nothing here touches a socket but [`Link`], and nothing knows a tunnel.
//! Law 2: messages of one session reach the process in order, and again until they are acknowledged.
//! Law 3: a process is told of the sessions of its own script, and can touch no others.
//! Law 4: a peer, or a process, that sends much or takes nothing costs memory up to a bound, and others nothing.

pub mod assembler;
pub mod autos;
pub mod journal;
mod kit;
mod link;
pub mod outgoing;
pub mod queue;
pub mod records;
mod session;
pub mod tools;

use std::path::Path;
use std::sync::{Arc, LazyLock};

pub use kit::{Fault, Kit, MAX_INFLATED_BYTES};
pub(crate) use link::{Link, MAX_OUT_BYTES, Received, UNBOUND, Wants, speaks_our_version};
pub use session::{Binding, MAX_STATE_BYTES, MAX_UNSENT_BYTES, News, Session, may_be_sent};

use crate::chance::random_bytes;
use crate::tunnel::{Half, Identity, Place, TunnelOptions};

/// Which script's process is the far end of a session, and what was agreed when it opened.
#[derive(Clone, Debug)]
pub struct SessionTerms {
    /// By what the process knows the session: the `Holdfast-Session` of its 101. Copied by the thread that keeps it.
    pub ticket: String,
    /// The Unix socket on which the script's process takes channel connections.
    pub channel: Arc<Path>,
    /// The script, as the installation knows it.
    pub script: Arc<str>,
    /// Whether permessage-deflate was agreed, without context takeover either way (RFC 7692 §7.1.1).
    pub is_compressed: bool,
}

/// A WebSocket to an origin that a script asked for, and that nobody uses yet.
pub struct Upstream {
    /// The connection to the origin, which has answered 101.
    pub half: Half,
    /// Who it is for.
    pub identity: Box<Identity>,
    /// What is asked of it as a tunnel.
    pub options: Arc<TunnelOptions>,
    /// Whether permessage-deflate was agreed, without context takeover either way.
    pub is_compressed: bool,
    /// Dropped when it has ended.
    pub place: Place,
}

/// The upstreams that wait for their script's process.
pub trait Upstreams: Send + Sync {
    /// The one that waits under this token for this script. It is taken once.
    fn take(&self, token: &str, script: &str) -> Option<Upstream>;
}

/// A number of this process, that no other edge has, to all practical purposes: the upper half of the numbers of its sessions.
#[must_use]
pub fn instance() -> u32 {
    static INSTANCE: LazyLock<u32> = LazyLock::new(|| u32::from_ne_bytes(random_bytes()));
    *INSTANCE
}
