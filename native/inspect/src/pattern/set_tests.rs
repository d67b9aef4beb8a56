use super::*;

fn set(patterns: &[&str]) -> PatternSet {
    let readable: Vec<Readable> = patterns
        .iter()
        .map(|one| Readable::read(one.as_bytes()).unwrap())
        .collect();
    PatternSet::new(&readable).unwrap()
}

fn scan(set: &PatternSet, value: &[u8], budget: &mut Budget) -> (Vec<usize>, bool) {
    let mut found = Vec::new();
    let is_complete = set.scan(value, budget, |number| found.push(number)).is_some();
    found.sort_unstable();
    found.dedup();
    (found, is_complete)
}

#[test]
fn all_patterns_that_match_are_found_in_one_pass() {
    let patterns = set(&["foo", "^bar", "o$", "x|f", "(?i)FO", "", "\\bo", "(?!q)z"]);
    for (value, wanted) in [
        (&b"foo"[..], &[0, 2, 3, 4, 5][..]),
        (b"bar", &[1, 5]),
        (b"", &[5]),
        (b"z o", &[2, 5, 6, 7]),
        (b"a bar\n", &[5]),
    ] {
        let found = scan(&patterns, value, &mut Budget::of(10_000));
        assert_eq!(found, (wanted.to_vec(), true), "{}", value.escape_ascii());
    }
}

#[test]
fn a_pass_that_needs_more_than_its_budget_says_so_and_one_over_known_states_needs_none() {
    let patterns = set(&["foo", "bar"]);
    let value = b"a foo and a bar";
    assert!(!scan(&patterns, value, &mut Budget::of(3)).1);
    assert_eq!(scan(&patterns, value, &mut Budget::of(1_000)), (vec![0, 1], true));
    assert_eq!(scan(&patterns, value, &mut Budget::of(1)), (vec![0, 1], true));
}

#[test]
fn a_part_of_a_budget_is_no_larger_than_the_whole_and_goes_back_to_it() {
    let mut whole = Budget::of(100);
    let part = whole.part(30);
    assert_eq!((&whole, &part), (&Budget::of(70), &Budget::of(30)));
    assert_eq!(whole.part(200), Budget::of(70));
    assert_eq!(whole, Budget::of(0));
    whole.give_back(part);
    assert_eq!(whole, Budget::of(30));
}

#[test]
fn what_a_set_keeps_is_bounded_however_many_states_values_need() {
    let patterns = set(&["[ab]*a[ab]{12}x"]);
    let mut state = 1_u32;
    for _ in 0..20 {
        let value: Vec<u8> = std::iter::repeat_with(|| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if state >> 31 == 0 { b'a' } else { b'b' }
        })
        .take(4_096)
        .collect();
        let _ = scan(&patterns, &value, &mut Budget::of(1_000_000));
    }
    assert!(
        patterns.memory() < 2 * MAX_SINGLE_CACHE_BYTES,
        "{} bytes",
        patterns.memory()
    );
}
