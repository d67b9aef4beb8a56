use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn groups(pattern: &str, value: &[u8]) -> Option<Vec<String>> {
    let found = Pattern::new(pattern.as_bytes(), false).unwrap().search(value)?;
    Some(
        found
            .into_iter()
            .map(|group| group.map_or(String::new(), |at| value[at].escape_ascii().to_string()))
            .collect(),
    )
}

/// Pattern, value, the match and its groups.
type Case = (&'static str, &'static [u8], Option<&'static [&'static str]>);

#[test]
fn patterns_mean_what_pcre_means_by_them() {
    let cases: [Case; 30] = [
        ("a.c", b"a\nc", Some(&["a\\nc"])),
        ("(?-s)a.c", b"a\nc", None),
        ("a$", b"a\n", None),
        ("(?m)a$", b"a\nb", Some(&["a"])),
        ("^b", b"a\nb", None),
        ("(?m)^b", b"a\nb", Some(&["b"])),
        ("a\\sb", b"a\x0bb", Some(&["a\\x0bb"])),
        ("\\x{41}\\x42\\103\\/\\-\\#\\e", b"ABC/-#\x1b", Some(&["ABC/-#\\x1b"])),
        ("a]b{c}", b"a]b{c}", Some(&["a]b{c}"])),
        ("(a)|(b)", b"b", Some(&["b", "", "b"])),
        ("a|ab", b"ab", Some(&["a"])),
        ("(a+?)(a*)", b"aaa", Some(&["aaa", "a", "aa"])),
        ("(?U)a+", b"aaa", Some(&["a"])),
        ("(?U)a+?", b"aaa", Some(&["aaa"])),
        ("a(?i)b|c", b"C", Some(&["C"])),
        ("(?:a(?i)b)c", b"aBC", None),
        ("\u{e9}", b"x\xc3\xa9", Some(&["\\xc3\\xa9"])),
        ("[\u{2018}]", b"\x80", Some(&["\\x80"])),
        ("\\w+", b"\xc3\xa9a", Some(&["a"])),
        ("(?i)\u{e9}", "\u{c9}".as_bytes(), None),
        ("[^a]", b"\xff", Some(&["\\xff"])),
        ("\\D\\W\\S", b"a-b", Some(&["a-b"])),
        ("a{0}b", b"ab", Some(&["b"])),
        ("(?x)a b\\ c", b"ab c", Some(&["ab c"])),
        ("", b"abc", Some(&[""])),
        ("()", b"", Some(&["", ""])),
        ("\\ca\\cA", b"\x01\x01", Some(&["\\x01\\x01"])),
        ("a\\Q.*\\Eb", b"a.*b", Some(&["a.*b"])),
        ("\\N\\N", b"a\nbc", Some(&["bc"])),
        ("a(?!b)(c)?", b"abac", Some(&["ac", "c"])),
    ];
    for (pattern, value, wanted) in cases {
        let wanted = wanted.map(|groups| groups.iter().map(ToString::to_string).collect());
        assert_eq!(groups(pattern, value), wanted, "{pattern}");
        assert_eq!(
            Pattern::new(pattern.as_bytes(), false).unwrap().is_match(value),
            wanted.is_some(),
            "{pattern}"
        );
    }
}

#[test]
fn a_pattern_may_be_asked_to_ignore_case_as_a_whole() {
    let pattern = Pattern::new(b"ab[^c]", true).unwrap();
    assert!(pattern.is_match(b"ABd") && !pattern.is_match(b"abC"));
}

#[test]
fn what_a_backtracker_cannot_finish_counts_as_what_a_wider_automaton_says() {
    let pattern = Pattern::new(b"(a*)*\\1b", false).unwrap();
    assert!(!pattern.is_linear());
    // Without a "b" the wider pattern does not match, so the backtracker is not asked.
    assert_eq!(pattern.search(&vec![b'a'; 32_768]), None);
    let mut value = vec![b'a'; 32_768];
    value.extend(b"xb");
    let start = Instant::now();
    assert!(pattern.is_match(&value));
    assert_eq!(pattern.search(&value).unwrap().len(), 2);
    assert!(start.elapsed() < Duration::from_secs(4));
}

#[test]
fn a_pattern_that_would_be_too_large_is_refused() {
    for pattern in ["(?:(?:a{1000}){1000}){1000}", "(?=(?:(?:a{1000}){1000}){1000})b"] {
        let fault = Pattern::new(pattern.as_bytes(), false).unwrap_err();
        assert!(fault.starts_with("the pattern cannot be compiled: "), "{fault}");
    }
}

/// Patterns that an automaton can do, whose repetitions repeat something that is not empty.
fn linear() -> impl Strategy<Value = String> {
    let atoms = ["a", "b", "c", "[ab]", "[^a]", ".", "ab", "\\w", "(?i:A)"];
    let atom = prop::sample::select(atoms.to_vec()).prop_map(str::to_owned);
    let whole = atom.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("{one}{two}")),
            (inner.clone(), inner.clone()).prop_map(|(one, two)| format!("(?:{one}|{two})")),
            inner.clone().prop_map(|one| format!("({one})")),
            (
                inner.clone(),
                prop::sample::select(vec!["?", "+", "{2}", "{1,2}", "+?", "??"])
            )
                .prop_map(|(one, times)| format!("(?:{one}{times}c)")),
            inner.clone().prop_map(|one| format!("(?:{one}*a)")),
            inner.prop_map(|one| format!("(?:\\b{one})")),
        ]
    });
    (prop::bool::ANY, whole, prop::bool::ANY).prop_map(|(start, whole, end)| {
        format!("{}{whole}{}", if start { "^" } else { "" }, if end { "$" } else { "" })
    })
}

proptest! {
    #[test]
    fn both_engines_find_the_same_match_and_groups(pattern in linear(), value in "[abcAx ]{0,12}") {
        let compiled = Pattern::new(pattern.as_bytes(), false).unwrap();
        prop_assert!(compiled.is_linear());
        let parsed = parse::parse(pattern.as_bytes(), false).unwrap();
        let program = program::compile(&parsed.node, parsed.groups).unwrap();
        let exact = match backtrack::search(&program, parsed.node.first(), value.as_bytes()) {
            Outcome::Exhausted => return Ok(()),
            Outcome::NotFound => None,
            Outcome::Found(places) => {
                let range = |ends: &[usize]| (ends[1] != usize::MAX).then(|| ends[0]..ends[1]);
                Some(places[..2 * parsed.groups + 2].chunks(2).map(range).collect::<Vec<_>>())
            }
        };
        prop_assert_eq!(compiled.search(value.as_bytes()), exact);
    }

    #[test]
    fn every_match_contains_a_needle(pattern in linear(), value in "[abcAx ]{0,12}") {
        let needles = Readable::read(pattern.as_bytes()).unwrap().needles;
        if Pattern::new(pattern.as_bytes(), false).unwrap().is_match(value.as_bytes()) && !needles.is_empty() {
            let lower = value.to_ascii_lowercase();
            let is_there = |needle: &Vec<u8>| memchr::memmem::find(lower.as_bytes(), needle).is_some();
            prop_assert!(needles.iter().any(is_there), "{needles:?}");
        }
    }

    #[test]
    fn no_pattern_and_value_make_a_search_panic(pattern in r"[\\\[\](){}?*+|^$.:=!<>iab,-]{0,20}", value in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(pattern) = Pattern::new(pattern.as_bytes(), false) {
            let found = pattern.search(&value);
            prop_assert_eq!(found.is_some(), pattern.is_match(&value));
        }
    }
}
