//! One spelling for a path: no empty, self-referencing or backing segments.

use std::borrow::Cow;

/// Without "//", "/./" and "segment/../"; a path from the root does not climb above it.
///
/// As in ModSecurity, a segment that only ends in ".." goes back as well.
pub(super) fn normalize(value: &[u8]) -> Cow<'_, [u8]> {
    let is_clean = |two: &[u8]| !matches!(two, b"//" | b"./");
    if value.windows(2).all(is_clean) && !value.ends_with(b".") {
        return Cow::Borrowed(value);
    }
    let mut walk = Walk {
        path: value,
        at: 0,
        kept: Vec::with_capacity(value.len()),
        is_relative: value[0] != b'/',
        is_at_root: false,
    };
    while walk.at < value.len() {
        walk.step();
    }
    if value.last() != Some(&b'/') && walk.kept.last() == Some(&b'/') {
        walk.kept.pop();
    }
    Cow::Owned(walk.kept)
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

/// A walk along the path, byte by byte.
struct Walk<'a> {
    path: &'a [u8],
    at: usize,
    kept: Vec<u8>,
    is_relative: bool,
    /// It went back as far as a relative path can be followed; what goes back further is kept.
    is_at_root: bool,
}

impl Walk<'_> {
    fn step(&mut self) {
        let is_last = self.at + 1 == self.path.len();
        let is_end = is_last || self.path[self.at + 1] == b'/';
        let byte = self.path[self.at];
        match byte {
            b'/' if !is_last => {}
            b'.' if is_end && self.drops_dot(is_last) => {
                // The slash behind the dot, if there is one, stands for the one before the segment.
                self.at += 1;
                if is_last {
                    return;
                }
            }
            b'.' => {}
            _ => self.is_at_root &= !is_end || self.kept.is_empty(),
        }
        self.copy();
    }

    /// Whether the dot that ends a segment goes; what it takes with it is gone then.
    fn drops_dot(&mut self, is_last: bool) -> bool {
        match self.kept.last() {
            Some(b'.') => self.goes_back(is_last),
            Some(b'/') => {
                if !is_last {
                    self.kept.pop();
                }
                true
            }
            Some(_) => false,
            None => true,
        }
    }

    /// Whether this segment and the one before it could be taken back.
    fn goes_back(&mut self, is_last: bool) -> bool {
        if self.is_relative && (self.is_at_root || self.kept.len() <= 2) {
            self.is_at_root = true;
            return false;
        }
        let before = self.kept.len().saturating_sub(2);
        let slash = self.kept[..before].iter().rposition(|&byte| byte == b'/').unwrap_or(0);
        self.kept.truncate(slash);
        if slash == 0 {
            self.is_at_root = true;
            if !self.is_relative && is_last {
                self.kept.push(b'/');
            }
        }
        true
    }

    /// One byte, and of slashes in a row the last one.
    fn copy(&mut self) {
        let slashes = self.path[self.at..].iter().take_while(|&&byte| byte == b'/').count();
        self.at += slashes.saturating_sub(1);
        if slashes == 0 || !self.is_relative || !self.kept.is_empty() {
            self.kept.push(self.path[self.at]);
        }
        self.at += 1;
    }
}
