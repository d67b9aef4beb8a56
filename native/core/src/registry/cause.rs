//! One vocabulary for the end of a WebSocket: the log, the API, the metrics and the Close reason a client sees all use it.
//!
//! Law 1: the first that happened is told; what it led to is not.
//! Law 2: whatever the edge ends by itself is `closed_by: edge`; `detail` names the side that gave reason to.

use serde::Serialize;

use crate::tunnel::Side;

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The client.
    Client,
    /// The origin.
    Origin,
    /// The edge itself.
    Edge,
    /// A script, in the place of an origin, or of a client.
    Worker,
}

impl From<Side> for ClosedBy {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Origin => Self::Origin,
        }
    }
}

impl ClosedBy {
    /// As records name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Origin => "origin",
            Self::Edge => "edge",
            Self::Worker => "worker",
        }
    }
}

/// What ended it: the first of these that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A Close frame.
    CloseFrame,
    /// The end of the TCP (or TLS) stream without a Close frame: what a browser reports as 1006.
    EndOfStream,
    /// A connection reset, or another failure of the transport.
    TransportError,
    /// A TLS record that could not be read, or an alert.
    TlsError,
    /// The client left pings of the edge unanswered.
    ClientUnresponsive,
    /// The origin left pings of the edge unanswered.
    OriginUnresponsive,
    /// Nothing passed for as long as the zone allows.
    IdleTimeout,
    /// It was open for as long as the zone allows.
    MaxAge,
    /// A side began a frame and did not go on with it.
    ReadStalled,
    /// A side took nothing of what waited for it.
    WriteStalled,
    /// A side sent a message that is larger than the zone allows.
    MessageTooBig,
    /// A side sent more than the zone allows in a time.
    RateExceeded,
    /// A side sent a message that a rule of the zone keeps out.
    MessageRule,
    /// A side broke the protocol where the edge must understand it.
    ProtocolError,
    /// The script's process was replaced, and the session could not outlive it.
    WorkerRestarted,
    /// There was no process of the script that answered.
    WorkerUnresponsive,
    /// The edge was told to close this connection, or those of the zone.
    ClosedByOperator,
    /// The edge is being replaced by a new one.
    Release,
    /// The edge is being taken out of service.
    Drain,
    /// The edge was told to stop at once.
    EdgeStopping,
}

impl Why {
    /// As records and Close reasons name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloseFrame => "close_frame",
            Self::EndOfStream => "end_of_stream",
            Self::TransportError => "transport_error",
            Self::TlsError => "tls_error",
            Self::ClientUnresponsive => "client_unresponsive",
            Self::OriginUnresponsive => "origin_unresponsive",
            Self::IdleTimeout => "idle_timeout",
            Self::MaxAge => "max_age",
            Self::ReadStalled => "read_stalled",
            Self::WriteStalled => "write_stalled",
            Self::MessageTooBig => "message_too_big",
            Self::RateExceeded => "rate_exceeded",
            Self::MessageRule => "message_rule",
            Self::ProtocolError => "protocol_error",
            Self::WorkerRestarted => "worker_restarted",
            Self::WorkerUnresponsive => "worker_unresponsive",
            Self::ClosedByOperator => "closed_by_operator",
            Self::Release => "release",
            Self::Drain => "drain",
            Self::EdgeStopping => "edge_stopping",
        }
    }

    /// What a Close frame of the edge says: `why: sentence`. RFC 6455 §5.5 leaves it 123 bytes; more is cut when it is
    /// written.
    #[must_use]
    pub fn reason(self, sentence: &str) -> String {
        format!("{}: {sentence}", self.name())
    }
}

/// `ConnectionCloseReason` of the dataset `websocket_analytics` (cloudflare.md §1.11): the coarser word for the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CloseReason {
    /// In good order: a closing handshake, or an end that was meant.
    None,
    /// The transport failed in a way that has no word here.
    UnspecifiedError,
    /// Something took longer than it may.
    TimedOut,
    /// The client's connection was reset.
    PeerReset,
    /// The origin's connection was reset.
    UpstreamReset,
    /// A side broke the protocol, TLS, or a limit of the zone.
    ProtocolViolation,
    /// The stream ended in good order, without a Close frame.
    PeerNoError,
}

/// `ConnectionCloseSource` of the same dataset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum CloseSource {
    /// The origin.
    Upstream,
    /// The client.
    Downstream,
    /// The edge.
    Me,
}

impl CloseReason {
    /// As the dataset names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::UnspecifiedError => "unspecifiedError",
            Self::TimedOut => "timedOut",
            Self::PeerReset => "peerReset",
            Self::UpstreamReset => "upstreamReset",
            Self::ProtocolViolation => "protocolViolation",
            Self::PeerNoError => "peerNoError",
        }
    }
}

impl CloseSource {
    /// As the dataset names it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
            Self::Me => "me",
        }
    }
}

/// The first cause of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who.
    pub by: ClosedBy,
    /// What.
    pub why: Why,
    /// The error of the transport, where there was one; the side that gave reason, where the edge ended it.
    pub detail: Option<String>,
    /// The TLS alert that ended it (RFC 8446 §6), by its number; 0 where none did.
    pub alert: u8,
}

impl Cause {
    /// A cause without details.
    #[must_use]
    pub fn new(by: ClosedBy, why: Why) -> Self {
        Self {
            by,
            why,
            detail: None,
            alert: 0,
        }
    }

    /// The edge ended it, because of this side.
    #[must_use]
    pub fn of_edge(why: Why, because_of: Side) -> Self {
        Self {
            detail: Some(ClosedBy::from(because_of).name().to_owned()),
            ..Self::new(ClosedBy::Edge, why)
        }
    }

    /// The coarser word for it.
    #[must_use]
    pub fn close_reason(&self) -> CloseReason {
        match self.why {
            Why::CloseFrame
            | Why::WorkerRestarted
            | Why::ClosedByOperator
            | Why::Release
            | Why::Drain
            | Why::EdgeStopping => CloseReason::None,
            Why::EndOfStream => CloseReason::PeerNoError,
            Why::TransportError => self.transport_reason(),
            Why::ClientUnresponsive
            | Why::OriginUnresponsive
            | Why::WorkerUnresponsive
            | Why::IdleTimeout
            | Why::MaxAge
            | Why::ReadStalled
            | Why::WriteStalled => CloseReason::TimedOut,
            Why::TlsError | Why::MessageTooBig | Why::RateExceeded | Why::MessageRule | Why::ProtocolError => {
                CloseReason::ProtocolViolation
            }
        }
    }

    fn transport_reason(&self) -> CloseReason {
        let is = |kind: std::io::ErrorKind| self.detail.as_deref() == Some(kind.to_string().as_str());
        if is(std::io::ErrorKind::TimedOut) {
            CloseReason::TimedOut
        } else if self.detail.is_some()
            && !is(std::io::ErrorKind::ConnectionReset)
            && !is(std::io::ErrorKind::BrokenPipe)
        {
            CloseReason::UnspecifiedError
        } else if self.by == ClosedBy::Origin {
            CloseReason::UpstreamReset
        } else {
            CloseReason::PeerReset
        }
    }

    /// Where it came from, in the words of the same dataset.
    #[must_use]
    pub fn close_source(&self) -> CloseSource {
        match self.by {
            ClosedBy::Client => CloseSource::Downstream,
            ClosedBy::Origin | ClosedBy::Worker => CloseSource::Upstream,
            ClosedBy::Edge => CloseSource::Me,
        }
    }
}

#[cfg(test)]
#[path = "cause_tests.rs"]
mod tests;
