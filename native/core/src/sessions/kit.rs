//! What the sessions of a script in a loop share, and why one of them is ended by the edge.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;

use super::outgoing::{Message, Way};
use super::records::MAX_MESSAGE_BYTES;
use super::tools::{Budget, Tools};
use crate::messages::Refusal;

/// What is inflated in a round of a loop before a compressed message waits for the next one: some ten milliseconds, and one
/// message of the longest.
pub const MAX_INFLATED_BYTES: usize = 4 * 1024 * 1024;

/// What the sessions of a script in a loop share.
#[derive(Debug, Default)]
pub struct Kit {
    tools: Arc<Mutex<Tools>>,
    /// What they hold of messages from their peers.
    pub held: Budget,
    /// What all of the loop have inflated in this round.
    inflated: Arc<AtomicUsize>,
    /// What they owe their peers.
    pub(super) unsent: AtomicUsize,
}

impl Kit {
    /// A script's, of a loop's.
    #[must_use]
    pub fn new(tools: &Arc<Mutex<Tools>>, held: &Arc<AtomicUsize>, inflated: &Arc<AtomicUsize>) -> Self {
        Self {
            tools: Arc::clone(tools),
            held: Budget::new(held),
            inflated: Arc::clone(inflated),
            unsent: AtomicUsize::new(0),
        }
    }

    /// The payload of a compressed message behind room for a record's header.
    pub(super) fn inflate(&self, compressed: &[u8], mask: Option<[u8; 4]>) -> Result<Vec<u8>, Refusal> {
        let record = self.tools().inflate(compressed, mask);
        let len = record.as_ref().map_or(MAX_MESSAGE_BYTES, Vec::len);
        self.inflated.fetch_add(len, Ordering::Relaxed);
        record
    }

    /// True where so much has been inflated that others are to have their turn first.
    #[must_use]
    pub fn is_tired(&self) -> bool {
        self.inflated.load(Ordering::Relaxed) >= MAX_INFLATED_BYTES
    }

    pub(super) fn tools(&self) -> MutexGuard<'_, Tools> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What many get: made with the tools of all.
    pub fn shared(&self, message: &mut Message<'_>, way: Way) -> Bytes {
        message.shared(way, &mut self.tools())
    }
}

/// Why the edge ends a session by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What its peer sent cannot be taken.
    Refused(Refusal),
    /// Its peer takes too little of what it is sent.
    Slow,
}

impl Fault {
    /// The code of the Close that the peer gets.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Slow => 1013,
        }
    }

    /// One sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Slow => "too much waits to be taken".into(),
        }
    }
}
