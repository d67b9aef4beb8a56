//! From the head of a stream to that of a request (RFC 9113 §8.3, RFC 8441 §5).
//!
//! Law 1: the head is written as HTTP/1.1 has it and read by the parser of that; so a head that passes here is one that would
//!        have passed there, and is refused with the same words. Nothing is written that could end its line.
//! Law 2: what says where the request goes is said once: a `Host` beside `:authority` says the same, or is refused.
//! Law 3: a WebSocket is asked for as over 1.1. The key, which HTTP/2 does not need, is ours.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use h2::ext::Protocol;
use http::header::{CONTENT_LENGTH, COOKIE, HOST};
use http::{HeaderMap, Method, request};

use crate::chance::random_bytes;
use crate::http::{Framing, HeadScan, RequestHead, is_field_value};
use crate::refusal::Refusal;

/// What the fields of a handshake over 1.1 say and a client over HTTP/2 does not (RFC 8441 §5): not passed on, if it does.
const NOT_OF_HTTP2: [&str; 2] = ["sec-websocket-key", "sec-websocket-accept"];

/// Reads a head. `has_body` where the stream goes on behind it.
pub(super) fn read_head(parts: &request::Parts, has_body: bool) -> Result<RequestHead, Refusal> {
    let opens_websocket = match parts.extensions.get::<Protocol>() {
        None => false,
        Some(protocol) if protocol.as_str() == "websocket" => true,
        Some(_) => {
            return Err(Refusal::new(
                501,
                "the :protocol is not understood; expected \"websocket\"",
            ));
        }
    };
    if parts.uri.scheme_str().is_some_and(|scheme| scheme != "https") {
        return Err(bad("the :scheme is not \"https\", but the connection is TLS"));
    }
    let text = as_http1(parts, opens_websocket)?;
    let head = match HeadScan::new().request(&text) {
        Ok(Some((head, used))) if used == text.len() => head,
        // Law 1: nothing in it ends a line, so it is whole, and ends where we ended it.
        Ok(_) => return Err(bad("the head is no head")),
        Err(fault) => return Err(Refusal::of_head(&fault, &text)),
    };
    let framing = match head.framing() {
        _ if opens_websocket => head.framing(),
        Framing::None if has_body => Framing::Chunked,
        declared => declared,
    };
    Ok(head.over_http2(framing))
}

fn as_http1(parts: &request::Parts, opens_websocket: bool) -> Result<Vec<u8>, Refusal> {
    let mut out = Vec::with_capacity(1024);
    let method = if opens_websocket {
        Method::GET.as_str()
    } else {
        parts.method.as_str()
    };
    let target = parts.uri.path_and_query().map_or("", |target| target.as_str());
    // Only a CONNECT has none; it is refused for what it is.
    let target = if target.is_empty() { "/" } else { target };
    if target.bytes().any(|byte| byte <= b' ' || byte == 0x7f) {
        return Err(bad("the :path has a space or a control byte"));
    }
    for piece in [method, " ", target, " HTTP/1.1\r\n"] {
        out.extend_from_slice(piece.as_bytes());
    }
    let authority = parts.uri.authority().map(http::uri::Authority::as_str);
    if let Some(authority) = authority {
        check_host(&parts.headers, authority)?;
        push_field(&mut out, "host", authority.as_bytes())?;
    }
    if opens_websocket {
        push_field(&mut out, "upgrade", b"websocket")?;
        push_field(&mut out, "connection", b"Upgrade")?;
        push_field(
            &mut out,
            "sec-websocket-key",
            STANDARD.encode(random_bytes::<16>()).as_bytes(),
        )?;
    }
    let mut has_cookies = false;
    for (name, value) in &parts.headers {
        match *name {
            HOST if authority.is_some() => {}
            COOKIE if has_cookies => {}
            COOKIE => {
                has_cookies = true;
                push_field(&mut out, "cookie", &cookies(&parts.headers))?;
            }
            _ if opens_websocket && NOT_OF_HTTP2.contains(&name.as_str()) => {}
            CONTENT_LENGTH if opens_websocket => {
                return Err(bad(
                    "there is a Content-Length; a request that opens a WebSocket has no body",
                ));
            }
            _ => push_field(&mut out, name.as_str(), value.as_bytes())?,
        }
    }
    out.extend_from_slice(b"\r\n");
    Ok(out)
}

/// RFC 9113 §8.3.1: a `Host` that differs from `:authority` makes a request malformed.
fn check_host(fields: &HeaderMap, authority: &str) -> Result<(), Refusal> {
    let differs = |host: &http::HeaderValue| !host.as_bytes().eq_ignore_ascii_case(authority.as_bytes());
    if fields.get_all(HOST).iter().any(differs) {
        return Err(bad("Host differs from :authority; expected one of them, or the same"));
    }
    Ok(())
}

/// RFC 9113 §8.2.3: cookies may come one by one, and are one line for who knows no better.
fn cookies(fields: &HeaderMap) -> Vec<u8> {
    let crumbs: Vec<&[u8]> = fields.get_all(COOKIE).iter().map(http::HeaderValue::as_bytes).collect();
    crumbs.join(&b"; "[..])
}

/// RFC 9113 §8.2.1: no control bytes, and no space at either end of a value. Names are lower-case tokens already.
fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) -> Result<(), Refusal> {
    if !is_field_value(value) {
        return Err(bad("a field value has a control byte, or a space at its start or end"));
    }
    for piece in [name.as_bytes(), b": ", value, b"\r\n"] {
        out.extend_from_slice(piece);
    }
    Ok(())
}

fn bad(reason: &str) -> Refusal {
    Refusal::new(400, reason)
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
