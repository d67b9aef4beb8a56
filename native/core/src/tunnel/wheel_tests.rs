use super::*;

use proptest::prelude::*;

const NOBODY: [usize; 0] = [];

fn told(wheel: &mut Wheel, at: Instant) -> Vec<usize> {
    let mut due = Vec::new();
    wheel.tell(at, &mut due);
    due.sort_unstable();
    due
}

fn after(start: Instant, ms: u64) -> Instant {
    start + Duration::from_millis(ms)
}

#[test]
fn a_key_is_told_once_at_its_time() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.set(3, Due::at(after(start, 1000)));
    wheel.set(0, Due::at(after(start, 2000)));
    assert_eq!(told(&mut wheel, after(start, 999)), NOBODY);
    assert_eq!(told(&mut wheel, after(start, 1064)), [3]);
    assert_eq!(told(&mut wheel, after(start, 1064)), NOBODY);
    assert_eq!(told(&mut wheel, after(start, 5000)), [0]);
    assert_eq!(wheel.next(), None);
}

#[test]
fn a_time_only_moves_to_an_earlier_one() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    wheel.set(1, Due::at(after(start, 1000)));
    wheel.set(1, Due::at(after(start, 5000)));
    wheel.set(2, Due::at(after(start, 5000)));
    wheel.set(2, Due::at(after(start, 1000)));
    assert_eq!(told(&mut wheel, after(start, 1100)), [1, 2]);
    assert_eq!(told(&mut wheel, after(start, 9000)), NOBODY);
}

#[test]
fn what_is_cancelled_is_not_told_and_its_neighbours_are() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    (0..5).for_each(|key| wheel.set(key, Due::at(after(start, 100))));
    for key in [4, 2, 0, 2, 99] {
        wheel.cancel(key);
    }
    assert_eq!(told(&mut wheel, after(start, 1000)), [1, 3]);
    wheel.set(2, Due::at(after(start, 1500)));
    wheel.clear();
    assert_eq!((wheel.next(), told(&mut wheel, after(start, 9000))), (None, vec![]));
}

#[test]
fn what_may_wait_is_told_together() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    let slack = Duration::from_secs(1);
    for (key, ms) in [10_030, 10_100, 10_200, 10_400].into_iter().enumerate() {
        wheel.set(
            key,
            Due {
                at: after(start, ms),
                slack,
            },
        );
    }
    for expected in [vec![0, 1, 2], vec![3]] {
        let next = wheel.next().unwrap();
        assert_eq!(told(&mut wheel, next), expected, "on a round tick");
    }
}

#[test]
fn what_is_further_away_than_the_wheel_is_round_is_told_early_and_may_ask_again() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    let at = after(start, 86_400_000);
    wheel.set(7, Due::at(at));
    let mut asked = 0;
    loop {
        let now = wheel.next().unwrap();
        assert_eq!(told(&mut wheel, now), [7]);
        if now >= at {
            break;
        }
        asked += 1;
        wheel.set(7, Due::at(at));
    }
    assert!((600..700).contains(&asked), "{asked}");
}

#[test]
fn after_a_long_sleep_everything_that_is_due_is_told() {
    let start = Instant::now();
    let mut wheel = Wheel::new(start);
    (0..100).for_each(|key| wheel.set(key, Due::at(after(start, 1000 * key as u64))));
    assert_eq!(told(&mut wheel, after(start, 10_000_000)).len(), 100);
}

proptest! {
    /// Against a list: told at the first look at or after its tick, never before its time.
    #[test]
    fn it_tells_what_a_list_would(
        steps in prop::collection::vec((0_usize..20, 0_u64..20_000, 0_u64..300, any::<bool>()), 1..200)
    ) {
        let start = Instant::now();
        let mut wheel = Wheel::new(start);
        let mut list: std::collections::HashMap<usize, Instant> = std::collections::HashMap::new();
        let mut now = start;
        for (key, ahead, pause, cancels) in steps {
            if cancels {
                wheel.cancel(key);
                list.remove(&key);
            } else {
                let at = now + Duration::from_millis(ahead);
                wheel.set(key, Due::at(at));
                let entry = list.entry(key).or_insert(at);
                *entry = at.min(*entry);
            }
            now += Duration::from_millis(pause);
            for key in told(&mut wheel, now) {
                let at = list.remove(&key);
                prop_assert!(at.is_some_and(|at| at <= now), "told early, or of nothing");
            }
            prop_assert!(list.values().all(|at| *at + TICK * 2 > now), "told late");
            if let Some(next) = wheel.next() {
                prop_assert!(list.values().all(|at| next <= *at + TICK * 2));
            }
        }
    }
}
