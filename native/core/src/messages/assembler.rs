//! The frames of one direction, and which of them may pass.

use std::sync::Arc;

use super::{Judge, MAX_FRAMING_BYTES, MessageRules, Refusal};
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

/// One direction of a tunnel, as far as rules are asked of it.
#[derive(Debug)]
pub struct Assembler {
    rules: Arc<MessageRules>,
    to: Side,
    may_compress: bool,
    /// The header that is arriving.
    header: [u8; MAX_HEADER_BYTES],
    header_len: usize,
    /// Payload of the frame that is arriving: how much is still to come, whether it is held, and whether its message ends with it.
    remaining: u64,
    is_held: bool,
    ends_message: bool,
    message: Message,
    /// The frames of a text message, and how much of them is payload.
    held: Vec<u8>,
    payload_bytes: usize,
}

impl Assembler {
    /// At the first byte after the 101. `may_compress`: permessage-deflate without context takeover is agreed for the direction.
    #[must_use]
    pub fn new(rules: Arc<MessageRules>, to: Side, may_compress: bool) -> Self {
        Self {
            rules,
            to,
            may_compress,
            header: [0; MAX_HEADER_BYTES],
            header_len: 0,
            remaining: 0,
            is_held: false,
            ends_message: false,
            message: Message::None,
            held: Vec::new(),
            payload_bytes: 0,
        }
    }

    /// Takes what has come. What may pass is added to `out`, also where it ends with a refusal: then that came before.
    pub fn push(&mut self, mut bytes: &[u8], judge: &mut Judge, out: &mut Vec<u8>) -> Result<(), Refusal> {
        while !bytes.is_empty() {
            if self.remaining > 0 {
                bytes = self.take_payload(bytes, out);
            } else if let Some(rest) = self.pass_whole_text(bytes, judge, out)? {
                bytes = rest;
                continue;
            } else {
                bytes = self.take_header(bytes, out)?;
            }
            if self.remaining == 0 && self.header_len == 0 {
                self.end_frame(judge, out)?;
            }
        }
        Ok(())
    }

    /// True where what has passed ends with a whole frame: a control frame of ours may follow.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.remaining == 0 || self.is_held
    }

    /// How many bytes are held.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    /// The common case: a text message of one frame that is here as a whole is judged where it lies. Returns what follows it.
    fn pass_whole_text<'a>(
        &mut self,
        bytes: &'a [u8],
        judge: &mut Judge,
        out: &mut Vec<u8>,
    ) -> Result<Option<&'a [u8]>, Refusal> {
        if self.header_len > 0 || self.message != Message::None {
            return Ok(None);
        }
        let Some(header) = Header::read(bytes).filter(|header| header.opcode == Opcode::TEXT && header.is_final) else {
            return Ok(None);
        };
        let Some(end) = usize::try_from(header.length)
            .ok()
            .and_then(|length| length.checked_add(header.len))
        else {
            return Ok(None);
        };
        if end > bytes.len() {
            return Ok(None);
        }
        self.check(&header)?;
        let (frame, rest) = bytes.split_at(end);
        if judge.judge(&self.rules, self.to, frame)? == Verdict::Pass {
            out.extend_from_slice(frame);
        }
        Ok(Some(rest))
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> Result<&'a [u8], Refusal> {
        let mut rest = bytes;
        while let [first, others @ ..] = rest {
            self.header[self.header_len] = *first;
            self.header_len += 1;
            rest = others;
            if let Some(header) = Header::read(&self.header[..self.header_len]) {
                self.begin_frame(&header, out)?;
                self.header_len = 0;
                break;
            }
        }
        Ok(rest)
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
        let all_payload = header.length.saturating_add(self.payload_bytes as u64);
        let all_bytes = (self.held.len() + header.len) as u64 + header.length;
        let limit = self.rules.limit();
        // A frame that begins no longer than the rest may be held is held as a whole, before more of it is there.
        if is_text && (all_payload > limit as u64 || all_bytes > (limit + MAX_FRAMING_BYTES) as u64) {
            return Err(Refusal::TooBig(limit));
        }
        Ok(())
    }

    fn begin_frame(&mut self, header: &Header, out: &mut Vec<u8>) -> Result<(), Refusal> {
        self.check(header)?;
        if !header.opcode.is_control() {
            match header.opcode {
                Opcode::TEXT => self.message = Message::Held,
                Opcode::BINARY => self.message = Message::Passing,
                _ => {}
            }
        }
        self.is_held = !header.opcode.is_control() && self.message == Message::Held;
        self.ends_message = !header.opcode.is_control() && header.is_final;
        self.remaining = header.length;
        let place = if self.is_held { &mut self.held } else { out };
        place.extend_from_slice(&self.header[..header.len]);
        Ok(())
    }

    fn take_payload<'a>(&mut self, bytes: &'a [u8], out: &mut Vec<u8>) -> &'a [u8] {
        let here = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        let (payload, rest) = bytes.split_at(here);
        if self.is_held {
            self.make_room(here);
            self.held.extend_from_slice(payload);
            self.payload_bytes += here;
        } else {
            out.extend_from_slice(payload);
        }
        self.remaining -= here as u64;
        rest
    }

    /// Room for `here` bytes more, and as much again as there is, but no more than the frame can need: no announced length takes
    /// memory by itself, and no doubling takes more than the limit.
    fn make_room(&mut self, here: usize) {
        let needed = usize::try_from(self.remaining).unwrap_or(usize::MAX);
        if self.held.capacity() - self.held.len() < here {
            self.held.reserve_exact(here.max(self.held.len()).min(needed));
        }
    }

    fn end_frame(&mut self, judge: &mut Judge, out: &mut Vec<u8>) -> Result<(), Refusal> {
        if !std::mem::take(&mut self.ends_message) {
            return Ok(());
        }
        if std::mem::replace(&mut self.message, Message::None) == Message::Held {
            let frames = std::mem::take(&mut self.held);
            self.payload_bytes = 0;
            if judge.judge(&self.rules, self.to, &frames)? == Verdict::Pass {
                out.extend_from_slice(&frames);
            }
        }
        Ok(())
    }
}
