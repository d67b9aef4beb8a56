//! The one funnel from what goes wrong in TLS to what is said about it.

use std::fmt;
use std::io;

use rustls::AlertDescription;

/// Why a session failed. Each is final.
#[derive(Debug)]
pub enum TlsFault {
    /// We do not accept the certificate of the peer: its chain, dates or name.
    Certificate(rustls::Error),
    /// The peer ended the session with this alert.
    Refused(AlertDescription),
    /// The peer broke the protocol, or has nothing in common with us.
    Protocol(rustls::Error),
    /// The peer sends a handshake message that is larger than any honest one.
    HandshakeTooLarge,
    /// The peer closed the connection before the handshake was done.
    HandshakeCut,
    /// Application data was to be sent before the handshake was done.
    HandshakeUnfinished,
    /// The session has been closed by us, or has failed before.
    Closed,
    /// TLS 1.2 has sent as many records as its keys are good for.
    KeysExhausted,
    /// The socket failed.
    Io(io::Error),
}

impl TlsFault {
    /// True where the certificate is at fault (at an origin: 526); false where the handshake is (525).
    #[must_use]
    pub fn is_certificate(&self) -> bool {
        matches!(self, Self::Certificate(_))
    }

    /// The number of the alert by which the peer ended the session (RFC 8446 §6); 0 where it did not.
    #[must_use]
    pub fn alert(&self) -> u8 {
        match self {
            Self::Refused(alert) => (*alert).into(),
            _ => 0,
        }
    }

    pub(super) fn unexpected(state: &dyn fmt::Debug) -> Self {
        Self::Protocol(rustls::Error::General(format!(
            "TLS is in an unexpected state: {state:?}"
        )))
    }
}

impl From<rustls::Error> for TlsFault {
    fn from(error: rustls::Error) -> Self {
        match error {
            rustls::Error::AlertReceived(alert) => Self::Refused(alert),
            rustls::Error::InvalidCertificate(_)
            | rustls::Error::NoCertificatesPresented
            | rustls::Error::UnsupportedNameType
            | rustls::Error::InvalidCertRevocationList(_) => Self::Certificate(error),
            other => Self::Protocol(other),
        }
    }
}

impl From<io::Error> for TlsFault {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Certificate(error) => write!(f, "The certificate was not accepted: {error}."),
            Self::Refused(alert) => write!(f, "The peer ended TLS with the alert {alert:?}."),
            Self::Protocol(error) => write!(f, "TLS failed: {error}."),
            Self::HandshakeTooLarge => f.write_str("The peer's TLS handshake message is too large."),
            Self::HandshakeCut => f.write_str("The peer closed the connection during the TLS handshake."),
            Self::HandshakeUnfinished => f.write_str("The TLS handshake is not finished."),
            Self::Closed => f.write_str("The TLS session is closed."),
            Self::KeysExhausted => f.write_str("The TLS keys have encrypted as much as they may."),
            Self::Io(error) => write!(f, "The connection failed during TLS: {error}."),
        }
    }
}

impl std::error::Error for TlsFault {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Certificate(error) | Self::Protocol(error) => Some(error),
            Self::Io(error) => Some(error),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_alert_of_the_peer_s_is_known_by_its_number() {
        assert_eq!(TlsFault::Refused(AlertDescription::BadRecordMac).alert(), 20);
        assert_eq!(TlsFault::HandshakeCut.alert(), 0);
    }
}
