//! Which bytes an escape or a bracketed class of PCRE stands for.
//!
//! Law: inside brackets nothing is an operation, unlike in Rust's syntax: "&&", "--", "~~" and a second "[" are bytes.

use super::bytes::ByteSet;

/// `\s`, and what is skipped in extended patterns.
pub(super) const SPACE: [u8; 6] = *b" \t\n\x0b\x0c\r";
/// `\v`, and `\R` but for the pair: all that PCRE counts as vertical space in bytes.
pub(super) const VERTICAL: [u8; 5] = *b"\n\x0b\x0c\r\x85";
/// `\h`: the tab, the blank and the no-break space.
const HORIZONTAL: [u8; 3] = *b"\t \xa0";

/// What follows the backslash at the start of `text`, outside and inside of brackets: its bytes and its length.
pub(super) fn escape(text: &[u8]) -> Result<(ByteSet, usize), String> {
    let Some(&letter) = text.first() else {
        return Err("a \"\\\" with nothing behind it".to_owned());
    };
    if let Some(set) = shorthand(letter) {
        return Ok((set, 1));
    }
    let (byte, length) = character(text, letter)?;
    Ok((ByteSet::of([byte]), length))
}

fn shorthand(letter: u8) -> Option<ByteSet> {
    let set = match letter.to_ascii_lowercase() {
        b'd' => ByteSet::when(|byte| byte.is_ascii_digit()),
        b'w' => ByteSet::when(is_word),
        b's' => ByteSet::of(SPACE),
        b'h' => ByteSet::of(HORIZONTAL),
        b'v' => ByteSet::of(VERTICAL),
        _ => return None,
    };
    Some(if letter.is_ascii_uppercase() { set.not() } else { set })
}

/// The bytes of which `\w` is made and between which `\b` is not.
pub(super) fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

fn character(text: &[u8], letter: u8) -> Result<(u8, usize), String> {
    Ok(match letter {
        b'n' => (b'\n', 1),
        b'r' => (b'\r', 1),
        b't' => (b'\t', 1),
        b'f' => (0x0c, 1),
        b'a' => (0x07, 1),
        b'e' => (0x1b, 1),
        b'c' => match text.get(1) {
            Some(control) if control.is_ascii() => (control.to_ascii_uppercase() ^ 0x40, 2),
            _ => return Err("a \"\\c\" without its character".to_owned()),
        },
        b'x' => hexadecimal(text)?,
        b'o' => braced(text, 8)?,
        b'0'..=b'7' => {
            let length = text
                .iter()
                .take(3)
                .take_while(|digit| matches!(digit, b'0'..=b'7'))
                .count();
            (code(&text[..length], 8)?, length)
        }
        letter if letter.is_ascii_alphanumeric() => {
            return Err(format!(
                "the escape \"\\{}\", which is not supported,",
                char::from(letter)
            ));
        }
        other => (other, 1),
    })
}

/// `\xhh` with up to two digits (none: NUL), or `\x{h...}`.
fn hexadecimal(text: &[u8]) -> Result<(u8, usize), String> {
    if text.get(1) == Some(&b'{') {
        return braced(text, 16);
    }
    let digits: Vec<u8> = text[1..]
        .iter()
        .copied()
        .take(2)
        .take_while(u8::is_ascii_hexdigit)
        .collect();
    Ok((if digits.is_empty() { 0 } else { code(&digits, 16)? }, 1 + digits.len()))
}

fn braced(text: &[u8], radix: u32) -> Result<(u8, usize), String> {
    let end = text.iter().position(|&byte| byte == b'}').unwrap_or(0);
    let digits = text.get(2..end).filter(|_| text.get(1) == Some(&b'{'));
    Ok((code(digits.unwrap_or_default(), radix)?, end + 1))
}

fn code(digits: &[u8], radix: u32) -> Result<u8, String> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    u8::from_str_radix(text, radix).map_err(|_| "a character code that is not one of a byte".to_owned())
}

/// The class that begins with the "[" at the start of `text`: its bytes and its length.
pub(super) fn bracketed(text: &[u8], ignore_case: bool) -> Result<(ByteSet, usize), String> {
    let is_negative = text.get(1) == Some(&b'^');
    let first = 1 + usize::from(is_negative);
    let mut at = first;
    let mut set = ByteSet::default();
    let mut is_quoted = false;
    loop {
        let rest = text
            .get(at..)
            .filter(|rest| !rest.is_empty())
            .ok_or("a class without its \"]\"")?;
        match rest {
            [b'\\', b'E', ..] => {
                is_quoted = false;
                at += 2;
            }
            [b'\\', b'Q', ..] if !is_quoted => {
                is_quoted = true;
                at += 2;
            }
            [b']', ..] if at > first && !is_quoted => break,
            _ => {
                let (members, length) = member(rest, is_quoted)?;
                at += length;
                set = set.or(members);
            }
        }
    }
    // "[^a]" in any case is neither "a" nor "A".
    let set = if ignore_case { set.in_any_case() } else { set };
    Ok((if is_negative { set.not() } else { set }, at + 1))
}

/// One byte, one range, one escape or one POSIX class.
fn member(text: &[u8], is_quoted: bool) -> Result<(ByteSet, usize), String> {
    if !is_quoted && let Some(found) = posix(text)? {
        return Ok(found);
    }
    let (low, length) = single(text, is_quoted)?;
    let behind = &text[length..];
    let (Some(from), [b'-', end, ..], false) = (low.single(), behind, is_quoted) else {
        return Ok((low, length));
    };
    // A "-" before the "]", before a shorthand and before a POSIX class is a byte.
    if *end == b']' || posix(&behind[1..])?.is_some() {
        return Ok((low, length));
    }
    let (high, more) = single(&behind[1..], false)?;
    match high.single() {
        Some(to) if from <= to => Ok((ByteSet::of(from..=to), length + 1 + more)),
        Some(_) => Err("a range out of order".to_owned()),
        None => Ok((low, length)),
    }
}

fn single(text: &[u8], is_quoted: bool) -> Result<(ByteSet, usize), String> {
    match text {
        [b'\\', b'b', ..] if !is_quoted => Ok((ByteSet::of([0x08]), 2)),
        [b'\\', rest @ ..] if !is_quoted => escape(rest).map(|(set, length)| (set, length + 1)),
        [byte, ..] => Ok((ByteSet::of([*byte]), 1)),
        [] => Err("a class without its \"]\"".to_owned()),
    }
}

/// `[:name:]` or `[:^name:]` at the start of `text`.
fn posix(text: &[u8]) -> Result<Option<(ByteSet, usize)>, String> {
    let [b'[', b':', rest @ ..] = text else {
        return Ok(None);
    };
    let is_negative = rest.first() == Some(&b'^');
    let name = &rest[usize::from(is_negative)..];
    let length = name.iter().take_while(|byte| byte.is_ascii_alphabetic()).count();
    if !name[length..].starts_with(b":]") {
        return Ok(None);
    }
    let is_in: fn(u8) -> bool = match &name[..length] {
        b"alnum" => |byte| byte.is_ascii_alphanumeric(),
        b"alpha" => |byte| byte.is_ascii_alphabetic(),
        b"ascii" => |byte| byte.is_ascii(),
        b"blank" => |byte| matches!(byte, b' ' | b'\t'),
        b"cntrl" => |byte| byte.is_ascii_control(),
        b"digit" => |byte| byte.is_ascii_digit(),
        b"graph" => |byte| byte.is_ascii_graphic(),
        b"lower" => |byte| byte.is_ascii_lowercase(),
        b"print" => |byte| byte.is_ascii_graphic() || byte == b' ',
        b"punct" => |byte| byte.is_ascii_punctuation(),
        b"space" => |byte| SPACE.contains(&byte),
        b"upper" => |byte| byte.is_ascii_uppercase(),
        b"word" => is_word,
        b"xdigit" => |byte| byte.is_ascii_hexdigit(),
        _ => return Err("a POSIX class of an unknown name".to_owned()),
    };
    let set = ByteSet::when(is_in);
    let set = if is_negative { set.not() } else { set };
    Ok(Some((set, 2 + usize::from(is_negative) + length + 2)))
}

#[cfg(test)]
#[path = "class_tests.rs"]
mod tests;
