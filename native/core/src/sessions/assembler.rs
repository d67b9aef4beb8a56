//! Frames in, messages out: one direction of a WebSocket that ends here (RFC 6455 §5, RFC 7692 §6).
//!
//! Law 1: any chopping of the input gives the same events and the same refusal.
//! Law 2: nothing announced takes memory: what is kept is what has come of a message, and nothing between two of them.
//! Law 3: after a refusal, or a Close, nothing more is read.

use super::records::{HEADER_BYTES, MAX_MESSAGE_BYTES};
use crate::frames::{Header, MAX_CONTROL_PAYLOAD_BYTES, MAX_HEADER_BYTES, Opcode};
use crate::messages::Refusal;

/// What a message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Kind {
    /// Text, as opposed to binary.
    pub is_text: bool,
    /// Its payload is compressed (RFC 7692 §7.2.1).
    pub is_compressed: bool,
}

/// What has come.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'a> {
    /// A message of one frame, where it lies: its payload as it came, and what that is masked with.
    Here(Kind, &'a [u8], Option<[u8; 4]>),
    /// A message that came in pieces: its payload behind [`HEADER_BYTES`] that are free.
    Put(Kind, Vec<u8>),
    /// A Ping, and its payload.
    Ping(Vec<u8>),
    /// A Pong.
    Pong,
    /// A Close, and its payload. The last event.
    Close(Vec<u8>),
}

/// The frame that is arriving.
#[derive(Clone, Copy, Debug, Default)]
struct Frame {
    opcode: u8,
    is_final: bool,
    mask: Option<[u8; 4]>,
    /// Payload that has come, and that is still to come.
    come: u64,
    remaining: u64,
}

// Each of them is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
/// The frames of one direction.
#[derive(Debug)]
pub struct Assembler {
    /// True where the frames must be masked: from clients (RFC 6455 §5.1).
    wants_mask: bool,
    may_compress: bool,
    is_over: bool,
    message: Option<Kind>,
    /// None between two messages.
    partial: Option<Box<Partial>>,
}

/// What has come of a message that is not complete, and of a frame.
#[derive(Debug, Default)]
struct Partial {
    header: [u8; MAX_HEADER_BYTES],
    header_len: u8,
    is_in_frame: bool,
    frame: Frame,
    /// What has come of the message, unmasked, behind room for a record's header.
    begun: Vec<u8>,
    /// What has come of a control frame.
    control: Vec<u8>,
}

impl Partial {
    fn header(&self) -> &[u8] {
        &self.header[..usize::from(self.header_len)]
    }
}

impl Assembler {
    /// At the first byte after the 101.
    #[must_use]
    pub fn new(wants_mask: bool, may_compress: bool) -> Self {
        Self {
            wants_mask,
            may_compress,
            is_over: false,
            message: None,
            partial: None,
        }
    }

    /// True where a message, or a frame, may begin: nothing has come of either.
    #[must_use]
    pub fn is_between_messages(&self) -> bool {
        let is_partial = |partial: &Partial| partial.is_in_frame || partial.header_len > 0;
        self.message.is_none() && !self.partial.as_deref().is_some_and(is_partial)
    }

    /// How many bytes of a message are kept.
    #[must_use]
    pub fn kept(&self) -> usize {
        self.partial.as_ref().map_or(0, |partial| partial.begun.len())
    }

    /// Reads on: how many bytes that took (some, while there are any), and what came of it.
    pub fn step<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Refusal> {
        if self.is_over {
            return Ok((bytes.len(), None));
        }
        let outcome = match &mut self.partial {
            Some(partial) if partial.is_in_frame => {
                let here = partial.take_payload(bytes);
                let event = if partial.frame.remaining == 0 {
                    self.end_frame()
                } else {
                    None
                };
                Ok((here, event))
            }
            _ => self.take_header(bytes),
        };
        if self.is_between_messages() {
            self.partial = None;
        }
        self.is_over = matches!(outcome, Err(_) | Ok((_, Some(Event::Close(_)))));
        outcome
    }

    fn take_header<'a>(&mut self, bytes: &'a [u8]) -> Result<(usize, Option<Event<'a>>), Refusal> {
        if self.partial.as_ref().is_none_or(|partial| partial.header_len == 0)
            && let Some(header) = Header::read(bytes)
        {
            return self.begin_frame(&header, bytes, header.len);
        }
        let partial = self.partial.get_or_insert_default();
        for (at, byte) in bytes.iter().enumerate() {
            partial.header[usize::from(partial.header_len)] = *byte;
            partial.header_len += 1;
            if let Some(header) = Header::read(partial.header()) {
                partial.header_len = 0;
                return self.begin_frame(&header, bytes, at + 1);
            }
        }
        Ok((bytes.len(), None))
    }

    /// Begins a frame whose header ends at `taken`. Where all of a message is there, it is told where it lies.
    fn begin_frame<'a>(
        &mut self,
        header: &Header,
        bytes: &'a [u8],
        taken: usize,
    ) -> Result<(usize, Option<Event<'a>>), Refusal> {
        self.check(header)?;
        let is_first = header.opcode.begins_message();
        if is_first {
            self.message = Some(Kind {
                is_text: header.opcode == Opcode::TEXT,
                is_compressed: header.is_compressed,
            });
        }
        let end = usize::try_from(header.length)
            .ok()
            .and_then(|len| taken.checked_add(len));
        if let Some(kind) = self.message.filter(|_| is_first && header.is_final)
            && let Some(payload) = end.and_then(|end| bytes.get(taken..end))
        {
            self.message = None;
            return Ok((taken + payload.len(), Some(Event::Here(kind, payload, header.mask))));
        }
        let partial = self.partial.get_or_insert_default();
        partial.is_in_frame = true;
        partial.frame = Frame {
            opcode: header.opcode.number(),
            is_final: header.is_final,
            mask: header.mask,
            come: 0,
            remaining: header.length,
        };
        let event = if header.length == 0 { self.end_frame() } else { None };
        Ok((taken, event))
    }

    /// What RFC 6455 §5 and RFC 7692 §6 ask of a frame that follows what came before.
    fn check(&self, header: &Header) -> Result<(), Refusal> {
        let fault = |what| Err(Refusal::Protocol(what));
        if header.is_reserved {
            return fault("a frame has a bit set that no extension uses");
        }
        if header.mask.is_some() != self.wants_mask {
            return fault(if self.wants_mask {
                "a frame of a client is not masked"
            } else {
                "a frame of a server is masked"
            });
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
            (Opcode::CONTINUATION, None) => return fault("a continuation frame continues no message"),
            (Opcode::CONTINUATION, _) if header.is_compressed => {
                return fault("a continuation frame says that it is compressed");
            }
            (Opcode::TEXT | Opcode::BINARY, None) if header.is_compressed && !self.may_compress => {
                return fault("a message is compressed, which was not agreed");
            }
            (Opcode::CONTINUATION, _) | (Opcode::TEXT | Opcode::BINARY, None) => {}
            (Opcode::TEXT | Opcode::BINARY, _) => return fault("a message begins before the last one has ended"),
            _ => return fault("a frame has an opcode that means nothing"),
        }
        let before = self.kept().saturating_sub(HEADER_BYTES);
        if header.length > (MAX_MESSAGE_BYTES - before) as u64 {
            return Err(Refusal::TooBig(MAX_MESSAGE_BYTES));
        }
        Ok(())
    }

    fn end_frame(&mut self) -> Option<Event<'static>> {
        let partial = self.partial.as_mut()?;
        partial.is_in_frame = false;
        let frame = partial.frame;
        if frame.opcode & 0x8 != 0 {
            let payload = std::mem::take(&mut partial.control);
            return Some(match frame.opcode {
                0x8 => Event::Close(payload),
                0x9 => Event::Ping(payload),
                _ => Event::Pong,
            });
        }
        if !frame.is_final {
            return None;
        }
        let kind = self.message.take()?;
        let mut whole = std::mem::take(&mut partial.begun);
        if whole.is_empty() {
            whole.extend_from_slice(&[0; HEADER_BYTES]);
        }
        Some(Event::Put(kind, whole))
    }
}

impl Partial {
    /// Takes what is there of the payload of the frame; how much that was.
    fn take_payload(&mut self, bytes: &[u8]) -> usize {
        let frame = &mut self.frame;
        let here = usize::try_from(frame.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        let into = if frame.opcode & 0x8 != 0 {
            &mut self.control
        } else {
            if self.begun.is_empty() {
                self.begun.extend_from_slice(&[0; HEADER_BYTES]);
            }
            &mut self.begun
        };
        let begin = into.len();
        into.extend_from_slice(&bytes[..here]);
        if let Some(mask) = frame.mask {
            unmask(&mut into[begin..], rotated(mask, frame.come));
        }
        frame.come += here as u64;
        frame.remaining -= here as u64;
        here
    }
}

/// The mask of a payload of which so much has come.
fn rotated(mask: [u8; 4], come: u64) -> [u8; 4] {
    // A mask has four bytes.
    #[allow(clippy::cast_possible_truncation)]
    let by = (come % 4) as usize;
    let mut mask = mask;
    mask.rotate_left(by);
    mask
}

/// RFC 6455 §5.3.
pub fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let [a, b, c, d] = mask;
    let wide = u64::from_ne_bytes([a, b, c, d, a, b, c, d]);
    let (eights, rest) = payload.as_chunks_mut::<8>();
    for eight in eights {
        *eight = (u64::from_ne_bytes(*eight) ^ wide).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
#[path = "assembler_tests.rs"]
pub(crate) mod tests;
