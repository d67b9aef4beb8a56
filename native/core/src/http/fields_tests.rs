use super::*;

fn fields(list: &[(&str, &str)]) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in list {
        fields.push(name, value.as_bytes());
    }
    fields
}

#[test]
fn names_keep_their_case_and_order_and_are_found_in_any_case() {
    let fields = fields(&[("X-One", "1"), ("x-two", "2"), ("X-ONE", "3")]);
    let listed: Vec<_> = fields.iter().collect();
    assert_eq!(listed, [("X-One", &b"1"[..]), ("x-two", b"2"), ("X-ONE", b"3")]);
    assert_eq!(fields.values("x-one").collect::<Vec<_>>(), [b"1", b"3"]);
    assert_eq!(fields.first("X-TWO"), Some(&b"2"[..]));
    assert_eq!(fields.first("x-three"), None);
    assert_eq!(
        (fields.count("x-one"), fields.count("x-three"), fields.len()),
        (2, 0, 3)
    );
    assert!(!fields.is_empty() && Fields::new().is_empty());
}

#[test]
fn tokens_come_from_all_lines_trimmed_and_without_empty_ones() {
    let fields = fields(&[
        ("Connection", " keep-alive ,,\tUpgrade"),
        ("connection", ""),
        ("CONNECTION", ",x"),
    ]);
    assert_eq!(
        fields.tokens("connection").collect::<Vec<_>>(),
        ["keep-alive", "Upgrade", "x"]
    );
    assert!(fields.has_token("Connection", "upgrade"));
    assert!(!fields.has_token("Connection", "keep"));
    assert!(!fields.has_token("Upgrade", "upgrade"));
}

#[test]
fn an_element_that_is_not_utf8_is_no_token() {
    let mut fields = Fields::new();
    fields.push("a", b"x, \xff, y");
    assert_eq!(fields.tokens("a").collect::<Vec<_>>(), ["x", "y"]);
}

#[test]
fn a_pushed_value_cannot_end_its_line() {
    let mut fields = Fields::new();
    fields.push("A", b" x\r\nB: y\0\x7f\t ");
    assert_eq!(fields.first("a"), Some(&b"x  B: y  "[..]));
    assert_eq!(fields.len(), 1);
}

#[test]
fn a_pushed_name_that_is_no_token_is_left_out() {
    let fields = fields(&[("", "1"), ("a b", "2"), ("a:", "3"), ("a\r\nb", "4"), ("é", "5")]);
    assert!(fields.is_empty());
}

#[test]
fn equality_is_of_names_values_and_order() {
    assert_eq!(fields(&[("a", "1"), ("b", "2")]), fields(&[("a", "1"), ("b", "2")]));
    assert_ne!(fields(&[("a", "1"), ("b", "2")]), fields(&[("b", "2"), ("a", "1")]));
    assert_ne!(fields(&[("a", "1")]), fields(&[("A", "1")]));
    // The same bytes, cut otherwise.
    assert_ne!(fields(&[("ab", "c")]), fields(&[("a", "bc")]));
}

#[test]
fn retain_leaves_the_accepted_in_order() {
    let mut fields = fields(&[("a", "1"), ("b", "2"), ("c", "3")]);
    fields.retain(|name| name != b"b");
    assert_eq!(format!("{fields:?}"), r#"{"a": "1", "c": "3"}"#);
}

#[test]
fn a_line_is_a_name_a_colon_and_a_trimmed_value() {
    for (line, name, value) in [
        ("a:b", "a", "b"),
        ("a:", "a", ""),
        ("a: \t ", "a", ""),
        ("X-A: \tb c\t ", "X-A", "b c"),
        ("a::b", "a", ":b"),
        ("a:b:c", "a", "b:c"),
    ] {
        let block = format!("##{line}##");
        let span = parse_line(block.as_bytes(), 2..2 + line.len()).expect("valid");
        assert_eq!((&block[span.name], &block[span.value]), (name, value), "{line}");
    }
}

#[test]
fn a_line_that_is_no_field_says_why() {
    for (line, expected) in [
        (" a: b", FieldFault::LeadingSpace),
        ("\ta: b", FieldFault::LeadingSpace),
        ("ab", FieldFault::NoColon((*b"ab").into())),
        (": b", FieldFault::EmptyName),
        ("a : b", FieldFault::SpaceInName((*b"a").into())),
        ("a\t: b", FieldFault::SpaceInName((*b"a").into())),
        ("a b: c", FieldFault::SpaceInName((*b"a").into())),
        ("a(: b", FieldFault::NameByte(b'(')),
        ("\u{e9}: b", FieldFault::NameByte(0xc3)),
    ] {
        assert_eq!(
            parse_line(line.as_bytes(), 0..line.len()).unwrap_err(),
            expected,
            "{line}"
        );
    }
}

#[test]
fn only_sizes_are_limits() {
    assert!(FieldFault::TooMany(1).is_limit() && FieldFault::TooLarge(1).is_limit());
    for fault in [
        FieldFault::BareCr,
        FieldFault::BareLf,
        FieldFault::Control(0),
        FieldFault::LeadingSpace,
    ] {
        assert!(!fault.is_limit(), "{fault}");
    }
}
