//! Randomness of the operating system, for what must not be guessed: frame masks (RFC 6455 §10.3) and ray ids.

/// `N` fresh bytes. Where the system cannot give any, zeros: a mask of zeros is legal, and only a kernel without
/// `getrandom` gets here, which cannot do TLS either.
#[must_use]
pub(crate) fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    if getrandom::fill(&mut bytes).is_err() {
        bytes = [0; N];
    }
    bytes
}
