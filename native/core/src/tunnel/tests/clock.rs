//! Pings of the edge's own, and ends that the clock brings, over real sockets. What depends on time alone is tested in
//! `vigil`, `gate` and `wheel`, without any.

use std::num::NonZeroU64;

use super::*;
use crate::frames::Sight;

const INTERVAL: Duration = Duration::from_millis(150);

fn keepalive() -> TunnelOptions {
    TunnelOptions {
        keepalive: Some(Keepalive {
            interval: INTERVAL,
            misses: 2,
        }),
        ..TunnelOptions::default()
    }
}

fn opened(stage: &Stage, options: TunnelOptions) -> (TcpStream, TcpStream) {
    stage.open(|new| new.options = Arc::new(options))
}

/// Reads a ping of the edge's; the pong that answers it, masked where the ping was not.
fn pong_for(far: &mut TcpStream, is_masked: bool) -> Vec<u8> {
    let header = if is_masked { 6 } else { 2 };
    let ping = read(far, header + 16);
    assert_eq!(ping[..2], [0x89, if is_masked { 0x90 } else { 0x10 }]);
    let mask: [u8; 4] = if is_masked {
        ping[2..6].try_into().unwrap()
    } else {
        [0; 4]
    };
    let payload = ping[header..]
        .iter()
        .zip(mask.iter().cycle())
        .map(|(byte, key)| byte ^ key);
    if is_masked {
        [0x8a, 0x10].into_iter().chain(payload).collect()
    } else {
        [0x8a, 0x90, 0, 0, 0, 0].into_iter().chain(payload).collect()
    }
}

#[test]
fn both_legs_are_pinged_and_their_answers_go_no_further() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, keepalive());
    let (from_client, from_origin) = (pong_for(&mut client, false), pong_for(&mut origin, true));
    // Byte by byte, behind a message and before one; the client's goes in one piece with a pong of its own.
    let own = b"\x8a\x83\0\0\0\0own";
    client.write_all(&[HELLO, &from_client, own, HELLO].concat()).unwrap();
    for byte in [b"\x81\x02hi".as_slice(), &from_origin, b"\x81\x03you"].concat() {
        origin.write_all(&[byte]).unwrap();
    }
    assert_eq!(read(&mut origin, 31), [HELLO, own, HELLO].concat());
    assert_eq!(read(&mut client, 9), b"\x81\x02hi\x81\x03you");
    client.write_all(&close(1000, Some([1; 4]))).unwrap();
    read(&mut origin, 8);
    origin.write_all(&close(1000, None)).unwrap();
    drop((client, origin));
    let record = stage.record();
    assert_eq!(record["to_origin"]["pongs"], 1, "the client's own alone");
    assert_eq!(record["to_client"]["pongs"], 0);
    assert_eq!(
        (&record["to_origin"]["bytes"], &record["to_client"]["bytes"]),
        (&(31 + 8).into(), &(9 + 4).into())
    );
    for rtt in ["rtt_client_ms", "rtt_origin_ms"] {
        assert!(
            record[rtt].as_f64().is_some_and(|ms| ms > 0.0),
            "{rtt}: {}",
            record[rtt]
        );
    }
}

#[test]
fn a_leg_that_does_not_answer_is_dead_and_the_other_is_told() {
    for client_is_dead in [true, false] {
        let stage = Stage::new();
        let (client, origin) = opened(&stage, keepalive());
        let (mut dead, mut alive, why) = if client_is_dead {
            (client, origin, "client_unresponsive")
        } else {
            (origin, client, "origin_unresponsive")
        };
        let close = loop {
            let first = read(&mut alive, 2);
            let masked = usize::from(first[1] >> 7) * 4;
            let rest = read(&mut alive, usize::from(first[1] & 0x7F) + masked);
            if first[0] == 0x88 {
                break [first, rest].concat();
            }
            assert_eq!(first[0], 0x89);
            let pong = [&[0x8a, 0x10][..], &unmasked(&rest, masked)].concat();
            alive
                .write_all(&if client_is_dead { pong } else { masked_with_zeros(&pong) })
                .unwrap();
        };
        let mut walker = Walker::new();
        walker.walk(&close);
        let told = walker.close().unwrap();
        assert_eq!(told.code(), Some(1001));
        assert!(told.reason().starts_with(&format!("{why}: ")), "{}", told.reason());
        alive
            .write_all(&super::close(1001, (!client_is_dead).then_some([1; 4])))
            .unwrap();
        drop(alive);
        let record = stage.record();
        assert_eq!((&record["closed_by"], &record["why"]), (&"edge".into(), &why.into()));
        let side = if client_is_dead { "client" } else { "origin" };
        assert_eq!(
            (&record["detail"], &record["connection_close_reason"]),
            (&side.into(), &"timedOut".into())
        );
        // Should it come back to life, it finds its pings, and why it was given up.
        let (_, code, reason) = rest_and_close(&mut dead);
        assert_eq!(code, Some(1001));
        assert!(reason.starts_with(why), "{reason}");
    }
}

fn unmasked(rest: &[u8], masked: usize) -> Vec<u8> {
    let (mask, payload) = rest.split_at(masked);
    payload
        .iter()
        .enumerate()
        .map(|(at, byte)| byte ^ mask.get(at % 4).unwrap_or(&0))
        .collect()
}

fn masked_with_zeros(pong: &[u8]) -> Vec<u8> {
    [&[0x8a, 0x90, 0, 0, 0, 0], &pong[2..]].concat()
}

#[test]
fn a_ping_waits_for_the_end_of_the_frame_on_its_way() {
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, keepalive());
    origin.write_all(b"\x82\x05ab").unwrap();
    assert_eq!(read(&mut client, 4), b"\x82\x05ab");
    // The origin's ping is due at the same time as the client's, which has to wait.
    pong_for(&mut origin, true);
    origin.write_all(b"cde\x81\x02hi").unwrap();
    assert_eq!(read(&mut client, 3), b"cde");
    let next = read(&mut client, 2);
    let rest = read(&mut client, 20);
    let both = [next, rest].concat();
    let at = both
        .windows(2)
        .position(|pair| pair == [0x89, 0x10])
        .expect("a ping between two frames");
    assert!(at == 0 || at == 4, "{both:?}");
}

#[test]
fn a_message_that_is_too_big_is_stopped_at_its_header() {
    let stage = Stage::new();
    let options = TunnelOptions {
        max_message_bytes: NonZeroU64::new(8),
        ..TunnelOptions::default()
    };
    let (mut client, mut origin) = opened(&stage, options);
    // In two fragments, of which the first passes; then one that would be too much: both chopped within their headers.
    let (first, second) = (b"\x01\x85\0\0\0\0hello", b"\x80\x84\0\0\0\0");
    for byte in first {
        client.write_all(&[*byte]).unwrap();
    }
    assert_eq!(read(&mut origin, first.len()), first);
    for byte in second {
        client.write_all(&[*byte]).unwrap();
    }
    let answer = [b"rest".as_slice(), &close(1009, Some([1; 4]))].concat();
    let (before, code, reason) = closed_by_edge(&mut client, |client| client.write_all(&answer));
    assert_eq!((before.len(), code), (0, Some(1009)));
    assert_eq!(reason, "message_too_big: a message is larger than 8 bytes");
    let (before, code, _) = closed_by_edge(&mut origin, |origin| origin.write_all(&close(1001, None)));
    assert_eq!((before.len(), code), (0, Some(1001)));
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"message_too_big".into(), &"client".into())
    );
    assert_eq!(
        (&record["edge_close_code"], &record["client_close_code"]),
        (&1009.into(), &1009.into())
    );
}

/// Reads frames until the edge's Close; what came before it, its code and reason. Then answers, and takes the end.
fn closed_by_edge(
    far: &mut TcpStream,
    answer: impl FnOnce(&mut TcpStream) -> std::io::Result<()>,
) -> (Vec<u8>, Option<u16>, String) {
    let mut walker = Walker::new();
    let (mut before, mut now) = (Vec::new(), Vec::new());
    while walker.close().is_none() {
        let byte = read(far, 1);
        walker.walk(&byte);
        now.extend(byte);
        if walker.is_at_boundary() && walker.close().is_none() {
            before.append(&mut now);
        }
    }
    answer(far).unwrap();
    assert_eq!(rest(far), b"", "ended in good order");
    let close = walker.close().unwrap();
    (before, close.code(), close.reason())
}

#[test]
fn throttled_messages_wait_and_none_is_lost() {
    let stage = Stage::new();
    let options = TunnelOptions {
        to_origin: Rates {
            messages_per_s: Some(20.0),
            bytes_per_s: None,
        },
        ..TunnelOptions::default()
    };
    let (mut client, mut origin) = opened(&stage, options);
    let all: Vec<u8> = (0..30_u8).flat_map(|at| [0x82, 0x81, 0, 0, 0, 0, at]).collect();
    let begun = Instant::now();
    client
        .write_all(&[&all[..], &close(1000, Some([1; 4]))].concat())
        .unwrap();
    let passed = read(&mut origin, all.len());
    assert!(begun.elapsed() > Duration::from_millis(400), "{:?}", begun.elapsed());
    assert_eq!(passed, all);
    read(&mut origin, 8);
    origin.write_all(&close(1000, None)).unwrap();
    drop((client, origin));
    assert_eq!(stage.record()["to_origin"]["binary_messages"], 30);
}

#[test]
fn who_sends_too_much_is_closed_where_the_zone_says_so() {
    let stage = Stage::new();
    let options = TunnelOptions {
        to_client: Rates {
            messages_per_s: None,
            bytes_per_s: Some(1000.0),
        },
        over_rate: OverRate::Close,
        ..TunnelOptions::default()
    };
    let (mut client, mut origin) = opened(&stage, options);
    let within = b"\x82\x03yes";
    origin
        .write_all(&[within, b"\x82\x7e\x08\x00".as_slice(), &[7; 2048]].concat())
        .unwrap();
    // Nothing passes of the frame that is too much, so the client can be told too.
    let (before, code, _) = closed_by_edge(&mut client, |client| client.write_all(&close(1001, Some([1; 4]))));
    assert_eq!((&before[..], code), (within.as_slice(), Some(1001)));
    let (_, code, reason) = closed_by_edge(&mut origin, |origin| origin.write_all(&close(1008, None)));
    assert_eq!(code, Some(1008));
    assert_eq!(reason, "rate_exceeded: more than 1000 bytes in a second");
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"rate_exceeded".into(), &"origin".into())
    );
}

#[test]
fn each_limit_of_time_ends_with_a_close_to_both_and_its_reason() {
    let limit = Some(Duration::from_millis(200));
    let off = TunnelOptions::default;
    let idle = TunnelOptions {
        idle_timeout: limit,
        ..off()
    };
    let aging = TunnelOptions {
        max_age: limit,
        ..off()
    };
    for (why, options) in [("idle_timeout", idle), ("max_age", aging)] {
        let stage = Stage::new();
        let (mut client, mut origin) = opened(&stage, options);
        let (_, code, reason) = closed_by_edge(&mut client, |client| client.write_all(&close(1001, Some([1; 4]))));
        assert_eq!(code, Some(1001));
        assert!(reason.starts_with(&format!("{why}: ")), "{reason}");
        let (_, code, _) = closed_by_edge(&mut origin, |origin| origin.write_all(&close(1001, None)));
        assert_eq!(code, Some(1001));
        let record = stage.record();
        assert_eq!((&record["closed_by"], &record["why"]), (&"edge".into(), &why.into()));
    }
}

#[test]
fn a_frame_that_is_not_continued_ends_it_and_its_sender_is_told() {
    let stage = Stage::new();
    let options = TunnelOptions {
        read_stall_timeout: Some(Duration::from_millis(200)),
        ..TunnelOptions::default()
    };
    let (mut client, mut origin) = opened(&stage, options);
    client.write_all(b"\x82\x85\0\0\0\0ab").unwrap();
    assert_eq!(rest(&mut origin), b"\x82\x85\0\0\0\0ab");
    let (code, reason) = {
        let head = read(&mut client, 2);
        let rest = read(&mut client, usize::from(head[1]));
        let mut walker = Walker::new();
        walker.walk(&[head, rest].concat());
        let close = walker.close().unwrap();
        (close.code(), close.reason())
    };
    assert_eq!(code, Some(1001));
    assert!(reason.starts_with("read_stalled: "), "{reason}");
    drop((client, origin));
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"read_stalled".into(), &"client".into())
    );
}

#[test]
fn a_side_that_takes_nothing_ends_it_and_the_other_is_told() {
    let stage = Stage::with(Limits {
        linger: Duration::from_millis(300),
        ..Limits::default()
    });
    let options = TunnelOptions {
        write_stall_timeout: Some(Duration::from_millis(200)),
        ..TunnelOptions::default()
    };
    let (_client, mut origin) = opened(&stage, options);
    flood(&mut origin, &flood_of(false));
    let mut walker = Walker::new();
    walker.walk(&rest(&mut origin));
    let close = walker.close().unwrap();
    assert_eq!(close.code(), Some(1001));
    assert!(close.reason().starts_with("write_stalled: "), "{}", close.reason());
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"write_stalled".into(), &"client".into())
    );
}

#[test]
fn a_side_that_reads_all_the_time_but_slowly_is_neither_stalled_nor_dead() {
    let patience = Duration::from_secs(1);
    let stage = Stage::with(Limits {
        linger: patience,
        ..Limits::default()
    });
    let options = TunnelOptions {
        keepalive: Some(Keepalive {
            interval: patience / 2,
            misses: 2,
        }),
        write_stall_timeout: Some(patience),
        ..TunnelOptions::default()
    };
    let (mut client, mut origin) = opened(&stage, options);
    let far = socket2::SockRef::from(&client);
    far.set_recv_buffer_size(32 * 1024).unwrap();
    origin.set_write_timeout(Some(patience * 4)).unwrap();
    let flood = std::thread::spawn(move || {
        let messages = flood_of(false);
        while origin.write_all(&messages).is_ok() {}
        origin
    });
    // As fast as a slow line: 200 KB a second, four times as long as may be waited.
    let mut buffer = [0; 4096];
    let (begun, mut taken) = (Instant::now(), 0_u32);
    while begun.elapsed() < patience * 4 {
        let due = begun + Duration::from_micros(5) * taken;
        if let Some(early) = due.checked_duration_since(Instant::now()) {
            std::thread::park_timeout(early);
        }
        let read = client.read(&mut buffer).expect("still open");
        assert_ne!(read, 0, "closed after {:?} and {taken} bytes", begun.elapsed());
        taken += u32::try_from(read).unwrap();
    }
    drop(client);
    drop(flood.join().unwrap());
    let record = stage.record();
    assert_eq!(record["closed_by"], "client", "{record}");
}

#[test]
fn what_a_zone_asks_still_holds_when_one_side_has_begun_to_end_it() {
    let limit = Duration::from_millis(300);
    let options = TunnelOptions {
        max_age: Some(limit),
        ..TunnelOptions::default()
    };
    for says_close in [true, false] {
        let stage = Stage::with(Limits {
            linger: limit,
            ..Limits::default()
        });
        let (mut client, mut origin) = opened(&stage, options.clone());
        if says_close {
            client.write_all(&close(1000, Some([1; 4]))).unwrap();
        } else {
            client.shutdown(Shutdown::Write).unwrap();
        }
        // The origin heeds neither, and goes on.
        let begun = Instant::now();
        while origin.write_all(b"\x81\x02hi").is_ok() {
            assert!(begun.elapsed() < PATIENCE, "open for as long as the origin likes");
            std::thread::park_timeout(Duration::from_millis(5));
        }
        let (_, code, reason) = rest_and_close(&mut client);
        assert_eq!(code, Some(1001));
        assert!(reason.starts_with("max_age: "), "{reason}");
        let why = if says_close { "close_frame" } else { "end_of_stream" };
        let record = stage.record();
        assert_eq!((&record["closed_by"], &record["why"]), (&"client".into(), &why.into()));
    }
}

#[test]
fn what_comes_behind_a_close_is_held_to_no_limit_and_goes_nowhere() {
    for at_once in [true, false] {
        let stage = Stage::new();
        let options = TunnelOptions {
            max_message_bytes: NonZeroU64::new(8),
            ..TunnelOptions::default()
        };
        let (mut client, mut origin) = opened(&stage, options);
        let (said, too_big) = (close(1000, Some([1; 4])), b"\x82\x89\0\0\0\0nine byte");
        if at_once {
            client.write_all(&[&said[..], too_big].concat()).unwrap();
            assert_eq!(read(&mut origin, said.len()), said);
        } else {
            client.write_all(&said).unwrap();
            assert_eq!(read(&mut origin, said.len()), said);
            client.write_all(too_big).unwrap();
        }
        // The origin still says what it was about to.
        origin
            .write_all(&[b"\x81\x02hi", &close(1000, None)[..]].concat())
            .unwrap();
        assert_eq!(read(&mut client, 8), [b"\x81\x02hi", &close(1000, None)[..]].concat());
        drop(client);
        assert_eq!(rest(&mut origin), b"", "nothing behind the Close");
        drop(origin);
        let record = stage.record();
        assert_eq!(
            (&record["why"], &record["edge_close_code"]),
            (&"close_frame".into(), &serde_json::Value::Null)
        );
    }
}

#[test]
fn a_client_that_has_gone_does_not_stay_for_as_long_as_its_rate_holds_it_back() {
    let stage = Stage::with(Limits {
        linger: INTERVAL,
        ..Limits::default()
    });
    let options = TunnelOptions {
        to_origin: Rates {
            messages_per_s: Some(1.0),
            bytes_per_s: None,
        },
        ..keepalive()
    };
    let (mut client, _origin) = opened(&stage, options);
    // Hours of messages, and nobody who waits for them.
    client.write_all(&b"\x82\x80\0\0\0\0".repeat(9000)).unwrap();
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"client".into(), &"transport_error".into()),
        "{record}"
    );
}

#[test]
fn nobody_looks_at_frames_where_nothing_is_limited() {
    // What a look would hold back passes at once: half a header.
    let stage = Stage::new();
    let (mut client, mut origin) = opened(&stage, TunnelOptions::default());
    client.write_all(b"\x8a").unwrap();
    assert_eq!(read(&mut origin, 1), b"\x8a");
    let mut walker = Walker::new();
    assert_eq!(walker.look(b"\x8a", None), (1, Sight::Held));
}
