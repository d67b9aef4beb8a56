//! The head of a request (RFC 9112 §3, RFC 9110 §7).
//!
//! Law 1: a head exists only where every question a router could ask has one answer: method, path, host, framing.
//! Law 2: a fault knows its status and its sentence; whoever answers needs nothing else.

use std::fmt;

use super::fields::FieldFault;
use super::framing::{self, FramingFault};
use super::request_line::Line;
use super::syntax::Quoted;
use super::target::{Target, TargetFault, parse_authority, parse_target};
use super::{Fields, Framing, Version};

/// Longest head, request line included; beyond it we answer 431 and close. Precedents: nginx 4 x 8 KiB, Node 16 KiB.
pub const MAX_HEAD_BYTES: usize = 32 * 1024;

/// Longest target; beyond it we answer 414 and close. Precedents: nginx 8 KiB, Cloudflare 16 KiB.
pub const MAX_TARGET_BYTES: usize = 16 * 1024;

/// Longest method; beyond it we answer 501 (RFC 9112 §3). The longest one registered has 17 bytes.
pub(super) const MAX_METHOD_BYTES: usize = 32;

/// Most options in `Connection`. Each is compared with each field, so their number must not be the client's choice.
const MAX_CONNECTION_OPTIONS: usize = 32;

/// A whole, valid request head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHead {
    /// Method, target, authority and host, one behind the other; the numbers say where each begins.
    text: String,
    target_at: usize,
    authority_at: usize,
    host_at: usize,
    version: Version,
    framing: Framing,
    fields: Fields,
}

impl RequestHead {
    /// Joins a request line in `bytes` and its fields, and checks what only both together say.
    pub(super) fn new(bytes: &[u8], line: &Line, fields: Fields) -> Result<Self, RequestFault> {
        // The line was read and accepted when it was whole; reading its parts again cannot fail.
        let method = &bytes[line.method.clone()];
        let target = parse_target(&bytes[line.target.clone()], method)?;
        let framing = framing::declared(&fields, line.version)?;
        let named = host_field(&fields, line.version)?;
        check_connection(&fields).map_err(|limit| RequestFault::TooManyOptions { limit })?;

        let authority = target.authority.unwrap_or(named);
        let host = if authority.is_empty() {
            ""
        } else {
            parse_authority(authority.as_bytes())?
        };
        let mut text = String::with_capacity(method.len() + line.target.len() + 1 + authority.len() + host.len());
        text.extend(method.iter().copied().map(char::from));
        let target_at = text.len();
        push_target(&mut text, target);
        let authority_at = text.len();
        text.push_str(authority);
        let host_at = text.len();
        text.extend(host.chars().map(|letter| letter.to_ascii_lowercase()));
        Ok(Self {
            text,
            target_at,
            authority_at,
            host_at,
            version: line.version,
            framing,
            fields,
        })
    }

    /// The same head, which came over HTTP/2, where the stream frames the body.
    pub(crate) fn over_http2(mut self, framing: Framing) -> Self {
        (self.version, self.framing) = (Version::Http2, framing);
        self
    }

    /// The method, as sent; methods are case-sensitive (RFC 9110 §9.1).
    #[must_use]
    pub fn method(&self) -> &str {
        &self.text[..self.target_at]
    }

    /// The target in origin-form, path and query as sent, or `*`. An absolute-form is reduced to this.
    #[must_use]
    pub fn target(&self) -> &str {
        &self.text[self.target_at..self.authority_at]
    }

    /// The target's part before the first `?`. Not decoded.
    #[must_use]
    pub fn path(&self) -> &str {
        self.target().split_once('?').map_or(self.target(), |(path, _)| path)
    }

    /// The target's part behind the first `?`, or "". Not decoded.
    #[must_use]
    pub fn query(&self) -> &str {
        self.target().split_once('?').map_or("", |(_, query)| query)
    }

    /// Host and port as sent: of the absolute-form if there was one, else of Host. "" for HTTP/1.0 without either.
    #[must_use]
    pub fn authority(&self) -> &str {
        &self.text[self.authority_at..self.host_at]
    }

    /// The host in lower case without its port and without a final dot. An IPv6 address keeps its brackets.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.text[self.host_at..]
    }

    /// The client's version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All fields, as sent.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// How the body ends; never `UntilClose`. `Length(0)` where the client said so, `None` where it said nothing.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the client wants to send another request on this connection (RFC 9112 §9.3).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        wants_keep_alive(&self.fields, self.version)
    }

    /// Whether the client waits for a 100 before it sends its body. HTTP/1.0 cannot (RFC 9110 §10.1.1).
    #[must_use]
    pub fn expects_continue(&self) -> bool {
        self.version > Version::Http10 && self.fields.has_token("expect", "100-continue")
    }
}

fn push_target(text: &mut String, target: Target<'_>) {
    if !target.path_and_query.starts_with(['/', '*']) {
        text.push('/');
    }
    text.push_str(target.path_and_query);
}

fn host_field(fields: &Fields, version: Version) -> Result<&str, TargetFault> {
    match (fields.first("host"), fields.count("host")) {
        (Some(value), 1) => {
            parse_authority(value)?;
            // `parse_authority` accepts ASCII only.
            Ok(std::str::from_utf8(value).unwrap_or_default())
        }
        (None, _) if version == Version::Http10 => Ok(""),
        (None, _) => Err(TargetFault::NoHost),
        (Some(_), _) => Err(TargetFault::RepeatedHost),
    }
}

/// RFC 9112 §9.3: `close` wins; else 1.1 stays, and 1.0 stays if it asks to.
pub(super) fn wants_keep_alive(fields: &Fields, version: Version) -> bool {
    !fields.has_token("connection", "close")
        && (version > Version::Http10 || fields.has_token("connection", "keep-alive"))
}

/// Refuses a `Connection` with more options than any honest sender has. The error is the limit.
pub(super) fn check_connection(fields: &Fields) -> Result<(), usize> {
    if fields.tokens("connection").count() > MAX_CONNECTION_OPTIONS {
        Err(MAX_CONNECTION_OPTIONS)
    } else {
        Ok(())
    }
}

/// Why a request is refused. Its connection must be closed after the answer: where the next request begins is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestFault {
    /// The method has a byte that no token has, or is empty.
    MethodByte(u8),
    /// The method is longer than any.
    MethodTooLong,
    /// A method we refuse for every resource.
    MethodNotAllowed(Box<[u8]>),
    /// The target is empty or has a byte that no target has.
    TargetByte(u8),
    /// The target is longer than `MAX_TARGET_BYTES`.
    TargetTooLong,
    /// What follows the target is no version.
    VersionByte(u8),
    /// A version, but not one of ours.
    UnknownVersion(Box<[u8]>),
    /// The target or the host.
    Target(TargetFault),
    /// A field line, or the size of all.
    Field(FieldFault),
    /// The framing.
    Framing(FramingFault),
    /// `Connection` has more options than `limit`.
    TooManyOptions {
        /// How many are allowed.
        limit: usize,
    },
}

impl RequestFault {
    /// The status to answer with (RFC 9110 §15).
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::MethodNotAllowed(_) => 405,
            Self::TargetTooLong => 414,
            Self::Field(fault) if fault.is_limit() => 431,
            Self::MethodTooLong | Self::Framing(FramingFault::UnknownCoding(_)) => 501,
            Self::UnknownVersion(_) => 505,
            _ => 400,
        }
    }

    /// One sentence: what is wrong and what was expected. Bytes of the client stand in it escaped.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }

    /// Fields the answer must have: `Allow` with 405 (RFC 9110 §15.5.6).
    #[must_use]
    pub fn answer_fields(&self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::MethodNotAllowed(_) => &[("Allow", "GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH")],
            _ => &[],
        }
    }
}

impl fmt::Display for RequestFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::MethodByte(byte) => {
                write!(
                    out,
                    "the method has the byte 0x{byte:02x}; expected letters, then one space"
                )
            }
            Self::MethodTooLong => write!(out, "the method is longer than {MAX_METHOD_BYTES} bytes; no method is"),
            Self::MethodNotAllowed(method) => write!(out, "the method {} is refused here", Quoted(method)),
            Self::TargetByte(b' ') => out.write_str("two spaces follow the method; expected one, then the target"),
            Self::TargetByte(b'#') => out.write_str("the request target has a \"#\"; a fragment is never sent"),
            Self::TargetByte(byte) => {
                write!(
                    out,
                    "the byte 0x{byte:02x} stands in the request target; expected \"TARGET HTTP/1.1\""
                )
            }
            Self::TargetTooLong => {
                write!(
                    out,
                    "the request target is longer than {MAX_TARGET_BYTES} bytes, which is the limit"
                )
            }
            Self::VersionByte(byte) => write!(
                out,
                "the byte 0x{byte:02x} stands where the request line must end; expected \"HTTP/1.1\" and CRLF"
            ),
            Self::UnknownVersion(version) => {
                write!(out, "the version is {}; expected HTTP/1.1 or HTTP/1.0", Quoted(version))
            }
            Self::Target(fault) => fault.fmt(out),
            Self::Field(fault) => fault.fmt(out),
            Self::Framing(fault) => fault.fmt(out),
            Self::TooManyOptions { limit } => write!(out, "Connection has more than {limit} options"),
        }
    }
}

impl std::error::Error for RequestFault {}

impl From<TargetFault> for RequestFault {
    fn from(fault: TargetFault) -> Self {
        Self::Target(fault)
    }
}

impl From<FieldFault> for RequestFault {
    fn from(fault: FieldFault) -> Self {
        Self::Field(fault)
    }
}

impl From<FramingFault> for RequestFault {
    fn from(fault: FramingFault) -> Self {
        Self::Framing(fault)
    }
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
