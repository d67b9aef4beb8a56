//! Bytes that wait to go out, in order: what is short is put together, what is long, or for many, is shared.
//!
//! Law: an empty queue owns nothing.

use std::collections::VecDeque;

use bytes::Bytes;

/// From which length on a piece is worth a place of its own.
pub const SHARED_FROM: usize = 4 * 1024;
/// How much is put together in one place.
const PUT_TOGETHER: usize = 64 * 1024;

#[derive(Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Bytes),
}

impl Piece {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

#[derive(Debug, Default)]
struct Waiting {
    pieces: VecDeque<Piece>,
    /// How much of the first piece has gone.
    gone: usize,
    /// Not 0.
    len: usize,
}

/// Bytes that wait.
#[derive(Debug, Default)]
pub struct Queue {
    waiting: Option<Box<Waiting>>,
}

impl Queue {
    /// How many bytes wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.waiting.as_ref().map_or(0, |waiting| waiting.len)
    }

    /// True where nothing waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.waiting.is_none()
    }

    /// Adds a copy of these bytes.
    pub fn push(&mut self, bytes: &[u8]) {
        self.write(|last| last.extend_from_slice(bytes));
    }

    /// Adds what is written to the end of the buffer that is given.
    pub fn write<T>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> T) -> T {
        let waiting = self.waiting.get_or_insert_default();
        if !matches!(waiting.pieces.back(), Some(Piece::Own(last)) if last.len() < PUT_TOGETHER) {
            waiting.pieces.push_back(Piece::Own(Vec::new()));
        }
        let Some(Piece::Own(last)) = waiting.pieces.back_mut() else {
            unreachable!("it was added just now");
        };
        let before = last.len();
        let written = write(last);
        waiting.len += last.len() - before;
        if waiting.len == 0 {
            self.waiting = None;
        }
        written
    }

    /// Adds bytes that others may hold too.
    pub fn push_shared(&mut self, bytes: &Bytes) {
        if bytes.len() < SHARED_FROM {
            return self.push(bytes);
        }
        let waiting = self.waiting.get_or_insert_default();
        waiting.len += bytes.len();
        waiting.pieces.push_back(Piece::Shared(bytes.clone()));
    }

    /// The bytes that go first: not all that wait, and some while any do.
    #[must_use]
    pub fn first(&self) -> &[u8] {
        let Some(waiting) = &self.waiting else { return &[] };
        let first = waiting.pieces.iter().find(|piece| !piece.bytes().is_empty());
        first.map_or(&[], |piece| &piece.bytes()[waiting.gone..])
    }

    /// So many of the first bytes have gone.
    pub fn advance(&mut self, mut len: usize) {
        let Some(waiting) = &mut self.waiting else { return };
        waiting.len -= len;
        while let Some(piece) = waiting.pieces.front() {
            let left = piece.bytes().len() - waiting.gone;
            if len < left {
                waiting.gone += len;
                return;
            }
            len -= left;
            waiting.gone = 0;
            waiting.pieces.pop_front();
        }
        self.waiting = None;
    }

    /// Moves the first bytes into `into`, as many as fit; how many.
    pub fn read(&mut self, into: &mut [u8]) -> usize {
        let mut read = 0;
        while read < into.len() && !self.is_empty() {
            let first = self.first();
            let here = first.len().min(into.len() - read);
            into[read..read + here].copy_from_slice(&first[..here]);
            self.advance(here);
            read += here;
        }
        read
    }

    /// Forgets all.
    pub fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
#[path = "queue_tests.rs"]
mod tests;
