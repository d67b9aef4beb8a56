//! UTF-8 sequences as `%uHHHH`, so that `urlDecodeUni` can map what they stand for.

use std::borrow::Cow;

/// Each sequence of two to four bytes as "%u" and its code in at least four lower-case digits. NUL bytes go.
///
/// As in ModSecurity: a lead byte without its continuation goes, one that RFC 3629 does not know stays, and an overlong
/// or surrogate sequence is followed by its lead byte.
pub(super) fn to_unicode(value: &[u8]) -> Cow<'_, [u8]> {
    if value.iter().all(|&byte| byte.is_ascii() && byte != 0) {
        return Cow::Borrowed(value);
    }
    let mut written = Vec::with_capacity(value.len() * 2);
    let mut rest = value;
    while let [lead, after @ ..] = rest {
        rest = after;
        let (length, bits, least) = match lead {
            0 => continue,
            0xc0..=0xdf => (2, lead & 0x1f, 0x80),
            0xe0..=0xef => (3, lead & 0x0f, 0x800),
            0xf0..=0xf7 => (4, lead & 0x07, 0x1_0000),
            _ => {
                written.push(*lead);
                continue;
            }
        };
        if *lead >= 0xf5 {
            written.push(*lead);
        }
        let Some(code) = continued(u32::from(bits), after, length - 1) else {
            continue;
        };
        written.extend_from_slice(format!("%u{code:04x}").as_bytes());
        if code < least || (0xd800..=0xdfff).contains(&code) {
            written.push(*lead);
        }
        rest = &after[length - 1..];
    }
    Cow::Owned(written)
}

fn continued(lead: u32, rest: &[u8], count: usize) -> Option<u32> {
    let continuation = rest.get(..count)?;
    let is_valid = continuation.iter().all(|byte| byte & 0xc0 == 0x80);
    is_valid.then(|| {
        continuation
            .iter()
            .fold(lead, |code, byte| code << 6 | u32::from(byte & 0x3f))
    })
}
