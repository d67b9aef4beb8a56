use super::*;
use crate::http::testing::{get_with, request, request_head};

fn fault(input: &[u8]) -> RequestFault {
    request(input).expect_err(&format!("refused: {}", input.escape_ascii()))
}

fn fault_of_lines(lines: &str) -> RequestFault {
    fault(&get_with(lines))
}

#[test]
fn a_head_says_what_was_asked() {
    let head = request_head(
        b"POST /a/b?c=d?e HTTP/1.1\r\nhOst: A.Example:8080\r\nContent-Length: 3\r\nX-A:  \tb c\t\r\nX-Empty:\r\n\r\n",
    );
    assert_eq!(head.method(), "POST");
    assert_eq!(
        (head.target(), head.path(), head.query()),
        ("/a/b?c=d?e", "/a/b", "c=d?e")
    );
    assert_eq!((head.authority(), head.host()), ("A.Example:8080", "a.example"));
    assert_eq!((head.version(), head.framing()), (Version::Http11, Framing::Length(3)));
    let names: Vec<_> = head.fields().iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["hOst", "Content-Length", "X-A", "X-Empty"]);
    assert_eq!(head.fields().first("x-a"), Some(&b"b c"[..]));
    assert_eq!(head.fields().first("x-empty"), Some(&b""[..]));
}

#[test]
fn a_target_without_a_query_has_an_empty_one() {
    for (target, path, query) in [
        ("/", "/", ""),
        ("/?", "/", ""),
        ("/a??b", "/a", "?b"),
        ("/ä?ö", "/ä", "ö"),
    ] {
        let head = request_head(format!("GET {target} HTTP/1.1\r\nHost: a\r\n\r\n").as_bytes());
        assert_eq!((head.target(), head.path(), head.query()), (target, path, query));
    }
}

#[test]
fn an_absolute_form_is_reduced_and_its_host_wins() {
    for (target, reduced, authority, host) in [
        ("http://B.example:81/x?y", "/x?y", "B.example:81", "b.example"),
        ("wss://b.example", "/", "b.example", "b.example"),
        ("http://[2001:DB8::1]:80?y", "/?y", "[2001:DB8::1]:80", "[2001:db8::1]"),
    ] {
        let head = request_head(format!("GET {target} HTTP/1.1\r\nHost: a.example\r\n\r\n").as_bytes());
        assert_eq!(
            (head.target(), head.authority(), head.host()),
            (reduced, authority, host)
        );
    }
    let head = request_head(b"OPTIONS http://b.example HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.target(), head.path(), head.host()), ("*", "*", "b.example"));
}

#[test]
fn an_absolute_form_does_not_excuse_a_bad_host_field() {
    let with = |lines: &str| fault(format!("GET http://b.example/ HTTP/1.1\r\n{lines}\r\n").as_bytes());
    assert_eq!(with(""), TargetFault::NoHost.into());
    assert_eq!(with("Host: a/b\r\n"), TargetFault::Host((*b"a/b").into()).into());
    assert_eq!(with("Host: a\r\nHost: a\r\n"), TargetFault::RepeatedHost.into());
}

#[test]
fn http_1_0_needs_no_host_but_a_good_one_if_any() {
    let head = request_head(b"GET / HTTP/1.0\r\n\r\n");
    assert_eq!(
        (head.authority(), head.host(), head.version()),
        ("", "", Version::Http10)
    );
    assert_eq!(request_head(b"GET / HTTP/1.0\r\nHost: A\r\n\r\n").host(), "a");
    assert_eq!(
        fault(b"GET / HTTP/1.0\r\nHost:\r\n\r\n"),
        TargetFault::Host([].into()).into()
    );
    assert_eq!(
        fault(b"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"),
        TargetFault::RepeatedHost.into()
    );
}

#[test]
fn a_host_field_that_is_missing_doubled_or_odd_is_refused() {
    assert_eq!(fault(b"GET / HTTP/1.1\r\n\r\n"), TargetFault::NoHost.into());
    assert_eq!(fault_of_lines("host: a.example\r\n"), TargetFault::RepeatedHost.into());
    for host in ["", "u@a", "a b", "a/b", "a,b", "a:b", "a:99999", "http://a"] {
        let found = fault(format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes());
        assert_eq!(found, TargetFault::Host(host.as_bytes().into()).into(), "{host}");
        assert_eq!(found.status(), 400);
    }
}

#[test]
fn one_empty_line_before_a_request_is_used_up_with_it() {
    let head = request_head(b"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n");
    assert_eq!((head.method(), head.host()), ("GET", "a"));
}

#[test]
fn the_framing_is_the_one_of_the_fields() {
    for (lines, framing) in [
        ("", Framing::None),
        ("Content-Length: 0\r\n", Framing::Length(0)),
        ("Transfer-Encoding: Chunked\r\n", Framing::Chunked),
    ] {
        assert_eq!(request_head(&get_with(lines)).framing(), framing);
    }
}

#[test]
fn what_smuggles_is_refused() {
    for lines in [
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Content-Length: 5\r\nContent-Length: 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: +5\r\n",
        "Content-Length:\r\n",
        "Transfer-Encoding: chunked, chunked\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: \x0bchunked\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding\t: chunked\r\n",
        "X: y\r\n Transfer-Encoding: chunked\r\n",
        "X: y\rTransfer-Encoding: chunked\r\n",
        "X: y\nTransfer-Encoding: chunked\r\n",
        "X: y\r\r\n",
        "X: y\0\r\n",
        "X: y\x7f\r\n",
        ": y\r\n",
        "X\r\n",
        "X Y: z\r\n",
        "X\u{b}: y\r\n",
    ] {
        assert_eq!(fault_of_lines(lines).status(), 400, "{lines:?}");
    }
    assert_eq!(
        fault(b"GET / HTTP/1.1\r\n Host: a\r\n\r\n"),
        FieldFault::LeadingSpace.into()
    );
    assert_eq!(fault(b"GET / HTTP/1.1\r\nHost: a\r\n\n"), FieldFault::BareLf.into());
    assert_eq!(
        fault(b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n").status(),
        400
    );
    assert_eq!(fault_of_lines("Transfer-Encoding: gzip, chunked\r\n").status(), 501);
}

#[test]
fn tabs_and_bytes_beyond_ascii_may_stand_in_a_value() {
    let head = request_head(b"GET / HTTP/1.1\r\nHost: a\r\nX: a\tb\xff\r\n\r\n");
    assert_eq!(head.fields().first("x"), Some(&b"a\tb\xff"[..]));
}

#[test]
fn keep_alive_follows_version_and_connection() {
    for (version, connection, expected) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: keep-alive, CLOSE\r\n", false),
        ("1.1", "Connection: x\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
        ("1.0", "Connection: upgrade\r\n", false),
    ] {
        let head = request_head(format!("GET / HTTP/{version}\r\nHost: a\r\n{connection}\r\n").as_bytes());
        assert_eq!(head.keep_alive(), expected, "{version} {connection}");
    }
}

#[test]
fn only_http_1_1_can_expect_a_continue() {
    for (version, value, expected) in [
        ("1.1", "100-continue", true),
        ("1.1", "100-Continue", true),
        ("1.1", "x", false),
        ("1.0", "100-continue", false),
    ] {
        let head = request_head(format!("PUT / HTTP/{version}\r\nHost: a\r\nExpect: {value}\r\n\r\n").as_bytes());
        assert_eq!(head.expects_continue(), expected);
    }
    assert!(!request_head(&get_with("")).expects_continue());
}

#[test]
fn connection_has_a_bounded_number_of_options() {
    let options = |count: usize| format!("Connection: {}\r\n", vec!["x"; count].join(","));
    assert!(request(&get_with(&options(MAX_CONNECTION_OPTIONS))).is_ok());
    let limit = MAX_CONNECTION_OPTIONS;
    assert_eq!(
        fault_of_lines(&options(limit + 1)),
        RequestFault::TooManyOptions { limit }
    );
}

#[test]
fn each_fault_has_a_status_and_a_sentence() {
    for (input, status, sentence) in [
        (
            "\u{16}\u{3}",
            400,
            "the method has the byte 0x16; expected letters, then one space",
        ),
        (
            "CONNECT a:1 HTTP/1.1\r\n",
            405,
            "the method \"CONNECT\" is refused here",
        ),
        (
            "GET  / HTTP/1.1\r\n",
            400,
            "two spaces follow the method; expected one, then the target",
        ),
        (
            "GET /#a HTTP/1.1\r\n",
            400,
            "the request target has a \"#\"; a fragment is never sent",
        ),
        (
            "GET /\r\n",
            400,
            "the byte 0x0d stands in the request target; expected \"TARGET HTTP/1.1\"",
        ),
        (
            "GET / HTTX",
            400,
            "the byte 0x58 stands where the request line must end; expected \"HTTP/1.1\" and CRLF",
        ),
        (
            "PRI * HTTP/2.0\r\n",
            505,
            "the version is \"HTTP/2.0\"; expected HTTP/1.1 or HTTP/1.0",
        ),
        (
            "GET a HTTP/1.1\r\n",
            400,
            "the request target is \"a\"; expected a path that begins with \"/\"",
        ),
        (
            "GET * HTTP/1.1\r\n",
            400,
            "the request target is \"*\"; that is for OPTIONS only",
        ),
        (
            "GET / HTTP/1.1\r\n\r\n",
            400,
            "there is no Host field; HTTP/1.1 requires one",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a b\r\n\r\n",
            400,
            "the host is \"a b\"; expected a name or address, and a port",
        ),
        (
            "GET / HTTP/1.1\r\nA\n",
            400,
            "an LF stands without a CR; lines must end with CRLF",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
            400,
            "Content-Length is \"5, 5\"; expected decimal digits for less than 2^64",
        ),
        (
            "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: br\r\n\r\n",
            501,
            "the transfer coding \"br\" is not understood; expected \"chunked\"",
        ),
    ] {
        let found = fault(input.as_bytes());
        assert_eq!(
            (found.status(), found.reason()),
            (status, sentence.to_owned()),
            "{input:?}"
        );
    }
}

#[test]
fn a_refused_method_is_answered_with_what_is_allowed() {
    let found = fault(b"TRACE / HTTP/1.1\r\n");
    assert_eq!(found.answer_fields()[0].0, "Allow");
    assert!(
        found.answer_fields()[0]
            .1
            .split(", ")
            .all(|method| method != "TRACE" && method != "CONNECT")
    );
    assert!(fault(b"GET / HTTP/3.0\r\n").answer_fields().is_empty());
}
