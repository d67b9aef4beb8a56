//! What is no attack though its fingerprint is one's: short things that ordinary text has, too.

use super::Fingerprint;
use super::fold::Folded;

/// Whether the value is ordinary after all.
pub(super) fn is_ordinary(value: &[u8], fingerprint: &Fingerprint, folded: &Folded) -> bool {
    let is_commented = fingerprint.len() > 1 && fingerprint.last() == Some(&b'c');
    // SQL Server does not log what has this word in it.
    if is_commented && memchr::memmem::find(value, b"sp_password").is_some() {
        return false;
    }
    match fingerprint.len() {
        2 => is_ordinary_pair(value, fingerprint, folded),
        3 => is_ordinary_triple(fingerprint, folded),
        _ => false,
    }
}

fn is_ordinary_pair(value: &[u8], fingerprint: &Fingerprint, folded: &Folded) -> bool {
    let [first, second] = [folded.tokens[0], folded.tokens[1]];
    if fingerprint[1] == b'U' {
        // "1 union" alone; with something folded away it is more than that.
        return folded.count == 2;
    }
    if second.first() == b'#' {
        return true;
    }
    match (first.kind, second.kind, second.first()) {
        (b'n', b'c', mark) if mark != b'/' => return true,
        (b'1', b'c', b'/') => return false,
        (b'1', b'c', _) => {
            // "1234--" and "1234 --", or what folds into one of them; a number that goes on in another way may be anything.
            let behind = value.get(first.text().len()..).unwrap_or_default();
            let is_end = match behind {
                [] | [0..=32 | 128.., ..] | [b'/', b'*', ..] | [b'-', b'-', ..] => true,
                _ => folded.count > 2,
            };
            return !is_end;
        }
        _ => {}
    }
    // Many people write "--" in plain text; at the very end they do not.
    second.text().len() > 2 && second.first() == b'-'
}

fn is_ordinary_triple(fingerprint: &Fingerprint, folded: &Folded) -> bool {
    let [first, second, third] = [folded.tokens[0], folded.tokens[1], folded.tokens[2]];
    match &**fingerprint {
        // ...foo' + 'bar...: of both strings, the outer quotes are missing.
        b"sos" | b"s&s" => !(first.open == 0 && third.close == 0 && first.close == third.open),
        // 'sexy and 17', but not 'sexy and 17<18'.
        b"s&n" | b"n&1" | b"1&1" | b"1&v" | b"1&s" => folded.count == 3,
        // Only "INTO OUTFILE" and "INTO DUMPFILE" are evil.
        _ if second.kind == b'k' => {
            let is_into = second
                .text()
                .get(..4)
                .is_some_and(|start| start.eq_ignore_ascii_case(b"INTO"));
            second.text().len() < 5 || !is_into
        }
        _ => false,
    }
}
