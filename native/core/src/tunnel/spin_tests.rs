use super::*;

use proptest::prelude::*;

const SHORT: Duration = Duration::from_micros(50);
const MAX_PAUSE: u32 = 1 << (MAX_LEVEL - MISS);
const LONG: Duration = Duration::from_millis(5);

/// What one wait comes to, awake or asleep.
#[derive(Clone, Copy, Debug)]
struct Wait {
    is_hit: bool,
    asleep: Duration,
}

/// Tries and what they came to, where each wait is given to a habit as a loop does.
#[derive(Debug, Default, PartialEq)]
struct Came {
    hits: u32,
    misses: u32,
    short_sleeps: u32,
}

fn play(habit: &mut Habit, waits: impl IntoIterator<Item = Wait>) -> Came {
    let mut came = Came::default();
    for wait in waits {
        if habit.tries() {
            habit.tried(wait.is_hit);
            *(if wait.is_hit { &mut came.hits } else { &mut came.misses }) += 1;
        } else {
            habit.slept(wait.asleep);
            came.short_sleeps += u32::from(wait.asleep == SHORT);
        }
    }
    came
}

fn wait(is_hit: bool, asleep: Duration) -> Wait {
    Wait { is_hit, asleep }
}

fn a_wait() -> impl Strategy<Value = Wait> {
    (any::<bool>(), prop_oneof![3 => Just(SHORT), 1 => Just(LONG)]).prop_map(|(is_hit, asleep)| wait(is_hit, asleep))
}

fn runs() -> impl Strategy<Value = Vec<Wait>> {
    let run = (a_wait(), 1..200_usize).prop_map(|(wait, times)| vec![wait; times]);
    let mixed = prop::collection::vec(a_wait(), 1..200);
    prop::collection::vec(prop_oneof![run, mixed], 0..40).prop_map(|runs| runs.concat())
}

#[test]
fn after_a_few_short_waits_it_looks_on_and_goes_on_to_while_that_pays() {
    let came = play(&mut Habit::new(), vec![wait(true, SHORT); 1000]);
    assert_eq!(
        came,
        Came {
            hits: 1000 - FIRST_PAUSE,
            misses: 0,
            short_sleeps: FIRST_PAUSE
        }
    );
}

#[test]
fn who_waits_long_is_never_kept_awake() {
    assert_eq!(play(&mut Habit::new(), vec![wait(true, LONG); 10_000]), Came::default());
    let mut habit = Habit::new();
    play(&mut habit, vec![wait(true, SHORT); 100]);
    // It pays no longer: one try finds that out.
    let came = play(&mut habit, vec![wait(false, LONG); 10_000]);
    assert_eq!((came.hits, came.misses), (0, 1));
}

#[test]
fn tries_that_miss_become_rare_although_sleep_is_short() {
    // Whoever is to answer lacks the processor that is looked on with.
    let came = play(&mut Habit::new(), vec![wait(false, SHORT); 100_000]);
    assert!(came.misses <= 6 + 100_000 / MAX_PAUSE, "{came:?}");
}

#[test]
fn one_miss_among_many_hits_costs_little() {
    let one_in_ten = (0..100_000).map(|at| wait(at % 10 != 0, SHORT));
    let came = play(&mut Habit::new(), one_in_ten);
    assert!(came.hits > 75_000, "{came:?}");
}

#[test]
fn a_round_about_one_session_makes_its_answer_likely() {
    for (sessions, has_told, awaited) in [
        (1, true, Awaited::Process),
        (1, false, Awaited::Client),
        (0, false, Awaited::Anything),
        (0, true, Awaited::Anything),
        (2, true, Awaited::Anything),
        (1000, false, Awaited::Anything),
    ] {
        assert_eq!(Awaited::after(sessions, has_told), awaited, "{sessions} {has_told}");
    }
}

proptest! {
    #[test]
    fn misses_are_a_third_of_hits_and_one_in_a_pause_of_short_sleeps(waits in runs()) {
        let came = play(&mut Habit::new(), waits);
        // Each miss beyond raises the level, which hits lower; at the highest it takes a whole pause to another.
        let most = came.hits / MISS + came.short_sleeps / MAX_PAUSE + MAX_LEVEL / MISS + 2;
        prop_assert!(came.misses <= most, "{came:?}, at most {most}");
    }

    #[test]
    fn whatever_was_it_looks_on_again_when_that_pays(waits in runs()) {
        let mut habit = Habit::new();
        play(&mut habit, waits);
        let came = play(&mut habit, vec![wait(true, SHORT); MAX_PAUSE as usize + 100]);
        prop_assert!(came.hits >= 100 && came.misses == 0, "{came:?}");
    }

    #[test]
    fn as_many_places_are_taken_as_leave_each_a_processor(processors in 0..9_usize) {
        let places = Places::of(processors);
        let mut taken: Vec<_> = std::iter::from_fn(|| places.take()).collect();
        prop_assert_eq!(taken.len(), processors / 2);
        // One given back is one to take.
        let had = taken.pop().is_some();
        prop_assert_eq!(places.take().is_some(), had);
    }
}
