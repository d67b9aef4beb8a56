//! The record of a WebSocket that has ended: what is kept of it, and how it is written.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::cause::{Cause, CloseReason, CloseSource, ClosedBy, Why};
use super::timestamp;
use crate::frames::{Close, Counts};
use crate::tunnel::Identity;

/// A tunnel that has ended, as the tunnel loop leaves it.
#[derive(Debug)]
pub struct Closed {
    /// Who it was for.
    pub identity: Box<Identity>,
    /// When it ended.
    pub at: SystemTime,
    /// How long it was open.
    pub duration: Duration,
    /// What the client sent.
    pub to_origin: Counts,
    /// What the origin sent.
    pub to_client: Counts,
    /// What is known of the client's leg.
    pub client: LegFacts,
    /// What is known of the origin's.
    pub origin: LegFacts,
    /// The Close frame the edge itself sent, if it sent one; where it sent two, the client's.
    pub edge_close: Option<(u16, String)>,
    /// Who ended it, and why.
    pub cause: Cause,
}

/// What is known of one leg when its tunnel has ended.
#[derive(Clone, Debug, Default)]
pub struct LegFacts {
    /// Its Close frame.
    pub close: Option<Close>,
    /// How long after the opening its last bytes came, other than answers to the edge's own pings; None if none did.
    pub last_active: Option<Duration>,
    /// The round-trip time of the last ping of the edge that it answered; None if there was none.
    pub rtt: Option<Duration>,
}

#[derive(Serialize)]
struct Direction {
    bytes: u64,
    text_messages: u64,
    text_bytes: u64,
    binary_messages: u64,
    binary_bytes: u64,
    pings: u64,
    pongs: u64,
    closes: u64,
    control_bytes: u64,
    reserved_frames: u64,
    messages_per_s: f64,
    bytes_per_s: f64,
}

impl Direction {
    fn new(counts: &Counts, duration: Duration) -> Self {
        Self {
            bytes: counts.bytes,
            text_messages: counts.text_messages,
            text_bytes: counts.text_bytes,
            binary_messages: counts.binary_messages,
            binary_bytes: counts.binary_bytes,
            pings: counts.pings,
            pongs: counts.pongs,
            closes: counts.closes,
            control_bytes: counts.control_bytes,
            reserved_frames: counts.reserved_frames,
            messages_per_s: per_second(counts.text_messages + counts.binary_messages, duration),
            bytes_per_s: per_second(counts.bytes, duration),
        }
    }
}

/// An average over the life, to the thousandth. What lived less than a millisecond counts as that.
fn per_second(count: u64, duration: Duration) -> f64 {
    let seconds = duration.max(Duration::from_millis(1)).as_secs_f64();
    // Exact up to 2^53, which no connection counts to.
    #[allow(clippy::cast_precision_loss)]
    let count = count as f64;
    (count / seconds * 1000.0).round() / 1000.0
}

#[derive(Serialize)]
pub(super) struct ClosedRecord<'a> {
    event: &'static str,
    time: String,
    ray_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    zone: &'a str,
    client: String,
    host: &'a str,
    path: &'a str,
    origin: &'a str,
    protocol: &'a str,
    tls_version: &'a str,
    subprotocol: &'a str,
    start: String,
    end: String,
    duration_ms: u64,
    to_origin: Direction,
    to_client: Direction,
    last_from_client: Option<String>,
    last_from_origin: Option<String>,
    rtt_client_ms: Option<f64>,
    rtt_origin_ms: Option<f64>,
    client_close_code: Option<u16>,
    client_close_reason: Option<String>,
    origin_close_code: Option<u16>,
    origin_close_reason: Option<String>,
    edge_close_code: Option<u16>,
    edge_close_reason: Option<&'a str>,
    closed_by: ClosedBy,
    why: Why,
    connection_close_reason: CloseReason,
    connection_close_source: CloseSource,
    transport_close_code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

impl<'a> ClosedRecord<'a> {
    pub(super) fn new(closed: &'a Closed) -> Self {
        let identity = &closed.identity;
        let end = timestamp(closed.at);
        let (client, origin) = (&closed.client, &closed.origin);
        let moment = |leg: &LegFacts| leg.last_active.map(|after| timestamp(identity.opened + after));
        Self {
            event: "websocket_closed",
            time: end.clone(),
            ray_id: identity.ray(),
            zone: identity.zone.name(),
            client: identity.client.to_string(),
            host: identity.host(),
            path: identity.path(),
            origin: &identity.origin,
            protocol: identity.spoken.protocol(),
            tls_version: identity.spoken.tls_version(),
            subprotocol: identity.subprotocol(),
            start: timestamp(identity.opened),
            end,
            duration_ms: u64::try_from(closed.duration.as_millis()).unwrap_or(u64::MAX),
            to_origin: Direction::new(&closed.to_origin, closed.duration),
            to_client: Direction::new(&closed.to_client, closed.duration),
            last_from_client: moment(client),
            last_from_origin: moment(origin),
            rtt_client_ms: client.rtt.map(milliseconds),
            rtt_origin_ms: origin.rtt.map(milliseconds),
            client_close_code: client.close.as_ref().and_then(Close::code),
            client_close_reason: client.close.as_ref().map(Close::reason),
            origin_close_code: origin.close.as_ref().and_then(Close::code),
            origin_close_reason: origin.close.as_ref().map(Close::reason),
            edge_close_code: closed.edge_close.as_ref().map(|(code, _)| *code),
            edge_close_reason: closed.edge_close.as_ref().map(|(_, reason)| reason.as_str()),
            closed_by: closed.cause.by,
            why: closed.cause.why,
            connection_close_reason: closed.cause.close_reason(),
            connection_close_source: closed.cause.close_source(),
            transport_close_code: closed.cause.alert,
            detail: closed.cause.detail.as_deref(),
        }
    }
}

/// To the microsecond.
fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1_000_000.0).round() / 1000.0
}
