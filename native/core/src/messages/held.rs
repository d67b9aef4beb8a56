//! The frames of a text that is not complete yet, and the memory that all such frames have together.
//!
//! Law 1: what is held is counted at its capacity, before it grows, and is counted no longer when it goes, however it goes: a
//!        message that has passed when its receiver has taken it.
//! Law 2: nobody takes it all: a thread's tunnels have an account, and a zone, over all threads, a smaller one.
//! Law 3: nothing announced takes memory: room is made for what is here, and for as much again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// What all tunnels of a thread may hold: sixty-four messages of the largest size, or sixteen thousand that are begun and of 4 KiB.
pub const MAX_HELD_BYTES: usize = 64 * 1024 * 1024;
/// What all tunnels of a zone may hold: half as much, so that no zone's clients keep another's messages out.
pub const MAX_HELD_OF_ZONE_BYTES: usize = MAX_HELD_BYTES / 2;

/// How much is held in one name.
#[derive(Debug, Default)]
pub struct Account(AtomicUsize);

impl Account {
    /// Bytes that are held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    fn take(&self, bytes: usize, limit: usize) -> bool {
        let more = |held: usize| held.checked_add(bytes).filter(|all| *all <= limit);
        self.0.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    fn give_back(&self, bytes: usize) {
        self.0.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// In whose names a tunnel holds.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    /// Its thread's.
    pub thread: Arc<Account>,
    /// Its zone's.
    pub zone: Arc<Account>,
}

/// What one direction of a tunnel holds.
#[derive(Debug)]
pub(super) struct Held {
    bytes: Vec<u8>,
    counted: usize,
    /// Of what has passed.
    owed: usize,
    accounts: Accounts,
}

impl Held {
    pub(super) fn new(accounts: Accounts) -> Self {
        Self {
            bytes: Vec::new(),
            counted: 0,
            owed: 0,
            accounts,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Holds these bytes too, of `to_come` that may still be held, themselves among them. False where no account has room.
    #[must_use]
    pub(super) fn push(&mut self, bytes: &[u8], to_come: usize) -> bool {
        let len = self.bytes.len();
        if len + bytes.len() > self.counted {
            let more = len.min(to_come).max(bytes.len());
            if !self.count(len + more) {
                return false;
            }
            self.bytes.reserve_exact(more);
        }
        self.bytes.extend_from_slice(bytes);
        true
    }

    /// What was held, to be passed on. It is counted until [`Held::paid`].
    pub(super) fn take(&mut self) -> Vec<u8> {
        self.owed += std::mem::take(&mut self.counted);
        std::mem::take(&mut self.bytes)
    }

    /// The receiver has taken all that has passed.
    pub(super) fn paid(&mut self) {
        if self.owed > 0 {
            let owed = std::mem::take(&mut self.owed);
            self.accounts.thread.give_back(owed);
            self.accounts.zone.give_back(owed);
        }
    }

    /// What is held goes nowhere.
    pub(super) fn forget(&mut self) {
        drop(self.take());
        self.paid();
    }

    fn count(&mut self, wanted: usize) -> bool {
        let more = wanted.saturating_sub(self.counted);
        if !self.accounts.thread.take(more, MAX_HELD_BYTES) {
            return false;
        }
        if !self.accounts.zone.take(more, MAX_HELD_OF_ZONE_BYTES) {
            self.accounts.thread.give_back(more);
            return false;
        }
        self.counted += more;
        true
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.forget();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    #[test]
    fn what_is_held_is_counted_until_it_goes() {
        let accounts = Accounts::default();
        let mut held = Held::new(accounts.clone());
        assert!(held.push(b"abc", 8) && held.push(b"de", 5));
        assert_eq!((accounts.thread.bytes(), accounts.zone.bytes()), (6, 6));
        assert!(held.push(b"fgh", 3));
        assert_eq!((held.len(), accounts.thread.bytes()), (8, 8));
        assert_eq!(held.take(), b"abcdefgh");
        assert_eq!((held.len(), accounts.thread.bytes()), (0, 8));
        assert!(held.push(b"again", 5));
        assert_eq!(accounts.zone.bytes(), 13);
        held.paid();
        assert_eq!((accounts.thread.bytes(), accounts.zone.bytes()), (5, 5));
        drop(held);
        assert_eq!((accounts.thread.bytes(), accounts.zone.bytes()), (0, 0));
    }

    #[test]
    fn a_zone_has_half_of_a_thread_and_what_is_refused_counts_for_nobody() {
        let crowd = Accounts::default();
        let other = Accounts {
            thread: Arc::clone(&crowd.thread),
            zone: Arc::default(),
        };
        let one = vec![0; MIB];
        let fill = |accounts: &Accounts| {
            let mut all = Vec::new();
            loop {
                let mut held = Held::new(accounts.clone());
                if !held.push(&one, MIB) {
                    return all;
                }
                all.push(held);
            }
        };
        let (of_crowd, of_other) = (fill(&crowd), fill(&other));
        assert_eq!((of_crowd.len(), of_other.len()), (32, 32));
        assert_eq!(crowd.thread.bytes(), MAX_HELD_BYTES);
        drop(of_crowd);
        assert_eq!((crowd.zone.bytes(), crowd.thread.bytes()), (0, MAX_HELD_OF_ZONE_BYTES));
        assert_eq!(fill(&crowd).len(), 32);
    }
}
