//! Open WebSockets as they are listed, what to look for among them, and in which order.
//!
//! Law 1: these are values of one moment. Whoever looks at thousands of tunnels does it in steps, and between two steps the
//!        tunnels go on: one that opens or ends meanwhile may be in the answer or not.
//! Law 2: equals are in the order of their ids, so that pages neither overlap nor leave out.

mod filter;
mod recent;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::SystemTime;

pub use filter::{Filter, Network};
pub use recent::{Event, Happened, Recent};

use crate::frames::Counts;
use crate::zones::Zone;

/// What a list is ordered by; ascending, unless the query says otherwise.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The oldest first.
    #[default]
    OpenedAt,
    /// Those with the latest activity first.
    Idle,
    /// Those that carried the fewest bytes both ways first.
    Bytes,
    /// The same of messages.
    Messages,
    /// The quickest first, both legs together; those of which nothing is known last, in either direction.
    Rtt,
}

/// Which connections to tell.
#[derive(Debug, Default)]
pub struct Query {
    /// Which are meant.
    pub filter: Filter,
    /// In which order.
    pub sort: Sort,
    /// The order turned round.
    pub descending: bool,
    /// How many of them to leave out first.
    pub offset: usize,
    /// How many of the rest to tell.
    pub limit: usize,
}

impl Query {
    /// A value's place in the order: the smaller comes first.
    pub(crate) fn rank(&self, value: Option<u64>) -> u64 {
        match value {
            None => u64::MAX,
            Some(value) if self.descending => u64::MAX - 1 - value.min(u64::MAX - 1),
            Some(value) => value.min(u64::MAX - 1),
        }
    }
}

/// One open WebSocket, as it stood when it was asked for.
#[derive(Clone, Debug)]
pub struct LiveConnection {
    /// The ray id of its upgrade request.
    pub ray: String,
    /// Its zone.
    pub zone: Arc<Zone>,
    /// The client's address.
    pub client: SocketAddr,
    /// The host asked for.
    pub host: String,
    /// The path asked for.
    pub path: String,
    /// The origin's label.
    pub origin: Arc<str>,
    /// What the client speaks.
    pub protocol: &'static str,
    /// The client's TLS; "" for none.
    pub tls_version: &'static str,
    /// The subprotocol that was agreed upon; "" for none.
    pub subprotocol: Box<str>,
    /// When it opened.
    pub opened: SystemTime,
    /// When each side last sent something, the client first; the opening, where it sent nothing.
    pub last_from: [SystemTime; 2],
    /// The round-trip time of each leg, the client's first, in microseconds.
    pub rtt_us: [Option<u64>; 2],
    /// What went to the origin, and to the client.
    pub counts: [Counts; 2],
    /// Its end has begun.
    pub is_closing: bool,
}

/// A ray id as a number, for comparing: its first sixteen digits.
pub(crate) fn ray_number(ray: &str) -> u64 {
    ray.get(..16)
        .and_then(|digits| u64::from_str_radix(digits, 16).ok())
        .unwrap_or_default()
}

#[cfg(test)]
#[path = "live/tests.rs"]
mod tests;
