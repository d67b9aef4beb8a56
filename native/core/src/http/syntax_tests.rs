use super::*;

#[test]
fn a_token_is_letters_digits_and_fifteen_signs() {
    let signs = b"!#$%&'*+-.^_`|~";
    for byte in 0..=255_u8 {
        let expected = byte.is_ascii_alphanumeric() || signs.contains(&byte);
        assert_eq!(is_token(&[byte]), expected, "0x{byte:02x}");
    }
    assert!(!is_token(b""));
    assert!(!is_token(b"a b"));
}

#[test]
fn control_bytes_are_all_below_space_and_del_but_not_htab() {
    for byte in 0..=255_u8 {
        assert_eq!(
            is_control(byte),
            (byte < 0x20 && byte != b'\t') || byte == 0x7f,
            "0x{byte:02x}"
        );
    }
}

#[test]
fn a_target_byte_is_visible_and_no_hash_or_beyond_ascii() {
    for byte in 0..=255_u8 {
        let expected = byte > b' ' && byte != 0x7f && byte != b'#';
        assert_eq!(is_target_byte(byte), expected, "0x{byte:02x}");
    }
}

#[test]
fn trimming_takes_spaces_and_tabs_at_both_ends_only() {
    for (value, expected) in [
        ("", ""),
        (" \t ", ""),
        ("a", "a"),
        ("\t a b\t \t", "a b"),
        ("\x0ba", "\x0ba"),
    ] {
        assert_eq!(trim(value.as_bytes()), expected.as_bytes());
    }
}

#[test]
fn a_field_value_has_no_space_at_its_ends_and_no_line_end() {
    assert!(is_field_value(b""));
    assert!(is_field_value(b"a\tb \xff"));
    for value in [&b" a"[..], b"a ", b"a\r\nB: c", b"a\0", b"\x7f"] {
        assert!(!is_field_value(value), "{}", value.escape_ascii());
    }
}

#[test]
fn a_quotation_is_escaped_and_cut() {
    assert_eq!(Quoted(b"a\r\n\xff\"").to_string(), r#""a\r\n\xff\"""#);
    let long = [b'x'; 65];
    assert_eq!(Quoted(&long[..64]).to_string(), format!("\"{}\"", "x".repeat(64)));
    assert_eq!(Quoted(&long).to_string(), format!("\"{}...\"", "x".repeat(64)));
}
