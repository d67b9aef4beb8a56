//! Many phrases at once, in any ASCII case: SecLang's `@pm`.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

/// A set of phrases.
#[derive(Debug)]
pub struct PhraseSet(AhoCorasick);

impl PhraseSet {
    /// Empty phrases are left out: they would be found everywhere. Fails with a sentence where there are too many.
    pub fn new<Phrase: AsRef<[u8]>>(phrases: &[Phrase]) -> Result<Self, String> {
        AhoCorasick::builder()
            .ascii_case_insensitive(true)
            .match_kind(MatchKind::LeftmostLongest)
            .build(phrases.iter().filter(|phrase| !phrase.as_ref().is_empty()))
            .map(Self)
            .map_err(|error| format!("phrases: {error}"))
    }

    /// Where the first phrase stands; of those that begin there, the longest.
    #[must_use]
    pub fn first(&self, value: &[u8]) -> Option<Range<usize>> {
        self.0.find(value).map(|found| found.range())
    }

    /// Bytes that it holds.
    #[must_use]
    pub fn memory(&self) -> usize {
        self.0.memory_usage()
    }

    /// Whether any phrase is in the value.
    #[must_use]
    pub fn is_match(&self, value: &[u8]) -> bool {
        self.0.is_match(value)
    }
}

#[cfg(test)]
#[path = "phrases_tests.rs"]
mod tests;
