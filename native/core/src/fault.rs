//! What can go wrong between a decision and an origin's answer, and how the client is told.

use std::fmt;

/// A failure with its verdict: a status of the 52x family (cloudflare.md §1.10), and one sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: FaultKind,
    pub(crate) reason: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FaultKind {
    /// The origin's answer was empty, cut, or not HTTP.
    BadAnswer,
    /// It refused the connection.
    Refused,
    /// It did not accept the connection in time.
    ConnectTimedOut,
    /// No route to it.
    Unreachable,
    /// It accepted and then did not answer in time.
    NoAnswer,
    /// The TLS handshake with it failed.
    TlsFailed,
    /// Its certificate is not valid for us.
    CertificateInvalid,
    /// Its name does not resolve.
    NameUnknown,
    /// It agreed to the upgrade in a way that RFC 6455 §4.1 forbids.
    BadUpgrade,
    /// It answered with a status that is to be explained instead of passed on.
    Answered(u16),
    /// The code of a Worker has raised what nobody has caught.
    Threw,
    /// It has used more than it may.
    OverLimits,
    /// Too many connections to it wait to be made.
    OriginBusy,
    /// The zone has as many open WebSockets as it may have.
    ZoneConnections,
    /// The client's address has.
    AddressConnections,
    /// The edge itself has no descriptors or memory for the connection.
    EdgeExhausted,
}

impl Fault {
    pub(crate) fn new(kind: FaultKind, reason: impl fmt::Display) -> Self {
        Self {
            kind,
            reason: reason.to_string(),
        }
    }
}

impl FaultKind {
    pub(crate) fn status(self) -> u16 {
        match self {
            Self::Threw => 500,
            Self::BadUpgrade => 502,
            Self::OverLimits | Self::EdgeExhausted | Self::OriginBusy | Self::ZoneConnections => 503,
            Self::AddressConnections => 429,
            Self::BadAnswer => 520,
            Self::Refused => 521,
            Self::ConnectTimedOut => 522,
            Self::Unreachable => 523,
            Self::NoAnswer => 524,
            Self::TlsFailed => 525,
            Self::CertificateInvalid => 526,
            Self::NameUnknown => 530,
            Self::Answered(status) => status,
        }
    }

    /// What is said where the origin is the process of a Worker, which is nobody's server: Cloudflare's status and code, and a
    /// sentence. None for what is no failure of the process.
    pub(crate) fn of_worker(self) -> Option<(u16, u16, &'static str)> {
        match self {
            Self::Threw => Some((500, 1101, "the Worker threw an exception")),
            Self::OverLimits => Some((503, 1102, "the Worker exceeded its limits")),
            Self::NoAnswer | Self::ConnectTimedOut => Some((503, 1102, "the Worker did not answer in time")),
            Self::BadAnswer | Self::Refused | Self::Unreachable | Self::BadUpgrade => {
                Some((500, 1101, "the Worker's process has failed, or is not there"))
            }
            // Over a Unix socket there is neither TLS nor a name; the others are limits, or what the policy wants told.
            _ => None,
        }
    }

    /// Which limit of the edge it is about; "" for none.
    pub(crate) fn limit(self) -> &'static str {
        match self {
            Self::OriginBusy => "origin_busy",
            Self::ZoneConnections => "zone_connections",
            Self::AddressConnections => "address_connections",
            _ => "",
        }
    }

    /// True where it is a limit that the client met, and no failure.
    pub(crate) fn is_cap(self) -> bool {
        matches!(self, Self::ZoneConnections | Self::AddressConnections)
    }

    /// What `cf-error-type` says.
    pub(crate) fn code(self) -> u16 {
        match self {
            Self::NameUnknown => 1016,
            _ => self.status(),
        }
    }
}
