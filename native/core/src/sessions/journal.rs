//! The events of a session that its script's process has not acknowledged, as the records they are sent in.
//!
//! Law 1: events are sent in order, and kept until they are acknowledged; after a [`Journal::rewind`] they are sent again.
//! Law 2: nothing is acknowledged that has not been sent.
//! Law 3: an empty journal owns nothing.

use std::collections::VecDeque;

use bytes::Bytes;

use super::queue::{Queue, SHARED_FROM};
use super::records::{HEADER_BYTES, Head};

/// Beyond so many bytes, or events, a session takes nothing more from its peer. One message may be longer.
pub const MAX_BYTES: usize = 1024 * 1024;
/// See [`MAX_BYTES`].
pub const MAX_EVENTS: u32 = 1024;
/// How many bytes of short records are kept in one place.
const TOGETHER: usize = 32 * 1024;

#[derive(Debug)]
enum Piece {
    /// Short records, one behind the other.
    Records(Vec<u8>),
    /// A long one.
    Record(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Records(bytes) => bytes,
            Self::Record(bytes) => bytes,
        }
    }
}

/// Events that are kept.
#[derive(Debug, Default)]
struct Kept {
    pieces: VecDeque<Piece>,
    /// How much of the first piece is acknowledged.
    done: usize,
    bytes: usize,
    /// How many events there are, and how many of them, from the first on, have been sent.
    events: u32,
    sent: u32,
    /// Where the first begins that has not been: the piece, and the place in it.
    next: (usize, usize),
}

/// What is not acknowledged.
#[derive(Debug)]
pub struct Journal {
    kept: Option<Box<Kept>>,
    first_seq: u32,
}

impl Default for Journal {
    fn default() -> Self {
        Self {
            kept: None,
            first_seq: 1,
        }
    }
}

impl Journal {
    /// Bytes of records that are kept.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.kept.as_ref().map_or(0, |kept| kept.bytes)
    }

    /// Events that are kept.
    #[must_use]
    pub fn events(&self) -> u32 {
        self.kept.as_ref().map_or(0, |kept| kept.events)
    }

    /// True where more may come.
    #[must_use]
    pub fn has_room(&self) -> bool {
        self.bytes() < MAX_BYTES && self.events() < MAX_EVENTS
    }

    /// True where something has not been sent.
    #[must_use]
    pub fn has_unsent(&self) -> bool {
        self.kept.as_ref().is_some_and(|kept| kept.sent < kept.events)
    }

    /// The number of the first event that is not acknowledged, or that comes next.
    #[must_use]
    pub fn first_seq(&self) -> u32 {
        self.first_seq
    }

    /// Adds an event, whose payload `write` appends; none where that refuses.
    pub fn add<E>(&mut self, kind: u8, sid: u64, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        let seq = self.next_seq();
        let kept = self.kept.get_or_insert_default();
        if !matches!(kept.pieces.back(), Some(Piece::Records(last)) if last.len() < TOGETHER) {
            kept.pieces.push_back(Piece::Records(Vec::new()));
        }
        let Some(Piece::Records(last)) = kept.pieces.back_mut() else {
            unreachable!("it was added just now");
        };
        let begin = last.len();
        last.extend_from_slice(&[0; HEADER_BYTES]);
        if let Err(error) = write(last) {
            last.truncate(begin);
            if kept.events == 0 {
                self.kept = None;
            }
            return Err(error);
        }
        let head = Head {
            seq,
            ..Head::of(kind, sid)
        };
        let header = head.to_bytes(last.len() - begin - HEADER_BYTES);
        last[begin..begin + HEADER_BYTES].copy_from_slice(&header);
        kept.bytes += last.len() - begin;
        kept.events += 1;
        Ok(())
    }

    /// Adds an event whose payload is whole, behind [`HEADER_BYTES`] that are free.
    pub fn add_record(&mut self, kind: u8, sid: u64, mut record: Vec<u8>) {
        if record.len() < SHARED_FROM {
            let added: Result<(), ()> = self.add(kind, sid, |last| {
                last.extend_from_slice(&record[HEADER_BYTES..]);
                Ok(())
            });
            debug_assert!(added.is_ok());
            return;
        }
        let head = Head {
            seq: self.next_seq(),
            ..Head::of(kind, sid)
        };
        let header = head.to_bytes(record.len() - HEADER_BYTES);
        record[..HEADER_BYTES].copy_from_slice(&header);
        let kept = self.kept.get_or_insert_default();
        kept.bytes += record.len();
        kept.events += 1;
        kept.pieces.push_back(Piece::Record(record.into()));
    }

    fn next_seq(&self) -> u32 {
        self.first_seq.wrapping_add(self.events())
    }

    /// Sends what has not been.
    pub fn send(&mut self, out: &mut Queue) {
        let Some(kept) = &mut self.kept else { return };
        let (piece, mut at) = kept.next;
        for bytes in kept.pieces.range(piece..) {
            match bytes {
                Piece::Records(records) => out.push(&records[at..]),
                Piece::Record(record) if at == 0 => out.push_shared(record),
                Piece::Record(_) => {}
            }
            at = 0;
        }
        kept.sent = kept.events;
        let last = kept.pieces.len().saturating_sub(1);
        kept.next = (last, kept.pieces.back().map_or(0, |piece| piece.bytes().len()));
    }

    /// Everything that is kept is to be sent again.
    pub fn rewind(&mut self) {
        if let Some(kept) = &mut self.kept {
            kept.sent = 0;
            kept.next = (0, kept.done);
        }
    }

    /// Events up to this one are done with. What has not been sent is not.
    pub fn acknowledge(&mut self, seq: u32) {
        let count = seq.wrapping_sub(self.first_seq).wrapping_add(1);
        // Whoever says an older one again says one from the other half of the numbers.
        let Some(kept) = self.kept.as_mut().filter(|kept| count <= kept.sent) else {
            return;
        };
        self.first_seq = self.first_seq.wrapping_add(count);
        if count == kept.events {
            self.kept = None;
            return;
        }
        for _ in 0..count {
            kept.forget_first();
        }
        kept.events -= count;
        kept.sent -= count;
    }

    /// Forgets all; what comes from now on has the next number.
    pub fn clear(&mut self) {
        *self = Self {
            kept: None,
            first_seq: self.next_seq(),
        };
    }
}

impl Kept {
    fn forget_first(&mut self) {
        while self.pieces.len() > 1 && self.pieces[0].bytes().len() == self.done {
            self.pieces.pop_front();
            self.done = 0;
            self.next = match self.next {
                (0, _) => (0, 0),
                (piece, at) => (piece - 1, at),
            };
        }
        let Some(first) = self.pieces.front() else { return };
        let Some((_, payload)) = Head::read(&first.bytes()[self.done..]) else {
            return;
        };
        let len = HEADER_BYTES + payload;
        self.bytes -= len;
        self.done += len;
    }
}

#[cfg(test)]
#[path = "journal_tests.rs"]
mod tests;
