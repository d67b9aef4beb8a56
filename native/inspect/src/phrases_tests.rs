use super::*;

#[test]
fn the_first_phrase_is_found_in_any_case_and_the_longest_of_those_that_begin_together() {
    let phrases = PhraseSet::new(&["sel", "select", "union", ""]).unwrap();
    for (value, wanted) in [
        (&b"x SELECT y union"[..], Some(2..8)),
        (b"selx", Some(0..3)),
        (b"UNION", Some(0..5)),
        (b"se lect", None),
        (b"", None),
    ] {
        assert_eq!(phrases.first(value), wanted, "{}", value.escape_ascii());
        assert_eq!(phrases.is_match(value), wanted.is_some());
    }
}

#[test]
fn phrases_are_bytes_and_no_phrases_are_never_found() {
    let phrases = PhraseSet::new(&[b"\xff\0"]).unwrap();
    assert!(phrases.is_match(b"a\xff\0"));
    let none: [&[u8]; 1] = [b""];
    let nothing = PhraseSet::new(&none).unwrap();
    assert!(!nothing.is_match(b"anything"));
    assert!(nothing.memory() > 0);
}
