use super::*;

fn link(now: Instant) -> Link {
    Link::new(
        "chat".into(),
        Path::new("/nowhere/channel.sock").into(),
        Arc::default(),
        UNBOUND,
        now,
    )
}

#[test]
fn a_hello_says_who_connects() {
    let hello = hello(200);
    let edge = format!("{:08x}", instance());
    let expected = [
        b"\x84\xa7version\x01\xa4edge\xa8",
        edge.as_bytes(),
        b"\xa4loop\xcc\xc8\xa3pid\xce",
        &std::process::id().to_be_bytes(),
    ]
    .concat();
    assert_eq!(hello, expected);
}

#[test]
fn a_process_of_our_version_is_known() {
    assert!(speaks_our_version(b"\x82\xa6script\xa4chat\xa7version\x01"));
    for other in [&b"\x81\xa7version\x02"[..], b"\x81\xa7versiom\x01", b""] {
        assert!(!speaks_our_version(other));
    }
}

#[test]
fn it_is_tried_again_later_and_later() {
    let now = Instant::now();
    let mut link = link(now);
    assert_eq!((link.due(), link.look(now)), (Some(now), Wants::Connection));
    let pauses: Vec<u128> = (0..7)
        .map(|_| {
            link.retry_later(now);
            (link.due().unwrap() - now).as_millis()
        })
        .collect();
    assert_eq!(pauses, [0, 10, 50, 250, 1000, 1000, 1000]);
    assert_eq!(link.look(now), Wants::Nothing);
    link.leaves();
    link.retry_later(now);
    assert_eq!(link.look(now), Wants::Connection);
}

#[test]
fn silence_matters_to_sessions_alone_and_ends_with_a_hello() {
    let now = Instant::now();
    let mut link = link(now);
    link.retry_at = None;
    assert_eq!((link.due(), link.look(now + SILENCE)), (None, Wants::Nothing));
    link.sessions = 1;
    assert_eq!(link.due(), Some(now + SILENCE));
    assert_eq!(link.look(now + SILENCE), Wants::Abandonment);
    assert_eq!(link.look(now + SILENCE), Wants::Nothing, "once");
    link.greeted();
    assert_eq!(link.due(), None);
}

#[test]
fn a_close_of_a_client_waits_for_its_answer_so_long_and_whichever_process_there_is() {
    let now = Instant::now();
    let mut link = link(now);
    link.answers_later(7, now);
    link.answers_later(8, now + ANSWER);
    link.disconnect(now);
    (link.retry_at, link.silent_since) = (None, None);
    assert_eq!((link.due(), link.look(now)), (Some(now + ANSWER), Wants::Nothing));
    assert_eq!(link.look(now + ANSWER), Wants::Answers);
    assert_eq!(link.take_unanswered(now + ANSWER), Some(7));
    assert_eq!(link.take_unanswered(now + ANSWER), None);
    assert_eq!(link.due(), Some(now + 2 * ANSWER));
}

#[test]
fn a_process_that_takes_all_at_once_gets_a_part_of_it_in_a_round() {
    let path = std::env::temp_dir().join(format!("holdfast-link-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (now, poll) = (Instant::now(), mio::Poll::new().unwrap());
    let mut link = Link::new("chat".into(), path.as_path().into(), Arc::default(), UNBOUND, now);
    assert!(link.connect(poll.registry(), Token(1), 0, now));
    std::fs::remove_file(&path).unwrap();
    let reading = std::thread::spawn(move || {
        let mut all = Vec::new();
        listener.accept().unwrap().0.read_to_end(&mut all).unwrap();
        all.len()
    });
    let most = 8 * MAX_WRITTEN_BYTES;
    link.out.push(&vec![0; most]);
    let len = link.out.len();
    let mut left = len;
    while left > 0 {
        link.writable();
        link.flush(now);
        assert!(left - link.out.len() <= MAX_WRITTEN_BYTES);
        left = link.out.len();
    }
    assert!(!link.has_more());
    link.disconnect(now);
    assert_eq!(reading.join().unwrap(), len);
}

#[test]
fn the_kernel_tells_of_room_while_something_waits_for_it_and_not_with_each_read_of_the_process() {
    let path = std::env::temp_dir().join(format!("holdfast-link-room-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (now, mut poll) = (Instant::now(), mio::Poll::new().unwrap());
    let mut link = Link::new("chat".into(), path.as_path().into(), Arc::default(), UNBOUND, now);
    assert!(link.connect(poll.registry(), Token(1), 0, now));
    std::fs::remove_file(&path).unwrap();
    let mut process = listener.accept().unwrap().0;
    let told = |poll: &mut mio::Poll| {
        let mut events = mio::Events::with_capacity(8);
        poll.poll(&mut events, Some(Duration::ZERO)).unwrap();
        events.iter().any(mio::event::Event::is_writable)
    };
    let step = |link: &mut Link, poll: &mut mio::Poll, process: &mut std::os::unix::net::UnixStream| {
        link.flush(now);
        link.watch(poll.registry(), Token(1)).unwrap();
        assert!(process.read(&mut vec![0; MAX_WRITTEN_BYTES]).unwrap() > 0);
        told(poll)
    };
    assert!(!step(&mut link, &mut poll, &mut process), "all of it was taken");
    link.out.push(&vec![0; 4 * MAX_WRITTEN_BYTES]);
    assert!(step(&mut link, &mut poll, &mut process), "the rest waits for room");
    while !link.out.is_empty() {
        link.writable();
        step(&mut link, &mut poll, &mut process);
    }
    link.writable();
    link.out.push(&[0; 9]);
    link.flush(now);
    link.watch(poll.registry(), Token(1)).unwrap();
    assert!(!step(&mut link, &mut poll, &mut process), "nothing waits any more");
}

#[test]
fn a_read_that_brings_less_than_it_might_is_the_last_unless_the_end_was_announced() {
    let path = std::env::temp_dir().join(format!("holdfast-link-short-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (now, poll) = (Instant::now(), mio::Poll::new().unwrap());
    let mut link = Link::new("chat".into(), path.as_path().into(), Arc::default(), UNBOUND, now);
    assert!(link.connect(poll.registry(), Token(1), 0, now));
    std::fs::remove_file(&path).unwrap();
    let mut process = listener.accept().unwrap().0;
    let mut into = [0; 8];
    for (said, ends, goes_on) in [(8, false, true), (3, false, false), (3, true, true)] {
        process.write_all(&vec![1; said]).unwrap();
        link.readable(ends);
        assert_eq!(link.read(&mut into), Received::Bytes(said));
        assert_eq!(link.is_readable, goes_on, "{said} bytes, ends: {ends}");
    }
    drop(process);
    assert_eq!(link.read(&mut into), Received::End);
}
