use super::*;
use std::collections::HashSet;

#[test]
fn numbers_differ_within_a_thread_and_between_threads() {
    let draw = || (0..10_000).map(|_| distinct_number()).collect::<Vec<_>>();
    let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(draw)).collect();
    let numbers: HashSet<u64> = threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect();
    assert_eq!(numbers.len(), 40_000);
}

#[test]
fn random_bytes_are_not_the_same_twice() {
    assert_ne!(random_bytes::<16>(), random_bytes::<16>());
}
