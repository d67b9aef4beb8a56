//! When to look at which tunnel: a timing wheel.
//!
//! Law 1: nothing is told before its time, and nothing later than a tick after it, but for what is further away than the
//!        wheel is round: that is told early, and whoever asked looks at the clock and asks again.
//! Law 2: each key has one time at most. It only ever moves to an earlier one, until it has been told.
//! Law 3: setting, cancelling and telling cost the same however many keys there are; a key costs 12 bytes.
//! Law 4: no clock is read here.

use std::time::{Duration, Instant};

/// How exact the wheel is.
pub(super) const TICK: Duration = Duration::from_millis(TICK_MS);
const TICK_MS: u64 = 32;
/// Ticks of one round: 131 seconds, so that a keepalive of the usual 30 is told once.
const SLOTS: usize = 4096;
const NOWHERE: u32 = u32::MAX;

/// A time to be told at, and how much later would do as well: what may wait is told together with others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) at: Instant,
    pub(super) slack: Duration,
}

impl Due {
    /// At this time, as exactly as the wheel can.
    pub(super) fn at(at: Instant) -> Self {
        Self {
            at,
            slack: Duration::ZERO,
        }
    }

    /// The one that must be told first.
    pub(super) fn sooner(self, other: Self) -> Self {
        if other.at + other.slack < self.at + self.slack {
            other
        } else {
            self
        }
    }
}

/// A key's place in the list of its slot.
#[derive(Clone, Copy, Debug)]
struct Node {
    before: u32,
    after: u32,
    slot: u32,
}

const UNSET: Node = Node {
    before: NOWHERE,
    after: NOWHERE,
    slot: NOWHERE,
};

#[derive(Debug)]
pub(super) struct Wheel {
    start: Instant,
    /// The last tick that has been told.
    told: u64,
    /// The first key of each slot.
    first: Box<[u32]>,
    nodes: Vec<Node>,
    /// No key has an earlier tick than this.
    soonest: Option<u64>,
}

impl Wheel {
    pub(super) fn new(start: Instant) -> Self {
        Self {
            start,
            told: 0,
            first: vec![NOWHERE; SLOTS].into(),
            nodes: Vec::new(),
            soonest: None,
        }
    }

    /// Tells of `key` when it is due, unless it is to be told earlier already.
    pub(super) fn set(&mut self, key: usize, due: Due) {
        let Ok(number) = u32::try_from(key) else {
            // A process has no four thousand million sockets.
            return;
        };
        if self.nodes.len() <= key {
            self.nodes.resize(key + 1, UNSET);
        }
        let tick = self.tick_for(due);
        let slot = self.nodes[key].slot;
        if slot != NOWHERE {
            if self.tick_of(slot) <= tick {
                return;
            }
            self.cancel(key);
        }
        // Below SLOTS.
        #[allow(clippy::cast_possible_truncation)]
        let slot = (tick % SLOTS as u64) as u32;
        let after = std::mem::replace(&mut self.first[slot as usize], number);
        if after != NOWHERE {
            self.nodes[after as usize].before = number;
        }
        self.nodes[key] = Node {
            before: NOWHERE,
            after,
            slot,
        };
        self.soonest = Some(self.soonest.map_or(tick, |soonest| soonest.min(tick)));
    }

    /// Tells no more of `key`.
    pub(super) fn cancel(&mut self, key: usize) {
        let Some(node) = self.nodes.get_mut(key) else {
            return;
        };
        let Node { before, after, slot } = std::mem::replace(node, UNSET);
        if slot == NOWHERE {
            return;
        }
        match before {
            NOWHERE => self.first[slot as usize] = after,
            before => self.nodes[before as usize].after = after,
        }
        if after != NOWHERE {
            self.nodes[after as usize].before = before;
        }
    }

    /// Forgets every key, and gives the memory of a past peak back.
    pub(super) fn clear(&mut self) {
        if self.nodes.is_empty() {
            return;
        }
        self.first.fill(NOWHERE);
        self.nodes = Vec::new();
        self.soonest = None;
    }

    /// When [`Wheel::tell`] next has something to tell, or may have.
    pub(super) fn next(&self) -> Option<Instant> {
        self.soonest
            .map(|tick| self.start + Duration::from_millis(tick * TICK_MS))
    }

    /// Appends the keys that are due to `due`; they have no time any more.
    pub(super) fn tell(&mut self, now: Instant, due: &mut Vec<usize>) {
        let until = ticks(now.saturating_duration_since(self.start), false);
        let Some(soonest) = self.soonest.filter(|soonest| *soonest <= until) else {
            self.told = self.told.max(until);
            return;
        };
        let last = until.min(self.told + SLOTS as u64);
        for tick in soonest..=last {
            self.tell_slot(slot_of(tick), due);
        }
        self.told = until;
        self.soonest = (until + 1..=until + SLOTS as u64).find(|tick| self.first[slot_of(*tick)] != NOWHERE);
    }

    fn tell_slot(&mut self, slot: usize, due: &mut Vec<usize>) {
        let mut next = std::mem::replace(&mut self.first[slot], NOWHERE);
        while next != NOWHERE {
            let node = std::mem::replace(&mut self.nodes[next as usize], UNSET);
            due.push(next as usize);
            next = node.after;
        }
    }

    /// The tick at which to tell: not before the time, and within the slack on a round one, so that many meet there.
    fn tick_for(&self, due: Due) -> u64 {
        let earliest = ticks(due.at.saturating_duration_since(self.start), true).max(self.told + 1);
        let slack = ticks(due.slack, false).max(1);
        let round = 1 << slack.ilog2();
        earliest.next_multiple_of(round).min(self.told + SLOTS as u64 - 1)
    }

    /// The tick of a slot that has keys: they are all of the round that has not been told yet.
    fn tick_of(&self, slot: u32) -> u64 {
        let told = self.told % SLOTS as u64;
        self.told + (u64::from(slot) + SLOTS as u64 - told - 1) % SLOTS as u64 + 1
    }
}

fn slot_of(tick: u64) -> usize {
    // Below SLOTS.
    #[allow(clippy::cast_possible_truncation)]
    let slot = (tick % SLOTS as u64) as usize;
    slot
}

/// Whole ticks; one that has begun counts where `round_up`.
fn ticks(duration: Duration, round_up: bool) -> u64 {
    // A duration of the clock is far below 2^63 milliseconds.
    let whole = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX >> 1) / TICK_MS;
    whole + u64::from(round_up)
}

#[cfg(test)]
#[path = "wheel_tests.rs"]
mod tests;
