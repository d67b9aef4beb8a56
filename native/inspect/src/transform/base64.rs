//! Base64 (RFC 4648 §4), strict about its end and forgiving.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// What the value begins with, decoded up to the first byte that is not of the alphabet.
///
/// ModSecurity 2 stops there too; version 3 makes nothing of a value that is not Base64 from its first byte to its last,
/// which would let one stray byte hide the rest.
pub(super) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    let end = value.iter().position(|&byte| sextet(byte).is_none());
    Cow::Owned(joined(value[..end.unwrap_or(value.len())].iter().copied()))
}

/// What the value has of the alphabet, decoded; all else is skipped.
pub(super) fn decode_forgiving(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(joined(value.iter().copied()))
}

/// The value with padding.
pub(super) fn encode(value: &[u8]) -> Cow<'_, [u8]> {
    Cow::Owned(STANDARD.encode(value).into_bytes())
}

/// Six bits a character, eight a byte; bits that do not fill a last byte are left out.
fn joined(characters: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(characters.size_hint().0 / 4 * 3 + 3);
    let (mut waiting, mut count) = (0_u16, 0);
    for bits in characters.filter_map(sextet) {
        waiting = waiting << 6 | u16::from(bits);
        count += 6;
        if count >= 8 {
            count -= 8;
            bytes.push((waiting >> count).to_be_bytes()[1]);
            waiting &= (1 << count) - 1;
        }
    }
    bytes
}

fn sextet(character: u8) -> Option<u8> {
    match character {
        b'A'..=b'Z' => Some(character - b'A'),
        b'a'..=b'z' => Some(character - b'a' + 26),
        b'0'..=b'9' => Some(character - b'0' + 52),
        b'+' => Some(62),
        b'/' => Some(63),
        _ => None,
    }
}
