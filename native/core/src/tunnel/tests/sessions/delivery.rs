//! What a process is told when there was another before it, or none, and what waits meanwhile.

use super::*;
use crate::sessions::{Upstream, Upstreams};

fn say(client: &mut TcpStream, text: &str) {
    client.write_all(&masked(0x81, text.as_bytes())).unwrap();
}

#[test]
fn the_next_process_is_told_what_was_not_acknowledged() {
    let (_stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    for text in ["one", "two", "three"] {
        say(&mut client, text);
    }
    assert_eq!(
        [process.message().1, process.message().1],
        [b"one", b"two"].map(|text| &text[..])
    );
    process.say(to_edge::TEXT, sid, b"12345");
    process.say(to_edge::STATE, sid, b"new state");
    process.acknowledge(sid, 1);
    assert_eq!(frame(&mut client), (0x81, b"12345".to_vec()));
    // It dies without a word.
    drop(process);
    let mut next = script.process();
    assert_eq!(next.resumed(sid), (2, 5, b"new state".to_vec()));
    assert_eq!(next.expect(from_edge::READY).0.sid, 0);
    say(&mut client, "four");
    let told: Vec<_> = (0..3).map(|_| next.message()).collect();
    assert_eq!(
        told,
        [(2, b"two".to_vec()), (3, b"three".to_vec()), (4, b"four".to_vec())]
    );
    next.say(to_edge::TEXT, sid, b"here");
    assert_eq!(frame(&mut client), (0x81, b"here".to_vec()));
}

#[test]
fn a_deploy_keeps_what_can_hibernate_and_closes_the_rest() {
    let (stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let (mut standard, _) = bound(&stage, &script, &mut process, "standard", STANDARD);
    process.say(to_edge::TEXT, sid, b"last words");
    process.say(to_edge::BYE, 0, b"");
    let mut next = script.process();
    assert_eq!(next.resumed(sid), (1, 10, b"state".to_vec()));
    next.expect(from_edge::READY);
    assert_eq!(frame(&mut client), (0x81, b"last words".to_vec()));
    let reason = "worker_restarted: the script's process has ended".to_owned();
    assert_eq!(close_frame(&mut standard), (1012, reason));
    drop(standard);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"edge".into(), &"worker_restarted".into())
    );
    say(&mut client, "still here");
    assert_eq!(next.message(), (1, b"still here".to_vec()));
}

#[test]
fn a_client_that_goes_while_there_is_no_process_is_told_to_the_next() {
    let (stage, script, process, mut client, sid) = begun(HIBERNATABLE);
    // The one before is not there any more, the next not yet.
    drop(process);
    let silent = script.silent_process();
    say(&mut client, "bye");
    client.write_all(&masked(0x88, b"\x03\xe8")).unwrap();
    assert_eq!(close_frame(&mut client).0, 1000);
    drop(client);
    assert_eq!(stage.record()["closed_by"], "client");
    drop(silent);
    let mut next = script.process();
    assert_eq!(next.resumed(sid).0, 1);
    next.expect(from_edge::READY);
    assert_eq!(next.message(), (1, b"bye".to_vec()));
    assert_eq!(closed(&next.expect(from_edge::CLOSED).1), (1000, true, String::new()));
    next.acknowledge(sid, 2);
    next.say(to_edge::BYE, 0, b"");
    // Nothing is left of it, and so nothing of the channel.
    let opened = script.open(&stage, "b", |_| {});
    let mut last = script.ready_process();
    last.opened("b");
    drop(opened);
}

#[test]
fn a_close_that_is_not_answered_ends_in_time_all_the_same() {
    let (script, limits) = (Script::new(), Duration::from_millis(200));
    let stage = Stage::with(Limits {
        linger: limits,
        half_closed_silence: 10 * PATIENCE,
        ..Limits::default()
    });
    let mut client = script.open(&stage, "a", |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    process.say(to_edge::CLOSE, sid, &1000_u16.to_le_bytes());
    assert_eq!(close_frame(&mut client).0, 1000);
    assert_eq!(closed(&process.expect(from_edge::CLOSED).1).0, 1006);
    assert_eq!(rest(&mut client), b"");
    assert_eq!(stage.record()["closed_by"], "worker");
}

#[test]
fn what_there_is_of_sessions_is_counted() {
    let (stage, script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let counted = |stage: &Stage| {
        let statistics = stage.tunnels.statistics();
        let counters = [
            &statistics.sessions,
            &statistics.channels,
            &statistics.channels_opened,
            &statistics.session_bytes,
        ];
        counters.map(|counter| counter.load(Ordering::Relaxed))
    };
    say(&mut client, "four");
    process.message();
    // What it says now is heard a round after what it has heard was counted.
    process.say(to_edge::TEXT, sid, b"heard");
    assert_eq!(frame(&mut client).1, b"heard");
    assert_eq!(counted(&stage), [1, 1, 1, 24]);
    drop(process);
    let mut next = script.process();
    next.resumed(sid);
    next.expect(from_edge::READY);
    assert_eq!(next.message().0, 1);
    next.acknowledge(sid, 1);
    say(&mut client, "more");
    assert_eq!(next.message().0, 2);
    next.acknowledge(sid, 2);
    next.say(to_edge::TEXT, sid, b"done");
    assert_eq!(frame(&mut client).1, b"done");
    assert_eq!(counted(&stage)[..3], [1, 1, 2]);
}

#[test]
fn what_no_process_knows_is_closed() {
    let (stage, script, process, mut client, sid) = begun(HIBERNATABLE);
    drop(process);
    let mut next = script.process();
    next.resumed(sid);
    next.expect(from_edge::READY);
    next.say(to_edge::UNKNOWN, sid, b"");
    let reason = "worker_restarted: the script has started again without it".to_owned();
    assert_eq!(close_frame(&mut client), (1012, reason));
    drop(client);
    assert_eq!(stage.record()["why"], "worker_restarted");
}

#[test]
fn a_client_is_not_read_while_too_much_is_not_acknowledged() {
    let (_stage, _script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let message = masked(0x82, &vec![7; 60_000]);
    let taken = flood(&mut client, &message);
    assert!(taken < 60_000 * 200, "{taken} bytes were taken");
    client.set_write_timeout(Some(PATIENCE)).unwrap();
    // It goes on where it stood, in the middle of a frame perhaps.
    let rest = (message.len() - taken % message.len()) % message.len();
    let written = std::thread::spawn(move || {
        client.write_all(&message[message.len() - rest..]).unwrap();
        say(&mut client, "done");
        client
    });
    let mut seq = 0;
    loop {
        let (head, payload) = process.hear();
        assert_eq!(head.seq, seq + 1);
        seq = head.seq;
        process.acknowledge(sid, seq);
        if head.kind == from_edge::TEXT {
            assert_eq!(payload, b"done");
            break;
        }
        assert_eq!(payload, vec![7; 60_000]);
    }
    drop(written.join().unwrap());
    assert_eq!(process.expect(from_edge::CLOSED).0.seq, seq + 1);
}

#[test]
fn what_a_client_does_not_take_is_told_of() {
    let (_stage, _script, mut process, mut client, sid) = begun(HIBERNATABLE);
    process.say(to_edge::BINARY, sid, &vec![1; 8 << 20]);
    let (of, taken, waiting) = process.figures();
    assert_eq!((of, taken), (sid, 8 << 20));
    assert!(waiting > 0 && waiting <= (8 << 20) + 10, "{waiting} bytes wait");
    assert_eq!(frame(&mut client), (0x82, vec![1; 8 << 20]));
    let mut last = waiting;
    while last > 0 {
        let (_, _, now) = process.figures();
        assert!(now <= last / 2, "{now} after {last}");
        last = now;
    }
    // Of little it is told later.
    process.say(to_edge::TEXT, sid, b"little");
    assert_eq!(process.figures(), (sid, (8 << 20) + 6, 0));
}

#[test]
fn a_client_that_reads_gets_what_comes_behind_a_long_message() {
    let (_stage, _script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let long = vec![1; 20 << 20];
    let talker = std::thread::spawn(move || {
        for message in [&long[..], b"and", &long, b"so on"] {
            process.say(to_edge::BINARY, sid, message);
        }
        (process, long)
    });
    for at in 0..4 {
        let (head, payload) = frame(&mut client);
        assert_eq!((head, payload.len()), (0x82, [20 << 20, 3, 20 << 20, 5][at]));
    }
    talker.join().unwrap();
}

#[test]
fn a_client_that_takes_nothing_is_closed_at_last() {
    let (stage, _script, mut process, client, sid) = begun(HIBERNATABLE);
    let heard = std::thread::spawn(move || {
        for _ in 0..80 {
            process.say(to_edge::BINARY, sid, &vec![1; 1 << 20]);
        }
        loop {
            let (head, payload) = process.hear();
            if head.kind == from_edge::CLOSED {
                return closed(&payload);
            }
        }
    });
    assert_eq!(
        heard.join().unwrap(),
        (1013, false, "too much waits to be taken".into())
    );
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["detail"]),
        (&"write_stalled".into(), &"client".into())
    );
}

#[test]
fn texts_are_answered_by_the_edge_and_told_of_later() {
    let (_stage, _script, mut process, mut client, sid) = begun(HIBERNATABLE);
    let auto = b"\x01\x04\0\0\0pingpong";
    process.say(to_edge::AUTO, 7, auto);
    process.say(to_edge::TEXT, sid, b"set");
    assert_eq!(frame(&mut client).1, b"set");
    say(&mut client, "ping");
    assert_eq!(frame(&mut client), (0x81, b"pong".to_vec()));
    say(&mut client, "else");
    let (head, payload) = process.expect(from_edge::AUTO_ANSWERED);
    assert_eq!((head.sid, payload.len()), (sid, 8));
    assert_eq!(process.message(), (1, b"else".to_vec()));
    // With nothing else to say, it is said after a second.
    say(&mut client, "ping");
    assert_eq!(process.expect(from_edge::AUTO_ANSWERED).0.sid, sid);
}

#[test]
fn what_is_aborted_is_closed_and_tells_nothing_more() {
    let (stage, _script, mut process, mut client, sid) = begun(HIBERNATABLE);
    process.say(to_edge::ABORT, sid, &[&1011_u16.to_le_bytes()[..], b"reset"].concat());
    assert_eq!(close_frame(&mut client), (1011, "reset".into()));
    client.write_all(&masked(0x88, b"\x03\xf3")).unwrap();
    assert_eq!(rest(&mut client), b"");
    drop(client);
    assert_eq!(stage.record()["closed_by"], "worker");
    process.say(to_edge::ADOPT, 0, b"nothing waits");
    assert_eq!(
        process.hear(),
        (Head::of(from_edge::ADOPT_FAILED, 0), b"nothing waits".to_vec())
    );
}

#[test]
fn messages_are_compressed_where_that_was_agreed() {
    let (stage, script) = (Stage::new(), Script::new());
    let terms = SessionTerms {
        is_compressed: true,
        ..script.terms("a")
    };
    let mut client = opening(&stage, terms, |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    process.say(to_edge::TEXT, sid, &[b'x'; 10_000]);
    let (first, compressed) = frame(&mut client);
    assert!(first == 0xc1 && compressed.len() < 500);
    // Sent back as it came, it is the same text.
    client.write_all(&masked(0xc1, &compressed)).unwrap();
    assert_eq!(process.message(), (1, vec![b'x'; 10_000]));
}

#[test]
fn a_tunnel_s_limits_and_its_close_hold_for_a_session() {
    let (stage, script) = (Stage::new(), Script::new());
    let options = Arc::new(TunnelOptions {
        idle_timeout: Some(Duration::from_millis(300)),
        ..TunnelOptions::default()
    });
    let mut client = script.open(&stage, "a", |new| new.options = options);
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    assert_eq!(close_frame(&mut client).0, 1001);
    // The end of the stream comes behind the answer: some do not answer any more once they have seen it.
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(&masked(0x88, b"\x03\xe9")).unwrap();
    assert_eq!(rest(&mut client), b"");
    let (code, was_clean, reason) = closed(&process.expect(from_edge::CLOSED).1);
    assert_eq!(
        (code, was_clean, reason.starts_with("idle_timeout: ")),
        (1001, false, true)
    );
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["why"], &record["edge_close_code"]),
        (&"idle_timeout".into(), &1001.into())
    );
}

#[test]
fn a_zone_s_limit_of_messages_is_told_as_the_client_is() {
    let (stage, script) = (Stage::new(), Script::new());
    let options = Arc::new(TunnelOptions {
        max_message_bytes: std::num::NonZeroU64::new(10),
        ..TunnelOptions::default()
    });
    let mut client = script.open(&stage, "a", |new| new.options = options);
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    say(&mut client, "more than ten");
    assert_eq!(close_frame(&mut client).0, 1009);
    assert_eq!(closed(&process.expect(from_edge::CLOSED).1).0, 1009);
}

#[test]
fn every_session_of_a_script_is_told_to_the_next_process_in_its_order() {
    let (stage, script) = (Stage::new(), Script::new());
    let tickets: Vec<String> = (0..500).map(|number| format!("ticket-{number}")).collect();
    let mut clients: Vec<TcpStream> = tickets
        .iter()
        .map(|ticket| script.open(&stage, ticket, |_| {}))
        .collect();
    let mut process = script.ready_process();
    let sids: Vec<u64> = tickets
        .iter()
        .map(|ticket| {
            let sid = process.opened(ticket);
            process.bind(sid, HIBERNATABLE, &[b's'; 3_000]);
            sid
        })
        .collect();
    // The last one is bound when it is answered.
    process.say(to_edge::TEXT, sids[499], b"bound");
    assert_eq!(frame(&mut clients[499]).1, b"bound");
    for round in 0..3 {
        drop(process);
        for client in &mut clients {
            say(client, "hello");
        }
        process = script.process();
        for sid in &sids {
            assert_eq!(process.resumed(*sid).2.len(), 3_000);
        }
        process.expect(from_edge::READY);
        let mut told: Vec<(u64, u32)> = (0..500 * (round + 1))
            .map(|_| {
                let (head, payload) = process.hear();
                assert_eq!((head.kind, &payload[..]), (from_edge::TEXT, &b"hello"[..]));
                (head.sid, head.seq)
            })
            .collect();
        told.sort_unstable();
        let expected = sids.iter().flat_map(|sid| (1..=round + 1).map(move |seq| (*sid, seq)));
        assert!(told.into_iter().eq(expected));
    }
}

/// One upstream under one token.
struct One(Mutex<Option<Upstream>>);

impl Upstreams for One {
    fn take(&self, token: &str, script: &str) -> Option<Upstream> {
        assert_eq!((token, script), ("token", "chat"));
        self.0.lock().unwrap().take()
    }
}

/// A stage where one upstream waits; the origin's end of it.
fn adoptable(limits: Limits, script: &Script) -> (Stage, TcpStream) {
    let stage = Stage::with(limits);
    let (near, origin) = pair();
    let mut half = half(Transport::Tcp(near));
    half.early = b"\x81\x05early".to_vec();
    let upstream = Upstream {
        half,
        identity: Box::new(identity()),
        options: TunnelOptions::off(),
        is_compressed: false,
        place: Place::default(),
    };
    stage.tunnels.adopt_from(Arc::new(One(Mutex::new(Some(upstream)))));
    stage.tunnels.reach(script.path.as_path().into(), "chat".into());
    (stage, origin)
}

#[test]
fn what_a_process_has_adopted_and_does_not_take_is_closed_in_time_and_no_other_is() {
    let script = Script::new();
    let (stage, mut origin) = adoptable(
        Limits {
            unbound: Duration::from_millis(300),
            ..Limits::default()
        },
        &script,
    );
    let mut process = script.ready_process();
    let mut other = script.open(&stage, "taken", |_| {});
    let taken = process.opened("taken");
    process.bind(taken, HIBERNATABLE, b"");
    process.say(to_edge::ADOPT, 0, b"token");
    let left = process.opened("token");
    assert_eq!(read(&mut origin, 2)[0], 0x88);
    drop(origin);
    let notice = stage.record().to_string();
    assert!(notice.contains("did not take 1 sessions in time"), "{notice}");
    assert_eq!(stage.record()["why"], "worker_unresponsive");
    // It is too late now, and harms nobody.
    process.bind(left, HIBERNATABLE, b"");
    other.write_all(&masked(0x81, b"heard")).unwrap();
    let (head, payload) = process.expect(from_edge::TEXT);
    assert_eq!((head.sid, &payload[..]), (taken, &b"heard"[..]));
}

#[test]
fn an_upstream_that_waits_becomes_a_session_whose_client_is_the_script() {
    let script = Script::new();
    let (stage, mut origin) = adoptable(Limits::default(), &script);
    let mut process = script.ready_process();
    process.say(to_edge::ADOPT, 0, b"token");
    let sid = process.opened("token");
    process.bind(sid, STANDARD, b"");
    assert_eq!(process.message(), (1, b"early".to_vec()));
    process.say(to_edge::TEXT, sid, b"hello");
    let head = read(&mut origin, 2);
    assert_eq!(head, [0x81, 0x85], "what goes to an origin is masked");
    let masked = read(&mut origin, 9);
    let text: Vec<u8> = (0..5).map(|at| masked[4 + at] ^ masked[at % 4]).collect();
    assert_eq!(text, b"hello");
    process.say(to_edge::ADOPT, 0, b"token");
    assert_eq!(process.hear().0.kind, from_edge::ADOPT_FAILED);
    origin.write_all(b"\x88\x02\x03\xe8").unwrap();
    assert_eq!(closed(&process.expect(from_edge::CLOSED).1).0, 1000);
    assert_eq!(read(&mut origin, 2), [0x88, 0x82]);
    drop(origin);
    assert_eq!(stage.record()["closed_by"], "origin");
}

#[test]
fn a_hundred_processes_in_a_row_lose_nothing_and_say_nothing_twice() {
    const MESSAGES: u32 = 5_000;
    let (_stage, script, process, mut client, sid) = begun(HIBERNATABLE);
    let mut reader = client.try_clone().unwrap();
    let writing = std::thread::spawn(move || {
        for number in 1..=MESSAGES {
            // Of all lengths, so that some come in pieces, and some by themselves.
            let padding = usize::try_from(number * 7 % 97).unwrap().pow(2);
            say(&mut client, &format!("{number:08}{}", "x".repeat(padding)));
        }
        client
    });
    let mut next = Some(process);
    let (mut acknowledged, mut answers, mut taken) = (0, 0_u64, 0);
    for round in 0..100_u32 {
        let mut process = next.take().unwrap_or_else(|| {
            let mut process = script.process();
            assert_eq!(process.resumed(sid), (acknowledged + 1, taken, b"state".to_vec()));
            process.expect(from_edge::READY);
            process
        });
        // How many it hears before it dies, and how many of them it has done with.
        let heard = (round * 37) % 90;
        for number in acknowledged + 1..=(acknowledged + heard).min(MESSAGES) {
            let (seq, payload) = process.message();
            assert_eq!((seq, &payload[..8]), (number, format!("{number:08}").as_bytes()));
        }
        for _ in 0..round % 5 {
            let text = answers.to_string();
            process.say(to_edge::TEXT, sid, text.as_bytes());
            (answers, taken) = (answers + 1, taken + text.len() as u64);
        }
        let done = heard * 9 / 10;
        if done > 0 && acknowledged + done <= MESSAGES {
            acknowledged += done;
            process.acknowledge(sid, acknowledged);
        }
        if round.is_multiple_of(3) {
            process.say(to_edge::BYE, 0, b"");
        }
    }
    for number in 0..answers {
        assert_eq!(frame(&mut reader).1, number.to_string().as_bytes());
    }
    let mut last = script.process();
    last.resumed(sid);
    last.expect(from_edge::READY);
    for number in acknowledged + 1..=MESSAGES {
        let (seq, payload) = last.message();
        assert_eq!((seq, &payload[..8]), (number, format!("{number:08}").as_bytes()));
        last.acknowledge(sid, seq);
    }
    drop((writing.join().unwrap(), reader));
    assert_eq!(last.expect(from_edge::CLOSED).0.seq, MESSAGES + 1);
}
