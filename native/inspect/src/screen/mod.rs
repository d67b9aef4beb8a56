//! Many tests over the values of one request in one pass: which of them may hold.
//!
//! Theory. The Core Rule Set asks some 150 patterns about the same few values, each after one of some 20 chains of
//! transformations. But ordinary values are not encoded, so nearly all chains end in the same one or two values; and one
//! automaton asks all patterns at once. So a value is transformed along a tree of chains (`plan`), what is equal is scanned once
//! (`scan`), and what is found is told to the tests whose chain ends there.
//!
//! Law 1: it never misses a test that holds. It may name one that does not: a pattern that is not linear, or any in a value that
//!        was written to exhaust the budget of a scan.
//! Law 2: a scan works out a bounded number of steps of automata (`STEPS_TOGETHER`, `STEPS_ALONE`); all else is linear in the
//!        values. A value that has too many for all patterns at once is asked pattern by pattern.

mod haystack;
mod matchers;
mod plan;
mod scan;
mod singles;

use crate::transform::Transformation;

use self::matchers::Matchers;
use self::plan::Plan;
use self::singles::Singles;

/// Steps that one scan may work out in sets of all patterns, at about 8 µs each for the Core Rule Set 4. Benign requests need
/// new ones until some have been seen.
const STEPS_TOGETHER: u32 = 400;
/// The same pattern by pattern, at about 2 µs each: in a scan, and of one pattern in one value. What needs more may hold.
const STEPS_ALONE: u32 = 8_000;
const STEPS_ONE: u32 = 400;

/// What is asked of a value.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub enum Test {
    /// PCRE's syntax.
    Pattern(Vec<u8>),
    /// Any of these, in any ASCII case.
    Phrases(Vec<Vec<u8>>),
    /// libinjection's two.
    Sqli,
    #[allow(missing_docs, reason = "the line above is for both")]
    Xss,
}

/// Tests of the values of one source after the same transformations.
#[derive(Clone, Debug)]
pub struct Group {
    /// Which of the lists of values that a scan is given.
    pub source: usize,
    /// The transformations in their order.
    pub chain: Vec<Transformation>,
    /// What is asked then. Tests are numbered over all groups, in order.
    pub tests: Vec<Test>,
}

/// Compiled tests.
#[derive(Debug)]
pub struct Screen {
    /// By source.
    plans: Vec<Plan>,
    /// What several plans may share.
    matchers: Vec<Matchers>,
    singles: Singles,
    tests: usize,
}

impl Screen {
    /// Compile the tests. Fails with a sentence that names the one that cannot be.
    pub fn new(groups: &[Group]) -> Result<Self, String> {
        let sources = groups.iter().map(|group| group.source + 1).max().unwrap_or(0);
        let mut asked = vec![Vec::new(); sources];
        let mut tests = 0;
        for group in groups {
            asked[group.source].push((group, tests));
            tests += group.tests.len();
        }
        let mut singles = Singles::default();
        let mut matchers: Vec<Matchers> = Vec::new();
        let mut plans = Vec::with_capacity(sources);
        for groups in &asked {
            let wanted = plan::distinct(groups);
            let known = matchers.iter().position(|one| one.tests() == wanted);
            let number = if let Some(number) = known {
                number
            } else {
                matchers.push(
                    Matchers::new(wanted, &mut singles)
                        .map_err(|(test, what)| format!("test {}: {what}", number_of(groups, &test)))?,
                );
                matchers.len() - 1
            };
            plans.push(Plan::new(groups, number, &matchers[number]));
        }
        Ok(Self {
            plans,
            matchers,
            singles,
            tests,
        })
    }

    /// The numbers, ascending, of the tests that hold for at least one value of their source. `sources` are values by source;
    /// those that are missing have none.
    #[must_use]
    pub fn scan<Value: AsRef<[u8]>>(&self, sources: &[Vec<Value>]) -> Vec<usize> {
        let mut scan = scan::Scan::new(self.tests);
        for (plan, values) in self.plans.iter().zip(sources) {
            for value in values {
                scan.value(plan, &self.matchers[plan.matchers()], value.as_ref());
            }
        }
        scan.found()
    }

    fn memory(&self) -> usize {
        self.singles.memory() + self.matchers.iter().map(Matchers::memory).sum::<usize>()
    }

    /// What it holds, by name.
    #[must_use]
    pub fn statistics(&self) -> [(&'static str, usize); 4] {
        [
            ("tests", self.tests),
            ("sets", self.matchers.len()),
            ("chains", self.plans.iter().map(Plan::chains).sum()),
            ("memory_bytes", self.memory()),
        ]
    }
}

fn number_of(groups: &[(&Group, usize)], test: &Test) -> usize {
    let numbered = groups
        .iter()
        .flat_map(|(group, first)| group.tests.iter().zip(*first..));
    numbered
        .into_iter()
        .find(|(one, _)| *one == test)
        .map_or(0, |(_, number)| number)
}

#[cfg(test)]
mod tests;
