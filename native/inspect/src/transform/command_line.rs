//! The many spellings of one command line, as one.

use std::borrow::Cow;

use super::spaces::mapped;

/// Without quotes, backslashes and carets; runs of blanks, commas and semicolons as one blank, none before "/" and "("; in
/// lower case.
pub(super) fn command_line(value: &[u8]) -> Cow<'_, [u8]> {
    let is_special = |&byte: &u8| matches!(byte, b'"' | b'\'' | b'\\' | b'^') || is_separator(byte);
    if !value.iter().any(is_special) {
        return mapped(value, |byte| byte.to_ascii_lowercase());
    }
    let mut plain = Vec::with_capacity(value.len());
    let mut is_after_blank = false;
    for &byte in value {
        match byte {
            b'"' | b'\'' | b'\\' | b'^' => {}
            byte if is_separator(byte) => {
                if !is_after_blank {
                    plain.push(b' ');
                }
                is_after_blank = true;
            }
            byte => {
                if is_after_blank && matches!(byte, b'/' | b'(') {
                    plain.pop();
                }
                plain.push(byte.to_ascii_lowercase());
                is_after_blank = false;
            }
        }
    }
    Cow::Owned(plain)
}

fn is_separator(byte: u8) -> bool {
    matches!(byte, b' ' | b',' | b';' | b'\t' | b'\r' | b'\n')
}
