//! Digits in bytes, as the decoders here read them.

/// Whether the byte exists and is a hexadecimal digit.
pub(super) fn is_hex(byte: Option<&u8>) -> bool {
    byte.is_some_and(u8::is_ascii_hexdigit)
}

/// What a digit is worth. One that is none is worth what ModSecurity's arithmetic makes of it: `hexDecode` does not check.
pub(super) fn nibble(digit: u8) -> u8 {
    if digit >= b'A' {
        (digit & 0xdf).wrapping_sub(b'A').wrapping_add(10)
    } else {
        digit.wrapping_sub(b'0')
    }
}

/// Two digits as one byte.
pub(super) fn byte_of(high: u8, low: u8) -> u8 {
    nibble(high).wrapping_mul(16).wrapping_add(nibble(low))
}

/// The byte that two hexadecimal digits at the start of `text` stand for.
pub(super) fn pair(text: &[u8]) -> Option<u8> {
    match text {
        [high, low, ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => Some(byte_of(*high, *low)),
        _ => None,
    }
}

/// The number that four hexadecimal digits at the start of `text` stand for.
pub(super) fn quad(text: &[u8]) -> Option<u16> {
    Some(u16::from_be_bytes([pair(text)?, pair(text.get(2..)?)?]))
}

/// A 16-bit code as one byte: its lower one, and the fullwidth forms of ASCII (U+FF01 to U+FF5E) as ASCII.
pub(super) fn narrow(code: u16) -> u8 {
    let [high, low] = code.to_be_bytes();
    if high == 0xff && low > 0x00 && low < 0x5f {
        low + 0x20
    } else {
        low
    }
}

/// Up to three octal digits at the start of `text`: the number, and how many there were.
pub(super) fn octal(text: &[u8]) -> (u16, usize) {
    let digits = text.iter().take(3).take_while(|byte| matches!(byte, b'0'..=b'7'));
    digits.fold((0, 0), |(number, length), digit| {
        (number * 8 + u16::from(digit - b'0'), length + 1)
    })
}
