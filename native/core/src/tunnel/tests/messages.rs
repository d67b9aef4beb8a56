//! Rules about messages, over real sockets. What they say of which message is tested in `messages`, without any.

use std::num::NonZeroU64;

use super::*;
use crate::messages::{MessageRule, MessageRules};
use crate::zones::Zones;

fn rules(rules: &[(&str, &str, &str)], limit: u64) -> TunnelOptions {
    let rule = |(id, action, pattern): &(&str, &str, &str)| {
        Arc::new(MessageRule::new(id, "both", action, Some(pattern), None).unwrap())
    };
    TunnelOptions {
        message_rules: Some(Arc::new(
            MessageRules::new(rules.iter().map(rule).collect(), limit).unwrap(),
        )),
        ..TunnelOptions::default()
    }
}

fn opened(stage: &Stage, options: TunnelOptions) -> (TcpStream, TcpStream) {
    stage.open(|new| new.options = Arc::new(options))
}

/// A frame of a client, masked with zeros.
fn sent(first: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(payload.len()).unwrap();
    [&[first, 0x80 | len, 0, 0, 0, 0][..], payload].concat()
}

#[test]
fn a_rule_that_closes_tells_the_sender_why_and_the_other_side_that_it_is_over() {
    for client_sends in [true, false] {
        let stage = Stage::new();
        let (mut client, mut origin) = opened(&stage, rules(&[("r1", "close", "attack")], 0));
        if client_sends {
            client
                .write_all(
                    &[
                        sent(0x81, b"hello"),
                        sent(0x01, b"att"),
                        sent(0x80, b"ack"),
                        sent(0x81, b"more"),
                    ]
                    .concat(),
                )
                .unwrap();
        } else {
            origin
                .write_all(b"\x81\x05hello\x01\x03att\x80\x03ack\x81\x04more")
                .unwrap();
        }
        let (mut sender, mut other) = if client_sends {
            (client, origin)
        } else {
            (origin, client)
        };
        let hello = if client_sends {
            sent(0x81, b"hello")
        } else {
            b"\x81\x05hello".to_vec()
        };
        let answer = |masked: bool| close(1000, masked.then_some([0; 4]));
        let length = if client_sends { 4 } else { 8 };
        let head = read(&mut sender, length);
        let reason_len = usize::from(head[1] & 0x7F) - 2;
        let code_at = length - 2;
        let mask: Vec<u8> = if client_sends { vec![0; 4] } else { head[2..6].to_vec() };
        assert_eq!(
            u16::from_be_bytes([head[code_at] ^ mask[0], head[code_at + 1] ^ mask[1]]),
            1008
        );
        let reason: Vec<u8> = read(&mut sender, reason_len)
            .into_iter()
            .enumerate()
            .map(|(at, byte)| byte ^ mask[(at + 2) % 4])
            .collect();
        assert_eq!(reason, b"message_rule: a message breaks the rule r1");
        assert_eq!(read(&mut other, hello.len()), hello);
        sender.write_all(&answer(client_sends)).unwrap();
        other.write_all(&answer(!client_sends)).unwrap();
        let (before, code, reason) = rest_and_close(&mut other);
        assert_eq!((before, code), (Vec::new(), Some(1001)));
        assert_eq!(reason, "message_rule: a message breaks the rule r1");
        assert_eq!(rest(&mut sender), b"");
        let record = stage.record();
        let who = if client_sends { "client" } else { "origin" };
        assert_eq!(record["why"], "message_rule");
        assert_eq!((&record["closed_by"], &record["detail"]), (&"edge".into(), &who.into()));
        let passed = if client_sends {
            &record["to_origin"]
        } else {
            &record["to_client"]
        };
        assert_eq!(passed["text_messages"], 1, "what does not pass is not counted");
    }
}

#[test]
fn a_message_that_is_dropped_is_missed_and_logged() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, rules(&[("d", "drop", "secret"), ("l", "log", "noted")], 0));
    let messages = [
        sent(0x81, b"one"),
        sent(0x81, b"a secret"),
        sent(0x81, b"noted"),
        sent(0x82, b"secret"),
    ];
    client.write_all(&messages.concat()).unwrap();
    let passed = [&messages[0][..], &messages[2], &messages[3]].concat();
    assert_eq!(read(&mut origin, passed.len()), passed);
    for (rule, action, bytes) in [("d", "drop", 8), ("l", "log", 5)] {
        let line = stage.record();
        assert_eq!(line["event"], "websocket_message_rule");
        assert_eq!((&line["rule"], &line["action"]), (&rule.into(), &action.into()));
        assert_eq!(
            (&line["direction"], &line["message_bytes"]),
            (&"to_origin".into(), &bytes.into())
        );
        assert_eq!(line["ray_id"], "0123456789abcdef-LOC");
    }
}

#[test]
fn lines_about_messages_are_few_and_tell_of_the_others() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, rules(&[("l", "log", "noted")], 0));
    let many = sent(0x81, b"noted").repeat(1_000);
    client.write_all(&many).unwrap();
    assert_eq!(read(&mut origin, many.len()), many);
    drop((client, origin));
    let mut lines = 0;
    while stage.record()["event"] == "websocket_message_rule" {
        lines += 1;
    }
    assert!((5..100).contains(&lines), "{lines}");
}

#[test]
fn a_control_frame_overtakes_a_text_and_a_text_waits_for_its_end() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, rules(&[("r", "close", "x")], 0));
    let (first, ping, last) = (sent(0x01, b"a"), sent(0x89, b"p"), sent(0x80, b"b"));
    client.write_all(&[&first[..], &ping].concat()).unwrap();
    assert_eq!(read(&mut origin, ping.len()), ping);
    client.write_all(&last).unwrap();
    assert_eq!(read(&mut origin, first.len() + last.len()), [first, last].concat());
}

#[test]
fn what_is_no_utf_8_and_what_is_no_frame_is_told_by_its_code() {
    for (bytes, expected) in [
        (sent(0x81, b"\xFF"), 1007),
        (sent(0x83, b""), 1002),
        (sent(0xC1, b"x"), 1002),
        (sent(0x81, &[b' '; 101]), 1009),
    ] {
        let stage = Stage::new();
        let (mut client, origin) = opened(&stage, rules(&[("r", "close", "x")], 100));
        client.write_all(&bytes).unwrap();
        drop(origin);
        let (before, code, reason) = rest_and_close(&mut client);
        assert_eq!((before, code), (Vec::new(), Some(expected)), "{reason}");
        drop(client);
        let expected = if expected == 1009 {
            "message_too_big"
        } else {
            "protocol_error"
        };
        assert_eq!(stage.record()["why"], expected);
    }
}

#[test]
fn limits_and_rules_go_together() {
    let stage = Stage::new();
    let options = TunnelOptions {
        max_message_bytes: NonZeroU64::new(50),
        to_origin: Rates {
            messages_per_s: Some(1_000.0),
            bytes_per_s: Some(200_000.0),
        },
        ..rules(&[("d", "drop", "secret")], 50)
    };
    let (mut client, mut origin) = opened(&stage, options);
    let (kept, dropped) = (sent(0x81, &[b'a'; 50]), sent(0x81, b"secret"));
    let many = [&kept[..], &dropped, &sent(0x82, &[7; 50])].concat().repeat(1_500);
    let writing = std::thread::spawn(move || {
        client.write_all(&many).unwrap();
        client
    });
    let expected = [&kept[..], &sent(0x82, &[7; 50])].concat().repeat(1_500);
    assert!(read(&mut origin, expected.len()) == expected);
    let mut client = writing.join().unwrap();
    client.write_all(&sent(0x82, &[0; 51])).unwrap();
    drop(origin);
    assert_eq!(rest_and_close(&mut client).1, Some(1009));
}

#[test]
fn a_stalled_reader_stops_a_writer_whose_messages_are_looked_at() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, rules(&[("r", "close", "x")], 0));
    let message = sent(0x81, &[b'a'; 100]);
    client.set_nonblocking(true).unwrap();
    let (mut written, mut refusals) = (0, 0);
    let many = message.repeat(1_000);
    // The kernel holds some megabytes; beyond them nothing may be taken.
    while refusals < 200 && written < (256 << 20) {
        if let Ok(taken) = client.write(&many[written % many.len()..]) {
            (written, refusals) = (written + taken, 0);
        } else {
            refusals += 1;
            std::thread::yield_now();
        }
    }
    assert!(written < (256 << 20), "{written} bytes were taken");
    let got = read(&mut origin, written - written % message.len());
    assert!(got.chunks(message.len()).all(|one| one == message));
}

#[test]
fn a_text_that_is_begun_and_not_continued_ends_it_though_all_its_frames_are_whole() {
    let stage = Stage::new();
    let options = TunnelOptions {
        read_stall_timeout: Some(Duration::from_millis(200)),
        ..rules(&[("r", "close", "x")], 0)
    };
    let (mut client, mut origin) = opened(&stage, options);
    client.write_all(&sent(0x01, b"a part")).unwrap();
    let told = read(&mut client, 4);
    assert_eq!(told[2..], 1001_u16.to_be_bytes());
    assert_eq!(read(&mut origin, 8)[0], 0x88);
    drop((client, origin));
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"read_stalled".into(), &"client".into())
    );
}

#[test]
fn what_has_passed_is_counted_until_its_receiver_has_taken_it() {
    let (stage, zone) = (Stage::new(), Zones::default().named("one"));
    let (client, mut origin) = stage.open(|new| {
        new.options = Arc::new(rules(&[("r", "close", "x")], 0));
        new.identity.zone = Arc::clone(&zone);
    });
    let message = [&[0x81, 127, 0, 0, 0, 0, 0, 4, 0, 0][..], &vec![b'a'; 0x4_0000]].concat();
    origin.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
    // The kernel holds some megabytes; beyond them a message waits for its receiver.
    while origin.write_all(&message).is_ok() {}
    let begun = Instant::now();
    while zone.held().bytes() < message.len() {
        assert!(begun.elapsed() < PATIENCE, "{} bytes are held", zone.held().bytes());
        std::thread::yield_now();
    }
    assert!(zone.held().bytes() < 4 * message.len());
    drop((client, origin));
    stage.record();
    assert_eq!(zone.held().bytes(), 0);
}
