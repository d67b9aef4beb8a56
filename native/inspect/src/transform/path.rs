//! One spelling for a path: no empty, self-referencing or backing segments.

use std::borrow::Cow;

/// Without "//", "/./" and "segment/../"; a path from the root does not climb above it.
pub(super) fn normalize(value: &[u8]) -> Cow<'_, [u8]> {
    let is_clean = |two: &[u8]| !matches!(two, b"//" | b"./" | b"/.");
    if value.windows(2).all(is_clean) && value != b"." {
        return Cow::Borrowed(value);
    }
    Cow::Owned(joined(value))
}

/// The same, with backslashes as slashes.
pub(super) fn normalize_windows(value: &[u8]) -> Cow<'_, [u8]> {
    if !value.contains(&b'\\') {
        return normalize(value);
    }
    let slashes: Vec<u8> = value
        .iter()
        .map(|&byte| if byte == b'\\' { b'/' } else { byte })
        .collect();
    Cow::Owned(normalize(&slashes).into_owned())
}

fn joined(value: &[u8]) -> Vec<u8> {
    let is_relative = value.first() != Some(&b'/');
    let mut kept: Vec<&[u8]> = Vec::new();
    for segment in value.split(|&byte| byte == b'/') {
        match segment {
            b"" | b"." => {}
            b".." => match kept.last() {
                Some(last) if *last != b".." => {
                    kept.pop();
                }
                _ if is_relative => kept.push(segment),
                _ => {}
            },
            segment => kept.push(segment),
        }
    }
    let has_end = value.last() == Some(&b'/');
    let mut path = Vec::with_capacity(value.len());
    if !is_relative {
        path.push(b'/');
    }
    path.extend_from_slice(&kept.join(&b'/'));
    if has_end && !kept.is_empty() {
        path.push(b'/');
    }
    path
}
