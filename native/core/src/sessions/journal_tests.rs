use proptest::prelude::*;

use super::*;
use crate::sessions::records::split;

fn add(journal: &mut Journal, len: usize, byte: u8) {
    let payload = vec![byte; len];
    if byte.is_multiple_of(2) {
        let added: Result<(), ()> = journal.add(4, 1, |out| {
            out.extend_from_slice(&payload);
            Ok(())
        });
        added.unwrap();
    } else {
        journal.add_record(4, 1, [&[0; HEADER_BYTES][..], &payload].concat());
    }
}

/// The numbers of the events that are sent now, and the length of each.
fn sent(journal: &mut Journal) -> Vec<(u32, usize)> {
    let mut queue = Queue::default();
    journal.send(&mut queue);
    let mut bytes = vec![0; queue.len()];
    queue.read(&mut bytes);
    let (mut events, mut at) = (Vec::new(), 0);
    while let Some((head, payload, len)) = split(&bytes[at..]).unwrap() {
        events.push((head.seq, payload.len()));
        at += len;
    }
    assert_eq!(at, bytes.len());
    events
}

#[derive(Clone, Debug)]
enum Step {
    Add(usize),
    Send,
    Acknowledge(u32),
    Rewind,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => prop_oneof![0_usize..50, 0_usize..9_000, 30_000_usize..40_000].prop_map(Step::Add),
        2 => Just(Step::Send),
        2 => (0_u32..9).prop_map(Step::Acknowledge),
        1 => Just(Step::Rewind),
    ];
    prop::collection::vec(step, 0..80)
}

proptest! {
    #[test]
    fn events_come_in_order_until_they_are_acknowledged(steps in steps()) {
        let mut journal = Journal::default();
        // What a list would do.
        let (mut kept, mut next, mut unsent): (Vec<(u32, usize)>, u32, usize) = (Vec::new(), 1, 0);
        for (at, step) in steps.into_iter().enumerate() {
            match step {
                Step::Add(len) => {
                    add(&mut journal, len, u8::try_from(at).unwrap());
                    kept.push((next, len));
                    (next, unsent) = (next + 1, unsent + 1);
                }
                Step::Send => {
                    prop_assert_eq!(sent(&mut journal), &kept[kept.len() - unsent..]);
                    unsent = 0;
                }
                Step::Acknowledge(count) => {
                    let first = kept.first().map_or(next, |(seq, _)| *seq);
                    let up_to = (first + count).wrapping_sub(2);
                    journal.acknowledge(up_to);
                    let known = kept.len() - unsent;
                    if count > 0 && count as usize - 1 <= known {
                        kept.drain(..count as usize - 1);
                    }
                }
                Step::Rewind => {
                    journal.rewind();
                    unsent = kept.len();
                }
            }
            prop_assert_eq!(journal.events() as usize, kept.len());
            prop_assert_eq!(journal.bytes(), kept.iter().map(|(_, len)| len + HEADER_BYTES).sum::<usize>());
            prop_assert_eq!(journal.first_seq(), kept.first().map_or(next, |(seq, _)| *seq));
            prop_assert_eq!(journal.has_unsent(), unsent > 0);
        }
    }
}

#[test]
fn numbers_go_round_and_an_empty_journal_owns_nothing() {
    let mut journal = Journal {
        first_seq: u32::MAX,
        ..Journal::default()
    };
    for byte in 0..3 {
        add(&mut journal, 2, byte);
    }
    assert_eq!(sent(&mut journal), [(u32::MAX, 2), (0, 2), (1, 2)]);
    journal.acknowledge(0);
    assert_eq!((journal.first_seq(), journal.events()), (1, 1));
    journal.acknowledge(1);
    assert_eq!(journal.first_seq(), 2);
    assert!(journal.kept.is_none());
}

#[test]
fn what_is_refused_leaves_no_trace() {
    let mut journal = Journal::default();
    assert_eq!(journal.add(4, 1, |_| Err("no")), Err("no"));
    assert_eq!((journal.events(), journal.bytes()), (0, 0));
    assert!(journal.kept.is_none());
    add(&mut journal, 1, 0);
    assert_eq!(sent(&mut journal), [(1, 1)]);
}

#[test]
fn it_has_room_for_so_many_events_and_bytes() {
    let mut journal = Journal::default();
    for _ in 0..MAX_EVENTS {
        assert!(journal.has_room());
        add(&mut journal, 0, 0);
    }
    assert!(!journal.has_room());
    journal.clear();
    add(&mut journal, MAX_BYTES, 1);
    assert!(!journal.has_room());
    assert_eq!(journal.first_seq(), MAX_EVENTS + 1);
}
