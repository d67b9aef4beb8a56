use super::*;

fn link(now: Instant) -> Link {
    Link::new(
        "chat".into(),
        Path::new("/nowhere/channel.sock").into(),
        Arc::default(),
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
fn a_process_that_takes_all_at_once_gets_a_part_of_it_in_a_round() {
    let path = std::env::temp_dir().join(format!("holdfast-link-{}.sock", std::process::id()));
    let listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
    let (now, poll) = (Instant::now(), mio::Poll::new().unwrap());
    let mut link = Link::new("chat".into(), path.as_path().into(), Arc::default(), now);
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
