//! Backslash escapes: those of JavaScript, CSS and ANSI C.

use std::borrow::Cow;

use super::codes::{narrow, nibble, octal, pair, quad};
use super::spaces::is_space;

/// `\uHHHH`, `\xHH`, octal and the one-letter escapes of JavaScript; any other loses its backslash.
pub(super) fn javascript(value: &[u8]) -> Cow<'_, [u8]> {
    unescaped(value, |rest| match rest {
        [] => (Some(b'\\'), 0),
        [b'u', digits @ ..] if let Some(code) = quad(digits) => (Some(narrow(code)), 5),
        [b'x', digits @ ..] if let Some(byte) = pair(digits) => (Some(byte), 3),
        [b'0'..=b'7', ..] => {
            let (number, length) = octal(rest);
            // Three digits may stand for more than a byte; then the first two are the escape.
            match u8::try_from(number) {
                Ok(byte) => (Some(byte), length),
                Err(_) => (Some((number / 8).to_le_bytes()[0]), length - 1),
            }
        }
        [letter, ..] => (Some(control(*letter).unwrap_or(*letter)), 1),
    })
}

/// One to six hexadecimal digits and the white space behind them, as one byte; an escaped line end and a last backslash
/// are nothing; any other escape loses its backslash.
pub(super) fn css(value: &[u8]) -> Cow<'_, [u8]> {
    unescaped(value, |rest| {
        let length = rest.iter().take(6).take_while(|byte| byte.is_ascii_hexdigit()).count();
        match rest {
            [] => (None, 0),
            [b'\n', ..] if length == 0 => (None, 1),
            [other, ..] if length == 0 => (Some(*other), 1),
            _ => {
                let has_space = rest.get(length).is_some_and(|&byte| is_space(byte));
                (Some(css_character(&rest[..length])), length + usize::from(has_space))
            }
        }
    })
}

/// The lower byte of the code; the fullwidth forms of ASCII as ASCII, zeros before them or not.
fn css_character(digits: &[u8]) -> u8 {
    match digits {
        [digit] => nibble(*digit),
        [b'0', four @ ..] | [b'0', b'0', four @ ..] | four if four.len() == 4 => quad(four).map_or(0, narrow),
        // At least two digits here, and all of them are.
        _ => pair(&digits[digits.len() - 2..]).unwrap_or_default(),
    }
}

/// The escapes of C's string literals as bash's `$'...'` has them; any other loses its backslash.
pub(super) fn ansi_c(value: &[u8]) -> Cow<'_, [u8]> {
    unescaped(value, |rest| match rest {
        [] => (Some(b'\\'), 0),
        [b'x' | b'X', digits @ ..] if let Some(byte) = pair(digits) => (Some(byte), 3),
        [b'0'..=b'7', ..] => {
            let (number, length) = octal(rest);
            (Some(number.to_le_bytes()[0]), length)
        }
        [letter, ..] => (Some(control(*letter).unwrap_or(*letter)), 1),
    })
}

/// Each backslash and what `escape` takes of the bytes behind it as the byte that it gives.
fn unescaped(value: &[u8], escape: impl Fn(&[u8]) -> (Option<u8>, usize)) -> Cow<'_, [u8]> {
    let Some(first) = memchr::memchr(b'\\', value) else {
        return Cow::Borrowed(value);
    };
    let mut plain = Vec::with_capacity(value.len());
    plain.extend_from_slice(&value[..first]);
    let mut rest = &value[first..];
    while let [byte, after @ ..] = rest {
        if *byte == b'\\' {
            let (written, length) = escape(after);
            plain.extend(written);
            rest = &after[length..];
        } else {
            plain.push(*byte);
            rest = after;
        }
    }
    Cow::Owned(plain)
}

fn control(letter: u8) -> Option<u8> {
    Some(match letter {
        b'a' => 0x07,
        b'b' => 0x08,
        b'f' => 0x0c,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        b'v' => 0x0b,
        _ => return None,
    })
}
