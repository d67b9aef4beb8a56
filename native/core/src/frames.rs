//! Walk the frame headers of one direction of a WebSocket (RFC 6455 §5.2) without keeping its payload.
//!
//! Law 1: bytes go in, positions and counts come out. No socket, no clock, nothing is copied but a Close payload.
//! Law 2: any chopping of the input gives the same counts and the same boundaries.
//! Law 3: the walker judges nothing. The two ends do; an illegal frame passes through and is counted by its opcode.
//! Law 4: who looks before letting pass (`look`, `pass_frame`, `pass_payload`) holds a header back until it is whole; what is
//!        held has not been counted, and the direction still stands on the boundary before it.
//! Law 5: a length it cannot follow (RFC 6455 §5.2: the top bit of a 64-bit length is 0) ends the walk: `is_lost`
//!        is true, bytes are still counted, and nothing may be inserted any more.

mod header;
mod look;
mod own;

pub use header::{Header, Opcode};
pub use look::Sight;
pub use own::{PING_BYTES, write_close, write_ping};

/// Longest frame header: 2 bytes, a 64-bit length, a mask.
pub const MAX_HEADER_BYTES: usize = 14;
/// Longest that is held back: the header of a Pong and its mask, and a payload that may be for us.
const MAX_HELD_BYTES: usize = 6 + PING_BYTES;
/// RFC 6455 §5.5: a control frame carries at most 125 bytes.
pub const MAX_CONTROL_PAYLOAD_BYTES: usize = 125;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;
const CONTROL: u8 = 0x08;

const CONTINUATION: u8 = 0x0;
const TEXT: u8 = 0x1;
const BINARY: u8 = 0x2;
const CLOSE: u8 = 0x8;
const PING: u8 = 0x9;
const PONG: u8 = 0xA;

/// What has passed in one direction. A message is counted when all of its last frame has passed, a control or reserved
/// frame when its header has, and payload bytes as they pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// All bytes of the direction, frame headers included.
    pub bytes: u64,
    /// Complete text messages.
    pub text_messages: u64,
    /// Complete binary messages.
    pub binary_messages: u64,
    /// Payload bytes of text messages, as on the wire (compressed where the two ends compress).
    pub text_bytes: u64,
    /// Payload bytes of binary messages, likewise.
    pub binary_bytes: u64,
    /// Ping frames.
    pub pings: u64,
    /// Pong frames.
    pub pongs: u64,
    /// Close frames.
    pub closes: u64,
    /// Payload bytes of control frames, those with a reserved opcode (0xB to 0xF) too.
    pub control_bytes: u64,
    /// Frames with an opcode RFC 6455 §5.2 reserves. The payload of 0x3 to 0x7 is of no message: it is in `bytes` only.
    pub reserved_frames: u64,
}

/// The first Close frame of a direction.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Close {
    payload: Vec<u8>,
    is_complete: bool,
}

impl Close {
    /// The close code; None for a Close without one (RFC 6455 §7.1.5: then the code is 1005), or one still arriving.
    #[must_use]
    pub fn code(&self) -> Option<u16> {
        match self.payload[..] {
            [high, low, ..] if self.is_complete => Some(u16::from_be_bytes([high, low])),
            _ => None,
        }
    }

    /// The reason, with anything that is not UTF-8 replaced.
    #[must_use]
    pub fn reason(&self) -> String {
        String::from_utf8_lossy(self.payload.get(2..).unwrap_or_default()).into_owned()
    }
}

/// What the frame being walked is, so far as the walk needs it.
#[derive(Clone, Copy, Debug)]
struct Frame {
    opcode: u8,
    is_final: bool,
    mask: Option<[u8; 4]>,
}

impl Frame {
    fn is_of_message(self) -> bool {
        self.opcode <= BINARY
    }
}

/// What has passed of messages.
#[derive(Debug, Default)]
struct Passed {
    bytes: u64,
    text_messages: u64,
    binary_messages: u64,
    text_bytes: u64,
    binary_bytes: u64,
}

/// What has passed of other frames, which many a direction has none of.
#[derive(Debug, Default)]
struct Others {
    pings: u64,
    pongs: u64,
    closes: u64,
    control_bytes: u64,
    reserved_frames: u64,
    close: Option<Close>,
}

/// Walks one direction. Small on purpose: an idle tunnel holds two.
#[derive(Debug)]
pub struct Walker {
    passed: Passed,
    others: Option<Box<Others>>,
    /// Payload bytes of the current frame that have not passed yet.
    remaining: u64,
    frame: Frame,
    /// TEXT or BINARY: the opcode of the message a continuation belongs to.
    message: u8,
    /// The beginning of a frame, while it is incomplete or held.
    header: [u8; MAX_HELD_BYTES],
    header_len: u8,
    /// How much of it has passed.
    header_passed: u8,
    is_lost: bool,
}

impl Default for Walker {
    fn default() -> Self {
        Self::new()
    }
}

impl Walker {
    /// A walker at the first byte after the 101.
    #[must_use]
    pub fn new() -> Self {
        Self {
            passed: Passed::default(),
            others: None,
            remaining: 0,
            frame: Frame {
                opcode: CONTINUATION,
                is_final: false,
                mask: None,
            },
            message: TEXT,
            header: [0; MAX_HELD_BYTES],
            header_len: 0,
            header_passed: 0,
            is_lost: false,
        }
    }

    /// Walks over all of `bytes`, and over what was held.
    pub fn walk(&mut self, bytes: &[u8]) {
        if self.holds() {
            self.let_go();
        }
        let mut at = 0;
        while at < bytes.len() {
            at += self.step(&bytes[at..]);
        }
    }

    /// Walks to the next frame boundary, or to the end of `bytes`. Returns how many bytes that were: 0 on a boundary.
    ///
    /// Something held stands on a boundary, so nothing is walked then.
    pub fn walk_to_boundary(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() && !self.is_at_boundary() {
            at += self.step(&bytes[at..]);
        }
        at
    }

    /// True between two frames: a control frame of ours may be inserted here.
    ///
    /// RFC 6455 §5.5: control frames may come between the fragments of a message, so this need not be a message's end.
    #[must_use]
    pub fn is_at_boundary(&self) -> bool {
        self.remaining == 0 && self.header_passed == 0 && !self.is_lost
    }

    /// True between the first byte of a frame and its last, whether they passed or are held.
    #[must_use]
    pub fn is_in_frame(&self) -> bool {
        self.remaining > 0 || self.header_len > 0
    }

    /// True while something is held back.
    #[must_use]
    pub fn holds(&self) -> bool {
        self.header_len > self.header_passed
    }

    /// True once a length could not be followed.
    #[must_use]
    pub fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// The counts so far.
    #[must_use]
    pub fn counts(&self) -> Counts {
        let Passed {
            bytes,
            text_messages,
            binary_messages,
            text_bytes,
            binary_bytes,
        } = self.passed;
        let of = |of: fn(&Others) -> u64| self.others.as_deref().map_or(0, of);
        Counts {
            bytes,
            text_messages,
            binary_messages,
            text_bytes,
            binary_bytes,
            pings: of(|others| others.pings),
            pongs: of(|others| others.pongs),
            closes: of(|others| others.closes),
            control_bytes: of(|others| others.control_bytes),
            reserved_frames: of(|others| others.reserved_frames),
        }
    }

    /// The first Close frame, once all of it has passed.
    #[must_use]
    pub fn close(&self) -> Option<&Close> {
        let close = self.others.as_deref()?.close.as_ref();
        close.filter(|close| close.is_complete)
    }

    /// Takes a piece of a header or of a payload; returns its length, at least 1 for a non-empty input.
    fn step(&mut self, bytes: &[u8]) -> usize {
        if self.is_lost {
            self.passed.bytes += bytes.len() as u64;
            return bytes.len();
        }
        if self.remaining > 0 {
            return self.walk_payload(bytes);
        }
        if self.header_len == 0 {
            // The common case: the whole header is here, and need not be put together first.
            if let Some(header_len) = header_bytes(bytes).filter(|len| *len <= bytes.len()) {
                self.passed.bytes += header_len as u64;
                self.begin_frame(&bytes[..header_len]);
                return header_len;
            }
        }
        self.gather_header(bytes)
    }

    fn gather_header(&mut self, bytes: &[u8]) -> usize {
        let mut taken = 0;
        while taken < bytes.len() {
            self.header[usize::from(self.header_len)] = bytes[taken];
            self.header_len += 1;
            taken += 1;
            let have = usize::from(self.header_len);
            if header_bytes(&self.header[..have]) == Some(have) {
                let header = self.header;
                self.header_len = 0;
                self.header_passed = 0;
                self.passed.bytes += taken as u64;
                self.begin_frame(&header[..have]);
                return taken;
            }
        }
        self.header_passed = self.header_len;
        self.passed.bytes += taken as u64;
        taken
    }

    fn begin_frame(&mut self, header: &[u8]) {
        let (first, second) = (header[0], header[1]);
        let is_masked = second & MASKED != 0;
        let mask_at = header.len() - if is_masked { 4 } else { 0 };
        let length = match header[2..mask_at] {
            [] => u64::from(second & !MASKED),
            [high, low] => u64::from(u16::from_be_bytes([high, low])),
            ref long => long.iter().fold(0, |sum, byte| sum << 8 | u64::from(*byte)),
        };
        if length > u64::MAX >> 1 {
            self.is_lost = true;
            return;
        }
        self.frame = Frame {
            opcode: first & 0x0F,
            is_final: first & FIN != 0,
            mask: header[mask_at..].try_into().ok(),
        };
        self.remaining = length;
        self.count_frame();
        if self.frame.opcode == CLOSE {
            self.begin_close();
        }
        if length == 0 {
            self.end_frame();
        }
    }

    fn count_frame(&mut self) {
        match self.frame.opcode {
            TEXT | BINARY => self.message = self.frame.opcode,
            CONTINUATION => {}
            other => {
                let others = self.others.get_or_insert_default();
                match other {
                    CLOSE => others.closes += 1,
                    PING => others.pings += 1,
                    PONG => others.pongs += 1,
                    _ => others.reserved_frames += 1,
                }
            }
        }
    }

    fn end_frame(&mut self) {
        if self.frame.is_final && self.frame.is_of_message() {
            match self.message {
                BINARY => self.passed.binary_messages += 1,
                _ => self.passed.text_messages += 1,
            }
        }
    }

    fn begin_close(&mut self) {
        let is_complete = self.remaining == 0;
        let close = &mut self.others.get_or_insert_default().close;
        close.get_or_insert(Close {
            payload: Vec::new(),
            is_complete,
        });
    }

    fn walk_payload(&mut self, bytes: &[u8]) -> usize {
        let here = usize::try_from(self.remaining).map_or(bytes.len(), |remaining| remaining.min(bytes.len()));
        let passed = here as u64;
        self.passed.bytes += passed;
        match self.frame.opcode {
            opcode if opcode & CONTROL != 0 => self.others.get_or_insert_default().control_bytes += passed,
            _ if !self.frame.is_of_message() => {}
            _ if self.message == BINARY => self.passed.binary_bytes += passed,
            _ => self.passed.text_bytes += passed,
        }
        self.remaining -= passed;
        if self.frame.opcode == CLOSE {
            self.keep_close(&bytes[..here]);
        }
        if self.remaining == 0 {
            self.end_frame();
        }
        here
    }

    fn keep_close(&mut self, bytes: &[u8]) {
        let close = self.others.as_mut().and_then(|others| others.close.as_mut());
        let Some(close) = close.filter(|close| !close.is_complete) else {
            return;
        };
        let room = MAX_CONTROL_PAYLOAD_BYTES.saturating_sub(close.payload.len());
        for byte in bytes.iter().take(room) {
            let key = self.frame.mask.map_or(0, |mask| mask[close.payload.len() % 4]);
            close.payload.push(byte ^ key);
        }
        close.is_complete = self.remaining == 0;
    }
}

/// How long the header is that starts `bytes`; None while too little of it is there to tell.
fn header_bytes(bytes: &[u8]) -> Option<usize> {
    let second = *bytes.get(1)?;
    let extended = match second & !MASKED {
        126 => 2,
        127 => 8,
        _ => 0,
    };
    Some(2 + extended + if second & MASKED != 0 { 4 } else { 0 })
}

#[cfg(test)]
#[path = "frames_tests.rs"]
mod tests;
