use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, UNIX_EPOCH};

use serde_json::{Value, json};

use super::*;
use crate::http::testing::{request, request_head};

const ATTEMPT: &str = "Connection: Upgrade\r\nSec-WebSocket-Key: x\r\n";

fn respond(refusal: Refusal) -> Respond {
    refusal.respond("00-LOC", UNIX_EPOCH + Duration::from_secs(1))
}

fn field<'a>(answer: &'a Respond, name: &str) -> Vec<&'a str> {
    let named = answer.headers.iter().filter(|(field, _)| field == name);
    named.map(|(_, value)| value.as_str()).collect()
}

fn of_bytes(head: &str) -> Respond {
    respond(Refusal::of_head(
        &request(head.as_bytes()).expect_err("refused"),
        head.as_bytes(),
    ))
}

fn is_json(answer: &Respond) -> bool {
    field(answer, "Content-Type") == ["application/json; charset=utf-8"]
}

#[test]
fn a_refused_handshake_is_told_in_json() {
    let head = request_head(b"GET /chat HTTP/1.1\r\nHost: A.example\r\nUpgrade: \"\r\n\r\n");
    let answer = respond(Refusal::of_handshake(
        &HandshakeFault::UpgradeList((*b"a,\"").into()),
        &head,
    ));
    assert_eq!((answer.status, is_json(&answer)), (400, true));
    assert_eq!(field(&answer, "cf-error-type"), ["400"]);
    assert_eq!(field(&answer, "cf-error-origin"), ["client"]);
    assert_eq!(field(&answer, "Cache-Control"), ["no-store"]);
    let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
    let expected = json!({
        "type": "about:blank", "title": "Bad Request", "status": 400,
        "detail": HandshakeFault::UpgradeList((*b"a,\"").into()).reason() + ".",
        "instance": "urn:ray:00-LOC", "error_code": 400, "error_name": "bad_request", "side": "client",
        "host": "a.example", "ray_id": "00-LOC", "timestamp": "1970-01-01T00:00:01Z", "retryable": false,
        "what_to_check": [CHECK_CLIENT],
    });
    assert_eq!(said, expected);
}

#[test]
fn a_version_that_is_not_ours_is_told_ours_beside_the_json() {
    let head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    let answer = respond(Refusal::of_handshake(&HandshakeFault::VersionCount(0), &head));
    assert_eq!((answer.status, is_json(&answer)), (426, true));
    assert_eq!(field(&answer, "Sec-WebSocket-Version"), ["13"]);
    assert_eq!(field(&answer, "Upgrade"), ["websocket"]);
}

#[test]
fn a_head_that_cannot_be_read_is_told_in_the_form_it_seems_to_want() {
    for (head, status, name) in [
        (format!("GET / HTTP/1.1\r\n{ATTEMPT}\r\n"), 400, "bad_request"),
        (
            format!("GET / HTTP/1.1\r\nHost: a\r\n{ATTEMPT}a b: c\r\n\r\n"),
            400,
            "bad_request",
        ),
        (
            "GET / HTTP/1.1\r\nUPGRADE : h2c, WebSocket\r\n\r\n".into(),
            400,
            "bad_request",
        ),
        (
            format!("TRACE / HTTP/1.1\r\nHost: a\r\n{ATTEMPT}\r\n"),
            405,
            "method_not_allowed",
        ),
        (
            format!("GET /{} HTTP/1.1\r\nHost: a\r\n{ATTEMPT}\r\n", "a".repeat(17_000)),
            414,
            "target_too_long",
        ),
        (
            format!("GET / HTTP/1.1\r\n{ATTEMPT}{}\r\n", "a: b\r\n".repeat(300)),
            431,
            "head_too_large",
        ),
        (
            format!("GET / HTTP/2.0\r\n{ATTEMPT}\r\n"),
            505,
            "http_version_unsupported",
        ),
    ] {
        let answer = of_bytes(&head);
        let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
        assert_eq!(
            (answer.status, &said["error_name"], &said["host"]),
            (status, &json!(name), &json!(""))
        );
    }
    for head in [
        "GET / HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: h2c\r\n\r\n",
        "GET / HTTP/1.1\r\nUpgrade: websocket2\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\nUpgrade: websocket\r\n\r\n",
    ] {
        let answer = of_bytes(head);
        assert_eq!(field(&answer, "Content-Type"), ["text/plain; charset=utf-8"], "{head}");
        assert_eq!(
            answer.body,
            b"400 Bad Request: there is no Host field; HTTP/1.1 requires one\n"
        );
    }
}

#[test]
fn where_nobody_decided_an_upgrade_is_told_in_json() {
    let asked = |is_upgrade| Asked {
        head: request_head(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        ray: "00-LOC".into(),
        client: SocketAddr::from(([127, 0, 0, 1], 1)),
        edge_port: 80,
        tls: None,
        is_upgrade,
        is_egress: false,
        zone: OnceLock::new(),
        leaving: crate::leaving::farewell().1,
    };
    let answer = respond(Refusal::of(&asked(true), 503, "too many").with_retry_after(1));
    let said: Value = serde_json::from_slice(&answer.body).expect("JSON");
    assert_eq!(field(&answer, "Retry-After"), ["1"]);
    assert_eq!(
        [
            &said["detail"],
            &said["error_name"],
            &said["side"],
            &said["retryable"],
            &said["retry_after"]
        ],
        [
            &json!("Too many."),
            &json!("edge_overloaded"),
            &json!("edge"),
            &json!(true),
            &json!(1)
        ]
    );
    let text = respond(Refusal::of(&asked(false), 500, "it failed"));
    assert_eq!(text.body, b"500 Internal Server Error: it failed\n");
    assert_eq!(field(&text, "cf-error-origin"), ["edge"]);
    let unexplained = respond(Refusal::new(521, "it refused the connection"));
    assert_eq!(unexplained.body, b"521 Web Server Is Down: it refused the connection\n");
    assert_eq!(field(&unexplained, "cf-error-origin"), ["origin"]);
}
