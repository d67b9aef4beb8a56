//! Whether a loop that has nothing to do looks again and again for what comes next, rather than sleep until it comes.
//!
//! A message to a script wakes four sleepers on its way and back: the loop, the process, the loop, the client. To wake one
//! takes a processor 5 to 15 µs where it is idle, as long as all that the edge does for the message. What answers within [`WINDOW`] is
//! waited for awake, and costs that neither the loop nor whoever answers.
//!
//! Law 1: it looks on only after a round that was about one thing, and that was a message of a session. Tunnels to origins pay one branch.
//! Law 2: of its tries, misses are at most a third of hits, but for a few at the beginning and one in 1,024 waits that were short asleep.
//!        Where waits are long, there is none at all.
//! Law 3: it looks on for [`WINDOW`] at most, and as many loops do so at once as leave each a processor of its own to be waited for: of one processor,
//!        or a container's share of one, none.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// How long a loop looks on. A script answers a message in 30 to 60 µs. Precedent: KVM's `halt_poll_ns`, 200 µs.
pub(super) const WINDOW: Duration = Duration::from_micros(100);
/// What it may take to wake a loop: a wait asleep that was longer than a window by this might have been short awake.
const WAKE: Duration = Duration::from_micros(20);
/// What a miss raises the level by, that a hit lowers by one: where more than one try in four misses, it rises.
const MISS: u32 = 3;
/// The most it rises to.
const MAX_LEVEL: u32 = MISS + 10;
/// Short waits before the first try.
const FIRST_PAUSE: u32 = 8;

/// What a loop waits for, after a round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Awaited {
    /// Whatever comes.
    #[default]
    Anything,
    /// What a script's process answers.
    Process,
    /// What a client says, who was answered.
    Client,
}

impl Awaited {
    /// After a round that was about so many sessions, and told processes something (`has_told`) or not.
    pub(super) fn after(sessions: usize, has_told: bool) -> Self {
        match (sessions, has_told) {
            (1, true) => Self::Process,
            (1, false) => Self::Client,
            // Who has much to do is not answered soon, and others need the processor.
            _ => Self::Anything,
        }
    }
}

/// What waiting for one kind of thing has come to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Habit {
    /// Beyond [`MISS`], the logarithm of the pause after a miss: one among many hits costs hardly any.
    level: u32,
    /// Short waits until the next try.
    pause: u32,
}

impl Habit {
    pub(super) fn new() -> Self {
        Self {
            level: 0,
            pause: FIRST_PAUSE,
        }
    }

    /// True where the next wait is to be one awake.
    pub(super) fn tries(&self) -> bool {
        self.pause == 0
    }

    /// It has waited awake, and something came in time or not.
    pub(super) fn tried(&mut self, is_hit: bool) {
        if is_hit {
            self.level = self.level.saturating_sub(1);
        } else {
            self.level = (self.level + MISS).min(MAX_LEVEL);
            self.pause = 1 << (self.level - MISS);
        }
    }

    /// It has waited asleep, for so long. A short wait says little: others may have been short of just the processor that sleep gave back. So it
    /// takes more of them, the more tries were misses.
    pub(super) fn slept(&mut self, waited: Duration) {
        self.pause = if waited <= WINDOW + WAKE {
            self.pause.saturating_sub(1)
        } else {
            self.pause.max(FIRST_PAUSE)
        };
    }
}

/// How many loops may wait awake at once, and do.
#[derive(Debug)]
pub(super) struct Places {
    all: usize,
    taken: AtomicUsize,
}

/// One of them; given back when dropped.
#[derive(Debug)]
pub(super) struct Taken<'a>(&'a Places);

impl Places {
    /// Of so many processors.
    pub(super) fn of(processors: usize) -> Self {
        Self {
            all: processors / 2,
            taken: AtomicUsize::new(0),
        }
    }

    /// Those of this process: what affinity and the quota of its control group leave it, when it is first asked.
    pub(super) fn of_process() -> &'static Self {
        static PLACES: LazyLock<Places> =
            LazyLock::new(|| Places::of(thread::available_parallelism().map_or(1, usize::from)));
        &PLACES
    }

    /// One, where there is one.
    pub(super) fn take(&self) -> Option<Taken<'_>> {
        if self.taken.fetch_add(1, Ordering::Relaxed) < self.all {
            return Some(Taken(self));
        }
        self.taken.fetch_sub(1, Ordering::Relaxed);
        None
    }
}

impl Drop for Taken<'_> {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Ordering::Relaxed);
    }
}

#[cfg(test)]
#[path = "spin_tests.rs"]
mod tests;
