//! Auto-responses: texts that the edge answers by itself, for all sessions of a group.
//!
//! Law: what is answered, and with what, is looked up at the message; so a change costs the same however many sessions there are.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The longest request and the longest response (durable-objects.md §2.4: 2,048 characters, of up to four bytes).
pub const MAX_TEXT_BYTES: usize = 4 * 2048;
/// What the pairs of a script take together.
pub const MAX_PAIRS_BYTES: usize = 32 * 1024 * 1024;
/// What a group takes beside its pair.
const GROUP_BYTES: usize = 128;

/// What is answered with what.
#[derive(Debug, PartialEq, Eq)]
pub struct Pair {
    /// The whole text.
    pub request: Vec<u8>,
    /// The whole answer.
    pub response: Vec<u8>,
}

/// The pair of one group, as its sessions see it.
#[derive(Debug, Default)]
pub struct Group(Mutex<Option<Arc<Pair>>>);

impl Group {
    fn lock(&self) -> MutexGuard<'_, Option<Arc<Pair>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What it is now.
    #[must_use]
    pub fn pair(&self) -> Option<Arc<Pair>> {
        self.lock().clone()
    }
}

/// Those of one script.
#[derive(Debug, Default)]
pub struct Autos {
    groups: HashMap<u64, Arc<Group>>,
    bytes: usize,
}

impl Autos {
    /// A group, whether it has a pair or not.
    pub fn group(&mut self, number: u64) -> Arc<Group> {
        if let Some(group) = self.groups.get(&number) {
            return Arc::clone(group);
        }
        if self.bytes >= MAX_PAIRS_BYTES / 2 {
            self.forget_unused();
        }
        self.bytes += GROUP_BYTES;
        Arc::clone(self.groups.entry(number).or_default())
    }

    /// Gives a group this pair, or none. False where all of them would take too much.
    pub fn set(&mut self, number: u64, pair: Option<Pair>) -> bool {
        let len = |pair: &Pair| pair.request.len() + pair.response.len();
        if pair.is_none() && !self.groups.contains_key(&number) {
            return true;
        }
        let group = self.group(number);
        let (before, now) = (group.lock().as_deref().map_or(0, len), pair.as_ref().map_or(0, len));
        if self.bytes + now > MAX_PAIRS_BYTES {
            self.forget_unused();
            if self.bytes + now > MAX_PAIRS_BYTES + before {
                return false;
            }
        }
        self.bytes = self.bytes + now - before;
        *group.lock() = pair.map(Arc::new);
        true
    }

    /// Forgets the groups that no session is of.
    fn forget_unused(&mut self) {
        self.groups.retain(|_, group| Arc::strong_count(group) > 1);
        let pairs = self.groups.values().filter_map(|group| group.pair());
        let held: usize = pairs.map(|pair| pair.request.len() + pair.response.len()).sum();
        self.bytes = held + self.groups.len() * GROUP_BYTES;
    }
}

/// The pair that an AUTO record says; None where it is none. `Some(None)` clears.
#[must_use]
pub fn read(payload: &[u8]) -> Option<Option<Pair>> {
    let (has, rest) = payload.split_first()?;
    if *has == 0 {
        return Some(None);
    }
    let (len, rest) = rest.split_first_chunk::<4>()?;
    let (request, response) = rest.split_at_checked(usize::try_from(u32::from_le_bytes(*len)).ok()?)?;
    (request.len() <= MAX_TEXT_BYTES && response.len() <= MAX_TEXT_BYTES).then(|| {
        Some(Pair {
            request: request.to_vec(),
            response: response.to_vec(),
        })
    })
}

#[cfg(test)]
#[path = "autos_tests.rs"]
mod tests;
