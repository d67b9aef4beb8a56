//! Messages in, frames out: what a session sends.
//!
//! Law 1: a message is one frame; each is compressed by itself (RFC 7692 §7.1.1), where that was agreed and makes it shorter.
//! Law 2: what goes to many is made once for all that get the same.

use bytes::Bytes;

use super::assembler::unmask;
use super::tools::Tools;
use crate::chance::random_bytes;

const FIN: u8 = 0x80;
const COMPRESSED: u8 = 0x40;
const MASKED: u8 = 0x80;
/// RFC 6455 §5.2: what stands in the place of a length that follows.
const LENGTH_OF_16_BITS: u8 = 0x7E;
const LENGTH_OF_64_BITS: u8 = 0x7F;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PONG: u8 = 0xA;
/// Up to which length it may take its time from the other sessions of the loop: some milliseconds.
const COMPRESS_UP_TO: usize = 1024 * 1024;
/// RFC 6455 §5.5, less the code.
const MAX_REASON_BYTES: usize = 123;
/// From which length on it is worth a try; the smallest that is commonly made shorter. Others begin at 1 KiB (npm `ws`).
const COMPRESS_FROM: usize = 128;

/// How the frames of a session are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Way {
    /// As a client's (RFC 6455 §5.3).
    pub is_masked: bool,
    /// permessage-deflate is agreed.
    pub may_compress: bool,
}

/// What compressing a message has given.
#[derive(Debug)]
enum Compressed {
    NotTried,
    Frame(Bytes),
    NoShorter,
}

/// A message that goes out, to one or to many.
#[derive(Debug)]
pub struct Message<'a> {
    is_text: bool,
    payload: &'a [u8],
    plain: Option<Bytes>,
    compressed: Compressed,
}

impl<'a> Message<'a> {
    /// A message with this payload.
    #[must_use]
    pub fn new(is_text: bool, payload: &'a [u8]) -> Self {
        Self {
            is_text,
            payload,
            plain: None,
            compressed: Compressed::NotTried,
        }
    }

    /// How long its payload is.
    #[must_use]
    pub fn len(&self) -> usize {
        self.payload.len()
    }

    /// True where it says nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.payload.is_empty()
    }

    /// Its frame, to be held by many.
    pub fn shared(&mut self, way: Way, tools: &mut Tools) -> Bytes {
        if way.is_masked {
            let mut frame = Vec::new();
            self.write(way, tools, &mut frame);
            return frame.into();
        }
        if way.may_compress {
            if matches!(self.compressed, Compressed::NotTried) {
                let mut frame = Vec::new();
                self.compressed = if self.write_compressed(false, tools, &mut frame) {
                    Compressed::Frame(frame.into())
                } else {
                    Compressed::NoShorter
                };
            }
            if let Compressed::Frame(frame) = &self.compressed {
                return frame.clone();
            }
        }
        if let Some(frame) = &self.plain {
            return frame.clone();
        }
        let mut frame = Vec::with_capacity(self.payload.len() + 10);
        write_frame(&mut frame, FIN | self.opcode(), self.payload, None);
        let frame = Bytes::from(frame);
        self.plain = Some(frame.clone());
        frame
    }

    /// Appends its frame to `out`.
    pub fn write(&self, way: Way, tools: &mut Tools, out: &mut Vec<u8>) {
        if way.may_compress && self.write_compressed(way.is_masked, tools, out) {
            return;
        }
        let mask = way.is_masked.then(random_bytes);
        write_frame(out, FIN | self.opcode(), self.payload, mask);
    }

    /// The same, compressed. False where it does not get shorter.
    fn write_compressed(&self, is_masked: bool, tools: &mut Tools, out: &mut Vec<u8>) -> bool {
        if !(COMPRESS_FROM..=COMPRESS_UP_TO).contains(&self.payload.len()) {
            return false;
        }
        let Some(shorter) = tools.deflate(self.payload) else {
            return false;
        };
        write_frame(
            out,
            FIN | COMPRESSED | self.opcode(),
            shorter,
            is_masked.then(random_bytes),
        );
        true
    }

    fn opcode(&self) -> u8 {
        if self.is_text { TEXT } else { BINARY }
    }
}

/// Appends the Pong that answers a Ping.
pub fn write_pong(payload: &[u8], is_masked: bool, out: &mut Vec<u8>) {
    write_frame(out, FIN | PONG, payload, is_masked.then(random_bytes));
}

/// Appends a Close; code 0 is one without. A reason that is too long is cut, between two characters.
pub fn write_close(code: u16, reason: &str, is_masked: bool, out: &mut Vec<u8>) {
    let mut payload = Vec::new();
    if code != 0 {
        payload.extend_from_slice(&code.to_be_bytes());
        payload.extend_from_slice(&reason.as_bytes()[..reason.floor_char_boundary(MAX_REASON_BYTES)]);
    }
    write_frame(out, FIN | CLOSE, &payload, is_masked.then(random_bytes));
}

fn write_frame(out: &mut Vec<u8>, first: u8, payload: &[u8], mask: Option<[u8; 4]>) {
    let masked = if mask.is_some() { MASKED } else { 0 };
    out.push(first);
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(len), _) if len < 126 => out.push(masked | len),
        (_, Ok(len)) => {
            out.push(masked | LENGTH_OF_16_BITS);
            out.extend_from_slice(&len.to_be_bytes());
        }
        _ => {
            out.push(masked | LENGTH_OF_64_BITS);
            out.extend_from_slice(&(payload.len() as u64).to_be_bytes());
        }
    }
    out.extend(mask.into_iter().flatten());
    let begin = out.len();
    out.extend_from_slice(payload);
    if let Some(mask) = mask {
        unmask(&mut out[begin..], mask);
    }
}

#[cfg(test)]
#[path = "outgoing_tests.rs"]
mod tests;
