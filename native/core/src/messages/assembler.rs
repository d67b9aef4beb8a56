//! The frames of one direction, and which of them may pass.

use std::sync::Arc;

use super::held::{Accounts, Held};
use super::{FRAMING_OF_BYTE, Judge, MAX_FRAMING_BYTES, MessageRules, Refusal};
use crate::frames::{Header, MAX_CONTROL_PAYLOAD_BYTES, MAX_HEADER_BYTES, Opcode};
use crate::messages::judge::Verdict;
use crate::tunnel::Side;

/// The message that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Message {
    None,
    /// Binary: it passes.
    Passing,
    /// Text: held until its last frame is whole.
    Held,
}

/// What becomes of the frame that is arriving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Out,
    Held,
    Nowhere,
}

/// Whether anything but control frames may still pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    Judging,
    /// Messages do not pass any more; a Close still does.
    Discarding,
    /// After a frame that is not allowed nobody knows where the next one begins.
    Lost,
}

/// One direction of a tunnel, as far as rules are asked of it.
#[derive(Debug)]
pub struct Assembler {
    rules: Arc<MessageRules>,
    to: Side,
    may_compress: bool,
    mode: Mode,
    /// The header that is arriving.
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    /// Of the frame that is arriving: how much payload is still to come, and whether its message ends with it.
    remaining: u64,
    place: Place,
    ends_message: bool,
    message: Message,
    /// The frames of a text message, and how much of them is payload.
    held: Held,
    payload_bytes: usize,
}

impl Assembler {
    /// At the first byte after the 101. `may_compress`: permessage-deflate without context takeover is agreed for the direction.
    /// What is held is counted in `accounts`.
    #[must_use]
    pub fn new(rules: Arc<MessageRules>, to: Side, may_compress: bool, accounts: Accounts) -> Self {
        Self {
            rules,
            to,
            may_compress,
            mode: Mode::Judging,
            header: [0; MAX_HEADER_BYTES],
            header_len: 0,
            remaining: 0,
            place: Place::Out,
            ends_message: false,
            message: Message::None,
            held: Held::new(accounts),
            payload_bytes: 0,
        }
    }

    /// Takes what has come, up to its end or to a refusal, and leaves the rest. What may pass is added to `out`; with a refusal,
    /// that came before it. After one, as after [`Assembler::discard`], no message passes any more.
    pub fn push(&mut self, bytes: &mut &[u8], judge: &mut Judge, out: &mut Vec<u8>) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            if let Err(refusal) = self.step(bytes, judge, out) {
                self.discard();
                if matches!(refusal, Refusal::Protocol(_)) {
                    self.mode = Mode::Lost;
                }
                return Err(refusal);
            }
        }
        Ok(())
    }

    /// From now on messages do not pass, and are not looked at; what is held is forgotten.
    pub fn discard(&mut self) {
        if self.mode == Mode::Judging {
            self.mode = Mode::Discarding;
        }
        self.held.forget();
        if self.place == Place::Held {
            self.place = Place::Nowhere;
        }
    }

    /// True between the first byte of a frame and its last.
    #[must_use]
    pub fn is_in_frame(&self) -> bool {
        self.remaining > 0 || self.header_len > 0
    }

    /// True between the first byte of a text that is held and its last, also between two of its frames.
    #[must_use]
    pub fn is_holding(&self) -> bool {
        self.message == Message::Held && self.mode == Mode::Judging
    }

    /// The receiver has taken all that has passed.
    pub fn passed(&mut self) {
        self.held.paid();
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    fn step(&mut self, bytes: &mut &[u8], judge: &mut Judge, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if self.mode == Mode::Lost {
            *bytes = &[];
            return Ok(());
        }
        if self.remaining > 0 {
            self.take_payload(bytes, out)?;
        } else if self.pass_whole_text(bytes, judge, out)? {
            return Ok(());
        } else {
            self.take_header(bytes, out)?;
        }
        if self.remaining == 0 && self.header_len == 0 {
            self.end_frame(judge, out)?;
        }
        Ok(())
    }

    /// The common case: a text message of one frame that is here as a whole is judged where it lies. False where it is not.
    fn pass_whole_text(&mut self, bytes: &mut &[u8], judge: &mut Judge, out: &mut Vec<u8>) -> Result<bool, Refusal> {
        if self.header_len > 0 || self.message != Message::None || self.mode != Mode::Judging {
            return Ok(false);
        }
        let Some(header) = Header::read(bytes).filter(|header| header.opcode == Opcode::TEXT && header.is_final) else {
            return Ok(false);
        };
        let end = usize::try_from(header.length)
            .ok()
            .and_then(|length| length.checked_add(header.len));
        let Some(end) = end.filter(|end| *end <= bytes.len()) else {
            return Ok(false);
        };
        self.check(&header)?;
        let (frame, rest) = bytes.split_at(end);
        *bytes = rest;
        if judge.judge(&self.rules, self.to, frame)? == Verdict::Pass {
            out.extend_from_slice(frame);
        }
        Ok(true)
    }

    fn take_header(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        while let [first, others @ ..] = bytes {
            self.header[self.header_len] = *first;
            self.header_len += 1;
            *bytes = others;
            if let Some(header) = Header::read(&self.header[..self.header_len]) {
                self.header_len = 0;
                return self.begin_frame(&header, out);
            }
        }
        Ok(())
    }

    /// What RFC 6455 §5 and RFC 7692 §6 ask of a frame that follows what came before.
    fn check(&self, header: &Header) -> Result<(), Refusal> {
        let fault = |what| Err(Refusal::Protocol(what));
        if header.is_reserved {
            return fault("a frame has a bit set that no extension uses");
        }
        if header.mask.is_some() != (self.to == Side::Origin) {
            return fault(match self.to {
                Side::Origin => "a frame of a client is not masked",
                Side::Client => "a frame of a server is masked",
            });
        }
        if header.length > u64::MAX >> 1 {
            return fault("the length of a frame has its highest bit set");
        }
        if header.opcode.is_control() {
            return match header {
                Header {
                    is_compressed: true, ..
                } => fault("a control frame is compressed"),
                Header { is_final: false, .. } => fault("a control frame is fragmented"),
                Header { length, .. } if *length > MAX_CONTROL_PAYLOAD_BYTES as u64 => {
                    fault("a control frame is too long")
                }
                Header { opcode, .. } if opcode.is_known_control() => Ok(()),
                _ => fault("a frame has an opcode that means nothing"),
            };
        }
        match (header.opcode, self.message) {
            (Opcode::CONTINUATION, Message::None) => return fault("a continuation frame continues no message"),
            (Opcode::CONTINUATION, _) if header.is_compressed => {
                return fault("a continuation frame says that it is compressed");
            }
            (Opcode::TEXT | Opcode::BINARY, Message::None) if header.is_compressed && !self.may_compress => {
                return fault("a message is compressed, which was not agreed");
            }
            (Opcode::CONTINUATION, _) | (Opcode::TEXT | Opcode::BINARY, Message::None) => {}
            (Opcode::TEXT | Opcode::BINARY, _) => return fault("a message begins before the last one has ended"),
            _ => return fault("a frame has an opcode that means nothing"),
        }
        let is_text = header.opcode == Opcode::TEXT || self.message == Message::Held;
        let limit = self.rules.limit();
        // A frame that begins no longer than the rest may be held is held as a whole, before more of it is there.
        let payload =
            usize::try_from(header.length).map_or(usize::MAX, |length| length.saturating_add(self.payload_bytes));
        let framing = self.held.len() - self.payload_bytes + header.len;
        match () {
            () if !is_text => Ok(()),
            () if payload > limit => Err(Refusal::TooBig(limit)),
            () if framing > MAX_FRAMING_BYTES + FRAMING_OF_BYTE * payload => Err(Refusal::TooManyFrames),
            () => Ok(()),
        }
    }

    fn begin_frame(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<(), Refusal> {
        let is_control = header.opcode.is_control();
        let checked = match self.mode {
            Mode::Judging => self.check(header),
            Mode::Discarding | Mode::Lost => Ok(()),
        };
        if !is_control {
            match header.opcode {
                Opcode::TEXT => self.message = Message::Held,
                Opcode::BINARY => self.message = Message::Passing,
                _ => {}
            }
        }
        self.remaining = header.length;
        self.ends_message = !is_control && header.is_final;
        self.place = match self.mode {
            _ if is_control => Place::Out,
            Mode::Judging if checked.is_err() => Place::Nowhere,
            Mode::Judging if self.message == Message::Held => Place::Held,
            Mode::Judging => Place::Out,
            Mode::Discarding | Mode::Lost => Place::Nowhere,
        };
        checked?;
        let head = self.header;
        // How much comes behind a frame that is not the last is not known.
        let to_come = if header.is_final {
            header.len + self.remaining_here()
        } else {
            usize::MAX
        };
        self.put(&head[..header.len], to_come, out)
    }

    /// Puts a piece where it belongs. `to_come`: how much of the message may still come, this piece included.
    fn put(&mut self, piece: &[u8], to_come: usize, out: &mut Vec<u8>) -> Result<(), Refusal> {
        match self.place {
            Place::Out => out.extend_from_slice(piece),
            Place::Held if !self.held.push(piece, to_come) => return Err(Refusal::NoRoom),
            Place::Held | Place::Nowhere => {}
        }
        Ok(())
    }

    /// What is still to come of the frame, as far as it could be held.
    fn remaining_here(&self) -> usize {
        usize::try_from(self.remaining).unwrap_or(usize::MAX)
    }

    fn take_payload(&mut self, bytes: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Refusal> {
        let to_come = self.remaining_here();
        let here = to_come.min(bytes.len());
        let (payload, rest) = bytes.split_at(here);
        *bytes = rest;
        self.remaining -= here as u64;
        if self.place == Place::Held {
            self.payload_bytes += here;
        }
        self.put(payload, to_come, out)
    }

    fn end_frame(&mut self, judge: &mut Judge, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !std::mem::take(&mut self.ends_message) {
            return Ok(());
        }
        let is_text = std::mem::replace(&mut self.message, Message::None) == Message::Held;
        if is_text && self.mode == Mode::Judging {
            let frames = self.held.take();
            self.payload_bytes = 0;
            if judge.judge(&self.rules, self.to, &frames)? == Verdict::Pass {
                out.extend_from_slice(&frames);
            }
        }
        Ok(())
    }
}
