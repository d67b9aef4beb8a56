//! A time of the monotonic clock in eight bytes, of which one that may be missing takes no more: an idle tunnel keeps ten of them.

use std::num::NonZeroU64;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

/// No time of a tunnel is earlier than this.
static FIRST: LazyLock<Instant> = LazyLock::new(|| {
    let now = Instant::now();
    now.checked_sub(Duration::from_hours(1)).unwrap_or(now)
});

/// The nanoseconds since then: enough for five hundred years.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Moment(NonZeroU64);

impl Moment {
    pub(super) fn instant(self) -> Instant {
        *FIRST + Duration::from_nanos(self.0.get())
    }
}

impl From<Instant> for Moment {
    fn from(at: Instant) -> Self {
        let since = at.saturating_duration_since(*FIRST).as_nanos();
        Self(
            u64::try_from(since)
                .ok()
                .and_then(NonZeroU64::new)
                .unwrap_or(NonZeroU64::MIN),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_the_same_time_and_small() {
        let now = Instant::now();
        for later in [Duration::ZERO, Duration::from_nanos(1), Duration::from_hours(24 * 365)] {
            assert_eq!(Moment::from(now + later).instant(), now + later);
        }
        assert!(Moment::from(now) < Moment::from(now + Duration::from_nanos(1)));
        assert_eq!(size_of::<Option<Moment>>(), 8);
    }
}
