//! What a session makes of what its process sends.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use bytes::Bytes;

use super::{
    Debt, Fault, MAX_UNSENT_BYTES, MAX_UNSENT_OF_READER_BYTES, MAX_UNSENT_OF_SCRIPT_BYTES, PATIENCE, Pending,
    SOME_UNSENT_BYTES, Session,
};
use crate::sessions::outgoing::Message;
use crate::sessions::queue::SHARED_FROM;

impl Session {
    /// The process sends a message.
    pub fn send(&mut self, message: &Message<'_>) {
        if self.admits(message.len(), MAX_UNSENT_BYTES) {
            self.put(message);
            self.recount();
        }
    }

    /// The process sends many a message, of which this is the frame. Where more than `limit` waits already it is left out, or
    /// the session is closed.
    pub fn send_shared(&mut self, payload_len: usize, limit: usize, drops: bool, frame: impl FnOnce() -> Bytes) {
        if drops && self.stuck > limit {
            self.taken += payload_len as u64;
            return;
        }
        if self.admits(payload_len, limit.clamp(SOME_UNSENT_BYTES, MAX_UNSENT_BYTES)) {
            self.outbox.push_shared(&frame());
            self.recount();
        }
    }

    /// Counts a send. False where it goes nowhere.
    fn admits(&mut self, payload_len: usize, limit: usize) -> bool {
        self.taken += payload_len as u64;
        self.may_owe(payload_len, limit)
    }

    /// True where more waits than a reader who keeps up has waiting.
    pub(super) fn owes_some(&self) -> bool {
        self.outbox.len() > SOME_UNSENT_BYTES
    }

    /// Whether so much more may wait for its peer. Where it is too much, the session ends.
    pub(super) fn may_owe(&mut self, payload_len: usize, limit: usize) -> bool {
        if self.standing.has_closed
            || self.standing.is_finished
            || matches!(self.pending.as_deref(), Some(Pending::Fault(_)))
        {
            return false;
        }
        let waiting = self.outbox.len();
        let all_owe_much = self.kit.unsent.load(Ordering::Relaxed) > MAX_UNSENT_OF_SCRIPT_BYTES;
        let exceeds = |most| waiting > 0 && waiting + payload_len > most;
        let is_slow = limit < MAX_UNSENT_BYTES && self.stuck > limit
            || all_owe_much && self.stuck > SOME_UNSENT_BYTES
            || exceeds(MAX_UNSENT_OF_READER_BYTES)
            || (exceeds(MAX_UNSENT_BYTES) || self.stuck > MAX_UNSENT_BYTES) && !self.is_reading(Instant::now());
        if is_slow {
            let fault = Fault::Slow;
            self.tell_closed(fault.code(), false, &fault.reason());
            self.pending = Some(Pending::Fault(fault).into());
        }
        !is_slow
    }

    /// Whether its peer, to whom it owes much, has taken some of that within [`PATIENCE`].
    pub(super) fn is_reading(&mut self, now: Instant) -> bool {
        let debt = self.debt.get_or_insert_with(|| {
            Box::new(Debt {
                since: now,
                has_shrunk: false,
            })
        });
        if std::mem::take(&mut debt.has_shrunk) {
            debt.since = now;
        }
        now.saturating_duration_since(debt.since) < PATIENCE
    }

    pub(super) fn put(&mut self, message: &Message<'_>) {
        let way = self.way;
        if message.len() < SHARED_FROM {
            let kit = Arc::clone(&self.kit);
            return self.outbox.write(|out| message.write(way, &mut kit.tools(), out));
        }
        let mut frame = Vec::with_capacity(message.len() + 16);
        message.write(way, &mut self.kit.tools(), &mut frame);
        self.outbox.push_shared(&frame.into());
    }

    /// Moves what its peer is to get into `into`. None where there is nothing now; 0 at the end.
    pub fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        if self.outbox.is_empty() {
            return self.standing.is_finished.then_some(0);
        }
        let read = self.outbox.read(into);
        if let Some(debt) = &mut self.debt {
            debt.has_shrunk = true;
            if self.outbox.len() <= MAX_UNSENT_BYTES {
                self.debt = None;
            }
        }
        self.recount();
        Some(read)
    }
}
