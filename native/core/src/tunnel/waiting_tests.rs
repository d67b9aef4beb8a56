use super::*;

use mio::{Token, Waker};

const PATIENCE: Duration = Duration::from_millis(1);

/// A loop's waiting that has learned to wait awake, beside as many processors.
fn waiting(processors: usize) -> Waiting {
    let mut waiting = Waiting {
        habits: [Habit::new(), Habit::new()],
        places: Box::leak(Box::new(Places::of(processors))),
    };
    for habit in &mut waiting.habits {
        while !habit.tries() {
            habit.slept(Duration::ZERO);
        }
    }
    waiting
}

fn waits(waiting: &mut Waiting, awaited: Awaited, is_woken: bool) -> (usize, Duration) {
    let mut poll = Poll::new().unwrap();
    let waker = Waker::new(poll.registry(), Token(0)).unwrap();
    if is_woken {
        waker.wake().unwrap();
    }
    let mut events = Events::with_capacity(4);
    let began = Instant::now();
    waiting.wait(awaited, &mut poll, &mut events, Some(PATIENCE)).unwrap();
    (events.iter().count(), began.elapsed())
}

#[test]
fn what_comes_is_found_whatever_is_awaited_and_however() {
    for processors in [1, 2] {
        for awaited in [Awaited::Anything, Awaited::Process, Awaited::Client] {
            let (found, _) = waits(&mut waiting(processors), awaited, true);
            assert_eq!(found, 1, "{processors} {awaited:?}");
        }
    }
}

#[test]
fn where_nothing_comes_it_waits_as_long_as_it_was_told_to() {
    for awaited in [Awaited::Anything, Awaited::Process, Awaited::Client] {
        let (found, waited) = waits(&mut waiting(2), awaited, false);
        assert!(found == 0 && waited >= PATIENCE, "{awaited:?} {waited:?}");
    }
}

#[test]
fn each_kind_of_thing_has_its_own_habit() {
    let mut waiting = waiting(2);
    waits(&mut waiting, Awaited::Client, false);
    assert!(waiting.habits[0].tries() && !waiting.habits[1].tries());
    waits(&mut waiting, Awaited::Process, true);
    assert!(waiting.habits[0].tries());
}

#[test]
fn with_one_processor_it_always_sleeps() {
    let mut waiting = waiting(1);
    // A wait awake that found nothing would have been counted as a miss.
    let mut asleep = waiting.habits[0].clone();
    let (_, waited) = waits(&mut waiting, Awaited::Process, false);
    asleep.slept(waited);
    assert_eq!(waiting.habits[0], asleep);
}
