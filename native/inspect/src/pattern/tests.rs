use proptest::prelude::*;
use regex_automata::meta;

use super::automaton::{Use, translate};
use super::*;
use crate::meter::A_RULE;

fn search(pattern: &Pattern, value: &[u8]) -> Result<Option<Groups>, Undecided> {
    pattern.search(value, &mut Meter::of(A_RULE))
}

fn is_match(pattern: &Pattern, value: &[u8]) -> Result<bool, Undecided> {
    pattern.is_match(value, &mut Meter::of(A_RULE))
}

fn groups(pattern: &str, value: &[u8]) -> Option<Vec<String>> {
    let found = search(&Pattern::new(pattern.as_bytes(), false).unwrap(), value).unwrap()?;
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
            is_match(&Pattern::new(pattern.as_bytes(), false).unwrap(), value),
            Ok(wanted.is_some()),
            "{pattern}"
        );
    }
}

#[test]
fn a_pattern_may_be_asked_to_ignore_case_as_a_whole() {
    let pattern = Pattern::new(b"ab[^c]", true).unwrap();
    assert_eq!(is_match(&pattern, b"ABd"), Ok(true));
    assert_eq!(is_match(&pattern, b"abC"), Ok(false));
}

#[test]
fn what_a_backtracker_cannot_finish_is_undecided_where_a_wider_automaton_matches() {
    let pattern = Pattern::new(b"(a*)*\\1b", false).unwrap();
    assert!(!pattern.is_linear());
    // Without a "b" the wider pattern does not match, so the backtracker is not asked.
    assert_eq!(search(&pattern, &vec![b'a'; 32_768]), Ok(None));
    let mut value = vec![b'a'; 32_768];
    value.extend(b"xb");
    assert_eq!(is_match(&pattern, &value), Err(Undecided));
    assert_eq!(search(&pattern, &value), Err(Undecided));
}

#[test]
fn patterns_that_count_are_decided_or_undecided_within_the_meter_whatever_the_value() {
    let mut chance: u32 = 1;
    let value: Vec<u8> = std::iter::repeat_with(|| {
        chance = chance.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        if chance >> 31 == 0 { b'a' } else { b'x' }
    })
    .take(32_768)
    .collect();
    for (pattern, wanted) in [
        ("a.{6}c", Ok(false)),
        ("a.{200}c", Err(Undecided)),
        ("(a{1,100}){1,10}b", Ok(false)),
        ("(?:a|ax|x){400}c", Err(Undecided)),
    ] {
        let compiled = Pattern::new(pattern.as_bytes(), false).unwrap();
        for _ in 0..2 {
            let mut meter = Meter::of(A_RULE);
            assert_eq!(compiled.is_match(&value, &mut meter), wanted, "{pattern}");
            assert_eq!(meter.left() == 0, wanted.is_err(), "{pattern}");
        }
    }
}

#[test]
fn nothing_that_is_repeated_often_is_compiled_once() {
    let pattern = Pattern::new(b"(?:(?:(?:(?:){1000}){1000}){1000}){1000}b", false).unwrap();
    assert_eq!(is_match(&pattern, b"ab"), Ok(true));
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

fn other(pattern: &str) -> meta::Regex {
    let parsed = parse::parse(pattern.as_bytes(), false).unwrap();
    let hir = translate(&parsed.node, Use::Search);
    let config = meta::Config::new().utf8_empty(false);
    meta::Builder::new().configure(config).build_from_hir(&hir).unwrap()
}

proptest! {
    #[test]
    fn another_engine_finds_the_same_match_and_groups(pattern in linear(), value in "[abcAx ]{0,12}") {
        let compiled = Pattern::new(pattern.as_bytes(), false).unwrap();
        prop_assert!(compiled.is_linear());
        let other = other(&pattern);
        let mut captures = other.create_captures();
        other.captures(value.as_bytes(), &mut captures);
        let groups = captures.is_match().then(|| {
            (0..=compiled.groups).map(|at| captures.get_group(at).map(|span| span.range())).collect()
        });
        prop_assert_eq!(is_match(&compiled, value.as_bytes()), Ok(captures.is_match()));
        prop_assert_eq!(search(&compiled, value.as_bytes()), Ok(groups));
    }

    #[test]
    fn what_is_decided_is_right_however_little_the_meter_allows(
        pattern in linear(), values in prop::collection::vec("[abcAx ]{0,40}", 1..6), steps in 0_u32..2_000,
    ) {
        let compiled = Pattern::new(pattern.as_bytes(), false).unwrap();
        let other = other(&pattern);
        for value in values {
            if let Ok(is_match) = compiled.is_match(value.as_bytes(), &mut Meter::of(steps)) {
                prop_assert_eq!(is_match, other.is_match(value.as_bytes()));
            }
        }
    }

    #[test]
    fn every_match_contains_a_needle(pattern in linear(), value in "[abcAx ]{0,12}") {
        let needles = Readable::read(pattern.as_bytes()).unwrap().needles;
        if is_match(&Pattern::new(pattern.as_bytes(), false).unwrap(), value.as_bytes()) == Ok(true) && !needles.is_empty() {
            let lower = value.to_ascii_lowercase();
            let is_there = |needle: &Vec<u8>| memchr::memmem::find(lower.as_bytes(), needle).is_some();
            prop_assert!(needles.iter().any(is_there), "{needles:?}");
        }
    }

    #[test]
    fn no_pattern_and_value_make_a_search_panic(pattern in r"[\\\[\](){}?*+|^$.:=!<>iab,-]{0,20}", value in prop::collection::vec(any::<u8>(), 0..20)) {
        if let Ok(pattern) = Pattern::new(pattern.as_bytes(), false) {
            let found = search(&pattern, &value);
            prop_assert_eq!(found.map(|groups| groups.is_some()), is_match(&pattern, &value));
        }
    }
}
