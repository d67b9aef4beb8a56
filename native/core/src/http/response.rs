//! The head of a response (RFC 9112 §4).
//!
//! Law 1: an origin's head is read as strictly as a client's. What an origin repeats or folds, another cache or browser
//!        behind us could read otherwise; so it is the origin's fault, and a 520 with the reason.
//! Law 2: the framing given is the one of RFC 9112 §6.3 with the request's method applied.

use std::fmt;
use std::ops::Range;

use super::fields::FieldFault;
use super::framing::{self, FramingFault};
use super::request::{check_connection, wants_keep_alive};
use super::scan::next_line_end;
use super::syntax::Quoted;
use super::{Fields, Framing, Version};

/// Longest head; beyond it the origin is at fault. Precedent: Cloudflare 128 KB.
pub const MAX_RESPONSE_HEAD_BYTES: usize = 128 * 1024;

/// A whole, valid response head.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ResponseHead {
    status: u16,
    reason: Box<[u8]>,
    version: Version,
    framing: Framing,
    fields: Fields,
}

impl ResponseHead {
    pub(super) fn new(
        bytes: &[u8],
        line: &StatusLine,
        fields: Fields,
        request_method: &str,
    ) -> Result<Self, ResponseFault> {
        check_connection(&fields).map_err(|limit| ResponseFault::TooManyOptions { limit })?;
        let declared = framing::declared(&fields, line.version)?;
        let has_no_body = request_method == "HEAD" || matches!(line.status, 100..=199 | 204 | 304);
        let framing = match declared {
            _ if has_no_body => Framing::None,
            Framing::None => Framing::UntilClose,
            declared => declared,
        };
        let reason = bytes[line.reason.clone()].into();
        Ok(Self {
            status: line.status,
            reason,
            version: line.version,
            framing,
            fields,
        })
    }

    /// The status, 100 to 999.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.status
    }

    /// The reason phrase as sent; often empty, sometimes not UTF-8.
    #[must_use]
    pub fn reason(&self) -> &[u8] {
        &self.reason
    }

    /// The origin's version.
    #[must_use]
    pub fn version(&self) -> Version {
        self.version
    }

    /// All fields, as sent.
    #[must_use]
    pub fn fields(&self) -> &Fields {
        &self.fields
    }

    /// Says this in the field `name`, once; or nothing, so that there is no such field.
    pub(crate) fn set(&mut self, name: &str, value: Option<&[u8]>) {
        self.fields.retain(|field| !field.eq_ignore_ascii_case(name.as_bytes()));
        if let Some(value) = value {
            self.fields.push(name, value);
        }
    }

    /// How the body ends. `None` for an answer to HEAD and for 1xx, 204 and 304, whatever length they name.
    #[must_use]
    pub fn framing(&self) -> Framing {
        self.framing
    }

    /// Whether the origin will take another request on this connection, once the body is read (RFC 9112 §9.3).
    #[must_use]
    pub fn keep_alive(&self) -> bool {
        self.framing != Framing::UntilClose && wants_keep_alive(&self.fields, self.version)
    }
}

/// What a status line says, and where it ends.
#[derive(Clone, Debug)]
pub(super) struct StatusLine {
    version: Version,
    status: u16,
    reason: Range<usize>,
    pub(super) end: usize,
}

/// Where the reading of a status line stands.
#[derive(Debug, Default)]
pub(super) struct LineScan {
    next: usize,
    line: Option<StatusLine>,
}

const NAME: &[u8] = b"HTTP/";

impl LineScan {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<StatusLine>, ResponseFault> {
        if self.line.is_none() {
            if let Some(other) = bytes.iter().zip(NAME).position(|(byte, expected)| byte != expected) {
                return Err(ResponseFault::NotHttp(bytes[..=other].into()));
            }
            if let Some(end) = next_line_end(bytes, &mut self.next, MAX_RESPONSE_HEAD_BYTES)? {
                self.line = Some(parse_line(bytes, end)?);
            }
        }
        Ok(self.line.clone())
    }
}

/// Reads `HTTP/1.1 200 OK`, which ends at `end`. The reason may be missing, also with the space before it: old servers
/// send that, and nothing is gained by refusing it.
fn parse_line(bytes: &[u8], end: usize) -> Result<StatusLine, ResponseFault> {
    let line = &bytes[..end];
    let fault = || ResponseFault::StatusLine(line.into());
    let version = match line.get(..8) {
        Some(b"HTTP/1.1") => Version::Http11,
        Some(b"HTTP/1.0") => Version::Http10,
        _ => return Err(fault()),
    };
    let (Some(b' '), Some(&[hundreds @ b'1'..=b'9', tens, ones])) = (line.get(8), line.get(9..12)) else {
        return Err(fault());
    };
    if !tens.is_ascii_digit() || !ones.is_ascii_digit() || !matches!(line.get(12), None | Some(b' ')) {
        return Err(fault());
    }
    let status = [hundreds, tens, ones]
        .iter()
        .fold(0, |status, digit| status * 10 + u16::from(digit - b'0'));
    Ok(StatusLine {
        version,
        status,
        reason: end.min(13)..end,
        end: end + 2,
    })
}

/// Why an origin's answer cannot be used. Its connection must be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ResponseFault {
    /// It does not begin as HTTP/1.x does; this is its start up to the first byte that differs.
    NotHttp(Box<[u8]>),
    /// The first line is no status line of HTTP/1.0 or 1.1.
    StatusLine(Box<[u8]>),
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

impl ResponseFault {
    /// One sentence: what is wrong and what was expected. Bytes of the origin stand in it escaped.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for ResponseFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotHttp(start) => {
                write!(out, "the answer begins with {}; expected \"HTTP/1.1\"", Quoted(start))
            }
            Self::StatusLine(line) => {
                write!(
                    out,
                    "the status line is {}; expected such as \"HTTP/1.1 200 OK\"",
                    Quoted(line)
                )
            }
            Self::Field(fault) => fault.fmt(out),
            Self::Framing(fault) => fault.fmt(out),
            Self::TooManyOptions { limit } => write!(out, "Connection has more than {limit} options"),
        }
    }
}

impl std::error::Error for ResponseFault {}

impl From<FieldFault> for ResponseFault {
    fn from(fault: FieldFault) -> Self {
        Self::Field(fault)
    }
}

impl From<FramingFault> for ResponseFault {
    fn from(fault: FramingFault) -> Self {
        Self::Framing(fault)
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
