//! What a zone asks of its tunnels, fixed when a tunnel opens. What is None is off.

use std::num::NonZeroU64;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use crate::messages::MessageRules;

/// Pings of the edge's own to a leg that is silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Keepalive {
    /// How long a leg may be silent before it is asked, and how long it has to answer.
    pub interval: Duration,
    /// After how many unanswered pings it is dead.
    pub misses: u8,
}

/// What one direction may carry in a second. A second's worth may come at once.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Rates {
    /// Messages, counted when their first frame begins.
    pub messages_per_s: Option<f64>,
    /// Bytes, frame headers and control frames included.
    pub bytes_per_s: Option<f64>,
}

impl Rates {
    /// True where nothing is limited.
    #[must_use]
    pub fn is_unlimited(&self) -> bool {
        self.messages_per_s.is_none() && self.bytes_per_s.is_none()
    }
}

/// What happens to a side that sends more than it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OverRate {
    /// It is read no faster than it may send: TCP slows it down.
    #[default]
    Throttle,
    /// It is closed with 1008.
    Close,
}

/// What a zone asks of its tunnels.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TunnelOptions {
    /// Pings to silent legs.
    pub keepalive: Option<Keepalive>,
    /// How long nothing may pass.
    pub idle_timeout: Option<Duration>,
    /// How long a tunnel may be open.
    pub max_age: Option<Duration>,
    /// Up to which part of `max_age` a tunnel may end earlier, by chance; 0 to 1.
    pub max_age_jitter: f64,
    /// How long a frame that has begun may wait for more of it.
    pub read_stall_timeout: Option<Duration>,
    /// How long a side may take nothing of what waits for it.
    pub write_stall_timeout: Option<Duration>,
    /// The largest message, in bytes of payload as they are on the wire, over all of its frames.
    pub max_message_bytes: Option<NonZeroU64>,
    /// What clients may send.
    pub to_origin: Rates,
    /// What origins may send.
    pub to_client: Rates,
    /// What happens beyond that.
    pub over_rate: OverRate,
    /// How many WebSockets of the zone may be open in this process.
    pub max_zone_connections: Option<NonZeroU64>,
    /// How many of them may be of one client address.
    pub max_address_connections: Option<NonZeroU64>,
    /// What is asked of text messages; None where of none.
    pub message_rules: Option<Arc<MessageRules>>,
}

impl TunnelOptions {
    /// Everything off: one value for all tunnels nobody asks anything of.
    #[must_use]
    pub fn off() -> Arc<Self> {
        static OFF: LazyLock<Arc<TunnelOptions>> = LazyLock::new(Arc::default);
        Arc::clone(&OFF)
    }
}
