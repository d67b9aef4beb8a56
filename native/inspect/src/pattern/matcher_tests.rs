use proptest::prelude::*;

use super::*;
use crate::meter::A_RULE;
use crate::pattern::parse::parse;
use crate::pattern::program::compile;

fn matcher(pattern: &str) -> Matcher {
    Matcher::new(&compile(&parse(pattern.as_bytes(), false).unwrap().node, 0).unwrap())
}

#[test]
fn places_are_seen_from_both_sides() {
    for (pattern, value, wanted) in [
        ("^a$", "a", true),
        ("^a$", "a\n", false),
        ("(?m)^b$", "a\nb\nc", true),
        ("(?m)^b$", "a\nbc", false),
        ("\\ba\\b", "b a", true),
        ("\\ba\\b", "ba", false),
        ("\\Ba", "ba", true),
        ("\\Ba", "a", false),
        ("^$", "", true),
        ("$^", "a", false),
        ("\\b", "", false),
        ("\\B", "", true),
    ] {
        let said = matcher(pattern).is_match(value.as_bytes(), &mut Meter::of(A_RULE));
        assert_eq!(said, Ok(wanted), "{pattern} in {value:?}");
    }
}

#[test]
fn what_is_known_is_not_paid_for_again() {
    let matcher = matcher("(?:abc|b[cd]e)x");
    let value = b"abcabdbcebdecex".repeat(20);
    let spent = || {
        let mut meter = Meter::of(A_RULE);
        matcher.is_match(&value, &mut meter).unwrap();
        A_RULE - meter.left()
    };
    let first = spent();
    let second = spent();
    assert!(second < first);
    assert_eq!(second, EACH_VALUE + steps(value.len() / BYTES_A_STEP));
}

proptest! {
    // The values are long.
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn what_is_known_stays_bounded(values in prop::collection::vec("[ab]{0,3000}", 1..12)) {
        let matcher = matcher("a.{40}b.{40}c");
        for value in values {
            let _ = matcher.is_match(value.as_bytes(), &mut Meter::of(u32::MAX));
            let known = matcher.known.lock().unwrap();
            // One set more than fits: it is counted when it is there.
            prop_assert!(known.bytes < MAX_KNOWN_BYTES + 2_048);
        }
    }

    #[test]
    fn what_is_kept_and_what_is_not_say_the_same(values in prop::collection::vec("[abcx]{0,600}", 1..8)) {
        let (kept, full) = (matcher("a.{9}b[ac]{2}x"), matcher("a.{9}b[ac]{2}x"));
        for value in values {
            {
                let mut known = full.known.lock().unwrap();
                full.clear(&mut known);
                // As if there were no room, but not at the beginning of a value.
                known.bytes = MAX_KNOWN_BYTES;
            }
            let said = |matcher: &Matcher| matcher.is_match(value.as_bytes(), &mut Meter::of(u32::MAX));
            prop_assert_eq!(said(&full), said(&kept));
        }
    }
}
