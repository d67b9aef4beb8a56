//! How long something takes, as a histogram that one thread writes and any may read.
//!
//! Law: the buckets are fixed and cumulative, as Prometheus has them; a value on a bound belongs below it.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Upper bounds, in nanoseconds: from what a decision should take to what nobody waits for.
const BOUNDS_NS: [u64; 16] = [
    5_000,
    10_000,
    20_000,
    50_000,
    100_000,
    200_000,
    500_000,
    1_000_000,
    2_000_000,
    5_000_000,
    10_000_000,
    20_000_000,
    50_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
];
const NANOS: f64 = 1e9;

/// The histogram.
#[derive(Debug, Default)]
pub struct Latency {
    /// Not cumulative, so that a value costs one addition.
    buckets: [AtomicU64; BOUNDS_NS.len()],
    sum_ns: AtomicU64,
    count: AtomicU64,
}

/// What a [`Latency`] shows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LatencyFigures {
    /// Upper bound in seconds, and how many took no longer. Beyond the last bound is what is missing to `count`.
    pub buckets: Vec<(f64, u64)>,
    /// Seconds of all together.
    pub sum_s: f64,
    /// How many there were.
    pub count: u64,
}

impl Latency {
    /// Adds one.
    pub fn add(&self, took: Duration) {
        let nanos = u64::try_from(took.as_nanos()).unwrap_or(u64::MAX);
        if let Some(bucket) = BOUNDS_NS.iter().position(|bound| nanos <= *bound) {
            self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        }
        self.sum_ns.fetch_add(nanos, Ordering::Relaxed);
        self.count.fetch_add(1, Ordering::Relaxed);
    }

    /// What there has been so far.
    #[must_use]
    // 53 bits of nanoseconds are more than a hundred days of deciding.
    #[allow(clippy::cast_precision_loss)]
    pub fn figures(&self) -> LatencyFigures {
        // Read first: what is added meanwhile must not make a bucket larger than the whole.
        let mut below = 0;
        let buckets = BOUNDS_NS.iter().zip(&self.buckets).map(|(bound, bucket)| {
            below += bucket.load(Ordering::Relaxed);
            (*bound as f64 / NANOS, below)
        });
        LatencyFigures {
            buckets: buckets.collect(),
            sum_s: self.sum_ns.load(Ordering::Relaxed) as f64 / NANOS,
            count: self.count.load(Ordering::Relaxed),
        }
    }
}

#[cfg(test)]
#[path = "latency_tests.rs"]
mod tests;
