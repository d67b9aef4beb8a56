//! SQL's many kinds of strings, and the literals that look like them.

use super::scan::{is_in, run};
use super::token::Token;
use super::tokenizer::{Taken, is_hex_or_nul, one, word};

/// A string at the start of `rest`: `skipped` bytes before its text, of which the last is its quote; with none, it is one that
/// began before the value. It ends at a quote that is neither doubled nor behind an odd number of backslashes.
pub(super) fn quoted(rest: &[u8], quote: u8, skipped: usize) -> Taken {
    let text = &rest[skipped..];
    let open = if skipped > 0 { quote } else { 0 };
    let mut from = 0;
    while let Some(found) = memchr::memchr(quote, text.get(from..).unwrap_or_default()) {
        let end = from + found;
        let backslashes = text[..end].iter().rev().take_while(|&&byte| byte == b'\\').count();
        if backslashes % 2 == 1 {
            from = end + 1;
        } else if text.get(end + 1) == Some(&quote) {
            from = end + 2;
        } else {
            return (Token::string(&text[..end], open, quote), skipped + end + 1);
        }
    }
    (Token::string(text, open, 0), rest.len())
}

/// A literal whose first letter says what it is: `b'01'`, `x'ff'`, `e''`, `n''`, `u&''`, `q'()'`, `nq'()'`.
pub(super) fn prefixed(letter: u8, rest: &[u8]) -> Option<Taken> {
    match letter {
        b'b' | b'B' => digits(rest, |byte| is_in(b"01", byte)),
        b'x' | b'X' => digits(rest, is_hex_or_nul),
        b'e' | b'E' => escaped(rest),
        b'n' | b'N' => escaped(rest).or_else(|| alternative(rest, 1)),
        b'q' | b'Q' => alternative(rest, 0),
        b'u' | b'U' => unicode(rest),
        _ => None,
    }
}

fn digits(rest: &[u8], is_digit: impl Fn(u8) -> bool) -> Option<Taken> {
    let [_, b'\'', digits @ ..] = rest else {
        return None;
    };
    let length = run(digits, is_digit);
    let is_closed = digits.get(length) == Some(&b'\'');
    is_closed.then(|| (Token::new(b'1', &rest[..length + 3]), length + 3))
}

fn escaped(rest: &[u8]) -> Option<Taken> {
    matches!(rest, [_, b'\'', _, ..]).then(|| quoted(rest, b'\'', 2))
}

fn unicode(rest: &[u8]) -> Option<Taken> {
    let [_, b'&', string @ ..] = rest else {
        return None;
    };
    if string.first() != Some(&b'\'') {
        return None;
    }
    let (mut token, length) = quoted(string, b'\'', 1);
    token.open = b'u';
    if token.close == b'\'' {
        token.close = b'u';
    }
    Some((token, length + 2))
}

/// Oracle's `q'(text)'` with any delimiter, behind `before` other letters.
fn alternative(rest: &[u8], before: usize) -> Option<Taken> {
    let [b'q' | b'Q', b'\'', open, text @ ..] = rest.get(before..)? else {
        return None;
    };
    let close = match open {
        // C's `char` is signed: bytes beyond ASCII count as control characters here.
        0..33 | 128.. => return None,
        b'(' => b')',
        b'[' => b']',
        b'{' => b'}',
        b'<' => b'>',
        other => *other,
    };
    let skipped = rest.len() - text.len();
    Some(match memchr::memmem::find(text, &[close, b'\'']) {
        Some(end) => (Token::string(&text[..end], b'q', b'q'), skipped + end + 2),
        None => (Token::string(text, b'q', 0), rest.len()),
    })
}

/// "$" and a sum of money, or PostgreSQL's `$$text$$` and `$name$text$name$`.
pub(super) fn money(rest: &[u8]) -> Taken {
    let after = &rest[1..];
    if after.is_empty() {
        return one(b'n', b'$');
    }
    let sum = run(after, |byte| is_in(b"0123456789.,", byte));
    if sum == 1 && after[0] == b'.' {
        return word(rest);
    }
    if sum > 0 {
        return (Token::new(b'1', &rest[..=sum]), 1 + sum);
    }
    // C's letters, and its NUL.
    let name = run(after, |byte| byte == 0 || byte.is_ascii_alphabetic());
    if after.get(name) != Some(&b'$') {
        return one(b'n', b'$');
    }
    let (mark, text) = rest.split_at(name + 2);
    match memchr::memmem::find(text, mark) {
        Some(end) => (Token::string(&text[..end], b'$', b'$'), mark.len() + end + mark.len()),
        None => (Token::string(text, b'$', 0), rest.len()),
    }
}
