//! The opening handshake (RFC 6455 §4), as little of it as a generator and an origin of known manners need.
//!
//! Law 1: a head that is not whole is `None`, never an error; one longer than [`MAX_HEAD_BYTES`] is an error.
//! Law 2: what follows the head is not looked at; its place is returned.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

/// The longest head that is read, of a request or an answer.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

const MAX_FIELDS: usize = 64;
const GUID: &str = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Why a handshake failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HandshakeError {
    /// The head is not HTTP/1.1, or too long.
    Malformed(String),
    /// The request is not an upgrade to WebSocket version 13.
    NotAnUpgrade,
    /// The answer's status is not 101.
    Status(u16),
    /// `Sec-WebSocket-Accept` does not belong to the key that was sent.
    Accept,
}

impl fmt::Display for HandshakeError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Malformed(why) => write!(f, "the head is not HTTP/1.1: {why}"),
            Self::NotAnUpgrade => f.write_str("the request is not a WebSocket upgrade of version 13"),
            Self::Status(status) => write!(f, "the upgrade was answered with {status}"),
            Self::Accept => f.write_str("Sec-WebSocket-Accept does not belong to the key"),
        }
    }
}

impl std::error::Error for HandshakeError {}

/// `Sec-WebSocket-Accept` for a `Sec-WebSocket-Key` (RFC 6455 §4.2.2 item 5.4).
#[must_use]
pub fn accept_for(key: &str) -> String {
    let mut hash = Sha1::new();
    hash.update(key.as_bytes());
    hash.update(GUID.as_bytes());
    STANDARD.encode(hash.finalize())
}

/// A client's key: 16 random bytes, encoded.
#[must_use]
pub fn new_key(random: &mut fastrand::Rng) -> String {
    STANDARD.encode(random.u128(..).to_ne_bytes())
}

/// A client's upgrade request, with the fields a browser sends, so that a proxy has a usual head to read.
#[must_use]
pub fn request(host: &str, path: &str, key: &str) -> Vec<u8> {
    format!(
        "GET {path} HTTP/1.1\r\n\
         Host: {host}\r\n\
         Connection: Upgrade\r\n\
         Upgrade: websocket\r\n\
         Origin: http://{host}\r\n\
         Sec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {key}\r\n\
         User-Agent: holdfast-load\r\n\
         Accept-Language: en\r\n\
         Cache-Control: no-cache\r\n\r\n"
    )
    .into_bytes()
}

/// The 101 for a client's key.
#[must_use]
pub fn response(key: &str) -> Vec<u8> {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\n\
         Upgrade: websocket\r\n\
         Connection: Upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\n\r\n",
        accept_for(key)
    )
    .into_bytes()
}

/// Read a request head: the client's key and the length of the head, or `None` if it is not all there yet.
pub fn read_request(bytes: &[u8]) -> Result<Option<(String, usize)>, HandshakeError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Request::new(&mut fields);
    let Some(size) = whole(head.parse(bytes), bytes)? else {
        return Ok(None);
    };
    let upgrade = head.method == Some("GET")
        && has_token(head.headers, "connection", "upgrade")
        && has_token(head.headers, "upgrade", "websocket")
        && has_token(head.headers, "sec-websocket-version", "13");
    match value(head.headers, "sec-websocket-key") {
        Some(key) if upgrade => Ok(Some((key.to_owned(), size))),
        _ => Err(HandshakeError::NotAnUpgrade),
    }
}

/// Read the answer to the request that carried `key`: the length of its head, or `None` if it is not all there yet.
pub fn read_response(bytes: &[u8], key: &str) -> Result<Option<usize>, HandshakeError> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut fields);
    let Some(size) = whole(head.parse(bytes), bytes)? else {
        return Ok(None);
    };
    match head.code {
        Some(101) => {}
        status => return Err(HandshakeError::Status(status.unwrap_or_default())),
    }
    if value(head.headers, "sec-websocket-accept") != Some(&accept_for(key)) {
        return Err(HandshakeError::Accept);
    }
    Ok(Some(size))
}

fn whole(
    parsed: Result<httparse::Status<usize>, httparse::Error>,
    bytes: &[u8],
) -> Result<Option<usize>, HandshakeError> {
    match parsed {
        Ok(httparse::Status::Complete(size)) => Ok(Some(size)),
        Ok(httparse::Status::Partial) if bytes.len() < MAX_HEAD_BYTES => Ok(None),
        Ok(httparse::Status::Partial) => Err(HandshakeError::Malformed("it is too long".to_owned())),
        Err(error) => Err(HandshakeError::Malformed(error.to_string())),
    }
}

fn value<'a>(fields: &[httparse::Header<'a>], name: &str) -> Option<&'a str> {
    let field = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(field.value).ok().map(str::trim)
}

fn has_token(fields: &[httparse::Header<'_>], name: &str, token: &str) -> bool {
    value(fields, name).is_some_and(|list| list.split(',').any(|item| item.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests {
    use super::*;

    // RFC 6455 §1.3.
    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    #[test]
    fn the_rfcs_key_gives_the_rfcs_accept() {
        assert_eq!(accept_for(KEY), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_request_is_read_once_it_is_whole_and_what_follows_is_left() {
        let mut wire = request("a.test", "/chat", KEY);
        let size = wire.len();
        for cut in 0..size {
            assert_eq!(read_request(&wire[..cut]), Ok(None), "cut at {cut}");
        }
        wire.extend_from_slice(b"\x82\x80");
        assert_eq!(read_request(&wire), Ok(Some((KEY.to_owned(), size))));
    }

    #[test]
    fn an_answer_is_read_once_it_is_whole_and_must_fit_the_key() {
        let mut wire = response(KEY);
        let size = wire.len();
        for cut in 0..size {
            assert_eq!(read_response(&wire[..cut], KEY), Ok(None), "cut at {cut}");
        }
        wire.extend_from_slice(b"\x82\x00");
        assert_eq!(read_response(&wire, KEY), Ok(Some(size)));
        assert_eq!(read_response(&wire, "another"), Err(HandshakeError::Accept));
    }

    #[test]
    fn other_requests_and_answers_are_refused() {
        assert_eq!(
            read_request(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            Err(HandshakeError::NotAnUpgrade)
        );
        assert!(matches!(
            read_request(b"\x16\x03\x01\r\n\r\n"),
            Err(HandshakeError::Malformed(_))
        ));
        assert!(matches!(
            read_request(&[b'A'; MAX_HEAD_BYTES]),
            Err(HandshakeError::Malformed(_))
        ));
        assert_eq!(
            read_response(b"HTTP/1.1 502 Bad Gateway\r\n\r\n", KEY),
            Err(HandshakeError::Status(502))
        );
    }

    #[test]
    fn the_connection_field_is_a_list_in_any_case() {
        let head = format!(
            "GET / HTTP/1.1\r\nHost: a\r\nCONNECTION: keep-alive, UPGRADE\r\nupgrade: WebSocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n\r\n"
        );
        assert!(matches!(read_request(head.as_bytes()), Ok(Some(_))));
    }
}
