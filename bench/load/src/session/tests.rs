//! The laws of a client's session, fed from bytes.

use super::*;
use crate::payload::Kind;
use proptest::prelude::*;

type Wrong = fn(Vec<u8>) -> Vec<u8>;

struct Bench {
    session: Session,
    payload: Payload,
    random: fastrand::Rng,
    out: Vec<u8>,
}

impl Bench {
    /// A session that is open, with messages of `size` bytes.
    fn opened(size: usize) -> Self {
        let mut random = fastrand::Rng::with_seed(7);
        let payload = Payload::new(size, Kind::Binary, &mut random);
        let (session, request) = Session::new(3, "a.test", "/", &mut random);
        let mut bench = Self {
            session,
            payload,
            random,
            out: Vec::new(),
        };
        let (key, _) = handshake::read_request(&request).unwrap().unwrap();
        assert_eq!(bench.take(&handshake::response(&key)), Ok(vec![Event::Opened]));
        bench
    }

    fn take(&mut self, input: &[u8]) -> Result<Vec<Event>, Fault> {
        let mut events = Vec::new();
        self.session
            .receive(input, &self.payload, &mut self.random, &mut self.out, &mut events)?;
        Ok(events)
    }

    fn send(&mut self) {
        self.session.send(&self.payload, &mut self.random, &mut Vec::new());
    }

    fn echo_of(&self, number: u32) -> Vec<u8> {
        self.payload
            .with(Stamp { connection: 3, number }, |parts| parts.concat())
    }
}

fn framed(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    Header {
        fin,
        opcode,
        mask: None,
        length: payload.len() as u64,
    }
    .encode(&mut wire);
    wire.extend_from_slice(payload);
    wire
}

proptest! {
    #[test]
    fn any_chopping_gives_the_same_events(size in 0..300usize, cuts in prop::collection::vec(1..40usize, 1..9)) {
        let mut bench = Bench::opened(size);
        bench.send();
        bench.send();
        let second = bench.echo_of(1);
        let (front, back) = second.split_at(size / 2);
        let wire = [
            framed(true, Opcode::Binary, &bench.echo_of(0)),
            framed(false, Opcode::Binary, front),
            framed(true, Opcode::Ping, b"still there?"),
            framed(true, Opcode::Continuation, back),
        ].concat();
        let (mut events, mut rest) = (Vec::new(), wire.as_slice());
        for cut in cuts.iter().cycle() {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            events.extend(bench.take(piece).unwrap());
            rest = left;
            if rest.is_empty() { break }
        }
        prop_assert_eq!(events, vec![Event::Echoed, Event::Echoed]);
        let (pong, size) = Header::parse(&bench.out).unwrap().unwrap();
        prop_assert_eq!((pong.opcode, pong.mask.is_some(), bench.out.len()), (Opcode::Pong, true, size + 12));
    }

    #[test]
    fn no_input_panics(input in any::<Vec<u8>>()) {
        let mut bench = Bench::opened(20);
        bench.send();
        let _ = bench.take(&input);
    }
}

#[test]
fn an_echo_must_be_the_message_that_was_sent() {
    let right = |bench: &Bench| bench.echo_of(0);
    let cases: [(Wrong, Fault); 5] = [
        (
            |mut echo| {
                echo[19] ^= 1;
                framed(true, Opcode::Binary, &echo)
            },
            Fault::Content { at: 0 },
        ),
        (
            |echo| framed(true, Opcode::Binary, &echo[..19]),
            Fault::Content { at: 19 },
        ),
        (
            |mut echo| {
                echo.push(0);
                framed(true, Opcode::Binary, &echo)
            },
            Fault::Content { at: 0 },
        ),
        (|echo| framed(true, Opcode::Text, &echo), Fault::Opcode(Opcode::Text)),
        (
            |echo| framed(true, Opcode::Continuation, &echo),
            Fault::Opcode(Opcode::Continuation),
        ),
    ];
    for (wrong, fault) in cases {
        let mut bench = Bench::opened(20);
        bench.send();
        let wire = wrong(right(&bench));
        assert_eq!(bench.take(&wire), Err(fault));
    }
}

#[test]
fn an_echo_of_nothing_and_one_that_comes_twice_are_faults() {
    let mut bench = Bench::opened(20);
    let echo = framed(true, Opcode::Binary, &bench.echo_of(0));
    assert_eq!(bench.take(&echo), Err(Fault::Content { at: 0 }));
    let mut bench = Bench::opened(20);
    bench.send();
    assert_eq!(bench.take(&echo), Ok(vec![Event::Echoed]));
    assert_eq!(bench.take(&echo), Err(Fault::Content { at: 0 }));
}

#[test]
fn a_masked_frame_is_a_fault() {
    let mut bench = Bench::opened(20);
    let mut wire = Vec::new();
    frame::append(&mut wire, Opcode::Pong, Some([1, 2, 3, 4]), &[]);
    assert_eq!(bench.take(&wire), Err(Fault::Masked));
}

#[test]
fn a_close_is_an_end_only_if_it_was_asked_for() {
    let close = framed(true, Opcode::Close, &1001u16.to_be_bytes());
    assert_eq!(Bench::opened(20).take(&close), Err(Fault::Close(Some(1001))));
    assert_eq!(
        Bench::opened(20).take(&framed(true, Opcode::Close, &[])),
        Err(Fault::Close(None))
    );
    let mut bench = Bench::opened(20);
    bench.session.close(&mut bench.random, &mut bench.out);
    assert_eq!(bench.take(&close), Ok(vec![Event::Closed]));
    assert!(bench.session.is_closed());
}

#[test]
fn one_that_follows_takes_what_the_other_sends_in_its_order_and_nothing_else() {
    let mut bench = Bench::opened(16);
    bench.session.follow(9);
    let sent = |bench: &Bench, connection, number| {
        let message = bench.payload.with(Stamp { connection, number }, |parts| parts.concat());
        framed(true, Opcode::Binary, &message)
    };
    for number in 0..3 {
        let message = sent(&bench, 9, number);
        assert_eq!(bench.take(&message), Ok(vec![Event::Echoed]));
    }
    let doubled = sent(&bench, 9, 2);
    assert_eq!(bench.take(&doubled), Err(Fault::Content { at: 0 }));
    let mut other = Bench::opened(16);
    other.session.follow(9);
    let foreign = sent(&other, 3, 0);
    assert_eq!(other.take(&foreign), Err(Fault::Content { at: 0 }));
}
