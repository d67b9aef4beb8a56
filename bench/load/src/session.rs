//! A client's side of one WebSocket: bytes in, what happened out.
//!
//! Law 1: no socket and no clock here. However the input is cut, the events are the same.
//! Law 2: an echo counts only if all of it is the message that was next to come back: length, opcode, every byte.
//! A session that follows another is sent what that one sends, in its order, and is held to the same.
//! Law 3: whatever else the server does is a [`Fault`], and ends the run; nothing is forgiven and nothing is skipped.

use std::fmt;

use holdfast_wire::frame::{self, FrameError, Header, MAX_HEADER_BYTES, Opcode};
use holdfast_wire::handshake::{self, HandshakeError, MAX_HEAD_BYTES};

use crate::payload::{Payload, Stamp};

/// What the server did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    /// It answered the upgrade with a proper 101.
    Opened,
    /// It sent the next message back.
    Echoed,
    /// It answered our Close.
    Closed,
}

/// What the server should not have done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    Handshake(HandshakeError),
    Frame(FrameError),
    /// A masked frame (RFC 6455 §5.1).
    Masked,
    /// A frame that is not the continuation, or the message, that must come.
    Opcode(Opcode),
    /// An echo that was not sent, or differs from what was.
    Content {
        at: usize,
    },
    /// A Close nobody asked for, and its code.
    Close(Option<u16>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Handshake(error) => error.fmt(f),
            Self::Frame(error) => error.fmt(f),
            Self::Masked => f.write_str("a frame to the client is masked"),
            Self::Opcode(opcode) => write!(f, "a {opcode:?} frame came out of place"),
            Self::Content { at } => write!(f, "an echo differs from its message at or after byte {at}"),
            Self::Close(Some(code)) => write!(f, "the connection was closed with code {code}"),
            Self::Close(None) => f.write_str("the connection was closed without a code"),
        }
    }
}

impl From<HandshakeError> for Fault {
    fn from(error: HandshakeError) -> Self {
        Self::Handshake(error)
    }
}

impl From<FrameError> for Fault {
    fn from(error: FrameError) -> Self {
        Self::Frame(error)
    }
}

/// The state of one connection after its transport is there.
#[derive(Debug)]
pub(crate) struct Session {
    /// Whose messages come back: its own, or those of the connection it follows.
    source: u32,
    is_following: bool,
    state: State,
    sent: u32,
    echoed: u32,
    /// Bytes of the echo under way; `None` between messages.
    progress: Option<usize>,
    closing: bool,
}

#[derive(Debug)]
enum State {
    AnswerHead {
        key: String,
        head: Vec<u8>,
    },
    FrameHeader {
        bytes: [u8; MAX_HEADER_BYTES],
        length: usize,
    },
    Data {
        left: u64,
        fin: bool,
    },
    Control {
        opcode: Opcode,
        left: u64,
        payload: Vec<u8>,
    },
    Closed,
}

const BETWEEN_FRAMES: State = State::FrameHeader {
    bytes: [0; MAX_HEADER_BYTES],
    length: 0,
};

impl Session {
    /// A session that has yet to ask for its upgrade, and the request it must send.
    pub(crate) fn new(connection: u32, host: &str, path: &str, random: &mut fastrand::Rng) -> (Self, Vec<u8>) {
        let key = handshake::new_key(random);
        let request = handshake::request(host, path, &key);
        let state = State::AnswerHead { key, head: Vec::new() };
        (
            Self {
                source: connection,
                is_following: false,
                state,
                sent: 0,
                echoed: 0,
                progress: None,
                closing: false,
            },
            request,
        )
    }

    /// Expect what the connection with this number sends, from its first message on, and send nothing.
    pub(crate) fn follow(&mut self, connection: u32) {
        self.source = connection;
        self.is_following = true;
    }

    /// Append the next message.
    pub(crate) fn send(&mut self, payload: &Payload, random: &mut fastrand::Rng, out: &mut Vec<u8>) {
        let stamp = Stamp {
            connection: self.source,
            number: self.sent,
        };
        self.sent = self.sent.wrapping_add(1);
        payload.with(stamp, |parts| {
            frame::append(out, payload.opcode(), Some(new_mask(random)), parts);
        });
    }

    /// Append a Close with code 1000. Nothing may be sent after it.
    pub(crate) fn close(&mut self, random: &mut fastrand::Rng, out: &mut Vec<u8>) {
        self.closing = true;
        frame::append(out, Opcode::Close, Some(new_mask(random)), &[&1000u16.to_be_bytes()]);
    }

    /// Whether the server has answered our Close.
    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.state, State::Closed)
    }

    /// Messages sent and not yet echoed.
    pub(crate) fn in_flight(&self) -> u32 {
        self.sent.wrapping_sub(self.echoed)
    }

    /// Take `input`; append pongs to `out` and what happened to `events`.
    pub(crate) fn receive(
        &mut self,
        mut input: &[u8],
        payload: &Payload,
        random: &mut fastrand::Rng,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), Fault> {
        while !input.is_empty() {
            input = match &mut self.state {
                State::AnswerHead { .. } => self.read_head(input, events)?,
                State::FrameHeader { .. } => self.read_header(input, payload, events)?,
                State::Data { .. } => self.read_data(input, payload, events)?,
                State::Control { .. } => self.read_control(input),
                // RFC 6455 §1.4: what comes after a Close is to be discarded.
                State::Closed => return Ok(()),
            };
            self.answer_control(random, out, events)?;
        }
        Ok(())
    }

    fn read_head<'a>(&mut self, input: &'a [u8], events: &mut Vec<Event>) -> Result<&'a [u8], Fault> {
        let State::AnswerHead { key, head } = &mut self.state else {
            return Ok(input);
        };
        let before = head.len();
        head.extend_from_slice(&input[..input.len().min(MAX_HEAD_BYTES - before)]);
        let Some(size) = handshake::read_response(head, key)? else {
            return Ok(&[]);
        };
        self.state = BETWEEN_FRAMES;
        events.push(Event::Opened);
        Ok(&input[size - before..])
    }

    fn read_header<'a>(
        &mut self,
        input: &'a [u8],
        payload: &Payload,
        events: &mut Vec<Event>,
    ) -> Result<&'a [u8], Fault> {
        let State::FrameHeader { bytes, length } = &mut self.state else {
            return Ok(input);
        };
        let before = *length;
        let taken = input.len().min(MAX_HEADER_BYTES - before);
        bytes[before..before + taken].copy_from_slice(&input[..taken]);
        *length += taken;
        let Some((header, size)) = Header::parse(&bytes[..*length])? else {
            return Ok(&[]);
        };
        if header.mask.is_some() {
            return Err(Fault::Masked);
        }
        if header.opcode.is_control() {
            self.state = State::Control {
                opcode: header.opcode,
                left: header.length,
                payload: Vec::new(),
            };
        } else {
            self.begin_data(&header, payload, events)?;
        }
        Ok(&input[size - before..])
    }

    fn begin_data(&mut self, header: &Header, payload: &Payload, events: &mut Vec<Event>) -> Result<(), Fault> {
        let expected = if self.progress.is_some() {
            Opcode::Continuation
        } else {
            payload.opcode()
        };
        if header.opcode != expected {
            return Err(Fault::Opcode(header.opcode));
        }
        if self.in_flight() == 0 && !self.is_following {
            return Err(Fault::Content { at: 0 });
        }
        self.progress.get_or_insert(0);
        self.state = State::Data {
            left: header.length,
            fin: header.fin,
        };
        if header.length == 0 {
            self.end_data(payload, events)
        } else {
            Ok(())
        }
    }

    fn read_data<'a>(
        &mut self,
        input: &'a [u8],
        payload: &Payload,
        events: &mut Vec<Event>,
    ) -> Result<&'a [u8], Fault> {
        let State::Data { left, .. } = &mut self.state else {
            return Ok(input);
        };
        let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let (echo, rest) = input.split_at(here);
        let at = self.progress.unwrap_or_default();
        if !payload.has(
            Stamp {
                connection: self.source,
                number: self.echoed,
            },
            at,
            echo,
        ) {
            return Err(Fault::Content { at });
        }
        self.progress = Some(at + here);
        *left -= here as u64;
        if *left == 0 {
            self.end_data(payload, events)?;
        }
        Ok(rest)
    }

    fn end_data(&mut self, payload: &Payload, events: &mut Vec<Event>) -> Result<(), Fault> {
        let fin = matches!(self.state, State::Data { fin: true, .. });
        self.state = BETWEEN_FRAMES;
        if fin {
            let at = self.progress.take().unwrap_or_default();
            if at != payload.size() {
                return Err(Fault::Content { at });
            }
            self.echoed = self.echoed.wrapping_add(1);
            events.push(Event::Echoed);
        }
        Ok(())
    }

    fn read_control<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let State::Control { left, payload, .. } = &mut self.state else {
            return input;
        };
        let here = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
        let (bytes, rest) = input.split_at(here);
        payload.extend_from_slice(bytes);
        *left -= here as u64;
        rest
    }

    /// Act on a control frame that is whole (RFC 6455 §5.5).
    fn answer_control(
        &mut self,
        random: &mut fastrand::Rng,
        out: &mut Vec<u8>,
        events: &mut Vec<Event>,
    ) -> Result<(), Fault> {
        let State::Control {
            opcode,
            left: 0,
            payload,
        } = &self.state
        else {
            return Ok(());
        };
        match opcode {
            Opcode::Close if self.closing => {
                self.state = State::Closed;
                events.push(Event::Closed);
                return Ok(());
            }
            Opcode::Close => {
                return Err(Fault::Close(
                    payload.first_chunk().map(|code| u16::from_be_bytes(*code)),
                ));
            }
            Opcode::Ping => frame::append(out, Opcode::Pong, Some(new_mask(random)), &[payload]),
            _ => {}
        }
        self.state = BETWEEN_FRAMES;
        Ok(())
    }
}

/// A masking key. RFC 6455 §10.3 wants one that a script in the page cannot foresee; no page is here, so a fast
/// generator does, seeded anew each run.
fn new_mask(random: &mut fastrand::Rng) -> [u8; 4] {
    random.u32(..).to_ne_bytes()
}

#[cfg(test)]
mod tests;
