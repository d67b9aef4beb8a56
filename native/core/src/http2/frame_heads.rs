//! Walks along the frames of one direction of a connection (RFC 9113 §4.1) and tells what each begins with. Bytes in, values out.
//!
//! Law: what is told does not depend on how the bytes are cut, and costs no memory but the head that is under way.

/// Kinds of frames (RFC 9113 §6) that are looked at.
pub(super) const HEADERS: u8 = 1;
pub(super) const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
pub(super) const PING: u8 = 6;

/// Length, kind, flags, stream.
const HEAD_BYTES: usize = 9;
/// What else is told: an error code, where the frame is of a kind that begins with one.
const CODE_BYTES: usize = 4;
/// What a client sends before its first frame (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// What a frame begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct FrameHead {
    pub(super) kind: u8,
    /// The first four bytes of what it carries; 0 where it has fewer.
    pub(super) code: u32,
}

/// Where the walk is.
#[derive(Debug)]
pub(super) struct FrameHeads {
    head: [u8; HEAD_BYTES + CODE_BYTES],
    have: usize,
    /// Bytes to be passed by before the next head.
    skip: usize,
}

impl FrameHeads {
    pub(super) fn of_client() -> Self {
        Self {
            skip: PREFACE_BYTES,
            ..Self::of_server()
        }
    }

    pub(super) fn of_server() -> Self {
        Self {
            head: [0; HEAD_BYTES + CODE_BYTES],
            have: 0,
            skip: 0,
        }
    }

    /// Goes on along `bytes`; `tell` is told of each frame as soon as its beginning is there.
    pub(super) fn walk(&mut self, mut bytes: &[u8], mut tell: impl FnMut(FrameHead)) {
        loop {
            let passed = self.skip.min(bytes.len());
            self.skip -= passed;
            bytes = &bytes[passed..];
            if bytes.is_empty() {
                return;
            }
            let taken = (self.wanted() - self.have).min(bytes.len());
            self.head[self.have..self.have + taken].copy_from_slice(&bytes[..taken]);
            self.have += taken;
            bytes = &bytes[taken..];
            // Twice: with the length it is known how much more is wanted.
            if self.have == self.wanted() {
                self.skip = self.length() - (self.have - HEAD_BYTES);
                tell(self.told());
                self.have = 0;
            }
        }
    }

    fn wanted(&self) -> usize {
        if self.have < HEAD_BYTES {
            HEAD_BYTES
        } else {
            HEAD_BYTES + self.length().min(CODE_BYTES)
        }
    }

    fn length(&self) -> usize {
        let [high, middle, low, ..] = self.head;
        usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low)
    }

    fn told(&self) -> FrameHead {
        let has_code = self.have == HEAD_BYTES + CODE_BYTES;
        let [.., a, b, c, d] = self.head;
        FrameHead {
            kind: self.head[3],
            code: if has_code { u32::from_be_bytes([a, b, c, d]) } else { 0 },
        }
    }
}

#[cfg(test)]
#[path = "frame_heads_tests.rs"]
mod tests;
