//! Chance: the operating system's for what must not be guessed, a thread's own generator for what must only differ.

use std::cell::Cell;

/// `N` bytes that nobody can guess: frame masks (RFC 6455 §10.3). Where the system cannot give any, zeros: a mask of
/// zeros is legal, and only a kernel without `getrandom` gets here, which cannot do TLS either.
#[must_use]
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; N];
    }
    bytes
}

/// A number that no other call gives, to all practical purposes: ray ids. It can be guessed from earlier ones.
#[must_use]
pub(crate) fn distinct_number() -> u64 {
    thread_local! {
        static STATE: Cell<u64> = Cell::new(u64::from_ne_bytes(random_bytes()));
    }
    // SplitMix64 (Steele, Lea, Flood 2014): every state once in 2^64 calls, and each gives another number.
    let state = STATE.get().wrapping_add(0x9E37_79B9_7F4A_7C15);
    STATE.set(state);
    let mixed = (state ^ state >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let mixed = (mixed ^ mixed >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ mixed >> 31
}

#[cfg(test)]
#[path = "chance_tests.rs"]
mod tests;
