use std::time::{Duration, Instant};

use super::*;
use crate::pattern::parse::parse;
use crate::pattern::program::compile;

fn run(pattern: &str, value: &[u8]) -> Outcome {
    let parsed = parse(pattern.as_bytes(), false).unwrap();
    search(
        &compile(&parsed.node, parsed.groups).unwrap(),
        parsed.node.first(),
        value,
        &mut Meter::of(u32::MAX),
    )
}

fn found(pattern: &str, value: &str) -> Option<Vec<Option<String>>> {
    let groups = parse(pattern.as_bytes(), false).unwrap().groups;
    match run(pattern, value.as_bytes()) {
        Outcome::Found(places) => {
            let text = |ends: &[usize]| (ends[1] != NOWHERE).then(|| value[ends[0]..ends[1]].to_owned());
            Some(places[..2 * groups + 2].chunks(2).map(text).collect())
        }
        Outcome::NotFound => None,
        Outcome::Exhausted => panic!("{pattern} takes too many steps"),
    }
}

#[test]
fn what_no_automaton_can_do_is_done_as_pcre_does_it() {
    let cases: [(&str, &str, Option<&[&str]>); 32] = [
        ("a(?=b)", "acab", Some(&["a"])),
        ("a(?!b)", "abac", Some(&["a"])),
        ("(?<=x)a", "axa", Some(&["a"])),
        ("(?<!x)a", "xaya", Some(&["a"])),
        ("(?<=ab|c)d", "adcd", Some(&["d"])),
        ("(?<!ab|c)d", "abdcd", None),
        ("(?<!ab|c)d", "abdcdd", Some(&["d"])),
        ("(?<=abc)", "ab", None),
        ("(a|b)\\1", "abba", Some(&["bb", "b"])),
        ("(?i)(a)\\1", "xaA", Some(&["aA", "a"])),
        ("(a)\\1", "xaA", None),
        ("(?<x>ab)-\\k<x>", "ab-ab", Some(&["ab-ab", "ab"])),
        ("(?P<x>ab)-(?P=x)", "ab-ac-ab-ab", Some(&["ab-ab", "ab"])),
        ("(a)(b)\\g{-1}\\g1", "abba", Some(&["abba", "a", "b"])),
        ("(a)?\\1b", "b", None),
        ("a++a", "aaa", None),
        ("a++b", "aaab", Some(&["aaab"])),
        ("a*+a", "aaa", None),
        ("(?>a|ab)c", "abc", None),
        ("(?>ab|a)c", "abc", Some(&["abc"])),
        ("(?>(a+))b", "aab", Some(&["aab", "aa"])),
        ("(?=(a+))a*b\\1", "baaabac", Some(&["aba", "a"])),
        ("(?!(a)b)a(c)", "abac", Some(&["ac", "", "c"])),
        ("a\\Z", "a\n", Some(&["a"])),
        ("a\\z", "a\n", None),
        ("(?:a*)*b", "aab", Some(&["aab"])),
        ("(?:|a)+b", "aab", Some(&["aab"])),
        ("x\\Ry", "x\r\ny", Some(&["x\r\ny"])),
        ("a{2,3}?(?=a)", "aaaa", Some(&["aa"])),
        ("(?m)^b$(?=\n)", "a\nb\nc", Some(&["b"])),
        ("\\Bb\\b(?=.)", "ab b ", Some(&["b"])),
        ("(?<=^|x)b", "abxb", Some(&["b"])),
    ];
    for (pattern, value, wanted) in cases {
        let got =
            found(pattern, value).map(|groups| groups.into_iter().map(Option::unwrap_or_default).collect::<Vec<_>>());
        assert_eq!(
            got,
            wanted.map(|groups| groups.iter().map(ToString::to_string).collect()),
            "{pattern} in {value:?}"
        );
    }
}

#[test]
fn a_search_ends_after_its_steps_whatever_pattern_and_value() {
    for (pattern, unit) in [
        ("(a*)*\\1b", "a"),
        ("(?:a|aa)+(?=b)", "a"),
        ("(.*)(.*)(.*)\\1\\2\\3x", "ab"),
        ("(?=(a+))\\1+$b", "a"),
        ("(.+)\\1", "abcdefghijklmnopqrstuvwxyz0123456789"),
    ] {
        let start = Instant::now();
        let outcome = run(pattern, &unit.as_bytes().repeat(32_768 / unit.len()));
        assert!(
            start.elapsed() < Duration::from_secs(2),
            "{pattern} took {:?}",
            start.elapsed()
        );
        assert!(
            pattern == "(.+)\\1" || outcome == Outcome::Exhausted,
            "{pattern}: {outcome:?}"
        );
    }
}

#[test]
fn a_long_value_without_a_place_to_begin_takes_no_steps() {
    assert_eq!(run("x(?=y)", &vec![b'a'; 1_000_000]), Outcome::NotFound);
}
