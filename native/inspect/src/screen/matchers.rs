//! Distinct tests, compiled, and run over one value: all patterns at once, each phrase set, and libinjection.

use std::sync::Arc;

use crate::injection;
use crate::pattern::{Budget, PatternSet, Readable};
use crate::phrases::PhraseSet;

use super::haystack::Haystack;
use super::singles::{Single, Singles};
use super::{STEPS_ONE, Test};

/// Compiled tests. Patterns come first in their numbering, as they do in the order of tests.
#[derive(Debug)]
pub(super) struct Matchers {
    tests: Vec<Test>,
    patterns: Option<PatternSet>,
    /// The same, each alone: for values in which all at once have too many states.
    alone: Vec<Arc<Single>>,
    /// Which of them may match at all.
    haystack: Haystack,
    /// By number, behind the patterns.
    others: Vec<Other>,
}

#[derive(Debug)]
enum Other {
    Phrases(PhraseSet),
    Sqli,
    Xss,
}

/// How much one scan may still work out: in sets of patterns, and pattern by pattern.
#[derive(Debug)]
pub(super) struct Budgets {
    pub(super) together: Budget,
    pub(super) alone: Budget,
}

impl Matchers {
    /// `tests` are distinct and in order. Fails with the test that cannot be compiled and a sentence.
    pub(super) fn new(tests: Vec<Test>, singles: &mut Singles) -> Result<Self, (Test, String)> {
        let mut alone = Vec::new();
        let mut others = Vec::new();
        for test in &tests {
            let fault = |what| (test.clone(), what);
            match test {
                Test::Pattern(pattern) => alone.push(singles.of(pattern).map_err(fault)?),
                Test::Phrases(phrases) => others.push(Other::Phrases(PhraseSet::new(phrases).map_err(fault)?)),
                Test::Sqli => others.push(Other::Sqli),
                Test::Xss => others.push(Other::Xss),
            }
        }
        let readable: Vec<&Readable> = alone.iter().map(|single: &Arc<Single>| &single.readable).collect();
        let haystack = Haystack::new(&readable).map_err(|what| (tests[0].clone(), what))?;
        // Where they are too large together, each goes alone.
        let patterns = if readable.is_empty() {
            None
        } else {
            PatternSet::new(readable).ok()
        };
        Ok(Self {
            tests,
            patterns,
            alone,
            haystack,
            others,
        })
    }

    pub(super) fn tests(&self) -> &[Test] {
        &self.tests
    }

    pub(super) fn number_of(&self, test: &Test) -> Option<usize> {
        self.tests.binary_search(test).ok()
    }

    /// No test at all.
    pub(super) fn none(&self) -> Wanted {
        Wanted::none_of(self.tests.len())
    }

    /// Without the patterns by themselves, which others may share.
    pub(super) fn memory(&self) -> usize {
        let phrases = |other: &Other| {
            if let Other::Phrases(phrases) = other {
                phrases.memory()
            } else {
                0
            }
        };
        self.haystack.memory()
            + self.patterns.as_ref().map_or(0, PatternSet::memory)
            + self.others.iter().map(phrases).sum::<usize>()
    }

    /// Those of `wanted` that may hold for the value are added to `held`.
    pub(super) fn run(&self, value: &[u8], wanted: &Wanted, budgets: &mut Budgets, held: &mut Wanted) {
        if wanted.has_below(self.alone.len()) {
            let together = self.patterns.as_ref();
            let passed = together.and_then(|set| set.scan(value, &mut budgets.together, |number| held.add(number)));
            if passed.is_none() {
                self.run_alone(value, wanted, budgets, held);
            }
        }
        for (other, number) in self.others.iter().zip(self.alone.len()..) {
            if wanted.has(number) && other.holds(value) {
                held.add(number);
            }
        }
    }

    fn run_alone(&self, value: &[u8], wanted: &Wanted, budgets: &mut Budgets, held: &mut Wanted) {
        for number in self.haystack.possible(value).iter() {
            if wanted.has(number) && !held.has(number) {
                let mut is_match = false;
                let mut part = budgets.alone.part(STEPS_ONE);
                let passed = self.alone[number].set.scan(value, &mut part, |_| is_match = true);
                budgets.alone.give_back(part);
                if is_match || passed.is_none() {
                    held.add(number);
                }
            }
        }
    }
}

impl Other {
    fn holds(&self, value: &[u8]) -> bool {
        match self {
            Self::Phrases(phrases) => phrases.is_match(value),
            Self::Sqli => injection::sqli_fingerprint(value).is_some(),
            Self::Xss => injection::is_xss(value),
        }
    }
}

/// Some of the tests, by number.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub(super) struct Wanted(Vec<u64>);

impl Wanted {
    pub(super) fn add(&mut self, number: usize) {
        self.0[number / 64] |= 1 << (number % 64);
    }

    pub(super) fn add_all(&mut self, others: &Self) {
        for (bits, more) in self.0.iter_mut().zip(&others.0) {
            *bits |= more;
        }
    }

    pub(super) fn clear(&mut self, like: &Self) {
        self.0.clear();
        self.0.resize(like.0.len(), 0);
    }

    /// None of so many tests.
    pub(super) fn none_of(count: usize) -> Self {
        Self(vec![0; count.div_ceil(64)])
    }

    pub(super) fn has(&self, number: usize) -> bool {
        self.0[number / 64] >> (number % 64) & 1 == 1
    }

    fn has_below(&self, end: usize) -> bool {
        (0..end).any(|number| self.has(number))
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.0.iter().enumerate();
        words.flat_map(|(at, &bits)| {
            (0..64)
                .filter(move |bit| bits >> bit & 1 == 1)
                .map(move |bit| at * 64 + bit)
        })
    }
}
