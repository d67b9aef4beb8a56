//! Sessions over a real loop: the test is the client, and the script's process at the other end of the channel.

mod closing;
mod coming;
mod delivery;
mod hostile;

use std::os::unix::net::UnixListener;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::sessions::records::{Head, from_edge, number, to_edge};
use crate::sessions::{SessionTerms, instance};

/// Flags of a BIND: hibernatable, and Closes are answered.
const HIBERNATABLE: u8 = 3;
const STANDARD: u8 = 2;

type Record = (Head, Vec<u8>);

/// Where a script's process listens.
struct Script {
    path: PathBuf,
    listener: UnixListener,
}

impl Script {
    fn new() -> Self {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("holdfast-{}-{number}.sock", std::process::id()));
        let listener = UnixListener::bind(&path).unwrap();
        Self { path, listener }
    }

    fn terms(&self, ticket: &str) -> SessionTerms {
        SessionTerms {
            ticket: ticket.into(),
            channel: self.path.as_path().into(),
            script: "chat".into(),
            is_compressed: false,
        }
    }

    /// Has a session opened as soon as it is bound; the client's end comes back.
    fn open(&self, stage: &Stage, ticket: &str, change: impl FnOnce(&mut NewTunnel)) -> TcpStream {
        opening(stage, self.terms(ticket), change)
    }

    /// The next process that is there: it says who it is, and hears the edge's HELLO.
    fn process(&self) -> Process {
        let mut process = self.silent_process();
        process.say(to_edge::HELLO, 0, b"\x81\xa7version\x01");
        let (hello, payload) = process.hear();
        assert_eq!(hello.kind, from_edge::HELLO);
        let edge = format!("{:08x}", instance());
        assert!(payload.windows(8).any(|window| window == edge.as_bytes()));
        process
    }

    fn silent_process(&self) -> Process {
        let (stream, _) = self.listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        Process(stream)
    }

    /// A process that has heard that there are no sessions of before.
    fn ready_process(&self) -> Process {
        let mut process = self.process();
        assert_eq!(process.hear().0.kind, from_edge::READY);
        process
    }
}

/// Waits for a session on a thread of its own, as a client does in the runtime. Where it is not taken, the client's end is closed.
fn opening(stage: &Stage, terms: SessionTerms, change: impl FnOnce(&mut NewTunnel)) -> TcpStream {
    let (mut new, (client, _origin)) = new_tunnel();
    change(&mut new);
    let (mut coming, tunnels) = (stage.tunnels.expect(terms), stage.tunnels.clone());
    std::thread::spawn(move || {
        if coming.wait() {
            new.far = Far::Session(coming);
            tunnels.open(new);
        }
    });
    client
}

impl Drop for Script {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
    }
}

/// One connection of a script's process.
struct Process(StdUnix);

impl Process {
    fn say_all(&mut self, head: Head, payload: &[u8]) {
        let mut record = Vec::new();
        head.write(payload, &mut record);
        self.0.write_all(&record).unwrap();
    }

    fn say(&mut self, kind: u8, sid: u64, payload: &[u8]) {
        self.say_all(Head::of(kind, sid), payload);
    }

    fn bind(&mut self, sid: u64, flags: u8, state: &[u8]) {
        let payload = [&7_u64.to_le_bytes()[..], state].concat();
        let head = Head {
            flags,
            ..Head::of(to_edge::BIND, sid)
        };
        self.say_all(head, &payload);
    }

    fn acknowledge(&mut self, sid: u64, seq: u32) {
        let head = Head {
            seq,
            ..Head::of(to_edge::ACK, sid)
        };
        self.say_all(head, b"");
    }

    /// The next record, but figures, which come when they come.
    fn hear(&mut self) -> Record {
        loop {
            let (head, payload) = self.hear_any();
            if head.kind != from_edge::BACKLOG {
                return (head, payload);
            }
        }
    }

    /// The next figures: how much has been taken, and how much of that waits.
    fn figures(&mut self) -> (u64, u64, u64) {
        let (head, payload) = self.hear_any();
        assert_eq!(head.kind, from_edge::BACKLOG);
        (head.sid, number(&payload[..8]), number(&payload[8..]))
    }

    fn hear_any(&mut self) -> Record {
        let header = read(&mut self.0, 20);
        let (head, len) = Head::read(&header).unwrap();
        (head, read(&mut self.0, len))
    }

    /// The next record, which is of this kind.
    fn expect(&mut self, kind: u8) -> Record {
        let (head, payload) = self.hear();
        assert_eq!(head.kind, kind, "{head:?} {payload:?}");
        (head, payload)
    }

    /// A session that was there before: the number of its next event, what was taken of its sends, and its state.
    fn resumed(&mut self, sid: u64) -> (u32, u64, Vec<u8>) {
        let (head, payload) = self.expect(from_edge::RESUMED);
        assert_eq!((head.sid, head.flags), (sid, 1));
        (head.seq, number(&payload[..8]), payload[12..].to_vec())
    }

    /// The next event of a session, which is a message.
    fn message(&mut self) -> (u32, Vec<u8>) {
        let (head, payload) = self.hear();
        assert!(matches!(head.kind, from_edge::TEXT | from_edge::BINARY), "{head:?}");
        (head.seq, payload)
    }

    /// A session that has opened under this ticket.
    fn opened(&mut self, ticket: &str) -> u64 {
        let (head, payload) = self.expect(from_edge::OPENED);
        assert_eq!(payload, ticket.as_bytes());
        head.sid
    }
}

/// A session that is bound, and its client.
fn bound(stage: &Stage, script: &Script, process: &mut Process, ticket: &str, flags: u8) -> (TcpStream, u64) {
    let client = script.open(stage, ticket, |_| {});
    let sid = process.opened(ticket);
    process.bind(sid, flags, ticket.as_bytes());
    (client, sid)
}

/// A stage with a script and a process that has one session.
fn begun(flags: u8) -> (Stage, Script, Process, TcpStream, u64) {
    let (stage, script) = (Stage::new(), Script::new());
    let client = script.open(&stage, "a", |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, flags, b"state");
    (stage, script, process, client, sid)
}

/// A frame of a client's; the mask is not zero.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let mut frame = vec![first];
    match payload.len() {
        len @ 0..126 => frame.push(0x80 | u8::try_from(len).unwrap()),
        len @ 126..65536 => {
            frame.push(0x80 | 0x7e);
            frame.extend(u16::try_from(len).unwrap().to_be_bytes());
        }
        len => {
            frame.push(0x80 | 0x7f);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend(mask);
    frame.extend(payload.iter().enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
    frame
}

/// The next frame of the edge's: its first byte and its payload.
fn frame(from: &mut impl Read) -> (u8, Vec<u8>) {
    let head = read(from, 2);
    let len = match head[1] {
        126 => u64::from(u16::from_be_bytes(read(from, 2).try_into().unwrap())),
        127 => u64::from_be_bytes(read(from, 8).try_into().unwrap()),
        len => u64::from(len),
    };
    (head[0], read(from, usize::try_from(len).unwrap()))
}

fn closed(payload: &[u8]) -> (u16, bool, String) {
    let code = u16::from_le_bytes([payload[0], payload[1]]);
    (code, payload[2] == 1, String::from_utf8(payload[3..].to_vec()).unwrap())
}

/// The next frame of the edge's, which is a Close: its code and its reason.
fn close_frame(from: &mut impl Read) -> (u16, String) {
    let frame = frame(from);
    assert_eq!(frame.0, 0x88, "{frame:?}");
    let code = u16::from_be_bytes([frame.1[0], frame.1[1]]);
    (code, String::from_utf8(frame.1[2..].to_vec()).unwrap())
}

#[test]
fn messages_go_both_ways_and_the_close_is_answered() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut client = script.open(&stage, "ticket", |new| {
        new.greeting = b"HTTP/1.1 101 x\r\n\r\n".to_vec();
        new.client.early = masked(0x81, b"early");
    });
    let mut process = script.ready_process();
    let sid = process.opened("ticket");
    assert_eq!(sid >> 32, u64::from(instance()));
    process.bind(sid, HIBERNATABLE, b"state");
    assert_eq!(
        process.expect(from_edge::TEXT),
        (
            Head {
                seq: 1,
                ..Head::of(from_edge::TEXT, sid)
            },
            b"early".to_vec()
        )
    );
    process.say(to_edge::TEXT, sid, b"hello");
    assert_eq!(read(&mut client, 18), b"HTTP/1.1 101 x\r\n\r\n");
    assert_eq!(frame(&mut client), (0x81, b"hello".to_vec()));
    client.write_all(&masked(0x02, b"two ")).unwrap();
    client.write_all(&masked(0x89, b"ping")).unwrap();
    assert_eq!(frame(&mut client), (0x8a, b"ping".to_vec()));
    client.write_all(&masked(0x80, b"parts")).unwrap();
    let (head, payload) = process.expect(from_edge::BINARY);
    assert_eq!((head.seq, &payload[..]), (2, &b"two parts"[..]));
    process.say(to_edge::BINARY, sid, &vec![9; 70_000]);
    assert_eq!(frame(&mut client), (0x82, vec![9; 70_000]));
    client.write_all(&masked(0x88, b"\x0f\xaaenough")).unwrap();
    let (head, payload) = process.expect(from_edge::CLOSED);
    assert_eq!((head.seq, closed(&payload)), (3, (4010, true, "enough".into())));
    assert_eq!(close_frame(&mut client), (4010, "enough".to_owned()));
    assert_eq!(rest(&mut client), b"");
    process.acknowledge(sid, 3);
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"client".into(), &"close_frame".into())
    );
    assert_eq!(record["to_client"]["binary_messages"], 1);
    assert_eq!(record["to_origin"]["text_messages"], 1);
}

#[test]
fn what_the_script_closes_is_closed_by_the_worker() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut client = script.open(&stage, "a", |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, STANDARD, b"");
    process.say(to_edge::CLOSE, sid, &[&4001_u16.to_le_bytes()[..], b"bye"].concat());
    process.say(to_edge::TEXT, sid, b"nobody gets this");
    assert_eq!(close_frame(&mut client), (4001, "bye".into()));
    client.write_all(&masked(0x88, b"\x0f\xa1")).unwrap();
    assert_eq!(
        closed(&process.expect(from_edge::CLOSED).1),
        (4001, true, String::new())
    );
    assert_eq!(rest(&mut client), b"");
    drop(client);
    let record = stage.record();
    assert_eq!(
        (&record["closed_by"], &record["why"]),
        (&"worker".into(), &"close_frame".into())
    );
}

#[test]
fn a_client_that_goes_without_a_word_is_told_as_1006() {
    let (stage, script) = (Stage::new(), Script::new());
    let client = script.open(&stage, "a", |_| {});
    let mut process = script.ready_process();
    let sid = process.opened("a");
    process.bind(sid, HIBERNATABLE, b"");
    drop(client);
    let (head, payload) = process.expect(from_edge::CLOSED);
    let reason = "WebSocket disconnected without sending Close frame.".to_owned();
    assert_eq!((head.seq, closed(&payload)), (1, (1006, false, reason)));
    assert_eq!(stage.record()["closed_by"], "client");
}

#[test]
fn the_sessions_of_a_script_share_a_connection_and_are_told_apart() {
    let (stage, script) = (Stage::new(), Script::new());
    let mut clients: Vec<TcpStream> = ["a", "b", "c"].map(|ticket| script.open(&stage, ticket, |_| {})).into();
    let mut process = script.ready_process();
    let sids = ["a", "b", "c"].map(|ticket| process.opened(ticket));
    for sid in sids {
        process.bind(sid, HIBERNATABLE, b"");
    }
    let payload = [
        &3_u32.to_le_bytes()[..],
        &sids.map(u64::to_le_bytes).concat(),
        &0_u32.to_le_bytes(),
        b"to all",
    ]
    .concat();
    process.say(to_edge::MANY, 0, &payload);
    for client in &mut clients {
        assert_eq!(frame(client), (0x81, b"to all".to_vec()));
    }
    clients[1].write_all(&masked(0x81, b"of b")).unwrap();
    let (head, payload) = process.expect(from_edge::TEXT);
    assert_eq!((head.sid, &payload[..]), (sids[1], &b"of b"[..]));
    let numbers = sids.map(|sid| number(&sid.to_le_bytes()[..3]));
    assert!(numbers.is_sorted() && numbers[0] < numbers[2]);
}
