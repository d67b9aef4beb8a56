use proptest::prelude::*;

use super::*;

fn fault(pattern: &str) -> String {
    parse(pattern.as_bytes(), false).unwrap_err()
}

#[test]
fn what_cannot_be_read_is_refused_with_a_sentence_that_says_where() {
    for (pattern, wanted) in [
        ("(a", "the pattern has a group without its \")\" at byte 2"),
        ("a)", "the pattern has an unmatched \")\" at byte 1"),
        ("*a", "the pattern has nothing to repeat at byte 0"),
        ("a**", "the pattern has nothing to repeat at byte 2"),
        ("{2}", "the pattern has nothing to repeat at byte 0"),
        (
            "a{3,2}",
            "the pattern has a repetition out of order or beyond 65535 at byte 1",
        ),
        (
            "a{70000}",
            "the pattern has a repetition out of order or beyond 65535 at byte 1",
        ),
        ("[a", "the pattern has a class without its \"]\" at byte 0"),
        ("a\\", "the pattern has a \"\\\" with nothing behind it at byte 2"),
        ("(?<=a+)b", "the pattern has a look-behind of no fixed length at byte 7"),
        (
            "(?|a)",
            "the pattern has a kind of group that is not supported at byte 2",
        ),
        (
            "(?R)",
            "the pattern has a kind of group that is not supported at byte 2",
        ),
        ("(*FAIL)", "the pattern has a verb, which is not supported, at byte 1"),
        ("a\\Kb", "the pattern has an escape that is not supported at byte 2"),
        (
            "\\uabcd",
            "the pattern has the escape \"\\u\", which is not supported, at byte 1",
        ),
        ("\\k<x>", "the pattern has a reference to no group at byte 5"),
        ("\\g{-1}", "the pattern has a reference to no group at byte 6"),
        (
            "(?P<a-b>c)",
            "the pattern has a group whose name is not a word at byte 4",
        ),
        ("(?i", "the pattern has a group without its \")\" at byte 3"),
    ] {
        assert_eq!(fault(pattern), wanted, "{pattern}");
    }
    assert!(fault(&"(".repeat(300)).contains("more than 250 groups inside each other"));
}

#[test]
fn groups_are_counted_and_automata_do_what_they_can() {
    for (pattern, groups, is_linear) in [
        ("(a)(?:b)(?<n>c)", 2, true),
        ("(?i)a|(?s:b)", 0, true),
        ("a{2,5}?b*?", 0, true),
        ("(?=a)b", 0, false),
        ("a++", 0, false),
        ("(a)\\1", 1, false),
        ("(?>a)", 0, false),
        ("\\Aa\\b\\z", 0, true),
        ("a\\Z", 0, false),
        ("(?x) a b # comment\n c", 0, true),
        ("a{,3}{b}", 0, true),
        ("\\Q(a\\E(b)", 1, true),
        ("(?#comment)a", 0, true),
    ] {
        let parsed = parse(pattern.as_bytes(), false).unwrap();
        assert_eq!(
            (parsed.groups, parsed.node.is_linear()),
            (groups, is_linear),
            "{pattern}"
        );
    }
}

proptest! {
    #[test]
    fn no_pattern_makes_reading_it_panic(pattern in r"[\\\[\](){}?*+|^$.:=!<>PiQEkgx0-3a-c,&# -]{0,30}") {
        let _ = parse(pattern.as_bytes(), false);
    }

    #[test]
    fn no_bytes_make_reading_them_panic(pattern in prop::collection::vec(any::<u8>(), 0..40)) {
        let _ = parse(&pattern, true);
    }
}
