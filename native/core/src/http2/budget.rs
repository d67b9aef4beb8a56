//! How often something may happen: a number at once, and so many more a second.

use std::time::Duration;

use tokio::time::Instant;

/// What is left of it.
#[derive(Debug)]
pub(super) struct Budget {
    burst: u32,
    per_second: u32,
    left: u32,
    since: Instant,
}

impl Budget {
    pub(super) fn new(burst: u32, per_second: u32, now: Instant) -> Self {
        Self {
            burst,
            per_second,
            left: burst,
            since: now,
        }
    }

    /// Counts one more. False where it is one too many.
    pub(super) fn allows(&mut self, now: Instant) -> bool {
        let seconds = u32::try_from((now - self.since).as_secs()).unwrap_or(u32::MAX);
        self.since += Duration::from_secs(seconds.into());
        self.left = self
            .left
            .saturating_add(seconds.saturating_mul(self.per_second))
            .min(self.burst);
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

#[cfg(test)]
#[path = "budget_tests.rs"]
mod tests;
