use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;
use crate::injection;
use crate::meter::Meter;
use crate::pattern::Pattern;
use crate::phrases::PhraseSet;
use crate::transform;

fn pattern(text: &str) -> Test {
    Test::Pattern(text.as_bytes().to_vec())
}

fn phrases(phrases: &[&str]) -> Test {
    Test::Phrases(phrases.iter().map(|phrase| phrase.as_bytes().to_vec()).collect())
}

fn group(source: usize, names: &[&str], tests: Vec<Test>) -> Group {
    Group {
        source,
        chain: transform::chain(names).unwrap(),
        tests,
    }
}

fn values(sources: &[&[&str]]) -> Vec<Vec<Vec<u8>>> {
    sources
        .iter()
        .map(|values| values.iter().map(|value| value.as_bytes().to_vec()).collect())
        .collect()
}

#[test]
fn tests_are_numbered_over_all_groups_and_asked_of_their_own_source_after_their_own_chain() {
    let screen = Screen::new(&[
        group(
            0,
            &["lowercase"],
            vec![pattern("abc"), pattern("ABC"), phrases(&["xyz"])],
        ),
        group(1, &[], vec![Test::Sqli, Test::Xss, pattern("abc")]),
        group(0, &["urlDecode", "lowercase"], vec![pattern("abc")]),
        group(0, &[], vec![pattern("ABC")]),
    ])
    .unwrap();
    for (sources, wanted) in [
        (values(&[&["ABC"]]), &[0, 6, 7][..]),
        (values(&[&["%41BC"]]), &[6]),
        (values(&[&["q", "XyZ"], &["1' or '1'='1"]]), &[2, 3]),
        (values(&[&[], &["<script>", "abc"]]), &[4, 5]),
        (values(&[&[], &["ABC"], &["abc"]]), &[]),
        (values(&[]), &[]),
    ] {
        assert_eq!(screen.scan(&sources), wanted, "{sources:?}");
    }
}

#[test]
fn a_test_that_cannot_be_compiled_is_named_by_its_number() {
    let groups = [
        group(3, &[], vec![pattern("a"), pattern("b")]),
        group(1, &[], vec![pattern("c"), pattern("(")]),
    ];
    let fault = Screen::new(&groups).unwrap_err();
    assert_eq!(fault, "test 3: the pattern has a group without its \")\" at byte 1");
}

#[test]
fn sources_that_ask_the_same_share_what_is_compiled() {
    let asked = || vec![pattern("a"), Test::Sqli];
    let screen = Screen::new(&[
        group(0, &[], asked()),
        group(1, &["trim"], asked()),
        group(2, &[], asked()),
    ])
    .unwrap();
    let figures = screen.statistics();
    assert_eq!(figures[..3], [("tests", 6), ("sets", 1), ("chains", 3)]);
    assert!(figures[3].1 > 0);
}

#[test]
fn a_pattern_that_is_not_linear_is_named_where_it_may_match() {
    let screen = Screen::new(&[group(0, &[], vec![pattern("a(?!b)"), pattern("(x)\\1")])]).unwrap();
    assert_eq!(screen.scan(&values(&[&["ab"]])), [0]);
    assert_eq!(screen.scan(&values(&[&["x-x"]])), [1]);
    assert_eq!(screen.scan(&values(&[&["y"]])), [0; 0]);
}

/// Patterns of the shapes that make automata large.
fn large() -> Vec<Test> {
    let shapes = [
        "(?i)union.{1,40}select.{1,40}from",
        "[ab]*a[ab]{14}x",
        "(?i)(?:or|and)[^a-z]{1,30}=[^a-z]{1,30}",
        "\\b\\w{1,20}\\s*\\(.{0,60}\\)",
        "(?:[\"'`].*?){8}",
        "(?i)select[^;]{0,50}where",
        "[0-9a-f]{32}$",
    ];
    shapes.iter().map(|shape| pattern(shape)).collect()
}

#[test]
fn a_value_that_is_written_to_need_many_states_takes_bounded_time_and_hides_nothing() {
    let screen = Screen::new(&[group(0, &["lowercase"], large()), group(0, &["urlDecode"], large())]).unwrap();
    let alphabet = b"ab '\"=or(and)select union from where; 01ef";
    let mut state = 7_u32;
    let mut value: Vec<u8> = std::iter::repeat_with(|| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        alphabet[(state >> 16) as usize % alphabet.len()]
    })
    .take(32_768)
    .collect();
    value.extend(b"union x select x from");
    let start = Instant::now();
    let found = screen.scan(&[vec![value]]);
    // Not optimised, this takes some fifty times as long as it does in the edge.
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    assert!(found.contains(&0) && found.contains(&7), "{found:?}");
}

#[test]
fn after_a_hostile_value_an_ordinary_one_is_answered_exactly_again() {
    let screen = Screen::new(&[group(0, &[], large())]).unwrap();
    let hostile: Vec<u8> = (0..32_768_u32)
        .map(|at| b"ab"[(at.wrapping_mul(2_654_435_761) >> 31) as usize])
        .collect();
    let _ = screen.scan(&[vec![hostile]]);
    for _ in 0..10 {
        let _ = screen.scan(&values(&[&["hello world"]]));
    }
    assert_eq!(screen.scan(&values(&[&["hello world"]])), [0; 0]);
}

fn holds(test: &Test, value: &[u8]) -> bool {
    match test {
        Test::Pattern(pattern) => {
            Pattern::new(pattern, false)
                .unwrap()
                .is_match(value, &mut Meter::of(u32::MAX))
                != Ok(false)
        }
        Test::Phrases(phrases) => PhraseSet::new(phrases).unwrap().is_match(value),
        Test::Sqli => injection::sqli_fingerprint(value).is_some(),
        Test::Xss => injection::is_xss(value),
    }
}

fn any_test() -> impl Strategy<Value = Test> {
    let patterns = [
        "a",
        "A",
        "^b",
        "or\\b",
        "(?i)select",
        "<\\w+",
        "a(?=b)",
        "(?:%|')",
        "\\s",
        "$",
        "x{2,}",
        "(.)\\1",
    ];
    prop_oneof![
        4 => prop::sample::select(patterns.to_vec()).prop_map(pattern),
        1 => Just(phrases(&["select", "or 1", "<s"])),
        1 => Just(Test::Sqli),
        1 => Just(Test::Xss),
    ]
}

fn any_group() -> impl Strategy<Value = Group> {
    let names = [
        "urlDecodeUni",
        "lowercase",
        "htmlEntityDecode",
        "removeNulls",
        "compressWhitespace",
        "trim",
        "hexDecode",
    ];
    let chain = prop::collection::vec(prop::sample::select(names.to_vec()), 0..4);
    (0..3_usize, chain, prop::collection::vec(any_test(), 1..4))
        .prop_map(|(source, names, tests)| group(source, &names, tests))
}

fn any_value() -> impl Strategy<Value = Vec<u8>> {
    let units = [
        "a", "B", "or ", "1", "'", "=", "select", "SELECT", "<script>", "%41", "%27", "&lt;", " ", "\0", "xx", "6f72",
        "ab",
    ];
    prop::collection::vec(prop::sample::select(units.to_vec()), 0..8).prop_map(|units| units.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn a_screen_never_misses_a_test_that_holds_and_names_linear_ones_only_where_they_do(
        groups in prop::collection::vec(any_group(), 1..6),
        sources in prop::collection::vec(prop::collection::vec(any_value(), 0..4), 0..4),
    ) {
        let screen = Screen::new(&groups).unwrap();
        let found = screen.scan(&sources);
        prop_assert!(found.is_sorted());
        let numbered = groups.iter().flat_map(|group| group.tests.iter().map(move |test| (group, test)));
        for (number, (group, test)) in numbered.enumerate() {
            let none = Vec::new();
            let values = sources.get(group.source).unwrap_or(&none);
            let is_true = values.iter().any(|value| holds(test, &transform::apply(&group.chain, value)));
            let is_exact = !matches!(test, Test::Pattern(text) if !Pattern::new(text, false).unwrap().is_linear());
            let is_found = found.contains(&number);
            prop_assert!(is_found || !is_true, "missed {test:?}");
            prop_assert!(is_true || !is_found || !is_exact, "invented {test:?}");
        }
    }
}
