//! HTML character references, as far as ModSecurity reads them.

use std::borrow::Cow;

/// The references that have a name. Others stay as they are.
const NAMED: [(&[u8], u8); 5] = [
    (b"quot", b'"'),
    (b"amp", b'&'),
    (b"lt", b'<'),
    (b"gt", b'>'),
    (b"nbsp", 0xa0),
];

/// `&#xH;`, `&#D;` and five named references as one byte each; the semicolon may be missing.
pub(super) fn decode(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'&', value) else {
        return Cow::Borrowed(value);
    };
    let mut decoded = Vec::with_capacity(value.len());
    decoded.extend_from_slice(&value[..first]);
    let mut rest = &value[first..];
    while let [byte, after @ ..] = rest {
        if *byte == b'&'
            && let Some((character, length)) = reference(after)
        {
            decoded.push(character);
            rest = &after[length..];
            if let [b';', behind @ ..] = rest {
                rest = behind;
            }
        } else {
            decoded.push(*byte);
            rest = after;
        }
    }
    Cow::Owned(decoded)
}

/// The reference at the start of `text` (behind its "&"): its byte and its length without the semicolon.
fn reference(text: &[u8]) -> Option<(u8, usize)> {
    match text {
        [b'#', b'x' | b'X', digits @ ..] => number(digits, 16).map(|(byte, length)| (byte, length + 2)),
        [b'#', digits @ ..] => number(digits, 10).map(|(byte, length)| (byte, length + 1)),
        _ => {
            let length = text.iter().take_while(|byte| byte.is_ascii_alphanumeric()).count();
            let named = NAMED
                .iter()
                .find(|(name, _)| name.eq_ignore_ascii_case(&text[..length]));
            named.map(|(_, byte)| (*byte, length))
        }
    }
}

/// The lowest byte of a number of any length; one beyond C's `long` is its largest.
fn number(digits: &[u8], radix: u8) -> Option<(u8, usize)> {
    let values = digits
        .iter()
        .map_while(|&digit| char::from(digit).to_digit(u32::from(radix)));
    let (mut number, mut length) = (0_i64, 0);
    for digit in values {
        number = number.saturating_mul(i64::from(radix)).saturating_add(i64::from(digit));
        length += 1;
    }
    (length > 0).then(|| (number.to_le_bytes()[0], length))
}
