//! Hexadecimal digits: all of a value, or the `0x` literals of SQL in it.

use std::borrow::Cow;

use super::codes::{byte_of, is_hex, pair};

/// Each two digits as a byte. A last one alone is left out; what is no digit is worth what the arithmetic says.
pub(super) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(
        value
            .chunks_exact(2)
            .map(|digits| byte_of(digits[0], digits[1]))
            .collect(),
    )
}

/// Each byte as two lower-case digits.
pub(super) fn encode(value: &[u8]) -> Cow<'_, [u8]> {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = |byte: &u8| [DIGITS[usize::from(byte >> 4)], DIGITS[usize::from(byte & 15)]];
    Cow::Owned(value.iter().flat_map(digits).collect())
}

/// Each SQL literal such as `0x414243` as the bytes it stands for; "0x" without two digits stays.
pub(super) fn decode_sql(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.windows(2).any(|two| matches!(two, b"0x" | b"0X")) {
        return Cow::Borrowed(value);
    }
    let mut decoded = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        match rest {
            [b'0', b'x' | b'X', digits @ ..] if is_hex(digits.first()) && is_hex(digits.get(1)) => {
                rest = digits;
                while let Some(byte) = pair(rest) {
                    decoded.push(byte);
                    rest = &rest[2..];
                }
            }
            _ => {
                decoded.push(*byte);
                rest = after;
            }
        }
    }
    Cow::Owned(decoded)
}
