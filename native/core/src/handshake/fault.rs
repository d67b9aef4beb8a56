//! What can be wrong with an opening handshake, on either leg, and how to say it.

use std::fmt;

use super::extensions::ExtensionsFault;
use crate::http::Quoted;

/// Why a client's attempt to open a WebSocket is refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeFault {
    /// The method is not GET.
    Method(Box<str>),
    /// The client speaks HTTP/1.0, which has no upgrade.
    Http10,
    /// `Connection` lacks `upgrade`.
    Connection,
    /// `Upgrade` lacks `websocket`.
    Upgrade,
    /// An `Upgrade` that has more than `websocket` in it.
    UpgradeList(Box<[u8]>),
    /// So many `Upgrade`; there must be one.
    UpgradeCount(usize),
    /// The request has a body.
    Body,
    /// A protocol version that is not 13: another number, a list, or no number.
    Version(Box<[u8]>),
    /// So many `Sec-WebSocket-Version`; there must be one.
    VersionCount(usize),
    /// A key that is not 16 bytes in base64.
    Key(Box<[u8]>),
    /// So many `Sec-WebSocket-Key`; there must be one.
    KeyCount(usize),
    /// A subprotocol that is no token.
    Protocol(Box<[u8]>),
    /// A subprotocol that is offered twice.
    RepeatedProtocol(Box<[u8]>),
    /// More subprotocols than the limit.
    TooManyProtocols(usize),
    /// The extensions.
    Extensions(ExtensionsFault),
}

impl HandshakeFault {
    /// 426 for whatever is wrong with the version of the protocol (RFC 6455 §4.2.2, item 4), else 400.
    #[must_use]
    pub fn status(&self) -> u16 {
        if self.is_of_version() { 426 } else { 400 }
    }

    /// One sentence: what is wrong and what was expected. Bytes of the client stand in it escaped.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }

    /// Fields the answer must have: with 426 the version we speak (RFC 6455 §4.4) and `Upgrade` (RFC 9110 §15.5.22).
    #[must_use]
    pub fn answer_fields(&self) -> &'static [(&'static str, &'static str)] {
        if self.is_of_version() {
            &[("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")]
        } else {
            &[]
        }
    }

    fn is_of_version(&self) -> bool {
        matches!(self, Self::Version(_) | Self::VersionCount(_))
    }
}

impl fmt::Display for HandshakeFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Method(method) => {
                write!(
                    out,
                    "the method is {}; a WebSocket is opened with GET",
                    Quoted(method.as_bytes())
                )
            }
            Self::Http10 => out.write_str("the request is HTTP/1.0; a WebSocket is opened with HTTP/1.1"),
            Self::Connection => out.write_str("Upgrade stands without \"upgrade\" in Connection; expected both"),
            Self::Upgrade => {
                out.write_str("there is a Sec-WebSocket-Key without \"websocket\" in Upgrade; expected both")
            }
            Self::UpgradeList(value) => write!(out, "Upgrade is {}; expected \"websocket\" alone", Quoted(value)),
            Self::UpgradeCount(count) => {
                write!(
                    out,
                    "Upgrade stands {count} times; expected one line with \"websocket\""
                )
            }
            Self::Body => out.write_str("the request has a body; one that opens a WebSocket has none"),
            Self::Version(version) => {
                write!(out, "Sec-WebSocket-Version is {}; expected \"13\"", Quoted(version))
            }
            Self::VersionCount(count) => {
                write!(
                    out,
                    "Sec-WebSocket-Version stands {count} times; expected one line with \"13\""
                )
            }
            Self::Key(key) => write!(out, "Sec-WebSocket-Key is {}; expected 16 bytes in base64", Quoted(key)),
            Self::KeyCount(count) => write!(out, "Sec-WebSocket-Key stands {count} times; expected one line"),
            Self::Protocol(name) => {
                write!(
                    out,
                    "Sec-WebSocket-Protocol has {}; expected names of token characters",
                    Quoted(name)
                )
            }
            Self::RepeatedProtocol(name) => {
                write!(
                    out,
                    "Sec-WebSocket-Protocol has {} twice; expected each name once",
                    Quoted(name)
                )
            }
            Self::TooManyProtocols(limit) => write!(out, "Sec-WebSocket-Protocol has more than {limit} names"),
            Self::Extensions(fault) => fault.fmt(out),
        }
    }
}

impl std::error::Error for HandshakeFault {}

/// Why an origin's answer opens no WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AnswerFault {
    /// The status is not 101.
    Status(u16),
    /// The origin speaks HTTP/1.0, which has neither 1xx nor an upgrade (RFC 9110 §15.2, §7.8).
    Http10,
    /// `Upgrade` lacks `websocket`.
    Upgrade,
    /// `Connection` lacks `upgrade`.
    Connection,
    /// So many `Sec-WebSocket-Accept`; there must be one.
    AcceptCount(usize),
    /// A `Sec-WebSocket-Accept` that does not fit the key.
    Accept {
        /// What the origin sent.
        got: Box<[u8]>,
        /// What the key asks for.
        expected: String,
    },
    /// A subprotocol that was not offered.
    Protocol(Box<[u8]>),
    /// So many `Sec-WebSocket-Protocol`; there must be one at most.
    ProtocolCount(usize),
    /// The extensions.
    Extensions(ExtensionsFault),
    /// An extension that was not offered.
    ExtensionNotOffered(Box<str>),
    /// An extension that is accepted twice.
    RepeatedExtension(Box<str>),
    /// Parameters of permessage-deflate that no offer allows.
    Parameters(Box<[u8]>),
    /// permessage-deflate without `server_no_context_takeover`, which was asked for.
    Takeover,
}

impl AnswerFault {
    /// One sentence: what is wrong and what was expected. Bytes of the origin stand in it escaped.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for AnswerFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Status(status) => write!(out, "the status is {status}; expected 101"),
            Self::Http10 => out.write_str("the 101 is HTTP/1.0; a WebSocket is opened with HTTP/1.1"),
            Self::Upgrade => out.write_str("the 101 lacks \"websocket\" in Upgrade"),
            Self::Connection => out.write_str("the 101 lacks \"upgrade\" in Connection"),
            Self::AcceptCount(count) => {
                write!(
                    out,
                    "Sec-WebSocket-Accept stands {count} times in the 101; expected one line"
                )
            }
            Self::Accept { got, expected } => {
                write!(out, "Sec-WebSocket-Accept is {}; expected \"{expected}\"", Quoted(got))
            }
            Self::Protocol(name) => write!(out, "the subprotocol {} was not offered", Quoted(name)),
            Self::ProtocolCount(count) => {
                write!(
                    out,
                    "Sec-WebSocket-Protocol stands {count} times in the 101; expected one line at most"
                )
            }
            Self::Extensions(fault) => fault.fmt(out),
            Self::ExtensionNotOffered(name) => {
                write!(out, "the extension {} was not offered", Quoted(name.as_bytes()))
            }
            Self::RepeatedExtension(name) => {
                write!(out, "the extension {} is accepted twice", Quoted(name.as_bytes()))
            }
            Self::Parameters(value) => {
                write!(
                    out,
                    "Sec-WebSocket-Extensions is {}, which no offer allows",
                    Quoted(value)
                )
            }
            Self::Takeover => out.write_str(
                "permessage-deflate lacks \"server_no_context_takeover\", which was asked for (RFC 7692, section 7.1.1.1)",
            ),
        }
    }
}

impl std::error::Error for AnswerFault {}

impl From<ExtensionsFault> for HandshakeFault {
    fn from(fault: ExtensionsFault) -> Self {
        Self::Extensions(fault)
    }
}

impl From<ExtensionsFault> for AnswerFault {
    fn from(fault: ExtensionsFault) -> Self {
        Self::Extensions(fault)
    }
}
