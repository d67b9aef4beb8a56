use super::*;

fn read(version: Version, list: &[(&str, &str)]) -> Result<Framing, FramingFault> {
    let mut fields = Fields::new();
    for (name, value) in list {
        fields.push(name, value.as_bytes());
    }
    declared(&fields, version)
}

fn length_fault(value: &str) -> Result<Framing, FramingFault> {
    Err(FramingFault::Length(value.as_bytes().into()))
}

#[test]
fn a_length_is_decimal_digits_below_two_to_the_64() {
    for (value, length) in [("0", 0), ("5", 5), ("007", 7), ("18446744073709551615", u64::MAX)] {
        assert_eq!(
            read(Version::Http11, &[("Content-Length", value)]),
            Ok(Framing::Length(length))
        );
    }
    for value in [
        "",
        "+5",
        "-5",
        "5 5",
        "5,5",
        "5, 5",
        "0x5",
        "5a",
        "5.0",
        "\"5\"",
        "5;",
        "1e3",
        "18446744073709551616",
        "99999999999999999999999999",
        "٥",
    ] {
        assert_eq!(
            read(Version::Http11, &[("content-length", value)]),
            length_fault(value),
            "{value}"
        );
    }
}

#[test]
fn a_length_stands_once() {
    let expected = Err(FramingFault::RepeatedLength);
    assert_eq!(
        read(Version::Http11, &[("Content-Length", "5"), ("content-length", "5")]),
        expected
    );
    assert_eq!(
        read(
            Version::Http10,
            &[("Content-Length", "5"), ("x", "y"), ("CONTENT-LENGTH", "6")]
        ),
        expected
    );
}

#[test]
fn a_length_and_a_coding_never_stand_together() {
    for coding in ["chunked", "gzip", ""] {
        let fields = [("Transfer-Encoding", coding), ("Content-Length", "5")];
        assert_eq!(read(Version::Http11, &fields), Err(FramingFault::Both));
        assert_eq!(read(Version::Http10, &fields), Err(FramingFault::Both));
    }
}

#[test]
fn chunked_in_any_case_is_the_one_coding() {
    for value in ["chunked", "Chunked", "CHUNKED"] {
        assert_eq!(
            read(Version::Http11, &[("Transfer-Encoding", value)]),
            Ok(Framing::Chunked)
        );
        assert_eq!(
            read(Version::Http10, &[("Transfer-Encoding", value)]),
            Err(FramingFault::CodingInHttp10)
        );
    }
}

#[test]
fn anything_else_in_transfer_encoding_is_a_fault() {
    let coding = |text: &str| FramingFault::Coding(text.as_bytes().into());
    let unknown = |text: &str| FramingFault::UnknownCoding(text.as_bytes().into());
    for (value, expected) in [
        ("", coding("")),
        (", chunked", coding("")),
        ("chunked,", FramingFault::NotFinal),
        ("chunked, chunked", FramingFault::NotFinal),
        ("chunked, gzip", FramingFault::NotFinal),
        ("gzip", unknown("gzip")),
        ("gzip, chunked", unknown("gzip")),
        ("gzip;level=1, chunked", unknown("gzip")),
        ("identity", unknown("identity")),
        ("xchunked", unknown("xchunked")),
        ("chunked;q=1", coding("chunked;q=1")),
        ("chunked ;", coding("chunked ;")),
        ("chun ked", coding("chun ked")),
        ("\"chunked\"", coding("\"chunked\"")),
        ("chunked\u{a0}", coding("chunked\u{a0}")),
    ] {
        assert_eq!(
            read(Version::Http11, &[("Transfer-Encoding", value)]),
            Err(expected),
            "{value}"
        );
    }
}

#[test]
fn codings_on_several_lines_are_one_list() {
    let two = |first, second| {
        read(
            Version::Http11,
            &[("Transfer-Encoding", first), ("transfer-encoding", second)],
        )
    };
    assert_eq!(two("chunked", "chunked"), Err(FramingFault::NotFinal));
    assert_eq!(two("chunked", ""), Err(FramingFault::NotFinal));
    assert_eq!(
        two("gzip", "chunked"),
        Err(FramingFault::UnknownCoding((*b"gzip").into()))
    );
}

#[test]
fn neither_field_frames_nothing() {
    assert_eq!(
        read(Version::Http11, &[("Content-Type", "text/plain")]),
        Ok(Framing::None)
    );
}
