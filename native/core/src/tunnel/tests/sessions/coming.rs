//! Sessions whose clients wait for their 101, and what becomes of both where the process, or the client, goes.

use super::*;

const GREETING: &[u8] = b"HTTP/1.1 101 x\r\n\r\n";

fn greeted(new: &mut NewTunnel) {
    new.greeting = GREETING.to_vec();
}

/// A session that has been bound and whose client has not come yet.
fn bound(stage: &Stage, script: &Script, flags: u8) -> (Process, Coming, u64) {
    let mut coming = stage.tunnels.expect(script.terms("a"));
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, flags, b"state");
    assert!(coming.wait());
    (process, coming, sid)
}

/// Its client comes.
fn join(stage: &Stage, coming: Coming) -> TcpStream {
    let (client, _) = stage.open(|new| {
        greeted(new);
        new.far = Far::Session(coming);
    });
    client
}

/// The 101 is the first that a client gets.
fn is_welcome(client: &mut TcpStream) {
    assert_eq!(read(client, GREETING.len()), GREETING);
}

#[test]
fn a_client_hears_nothing_before_its_session_has_an_owner() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut client = script.open(&stage, "a", greeted);
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.say(to_edge::TEXT, sid, b"ahead");
    client.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
    let error = client.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    process.bind(sid, HIBERNATABLE, b"");
    process.say(to_edge::TEXT, sid, b"behind");
    is_welcome(&mut client);
    let heard = [frame(&mut client), frame(&mut client)];
    assert_eq!(heard, [(0x81, b"ahead".to_vec()), (0x81, b"behind".to_vec())]);
}

#[test]
fn what_is_said_to_a_session_between_its_binding_and_its_client_waits_for_it_in_order() {
    let (stage, script) = (Stage::new(), Script::new());
    let (mut process, coming, sid) = bound(&stage, &script, HIBERNATABLE);
    process.say(to_edge::TEXT, sid, b"one");
    let many = [
        &1_u32.to_le_bytes()[..],
        &sid.to_le_bytes(),
        &0_u32.to_le_bytes(),
        b"to all",
    ];
    process.say(to_edge::MANY, 0, &many.concat());
    process.say(to_edge::CLOSE, sid, &4001_u16.to_le_bytes());
    // It has been heard when something behind it has been.
    process.say(to_edge::ADOPT, 0, b"");
    process.expect(from_edge::ADOPT_FAILED);
    let mut client = join(&stage, coming);
    is_welcome(&mut client);
    assert_eq!(frame(&mut client), (0x81, b"one".to_vec()));
    assert_eq!(frame(&mut client), (0x81, b"to all".to_vec()));
    assert_eq!(close_frame(&mut client).0, 4001);
}

#[test]
fn a_process_that_ends_before_it_has_taken_a_session_leaves_none() {
    for ends_with_bye in [false, true] {
        let (stage, script) = (Stage::new(), Script::new());
        let mut client = script.open(&stage, "a", greeted);
        let mut process = script.ready_process();
        process.opened("a");
        if ends_with_bye {
            process.say(to_edge::BYE, 0, b"");
        }
        drop(process);
        assert_eq!(rest(&mut client), b"", "no 101, and no Close");
        // Nobody tells the next process of it.
        let mut other = script.open(&stage, "b", greeted);
        let mut next = script.ready_process();
        let sid = next.opened("b");
        next.bind(sid, STANDARD, b"");
        is_welcome(&mut other);
    }
}

#[test]
fn a_process_that_does_not_know_a_session_refuses_its_client() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut client = script.open(&stage, "a", greeted);
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.say(to_edge::UNKNOWN, sid, b"");
    assert_eq!(rest(&mut client), b"");
    // It is too late now, and harms nobody.
    process.bind(sid, HIBERNATABLE, b"");
    assert_eq!(stage.tunnels.statistics().open.load(Ordering::Relaxed), 0);
}

#[test]
fn a_session_that_is_bound_outlives_its_process_before_its_client_has_come() {
    let (stage, script) = (Stage::new(), Script::new());
    let (mut process, coming, sid) = bound(&stage, &script, HIBERNATABLE);
    process.say(to_edge::TEXT, sid, b"last words");
    drop(process);
    let mut next = script.process();
    assert_eq!(next.resumed(sid), (1, 10, b"state".to_vec()));
    next.expect(from_edge::READY);
    next.say(to_edge::TEXT, sid, b"here");
    let mut client = join(&stage, coming);
    is_welcome(&mut client);
    assert_eq!(frame(&mut client), (0x81, b"last words".to_vec()));
    assert_eq!(frame(&mut client), (0x81, b"here".to_vec()));
    client.write_all(&masked(0x81, b"hello")).unwrap();
    assert_eq!(next.message(), (1, b"hello".to_vec()));
}

#[test]
fn what_ends_between_its_binding_and_its_client_is_told_to_that() {
    type Ends = fn(&Script, Process, u64) -> Option<Process>;
    let gone: Ends = |_, process, _| {
        drop(process);
        None
    };
    let unknown: Ends = |script, process, sid| {
        drop(process);
        let mut next = script.process();
        next.resumed(sid);
        next.expect(from_edge::READY);
        next.say(to_edge::UNKNOWN, sid, b"");
        next.say(to_edge::ADOPT, 0, b"");
        next.expect(from_edge::ADOPT_FAILED);
        Some(next)
    };
    let cases = [
        (STANDARD, gone, "worker_restarted: the script's process has ended"),
        (
            HIBERNATABLE,
            unknown,
            "worker_restarted: the script has started again without it",
        ),
    ];
    for (flags, ends, reason) in cases {
        let (stage, script) = (Stage::new(), Script::new());
        let (mut process, coming, sid) = bound(&stage, &script, flags);
        process.say(to_edge::TEXT, sid, b"last words");
        let process = ends(&script, process, sid);
        if process.is_none() {
            // The loop has seen its end when it has come again.
            script.ready_process();
        }
        let mut client = join(&stage, coming);
        is_welcome(&mut client);
        assert_eq!(frame(&mut client), (0x81, b"last words".to_vec()));
        assert_eq!(close_frame(&mut client), (1012, reason.into()));
        drop(client);
        assert_eq!(stage.record()["why"], "worker_restarted");
    }
}

#[test]
fn a_client_that_goes_while_it_waits_is_told_to_the_process_whether_that_has_taken_it_or_not() {
    let gone = (
        1006,
        false,
        "WebSocket disconnected without sending Close frame.".to_owned(),
    );
    for is_bound in [false, true] {
        let (stage, script) = (Stage::new(), Script::new());
        let (mut process, coming, sid) = if is_bound {
            bound(&stage, &script, HIBERNATABLE)
        } else {
            let coming = stage.tunnels.expect(script.terms("a"));
            let mut process = script.ready_process();
            let sid = process.opened("a");
            (process, coming, sid)
        };
        drop(coming);
        let (head, payload) = process.expect(from_edge::CLOSED);
        assert_eq!((head.sid, head.seq, closed(&payload)), (sid, 1, gone.clone()));
        process.bind(sid, HIBERNATABLE, b"");
        process.acknowledge(sid, 1);
        process.say(to_edge::ADOPT, 0, b"");
        process.expect(from_edge::ADOPT_FAILED);
        let sessions = || stage.tunnels.statistics().sessions.load(Ordering::Relaxed);
        let since = Instant::now();
        while sessions() > 0 && since.elapsed() < PATIENCE {
            std::thread::yield_now();
        }
        assert_eq!(sessions(), 0, "nothing is left of it");
    }
}

#[test]
fn a_client_that_goes_before_there_is_a_connection_is_told_to_the_process_that_knows_it() {
    let (stage, script) = (Stage::new(), Script::new());
    std::fs::remove_file(&script.path).unwrap();
    drop(stage.tunnels.expect(script.terms("a")));
    let listener = UnixListener::bind(&script.path).unwrap();
    let script = Script {
        path: script.path.clone(),
        listener,
    };
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    assert_eq!(closed(&process.expect(from_edge::CLOSED).1).0, 1006);
}

#[test]
fn a_loop_that_ends_leaves_nobody_waiting() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut coming = stage.tunnels.expect(script.terms("a"));
    script.ready_process().opened("a");
    drop(stage);
    assert!(!coming.wait());
}

#[test]
fn an_edge_that_stops_closes_who_comes_late() {
    let (stage, script) = (Stage::new(), Script::new());
    let (mut process, coming, sid) = bound(&stage, &script, HIBERNATABLE);
    process.say(to_edge::TEXT, sid, b"welcome");
    process.say(to_edge::ADOPT, 0, b"");
    process.expect(from_edge::ADOPT_FAILED);
    stage.tunnels.close_all("the edge stops", Instant::now() + PATIENCE);
    let mut client = join(&stage, coming);
    is_welcome(&mut client);
    assert_eq!(frame(&mut client), (0x81, b"welcome".to_vec()));
    assert_eq!(close_frame(&mut client).0, 1001);
    assert_eq!(closed(&process.expect(from_edge::CLOSED).1).0, 1001);
}
