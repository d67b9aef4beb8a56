//! Close every tunnel of a loop, one after the other, evenly over a while.
//!
//! Law 1: the n tunnels of a loop are due in the n equal parts of the window, each at a random moment of its part. So
//!        clients come back as evenly as they were told to go, and never all in one tick; and what loops do beside one
//!        another is even where each is.
//! Law 2: nothing here takes long: the tunnels are gathered in steps between which the loop serves messages, and what
//!        is due at once goes out a few a round.
//! Law 3: who is told has the time of a closing handshake, whatever is left of the window.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

use slab::Slab;

use super::relay::{OwnClose, Tunnel};
use crate::chance::random_bytes;
use crate::registry::Why;

/// Tunnels looked at between two rounds: some 100 microseconds of a loop.
const GATHERED_PER_ROUND: usize = 2048;

/// Who is told first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// Those that opened first.
    Oldest,
    /// Those on which nothing has happened for longest.
    Idlest,
}

/// What all tunnels of a loop are told, those too that open while it lasts.
#[derive(Clone, Debug)]
pub(super) struct Parting {
    pub(super) close: OwnClose,
    pub(super) why: Why,
    /// When what is left is cut; None: as long after its Close as a closing handshake may take.
    pub(super) until: Option<Instant>,
}

impl Parting {
    pub(super) fn deadline(&self, now: Instant, linger: Duration) -> Instant {
        self.until.unwrap_or_else(|| now + linger)
    }
}

/// The closing of all tunnels of one loop.
#[derive(Debug)]
pub(super) struct Pacing {
    begun: Instant,
    window: Duration,
    order: Order,
    /// The slot to look at next; None once all have been looked at.
    gathering: Option<usize>,
    waiting: BinaryHeap<Reverse<(Instant, usize, u64)>>,
    /// How many there were when all had been looked at.
    total: usize,
    due: Instant,
}

impl Pacing {
    pub(super) fn new(begun: Instant, window: Duration, order: Order) -> Self {
        Self {
            begun,
            window,
            order,
            gathering: Some(0),
            waiting: BinaryHeap::new(),
            total: 0,
            due: begun,
        }
    }

    /// Looks at the next tunnels. Those that are ending need not be told.
    pub(super) fn gather(&mut self, tunnels: &Slab<(u64, Tunnel)>) {
        let Some(from) = self.gathering else { return };
        let to = tunnels.capacity().min(from + GATHERED_PER_ROUND);
        for key in from..to {
            if let Some((number, tunnel)) = tunnels.get(key).filter(|(_, tunnel)| !tunnel.is_ending()) {
                let rank = match self.order {
                    Order::Oldest => tunnel.identity().opened_at,
                    Order::Idlest => tunnel.last_active(),
                };
                self.waiting.push(Reverse((rank, key, *number)));
            }
        }
        self.gathering = (to < tunnels.capacity()).then_some(to);
        if self.gathering.is_none() {
            self.total = self.waiting.len();
            self.due = self.moment(0, chance());
        }
    }

    /// The next tunnel that is due, by its slot and number.
    pub(super) fn take_due(&mut self, now: Instant) -> Option<(usize, u64)> {
        if self.gathering.is_some() || self.due > now {
            return None;
        }
        let Reverse((_, key, number)) = self.waiting.pop()?;
        self.due = self.moment(self.total - self.waiting.len(), chance());
        Some((key, number))
    }

    /// When there is something to do; None when there is nothing any more.
    pub(super) fn next(&self) -> Option<Instant> {
        match self.gathering {
            Some(_) => Some(self.begun),
            None => (!self.waiting.is_empty()).then_some(self.due),
        }
    }

    /// A moment in the part of the window that belongs to the tunnel with this place in the order.
    fn moment(&self, place: usize, part: f64) -> Instant {
        // Far below 2^52 of them.
        #[allow(clippy::cast_precision_loss)]
        let share = (place as f64 + part) / self.total.max(1) as f64;
        self.begun + self.window.mul_f64(share.min(1.0))
    }
}

/// Evenly distributed from 0 to below 1.
fn chance() -> f64 {
    f64::from(u32::from_ne_bytes(random_bytes())) / (f64::from(u32::MAX) + 1.0)
}

#[cfg(test)]
#[path = "closing_tests.rs"]
mod tests;
