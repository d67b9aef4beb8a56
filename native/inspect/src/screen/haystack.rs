//! Which patterns may match a value at all, by the words that it contains.

use aho_corasick::{AhoCorasick, AhoCorasickKind};

use crate::pattern::Readable;

use super::matchers::Wanted;

/// The needles of some patterns.
#[derive(Debug)]
pub(super) struct Haystack {
    /// All needles, each once.
    needles: AhoCorasick,
    /// The patterns of each needle.
    patterns: Vec<Vec<usize>>,
    /// The patterns without any.
    always: Wanted,
}

impl Haystack {
    pub(super) fn new(patterns: &[&Readable]) -> Result<Self, String> {
        let mut always = Wanted::none_of(patterns.len());
        let mut pairs = Vec::new();
        for (number, pattern) in patterns.iter().enumerate() {
            if pattern.needles.is_empty() {
                always.add(number);
            }
            pairs.extend(pattern.needles.iter().map(|needle| (needle, number)));
        }
        pairs.sort_unstable();
        let same = |one: &(&Vec<u8>, usize), other: &(&Vec<u8>, usize)| one.0 == other.0;
        let groups: Vec<&[(&Vec<u8>, usize)]> = pairs.chunk_by(same).collect();
        let needles = AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .kind(Some(AhoCorasickKind::ContiguousNFA))
            .build(groups.iter().map(|group| group[0].0))
            .map_err(|error| format!("the patterns cannot be compiled: {error}"))?;
        let patterns = groups
            .iter()
            .map(|group| group.iter().map(|(_, number)| *number).collect())
            .collect();
        Ok(Self {
            needles,
            patterns,
            always,
        })
    }

    /// The patterns that may match.
    pub(super) fn possible(&self, value: &[u8]) -> Wanted {
        let mut possible = self.always.clone();
        for found in self.needles.find_overlapping_iter(value) {
            for &number in &self.patterns[found.pattern().as_usize()] {
                possible.add(number);
            }
        }
        possible
    }

    pub(super) fn memory(&self) -> usize {
        self.needles.memory_usage()
    }
}
