//! Which fields end at this hop (RFC 9110 §7.6.1) and which trailers go no further (§6.5.1).
//!
//! Law 1: a field that means something to the other end only is never passed on, and is never written twice.
//! Law 2: `Connection` may name any field to have it removed. Were that without exception, a client could remove what an
//!        origin relies on (a cookie, a length, the WebSocket key) behind the back of a rule that saw it.

use super::Fields;

/// Fields that are about one connection, named by `Connection` or not.
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
];

/// What `Connection` cannot remove (law 2): routing, framing, identity, and what guards a browser.
const END_TO_END: [&str; 25] = [
    "host",
    "date",
    "expect",
    "origin",
    "referer",
    "range",
    "cookie",
    "set-cookie",
    "authorization",
    "www-authenticate",
    "cache-control",
    "vary",
    "etag",
    "age",
    "expires",
    "location",
    "retry-after",
    "strict-transport-security",
    "x-frame-options",
    "x-real-ip",
    "forwarded",
    "via",
    "user-agent",
    "accept-encoding",
    "trailer",
];

/// As `END_TO_END`, for whole families.
const END_TO_END_FAMILIES: [&str; 6] = ["content-", "sec-", "access-control-", "x-forwarded-", "cf-", "cdn-"];

/// Fields no trailer may set, for their meaning is needed before the body (RFC 9110 §6.5.1), or ends at this hop.
const FORBIDDEN_TRAILERS: [&str; 20] = [
    "host",
    "date",
    "expect",
    "origin",
    "range",
    "max-forwards",
    "cookie",
    "set-cookie",
    "authorization",
    "www-authenticate",
    "authentication-info",
    "cache-control",
    "vary",
    "age",
    "expires",
    "location",
    "retry-after",
    "pragma",
    "trailer",
    "strict-transport-security",
];

const FORBIDDEN_TRAILER_FAMILIES: [&str; 8] = [
    "content-",
    "sec-",
    "if-",
    "access-control-",
    "x-forwarded-",
    "cf-",
    "proxy-",
    "holdfast-",
];

/// The fields of one message that end at this hop.
pub(super) struct Hop<'a> {
    /// What `Connection` names beyond the usual, as far as it may.
    named: Vec<&'a str>,
}

impl<'a> Hop<'a> {
    pub(super) fn of(fields: &'a Fields) -> Self {
        let is_other = |option: &&str| !is_in(&HOP_BY_HOP, option.as_bytes()) && !is_end_to_end(option);
        Self {
            named: fields.tokens("connection").filter(is_other).collect(),
        }
    }

    pub(super) fn removes(&self, name: &str) -> bool {
        is_in(&HOP_BY_HOP, name.as_bytes()) || is_in(&self.named, name.as_bytes())
    }
}

/// Whether a trailer of this name is dropped.
pub(super) fn is_forbidden_in_trailers(name: &[u8]) -> bool {
    is_in(&HOP_BY_HOP, name) || is_in(&FORBIDDEN_TRAILERS, name) || is_of_family(&FORBIDDEN_TRAILER_FAMILIES, name)
}

fn is_end_to_end(name: &str) -> bool {
    is_in(&END_TO_END, name.as_bytes()) || is_of_family(&END_TO_END_FAMILIES, name.as_bytes())
}

fn is_in(names: &[&str], name: &[u8]) -> bool {
    names.iter().any(|known| known.as_bytes().eq_ignore_ascii_case(name))
}

fn is_of_family(prefixes: &[&str], name: &[u8]) -> bool {
    prefixes.iter().any(|prefix| {
        name.get(..prefix.len())
            .is_some_and(|start| start.eq_ignore_ascii_case(prefix.as_bytes()))
    })
}

#[cfg(test)]
#[path = "hops_tests.rs"]
mod tests;
