//! Heads and chunk framing as bytes (RFC 9112, written as senders must).
//!
//! Law 1: framing, `Connection` and `Upgrade` are written from values, never copied from the other leg.
//! Law 2: other fields go on in their order and case, without those of `hops`.
//! Law 3: no value can end its line: control bytes in what our own side adds become spaces (RFC 9110 §5.5).

use std::io::Write;
use std::time::SystemTime;

use super::date::push_date;
use super::fields::push_value;
use super::hops::Hop;
use super::syntax::is_token;
use super::{Fields, Framing, RequestHead, ResponseHead, Version};

/// What ends a chunk's data.
pub const CHUNK_END: &[u8] = b"\r\n";

/// Writes what precedes a chunk's data of `len` bytes. For 0 it writes nothing, as an empty chunk would end the body.
pub fn write_chunk_head(out: &mut Vec<u8>, len: usize) {
    if len > 0 {
        push_display(out, format_args!("{len:x}\r\n"));
    }
}

/// Writes the last chunk and the trailers: the end of a chunked body.
pub fn write_last_chunk(out: &mut Vec<u8>, trailers: Option<&Fields>) {
    out.extend_from_slice(b"0\r\n");
    for (name, value) in trailers.into_iter().flat_map(Fields::iter) {
        push_field(out, name, value);
    }
    out.extend_from_slice(b"\r\n");
}

/// A client's request as the origin gets it.
#[derive(Debug)]
pub struct ForOrigin<'a> {
    /// What the client sent.
    pub head: &'a RequestHead,
    /// What goes before the path: "", or a path that begins with "/" and does not end with one.
    pub base_path: &'a str,
    /// Fields to add at the end, instead of the client's of these names. One for `Host` takes the place of that.
    pub set: &'a [(String, String)],
    /// Names of fields to leave out, in any case. What law 1 writes, and `Host`, stays.
    pub remove: &'a [String],
    /// How the body will be sent; never `UntilClose`.
    pub framing: Framing,
    /// Whether to ask for a WebSocket.
    pub upgrade: bool,
    /// Whether to leave out what is left of an opening handshake when it is not asked for.
    pub strip_handshake: bool,
    /// Whether to leave out the fields by which edges and Workers' processes talk to each other.
    pub strip_own: bool,
}

/// Writes a request head. It is HTTP/1.1 whatever the client spoke, and leaves the connection open.
pub fn write_request(out: &mut Vec<u8>, request: &ForOrigin<'_>) {
    let head = request.head;
    let set_host = request.set.iter().find(|(name, _)| name.eq_ignore_ascii_case("host"));
    out.extend_from_slice(head.method().as_bytes());
    out.push(b' ');
    // RFC 9112 §3.2.4: "*" is about the server as a whole, so it has no path to put something before.
    if head.target() != "*" {
        out.extend_from_slice(request.base_path.as_bytes());
    }
    out.extend_from_slice(head.target().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
    push_field(
        out,
        "Host",
        set_host.map_or(head.authority(), |(_, host)| host).as_bytes(),
    );

    let hop = Hop::of(head.fields());
    let mut length = LengthField::new(request.framing);
    for (name, value) in head.fields().iter() {
        if name.eq_ignore_ascii_case("content-length") {
            length.write_in_place(out, name);
        } else if !hop.removes(name) && !name.eq_ignore_ascii_case("host") && !request.omits(name) {
            push_field(out, name, value);
        }
    }
    for (name, value) in request.set {
        if !is_ours(name) && !name.eq_ignore_ascii_case("host") {
            push_field(out, name, value.as_bytes());
        }
    }
    length.finish(out);
    // RFC 9110 §10.1.4: TE is about this hop, so it is written anew, and Connection names it.
    if request.upgrade {
        push_upgrade(out);
    } else if head.fields().has_token("te", "trailers") {
        out.extend_from_slice(b"TE: trailers\r\nConnection: TE\r\n");
    }
    out.extend_from_slice(b"\r\n");
}

impl ForOrigin<'_> {
    fn omits(&self, name: &str) -> bool {
        self.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
            || (self.strip_handshake && is_of_handshake(name))
            || (self.strip_own && is_own(name))
            || self.remove.iter().any(|removed| removed.eq_ignore_ascii_case(name))
    }
}

/// An origin's answer as the client gets it.
#[derive(Debug)]
pub struct ForClient<'a> {
    /// What the origin sent.
    pub head: &'a ResponseHead,
    /// What the client speaks.
    pub client_version: Version,
    /// How the body will be sent. With `None`, a length the origin named for HEAD or 304 stays.
    pub framing: Framing,
    /// Whether another request is read afterwards. `UntilClose` overrules it.
    pub keep_alive: bool,
    /// What `CF-Ray` says, instead of the origin's.
    pub ray: &'a str,
    /// Whether the answer is a 101 that opens a WebSocket.
    pub upgrade: bool,
    /// Fields to add at the end, instead of the origin's of these names. What law 1 writes, and `CF-Ray`, stays.
    pub set: &'a [(String, String)],
}

/// Writes a response head. The version is ours, HTTP/1.1, also to a 1.0 client (RFC 9110 §6.2). An answer without a
/// `Date` is dated now (RFC 9110 §6.6.1), unless it is a 101.
pub fn write_response(out: &mut Vec<u8>, response: &ForClient<'_>) {
    write_response_at(out, response, SystemTime::now());
}

/// As [`write_response`], dated `now`.
fn write_response_at(out: &mut Vec<u8>, response: &ForClient<'_>, now: SystemTime) {
    let head = response.head;
    push_status_line(out, head.status(), head.reason());
    let hop = Hop::of(head.fields());
    let mut length = LengthField::new(response.framing);
    // RFC 9110 §15.5.22: a 426 says in Upgrade what it requires.
    let keeps_upgrade = head.status() == 426;
    for (name, value) in head.fields().iter() {
        if response.sets(name) {
            continue;
        }
        if name.eq_ignore_ascii_case("content-length") {
            // RFC 9110 §8.6: the length a GET would have got is no framing of this answer, but information.
            if response.framing == Framing::None && !forbids_length(head.status()) {
                push_field(out, name, value);
            } else {
                length.write_in_place(out, name);
            }
        } else if (!hop.removes(name) || (keeps_upgrade && name.eq_ignore_ascii_case("upgrade"))) && !is_for_edge(name)
        {
            push_field(out, name, value);
        }
    }
    if head.status() >= 200 && head.fields().first("date").is_none() && !response.sets("date") {
        push_date_field(out, now);
    }
    push_field(out, "CF-Ray", response.ray.as_bytes());
    for (name, value) in response.set {
        if may_set(name) {
            push_field(out, name, value.as_bytes());
        }
    }
    length.finish(out);
    if response.upgrade {
        push_upgrade(out);
    } else {
        let stays = response.keep_alive && response.framing != Framing::UntilClose;
        let names_upgrade = keeps_upgrade && head.fields().first("upgrade").is_some();
        push_connection(out, stays, response.client_version, names_upgrade);
    }
    out.extend_from_slice(b"\r\n");
}

impl ForClient<'_> {
    fn sets(&self, name: &str) -> bool {
        may_set(name) && self.set.iter().any(|(set, _)| set.eq_ignore_ascii_case(name))
    }
}

/// Writes a 1xx other than 101 as it goes on, without a length. Never to HTTP/1.0 (RFC 9110 §15.2); the caller sees to that.
pub fn write_informational(out: &mut Vec<u8>, head: &ResponseHead) {
    push_status_line(out, head.status(), head.reason());
    let hop = Hop::of(head.fields());
    for (name, value) in head.fields().iter() {
        if !hop.removes(name) && !name.eq_ignore_ascii_case("content-length") && !is_for_edge(name) {
            push_field(out, name, value);
        }
    }
    out.extend_from_slice(b"\r\n");
}

/// An answer the edge gives itself.
#[derive(Debug)]
pub struct OwnAnswer<'a> {
    /// The status; never 1xx.
    pub status: u16,
    /// Its fields, without those that are written from the rest. `Upgrade` is written with a 426 only.
    pub headers: &'a [(String, String)],
    /// The whole body. Left out for 204 and 304, which have none.
    pub body: &'a [u8],
    /// What `CF-Ray` says.
    pub ray: &'a str,
    /// Whether another request is read afterwards.
    pub keep_alive: bool,
    /// False for an answer to HEAD: the length is named, the body is not sent.
    pub with_body: bool,
}

/// Writes a whole answer, dated now.
pub fn write_answer(out: &mut Vec<u8>, answer: &OwnAnswer<'_>) {
    write_answer_at(out, answer, SystemTime::now());
}

/// As [`write_answer`], dated `now`.
pub fn write_answer_at(out: &mut Vec<u8>, answer: &OwnAnswer<'_>, now: SystemTime) {
    push_status_line(out, answer.status, reason_phrase(answer.status).as_bytes());
    let mut names_upgrade = false;
    for (name, value) in answer.headers {
        let is_upgrade = answer.status == 426 && name.eq_ignore_ascii_case("upgrade");
        if is_upgrade || !is_written_by_answer(name) {
            push_field(out, name, value.as_bytes());
        }
        names_upgrade |= is_upgrade;
    }
    let has_body = !forbids_length(answer.status) && answer.status != 304;
    if has_body {
        push_display(out, format_args!("Content-Length: {}\r\n", answer.body.len()));
    }
    push_date_field(out, now);
    push_field(out, "CF-Ray", answer.ray.as_bytes());
    // The client's version is not known here. To 1.1 "keep-alive" says nothing new, to 1.0 it is needed.
    push_connection(out, answer.keep_alive, Version::Http10, names_upgrade);
    out.extend_from_slice(b"\r\n");
    if has_body && answer.with_body {
        out.extend_from_slice(answer.body);
    }
}

/// What usually stands behind a status (RFC 9110 §15; from 520 on, what Cloudflare calls its own). "" if none is known.
#[must_use]
pub fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        103 => "Early Hints",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        203 => "Non-Authoritative Information",
        204 => "No Content",
        205 => "Reset Content",
        206 => "Partial Content",
        300 => "Multiple Choices",
        301 => "Moved Permanently",
        302 => "Found",
        303 => "See Other",
        304 => "Not Modified",
        307 => "Temporary Redirect",
        308 => "Permanent Redirect",
        400 => "Bad Request",
        401 => "Unauthorized",
        402 => "Payment Required",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        407 => "Proxy Authentication Required",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        416 => "Range Not Satisfiable",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        425 => "Too Early",
        426 => "Upgrade Required",
        428 => "Precondition Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        451 => "Unavailable For Legal Reasons",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        508 => "Loop Detected",
        511 => "Network Authentication Required",
        520 => "Web Server Returned an Unknown Error",
        521 => "Web Server Is Down",
        522 => "Connection Timed Out",
        523 => "Origin Is Unreachable",
        524 => "A Timeout Occurred",
        525 => "SSL Handshake Failed",
        526 => "Invalid SSL Certificate",
        530 => "Origin Error",
        _ => "",
    }
}

/// The one field that frames a body, written once: where the sender had its length, else behind the other fields.
struct LengthField {
    framing: Framing,
    is_written: bool,
}

impl LengthField {
    fn new(framing: Framing) -> Self {
        Self {
            framing,
            is_written: false,
        }
    }

    fn write_in_place(&mut self, out: &mut Vec<u8>, name: &str) {
        if let (Framing::Length(length), false) = (self.framing, self.is_written) {
            push_display(out, format_args!("{name}: {length}\r\n"));
            self.is_written = true;
        }
    }

    fn finish(mut self, out: &mut Vec<u8>) {
        self.write_in_place(out, "Content-Length");
        if self.framing == Framing::Chunked {
            out.extend_from_slice(b"Transfer-Encoding: chunked\r\n");
        }
    }
}

/// RFC 9110 §8.6: neither 1xx nor 204 may name a length.
fn forbids_length(status: u16) -> bool {
    matches!(status, 100..=199 | 204)
}

/// Names that only this module writes (law 1).
fn is_ours(name: &str) -> bool {
    ["connection", "upgrade", "content-length", "transfer-encoding"]
        .iter()
        .any(|ours| ours.eq_ignore_ascii_case(name))
}

fn is_written_by_answer(name: &str) -> bool {
    is_ours(name) || name.eq_ignore_ascii_case("date") || name.eq_ignore_ascii_case("cf-ray")
}

/// Names that may be set on an origin's answer: all but what this module writes.
fn may_set(name: &str) -> bool {
    !is_ours(name) && !name.eq_ignore_ascii_case("cf-ray")
}

/// Fields of an opening handshake (RFC 6455 §11.3).
fn is_of_handshake(name: &str) -> bool {
    begins(name, b"sec-websocket-")
}

/// Fields between an edge and the processes of Workers. `Holdfast-Refused` is for clients: it may be of an edge behind us.
fn is_own(name: &str) -> bool {
    begins(name, b"holdfast-") && !name.eq_ignore_ascii_case("holdfast-refused")
}

fn begins(name: &str, prefix: &[u8]) -> bool {
    name.as_bytes()
        .get(..prefix.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
}

/// Names a client never gets from an origin: `CF-Ray` and what [`is_own`] are ours, and the others tell a proxy what to do with
/// the answer.
fn is_for_edge(name: &str) -> bool {
    is_own(name)
        || [
            "cf-ray",
            "x-accel-buffering",
            "x-accel-charset",
            "x-accel-limit-rate",
            "x-accel-redirect",
        ]
        .iter()
        .any(|own| own.eq_ignore_ascii_case(name))
}

fn push_status_line(out: &mut Vec<u8>, status: u16, reason: &[u8]) {
    push_display(out, format_args!("HTTP/1.1 {status} "));
    out.extend_from_slice(reason);
    out.extend_from_slice(b"\r\n");
}

fn push_date_field(out: &mut Vec<u8>, now: SystemTime) {
    out.extend_from_slice(b"Date: ");
    push_date(out, now);
    out.extend_from_slice(b"\r\n");
}

fn push_upgrade(out: &mut Vec<u8>) {
    out.extend_from_slice(b"Connection: Upgrade\r\nUpgrade: websocket\r\n");
}

fn push_connection(out: &mut Vec<u8>, stays: bool, client_version: Version, names_upgrade: bool) {
    let line: &[u8] = match (stays, names_upgrade, client_version) {
        (false, false, _) => b"Connection: close\r\n",
        (false, true, _) => b"Connection: Upgrade, close\r\n",
        (true, true, Version::Http10) => b"Connection: Upgrade, keep-alive\r\n",
        (true, true, Version::Http11 | Version::Http2) => b"Connection: Upgrade\r\n",
        (true, false, Version::Http10) => b"Connection: keep-alive\r\n",
        (true, false, Version::Http11 | Version::Http2) => return,
    };
    out.extend_from_slice(line);
}

/// Writes a field. A name of our own side that is no token would break the message, so it is left out.
fn push_field(out: &mut Vec<u8>, name: &str, value: &[u8]) {
    if !is_token(name.as_bytes()) {
        return;
    }
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    push_value(out, value);
    out.extend_from_slice(b"\r\n");
}

fn push_display(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing into a Vec cannot fail.
    let _ = out.write_fmt(text);
}

#[cfg(test)]
#[path = "write_tests.rs"]
mod tests;
