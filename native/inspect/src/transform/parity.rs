//! The eighth bit as a parity bit over the other seven.

/// Bit 8 set so that the number of ones among the first seven and it is even.
pub(super) fn even(byte: u8) -> u8 {
    if has_odd_ones(byte) { byte | 0x80 } else { byte & 0x7f }
}

/// The same, odd.
pub(super) fn odd(byte: u8) -> u8 {
    if has_odd_ones(byte) { byte & 0x7f } else { byte | 0x80 }
}

/// Over all eight bits as they came, which is how ModSecurity counts.
fn has_odd_ones(byte: u8) -> bool {
    byte.count_ones() % 2 == 1
}
