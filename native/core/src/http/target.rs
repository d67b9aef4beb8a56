//! Where a request goes: the target of its request line (RFC 9112 §3.2) and its host (§3.2, RFC 9110 §7.2).
//!
//! Law 1: whoever routes by a host sees one spelling of it. So a host is a name of plain letters, digits, `-`, `.`, `_`
//!        and `~`, or an address; RFC 3986's percent-encoding and sub-delimiters, which no real name has, are refused. So
//!        are empty labels, and the final dot of a name that is whole (RFC 1034 §3.1) is not given.
//! Law 2: a target is given in origin-form or as `*`; the absolute-form's host then stands in for the Host field (§3.2.2).

use std::fmt;
use std::net::Ipv6Addr;

use super::syntax::Quoted;

/// A target in the form in which it is passed on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// What the absolute-form named, as sent.
    pub(super) authority: Option<&'a str>,
    /// The path with its query. Without its "/" where an absolute-form left the path out.
    pub(super) path_and_query: &'a str,
}

/// Reads a target whose bytes are already known to be target bytes.
pub(super) fn parse_target<'a>(target: &'a [u8], method: &[u8]) -> Result<Target<'a>, TargetFault> {
    let text = std::str::from_utf8(target).map_err(|_| TargetFault::NotUtf8)?;
    if text.starts_with('/') {
        return Ok(Target {
            authority: None,
            path_and_query: text,
        });
    }
    let is_options = method == b"OPTIONS";
    if text == "*" {
        let star = Target {
            authority: None,
            path_and_query: text,
        };
        return if is_options {
            Ok(star)
        } else {
            Err(TargetFault::StarWithoutOptions)
        };
    }
    let rest = after_scheme(text).ok_or_else(|| TargetFault::Form(target.into()))?;
    let (authority, path_and_query) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    parse_authority(authority.as_bytes())?;
    // RFC 9112 §3.2.4: an absolute-form without path and query is how OPTIONS asks a proxy for "*".
    let path_and_query = if is_options && path_and_query.is_empty() {
        "*"
    } else {
        path_and_query
    };
    Ok(Target {
        authority: Some(authority),
        path_and_query,
    })
}

fn after_scheme(text: &str) -> Option<&str> {
    let (scheme, rest) = text.split_once("://")?;
    ["http", "https", "ws", "wss"]
        .iter()
        .any(|known| scheme.eq_ignore_ascii_case(known))
        .then_some(rest)
}

/// Reads `host[:port]` and gives the host: a name as it stands but for a final dot, an IPv6 address with its brackets.
pub(super) fn parse_authority(authority: &[u8]) -> Result<&str, TargetFault> {
    let fault = || TargetFault::Host(authority.into());
    let text = std::str::from_utf8(authority).map_err(|_| fault())?;
    let (host, port) = match text.find(']') {
        Some(end) => text.split_at(end + 1),
        None => text.split_at(text.find(':').unwrap_or(text.len())),
    };
    let host = host.strip_suffix('.').unwrap_or(host);
    let is_port_fine = port.is_empty() || port.strip_prefix(':').is_some_and(is_port);
    if is_port_fine && (is_name(host) || is_ipv6_literal(host)) {
        Ok(host)
    } else {
        Err(fault())
    }
}

fn is_name(host: &str) -> bool {
    let is_name_byte = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~');
    let has_labels = !host.split('.').any(str::is_empty);
    has_labels && host.len() <= MAX_HOST_BYTES && host.bytes().all(is_name_byte)
}

/// Longest host: what DNS can name (RFC 1035 §2.3.4), without a final dot.
const MAX_HOST_BYTES: usize = 253;

fn is_ipv6_literal(host: &str) -> bool {
    let inner = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inner.is_some_and(|address| address.parse::<Ipv6Addr>().is_ok())
}

/// RFC 3986 §3.2.3 also has an empty port; nobody sends one, so it is a sign of a trick.
fn is_port(port: &str) -> bool {
    port.len() <= 5 && port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok_and(|port| port > 0)
}

/// What is wrong with where a request goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetFault {
    /// The target is not UTF-8.
    NotUtf8,
    /// None of the forms, or a scheme that is not ours.
    Form(Box<[u8]>),
    /// `*` with a method other than OPTIONS.
    StarWithoutOptions,
    /// Not `host[:port]`.
    Host(Box<[u8]>),
    /// HTTP/1.1 without a Host field.
    NoHost,
    /// More than one Host field.
    RepeatedHost,
}

impl fmt::Display for TargetFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotUtf8 => out.write_str("the request target is not UTF-8; expected UTF-8 or percent-encoding"),
            Self::Form(target) => {
                write!(
                    out,
                    "the request target is {}; expected a path that begins with \"/\"",
                    Quoted(target)
                )
            }
            Self::StarWithoutOptions => out.write_str("the request target is \"*\"; that is for OPTIONS only"),
            Self::Host(host) => write!(
                out,
                "the host is {}; expected a name or address, and a port",
                Quoted(host)
            ),
            Self::NoHost => out.write_str("there is no Host field; HTTP/1.1 requires one"),
            Self::RepeatedHost => out.write_str("Host stands more than once; expected one line"),
        }
    }
}

impl std::error::Error for TargetFault {}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
