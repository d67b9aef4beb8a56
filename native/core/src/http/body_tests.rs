use proptest::prelude::*;

use super::*;
use crate::http::testing::{Body, body, body_in_pieces};

fn chunked(input: &[u8]) -> Result<Body, BodyFault> {
    body(Framing::Chunked, input)
}

fn fault(input: &[u8]) -> BodyFault {
    chunked(input).expect_err(&format!("refused: {}", input.escape_ascii()))
}

fn trailers(lines: &str) -> Option<Vec<(String, String)>> {
    let found = chunked(format!("0\r\n{lines}\r\n").as_bytes()).expect("valid");
    assert!(found.is_done);
    let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
    found.trailers.map(|fields| {
        fields
            .iter()
            .map(|(name, value)| (name.to_owned(), text(value)))
            .collect()
    })
}

#[test]
fn without_a_body_it_is_done_at_once() {
    for framing in [Framing::None, Framing::Length(0)] {
        let mut decoder = BodyDecoder::new(framing);
        assert!(decoder.is_done());
        assert_eq!(
            decoder.decode(b"GET /"),
            Ok(Decoded {
                consumed: 0,
                data: 0..0,
                is_done: true
            })
        );
        assert_eq!(decoder.end_of_stream(), Ok(()));
    }
}

#[test]
fn a_length_takes_so_many_bytes_and_no_more() {
    let found = body(Framing::Length(5), b"hello").unwrap();
    assert_eq!(
        found,
        Body {
            data: b"hello".to_vec(),
            used: 5,
            is_done: true,
            trailers: None
        }
    );
    let found = body(Framing::Length(6), b"hello").unwrap();
    assert_eq!(
        found,
        Body {
            data: b"hello".to_vec(),
            used: 5,
            is_done: false,
            trailers: None
        }
    );
}

#[test]
fn the_largest_length_does_not_overflow() {
    let mut decoder = BodyDecoder::new(Framing::Length(u64::MAX));
    assert_eq!(
        decoder.decode(b"abc"),
        Ok(Decoded {
            consumed: 3,
            data: 0..3,
            is_done: false
        })
    );
    assert_eq!(
        decoder.end_of_stream(),
        Err(BodyFault::Truncated {
            missing: Some(u64::MAX - 3)
        })
    );
}

#[test]
fn until_close_takes_all_and_ends_with_the_stream() {
    let mut decoder = BodyDecoder::new(Framing::UntilClose);
    assert_eq!(
        decoder.decode(b"abc"),
        Ok(Decoded {
            consumed: 3,
            data: 0..3,
            is_done: false
        })
    );
    assert_eq!(decoder.end_of_stream(), Ok(()));
    assert!(decoder.is_done());
    assert_eq!(
        decoder.decode(b"x"),
        Ok(Decoded {
            consumed: 0,
            data: 0..0,
            is_done: true
        })
    );
}

#[test]
fn chunks_give_their_data_and_nothing_else() {
    for (input, data) in [
        (&b"0\r\n\r\n"[..], &b""[..]),
        (b"5\r\nhello\r\n0\r\n\r\n", b"hello"),
        (b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n", b"hello world"),
        (b"A\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"a\r\n0123456789\r\n0\r\n\r\n", b"0123456789"),
        (b"0000000000000002\r\n\r\n\r\n000\r\n\r\n", b"\r\n"),
        (b"3;a=b;c=\"d e\";\xff\t\r\nabc\r\n0;x\r\n\r\n", b"abc"),
        (b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", b"0\r\n\r\n"),
    ] {
        let expected = Body {
            data: data.to_vec(),
            used: input.len(),
            is_done: true,
            trailers: None,
        };
        assert_eq!(chunked(input), Ok(expected), "{}", input.escape_ascii());
        for end in 0..input.len() {
            assert!(!chunked(&input[..end]).unwrap().is_done, "done too early");
        }
    }
}

#[test]
fn data_is_a_range_of_the_input_not_a_copy() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    let input = b"5\r\nhello\r\n0\r\n\r\nGET";
    assert_eq!(
        decoder.decode(input),
        Ok(Decoded {
            consumed: 8,
            data: 3..8,
            is_done: false
        })
    );
    let rest = decoder.decode(&input[8..]).unwrap();
    assert_eq!((rest.consumed, rest.data.is_empty(), rest.is_done), (7, true, true));
}

#[test]
fn a_chunk_size_is_hexadecimal_digits_and_crlf() {
    for (input, expected) in [
        (&b"\r\n"[..], BodyFault::SizeByte(b'\r')),
        (b";a\r\n", BodyFault::SizeByte(b';')),
        (b" 5\r\n", BodyFault::SizeByte(b' ')),
        (b"5 \r\n", BodyFault::SizeByte(b' ')),
        (b"5 ;a\r\n", BodyFault::SizeByte(b' ')),
        (b"5\t\r\n", BodyFault::SizeByte(b'\t')),
        (b"+5\r\n", BodyFault::SizeByte(b'+')),
        (b"-5\r\n", BodyFault::SizeByte(b'-')),
        (b"0x5\r\n", BodyFault::SizeByte(b'x')),
        (b"5_0\r\n", BodyFault::SizeByte(b'_')),
        (b"5,5\r\n", BodyFault::SizeByte(b',')),
        (b"g\r\n", BodyFault::SizeByte(b'g')),
        (b"5\n", BodyFault::SizeByte(b'\n')),
        (b"5\rh", BodyFault::LineEnd(b'h')),
        (b"5\r\r\n", BodyFault::LineEnd(b'\r')),
        (b"00000000000000005\r\n", BodyFault::SizeTooLarge),
        (b"10000000000000000\r\n", BodyFault::SizeTooLarge),
        (b"3\r\nabcd", BodyFault::LineEnd(b'd')),
        (b"3\r\nabc\n", BodyFault::LineEnd(b'\n')),
        (b"3\r\nabc\r0", BodyFault::LineEnd(b'0')),
        (b"3\r\nabc\r\n\r\n", BodyFault::SizeByte(b'\r')),
    ] {
        assert_eq!(fault(input), expected, "{}", input.escape_ascii());
        assert_eq!(expected.status(), 400);
    }
}

#[test]
fn the_largest_size_is_waited_for() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    assert_eq!(decoder.decode(b"ffffffffffffffff\r\nx").unwrap().data, 18..19);
    assert_eq!(decoder.end_of_stream(), Err(BodyFault::Truncated { missing: None }));
}

#[test]
fn an_extension_is_bounded_and_has_no_control_bytes() {
    let with = |extension: &str| format!("1;{extension}\r\nx\r\n0\r\n\r\n").into_bytes();
    assert_eq!(chunked(&with(&"e".repeat(MAX_EXTENSION_BYTES))).unwrap().data, b"x");
    assert_eq!(
        fault(&with(&"e".repeat(MAX_EXTENSION_BYTES + 1))),
        BodyFault::ExtensionTooLong
    );
    assert_eq!(fault(&with("a\nb")), BodyFault::ExtensionByte(b'\n'));
    assert_eq!(fault(&with("a\0")), BodyFault::ExtensionByte(0));
    assert_eq!(fault(&with("a\rb")), BodyFault::LineEnd(b'b'));
}

#[test]
fn trailers_are_kept_but_for_those_that_must_not_come_late() {
    let kept = |list: &[(&str, &str)]| {
        Some(
            list.iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<Vec<_>>(),
        )
    };
    assert_eq!(trailers(""), None);
    assert_eq!(
        trailers("Grpc-Status: 0\r\nX-Sum:  a b \r\n"),
        kept(&[("Grpc-Status", "0"), ("X-Sum", "a b")])
    );
    for name in [
        "Content-Length",
        "transfer-encoding",
        "Host",
        "Connection",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "Content-Type",
        "Content-Encoding",
        "Trailer",
        "TE",
        "Upgrade",
        "Keep-Alive",
        "Sec-WebSocket-Key",
        "If-Match",
        "Cache-Control",
        "X-Forwarded-For",
        "CF-Ray",
        "Proxy-Authorization",
        "Access-Control-Allow-Origin",
    ] {
        assert_eq!(
            trailers(&format!("{name}: x\r\nA: b\r\n")),
            kept(&[("A", "b")]),
            "{name}"
        );
        assert_eq!(trailers(&format!("{name}: x\r\n")), None, "{name}");
    }
}

#[test]
fn trailers_are_given_once() {
    let mut decoder = BodyDecoder::new(Framing::Chunked);
    decoder.decode(b"0\r\nA: b\r\n\r\n").unwrap();
    assert_eq!(decoder.take_trailers().map(|fields| fields.len()), Some(1));
    assert_eq!(decoder.take_trailers(), None);
}

#[test]
fn trailers_are_read_as_strictly_as_a_head() {
    for (lines, expected) in [
        (&b"A : b\r\n\r\n"[..], FieldFault::SpaceInName((*b"A").into())),
        (b" A: b\r\n\r\n", FieldFault::LeadingSpace),
        (b"A: b\n\r\n", FieldFault::BareLf),
        (b"A: b\rC: d\r\n\r\n", FieldFault::BareCr),
        (b"A\r\n\r\n", FieldFault::NoColon((*b"A").into())),
        (b"\n", FieldFault::BareLf),
        (b"\rx", FieldFault::BareCr),
        (b"A: \0", FieldFault::Control(0)),
    ] {
        assert_eq!(fault(&[b"0\r\n", lines].concat()), BodyFault::Trailers(expected));
    }
}

#[test]
fn an_empty_line_ends_trailers_only_where_a_line_begins() {
    let cut = |pieces: [&[u8]; 2]| body_in_pieces(Framing::Chunked, pieces);
    assert_eq!(cut([b"0\r\n\r", b"\r\n"]), Err(BodyFault::Trailers(FieldFault::BareCr)));
    assert_eq!(
        cut([b"0\r\nA", b"\r\n"]),
        Err(BodyFault::Trailers(FieldFault::NoColon((*b"A").into())))
    );
    assert!(cut([b"0\r\nA: b", b"\r\n\r\n"]).unwrap().is_done);
}

#[test]
fn trailers_are_bounded() {
    let long = |length: usize| format!("0\r\nA: {}\r\n\r\n", "x".repeat(length - "A: \r\n\r\n".len())).into_bytes();
    assert!(chunked(&long(TRAILER_LIMITS.bytes)).unwrap().is_done);
    let too_large = BodyFault::Trailers(FieldFault::TooLarge(TRAILER_LIMITS.bytes));
    assert_eq!(fault(&long(TRAILER_LIMITS.bytes + 1)), too_large);
    assert_eq!(too_large.status(), 431);
    let many = |count: usize| format!("0\r\n{}\r\n", "A:\r\n".repeat(count)).into_bytes();
    assert_eq!(
        chunked(&many(TRAILER_LIMITS.fields)).unwrap().trailers.unwrap().len(),
        TRAILER_LIMITS.fields
    );
    assert_eq!(
        fault(&many(TRAILER_LIMITS.fields + 1)),
        BodyFault::Trailers(FieldFault::TooMany(TRAILER_LIMITS.fields))
    );
}

#[test]
fn a_stream_that_ends_within_a_body_is_truncated() {
    let input = b"3\r\nabc\r\n0\r\nA: b\r\n\r\n";
    for end in 0..input.len() {
        let mut decoder = BodyDecoder::new(Framing::Chunked);
        let mut at = 0;
        while at < end {
            at += decoder.decode(&input[at..end]).unwrap().consumed;
        }
        assert_eq!(
            decoder.end_of_stream(),
            Err(BodyFault::Truncated { missing: None }),
            "{end}"
        );
    }
}

#[test]
fn a_fault_is_one_sentence() {
    for (fault, sentence) in [
        (
            fault(b"x"),
            "the byte 0x78 stands in a chunk size; expected hexadecimal digits, then CRLF",
        ),
        (
            fault(b"0\r\n:\r\n"),
            "in the trailers, a line begins with a colon; expected a field name before it",
        ),
        (BodyFault::Truncated { missing: Some(7) }, "the body ends 7 bytes early"),
        (
            BodyFault::Truncated { missing: None },
            "the chunked body ends before its last chunk",
        ),
    ] {
        assert_eq!(fault.reason(), sentence);
    }
}

/// A stream of chunks as a sender writes it, and its data.
fn stream() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let chunk = (proptest::collection::vec(any::<u8>(), 1..40), "(;[a-z=\"]{0,8})?");
    (
        proptest::collection::vec(chunk, 0..8),
        "([A-Z]{1,5}: [a-z]{0,9}\r\n){0,3}",
    )
        .prop_map(|(chunks, trailers)| {
            let (mut stream, mut data) = (Vec::new(), Vec::new());
            for (chunk, extension) in chunks {
                stream.extend(format!("{:x}{extension}\r\n", chunk.len()).into_bytes());
                stream.extend_from_slice(&chunk);
                stream.extend_from_slice(b"\r\n");
                data.extend_from_slice(&chunk);
            }
            stream.extend(format!("0\r\n{trailers}\r\n").into_bytes());
            (stream, data)
        })
}

fn pieces<'a>(input: &'a [u8], cuts: &[prop::sample::Index]) -> Vec<&'a [u8]> {
    let mut at: Vec<_> = cuts
        .iter()
        .map(|cut| cut.index(input.len() + 1))
        .chain([0, input.len()])
        .collect();
    at.sort_unstable();
    at.windows(2).map(|pair| &input[pair[0]..pair[1]]).collect()
}

proptest! {
    #[test]
    fn any_chopping_of_a_stream_gives_its_data(
        (stream, data) in stream(),
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..12),
        behind in proptest::collection::vec(any::<u8>(), 0..12),
    ) {
        let whole = chunked(&stream).unwrap();
        prop_assert_eq!(&whole.data, &data);
        prop_assert!(whole.is_done && whole.used == stream.len());
        let longer = [&stream[..], &behind].concat();
        prop_assert_eq!(body_in_pieces(Framing::Chunked, pieces(&longer, &cuts)), Ok(whole));
    }

    #[test]
    fn no_input_panics_and_its_chopping_makes_no_difference(
        input in "([0-9a-fx]{0,3}(;[a-z ]{0,4})?(\r\n|\r|\n)?[a-zA-Z:\\x00 ]{0,6}(\r\n)?){0,6}",
        cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..8),
    ) {
        let whole = chunked(input.as_bytes());
        prop_assert_eq!(body_in_pieces(Framing::Chunked, pieces(input.as_bytes(), &cuts)), whole);
    }

    #[test]
    fn a_length_is_exact(data in proptest::collection::vec(any::<u8>(), 0..64), length in 0_u64..64) {
        let found = body(Framing::Length(length), &data).unwrap();
        let expected = &data[..data.len().min(usize::try_from(length).unwrap())];
        prop_assert_eq!(&found.data[..], expected);
        prop_assert_eq!(found.is_done, data.len() as u64 >= length);
    }
}
