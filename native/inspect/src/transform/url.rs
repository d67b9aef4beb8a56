//! Percent-encoding, with and without the `%uHHHH` that IIS understands.

use std::borrow::Cow;

use super::codes::{narrow, pair, quad};
use super::unicode_map::best_fit;

/// `%HH` as its byte, "+" as a blank. A "%" without two digits stays.
pub(super) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    decoded(value, |_| None)
}

/// The same, and `%uHHHH` as the byte that the code page makes of the character.
pub(super) fn decode_unicode(value: &[u8]) -> Cow<'_, [u8]> {
    decoded(value, |rest| match rest {
        [b'u' | b'U', digits @ ..] => quad(digits).map(|code| best_fit(code).unwrap_or_else(|| narrow(code))),
        _ => None,
    })
}

fn decoded(value: &[u8], wide: impl Fn(&[u8]) -> Option<u8>) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr2(b'%', b'+', value) else {
        return Cow::Borrowed(value);
    };
    let mut decoded = Vec::with_capacity(value.len());
    decoded.extend_from_slice(&value[..first]);
    let mut rest = &value[first..];
    while let [byte, after @ ..] = rest {
        let (written, length) = match byte {
            b'+' => (b' ', 1),
            b'%' => match (wide(after), pair(after)) {
                (Some(byte), _) => (byte, 6),
                (None, Some(byte)) => (byte, 3),
                (None, None) => (b'%', 1),
            },
            other => (*other, 1),
        };
        decoded.push(written);
        rest = &rest[length..];
    }
    Cow::Owned(decoded)
}

/// Everything but letters, digits and "*" as `%hh`, a blank as "+".
pub(super) fn encode(value: &[u8]) -> Cow<'_, [u8]> {
    let is_plain = |byte: u8| byte == b'*' || byte.is_ascii_alphanumeric();
    if value.iter().copied().all(is_plain) {
        return Cow::Borrowed(value);
    }
    let mut encoded = Vec::with_capacity(value.len() * 3);
    for &byte in value {
        match byte {
            b' ' => encoded.push(b'+'),
            byte if is_plain(byte) => encoded.push(byte),
            byte => encoded.extend_from_slice(format!("%{byte:02x}").as_bytes()),
        }
    }
    Cow::Owned(encoded)
}
