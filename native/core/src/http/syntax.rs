//! Byte classes of RFC 9110 §5.6 and how to quote what a peer sent.

use std::fmt;

const TOKEN: u8 = 1;
const CONTROL: u8 = 2;
const TARGET: u8 = 4;

static CLASSES: [u8; 256] = classes();

#[allow(clippy::cast_possible_truncation, reason = "the index is below 256")]
const fn classes() -> [u8; 256] {
    let mut table = [0; 256];
    let mut at = 0;
    while at < 256 {
        let byte = at as u8;
        if byte.is_ascii_alphanumeric()
            || matches!(
                byte,
                b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~'
            )
        {
            table[at] |= TOKEN;
        }
        if byte.is_ascii_control() && byte != b'\t' {
            table[at] |= CONTROL;
        }
        // A fragment never goes on the wire (RFC 9110 §7.1). Bytes from 0x80 on must be UTF-8 as a whole.
        if (byte.is_ascii_graphic() && byte != b'#') || byte >= 0x80 {
            table[at] |= TARGET;
        }
        at += 1;
    }
    table
}

/// A character of a token (RFC 9110 §5.6.2).
pub(super) fn is_token_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TOKEN != 0
}

/// A control byte other than HTAB: never part of a line, and CR and LF only as its end.
pub(super) fn is_control(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & CONTROL != 0
}

/// A byte that may stand in a request target.
pub(super) fn is_target_byte(byte: u8) -> bool {
    CLASSES[usize::from(byte)] & TARGET != 0
}

/// Whether `text` is a token (RFC 9110 §5.6.2): what a field name, a method or a subprotocol must be.
#[must_use]
pub fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|&byte| is_token_byte(byte))
}

/// Whether `value` may be a field value as it is: no control bytes but HTAB, no space at its ends (RFC 9110 §5.5).
#[must_use]
pub fn is_field_value(value: &[u8]) -> bool {
    trim(value).len() == value.len() && !value.iter().any(|&byte| is_control(byte))
}

/// `value` without optional whitespace at its ends (RFC 9110 §5.6.3: SP and HTAB).
pub(super) fn trim(value: &[u8]) -> &[u8] {
    let is_space = |byte: &u8| matches!(byte, b' ' | b'\t');
    let Some(start) = value.iter().position(|byte| !is_space(byte)) else {
        return &[];
    };
    let end = value
        .iter()
        .rposition(|byte| !is_space(byte))
        .map_or(start, |last| last + 1);
    &value[start..end]
}

/// Quotes what a peer sent for a reason sentence: escaped, and cut where it is long.
pub(crate) struct Quoted<'a>(pub(crate) &'a [u8]);

/// Longest quotation in a reason; enough to recognise what was sent.
const MAX_QUOTED_BYTES: usize = 64;

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let shown = &self.0[..self.0.len().min(MAX_QUOTED_BYTES)];
        let more = if shown.len() < self.0.len() { "..." } else { "" };
        write!(out, "\"{}{more}\"", shown.escape_ascii())
    }
}

#[cfg(test)]
#[path = "syntax_tests.rs"]
mod tests;
