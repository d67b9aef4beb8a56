use proptest::prelude::*;

use super::*;

#[test]
fn a_set_is_told_in_ranges() {
    let set = ByteSet::of(*b"cabz\xff");
    assert_eq!(set.ranges(), [(b'a', b'c'), (b'z', b'z'), (0xff, 0xff)]);
    assert_eq!(ByteSet::ALL.ranges(), [(0, 255)]);
    assert_eq!(ByteSet::default().ranges(), []);
}

#[test]
fn only_a_set_of_one_has_a_single_byte() {
    assert_eq!(ByteSet::of([b'a']).single(), Some(b'a'));
    assert_eq!(ByteSet::of([b'a', b'b']).single(), None);
    assert_eq!(ByteSet::default().single(), None);
}

proptest! {
    #[test]
    fn sets_are_what_sets_are(bytes in prop::collection::vec(any::<u8>(), 0..20), others in prop::collection::vec(any::<u8>(), 0..20)) {
        let (set, other) = (ByteSet::of(bytes.clone()), ByteSet::of(others.clone()));
        for byte in 0..=u8::MAX {
            let (is_in, is_in_other) = (bytes.contains(&byte), others.contains(&byte));
            prop_assert_eq!(set.contains(byte), is_in);
            prop_assert_eq!(set.not().contains(byte), !is_in);
            prop_assert_eq!(set.or(other).contains(byte), is_in || is_in_other);
            let is_in_any = bytes.iter().any(|one| one.eq_ignore_ascii_case(&byte));
            prop_assert_eq!(set.in_any_case().contains(byte), is_in_any);
        }
        prop_assert_eq!(ByteSet::of(set.iter()), set);
    }
}
