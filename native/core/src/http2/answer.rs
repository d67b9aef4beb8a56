//! From an answer to the head that a stream begins with.
//!
//! Law: an answer is written for HTTP/1.1 first, and what is about a connection is then left out (RFC 9113 §8.2.2). So a field
//! that a client gets over one version it gets over the other.

use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use crate::http::response::ResponseHead;
use crate::http::{
    Fields, ForClient, Framing, HeadScan, OwnAnswer, Version, write_answer, write_informational, write_response,
};
use crate::policy::{Asked, Forward, Respond};

/// What HTTP/2 has no use for.
const OF_CONNECTION: [&str; 6] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "transfer-encoding",
    "upgrade",
    "te",
];

/// An origin's answer. None where it is too large to be one with what we add.
pub(super) fn of_origin(head: &ResponseHead, asked: &Asked, forward: &Forward) -> Option<Response<()>> {
    let mut text = Vec::with_capacity(1024);
    let framing = match head.framing() {
        // The stream says where it ends.
        Framing::Chunked => Framing::UntilClose,
        known => known,
    };
    write_response(
        &mut text,
        &ForClient {
            head,
            client_version: Version::Http11,
            framing,
            keep_alive: true,
            ray: &asked.ray,
            upgrade: false,
            set: &forward.set_response_headers,
        },
    );
    read_back(&text, asked.head.method())
}

/// An origin's agreement to open a WebSocket: a 101 there, a 200 here (RFC 8441 §5).
pub(super) fn of_agreement(head: &ResponseHead, asked: &Asked, forward: &Forward) -> Option<Response<()>> {
    let mut answer = of_origin(head, asked, forward)?;
    *answer.status_mut() = StatusCode::OK;
    // What proves that the origin has read our key is nothing to a client that has sent none.
    answer.headers_mut().remove("sec-websocket-accept");
    Some(answer)
}

/// An interim answer.
pub(super) fn of_interim(head: &ResponseHead) -> Option<Response<()>> {
    let mut text = Vec::with_capacity(256);
    write_informational(&mut text, head);
    read_back(&text, "GET")
}

/// An answer of our own, without its body.
pub(super) fn own(respond: &Respond, ray: &str) -> Option<Response<()>> {
    let mut text = Vec::with_capacity(512);
    write_answer(
        &mut text,
        &OwnAnswer {
            status: respond.status,
            headers: &respond.headers,
            body: &respond.body,
            ray,
            keep_alive: true,
            with_body: false,
        },
    );
    read_back(&text, "GET")
}

/// Trailers.
pub(super) fn trailers(fields: &Fields) -> HeaderMap {
    let mut map = HeaderMap::with_capacity(fields.len());
    push_all(&mut map, fields);
    map
}

fn read_back(text: &[u8], method: &str) -> Option<Response<()>> {
    let (head, _) = HeadScan::new().response(text, method).ok()??;
    let mut answer = Response::new(());
    *answer.status_mut() = StatusCode::from_u16(head.status()).ok()?;
    push_all(answer.headers_mut(), head.fields());
    Some(answer)
}

fn push_all(map: &mut HeaderMap, fields: &Fields) {
    for (name, value) in fields.iter().filter(|(name, _)| !is_of_connection(name)) {
        // A field of ours has a name and a value that these types take.
        if let (Ok(name), Ok(value)) = (HeaderName::from_bytes(name.as_bytes()), HeaderValue::from_bytes(value)) {
            map.append(name, value);
        }
    }
}

fn is_of_connection(name: &str) -> bool {
    OF_CONNECTION.iter().any(|known| known.eq_ignore_ascii_case(name))
}

#[cfg(test)]
#[path = "answer_tests.rs"]
mod tests;
