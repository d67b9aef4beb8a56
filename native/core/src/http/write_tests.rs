use std::time::{Duration, UNIX_EPOCH};

use super::*;
use crate::http::testing::{body, request_head, response_head};

const UPGRADE: &str = "GET /chat?a=b HTTP/1.1\r\nhOST: Edge.example:8443\r\nUser-Agent: x\r\nConnection: keep-alive, Upgrade\r\n\
    Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

struct Request<'a> {
    input: &'a str,
    base_path: &'a str,
    set: &'a [(&'a str, &'a str)],
    remove: &'a [&'a str],
    framing: Option<Framing>,
    upgrade: bool,
    strip_handshake: bool,
    strip_own: bool,
}

impl Default for Request<'_> {
    fn default() -> Self {
        Self {
            input: UPGRADE,
            base_path: "",
            set: &[],
            remove: &[],
            framing: None,
            upgrade: false,
            strip_handshake: false,
            strip_own: false,
        }
    }
}

/// What the origin gets for what a client sent. Must be a valid request itself.
fn sent(request: &Request<'_>) -> String {
    let head = request_head(request.input.as_bytes());
    let mut out = Vec::new();
    let set = pairs(request.set);
    let remove: Vec<_> = request.remove.iter().map(|&name| name.to_owned()).collect();
    let framing = request.framing.unwrap_or(head.framing());
    let base_path = request.base_path;
    write_request(
        &mut out,
        &ForOrigin {
            head: &head,
            base_path,
            set: &set,
            remove: &remove,
            framing,
            upgrade: request.upgrade,
            strip_handshake: request.strip_handshake,
            strip_own: request.strip_own,
        },
    );
    if !head.authority().is_empty() {
        assert_eq!(request_head(&out).framing(), framing);
    }
    String::from_utf8(out).unwrap()
}

fn pairs(list: &[(&str, &str)]) -> Vec<(String, String)> {
    list.iter()
        .map(|&(name, value)| (name.to_owned(), value.to_owned()))
        .collect()
}

#[test]
fn an_upgrade_goes_on_with_its_fields_in_order() {
    let set = [("CF-Ray", "1-LOC"), ("X-Forwarded-For", "192.0.2.1")];
    assert_eq!(
        sent(&Request {
            base_path: "/app",
            set: &set,
            upgrade: true,
            ..Request::default()
        }),
        "GET /app/chat?a=b HTTP/1.1\r\nHost: Edge.example:8443\r\nUser-Agent: x\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nCF-Ray: 1-LOC\r\nX-Forwarded-For: 192.0.2.1\r\n\
         Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
    );
}

#[test]
fn what_ends_at_this_hop_is_left_out() {
    let input = "POST / HTTP/1.1\r\nHost: a\r\nConnection: X-Secret, Host, Content-Length, close\r\nX-Secret: 1\r\n\
        Keep-Alive: timeout=5\r\nProxy-Connection: x\r\nProxy-Authorization: x\r\nTE: gzip\r\nUpgrade: h2c\r\n\
        HTTP2-Settings: x\r\ncontent-length: 3\r\nX-Kept: 2\r\n\r\n";
    assert_eq!(
        sent(&Request {
            input,
            ..Request::default()
        }),
        "POST / HTTP/1.1\r\nHost: a\r\ncontent-length: 3\r\nX-Kept: 2\r\n\r\n"
    );
}

#[test]
fn set_and_removed_names_replace_the_clients_in_any_case() {
    let input =
        "GET / HTTP/1.1\r\nHost: a\r\ncf-connecting-ip: 6.6.6.6\r\nX-A: 1\r\nx-a: 2\r\nX-B: 3\r\nCookie: c\r\n\r\n";
    let set = [("CF-Connecting-IP", "192.0.2.1"), ("X-B", "4")];
    assert_eq!(
        sent(&Request {
            input,
            set: &set,
            remove: &["x-A"],
            ..Request::default()
        }),
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: c\r\nCF-Connecting-IP: 192.0.2.1\r\nX-B: 4\r\n\r\n"
    );
}

#[test]
fn only_the_edge_itself_says_something_to_a_worker() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nholdfast-context: forged\r\nHoldfast-Egress: x\r\nX-A: 1\r\n\r\n";
    let kept = "GET / HTTP/1.1\r\nHost: a\r\nholdfast-context: forged\r\nHoldfast-Egress: x\r\nX-A: 1\r\n\r\n";
    let stripped = "GET / HTTP/1.1\r\nHost: a\r\nX-A: 1\r\nHoldfast-Context: true\r\n\r\n";
    for (strip_own, set, expected) in [
        (false, &[][..], kept),
        (true, &[("Holdfast-Context", "true")], stripped),
    ] {
        let request = Request {
            input,
            set,
            strip_own,
            ..Request::default()
        };
        assert_eq!(sent(&request), expected);
    }
}

#[test]
fn the_host_can_be_set_but_not_removed() {
    let input = "GET / HTTP/1.1\r\nX: y\r\nHost: a\r\n\r\n";
    let with = |set, remove| {
        sent(&Request {
            input,
            set,
            remove,
            ..Request::default()
        })
    };
    assert_eq!(
        with(&[("host", "b.example")], &[]),
        "GET / HTTP/1.1\r\nHost: b.example\r\nX: y\r\n\r\n"
    );
    assert_eq!(with(&[], &["Host"]), "GET / HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n");
}

#[test]
fn the_authority_of_an_absolute_form_is_the_host() {
    let input = "GET http://B.example:81?q HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_eq!(
        sent(&Request {
            input,
            base_path: "/app",
            ..Request::default()
        }),
        "GET /app/?q HTTP/1.1\r\nHost: B.example:81\r\n\r\n"
    );
}

#[test]
fn a_1_0_request_goes_on_as_1_1() {
    // RFC 9112 §3.2: where no host is known, the field is empty, not missing.
    let input = "GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    assert_eq!(
        sent(&Request {
            input,
            ..Request::default()
        }),
        "GET / HTTP/1.1\r\nHost: \r\n\r\n"
    );
}

#[test]
fn a_star_has_no_base_path() {
    let input = "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n";
    let written = sent(&Request {
        input,
        base_path: "/app",
        ..Request::default()
    });
    assert_eq!(written, "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
}

#[test]
fn framing_is_written_from_the_value() {
    let with_length = "POST / HTTP/1.1\r\nHost: a\r\nContent-LENGTH: 3\r\nX: y\r\n\r\n";
    let chunked = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: Chunked\r\nX: y\r\n\r\n";
    for (input, framing, expected) in [
        (with_length, Framing::Length(3), "Content-LENGTH: 3\r\nX: y\r\n"),
        (with_length, Framing::Chunked, "X: y\r\nTransfer-Encoding: chunked\r\n"),
        (with_length, Framing::None, "X: y\r\n"),
        (chunked, Framing::Chunked, "X: y\r\nTransfer-Encoding: chunked\r\n"),
        (chunked, Framing::Length(0), "X: y\r\nContent-Length: 0\r\n"),
    ] {
        let written = sent(&Request {
            input,
            framing: Some(framing),
            ..Request::default()
        });
        assert_eq!(
            written,
            format!("POST / HTTP/1.1\r\nHost: a\r\n{expected}\r\n"),
            "{framing:?}"
        );
    }
}

#[test]
fn set_fields_cannot_touch_framing_or_connection() {
    let input = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n";
    let set = [
        ("Content-Length", "9"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("upgrade", "x"),
        ("A b", "1"),
    ];
    let written = sent(&Request {
        input,
        set: &set,
        remove: &["content-length"],
        ..Request::default()
    });
    assert_eq!(written, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n");
}

#[test]
fn a_set_value_cannot_end_its_line() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
    let written = sent(&Request {
        input,
        set: &[("X", "1\r\nEvil: 2")],
        ..Request::default()
    });
    assert_eq!(written, "GET / HTTP/1.1\r\nHost: a\r\nX: 1  Evil: 2\r\n\r\n");
}

#[test]
fn the_wish_for_trailers_is_written_anew() {
    let input = "GET / HTTP/1.1\r\nHost: a\r\nTE: gzip, Trailers\r\nConnection: TE\r\n\r\n";
    let written = sent(&Request {
        input,
        ..Request::default()
    });
    assert_eq!(
        written,
        "GET / HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: TE\r\n\r\n"
    );
}

/// What answers of a fixed time have behind their other fields.
const DATED: &str = "Date: Sun, 06 Nov 1994 08:49:37 GMT\r\nCF-Ray: 1-LOC\r\n";

/// What a client gets for what an origin sent to `method`.
fn relayed(input: &str, method: &str, change: impl FnOnce(&mut ForClient<'_>)) -> String {
    relayed_with(&[], input, method, change)
}

fn relayed_with(
    set: &[(String, String)],
    input: &str,
    method: &str,
    change: impl FnOnce(&mut ForClient<'_>),
) -> String {
    let head = response_head(input.as_bytes(), method);
    let mut response = ForClient {
        head: &head,
        client_version: Version::Http11,
        framing: head.framing(),
        keep_alive: true,
        ray: "1-LOC",
        upgrade: false,
        set,
    };
    change(&mut response);
    let mut out = Vec::new();
    write_response_at(&mut out, &response, UNIX_EPOCH + Duration::from_secs(784_111_777));
    response_head(&out, method);
    String::from_utf8(out).unwrap()
}

#[test]
fn an_answer_goes_on_with_its_fields_in_order() {
    let input = "HTTP/1.0 404 Nicht da\r\nserver: x\r\nContent-length: 5\r\nSet-Cookie: a\r\nset-cookie: b\r\ncf-ray: theirs\r\n\
        Keep-Alive: x\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\n\r\n";
    assert_eq!(
        relayed(input, "GET", |_| ()),
        format!(
            "HTTP/1.1 404 Nicht da\r\nserver: x\r\nContent-length: 5\r\nSet-Cookie: a\r\nset-cookie: b\r\n{DATED}\r\n"
        )
    );
}

#[test]
fn the_date_of_an_answer_is_the_origins_where_it_has_one() {
    for date in ["Mon, 01 Jan 2024 00:00:00 GMT", "yesterday", ""] {
        // RFC 9110 §7.6.1: Connection must not name what is for all recipients; so it cannot remove the date.
        let input = format!("HTTP/1.1 204 No Content\r\ndate: {date}\r\nConnection: date\r\n\r\n");
        assert_eq!(
            relayed(&input, "GET", |_| ()),
            format!("HTTP/1.1 204 No Content\r\ndate: {date}\r\nCF-Ray: 1-LOC\r\n\r\n")
        );
    }
}

#[test]
fn what_an_origin_tells_its_proxy_does_not_reach_the_client() {
    let input = "HTTP/1.1 200 OK\r\nX-Accel-Buffering: no\r\nx-accel-charset: utf-8\r\nX-ACCEL-LIMIT-RATE: 1\r\n\
        X-Accel-Redirect: /secret\r\nX-Accel-Expires: 5\r\nHoldfast-Session: t\r\nholdfast-parked: t\r\n\
        Holdfast-Refused: rule\r\nContent-Length: 0\r\n\r\n";
    assert_eq!(
        relayed(input, "GET", |_| ()),
        format!("HTTP/1.1 200 OK\r\nX-Accel-Expires: 5\r\nHoldfast-Refused: rule\r\nContent-Length: 0\r\n{DATED}\r\n")
    );
}

#[test]
fn a_missing_reason_stays_missing() {
    let written = relayed("HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", "GET", |_| ());
    assert_eq!(written, format!("HTTP/1.1 200 \r\nContent-Length: 0\r\n{DATED}\r\n"));
}

#[test]
fn connection_says_what_the_clients_version_cannot_know() {
    let input = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for (client_version, keep_alive, line) in [
        (Version::Http11, true, ""),
        (Version::Http11, false, "Connection: close\r\n"),
        (Version::Http10, true, "Connection: keep-alive\r\n"),
        (Version::Http10, false, "Connection: close\r\n"),
    ] {
        let written = relayed(input, "GET", |to| {
            (to.client_version, to.keep_alive) = (client_version, keep_alive);
        });
        assert_eq!(
            written,
            format!("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n{DATED}{line}\r\n")
        );
    }
}

#[test]
fn a_body_until_close_closes() {
    let written = relayed("HTTP/1.1 200 OK\r\n\r\n", "GET", |_| ());
    assert_eq!(written, format!("HTTP/1.1 200 OK\r\n{DATED}Connection: close\r\n\r\n"));
}

#[test]
fn an_answer_may_be_framed_anew() {
    let written = relayed("HTTP/1.1 200 OK\r\nX: y\r\n\r\n", "GET", |to| {
        to.framing = Framing::Chunked;
    });
    assert_eq!(
        written,
        format!("HTTP/1.1 200 OK\r\nX: y\r\n{DATED}Transfer-Encoding: chunked\r\n\r\n")
    );
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let written = relayed(chunked, "GET", |to| to.framing = Framing::UntilClose);
    assert_eq!(written, format!("HTTP/1.1 200 OK\r\n{DATED}Connection: close\r\n\r\n"));
}

#[test]
fn a_length_without_a_body_stays_where_it_is_information() {
    let with = |status: u16, method: &str| {
        let input = format!("HTTP/1.1 {status} x\r\nContent-Length: 5\r\n\r\n");
        relayed(&input, method, |_| ()).contains("Content-Length: 5\r\n")
    };
    assert!(with(200, "HEAD") && with(304, "GET"));
    // RFC 9110 §8.6.
    assert!(!with(204, "GET") && !with(204, "HEAD"));
}

#[test]
fn a_101_gets_its_two_fields_and_no_length() {
    let input = "HTTP/1.1 101 Switching Protocols\r\nupgrade: WebSocket\r\nconnection: upgrade\r\nSec-WebSocket-Accept: x\r\n\
        Content-Length: 0\r\n\r\n";
    assert_eq!(
        relayed(input, "GET", |to| to.upgrade = true),
        "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: x\r\nCF-Ray: 1-LOC\r\nConnection: Upgrade\r\n\
         Upgrade: websocket\r\n\r\n"
    );
}

#[test]
fn a_426_says_what_it_requires() {
    let input = "HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo/2\r\nConnection: Upgrade\r\nContent-Length: 0\r\n\r\n";
    let expected = |connection: &str| {
        format!(
            "HTTP/1.1 426 Upgrade Required\r\nUpgrade: foo/2\r\nContent-Length: 0\r\n{DATED}\
             Connection: {connection}\r\n\r\n"
        )
    };
    assert_eq!(relayed(input, "GET", |_| ()), expected("Upgrade"));
    assert_eq!(
        relayed(input, "GET", |to| to.keep_alive = false),
        expected("Upgrade, close")
    );
    assert_eq!(
        relayed(input, "GET", |to| to.client_version = Version::Http10),
        expected("Upgrade, keep-alive")
    );
}

#[test]
fn only_a_426_with_an_upgrade_names_one() {
    for head in [
        "HTTP/1.1 200 OK\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n",
        "HTTP/1.1 426 Upgrade Required\r\n",
    ] {
        let written = relayed(&format!("{head}Content-Length: 0\r\n\r\n"), "GET", |_| ());
        let line = head.split("\r\n").next().unwrap();
        assert_eq!(written, format!("{line}\r\nContent-Length: 0\r\n{DATED}\r\n"));
    }
}

#[test]
fn an_informational_answer_goes_on_without_framing() {
    let head = response_head(
        b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\nContent-Length: 5\r\nConnection: x\r\nX: 1\r\nCF-Ray: theirs\r\nX-Accel-Buffering: no\r\n\r\n",
        "GET",
    );
    let mut out = Vec::new();
    write_informational(&mut out, &head);
    assert_eq!(out, b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
}

fn answered(status: u16, headers: &[(&str, &str)], body: &[u8], keep_alive: bool, with_body: bool) -> String {
    let mut out = Vec::new();
    let answer = OwnAnswer {
        status,
        headers: &pairs(headers),
        body,
        ray: "1-LOC",
        keep_alive,
        with_body,
    };
    write_answer_at(&mut out, &answer, UNIX_EPOCH + Duration::from_secs(784_111_777));
    String::from_utf8(out).unwrap()
}

#[test]
fn an_own_answer_is_whole() {
    let type_ = [("Content-Type", "text/plain")];
    let head = format!("HTTP/1.1 502 Bad Gateway\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n{DATED}");
    assert_eq!(
        answered(502, &type_, b"no", false, true),
        format!("{head}Connection: close\r\n\r\nno")
    );
    assert_eq!(
        answered(502, &type_, b"no", true, false),
        format!("{head}Connection: keep-alive\r\n\r\n")
    );
}

#[test]
fn an_own_answer_writes_its_framing_itself() {
    let headers = [
        ("content-length", "9"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "x"),
        ("Upgrade", "x"),
        ("Date", "x"),
        ("CF-RAY", "x"),
        ("bad name", "x"),
        ("X", "a\r\nb"),
    ];
    let expected = format!("HTTP/1.1 200 OK\r\nX: a  b\r\nContent-Length: 0\r\n{DATED}Connection: close\r\n\r\n");
    assert_eq!(answered(200, &headers, b"", false, true), expected);
}

#[test]
fn an_own_426_names_the_upgrade() {
    let headers = [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")];
    let expected = format!(
        "HTTP/1.1 426 Upgrade Required\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\nContent-Length: 0\r\n{DATED}\
         Connection: Upgrade, close\r\n\r\n"
    );
    assert_eq!(answered(426, &headers, b"", false, true), expected);
}

#[test]
fn a_status_without_a_body_has_none_whatever_is_given() {
    for (status, phrase) in [(204, "No Content"), (304, "Not Modified")] {
        let expected = format!("HTTP/1.1 {status} {phrase}\r\n{DATED}Connection: keep-alive\r\n\r\n");
        assert_eq!(answered(status, &[], b"body", true, true), expected);
    }
}

#[test]
fn an_answer_is_dated_now() {
    let seconds = || SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    let mut out = Vec::new();
    let before = seconds();
    write_answer(
        &mut out,
        &OwnAnswer {
            status: 200,
            headers: &[],
            body: b"",
            ray: "1-LOC",
            keep_alive: true,
            with_body: true,
        },
    );
    let is_of = |second| {
        let mut date = Vec::new();
        push_date(&mut date, UNIX_EPOCH + Duration::from_secs(second));
        response_head(&out, "GET").fields().first("date") == Some(&date[..])
    };
    assert!((before..=seconds()).any(is_of), "{}", out.escape_ascii());
}

#[test]
fn chunks_are_read_as_they_were_written() {
    let mut trailers = Fields::new();
    trailers.push("Grpc-Status", b"0");
    let mut out = Vec::new();
    for chunk in [&b"hello"[..], b"", &[b'x'; 300]] {
        write_chunk_head(&mut out, chunk.len());
        if !chunk.is_empty() {
            out.extend_from_slice(chunk);
            out.extend_from_slice(CHUNK_END);
        }
    }
    write_last_chunk(&mut out, Some(&trailers));
    assert!(out.starts_with(b"5\r\nhello\r\n12c\r\nxxx"));
    assert!(out.ends_with(b"\r\n0\r\nGrpc-Status: 0\r\n\r\n"));
    let read = body(Framing::Chunked, &out).unwrap();
    assert_eq!(
        (read.data.len(), read.is_done, read.trailers),
        (305, true, Some(trailers))
    );
}

#[test]
fn a_last_chunk_without_trailers_is_five_bytes() {
    let mut out = Vec::new();
    write_last_chunk(&mut out, None);
    assert_eq!(out, b"0\r\n\r\n");
}

#[test]
fn statuses_we_give_have_a_phrase() {
    for status in [
        200, 400, 405, 408, 414, 426, 431, 500, 501, 502, 503, 505, 520, 521, 522, 523, 524, 525, 526, 530,
    ] {
        assert!(!reason_phrase(status).is_empty(), "{status}");
    }
    assert_eq!((reason_phrase(521), reason_phrase(299)), ("Web Server Is Down", ""));
}

#[test]
fn a_stripped_handshake_leaves_an_ordinary_request() {
    let input = UPGRADE.replace(
        "User-Agent: x",
        "sec-websocket-extensions: x\r\nSec-WebSocketX: kept\r\nSec-Web: kept",
    );
    let request = Request {
        input: &input,
        strip_handshake: true,
        ..Request::default()
    };
    assert_eq!(
        sent(&request),
        "GET /chat?a=b HTTP/1.1\r\nHost: Edge.example:8443\r\nSec-WebSocketX: kept\r\nSec-Web: kept\r\n\r\n"
    );
}

#[test]
fn fields_set_on_an_answer_replace_the_origins_but_not_what_frames_it() {
    let input =
        "HTTP/1.1 200 OK\r\nServer: x\r\nContent-Length: 5\r\nSet-Cookie: a\r\nset-cookie: b\r\nDate: then\r\n\r\n";
    let set = pairs(&[
        ("SERVER", "ours"),
        ("Set-Cookie", "c"),
        ("Set-Cookie", "d"),
        ("Date", "now"),
        ("Content-Length", "9"),
        ("Transfer-Encoding", "chunked"),
        ("Connection", "close"),
        ("Upgrade", "h2c"),
        ("cf-ray", "forged"),
        ("X-Split", "a\r\nB: c"),
    ]);
    assert_eq!(
        relayed_with(&set, input, "GET", |_| {}),
        "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nCF-Ray: 1-LOC\r\nSERVER: ours\r\nSet-Cookie: c\r\nSet-Cookie: d\r\n\
         Date: now\r\nX-Split: a  B: c\r\n\r\n"
    );
}
