//! White space, NUL bytes and whatever else is decided byte by byte.

use std::borrow::Cow;

/// C's `isspace` in the C locale: unlike Rust's, the vertical tab is white space.
pub(super) fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}

/// Each byte through `change`.
pub(super) fn mapped(value: &[u8], change: impl Fn(u8) -> u8) -> Cow<'_, [u8]> {
    if value.iter().all(|&byte| change(byte) == byte) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().map(|&byte| change(byte)).collect())
}

/// Only the bytes for which `is_out` does not hold.
pub(super) fn without(value: &[u8], is_out: impl Fn(u8) -> bool) -> Cow<'_, [u8]> {
    if !value.iter().any(|&byte| is_out(byte)) {
        return Cow::Borrowed(value);
    }
    Cow::Owned(value.iter().copied().filter(|&byte| !is_out(byte)).collect())
}

/// Each run of white space as one blank.
pub(super) fn compress(value: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |pair: &[u8]| pair[0] != b' ' || !is_space(pair[1]);
    if value.iter().all(|&byte| byte == b' ' || !is_space(byte)) && value.windows(2).all(is_plain) {
        return Cow::Borrowed(value);
    }
    let mut compressed = Vec::with_capacity(value.len());
    let mut is_in_run = false;
    for &byte in value {
        if !is_space(byte) {
            compressed.push(byte);
        } else if !is_in_run {
            compressed.push(b' ');
        }
        is_in_run = is_space(byte);
    }
    Cow::Owned(compressed)
}

pub(super) fn trim_left(value: &[u8]) -> &[u8] {
    let start = value.iter().position(|&byte| !is_space(byte));
    start.map_or(&[], |start| &value[start..])
}

pub(super) fn trim_right(value: &[u8]) -> &[u8] {
    let last = value.iter().rposition(|&byte| !is_space(byte));
    last.map_or(&[], |last| &value[..=last])
}
