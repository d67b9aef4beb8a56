use super::*;

#[test]
fn buckets_are_cumulative_and_a_bound_belongs_below_itself() {
    let latency = Latency::default();
    for nanos in [0, 5_000, 5_001, 2_000_000, 20_000_000_000] {
        latency.add(Duration::from_nanos(nanos));
    }
    let figures = latency.figures();
    let counts: Vec<u64> = figures.buckets.iter().map(|(_, count)| *count).collect();
    assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 4, 4, 4, 4, 4, 4, 4, 4]);
    assert_eq!(figures.count, 5);
    assert!((figures.sum_s - 20.002_010_001).abs() < 1e-9, "{}", figures.sum_s);
}

#[test]
fn bounds_ascend_in_seconds() {
    let buckets = Latency::default().figures().buckets;
    assert!(buckets.is_sorted_by(|(one, _), (next, _)| one < next));
    assert_eq!((buckets[0].0, buckets[15].0), (5e-6, 10.0));
}
