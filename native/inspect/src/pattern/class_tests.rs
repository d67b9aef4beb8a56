use super::*;

fn members(class: &str) -> String {
    let (set, length) = bracketed(class.as_bytes(), false).unwrap();
    assert_eq!(length, class.len(), "{class}");
    set.iter().filter(u8::is_ascii).map(char::from).collect()
}

#[test]
fn brackets_hold_what_pcre_says() {
    for (class, wanted) in [
        ("[abc]", "abc"),
        ("[a-c-]", "-abc"),
        ("[]a]", "]a"),
        ("[^\\x01-\\x7e\\x80-\\xff]", "\0\x7f"),
        ("[[a]", "[a"),
        ("[a&&b]", "&ab"),
        ("[!--b]", "!\"#$%&'()*+,-b"),
        ("[~~a]", "a~"),
        ("[\\d\\-x]", "-0123456789x"),
        ("[a\\]b]", "]ab"),
        ("[\\b\\t\\x0b\\e\\a]", "\x07\x08\t\x0b\x1b"),
        ("[[:digit:]z]", "0123456789z"),
        ("[[:digit:]-a]", "-0123456789a"),
        (
            "[\\w-a]",
            "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz",
        ),
        ("[+--]", "+,-"),
        ("[\\101\\x{42}\\o{103}]", "ABC"),
        ("[\\Qa-]\\E]", "-]a"),
        ("[[:foo]", ":[fo"),
        ("[$.(|]", "$(.|"),
        ("[\\h]", "\t "),
    ] {
        let mut sorted: Vec<char> = wanted.chars().collect();
        sorted.sort_unstable();
        assert_eq!(members(class), sorted.into_iter().collect::<String>(), "{class}");
    }
}

#[test]
fn a_negative_class_in_any_case_has_neither_case() {
    let (set, _) = bracketed(b"[^a]", true).unwrap();
    assert!(!set.contains(b'a') && !set.contains(b'A') && set.contains(b'b'));
}

#[test]
fn a_negative_posix_class_has_the_rest() {
    let (set, _) = bracketed(b"[[:^space:]]", false).unwrap();
    assert!(!set.contains(b'\x0b') && set.contains(b'x') && set.contains(0xff));
}

#[test]
fn what_is_no_class_is_refused_with_a_sentence() {
    for (class, wanted) in [
        ("[a", "without its \"]\""),
        ("[z-a]", "out of order"),
        ("[[:foo:]]", "unknown name"),
        ("[\\x{100}]", "not one of a byte"),
        ("[\\L]", "not supported"),
        ("[\\", "nothing behind it"),
        ("[\\c", "without its character"),
    ] {
        let fault = bracketed(class.as_bytes(), false).unwrap_err();
        assert!(fault.contains(wanted), "{class}: {fault}");
    }
}

#[test]
fn shorthands_are_ascii_and_white_space_has_the_vertical_tab() {
    let has = |text: &[u8], byte| escape(text).unwrap().0.contains(byte);
    assert!(has(b"s", 0x0b) && has(b"v", 0x85) && has(b"h", 0xa0));
    assert!(!has(b"w", 0xe9) && has(b"W", 0xe9) && !has(b"d", b'a') && has(b"S", b'a'));
}
