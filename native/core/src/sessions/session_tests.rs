use bytes::Bytes;
use proptest::prelude::*;

use super::super::assembler::Kind;
use super::super::assembler::tests::{Said, frame, said};
use super::super::autos::Autos;
use super::super::journal::{MAX_BYTES, MAX_EVENTS};
use super::super::outgoing::Message;
use super::super::records::{HEADER_BYTES, MAX_MESSAGE_BYTES, split};
use super::super::tools::Tools;
use super::*;

const MASK: Option<[u8; 4]> = Some([7, 9, 1, 3]);
const PLAIN: Way = Way {
    is_masked: false,
    may_compress: false,
};

fn session(way: Way) -> Session {
    owned(way, true, &mut Autos::default())
}

/// A session that is bound, to a group whose texts may be answered.
fn bound(auto_reply: bool) -> (Session, Autos) {
    let mut autos = Autos::default();
    (owned(PLAIN, auto_reply, &mut autos), autos)
}

fn owned(way: Way, auto_reply: bool, autos: &mut Autos) -> Session {
    let mut session = Session::new(5, 0, "ticket".into(), way, Arc::default());
    session.binding = Some(Binding {
        group: 1,
        is_hibernatable: true,
        auto_reply,
        state: Box::default(),
        autos: autos.group(1),
    });
    session
}

/// The events that are to be sent: their kinds and payloads.
fn events(session: &mut Session) -> Vec<(u8, Vec<u8>)> {
    let mut queue = Queue::default();
    session.journal.send(&mut queue);
    let mut bytes = vec![0; queue.len()];
    queue.read(&mut bytes);
    let (mut events, mut at) = (Vec::new(), 0);
    while let Some((head, payload, len)) = split(&bytes[at..]).unwrap() {
        assert_eq!(head.sid, 5);
        events.push((head.kind, payload.to_vec()));
        at += len;
    }
    events
}

/// What its peer gets, and whether the end is behind it.
fn output(session: &mut Session) -> (Vec<Said>, bool) {
    let (mut bytes, mut into) = (Vec::new(), [0; 1000]);
    let is_ended = loop {
        match session.read(&mut into) {
            None => break false,
            Some(0) => break true,
            Some(len) => bytes.extend(&into[..len]),
        }
    };
    let (said, refusal) = said(
        &mut Assembler::new(session.way.is_masked, true),
        &bytes,
        &[bytes.len().max(1)],
    );
    assert_eq!(refusal, None);
    (said, is_ended)
}

fn closed(code: u16, was_clean: bool, reason: &str) -> (u8, Vec<u8>) {
    let payload = [&code.to_le_bytes()[..], &[u8::from(was_clean)], reason.as_bytes()].concat();
    (from_edge::CLOSED, payload)
}

fn text(payload: &str) -> Said {
    let kind = Kind {
        is_text: true,
        is_compressed: false,
    };
    Said::Message(kind, payload.into())
}

#[test]
fn a_close_is_told_and_answered() {
    // What comes, what is told, and what its peer gets.
    let cases: [(&[u8], u16, &str, &[u8]); 3] = [
        (b"", 1005, "", b""),
        (b"\x03\xe8", 1000, "", b"\x03\xe8"),
        (b"\x0f\xa0enough", 4000, "enough", b"\x0f\xa0enough"),
    ];
    for (payload, code, reason, answer) in cases {
        let (mut session, _autos) = bound(true);
        let stream = frame(0x88, payload, MASK);
        assert_eq!(session.receive(&stream), stream.len());
        assert_eq!(events(&mut session), [closed(code, true, reason)]);
        assert_eq!(output(&mut session), (vec![Said::Close(answer.to_vec())], true));
        session.send(&Message::new(true, b"too late"));
        assert_eq!(session.receive(b"whatever"), 8, "nothing more is heard");
        assert_eq!(output(&mut session), (vec![], true));
    }
}

#[test]
fn a_close_is_answered_behind_what_the_process_makes_of_what_came_before_it() {
    let (mut session, _autos) = bound(true);
    let messages = [frame(0x81, b"one", MASK), frame(0x81, b"two", MASK)].concat();
    session.receive(&[messages, frame(0x88, b"\x0f\xa0enough", MASK)].concat());
    assert!(session.has_begun_to_wait() && !session.has_begun_to_wait());
    assert_eq!(events(&mut session).len(), 3);
    session.send(&Message::new(true, b"to one"));
    session.acknowledge(1);
    // Whoever has closed and then sends no more reads all the same.
    session.end_input();
    assert_eq!(output(&mut session), (vec![text("to one")], false));
    session.send(&Message::new(true, b"to two"));
    session.acknowledge(2);
    let close = Said::Close(b"\x0f\xa0enough".to_vec());
    assert_eq!(output(&mut session), (vec![text("to two"), close], true));
    session.acknowledge(3);
    assert!(session.is_over() && !session.is_closed_by_process() && !session.reply());
}

#[test]
fn a_close_that_waits_is_answered_by_the_processs_or_when_it_has_waited_long_enough() {
    let waiting = || {
        let (mut session, _autos) = bound(true);
        session.receive(&[frame(0x81, b"one", MASK), frame(0x88, b"\x0f\xa0enough", MASK)].concat());
        session
    };
    let mut session = waiting();
    session.close(4001, "of the process");
    session.send(&Message::new(true, b"too late"));
    let close = Said::Close(b"\x0f\xa1of the process".to_vec());
    assert_eq!(output(&mut session), (vec![close], true));
    session.acknowledge(1);
    assert_eq!(output(&mut session), (vec![], true));
    let mut session = waiting();
    session.disown();
    assert!(session.reply());
    let close = Said::Close(b"\x0f\xa0enough".to_vec());
    assert_eq!(output(&mut session), (vec![close], true));
    let mut session = waiting();
    session.closed_by_edge(1001, "the edge goes");
    assert!(session.reply());
    assert_eq!(output(&mut session), (vec![], true));
}

#[test]
fn a_close_that_is_not_answered_waits_for_the_script() {
    let (mut session, _autos) = bound(false);
    session.receive(&frame(0x88, b"\x03\xe8", MASK));
    session.send(&Message::new(true, b"last words"));
    assert_eq!(output(&mut session), (vec![text("last words")], false));
    session.close(3000, "bye");
    assert_eq!(output(&mut session), (vec![Said::Close(b"\x0b\xb8bye".to_vec())], true));
}

#[test]
fn a_close_of_the_script_ends_with_its_answer() {
    let (mut session, _autos) = bound(true);
    session.close(0, "");
    session.close(4000, "again");
    session.receive(&frame(0x89, b"ping", MASK));
    assert_eq!(output(&mut session), (vec![Said::Close(Vec::new())], false));
    session.receive(&frame(0x88, b"", MASK));
    assert_eq!(events(&mut session), [closed(1005, true, "")]);
    assert_eq!(output(&mut session), (vec![], true));
}

#[test]
fn what_breaks_the_protocol_is_told_as_a_failure_and_the_end() {
    let not_utf8 = "a text message is not UTF-8";
    let cases = [
        (frame(0x81, b"\xff", MASK), 1007, not_utf8),
        (
            [frame(0x01, b"\xc3", MASK), frame(0x80, b"x", MASK)].concat(),
            1007,
            not_utf8,
        ),
        (frame(0x81, &[0xff; 5_000], MASK), 1007, not_utf8),
        (frame(0x88, b"\x03\xe8\xff", MASK), 1007, not_utf8),
        (frame(0x88, b"\x03", MASK), 1002, "a Close has half a code"),
        (
            frame(0x88, b"\x03\xed", MASK),
            1002,
            "a Close has a code that may not be sent",
        ),
        (frame(0x81, b"", None), 1002, "a frame of a client is not masked"),
    ];
    for (stream, code, reason) in cases {
        let (mut session, _autos) = bound(true);
        session.receive(&frame(0x81, b"before", MASK));
        session.receive(&[stream, frame(0x81, b"behind", MASK)].concat());
        let expected = [
            (from_edge::TEXT, b"before".to_vec()),
            (from_edge::FAILED, reason.into()),
            closed(code, false, reason),
        ];
        assert_eq!(events(&mut session), expected);
        let fault = session.take_fault().unwrap();
        assert_eq!((fault.code(), fault.reason()), (code, reason.to_owned()));
        assert_eq!(session.take_fault(), None);
    }
}

#[test]
fn a_message_that_is_too_long_is_told_as_1009() {
    let mut session = session(Way {
        may_compress: true,
        ..PLAIN
    });
    let bomb = Tools::default()
        .deflate(&vec![0; MAX_MESSAGE_BYTES + 1])
        .unwrap()
        .to_vec();
    let mut stream = frame(0x42, b"", MASK);
    stream.extend(bomb.chunks(60_000).flat_map(|part| frame(0x00, part, MASK)));
    stream.extend(frame(0x80, b"", MASK));
    assert_eq!(session.receive(&stream), stream.len());
    assert_eq!(
        events(&mut session),
        [closed(1009, false, "a message has more than 33554432 bytes")]
    );
}

#[test]
fn whoever_goes_without_a_word_is_told_as_1006_and_once() {
    let (mut session, _autos) = bound(true);
    session.receive(&frame(0x01, b"begun", MASK));
    session.end_input();
    session.closed_by_edge(1001, "too late");
    session.end_input();
    assert_eq!(events(&mut session), [closed(1006, false, GONE)]);
    assert_eq!(output(&mut session), (vec![], true));
}

#[test]
fn what_the_edge_closes_is_told_with_its_code() {
    let (mut session, _autos) = bound(true);
    session.send(&Message::new(true, b"before"));
    session.closed_by_edge(1012, "release: now");
    session.send(&Message::new(true, b"behind"));
    assert_eq!(events(&mut session), [closed(1012, false, "release: now")]);
    assert_eq!(output(&mut session), (vec![text("before")], false));
}

#[test]
fn what_is_given_up_tells_nothing_any_more() {
    let (mut session, _autos) = bound(true);
    session.receive(&frame(0x81, b"not wanted", MASK));
    session.abort(1011, "reset");
    session.receive(&frame(0x88, b"", MASK));
    session.end_input();
    assert_eq!(events(&mut session), []);
    assert!(session.is_over());
    assert_eq!(
        output(&mut session),
        (vec![Said::Close(b"\x03\xf3reset".to_vec())], true)
    );
}

#[test]
fn a_text_is_answered_in_its_turn_and_not_told() {
    let (mut session, mut autos) = bound(true);
    let pair = super::super::autos::read(b"\x01\x04\0\0\0pingpong!").unwrap();
    autos.set(1, pair);
    session.send(&Message::new(true, b"first"));
    let stream = [
        frame(0x81, b"ping", MASK),
        frame(0x82, b"ping", MASK),
        frame(0x01, b"pi", MASK),
        frame(0x80, b"ng", MASK),
        frame(0x81, b"pong", MASK),
    ]
    .concat();
    session.receive(&stream);
    assert_eq!(output(&mut session).0, [text("first"), text("pong!"), text("pong!")]);
    let expected = [
        (from_edge::BINARY, b"ping".to_vec()),
        (from_edge::TEXT, b"pong".to_vec()),
    ];
    assert_eq!(events(&mut session), expected);
    assert!(session.take_answered_ms().is_some_and(|ms| ms > 1_700_000_000_000));
    assert_eq!(session.take_answered_ms(), None);
}

#[test]
fn it_takes_no_more_than_may_wait_and_goes_on_when_that_is_done_with() {
    let (mut session, _autos) = bound(true);
    let one = frame(0x81, b"x", MASK);
    let many = one.repeat(2 * MAX_EVENTS as usize);
    assert_eq!(session.receive(&many), many.len() / 2);
    assert_eq!(session.receive(&many), 0);
    assert!(!session.is_unblocked() && !session.is_starved());
    assert_eq!(events(&mut session).len(), MAX_EVENTS as usize);
    session.acknowledge(1);
    assert!(session.is_unblocked() && !session.is_unblocked());
    assert_eq!(session.receive(&many), one.len());
    session.acknowledge(MAX_EVENTS);
    assert_eq!(session.journal.events(), 1);
    // One message may be longer than what may wait.
    session.acknowledge(MAX_EVENTS + 1);
    events(&mut session);
    session.acknowledge(MAX_EVENTS + 1);
    let long = [
        &[0x82, 0xff][..],
        &(2 * MAX_BYTES as u64).to_be_bytes(),
        &[0; 4],
        &vec![1; 2 * MAX_BYTES],
    ]
    .concat();
    assert_eq!(session.receive(&long), long.len());
    assert_eq!(session.receive(&one), 0);
    assert_eq!(session.kit.held.of_script(), 2 * MAX_BYTES + HEADER_BYTES);
    drop(session);
}

#[test]
fn who_asks_and_takes_no_answers_gets_no_more_than_may_wait() {
    let (mut session, mut autos) = bound(true);
    session.receive(&frame(0x89, &[b'p'; 125], MASK).repeat(10_000));
    assert!(session.outbox.len() < SOME_UNSENT_BYTES + 200);
    output(&mut session);
    let pair = [&b"\x01\x01\0\0\0?"[..], &[b'!'; 8_000]].concat();
    autos.set(1, super::super::autos::read(&pair).unwrap());
    session.receive(&frame(0x81, b"?", MASK).repeat(9_000));
    assert_eq!(session.take_fault(), Some(Fault::Slow));
    assert!(session.outbox.len() <= MAX_UNSENT_OF_READER_BYTES + 8_010);
    assert_eq!(
        events(&mut session),
        [closed(1013, false, "too much waits to be taken")]
    );
}

#[test]
fn who_makes_much_of_little_waits_for_the_others_turns() {
    let mut session = session(Way {
        may_compress: true,
        ..PLAIN
    });
    let bomb = Tools::default().deflate(&vec![0; 1 << 20]).unwrap().to_vec();
    let frames = frame(0xC2, &bomb, MASK).repeat(5);
    let mut taken = 0;
    while !session.kit.is_tired() {
        taken += session.receive(&frames[taken..]);
        events(&mut session);
        session.acknowledge(session.journal.first_seq());
    }
    assert_eq!(taken, frames.len() / 5 * 4);
    assert_eq!(session.receive(&frames[taken..]), 0);
    assert!(session.is_starved() && !session.is_unblocked());
}

#[test]
fn a_slow_peer_is_closed_beyond_what_may_wait() {
    let (mut session, _autos) = bound(true);
    let large = vec![b'x'; MAX_UNSENT_BYTES + 1];
    session.send(&Message::new(true, &large));
    assert_eq!(session.take_fault(), None, "nothing waited before it");
    for _ in 0..2 {
        session.send(&Message::new(true, &large));
        assert_eq!(session.take_fault(), None, "it may read");
    }
    session.send(&Message::new(true, &large));
    assert_eq!(session.take_fault(), Some(Fault::Slow), "more than a reader is owed");
    assert_eq!(
        events(&mut session),
        [closed(1013, false, "too much waits to be taken")]
    );
    assert_eq!(session.taken, 4 * large.len() as u64);
}

#[test]
fn a_peer_that_is_owed_much_has_to_take_some_of_it_now_and_then() {
    let (mut session, _autos) = bound(true);
    session.send(&Message::new(true, &vec![b'x'; MAX_UNSENT_BYTES + 100_000]));
    let begin = Instant::now();
    let at = |part: u32| begin + PATIENCE / 4 * part;
    let mut into = [0; 1000];
    assert!(session.is_reading(at(0)) && session.is_reading(at(3)));
    assert_eq!(session.read(&mut into), Some(1000));
    assert!(session.is_reading(at(5)), "it has taken some");
    assert!(session.is_reading(at(8)) && !session.is_reading(at(9)));
    while session.outbox.len() > MAX_UNSENT_BYTES {
        session.read(&mut into);
    }
    assert!(session.debt.is_none(), "it is owed no more than others");
}

#[test]
fn a_peer_that_takes_nothing_is_closed_in_the_end() {
    let (mut session, _autos) = bound(true);
    session.send(&Message::new(true, &vec![b'x'; MAX_UNSENT_BYTES + 1]));
    session.send(&Message::new(true, b"more"));
    assert_eq!(session.take_fault(), None);
    let debt = session.debt.as_mut().unwrap();
    debt.since = debt.since.checked_sub(PATIENCE).unwrap();
    session.send(&Message::new(true, b"more"));
    assert_eq!(session.take_fault(), Some(Fault::Slow));
}

#[test]
fn what_goes_to_many_is_left_out_where_much_waits() {
    let (mut session, _autos) = bound(true);
    let message = Bytes::from(frame(0x81, &[b'x'; 100], None));
    session.send_shared(100, 50, true, || message.clone());
    assert_eq!((session.note_stuck(0), session.figures()), (News::Now, [100, 102]));
    session.send_shared(100, 50, true, || panic!("it is not asked for"));
    assert_eq!((session.note_stuck(0), session.taken), (News::Later, 200));
    // Where it is not to be left out, the session ends.
    session.send_shared(100, SOME_UNSENT_BYTES, false, || message.clone());
    assert_eq!((session.take_fault(), session.note_stuck(0)), (None, News::Now));
    assert_eq!(session.figures(), [300, 204]);
}

#[test]
fn a_backlog_is_told_when_it_comes_doubles_halves_and_goes() {
    let mut session = session(PLAIN);
    let told: Vec<Option<u64>> = [0, 10, 15, 20, 39, 40, 21, 20, 11, 10, 0, 0]
        .map(|beside| (session.note_stuck(beside) == News::Now).then(|| session.figures()[1]))
        .into();
    let expected = [
        None,
        Some(10),
        None,
        Some(20),
        None,
        Some(40),
        None,
        Some(20),
        None,
        Some(10),
        Some(0),
        None,
    ];
    assert_eq!(told, expected);
}

#[test]
fn what_has_been_taken_is_told_soon_and_much_of_it_at_once() {
    let mut session = session(PLAIN);
    let send = |session: &mut Session, len: usize| {
        session.send(&Message::new(false, &vec![0; len]));
        output(session);
        session.note_stuck(0)
    };
    assert_eq!(send(&mut session, 10), News::Later);
    assert_eq!(send(&mut session, 10), News::None);
    assert!(session.tells_later());
    assert_eq!(session.figures(), [20, 0]);
    assert_eq!(session.note_stuck(0), News::None);
    assert_eq!(send(&mut session, 64 * 1024), News::Now);
}

#[test]
fn an_idle_session_is_small() {
    assert!(size_of::<Session>() <= 216, "{}", size_of::<Session>());
    let (mut session, _autos) = bound(true);
    session.receive(&frame(0x01, b"one ", MASK));
    session.receive(&frame(0x80, b"two", MASK));
    session.send(&Message::new(true, b"three"));
    events(&mut session);
    session.acknowledge(1);
    output(&mut session);
    let held = (session.assembler.kept(), session.journal.bytes(), session.outbox.len());
    assert_eq!(held, (0, 0, 0));
    assert_eq!(session.kit.held.of_script(), 0);
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_events_and_answers(
        messages in prop::collection::vec((any::<bool>(), prop::collection::vec(0_u8..128, 0..60)), 0..12),
        sizes in prop::collection::vec(1_usize..40, 1..8),
    ) {
        let mut stream = Vec::new();
        for (is_text, payload) in &messages {
            let (head, tail) = payload.split_at(payload.len() / 2);
            stream.extend(frame(if *is_text { 1 } else { 2 }, head, MASK));
            stream.extend(frame(0x89, head, MASK));
            stream.extend(frame(0x80, tail, MASK));
            stream.extend(frame(if *is_text { 0x81 } else { 0x82 }, payload, MASK));
        }
        let (mut whole, _autos) = bound(true);
        whole.receive(&stream);
        let (mut chopped, _autos) = bound(true);
        let (mut at, mut sizes) = (0, sizes.iter().cycle());
        while at < stream.len() {
            let end = (at + sizes.next().unwrap()).min(stream.len());
            at += chopped.receive(&stream[at..end]);
        }
        prop_assert_eq!(whole.journal.events() as usize, 2 * messages.len());
        prop_assert_eq!(events(&mut whole), events(&mut chopped));
        prop_assert_eq!(output(&mut whole), output(&mut chopped));
    }
}
