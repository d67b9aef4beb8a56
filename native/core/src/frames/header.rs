//! The header of one frame, read as a whole (RFC 6455 §5.2).

use super::{CLOSE, CONTROL, FIN, PING, PONG, header_bytes};

const COMPRESSED: u8 = 0x40;
const RESERVED: u8 = 0x30;

/// What kind of frame it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opcode(u8);

impl Opcode {
    /// More of the message that is under way.
    pub const CONTINUATION: Self = Self(super::CONTINUATION);
    /// A text message begins.
    pub const TEXT: Self = Self(super::TEXT);
    /// A binary message begins.
    pub const BINARY: Self = Self(super::BINARY);

    /// As it is on the wire.
    #[must_use]
    pub fn number(self) -> u8 {
        self.0
    }

    /// Whether it is of no message (§5.5).
    #[must_use]
    pub fn is_control(self) -> bool {
        self.0 & CONTROL != 0
    }

    /// Whether it carries a part of a message.
    #[must_use]
    pub fn is_of_message(self) -> bool {
        self.0 <= super::BINARY
    }

    /// Whether a message begins with it.
    #[must_use]
    pub fn begins_message(self) -> bool {
        matches!(self.0, super::TEXT | super::BINARY)
    }

    /// Whether it is a control frame that means something.
    #[must_use]
    pub fn is_known_control(self) -> bool {
        matches!(self.0, CLOSE | PING | PONG)
    }
}

/// A frame's header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    /// What kind of frame it is.
    pub opcode: Opcode,
    /// Whether its message ends with it.
    pub is_final: bool,
    /// RSV1: with permessage-deflate, that the message is compressed (RFC 7692 §6).
    pub is_compressed: bool,
    /// RSV2 or RSV3, which no extension that we know uses.
    pub is_reserved: bool,
    /// What its payload is masked with.
    pub mask: Option<[u8; 4]>,
    /// How long its payload is, in bytes.
    pub length: u64,
    /// How long it is itself.
    pub len: usize,
}

impl Header {
    /// Reads the header that starts `bytes`; None while not all of it is there.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Self> {
        let len = header_bytes(bytes)?;
        let header = bytes.get(..len)?;
        let (first, second) = (header[0], header[1]);
        let mask_at = len - if second & super::MASKED == 0 { 0 } else { 4 };
        Some(Self {
            opcode: Opcode(first & 0x0F),
            is_final: first & FIN != 0,
            is_compressed: first & COMPRESSED != 0,
            is_reserved: first & RESERVED != 0,
            mask: header[mask_at..].try_into().ok(),
            length: match header[2..mask_at] {
                [] => u64::from(second & !super::MASKED),
                ref long => long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
            },
            len,
        })
    }
}
