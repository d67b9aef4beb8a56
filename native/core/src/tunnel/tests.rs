//! A real loop over real sockets; the test holds the far ends of both legs.

mod clock;
mod messages;
mod sessions;
mod zones;

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener};
use std::os::unix::net::UnixStream as StdUnix;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime};

use super::*;
use crate::frames::{Walker, write_close};
use crate::registry::Log;

/// Every wait of a test ends after this long, and the test with it.
const PATIENCE: Duration = Duration::from_secs(10);

struct Lines(Sender<serde_json::Value>, Vec<u8>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.1.extend(bytes);
        while let Some(end) = self.1.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.1.drain(..=end).collect();
            let _ = self.0.send(serde_json::from_slice(&line).unwrap());
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

pub(super) struct Stage {
    pub(super) tunnels: TunnelLoop,
    thread: Option<JoinHandle<()>>,
    records: Mutex<Receiver<serde_json::Value>>,
}

impl Stage {
    pub(super) fn new() -> Self {
        Self::with(Limits::default())
    }

    pub(super) fn with(limits: Limits) -> Self {
        let (sender, records) = channel();
        let (log, _) = Log::start(Lines(sender, Vec::new())).unwrap();
        let (tunnels, thread) = TunnelLoop::start("tunnel-test".into(), log, Arc::default(), limits).unwrap();
        Self {
            tunnels,
            thread: Some(thread),
            records: Mutex::new(records),
        }
    }

    pub(super) fn record(&self) -> serde_json::Value {
        self.records
            .lock()
            .unwrap()
            .recv_timeout(PATIENCE)
            .expect("a record of a closed tunnel")
    }

    /// Opens a tunnel; returns the far ends: the client's and the origin's.
    pub(super) fn open(&self, change: impl FnOnce(&mut NewTunnel)) -> (TcpStream, TcpStream) {
        let (mut new, far_ends) = new_tunnel();
        change(&mut new);
        self.tunnels.open(new);
        far_ends
    }
}

/// A tunnel to be opened, and its far ends: the client's and the origin's.
pub(super) fn new_tunnel() -> (NewTunnel, (TcpStream, TcpStream)) {
    let ((client, far_client), (origin, far_origin)) = (pair(), pair());
    let new = NewTunnel {
        client: half(Transport::Tcp(client)),
        far: Far::Origin(half(Transport::Tcp(origin))),
        greeting: Vec::new(),
        identity: identity(),
        options: TunnelOptions::off(),
        place: Place::default(),
    };
    (new, (far_client, far_origin))
}

/// The same, as a loop joins it.
pub(super) fn joined(new: NewTunnel) -> super::relay::Joined {
    let Far::Origin(origin) = new.far else {
        panic!("a session has no origin")
    };
    super::relay::Joined {
        legs: [new.client, origin],
        greeting: new.greeting,
        identity: new.identity,
        options: new.options,
        place: new.place,
    }
}

/// The leg of its origin.
fn origin_of(new: &mut NewTunnel) -> &mut Half {
    match &mut new.far {
        Far::Origin(half) => half,
        Far::Session(_) => panic!("a session has no origin"),
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        self.tunnels.stop();
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

/// A connection: the edge's end, not blocking, and the test's, with a limit on every wait.
fn pair() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (near, _) = listener.accept().unwrap();
    near.set_nonblocking(true).unwrap();
    far.set_read_timeout(Some(PATIENCE)).unwrap();
    far.set_write_timeout(Some(PATIENCE)).unwrap();
    (near, far)
}

fn half(transport: Transport) -> Half {
    Half {
        transport,
        tls: None,
        early: Vec::new(),
        unsent: Vec::new(),
    }
}

fn identity() -> Identity {
    Identity {
        asked: crate::tunnel::Asked::new("0123456789abcdef-LOC", "example.com", "/", ""),
        zone: Arc::default(),
        client: "192.0.2.1:5555".parse().unwrap(),
        origin: "test".into(),
        spoken: crate::tunnel::Spoken::new(crate::http::Version::Http11, ""),
        is_compressed: false,
        opened: SystemTime::now(),
        opened_at: Instant::now(),
    }
}

fn read(from: &mut impl Read, len: usize) -> Vec<u8> {
    let mut bytes = vec![0; len];
    from.read_exact(&mut bytes).unwrap();
    bytes
}

fn rest(from: &mut impl Read) -> Vec<u8> {
    let mut bytes = Vec::new();
    from.read_to_end(&mut bytes).unwrap();
    bytes
}

fn close(code: u16, mask: Option<[u8; 4]>) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_close(&mut bytes, code, "", mask);
    bytes
}

/// What comes until the end: frames of the peer's, then the edge's Close; the code and the reason of that.
fn rest_and_close(from: &mut impl Read) -> (Vec<u8>, Option<u16>, String) {
    let bytes = rest(from);
    let mut walker = Walker::new();
    let (mut at, mut before) = (0, 0);
    while at < bytes.len() && walker.close().is_none() {
        before = at;
        at += 1;
        walker.walk(&bytes[at - 1..at]);
        while !walker.is_at_boundary() && at < bytes.len() {
            at += walker.walk_to_boundary(&bytes[at..]);
        }
    }
    assert_eq!(at, bytes.len(), "nothing comes behind a Close");
    let close = walker.close().expect("a Close");
    (bytes[..before].to_vec(), close.code(), close.reason())
}

fn close_code(bytes: &[u8]) -> Option<u16> {
    let mut walker = Walker::new();
    walker.walk(bytes);
    assert!(walker.is_at_boundary(), "cut within a frame: {bytes:?}");
    walker.close().and_then(crate::frames::Close::code)
}

const HELLO: &[u8] = b"\x81\x85\0\0\0\0hello";

#[test]
fn what_came_with_the_handshake_goes_first_behind_the_101() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|new| {
        new.greeting = b"HTTP/1.1 101 x\r\n\r\n".to_vec();
        new.client.unsent = b"<owed>".to_vec();
        new.client.early = HELLO.to_vec();
        origin_of(new).early = b"\x81\x02hi".to_vec();
    });
    origin.write_all(b"\x81\x03you").unwrap();
    let expected = b"<owed>HTTP/1.1 101 x\r\n\r\n\x81\x02hi\x81\x03you";
    assert_eq!(read(&mut client, expected.len()), expected);
    client.write_all(b"\x81\x80\0\0\0\0").unwrap();
    assert_eq!(
        read(&mut origin, HELLO.len() + 6),
        [HELLO, b"\x81\x80\0\0\0\0"].concat()
    );
}

#[test]
fn a_closing_handshake_is_recorded_with_both_codes() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    client
        .write_all(&[HELLO, &close(1000, Some([1, 2, 3, 4]))].concat())
        .unwrap();
    read(&mut origin, HELLO.len() + 8);
    origin.write_all(&close(4001, None)).unwrap();
    drop(origin);
    assert_eq!(close_code(&rest(&mut client)), Some(4001));
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"client".into(), &"close_frame".into())
    );
    assert_eq!(
        (&record["client_close_code"], &record["origin_close_code"]),
        (&1000.into(), &4001.into())
    );
    assert_eq!(record["to_origin"]["text_messages"], 1);
}

#[test]
fn whoever_is_left_gets_a_close_and_may_still_speak() {
    for client_ends in [true, false] {
        let stage = Stage::new();
        let (client, origin) = stage.open(|_| {});
        let (mut ending, mut going_on) = if client_ends {
            (client, origin)
        } else {
            (origin, client)
        };
        ending.write_all(HELLO).unwrap();
        ending.shutdown(Shutdown::Write).unwrap();
        let (before, code, reason) = rest_and_close(&mut going_on);
        assert_eq!(before, HELLO, "client_ends: {client_ends}");
        assert_eq!(code, Some(if client_ends { 1001 } else { 1014 }));
        assert!(reason.starts_with("end_of_stream: the connection to the "), "{reason}");
        going_on.write_all(b"\x81\x03and\x81\x04more").unwrap();
        drop(going_on);
        let (before, ..) = rest_and_close(&mut ending);
        assert_eq!(before, b"\x81\x03and\x81\x04more");
        drop(ending);
        let expected = if client_ends { "client" } else { "origin" };
        let record = stage.record();
        assert_eq!(
            (&record["closed_by"], &record["why"]),
            (&expected.into(), &"end_of_stream".into())
        );
    }
}

#[test]
fn an_origin_that_ends_because_its_client_did_within_a_frame_is_not_blamed() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    client.write_all(b"\x81\x85\0\0\0\0he").unwrap();
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(rest(&mut origin), b"\x81\x85\0\0\0\0he");
    drop(origin);
    let (_, code, reason) = rest_and_close(&mut client);
    assert_eq!(code, Some(1002));
    assert_eq!(
        reason,
        "end_of_stream: the connection to the client ended within a frame"
    );
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"], &record["edge_close_code"]),
        (&"client".into(), &"end_of_stream".into(), &1002.into())
    );
}

#[test]
fn a_reset_origin_gives_the_client_what_came_before_and_a_close() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    origin.write_all(b"\x81\x02hi").unwrap();
    assert_eq!(read(&mut client, 4), b"\x81\x02hi");
    socket2::SockRef::from(&origin)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(origin);
    assert_eq!(close_code(&rest(&mut client)), Some(1014));
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"origin".into(), &"transport_error".into())
    );
    assert_eq!(record["detail"], "connection reset");
}

#[test]
fn nothing_is_put_into_a_frame_that_a_reset_cut() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    origin.write_all(b"\x81\x05hel").unwrap();
    assert_eq!(read(&mut client, 5), b"\x81\x05hel");
    socket2::SockRef::from(&origin)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    drop(origin);
    assert_eq!(rest(&mut client), b"");
}

#[test]
fn a_stopping_edge_closes_both_sides_with_1001() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    client.write_all(HELLO).unwrap();
    read(&mut origin, HELLO.len());
    stage.tunnels.close_all("stopping", Instant::now() + PATIENCE);
    for far in [&mut client, &mut origin] {
        let head = read(far, 2);
        let close = [
            &head[..],
            &read(far, usize::from(head[1] & 0x7F) + usize::from(head[1] >> 7) * 4),
        ]
        .concat();
        assert_eq!(close_code(&close), Some(1001));
    }
    client.write_all(&close(1001, Some([9; 4]))).unwrap();
    origin.write_all(&close(1001, None)).unwrap();
    assert_eq!((rest(&mut client), rest(&mut origin)), (vec![], vec![]));
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"edge".into(), &"edge_stopping".into())
    );
    assert_eq!(record["edge_close_code"], 1001);
}

#[test]
fn a_close_of_the_edge_waits_for_the_end_of_the_frame() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    origin.write_all(b"\x82\x05ab").unwrap();
    assert_eq!(read(&mut client, 4), b"\x82\x05ab");
    stage.tunnels.close_all("stopping", Instant::now() + PATIENCE);
    // The origin has its Close at once: nothing is under way to it.
    assert_eq!(read(&mut origin, 2)[0], 0x88);
    origin.write_all(b"cde\x81\x04late").unwrap();
    assert_eq!(read(&mut client, 5), b"cde\x88\x19");
    assert_eq!(read(&mut client, 25), b"\x03\xe9edge_stopping: stopping");
}

#[test]
fn what_does_not_end_by_the_deadline_is_cut() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    stage
        .tunnels
        .close_all("stopping", Instant::now() + Duration::from_millis(50));
    assert_eq!(close_code(&rest(&mut client)), Some(1001));
    assert_eq!(close_code(&rest(&mut origin)), Some(1001));
    assert_eq!(stage.record()["closed_by"], "edge");
}

#[test]
fn a_stalled_reader_stops_its_writer_and_loses_nothing() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    let message = [b"\x82\x7f".as_slice(), &(1_u64 << 20).to_be_bytes(), &vec![7; 1 << 20]].concat();
    origin.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0_usize;
    // Until the sockets' own buffers are full and the edge stops reading: the write then times out.
    while let Ok(taken) = origin.write(&message[sent % message.len()..]) {
        sent += taken;
        assert!(sent < 256 << 20, "nothing stops the writer");
    }
    let mut walker = Walker::new();
    let mut got = 0;
    while got < sent {
        let mut bytes = vec![0; 1 << 16];
        let here = client.read(&mut bytes).unwrap();
        walker.walk(&bytes[..here]);
        got += here;
    }
    assert_eq!(
        (got, walker.counts().binary_messages),
        (sent, (sent / message.len()) as u64)
    );
}

#[test]
fn an_origin_on_a_unix_socket_is_relayed_alike() {
    let stage = Stage::new();
    let (near, mut origin) = StdUnix::pair().unwrap();
    near.set_nonblocking(true).unwrap();
    origin.set_read_timeout(Some(PATIENCE)).unwrap();
    let (mut client, _unused) = stage.open(|new| new.far = Far::Origin(half(Transport::Unix(near))));
    client.write_all(HELLO).unwrap();
    assert_eq!(read(&mut origin, HELLO.len()), HELLO);
    origin.write_all(b"\x81\x02ok").unwrap();
    assert_eq!(read(&mut client, 4), b"\x81\x02ok");
}

#[test]
fn what_still_runs_when_the_loop_ends_is_recorded() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    client.write_all(HELLO).unwrap();
    read(&mut origin, HELLO.len());
    stage.tunnels.stop();
    assert_eq!(stage.record()["to_origin"]["bytes"], HELLO.len());
}

#[test]
fn an_idle_tunnel_is_small() {
    // The target is 2 KiB a tunnel with all that belongs to it; what lies in the slab is nearly all of it.
    assert!(
        size_of::<relay::Tunnel>() <= 696,
        "{} bytes",
        size_of::<relay::Tunnel>()
    );
}

/// Writes until the edge reads no more; returns how many bytes it took.
fn flood(from: &mut TcpStream, frame: &[u8]) -> usize {
    from.set_write_timeout(Some(Duration::from_millis(300))).unwrap();
    let mut sent = 0_usize;
    while let Ok(taken) = from.write(&frame[sent % frame.len()..]) {
        sent += taken;
    }
    sent
}

fn flood_of(mask: bool) -> Vec<u8> {
    let (length, key) = if mask { (0xFF, vec![0; 4]) } else { (0x7F, vec![]) };
    [
        vec![0x82, length],
        (1_u64 << 20).to_be_bytes().to_vec(),
        key,
        vec![7; 1 << 20],
    ]
    .concat()
}

fn reset(far: TcpStream) {
    socket2::SockRef::from(&far).set_linger(Some(Duration::ZERO)).unwrap();
    drop(far);
}

#[test]
fn a_stalled_client_that_resets_is_told_of_as_what_it_is() {
    let stage = Stage::new();
    let (client, mut origin) = stage.open(|_| {});
    flood(&mut origin, &flood_of(false));
    reset(client);
    assert_eq!(close_code(&rest(&mut origin)), Some(1001));
    drop(origin);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"client".into(), &"transport_error".into())
    );
}

#[test]
fn a_stalled_origin_that_resets_is_told_of_as_what_it_is() {
    let stage = Stage::new();
    let (mut client, origin) = stage.open(|_| {});
    flood(&mut client, &flood_of(true));
    reset(origin);
    assert_eq!(close_code(&rest(&mut client)), Some(1014));
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"origin".into(), &"transport_error".into())
    );
}

#[test]
fn a_close_that_could_not_be_sent_is_not_recorded() {
    let stage = Stage::new();
    let (mut client, mut origin) = stage.open(|_| {});
    // Within a frame towards both: neither can get a Close.
    origin.write_all(b"\x82\x05ab").unwrap();
    read(&mut client, 4);
    client.write_all(b"\x82\x85\0\0\0\0ab").unwrap();
    read(&mut origin, 8);
    stage
        .tunnels
        .close_all("stopping", Instant::now() + Duration::from_millis(100));
    assert_eq!(stage.record()["edge_close_code"], serde_json::Value::Null);
}

#[test]
fn a_stalled_origin_does_not_keep_the_answer_of_the_client_unread() {
    let stage = Stage::new();
    let (mut client, _origin) = stage.open(|new| origin_of(new).unsent = vec![0; 32 << 20]);
    stage
        .tunnels
        .close_all("stopping", Instant::now() + Duration::from_secs(1));
    assert_eq!(close_code(&read(&mut client, 27)), Some(1001));
    client.write_all(&close(1001, Some([9; 4]))).unwrap();
    assert_eq!(rest(&mut client), b"", "ended in good order, not reset");
    assert_eq!(stage.record()["client_close_code"], 1001);
}

#[test]
fn an_end_that_came_with_the_101_is_seen() {
    let stage = Stage::new();
    let (mut session, mut peer) = crate::tls::testing::established_client(&rustls::version::TLS13);
    peer.connection.send_close_notify();
    session
        .receive(&mut peer.output(), &mut Vec::new(), &mut Vec::new())
        .unwrap();
    let (mut client, _origin) = stage.open(|new| origin_of(new).tls = Some(Box::new(session)));
    assert_eq!(close_code(&rest(&mut client)), Some(1014));
}

#[test]
fn a_leg_that_fails_or_ends_behind_a_stalled_peer_does_not_stay() {
    for (resets, why) in [(true, "transport_error"), (false, "end_of_stream")] {
        let soon = Duration::from_millis(200);
        let stage = Stage::with(Limits {
            linger: soon,
            half_closed_silence: soon,
            ..Limits::default()
        });
        // The origin takes nothing, so the client is not read either: its end must be seen all the same.
        let (mut client, _origin) = stage.open(|new| origin_of(new).unsent = vec![0; 32 << 20]);
        client.write_all(HELLO).unwrap();
        if resets {
            reset(client);
        } else {
            drop(client);
        }
        let record = stage.record();
        assert_eq!((&record["closed_by"], &record["why"]), (&"client".into(), &why.into()));
    }
}

#[test]
fn who_waits_for_the_answer_to_its_close_gets_one_at_last() {
    let silence = Duration::from_millis(200);
    let stage = Stage::with(Limits {
        linger: PATIENCE,
        half_closed_silence: silence,
        ..Limits::default()
    });
    let (mut client, mut origin) = stage.open(|_| {});
    client.write_all(&close(1000, Some([1; 4]))).unwrap();
    let (_, code, reason) = rest_and_close(&mut client);
    assert_eq!(code, Some(1001));
    assert_eq!(reason, "close_frame: the other side did not end in time");
    assert_eq!(rest(&mut origin).len(), 8, "the client's Close, and none behind it");
    assert_eq!(stage.record()["closed_by"], "client");
}

#[test]
fn a_half_closed_tunnel_may_be_silent_only_so_long() {
    let silence = Duration::from_millis(200);
    let stage = Stage::with(Limits {
        linger: PATIENCE,
        half_closed_silence: silence,
        ..Limits::default()
    });
    let (client, mut origin) = stage.open(|_| {});
    client.shutdown(Shutdown::Write).unwrap();
    assert_eq!(close_code(&rest(&mut origin)), Some(1001));
    assert_eq!(stage.record()["why"], "end_of_stream");
}
