use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Push(usize),
    Share(usize),
    Read(usize),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_usize..9_000).prop_map(Step::Push),
        (0_usize..9_000).prop_map(Step::Share),
        (1_usize..12_000).prop_map(Step::Read),
    ];
    prop::collection::vec(step, 0..40)
}

proptest! {
    #[test]
    fn what_went_in_comes_out_in_order(steps in steps()) {
        let (mut queue, mut expected, mut found) = (Queue::default(), Vec::new(), Vec::new());
        for (at, step) in steps.into_iter().enumerate() {
            let byte = u8::try_from(at).unwrap();
            match step {
                Step::Push(len) => {
                    queue.push(&vec![byte; len]);
                    expected.extend(vec![byte; len]);
                }
                Step::Share(len) => {
                    queue.push_shared(&vec![byte; len].into());
                    expected.extend(vec![byte; len]);
                }
                Step::Read(len) => {
                    let mut into = vec![0; len];
                    let read = queue.read(&mut into);
                    found.extend(&into[..read]);
                }
            }
            prop_assert_eq!(queue.len(), expected.len() - found.len());
            prop_assert_eq!(queue.first().is_empty(), queue.is_empty());
        }
        let mut rest = vec![0; queue.len()];
        prop_assert_eq!(queue.read(&mut rest), rest.len());
        found.extend(rest);
        prop_assert_eq!(found, expected);
        prop_assert!(queue.waiting.is_none(), "an empty queue owns nothing");
    }
}
