//! How far a run of bytes reaches, as C's string functions say.

/// How many bytes at the start `is_in` holds for.
pub(super) fn run(text: &[u8], is_in: impl Fn(u8) -> bool) -> usize {
    text.iter().position(|&byte| !is_in(byte)).unwrap_or(text.len())
}

/// Whether the byte is one of `set`, or NUL: C finds the end of its strings, too.
pub(super) fn is_in(set: &[u8], byte: u8) -> bool {
    byte == 0 || set.contains(&byte)
}

pub(super) fn is_white(byte: u8) -> bool {
    is_in(b" \t\n\x0b\x0c\r\xa0", byte)
}
