//! Who is answered what when one side closes, and what of that the next process is told.

use super::*;

#[test]
fn a_session_that_is_over_is_not_told_of_again_while_its_client_is_there_yet() {
    let (stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let (mut reset, reset_sid) = bound(&stage, &script, &mut process, "reset", HIBERNATABLE);
    let (_other, other_sid) = bound(&stage, &script, &mut process, "other", HIBERNATABLE);
    client.write_all(&masked(0x88, b"\x0f\xa0bye")).unwrap();
    assert_eq!(process.expect(from_edge::CLOSED).0.seq, 1);
    process.acknowledge(sid, 1);
    process.say(
        to_edge::ABORT,
        reset_sid,
        &[&1011_u16.to_le_bytes()[..], b"reset"].concat(),
    );
    assert_eq!(close_frame(&mut client), (4000, "bye".into()));
    assert_eq!(close_frame(&mut reset), (1011, "reset".into()));
    drop(process);
    // Neither has ended its connection.
    let mut next = script.process();
    assert_eq!(next.resumed(other_sid), (1, 0, b"other".to_vec()));
    assert_eq!(next.expect(from_edge::READY).0.sid, 0);
}

#[test]
fn who_closes_behind_its_messages_gets_the_answers_to_them_first() {
    let (_stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let messages: Vec<u8> = ["one", "two", "three"]
        .iter()
        .flat_map(|text| masked(0x81, text.as_bytes()))
        .collect();
    client
        .write_all(&[messages, masked(0x88, b"\x0f\xa1bye")].concat())
        .unwrap();
    assert_eq!(process.message(), (1, b"one".to_vec()));
    process.say(to_edge::TEXT, sid, b"to one");
    process.acknowledge(sid, 1);
    assert_eq!(frame(&mut client), (0x81, b"to one".to_vec()));
    // The next process has the rest.
    drop(process);
    let mut next = script.process();
    assert_eq!(next.resumed(sid), (2, 6, b"state".to_vec()));
    next.expect(from_edge::READY);
    assert_eq!([next.message().0, next.message().0], [2, 3]);
    next.expect(from_edge::CLOSED);
    next.say(to_edge::TEXT, sid, b"to two and three");
    next.acknowledge(sid, 3);
    assert_eq!(frame(&mut client), (0x81, b"to two and three".to_vec()));
    assert_eq!(close_frame(&mut client), (4001, "bye".into()));
    assert_eq!(rest(&mut client), b"");
}

#[test]
fn who_has_closed_is_answered_where_nobody_is_left_who_could_say_more() {
    let (_stage, _script, mut process, mut client, _) = begun(STANDARD);
    client
        .write_all(&[masked(0x81, b"one"), masked(0x88, b"\x0f\xa1bye")].concat())
        .unwrap();
    process.message();
    drop(process);
    assert_eq!(close_frame(&mut client), (4001, "bye".into()));
    assert_eq!(rest(&mut client), b"");
}

#[test]
fn the_next_process_is_told_what_the_one_before_has_closed() {
    let (_stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    process.say(to_edge::CLOSE, sid, &4001_u16.to_le_bytes());
    assert_eq!(close_frame(&mut client).0, 4001);
    drop(process);
    let mut next = script.process();
    let (head, _) = next.expect(from_edge::RESUMED);
    assert_eq!((head.sid, head.flags), (sid, 3));
    next.expect(from_edge::READY);
    client.write_all(&masked(0x88, b"\x0f\xa1")).unwrap();
    assert_eq!(next.expect(from_edge::CLOSED).0.seq, 1);
}
