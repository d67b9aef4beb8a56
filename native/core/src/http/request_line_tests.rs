use super::*;
use crate::http::target::TargetFault;
use crate::http::testing::request;

/// What is wrong with a request line; its head is never completed.
fn fault(line: &[u8]) -> RequestFault {
    request(line).expect_err(&format!("refused: {}", line.escape_ascii()))
}

#[test]
fn nothing_is_said_while_the_line_may_become_valid() {
    let line = b"\r\nGET /a HTTP/1.1\r\nHost: a\r\n\r";
    for end in 0..=line.len() {
        assert_eq!(request(&line[..end]), Ok(None), "{end}");
    }
}

#[test]
fn the_first_byte_that_cannot_be_is_refused_at_once() {
    for (line, expected) in [
        (&b"\x16"[..], RequestFault::MethodByte(0x16)),
        (b" ", RequestFault::MethodByte(b' ')),
        (b"\n", RequestFault::MethodByte(b'\n')),
        (b"\0", RequestFault::MethodByte(0)),
        (b"\r\n\r", RequestFault::MethodByte(b'\r')),
        (b"\r\n\n", RequestFault::MethodByte(b'\n')),
        (b"\rG", FieldFault::BareCr.into()),
        (b"GET\t", RequestFault::MethodByte(b'\t')),
        (b"GET\r", RequestFault::MethodByte(b'\r')),
        (b"G(", RequestFault::MethodByte(b'(')),
        (b"G\xc3", RequestFault::MethodByte(0xc3)),
        (b"GET  ", RequestFault::TargetByte(b' ')),
        (b"GET \r", RequestFault::TargetByte(b'\r')),
        (b"GET /\r", RequestFault::TargetByte(b'\r')),
        (b"GET /\n", RequestFault::TargetByte(b'\n')),
        (b"GET /\t", RequestFault::TargetByte(b'\t')),
        (b"GET /a\0", RequestFault::TargetByte(0)),
        (b"GET /\x7f", RequestFault::TargetByte(0x7f)),
        (b"GET /a#", RequestFault::TargetByte(b'#')),
        (b"GET /  ", RequestFault::VersionByte(b' ')),
        (b"GET / h", RequestFault::VersionByte(b'h')),
        (b"GET / HTTPS", RequestFault::VersionByte(b'S')),
        (b"GET / HTTP/x", RequestFault::VersionByte(b'x')),
        (b"GET / HTTP/11", RequestFault::VersionByte(b'1')),
        (b"GET / HTTP/1,", RequestFault::VersionByte(b',')),
        (b"GET / HTTP/1.10", RequestFault::VersionByte(b'0')),
        (b"GET / HTTP/1.1 ", RequestFault::VersionByte(b' ')),
        (b"GET / HTTP/1.1\n", RequestFault::VersionByte(b'\n')),
        (b"GET / HTTP/1.1\r\r", RequestFault::VersionByte(b'\r')),
    ] {
        assert_eq!(fault(line), expected, "{}", line.escape_ascii());
        let before = &line[..line.len() - 1];
        assert_eq!(request(before), Ok(None), "too early: {}", line.escape_ascii());
    }
}

#[test]
fn a_version_of_the_right_shape_but_not_ours_speaks_first() {
    for version in ["HTTP/2.0", "HTTP/0.9", "HTTP/1.2", "HTTP/3.0", "HTTP/9.9"] {
        let line = format!("CONNECT nowhere {version}\r\n");
        assert_eq!(
            fault(line.as_bytes()),
            RequestFault::UnknownVersion(version.as_bytes().into())
        );
    }
    assert_eq!(fault(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").status(), 505);
}

#[test]
fn connect_and_trace_are_refused_before_their_targets_are_read() {
    for method in ["CONNECT", "TRACE"] {
        let line = format!("{method} a.example:443 HTTP/1.1\r\n");
        assert_eq!(
            fault(line.as_bytes()),
            RequestFault::MethodNotAllowed(method.as_bytes().into())
        );
    }
    // Methods are case-sensitive, so this is another one.
    assert_eq!(request(b"trace / HTTP/1.1\r\n"), Ok(None));
}

#[test]
fn a_bad_target_is_refused_when_its_line_is_whole() {
    assert_eq!(fault(b"GET /\xff HTTP/1.1\r\n"), TargetFault::NotUtf8.into());
    assert_eq!(
        fault(b"GET a/b HTTP/1.1\r\n"),
        TargetFault::Form((*b"a/b").into()).into()
    );
    assert_eq!(
        fault(b"GET http://u@a/ HTTP/1.1\r\n"),
        TargetFault::Host((*b"u@a").into()).into()
    );
}

#[test]
fn a_method_may_be_any_token_up_to_the_limit() {
    let line = |length: usize| format!("{} / HTTP/1.1\r\n", "M".repeat(length)).into_bytes();
    assert_eq!(request(&line(1)), Ok(None));
    assert_eq!(request(&line(MAX_METHOD_BYTES)), Ok(None));
    assert_eq!(fault(&line(MAX_METHOD_BYTES + 1)), RequestFault::MethodTooLong);
    assert_eq!(request(b"M!#$%&'*+-.^_`|~ / HTTP/1.1\r\n"), Ok(None));
}

#[test]
fn a_target_may_be_as_long_as_the_limit_and_no_longer() {
    let line = |length: usize| format!("GET /{} HTTP/1.1\r\n", "a".repeat(length - 1)).into_bytes();
    assert_eq!(request(&line(MAX_TARGET_BYTES)), Ok(None));
    assert_eq!(fault(&line(MAX_TARGET_BYTES + 1)), RequestFault::TargetTooLong);
    // Certain before the line ends, and whatever comes later in it.
    assert_eq!(
        fault(&line(MAX_TARGET_BYTES + 1)[..=4 + MAX_TARGET_BYTES]),
        RequestFault::TargetTooLong
    );
    let mut with_control = line(2 * MAX_TARGET_BYTES);
    with_control[4 + MAX_TARGET_BYTES + 10] = 0;
    assert_eq!(fault(&with_control), RequestFault::TargetTooLong);
    assert_eq!(RequestFault::TargetTooLong.status(), 414);
}
