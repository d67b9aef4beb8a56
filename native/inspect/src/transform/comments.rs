//! Comments of C, HTML, SQL and the shell: taken out, replaced, or only their marks taken out.

use std::borrow::Cow;

/// Without `/* */` and `<!-- -->` comments, and without all that follows `--` or `#`.
///
/// As in ModSecurity, what stands directly behind a comment's end is kept unlooked at, a NUL where nothing does, and a
/// comment without an end leaves a blank.
pub(super) fn remove(value: &[u8]) -> Cow<'_, [u8]> {
    let may_begin = |two: &[u8]| matches!(two, b"/*" | b"<!" | b"--");
    if !value.contains(&b'#') && !value.windows(2).any(may_begin) {
        return Cow::Borrowed(value);
    }
    let mut kept = Vec::with_capacity(value.len() + 1);
    let mut is_in_comment = false;
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        rest = match (is_in_comment, rest) {
            (false, [b'/', b'*', ..]) => begin(&mut is_in_comment, &rest[2..]),
            (false, [b'<', b'!', b'-', b'-', ..]) => begin(&mut is_in_comment, &rest[4..]),
            (false, [b'-', b'-', ..] | [b'#', ..]) => break,
            (false, _) => {
                kept.push(*byte);
                after
            }
            (true, [b'*', b'/', ..]) => end(&mut is_in_comment, &mut kept, &rest[2..]),
            (true, [b'-', b'-', b'>', ..]) => end(&mut is_in_comment, &mut kept, &rest[3..]),
            (true, _) => after,
        };
    }
    if is_in_comment {
        kept.push(b' ');
    }
    Cow::Owned(kept)
}

fn begin<'a>(is_in_comment: &mut bool, rest: &'a [u8]) -> &'a [u8] {
    *is_in_comment = true;
    rest
}

fn end<'a>(is_in_comment: &mut bool, kept: &mut Vec<u8>, rest: &'a [u8]) -> &'a [u8] {
    *is_in_comment = false;
    kept.push(rest.first().copied().unwrap_or(0));
    rest.get(1..).unwrap_or_default()
}

/// Each `/* */` comment as one blank; one without an end reaches to the end.
pub(super) fn replace(value: &[u8]) -> Cow<'_, [u8]> {
    let Some(mut start) = memchr::memmem::find(value, b"/*") else {
        return Cow::Borrowed(value);
    };
    let mut kept = Vec::with_capacity(value.len());
    let mut rest = value;
    loop {
        kept.extend_from_slice(&rest[..start]);
        kept.push(b' ');
        let Some(length) = memchr::memmem::find(&rest[start + 2..], b"*/") else {
            return Cow::Owned(kept);
        };
        rest = &rest[start + 2 + length + 2..];
        let Some(next) = memchr::memmem::find(rest, b"/*") else {
            kept.extend_from_slice(rest);
            return Cow::Owned(kept);
        };
        start = next;
    }
}

/// Without the marks `/*`, `*/`, `<!--`, `-->`, `--` and `#`; what they enclose stays.
pub(super) fn remove_marks(value: &[u8]) -> Cow<'_, [u8]> {
    let is_mark = |two: &[u8]| matches!(two, b"/*" | b"*/" | b"<!" | b"--");
    if !value.contains(&b'#') && !value.windows(2).any(is_mark) {
        return Cow::Borrowed(value);
    }
    let mut kept = Vec::with_capacity(value.len());
    let mut rest = value;
    while let [byte, after @ ..] = rest {
        // The longer marks first.
        #[allow(clippy::match_same_arms)]
        let behind = match rest {
            [b'<', b'!', b'-', b'-', rest @ ..] | [b'-', b'-', b'>', rest @ ..] => rest,
            [b'/', b'*', rest @ ..] | [b'*', b'/', rest @ ..] | [b'-', b'-', rest @ ..] | [b'#', rest @ ..] => rest,
            _ => {
                kept.push(*byte);
                after
            }
        };
        rest = behind;
    }
    Cow::Owned(kept)
}
