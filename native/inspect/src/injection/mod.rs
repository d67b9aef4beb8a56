//! What libinjection says: whether a value is an SQL injection, and whether a browser could run a script of it.
//!
//! Theory. Both halves are ports of libinjection's C of 2025-02 (by Nick Galbreath and others; its licence is
//! `LICENSE-libinjection`), over the table of words of the crate `libinjectionrs`. That crate is a port as well, but its SQL
//! half needs quadratic time for some values (32 KiB of "a." take 114 ms), and its HTML half misses event handlers that the
//! C finds.
//!
//! Law 1: the answers and fingerprints are those of the C, but that a byte 0xFF does not end a tag.
//! Law 2: linear time and a flat stack, whatever the value.

mod html;
mod sql;

/// The token types by which the value is taken for an SQL injection, one to five letters; None where it is not.
#[must_use]
pub fn sqli_fingerprint(value: &[u8]) -> Option<Vec<u8>> {
    sql::fingerprint(value).map(|fingerprint| fingerprint.to_vec())
}

/// Whether one of five HTML contexts would run a script of it.
#[must_use]
pub fn is_xss(value: &[u8]) -> bool {
    html::is_xss(value)
}

#[cfg(test)]
mod tests;
