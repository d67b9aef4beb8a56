//! Processes, and clients, that do what they should not: nobody else feels it.

use super::*;

fn one_session(stage: &Stage, script: &Script) -> (TcpStream, Process, u64) {
    let client = script.open(stage, "a", |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    (client, process, sid)
}

/// That this session still works.
fn works(client: &mut TcpStream, process: &mut Process, sid: u64) {
    client.write_all(&masked(0x81, b"are you there")).unwrap();
    let (head, payload) = process.hear();
    assert_eq!((head.sid, &payload[..]), (sid, &b"are you there"[..]));
    process.acknowledge(sid, head.seq);
    process.say(to_edge::TEXT, sid, b"yes");
    assert_eq!(frame(client), (0x81, b"yes".to_vec()));
}

#[test]
fn a_process_touches_no_sessions_of_others() {
    let (stage, script, other) = (Stage::new(), Script::new(), Script::new());
    let (mut client, mut process, sid) = one_session(&stage, &script);
    let (mut others_client, mut others_process, others_sid) = one_session(&stage, &other);
    let foreign = [
        (to_edge::TEXT, b"forged".to_vec()),
        (to_edge::CLOSE, b"\xe8\x03".to_vec()),
        (to_edge::ABORT, b"\xe8\x03".to_vec()),
        (to_edge::UNKNOWN, Vec::new()),
        (to_edge::STATE, b"forged".to_vec()),
        (to_edge::BIND, vec![0; 8]),
    ];
    for (kind, payload) in foreign {
        process.say(kind, others_sid, &payload);
    }
    process.acknowledge(others_sid, 1);
    let sids = [others_sid, 0, u64::MAX, sid];
    let many = [
        &4_u32.to_le_bytes()[..],
        &sids.map(u64::to_le_bytes).concat(),
        &0_u32.to_le_bytes(),
        b"mine",
    ];
    process.say(to_edge::MANY, 0, &many.concat());
    assert_eq!(frame(&mut client), (0x81, b"mine".to_vec()));
    works(&mut client, &mut process, sid);
    works(&mut others_client, &mut others_process, others_sid);
}

#[test]
fn nonsense_costs_a_process_its_connection_and_nothing_else() {
    let long = 40_000_000_u32.to_le_bytes();
    let record = |kind: u8, payload: &[u8]| {
        let mut record = Vec::new();
        Head::of(kind, 0).write(payload, &mut record);
        record
    };
    let cases = [
        [&long[..], &[33; 16]].concat(),
        record(to_edge::MANY, b"\xff\xff\xff\xff"),
        record(to_edge::MANY, b""),
        record(to_edge::AUTO, b"\x01\xff\xff\xff\xff"),
        b"GET / HTTP/1.1\r\nHost: example.com\r\n\r\n".repeat(3),
    ];
    let (stage, script, other) = (Stage::new(), Script::new(), Script::new());
    let (mut others_client, mut others_process, others_sid) = one_session(&stage, &other);
    let (mut client, mut process, sid) = one_session(&stage, &script);
    for nonsense in cases {
        process.0.write_all(&nonsense).unwrap();
        assert_eq!(rest(&mut process.0), b"", "it is cut off");
        let message = stage.record()["message"].clone();
        assert!(
            message.as_str().unwrap().contains("the process of the script chat"),
            "{message}"
        );
        process = script.process();
        process.resumed(sid);
        process.expect(from_edge::READY);
        works(&mut client, &mut process, sid);
    }
    // A record about a session that is not what it should be.
    process.say(to_edge::STATE, sid, &vec![0; 65 * 1024]);
    assert_eq!(rest(&mut process.0), b"");
    works(&mut others_client, &mut others_process, others_sid);
}

#[test]
fn who_does_not_speak_our_version_is_not_heard() {
    let (stage, script) = (Stage::new(), Script::new());
    let client = script.open(&stage, "a", |_| {});
    let mut process = script.silent_process();
    process.say(to_edge::HELLO, 0, b"\x81\xa7version\x02");
    rest(&mut process.0);
    let mut process = script.silent_process();
    process.say(to_edge::TEXT, 0, b"no hello");
    rest(&mut process.0);
    let mut process = script.ready_process();
    process.opened("a");
    drop(client);
}

#[test]
fn what_a_newer_process_says_is_passed_over() {
    let (stage, script) = (Stage::new(), Script::new());
    let (mut client, mut process, sid) = one_session(&stage, &script);
    for kind in [0, 1, 31, 45, 255] {
        process.say(kind, sid, b"from the future");
        process.say(kind, 0, b"");
    }
    works(&mut client, &mut process, sid);
}

#[test]
fn a_process_that_reads_nothing_holds_up_its_own_clients_alone() {
    let (stage, script, other) = (Stage::new(), Script::new(), Script::new());
    let (mut client, process, _sid) = one_session(&stage, &script);
    let (mut others_client, mut others_process, others_sid) = one_session(&stage, &other);
    let taken = flood(&mut client, &masked(0x82, &vec![7; 60_000]));
    assert!(taken < 60_000 * 200, "{taken} bytes were taken");
    works(&mut others_client, &mut others_process, others_sid);
    drop(process);
    let mut next = script.process();
    assert_eq!(next.hear().0.kind, from_edge::RESUMED);
    assert_eq!(next.hear().0.kind, from_edge::READY);
    assert_eq!(next.message().0, 1);
}

#[test]
fn what_a_client_may_not_send_ends_with_the_code_for_it() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut process = None;
    let too_long = [&[0x82, 0xff][..], &(33_u64 << 20).to_be_bytes(), &[0; 4]].concat();
    for (stream, code) in [
        (b"\x81\x01x".to_vec(), 1002),
        (masked(0x81, b"\xff"), 1007),
        (masked(0x88, b"\x03\xed"), 1002),
        (too_long, 1009),
    ] {
        let mut client = script.open(&stage, "a", |_| {});
        let process = process.get_or_insert_with(|| script.ready_process());
        let sid = process.opened("a");
        process.bind(sid, HIBERNATABLE, b"");
        client.write_all(&stream).unwrap();
        let closed_with = |process: &mut Process| {
            loop {
                let (head, payload) = process.hear();
                if head.kind == from_edge::CLOSED {
                    return closed(&payload).0;
                }
                assert_eq!((head.kind, head.sid), (from_edge::FAILED, sid));
            }
        };
        assert_eq!((close_frame(&mut client).0, closed_with(process)), (code, code));
        drop(client);
        let record = stage.record();
        let said_itself = stream[0] == 0x88;
        assert_eq!(record["closed_by"], if said_itself { "client" } else { "edge" });
        assert_eq!(record["edge_close_code"], code);
    }
}

#[test]
fn sessions_of_a_script_that_nobody_runs_wait() {
    let stage = Stage::new();
    let script = Script::new();
    // Nobody listens: the socket's name leads nowhere.
    std::fs::remove_file(&script.path).unwrap();
    let mut client = script.open(&stage, "a", |_| {});
    client.write_all(&masked(0x89, b"ping")).unwrap();
    let listener = UnixListener::bind(&script.path).unwrap();
    let script = Script {
        path: script.path.clone(),
        listener,
    };
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    assert_eq!(frame(&mut client), (0x8a, b"ping".to_vec()));
}

#[test]
fn a_close_before_anybody_has_said_whose_the_session_is_waits_for_who_answers_it() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut client = script.open(&stage, "a", |_| {});
    client.write_all(&masked(0x88, b"\x03\xe8")).unwrap();
    let mut process = script.ready_process();
    let sid = process.opened("a");
    // Hibernatable, and not to be answered for.
    process.bind(sid, 1, b"");
    assert_eq!(process.hear().0.kind, from_edge::CLOSED);
    let answer = [&4001_u16.to_le_bytes()[..], b"mine"].concat();
    process.say(to_edge::CLOSE, sid, &answer);
    assert_eq!(
        frame(&mut client),
        (0x88, [&4001_u16.to_be_bytes()[..], b"mine"].concat())
    );
}
