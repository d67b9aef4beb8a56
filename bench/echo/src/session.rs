//! One connection's WebSocket, from the request head to the Close: bytes in, bytes to send out.
//!
//! Law 1: no socket here. However the input is cut, the output is the same.
//! Law 2: a data frame goes back with the same FIN, opcode and length, unmasked. Its payload is never held here: it goes
//! to the output as it comes.
//! Law 3: after [`Step::Finished`] the session takes no more input and adds no more output.

use holdfast_wire::frame::{self, Header, MAX_CONTROL_BYTES, MAX_HEADER_BYTES, Opcode};
use holdfast_wire::handshake::{self, MAX_HEAD_BYTES};

/// RFC 6455 §7.4.1.
const PROTOCOL_ERROR: u16 = 1002;

const REFUSAL: &[u8] = b"HTTP/1.1 426 Upgrade Required\r\n\
    Upgrade: websocket\r\nConnection: Upgrade, close\r\nSec-WebSocket-Version: 13\r\n\
    Content-Type: text/plain\r\nContent-Length: 46\r\n\r\n\
    This is holdfast-echo. It speaks WebSocket 13.";

/// Where the session stands after some input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Between frames: what is in the output is worth sending now.
    Boundary,
    /// Inside a head or a frame.
    Within,
    /// The output is the last there will be; send it and close.
    Finished,
}

/// The state of one connection.
#[derive(Debug)]
pub(crate) struct Session {
    state: State,
    /// A message has begun and its last fragment has not come.
    fragmented: bool,
}

#[derive(Debug)]
enum State {
    RequestHead(Vec<u8>),
    FrameHeader(Partial<MAX_HEADER_BYTES>),
    Data {
        key: [u8; 4],
        left: u64,
    },
    Control {
        opcode: Opcode,
        key: [u8; 4],
        wanted: usize,
        payload: Partial<MAX_CONTROL_BYTES>,
    },
    Finished,
}

/// The first bytes of something that is at most `N` long.
#[derive(Debug)]
struct Partial<const N: usize> {
    bytes: [u8; N],
    length: usize,
}

impl<const N: usize> Partial<N> {
    const EMPTY: Self = Self {
        bytes: [0; N],
        length: 0,
    };

    /// Move bytes in until `wanted` (at most `N`) are held; what is left of the input.
    fn fill<'a>(&mut self, input: &'a [u8], wanted: usize) -> &'a [u8] {
        let (taken, rest) = input.split_at(input.len().min(wanted.min(N) - self.length));
        self.bytes[self.length..self.length + taken.len()].copy_from_slice(taken);
        self.length += taken.len();
        rest
    }

    fn held(&self) -> &[u8] {
        &self.bytes[..self.length]
    }
}

impl Default for Session {
    fn default() -> Self {
        Self {
            state: State::RequestHead(Vec::new()),
            fragmented: false,
        }
    }
}

impl Session {
    /// Take `input`, append what is to be sent to `out`.
    pub(crate) fn receive(&mut self, mut input: &[u8], out: &mut Vec<u8>) -> Step {
        while !input.is_empty() {
            input = match &mut self.state {
                State::RequestHead(_) => self.read_head(input, out),
                State::FrameHeader(_) => self.read_header(input, out),
                State::Data { .. } => self.echo(input, out),
                State::Control { .. } => self.read_control(input, out),
                State::Finished => return Step::Finished,
            };
        }
        match &self.state {
            State::Finished => Step::Finished,
            State::FrameHeader(header) if header.length == 0 => Step::Boundary,
            _ => Step::Within,
        }
    }

    fn read_head<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let State::RequestHead(head) = &mut self.state else {
            return input;
        };
        let before = head.len();
        head.extend_from_slice(&input[..input.len().min(MAX_HEAD_BYTES - before)]);
        match handshake::read_request(head) {
            Ok(None) => &[],
            Ok(Some((key, size))) => {
                out.extend_from_slice(&handshake::response(&key));
                self.state = State::FrameHeader(Partial::EMPTY);
                &input[size - before..]
            }
            Err(_) => {
                out.extend_from_slice(REFUSAL);
                self.state = State::Finished;
                &[]
            }
        }
    }

    fn read_header<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let State::FrameHeader(partial) = &mut self.state else {
            return input;
        };
        let before = partial.length;
        partial.fill(input, MAX_HEADER_BYTES);
        match Header::parse(partial.held()) {
            Ok(None) => &[],
            Ok(Some((header, size))) => {
                self.begin(&header, out);
                &input[size - before..]
            }
            Err(_) => self.fail(out),
        }
    }

    /// RFC 6455 §5.1 (a client masks), §5.4 (fragments follow one another).
    fn begin(&mut self, header: &Header, out: &mut Vec<u8>) {
        let opcode = header.opcode;
        let out_of_order = !opcode.is_control() && self.fragmented != (opcode == Opcode::Continuation);
        let (Some(key), false) = (header.mask, out_of_order) else {
            self.fail(out);
            return;
        };
        if opcode.is_control() {
            // At most 125: `parse` refuses longer ones.
            let wanted = usize::try_from(header.length).unwrap_or(MAX_CONTROL_BYTES);
            self.state = State::Control {
                opcode,
                key,
                wanted,
                payload: Partial::EMPTY,
            };
            if wanted == 0 {
                self.answer(opcode, &[], out);
            }
        } else {
            self.fragmented = !header.fin;
            Header { mask: None, ..*header }.encode(out);
            self.state = match header.length {
                0 => State::FrameHeader(Partial::EMPTY),
                left => State::Data { key, left },
            };
        }
    }

    fn echo<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let State::Data { key, left } = &mut self.state else {
            return input;
        };
        let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let (payload, rest) = input.split_at(here);
        let start = out.len();
        out.extend_from_slice(payload);
        frame::apply_mask(&mut out[start..], *key);
        *key = frame::turned(*key, here);
        *left -= here as u64;
        if *left == 0 {
            self.state = State::FrameHeader(Partial::EMPTY);
        }
        rest
    }

    fn read_control<'a>(&mut self, input: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let State::Control {
            opcode,
            key,
            wanted,
            payload,
        } = &mut self.state
        else {
            return input;
        };
        let rest = payload.fill(input, *wanted);
        if payload.length == *wanted {
            let (opcode, mut bytes, length) = (*opcode, payload.bytes, payload.length);
            frame::apply_mask(&mut bytes[..length], *key);
            self.answer(opcode, &bytes[..length], out);
        }
        rest
    }

    /// RFC 6455 §5.5.1 (a Close is answered by a Close), §5.5.2 (a ping by a pong).
    fn answer(&mut self, opcode: Opcode, payload: &[u8], out: &mut Vec<u8>) {
        self.state = State::FrameHeader(Partial::EMPTY);
        match (opcode, payload) {
            (Opcode::Ping, _) => frame::append(out, Opcode::Pong, None, &[payload]),
            (Opcode::Close, [_]) => {
                self.fail(out);
            }
            (Opcode::Close, _) => {
                frame::append(out, Opcode::Close, None, &[&payload[..payload.len().min(2)]]);
                self.state = State::Finished;
            }
            _ => {}
        }
    }

    fn fail(&mut self, out: &mut Vec<u8>) -> &'static [u8] {
        frame::append(out, Opcode::Close, None, &[&PROTOCOL_ERROR.to_be_bytes()]);
        self.state = State::Finished;
        &[]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

    fn opened() -> Session {
        let mut session = Session::default();
        let mut out = Vec::new();
        assert_eq!(
            session.receive(&handshake::request("a.test", "/", KEY), &mut out),
            Step::Boundary
        );
        assert_eq!(out, handshake::response(KEY));
        session
    }

    fn masked(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
        let key = [0x37, 0xfa, 0x21, 0x3d];
        let mut wire = Vec::new();
        Header {
            fin,
            opcode,
            mask: Some(key),
            length: payload.len() as u64,
        }
        .encode(&mut wire);
        let start = wire.len();
        wire.extend_from_slice(payload);
        frame::apply_mask(&mut wire[start..], key);
        wire
    }

    fn plain(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
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

    fn after(session: &mut Session, input: &[u8]) -> (Step, Vec<u8>) {
        let mut out = Vec::new();
        (session.receive(input, &mut out), out)
    }

    proptest! {
        #[test]
        fn any_chopping_gives_the_same_echo(
            messages in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..400), 0..6),
            cuts in prop::collection::vec(1..50usize, 1..20),
        ) {
            let mut wire = handshake::request("a.test", "/", KEY);
            let mut expected = handshake::response(KEY);
            for message in &messages {
                wire.extend(masked(true, Opcode::Binary, message));
                expected.extend(plain(true, Opcode::Binary, message));
            }
            wire.extend(masked(true, Opcode::Close, &1000u16.to_be_bytes()));
            expected.extend(plain(true, Opcode::Close, &1000u16.to_be_bytes()));

            let (mut session, mut out, mut rest) = (Session::default(), Vec::new(), wire.as_slice());
            for cut in cuts.iter().cycle() {
                let (piece, left) = rest.split_at((*cut).min(rest.len()));
                let step = session.receive(piece, &mut out);
                rest = left;
                if rest.is_empty() {
                    prop_assert_eq!(step, Step::Finished);
                    break;
                }
            }
            prop_assert_eq!(out, expected);
        }

        #[test]
        fn no_input_panics(input in any::<Vec<u8>>()) {
            after(&mut Session::default(), &input);
            after(&mut opened(), &input);
        }
    }

    #[test]
    fn fragments_keep_their_shape_and_a_ping_may_come_between() {
        let mut session = opened();
        let input = [
            masked(false, Opcode::Text, b"Hel"),
            masked(true, Opcode::Ping, b"?"),
            masked(true, Opcode::Continuation, b"lo"),
        ];
        let output = [
            plain(false, Opcode::Text, b"Hel"),
            plain(true, Opcode::Pong, b"?"),
            plain(true, Opcode::Continuation, b"lo"),
        ];
        assert_eq!(after(&mut session, &input.concat()), (Step::Boundary, output.concat()));
    }

    #[test]
    fn a_close_is_answered_with_its_code_and_ends_the_session() {
        let mut session = opened();
        let close = masked(true, Opcode::Close, b"\x03\xe9going");
        assert_eq!(
            after(&mut session, &close),
            (Step::Finished, plain(true, Opcode::Close, b"\x03\xe9"))
        );
        assert_eq!(
            after(&mut session, &masked(true, Opcode::Text, b"late")),
            (Step::Finished, vec![])
        );
        assert_eq!(
            after(&mut opened(), &masked(true, Opcode::Close, b"")),
            (Step::Finished, plain(true, Opcode::Close, b""))
        );
    }

    #[test]
    fn what_the_rfc_forbids_ends_with_1002() {
        let refused = plain(true, Opcode::Close, &1002u16.to_be_bytes());
        let cases = [
            plain(true, Opcode::Text, b"unmasked"),
            masked(true, Opcode::Continuation, b"of nothing"),
            [masked(false, Opcode::Text, b""), masked(true, Opcode::Text, b"")].concat(),
            masked(true, Opcode::Close, b"\x03"),
            vec![0xC1, 0x80, 0, 0, 0, 0],
        ];
        for input in cases {
            let (step, out) = after(&mut opened(), &input);
            assert_eq!(step, Step::Finished, "{input:02x?}");
            assert!(out.ends_with(&refused), "{input:02x?} gave {out:02x?}");
        }
    }

    #[test]
    fn a_request_that_is_no_upgrade_is_told_so() {
        let (step, out) = after(&mut Session::default(), b"GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        assert_eq!((step, out.starts_with(b"HTTP/1.1 426 ")), (Step::Finished, true));
        let text = String::from_utf8(out).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.contains(&format!("Content-Length: {}\r\n", body.len()))
                || head.ends_with(&format!("Content-Length: {}", body.len()))
        );
    }

    #[test]
    fn a_head_that_never_ends_is_refused() {
        let mut session = Session::default();
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "a".repeat(2 * MAX_HEAD_BYTES));
        assert_eq!(after(&mut session, endless.as_bytes()).0, Step::Finished);
    }
}
