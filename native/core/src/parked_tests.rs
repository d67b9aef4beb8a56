use std::os::unix::net::UnixStream;
use std::time::{Instant, SystemTime};

use proptest::prelude::*;

use super::*;
use crate::http::testing::response_head;
use crate::tunnel::Transport;
use crate::zones::Zones;

const ANSWER: &[u8] =
    b"HTTP/1.1 101 x\r\nSec-WebSocket-Protocol: chat\r\nSec-WebSocket-Extensions: permessage-deflate; \
    server_no_context_takeover\r\n\r\n";

/// Something to park for `script`, and the origin's end of it.
pub(crate) fn upstream(script: &str) -> (Upstream, UnixStream) {
    let (near, far) = UnixStream::pair().unwrap();
    let upstream = Upstream {
        half: Half {
            transport: Transport::Unix(near),
            tls: None,
            early: b"early".to_vec(),
            unsent: Vec::new(),
        },
        answer: response_head(ANSWER, "GET"),
        identity: Box::new(Identity {
            asked: crate::tunnel::Asked::new("r", "o.test", "/", "chat"),
            zone: Zones::default().named("z"),
            client: "0.0.0.0:0".parse().unwrap(),
            origin: "https://o.test".into(),
            spoken: crate::tunnel::Spoken::new(crate::http::Version::Http11, ""),
            is_compressed: true,
            opened: SystemTime::now(),
            opened_at: Instant::now(),
        }),
        options: TunnelOptions::off(),
        place: Place::default(),
        script: Arc::new(target(script)),
    };
    (upstream, far)
}

pub(crate) fn target(script: &str) -> WorkerTarget {
    WorkerTarget {
        script: script.into(),
        channel: std::path::Path::new("/run/channel.sock").into(),
    }
}

/// Whether the edge has let go of the connection whose other end this is.
fn is_closed(far: &mut UnixStream) -> bool {
    use std::io::{ErrorKind, Read};
    far.set_nonblocking(true).unwrap();
    match far.read(&mut [0]) {
        Ok(0) => true,
        Err(error) if error.kind() == ErrorKind::WouldBlock => false,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_token_is_good_once_for_the_script_it_was_given_to() {
    let parked = Arc::<Parked>::default();
    let (upstream, mut far) = upstream("a");
    let mut ticket = parked.put(upstream).unwrap();
    let token = Token::parse(ticket.token().to_string().as_bytes()).unwrap();
    assert!(parked.take(token, "b").is_none());
    assert!(ticket.taken.try_recv() == Err(oneshot::error::TryRecvError::Empty));
    let found = parked.take(token, "a").unwrap();
    assert_eq!(found.half.early, b"early");
    assert!(ticket.taken.try_recv() == Err(oneshot::error::TryRecvError::Closed));
    assert!(parked.take(token, "a").is_none());
    drop(ticket);
    assert!(!is_closed(&mut far));
    assert_eq!(parked.figures(), (0, 1, 1));
}

#[test]
fn without_its_ticket_what_is_parked_is_closed() {
    let parked = Arc::<Parked>::default();
    let (upstream, mut far) = upstream("a");
    let ticket = parked.put(upstream).unwrap();
    let token = ticket.token();
    assert_eq!(parked.figures(), (1, 1, 0));
    assert!(!is_closed(&mut far));
    drop(ticket);
    assert!(is_closed(&mut far));
    assert!(parked.take(token, "a").is_none());
    assert_eq!(parked.figures(), (0, 1, 0));
}

#[test]
fn no_more_are_parked_than_there_is_room_for() {
    let parked = Arc::<Parked>::default();
    // One descriptor each, and the other end of each is closed at once.
    let mut tickets: Vec<_> = (0..MAX_PARKED).map(|_| parked.put(upstream("a").0).unwrap()).collect();
    assert!(!parked.has_room());
    assert!(parked.put(upstream("a").0).is_none());
    tickets.pop();
    assert!(parked.has_room());
    assert!(parked.put(upstream("a").0).is_some());
}

#[test]
fn nothing_shows_a_token_but_what_writes_it() {
    let parked = Parked::default();
    let token = Token::new(parked.edge);
    assert!(token.is_of(&parked) && !token.is_of(&Parked::default()));
    assert_eq!(token.door(), parked.door());
    assert_eq!(format!("{token:?}"), "Token(***)");
    let text = token.to_string();
    assert_eq!((text.len(), &text[..8]), (32, format!("{:08x}", instance()).as_str()));
}

proptest! {
    #[test]
    fn a_token_is_read_as_it_is_written(bytes: [u8; 16]) {
        let text = Token(bytes).to_string();
        prop_assert_eq!(Token::parse(text.as_bytes()), Some(Token(bytes)));
        prop_assert_eq!(Token::parse(&text.as_bytes()[1..]), None);
    }

    #[test]
    fn only_what_is_written_as_a_token_is_one(text: Vec<u8>) {
        if let Some(token) = Token::parse(&text) {
            prop_assert_eq!(token.to_string().into_bytes(), text);
        }
    }
}
