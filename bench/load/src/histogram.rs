//! A histogram of durations with a bounded relative error, as `HdrHistogram`'s.
//!
//! A value below 2^[`PRECISION_BITS`] has a bucket of its own. Above, each power of two is cut into
//! 2^([`PRECISION_BITS`] - 1) equal buckets.
//!
//! Law 1: the value that stands for a bucket is its greatest, so no quantile is ever told too low, and it is
//! at most 1/128 too high.
//! Law 2: a larger value never falls into a lower bucket.
//! Law 3: memory is the same for any number of values: 58 x 128 buckets.

use std::time::Duration;

use serde::Serialize;

const PRECISION_BITS: u32 = 8;
const HALF: usize = 1 << (PRECISION_BITS - 1);
const BUCKETS: usize = (64 - PRECISION_BITS as usize + 2) * HALF;

/// Counts of nanosecond values.
#[derive(Debug)]
pub(crate) struct Histogram {
    counts: Box<[u64]>,
    total: u64,
    sum: u128,
    max: u64,
}

/// What is told of a distribution, in microseconds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub(crate) struct Summary {
    pub(crate) mean: f64,
    pub(crate) p50: f64,
    pub(crate) p90: f64,
    pub(crate) p99: f64,
    pub(crate) p999: f64,
    pub(crate) max: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self {
            counts: vec![0; BUCKETS].into_boxed_slice(),
            total: 0,
            sum: 0,
            max: 0,
        }
    }
}

impl Histogram {
    /// Count one duration; more than 2^64 ns (584 years) counts as that.
    pub(crate) fn record(&mut self, duration: Duration) {
        let value = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.counts[bucket(value)] += 1;
        self.total += 1;
        self.sum += u128::from(value);
        self.max = self.max.max(value);
    }

    /// The number of values counted.
    pub(crate) fn total(&self) -> u64 {
        self.total
    }

    /// The least value, in nanoseconds, that at least `per_mille` in 1000 of the counted do not exceed; 0 if there are none.
    pub(crate) fn quantile(&self, per_mille: u64) -> u64 {
        let rank = (u128::from(self.total) * u128::from(per_mille)).div_ceil(1000).max(1);
        let mut seen = 0u128;
        for (index, count) in self.counts.iter().enumerate() {
            seen += u128::from(*count);
            if seen >= rank {
                return greatest(index).min(self.max);
            }
        }
        self.max
    }

    /// The figures that are told of the distribution.
    #[allow(clippy::cast_precision_loss, reason = "microseconds to five digits are what is told")]
    pub(crate) fn summary(&self) -> Summary {
        let us = |nanoseconds: u64| nanoseconds as f64 / 1e3;
        Summary {
            mean: self.sum as f64 / self.total.max(1) as f64 / 1e3,
            p50: us(self.quantile(500)),
            p90: us(self.quantile(900)),
            p99: us(self.quantile(990)),
            p999: us(self.quantile(999)),
            max: us(self.max),
        }
    }
}

fn bucket(value: u64) -> usize {
    let shift = (u64::BITS - value.leading_zeros()).saturating_sub(PRECISION_BITS);
    // After the shift fewer than PRECISION_BITS + 1 bits are left.
    let within = usize::try_from(value >> shift).unwrap_or(usize::MAX);
    shift as usize * HALF + within
}

fn greatest(index: usize) -> u64 {
    let shift = (index / HALF).saturating_sub(1);
    let within = (index - shift * HALF) as u64;
    // The last bucket's bound would be 2^64, which wraps to 0, less 1.
    ((within + 1) << shift).wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn values() -> impl Strategy<Value = u64> {
        // Every magnitude, not only the large ones.
        (any::<u64>(), 0..64u32).prop_map(|(value, shift)| value >> shift)
    }

    proptest! {
        #[test]
        fn a_bucket_is_told_at_most_a_128th_too_high_and_never_too_low(value in values()) {
            let told = greatest(bucket(value));
            prop_assert!(told >= value);
            prop_assert!(told - value <= value / 128);
        }

        #[test]
        fn larger_values_do_not_fall_lower(one in values(), other in values()) {
            let (low, high) = (one.min(other), one.max(other));
            prop_assert!(bucket(low) <= bucket(high));
        }

        #[test]
        fn quantiles_are_those_of_the_sorted_values(
            mut values in prop::collection::vec(values(), 1..300), per_mille in 0..=1000u64,
        ) {
            let mut histogram = Histogram::default();
            for value in &values {
                histogram.record(Duration::from_nanos(*value));
            }
            values.sort_unstable();
            let rank = (values.len() * usize::try_from(per_mille).unwrap()).div_ceil(1000).max(1);
            let exact = values[rank - 1];
            let told = histogram.quantile(per_mille);
            prop_assert!(told >= exact && told - exact <= exact / 128, "{} for {}", told, exact);
            prop_assert_eq!(histogram.total(), values.len() as u64);
        }
    }

    #[test]
    fn the_ends_of_the_range_have_buckets() {
        assert_eq!((bucket(0), greatest(0)), (0, 0));
        assert_eq!(bucket(u64::MAX), BUCKETS - 1);
        assert_eq!(greatest(BUCKETS - 1), u64::MAX);
    }

    #[test]
    fn nothing_counted_is_told_as_zero() {
        let summary = Histogram::default().summary();
        assert_eq!(
            summary,
            Summary {
                mean: 0.0,
                p50: 0.0,
                p90: 0.0,
                p99: 0.0,
                p999: 0.0,
                max: 0.0
            }
        );
    }
}
