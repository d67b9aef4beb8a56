//! How a loop waits for what comes next: awake for a moment where that pays (`spin`), and then asleep.

use std::io;
use std::time::{Duration, Instant};

use mio::{Events, Poll};

use super::spin::{Awaited, Habit, Places, WINDOW};

/// The waiting of one loop.
#[derive(Debug)]
pub(super) struct Waiting {
    /// For processes, and for clients.
    habits: [Habit; 2],
    places: &'static Places,
}

impl Waiting {
    pub(super) fn new() -> Self {
        Self {
            habits: [Habit::new(), Habit::new()],
            places: Places::of_process(),
        }
    }

    /// Waits until there are events, `patience` is over or a signal came.
    pub(super) fn wait(
        &mut self,
        awaited: Awaited,
        poll: &mut Poll,
        events: &mut Events,
        patience: Option<Duration>,
    ) -> io::Result<()> {
        let habit = match awaited {
            Awaited::Process => &mut self.habits[0],
            Awaited::Client => &mut self.habits[1],
            Awaited::Anything => return poll.poll(events, patience),
        };
        if patience.is_some_and(|patience| patience < WINDOW) {
            return poll.poll(events, patience);
        }
        let began = Instant::now();
        if habit.tries()
            && let Some(_place) = self.places.take()
        {
            let is_hit = look_on(poll, events, began)?;
            habit.tried(is_hit);
            if is_hit {
                return Ok(());
            }
            return poll.poll(events, patience);
        }
        poll.poll(events, patience)?;
        habit.slept(began.elapsed());
        Ok(())
    }
}

/// Whether something came while it was awake.
fn look_on(poll: &mut Poll, events: &mut Events, began: Instant) -> io::Result<bool> {
    loop {
        poll.poll(events, Some(Duration::ZERO))?;
        if !events.is_empty() {
            return Ok(true);
        }
        if began.elapsed() >= WINDOW {
            return Ok(false);
        }
    }
}

#[cfg(test)]
#[path = "waiting_tests.rs"]
mod tests;
