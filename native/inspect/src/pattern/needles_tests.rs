use super::*;
use crate::pattern::parse::parse;

fn of(pattern: &str) -> Vec<String> {
    let parsed = parse(pattern.as_bytes(), false).unwrap();
    needles(&parsed.node)
        .into_iter()
        .map(|needle| String::from_utf8(needle).unwrap())
        .collect()
}

#[test]
fn a_pattern_has_the_words_that_each_match_has() {
    for (pattern, wanted) in [
        ("union", &["union"][..]),
        ("(?i)UNION", &["union"]),
        ("union.*select", &["select"]),
        ("(?:foo|barx)", &["barx", "foo"]),
        ("a(?:b|c)d", &["abd", "acd"]),
        ("colou?r", &["color", "colour"]),
        ("x+foo*", &["fo"]),
        ("(?:ab){2,}", &["ab"]),
        (r"\bexec\b\s*\(", &["exec"]),
        ("(?!x)foo(?<=o)", &["foo"]),
        ("[a-z]+", &[]),
        ("foo|.", &[]),
        ("a|b", &[]),
        ("(a)\\1", &[]),
        ("", &[]),
        ("a.b", &[]),
        ("(?:foo)?bar?", &["ba", "bar", "fooba", "foobar"]),
    ] {
        assert_eq!(of(pattern), wanted, "{pattern}");
    }
}

#[test]
fn needles_are_few_and_short_however_many_words_the_pattern_has() {
    let many = (0..100)
        .map(|number| format!("word{number}"))
        .collect::<Vec<_>>()
        .join("|");
    assert_eq!(of(&many), [""; 0]);
    assert!(of(&"abcdefghij".repeat(10)).iter().all(|needle| needle.len() <= 16));
    assert!(of("[ab][ab][ab][ab][ab][ab][ab][ab]").len() <= MAX_NEEDLES);
}
