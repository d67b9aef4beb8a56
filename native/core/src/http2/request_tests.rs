use http::Request;
use http::request::Parts;

use super::*;
use crate::handshake::read_offer;
use crate::http::Version;
use crate::policy::Respond;

const BASE: [(&str, &str); 0] = [];

fn parts(method: &str, uri: &str, fields: &[(&str, &str)]) -> Parts {
    let mut builder = Request::builder().method(method).uri(uri);
    for (name, value) in fields {
        builder = builder.header(*name, *value);
    }
    builder.body(()).unwrap().into_parts().0
}

fn websocket(fields: &[(&str, &str)]) -> Parts {
    let mut parts = parts("CONNECT", "https://a.test/chat?room=1", fields);
    parts.extensions.insert(Protocol::from_static("websocket"));
    parts
}

fn refused(parts: &Parts) -> Respond {
    read_head(parts, false)
        .unwrap_err()
        .respond("ray", std::time::SystemTime::UNIX_EPOCH)
}

fn pairs(head: &RequestHead) -> Vec<(String, String)> {
    let fields = head.fields().iter();
    fields
        .map(|(name, value)| (name.to_owned(), String::from_utf8_lossy(value).into_owned()))
        .collect()
}

#[test]
fn a_request_is_what_it_would_be_over_1_1() {
    let head = read_head(
        &parts(
            "GET",
            "https://A.test:8443/p/x?q=1",
            &[("x-one", "1"), ("accept", "*/*")],
        ),
        false,
    )
    .unwrap();
    assert_eq!((head.method(), head.path(), head.query()), ("GET", "/p/x", "q=1"));
    assert_eq!((head.host(), head.authority()), ("a.test", "A.test:8443"));
    assert_eq!((head.version(), head.framing()), (Version::Http2, Framing::None));
    let expected = [("host", "A.test:8443"), ("x-one", "1"), ("accept", "*/*")];
    assert_eq!(
        pairs(&head),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_body_is_framed_by_its_length_or_by_the_stream() {
    let with = |fields: &[(&str, &str)], has_body| read_head(&parts("POST", "https://a.test/", fields), has_body);
    assert_eq!(with(&BASE, true).unwrap().framing(), Framing::Chunked);
    assert_eq!(with(&BASE, false).unwrap().framing(), Framing::None);
    assert_eq!(
        with(&[("content-length", "5")], true).unwrap().framing(),
        Framing::Length(5)
    );
}

#[test]
fn cookies_are_joined_where_the_first_stood() {
    let fields = [("cookie", "a=1"), ("x-one", "1"), ("cookie", "b=2"), ("cookie", "c=3")];
    let head = read_head(&parts("GET", "https://a.test/", &fields), false).unwrap();
    let expected = [("host", "a.test"), ("cookie", "a=1; b=2; c=3"), ("x-one", "1")];
    assert_eq!(
        pairs(&head),
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn a_host_may_say_what_the_authority_says_or_stand_alone() {
    let head = read_head(&parts("GET", "https://a.test/", &[("host", "A.TEST")]), false).unwrap();
    assert_eq!((head.host(), head.fields().count("host")), ("a.test", 1));
    let head = read_head(&parts("GET", "/path", &[("host", "b.test")]), false).unwrap();
    assert_eq!((head.host(), head.target()), ("b.test", "/path"));
}

#[test]
fn what_1_1_would_refuse_is_refused_with_its_status() {
    for (method, uri, fields, status) in [
        ("GET", "https://a.test/", &[("host", "b.test")][..], 400),
        ("GET", "https://a.test/", &[("host", "a.test"), ("host", "b.test")], 400),
        ("GET", "/", &[("host", "a.test"), ("host", "a.test")], 400),
        ("GET", "/", &[], 400),
        ("GET", "http://a.test/", &[], 400),
        ("GET", "https://a.test:0/", &[], 400),
        ("GET", "https://me@a.test/", &[], 400),
        ("GET", "https://a.test/", &[("x-one", " 1")], 400),
        (
            "GET",
            "https://a.test/",
            &[("content-length", "1"), ("content-length", "1")],
            400,
        ),
        ("GET", "https://a.test/", &[("content-length", "+1")], 400),
        ("TRACE", "https://a.test/", &[], 405),
        ("CONNECT", "a.test:443", &[], 405),
        ("A-METHOD-THAT-IS-LONGER-THAN-ANY-OTHER", "https://a.test/", &[], 501),
    ] {
        let refusal = refused(&parts(method, uri, fields));
        assert_eq!(refusal.status, status, "{method} {uri} {fields:?}");
    }
    let many: Vec<(&str, &str)> = vec![("x-many", "1"); 300];
    assert_eq!(refused(&parts("GET", "https://a.test/", &many)).status, 431);
    let long = format!("https://a.test/{}", "a".repeat(17_000));
    assert_eq!(refused(&parts("GET", &long, &[])).status, 414);
}

#[test]
fn a_websocket_is_asked_for_as_over_1_1_with_a_key_of_ours() {
    let fields = [
        ("sec-websocket-version", "13"),
        ("sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("sec-websocket-accept", "x"),
        ("sec-websocket-protocol", "chat"),
    ];
    let keys: Vec<String> = (0..2)
        .map(|_| {
            let head = read_head(&websocket(&fields), true).unwrap();
            assert_eq!(
                (head.method(), head.target(), head.host()),
                ("GET", "/chat?room=1", "a.test")
            );
            assert_eq!(head.framing(), Framing::None);
            assert!(head.fields().has_token("connection", "upgrade"));
            assert_eq!(head.fields().count("sec-websocket-accept"), 0);
            let offer = read_offer(&head).unwrap().unwrap();
            assert_eq!(offer.protocols, ["chat"]);
            offer.key
        })
        .collect();
    assert!(keys[0] != keys[1] && !keys.contains(&fields[1].1.to_owned()));
}

#[test]
fn a_websocket_without_its_version_is_told_which_one_we_speak() {
    let head = read_head(&websocket(&[]), true).unwrap();
    assert_eq!(read_offer(&head).unwrap_err().status(), 426);
}

#[test]
fn another_protocol_is_not_understood() {
    let mut parts = websocket(&[]);
    parts.extensions.insert(Protocol::from_static("connect-udp"));
    assert_eq!(refused(&parts).status, 501);
    assert_eq!(refused(&websocket(&[("content-length", "0")])).status, 400);
}

/// docs/websockets.md tells of these. The crate's type for targets does not take them, so no request with them gets here; its
/// stream is reset (`PROTOCOL_ERROR`). This fails when the crate takes more, or fewer.
#[test]
fn the_targets_that_pass_over_1_1_alone_are_known() {
    let passes = |target: &str| {
        let text = format!("GET {target} HTTP/1.1\r\nHost: a.test\r\n\r\n");
        let over_1_1 = HeadScan::new().request(text.as_bytes()).is_ok();
        let parsed = target.parse::<http::uri::PathAndQuery>();
        // Behind a `#` the crate leaves all out.
        (over_1_1, parsed.is_ok_and(|parsed| parsed.as_str() == target))
    };
    let only_over_1_1 = |before: &str| -> String {
        (0x21..0x7f_u8)
            .map(char::from)
            .filter(|letter| passes(&format!("{before}{letter}")) == (true, false))
            .collect()
    };
    assert_eq!(
        (only_over_1_1("/"), only_over_1_1("/?")),
        ("<>`".to_owned(), "\"<>".to_owned())
    );
    assert_eq!(passes("/a#b"), (false, false));
}
