//! RFC 6455 §5.2: the frame header, and masking.
//!
//! Law 1: `parse(encode(h)) == h` for every header that the RFC allows.
//! Law 2: a header is parsed only when it is whole; how its bytes were cut does not matter.
//! Law 3: masking twice with the same key gives the bytes back, however the payload was cut.

use std::fmt;

/// The longest header: two bytes, a 64-bit length, a masking key.
pub const MAX_HEADER_BYTES: usize = 14;

/// The longest payload of a control frame (RFC 6455 §5.5).
pub const MAX_CONTROL_BYTES: usize = 125;

/// What the 7-bit length says when 16, or 64, bits of length follow.
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// The longest payload whose length fits in 16 bits.
const MAX_SHORT: u64 = u16::MAX as u64;

/// What a frame is (RFC 6455 §11.8). Reserved opcodes are refused by [`Header::parse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of the message that is under way.
    Continuation,
    /// The first frame of a text message.
    Text,
    /// The first frame of a binary message.
    Binary,
    /// The closing handshake.
    Close,
    /// To be answered by a pong with the same payload.
    Ping,
    /// The answer to a ping, or a heartbeat nobody asked for.
    Pong,
}

impl Opcode {
    fn from_bits(bits: u8) -> Option<Self> {
        Some(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xA => Self::Pong,
            _ => return None,
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xA,
        }
    }

    /// Close, ping or pong: may come between the fragments of a message.
    #[must_use]
    pub fn is_control(self) -> bool {
        self.bits() & 0x8 != 0
    }
}

/// Why a header is not one (RFC 6455 §5.2, §5.5). All are protocol errors: close code 1002.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameError {
    /// A reserved bit is set though no extension was negotiated.
    ReservedBits,
    /// The opcode is reserved.
    Opcode(u8),
    /// A control frame is fragmented or longer than 125 bytes.
    Control,
    /// The length is not in its shortest form, or its highest bit is set.
    Length,
}

impl fmt::Display for FrameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::ReservedBits => f.write_str("a reserved bit is set, but no extension was negotiated"),
            Self::Opcode(bits) => write!(f, "opcode {bits:#x} is reserved"),
            Self::Control => f.write_str("a control frame is fragmented or longer than 125 bytes"),
            Self::Length => f.write_str("a length is not in its shortest form"),
        }
    }
}

impl std::error::Error for FrameError {}

/// One frame header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// Whether this frame ends its message.
    pub fin: bool,
    /// What the frame is.
    pub opcode: Opcode,
    /// The masking key; a client always has one, a server never (RFC 6455 §5.1).
    pub mask: Option<[u8; 4]>,
    /// Payload length in bytes.
    pub length: u64,
}

impl Header {
    /// Read the header at the start of `bytes`: the header and its own length, or `None` if it is not all there yet.
    pub fn parse(bytes: &[u8]) -> Result<Option<(Self, usize)>, FrameError> {
        let [first, second, rest @ ..] = bytes else {
            return Ok(None);
        };
        if first & 0x70 != 0 {
            return Err(FrameError::ReservedBits);
        }
        let bits = first & 0x0F;
        let opcode = Opcode::from_bits(bits).ok_or(FrameError::Opcode(bits))?;
        let fin = first & 0x80 != 0;
        let short = second & 0x7F;
        if opcode.is_control() && (!fin || usize::from(short) > MAX_CONTROL_BYTES) {
            return Err(FrameError::Control);
        }
        let (length, rest) = match short {
            LENGTH_16 => {
                let Some((field, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u64::from(u16::from_be_bytes(*field)), rest)
            }
            LENGTH_64 => {
                let Some((field, rest)) = rest.split_first_chunk() else {
                    return Ok(None);
                };
                (u64::from_be_bytes(*field), rest)
            }
            _ => (u64::from(short), rest),
        };
        let shortest = match short {
            LENGTH_16 => length > 125,
            LENGTH_64 => length > MAX_SHORT && length >> 63 == 0,
            _ => true,
        };
        if !shortest {
            return Err(FrameError::Length);
        }
        let (mask, rest) = if second & 0x80 == 0 {
            (None, rest)
        } else {
            let Some((key, rest)) = rest.split_first_chunk() else {
                return Ok(None);
            };
            (Some(*key), rest)
        };
        Ok(Some((
            Self {
                fin,
                opcode,
                mask,
                length,
            },
            bytes.len() - rest.len(),
        )))
    }

    /// Append the header, with the length in its shortest form.
    pub fn encode(&self, out: &mut Vec<u8>) {
        let masked = if self.mask.is_some() { 0x80 } else { 0 };
        out.push(if self.fin { 0x80 } else { 0 } | self.opcode.bits());
        match self.length {
            0..=125 => out.push(masked | self.length.to_be_bytes()[7]),
            126..=MAX_SHORT => {
                out.push(masked | LENGTH_16);
                out.extend_from_slice(&self.length.to_be_bytes()[6..]);
            }
            _ => {
                out.push(masked | LENGTH_64);
                out.extend_from_slice(&self.length.to_be_bytes());
            }
        }
        if let Some(key) = self.mask {
            out.extend_from_slice(&key);
        }
    }
}

/// Append one whole frame whose payload is the concatenation of `parts`, masked if there is a key.
pub fn append(out: &mut Vec<u8>, opcode: Opcode, mask: Option<[u8; 4]>, parts: &[&[u8]]) {
    let length = parts.iter().map(|part| part.len() as u64).sum();
    Header {
        fin: true,
        opcode,
        mask,
        length,
    }
    .encode(out);
    let start = out.len();
    for part in parts {
        out.extend_from_slice(part);
    }
    if let Some(key) = mask {
        apply_mask(&mut out[start..], key);
    }
}

/// Mask, or unmask, `payload` in place (RFC 6455 §5.3). It must start at a multiple of 4 of the frame's payload,
/// or `key` be turned with [`turned`].
pub fn apply_mask(payload: &mut [u8], key: [u8; 4]) {
    let word = u64::from_ne_bytes([key[0], key[1], key[2], key[3], key[0], key[1], key[2], key[3]]);
    let (words, tail) = payload.as_chunks_mut::<8>();
    for chunk in words {
        *chunk = (u64::from_ne_bytes(*chunk) ^ word).to_ne_bytes();
    }
    for (byte, key) in tail.iter_mut().zip(word.to_ne_bytes()) {
        *byte ^= key;
    }
}

/// The key as it stands after `by` bytes of payload.
#[must_use]
pub fn turned(mut key: [u8; 4], by: usize) -> [u8; 4] {
    key.rotate_left(by % 4);
    key
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn opcodes() -> impl Strategy<Value = Opcode> {
        prop::sample::select(vec![
            Opcode::Continuation,
            Opcode::Text,
            Opcode::Binary,
            Opcode::Close,
            Opcode::Ping,
            Opcode::Pong,
        ])
    }

    prop_compose! {
        fn headers()(
            opcode in opcodes(),
            fin in any::<bool>(),
            mask in any::<Option<[u8; 4]>>(),
            length in prop_oneof![0..=125u64, 126..=0xFFFFu64, 0x1_0000..=u64::MAX >> 1],
        ) -> Header {
            let (fin, length) = if opcode.is_control() { (true, length % 126) } else { (fin, length) };
            Header { fin, opcode, mask, length }
        }
    }

    proptest! {
        #[test]
        fn a_header_survives_the_wire(header in headers(), trailing in any::<Vec<u8>>()) {
            let mut wire = Vec::new();
            header.encode(&mut wire);
            let size = wire.len();
            prop_assert!(size <= MAX_HEADER_BYTES);
            for cut in 0..size {
                prop_assert_eq!(Header::parse(&wire[..cut]), Ok(None), "cut at {}", cut);
            }
            wire.extend(trailing);
            prop_assert_eq!(Header::parse(&wire), Ok(Some((header, size))));
        }

        #[test]
        fn no_input_panics_and_a_header_never_claims_more_bytes_than_there_are(bytes in any::<Vec<u8>>()) {
            if let Ok(Some((_, size))) = Header::parse(&bytes) {
                prop_assert!(size <= bytes.len());
            }
        }

        #[test]
        fn masking_is_the_same_however_the_payload_is_cut(
            payload in any::<Vec<u8>>(), key in any::<[u8; 4]>(), cut in any::<prop::sample::Index>(),
        ) {
            let expected: Vec<u8> =
                payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect();
            let cut = if payload.is_empty() { 0 } else { cut.index(payload.len()) };
            let mut masked = payload.clone();
            let (head, tail) = masked.split_at_mut(cut);
            apply_mask(head, key);
            apply_mask(tail, turned(key, cut));
            prop_assert_eq!(&masked, &expected);
            apply_mask(&mut masked, key);
            prop_assert_eq!(masked, payload);
        }
    }

    #[test]
    fn what_the_rfc_forbids_is_refused() {
        let cases: [(&[u8], FrameError); 7] = [
            (&[0xC2, 0x00], FrameError::ReservedBits),
            (&[0x83, 0x00], FrameError::Opcode(3)),
            (&[0x8B, 0x00], FrameError::Opcode(0xB)),
            (&[0x09, 0x00], FrameError::Control),
            (&[0x88, 0x7E, 0x00, 0x7E], FrameError::Control),
            (&[0x82, 0x7E, 0x00, 0x7D], FrameError::Length),
            (&[0x82, 0x7F, 0x80, 0, 0, 0, 0, 0, 0, 0], FrameError::Length),
        ];
        for (bytes, error) in cases {
            assert_eq!(Header::parse(bytes), Err(error), "{bytes:02x?}");
        }
    }

    #[test]
    fn the_rfcs_masked_hello_is_reproduced() {
        // RFC 6455 §5.7, second example.
        let mut wire = Vec::new();
        append(
            &mut wire,
            Opcode::Text,
            Some([0x37, 0xfa, 0x21, 0x3d]),
            &[b"Hel", b"lo"],
        );
        assert_eq!(wire, [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58]);
    }
}
