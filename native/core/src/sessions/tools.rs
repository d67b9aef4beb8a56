//! What the sessions of a loop share: a deflater, an inflater, and the memory of messages that are not dealt with.
//!
//! Law 1: a message is compressed and inflated by itself, so one of each serves all.
//! Law 2: what a script's sessions hold of messages, begun or not acknowledged, is bounded, and what all of a loop hold too.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use flate2::{Compress, Compression, Decompress, FlushCompress, Status};

use super::assembler::unmask;
use super::records::{HEADER_BYTES, MAX_MESSAGE_BYTES};
use crate::messages::{Refusal, inflate};

/// What the sessions of one script in one loop hold of messages from their peers: begun ones, and events not acknowledged.
pub const MAX_HELD_OF_SCRIPT_BYTES: usize = 128 * 1024 * 1024;
/// The same, of all scripts.
pub const MAX_HELD_BYTES: usize = 2 * MAX_HELD_OF_SCRIPT_BYTES;
/// What is kept of buffers between messages.
const KEPT_BYTES: usize = 64 * 1024;
/// What a compressed message leaves out (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// How much is held, and may be.
#[derive(Debug, Default)]
pub struct Budget {
    of_script: AtomicUsize,
    of_all: Arc<AtomicUsize>,
}

impl Budget {
    /// A script's, of a loop's.
    #[must_use]
    pub fn new(of_all: &Arc<AtomicUsize>) -> Self {
        Self {
            of_script: AtomicUsize::new(0),
            of_all: Arc::clone(of_all),
        }
    }

    /// What a script's sessions hold.
    #[must_use]
    pub fn of_script(&self) -> usize {
        self.of_script.load(Ordering::Relaxed)
    }

    /// True where nothing more may be held.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.of_script() >= MAX_HELD_OF_SCRIPT_BYTES || self.of_all.load(Ordering::Relaxed) >= MAX_HELD_BYTES
    }

    /// Whoever held `before` bytes holds `now` bytes from now on.
    pub fn change(&self, before: usize, now: usize) {
        for held in [&self.of_script, &*self.of_all] {
            if now > before {
                held.fetch_add(now - before, Ordering::Relaxed);
            } else {
                held.fetch_sub(before - now, Ordering::Relaxed);
            }
        }
    }
}

/// What messages are compressed and inflated with; nothing before the first.
#[derive(Default)]
pub struct Tools {
    deflater: Option<Compress>,
    inflater: Option<Decompress>,
    bytes: Vec<u8>,
}

impl fmt::Debug for Tools {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tools").finish_non_exhaustive()
    }
}

impl Tools {
    /// The payload, compressed; None where that makes it no shorter.
    ///
    /// A deflater that was stopped in the middle of a message is not used again: zlib-rs 0.6.8 does not forget with `reset` what it had not
    /// given out yet, which would spoil the next message or panic. To be undone once it does
    /// (`a_message_that_gets_no_shorter_leaves_nothing_in_the_next_one` tells).
    pub fn deflate(&mut self, payload: &[u8]) -> Option<&[u8]> {
        let deflater = self
            .deflater
            .get_or_insert_with(|| Compress::new(Compression::fast(), false));
        deflater.reset();
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        // As much as it may be and still be worth it, and the tail.
        self.bytes.reserve(payload.len() + TAIL.len());
        let mut rest = payload;
        loop {
            let read = deflater.total_in();
            let status = deflater.compress_vec(rest, &mut self.bytes, FlushCompress::Sync).ok()?;
            rest = &rest[usize::try_from(deflater.total_in() - read).ok()?..];
            if rest.is_empty() && self.bytes.len() < self.bytes.capacity() {
                break;
            }
            if status == Status::BufError || self.bytes.len() >= payload.len() + TAIL.len() {
                self.deflater = None;
                return None;
            }
        }
        let shorter = self.bytes.strip_suffix(&TAIL)?;
        (shorter.len() < payload.len()).then_some(shorter)
    }

    /// The payload of a compressed message that came masked, or not, behind [`HEADER_BYTES`] that are free.
    pub fn inflate(&mut self, compressed: &[u8], mask: Option<[u8; 4]>) -> Result<Vec<u8>, Refusal> {
        self.bytes.clear();
        self.bytes.shrink_to(KEPT_BYTES);
        self.bytes.extend_from_slice(compressed);
        if let Some(mask) = mask {
            unmask(&mut self.bytes, mask);
        }
        let mut record = vec![0; HEADER_BYTES];
        inflate(&mut self.inflater, &mut self.bytes, MAX_MESSAGE_BYTES, &mut record)?;
        Ok(record)
    }
}

#[cfg(test)]
#[path = "tools_tests.rs"]
mod tests;
