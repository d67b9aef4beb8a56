use super::*;
use crate::http::testing::{response, response_head};

fn fault(input: &[u8]) -> ResponseFault {
    response(input, "GET").expect_err(&format!("refused: {}", input.escape_ascii()))
}

#[test]
fn a_head_says_what_was_answered() {
    let head = response_head(
        b"HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 5\r\n\r\n",
        "GET",
    );
    assert_eq!(
        (head.status(), head.reason(), head.version()),
        (404, &b"Not Found"[..], Version::Http11)
    );
    assert_eq!(head.framing(), Framing::Length(5));
    assert_eq!(head.fields().first("server"), Some(&b"x"[..]));
}

#[test]
fn a_reason_may_be_missing_odd_or_not_utf8() {
    for (line, reason) in [
        (&b"HTTP/1.1 200"[..], &b""[..]),
        (b"HTTP/1.1 200 ", b""),
        (b"HTTP/1.1 200  OK ", b" OK "),
        (b"HTTP/1.1 200 \xe4\t!", b"\xe4\t!"),
        (b"HTTP/1.0 999 x", b"x"),
    ] {
        let head = response_head(&[line, b"\r\n\r\n"].concat(), "GET");
        assert_eq!(head.reason(), reason);
    }
}

#[test]
fn what_is_no_status_line_is_a_fault() {
    for line in [
        "HTTP/1.1",
        "HTTP/1.1 ",
        "HTTP/1.1 20",
        "HTTP/1.1 2000",
        "HTTP/1.1 200OK",
        "HTTP/1.1  200",
        "HTTP/1.1\t200",
        "HTTP/1.1 099",
        "HTTP/1.1 2x0 OK",
        "HTTP/1.1 20x OK",
        "HTTP/1.1 -20",
        "HTTP/2.0 200 OK",
        "HTTP/1.2 200 OK",
        "HTTP/0.9 200 OK",
        "HTTP/1.1: 200",
        "HTTP/1.1 200\tOK",
    ] {
        let expected = ResponseFault::StatusLine(line.as_bytes().into());
        assert_eq!(fault(format!("{line}\r\nA: b\r\n\r\n").as_bytes()), expected, "{line}");
    }
}

#[test]
fn what_does_not_begin_as_http_is_refused_at_its_first_other_byte() {
    for (input, start) in [
        (&b"\x15\x03\x03"[..], &b"\x15"[..]),
        (b"SSH-2.0-OpenSSH", b"S"),
        (b"http/1.1 200", b"h"),
        (b"HTTX/1.1", b"HTTX"),
        (b"\r\nHTTP/1.1 200 OK\r\n\r\n", b"\r"),
        (b"HTTP\n", b"HTTP\n"),
    ] {
        assert_eq!(fault(input), ResponseFault::NotHttp(start.into()));
        assert_eq!(response(&start[..start.len() - 1], "GET"), Ok(None));
    }
}

#[test]
fn a_body_ends_as_rfc_9112_6_3_says() {
    let framings = |status: u16, method: &str| {
        ["", "Content-Length: 5\r\n", "Transfer-Encoding: chunked\r\n"]
            .map(|line| response_head(format!("HTTP/1.1 {status} x\r\n{line}\r\n").as_bytes(), method).framing())
    };
    let with_body = [Framing::UntilClose, Framing::Length(5), Framing::Chunked];
    for status in [200, 201, 205, 226, 301, 400, 404, 426, 500, 520] {
        assert_eq!(framings(status, "GET"), with_body, "{status}");
        assert_eq!(framings(status, "HEAD"), [Framing::None; 3], "{status}");
    }
    for status in [100, 101, 103, 199, 204, 304] {
        assert_eq!(framings(status, "GET"), [Framing::None; 3], "{status}");
    }
}

#[test]
fn an_unclear_framing_is_a_fault_even_where_there_is_no_body() {
    for (lines, expected) in [
        (
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            FramingFault::Both,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            FramingFault::RepeatedLength,
        ),
        (
            "Content-Length: 5\r\nContent-Length: 5\r\n",
            FramingFault::RepeatedLength,
        ),
        ("Content-Length: 5,5\r\n", FramingFault::Length((*b"5,5").into())),
        (
            "Transfer-Encoding: gzip\r\n",
            FramingFault::UnknownCoding((*b"gzip").into()),
        ),
    ] {
        for status in [200, 304] {
            let input = format!("HTTP/1.1 {status} OK\r\n{lines}\r\n");
            assert_eq!(fault(input.as_bytes()), expected.clone().into());
        }
    }
    let chunked_1_0 = b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert_eq!(fault(chunked_1_0), FramingFault::CodingInHttp10.into());
}

#[test]
fn fields_are_read_as_strictly_as_a_clients() {
    for (lines, expected) in [
        (&b"A: b\r\n c\r\n\r\n"[..], FieldFault::LeadingSpace),
        (b"A : b\r\n\r\n", FieldFault::SpaceInName((*b"A").into())),
        (b"A: b\nC: d\r\n\r\n", FieldFault::BareLf),
        (b"A: b\rC: d\r\n\r\n", FieldFault::BareCr),
        (b"A: \0\r\n\r\n", FieldFault::Control(0)),
        (b"A\r\n\r\n", FieldFault::NoColon((*b"A").into())),
        (b"\xff: b\r\n\r\n", FieldFault::NameByte(0xff)),
    ] {
        assert_eq!(fault(&[b"HTTP/1.1 200 OK\r\n", lines].concat()), expected.into());
    }
    assert_eq!(fault(b"HTTP/1.1 200 OK\n\n"), FieldFault::BareLf.into());
}

#[test]
fn keep_alive_needs_a_body_that_ends_before_the_connection() {
    for (head, expected) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n", true),
        ("HTTP/1.1 200 OK\r\n", false),
        ("HTTP/1.1 204 x\r\n", true),
        ("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: Close\r\n", false),
        ("HTTP/1.0 200 OK\r\nContent-Length: 0\r\n", false),
        (
            "HTTP/1.0 200 OK\r\nContent-Length: 0\r\nConnection: keep-alive\r\n",
            true,
        ),
        ("HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n", false),
    ] {
        assert_eq!(
            response_head(format!("{head}\r\n").as_bytes(), "GET").keep_alive(),
            expected,
            "{head}"
        );
    }
}

#[test]
fn a_head_may_be_as_long_as_the_limit_and_no_longer() {
    let head = |length: usize| {
        let (before, after) = ("HTTP/1.1 200 OK\r\nA: ", "\r\n\r\n");
        format!("{before}{}{after}", "x".repeat(length - before.len() - after.len())).into_bytes()
    };
    let scan = |input: &[u8]| {
        crate::http::HeadScan::new()
            .response(input, "GET")
            .map(|found| found.map(|(_, used)| used))
    };
    assert_eq!(scan(&head(MAX_RESPONSE_HEAD_BYTES)), Ok(Some(MAX_RESPONSE_HEAD_BYTES)));
    let too_large = Err(FieldFault::TooLarge(MAX_RESPONSE_HEAD_BYTES).into());
    assert_eq!(scan(&head(MAX_RESPONSE_HEAD_BYTES + 1)), too_large);
    let endless_line = [&b"HTTP/1.1 200 "[..], &vec![b'x'; MAX_RESPONSE_HEAD_BYTES]].concat();
    assert_eq!(scan(&endless_line), too_large);
}

#[test]
fn a_fault_is_one_sentence() {
    for (input, sentence) in [
        ("SSH-", "the answer begins with \"S\"; expected \"HTTP/1.1\""),
        (
            "HTTP/1.1 OK\r\n",
            "the status line is \"HTTP/1.1 OK\"; expected such as \"HTTP/1.1 200 OK\"",
        ),
        (
            "HTTP/1.1 200 OK\r\nX: y\r\n z\r\n",
            "a line begins with whitespace; expected a field name (no folding)",
        ),
    ] {
        assert_eq!(fault(input.as_bytes()).reason(), sentence);
    }
    let options = format!("HTTP/1.1 200 OK\r\nConnection: {}\r\n\r\n", "x,".repeat(33));
    assert_eq!(
        fault(options.as_bytes()).reason(),
        "Connection has more than 32 options"
    );
}
