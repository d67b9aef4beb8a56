use proptest::prelude::*;

use super::*;

proptest! {
    #[test]
    fn neither_bound_is_ever_passed_and_what_went_is_counted(sizes in prop::collection::vec(0_usize..40, 0..200)) {
        let mut queue = Bounded::new(7, 100);
        let mut lost = 0;
        for (at, size) in sizes.iter().enumerate() {
            lost += queue.push(*size, at);
            prop_assert!(queue.items.len() <= 7 && queue.bytes <= 100);
        }
        let kept: Vec<usize> = std::iter::from_fn(|| queue.pop()).collect();
        let newest: Vec<usize> = (sizes.len() - kept.len()..sizes.len()).collect();
        prop_assert_eq!(&kept, &newest);
        prop_assert_eq!(usize::try_from(lost).unwrap() + kept.len(), sizes.len());
        prop_assert_eq!(queue.bytes, 0);
    }
}
