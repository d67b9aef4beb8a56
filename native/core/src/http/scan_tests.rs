use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::http::testing::{get_with, request, response};
use crate::http::{Framing, MAX_HEAD_BYTES};

#[test]
fn a_head_may_be_as_long_as_the_limit_and_no_longer() {
    let head = |length: usize| {
        let (before, after) = ("GET / HTTP/1.1\r\nHost: a\r\nA: ", "\r\n\r\n");
        format!("{before}{}{after}", "x".repeat(length - before.len() - after.len())).into_bytes()
    };
    let used = |input: &[u8]| request(input).map(|found| found.map(|(_, used)| used));
    let too_large = Err(FieldFault::TooLarge(MAX_HEAD_BYTES).into());
    assert_eq!(used(&head(MAX_HEAD_BYTES)), Ok(Some(MAX_HEAD_BYTES)));
    assert_eq!(used(&head(MAX_HEAD_BYTES + 1)), too_large);
    assert_eq!(used(&head(MAX_HEAD_BYTES + 1)[..MAX_HEAD_BYTES]), too_large);
    assert_eq!(used(&head(MAX_HEAD_BYTES + 1)[..MAX_HEAD_BYTES - 1]), Ok(None));
    // What lies beyond the limit does not change what is said.
    assert_eq!(used(&head(2 * MAX_HEAD_BYTES)), too_large);
    let with_control = [&head(2 * MAX_HEAD_BYTES)[..MAX_HEAD_BYTES], b"\0"].concat();
    assert_eq!(used(&with_control), too_large);
    assert_eq!(request(&with_control).unwrap_err().status(), 431);
}

#[test]
fn a_head_has_as_many_fields_as_the_limit_and_no_more() {
    let with = |count: usize| get_with(&"a:\r\n".repeat(count - 1));
    assert_eq!(
        request(&with(MAX_FIELDS)).unwrap().unwrap().0.fields().len(),
        MAX_FIELDS
    );
    let fault = request(&with(MAX_FIELDS + 1)).unwrap_err();
    assert_eq!(fault, FieldFault::TooMany(MAX_FIELDS).into());
    assert_eq!(fault.status(), 431);
    let answer = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a:\r\n".repeat(MAX_FIELDS + 1));
    assert_eq!(
        response(answer.as_bytes(), "GET").unwrap_err(),
        FieldFault::TooMany(MAX_FIELDS).into()
    );
}

#[test]
fn a_control_byte_is_refused_before_its_line_ends() {
    for (byte, expected) in [
        (0, FieldFault::Control(0)),
        (0x1b, FieldFault::Control(0x1b)),
        (b'\n', FieldFault::BareLf),
    ] {
        let input = [&b"GET / HTTP/1.1\r\nHost: a"[..], &[byte]].concat();
        assert_eq!(request(&input).unwrap_err(), expected.into());
    }
}

#[test]
fn a_scan_is_ready_for_the_next_head() {
    let two = [
        get_with("A: 1\r\n"),
        b"POST /b HTTP/1.1\r\nHost: b\r\nContent-Length: 4\r\n\r\n".to_vec(),
    ]
    .concat();
    let mut scan = HeadScan::new();
    let (first, used) = scan.request(&two).unwrap().unwrap();
    let (second, rest) = scan.request(&two[used..]).unwrap().unwrap();
    assert_eq!((first.fields().len(), second.fields().len()), (2, 2));
    assert_eq!((second.path(), second.framing()), ("/b", Framing::Length(4)));
    assert_eq!(used + rest, two.len());
}

#[test]
fn one_scan_reads_informational_heads_and_then_the_answer() {
    let mut scan = HeadScan::new();
    let stream = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
    let (hints, used) = scan.response(stream, "GET").unwrap().unwrap();
    let (answer, _) = scan.response(&stream[used..], "GET").unwrap().unwrap();
    assert_eq!((hints.status(), answer.status()), (103, 200));
}

#[test]
fn a_head_fed_byte_by_byte_costs_time_linear_in_its_bytes() {
    // 32 KiB read anew for each byte would be 512 MiB looked at: seconds, in a debug build. The bound is generous.
    let head = get_with(&format!("A: {}\r\n", "x".repeat(32_000)));
    let started = Instant::now();
    let mut scan = HeadScan::new();
    assert!((0..head.len()).all(|end| scan.request(&head[..end]).unwrap().is_none()));
    assert!(scan.request(&head).unwrap().is_some());
    assert!(started.elapsed() < Duration::from_secs(1), "{:?}", started.elapsed());
}

/// Bytes of which heads are made, good and bad ones.
fn fragment() -> impl Strategy<Value = Vec<u8>> {
    let known: Vec<&[u8]> = vec![
        b"GET ",
        b"POST ",
        b"OPTIONS ",
        b"/",
        b"*",
        b"/a?b",
        b"http://h/",
        b" HTTP/1.1\r\n",
        b" HTTP/1.0\r\n",
        b"HTTP/1.1 ",
        b"200 OK\r\n",
        b"101\r\n",
        b"304 \r\n",
        b"Host: a\r\n",
        b"Host: a\r\n",
        b"X: y\r\n",
        b"X:\t y \r\n",
        b"Content-Length: 5\r\n",
        b"Content-Length: ",
        b"Transfer-Encoding: chunked\r\n",
        b"Connection: close\r\n",
        b"Connection: ",
        b",",
        b": ",
        b"\r\n",
        b"\r\n\r\n",
        b"\r",
        b"\n",
        b" ",
        b"\t",
        b"\0",
        b"\xff",
        b"#",
        b"a",
        b"0",
    ];
    prop_oneof![
        12 => proptest::sample::select(known).prop_map(<[u8]>::to_vec),
        1 => proptest::collection::vec(any::<u8>(), 0..4),
    ]
}

fn near_head() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(fragment(), 0..12).prop_map(|parts| parts.concat())
}

/// A request head that is valid, and its fields.
fn valid_head() -> impl Strategy<Value = (Vec<u8>, Vec<(String, String)>)> {
    let name = "[!#$%&'*+.^_`|~0-9A-Za-z-]{1,12}";
    let value = "([!-~äé]([ \t!-~äé]{0,20}[!-~äé])?)?";
    let reserved = ["host", "connection", "content-length", "transfer-encoding"];
    let field = (name, value).prop_filter("has a meaning", move |(name, _)| {
        !reserved.iter().any(|reserved| name.eq_ignore_ascii_case(reserved))
    });
    (proptest::collection::vec(field, 0..20), "/[!-\"$-~é]{0,30}").prop_map(|(fields, target)| {
        let mut head = format!("GET {target} HTTP/1.1\r\n");
        for (name, value) in &fields {
            head.extend([name, ": \t", value, " \r\n"]);
        }
        head.push_str("Host: a.example\r\n\r\n");
        (head.into_bytes(), fields)
    })
}

/// Reads with prefixes that grow by `steps`, as a socket would give them.
fn request_in_steps(input: &[u8], steps: &[usize]) -> Result<Option<(RequestHead, usize)>, RequestFault> {
    let mut scan = HeadScan::new();
    let mut end = 0;
    for step in steps.iter().copied().chain([input.len()]) {
        end = (end + step).min(input.len());
        if let Some(found) = scan.request(&input[..end]).transpose() {
            return found.map(Some);
        }
    }
    Ok(None)
}

proptest! {
    #[test]
    fn any_chopping_of_a_request_gives_the_same(input in near_head(), steps in proptest::collection::vec(0_usize..9, 0..30)) {
        let whole = request(&input);
        prop_assert_eq!(request_in_steps(&input, &steps), whole);
    }

    #[test]
    fn any_chopping_of_a_response_gives_the_same(input in near_head(), is_head in any::<bool>()) {
        let _ = response(&input, if is_head { "HEAD" } else { "GET" });
        let _ = response(&[b"HTTP/1.1 200 OK\r\n", &input[..]].concat(), "GET");
    }

    #[test]
    fn no_input_panics(input in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = request(&input);
        let _ = response(&input, "GET");
        let _ = request(&[b"GET / HTTP/1.1\r\nHost: a\r\n", &input[..]].concat());
    }

    #[test]
    fn a_valid_head_is_read_as_it_was_written((input, fields) in valid_head()) {
        let (head, used) = request(&input).unwrap().unwrap();
        prop_assert_eq!(used, input.len());
        let read: Vec<_> = head.fields().iter().map(|(name, value)| (name.to_owned(), value.to_vec())).collect();
        let mut written: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.into_bytes())).collect();
        written.push(("Host".to_owned(), b"a.example".to_vec()));
        prop_assert_eq!(read, written);
    }

    /// A second opinion: what we accept, `httparse` (which is laxer) reads in the same way.
    #[test]
    fn another_parser_agrees_with_what_is_accepted(
        input in prop_oneof![near_head(), valid_head().prop_map(|(head, _)| head)],
    ) {
        if let Ok(Some((head, used))) = request(&input) {
            let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut other = httparse::Request::new(&mut room);
            prop_assert_eq!(other.parse(&input), Ok(httparse::Status::Complete(used)));
            prop_assert_eq!(other.method, Some(head.method()));
            prop_assert_eq!(other.version, Some(u8::from(head.version() == crate::http::Version::Http11)));
            let theirs = other.headers.iter().map(|field| (field.name, field.value));
            prop_assert!(theirs.eq(head.fields().iter()));
        }
    }

    #[test]
    fn another_parser_agrees_with_answers_that_are_accepted(lines in near_head(), status in 100_u16..1000) {
        let input = [format!("HTTP/1.1 {status} x\r\n").as_bytes(), &lines, b"\r\n\r\n"].concat();
        if let Ok(Some((head, used))) = response(&input, "GET") {
            let mut room = [httparse::EMPTY_HEADER; MAX_FIELDS];
            let mut other = httparse::Response::new(&mut room);
            prop_assert_eq!(other.parse(&input), Ok(httparse::Status::Complete(used)));
            prop_assert_eq!(other.code, Some(head.status()));
            let theirs = other.headers.iter().map(|field| (field.name, field.value));
            prop_assert!(theirs.eq(head.fields().iter()));
        }
    }
}
