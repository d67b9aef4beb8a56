//! A set of bytes: what one position of a pattern accepts.

/// 256 bits, one a byte value.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug, Default)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    pub(super) const ALL: Self = Self([u64::MAX; 4]);

    pub(super) fn of(bytes: impl IntoIterator<Item = u8>) -> Self {
        bytes.into_iter().fold(Self::default(), |mut set, byte| {
            set.insert(byte);
            set
        })
    }

    pub(super) fn when(is_in: impl Fn(u8) -> bool) -> Self {
        Self::of((0..=u8::MAX).filter(|&byte| is_in(byte)))
    }

    pub(super) fn insert(&mut self, byte: u8) {
        self.0[usize::from(byte >> 6)] |= 1 << (byte & 63);
    }

    pub(super) fn contains(&self, byte: u8) -> bool {
        self.0[usize::from(byte >> 6)] >> (byte & 63) & 1 == 1
    }

    pub(super) fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|at| self.0[at] | other.0[at]))
    }

    pub(super) fn not(self) -> Self {
        Self(self.0.map(|bits| !bits))
    }

    /// With the other case of every ASCII letter in it.
    pub(super) fn in_any_case(self) -> Self {
        Self::when(|byte| self.contains(byte) || byte.is_ascii_alphabetic() && self.contains(byte ^ 0x20))
    }

    pub(super) fn iter(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |&byte| self.contains(byte))
    }

    /// The only byte, if there is one only.
    pub(super) fn single(self) -> Option<u8> {
        let mut bytes = self.iter();
        bytes
            .next()
            .filter(|_| self.0.iter().map(|bits| bits.count_ones()).sum::<u32>() == 1)
    }

    /// Runs of neighbours, as (first, last).
    pub(super) fn ranges(self) -> Vec<(u8, u8)> {
        let mut ranges: Vec<(u8, u8)> = Vec::new();
        for byte in self.iter() {
            match ranges.last_mut() {
                Some((_, last)) if *last + 1 == byte => *last = byte,
                _ => ranges.push((byte, byte)),
            }
        }
        ranges
    }
}

#[cfg(test)]
#[path = "bytes_tests.rs"]
mod tests;
