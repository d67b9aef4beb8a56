//! How the values of one source are to be transformed, and which tests are asked of what comes out.
//!
//! Law: a chain's steps stand in the order in which they can be done; what chains have in common is done once.

use std::collections::BTreeSet;

use crate::transform::Transformation;

use super::matchers::{Matchers, Wanted};
use super::{Group, Test};

/// The tree of a source's chains.
#[derive(Debug)]
pub(super) struct Plan {
    steps: Vec<Step>,
    matchers: usize,
}

/// One value that a source value becomes.
#[derive(Debug)]
pub(super) struct Step {
    /// From which earlier step's value it is made, and how; the first step is the value as it came.
    pub(super) made: Option<(usize, Transformation)>,
    pub(super) wanted: Wanted,
    /// (matcher, number of the test), ascending.
    tests: Vec<(usize, usize)>,
}

impl Plan {
    /// Groups with the number of their first test; the matchers are for all their tests.
    pub(super) fn new(groups: &[(&Group, usize)], number: usize, matchers: &Matchers) -> Self {
        let mut plan = Self {
            steps: vec![Step {
                made: None,
                wanted: matchers.none(),
                tests: Vec::new(),
            }],
            matchers: number,
        };
        for (group, first) in groups {
            let step = group.chain.iter().fold(0, |from, one| plan.step(from, *one, matchers));
            for (test, number) in group.tests.iter().zip(*first..) {
                if let Some(matcher) = matchers.number_of(test) {
                    plan.steps[step].wanted.add(matcher);
                    plan.steps[step].tests.push((matcher, number));
                }
            }
            plan.steps[step].tests.sort_unstable();
        }
        plan
    }

    fn step(&mut self, from: usize, how: Transformation, matchers: &Matchers) -> usize {
        if let Some(known) = self.steps.iter().position(|step| step.made == Some((from, how))) {
            return known;
        }
        self.steps.push(Step {
            made: Some((from, how)),
            wanted: matchers.none(),
            tests: Vec::new(),
        });
        self.steps.len() - 1
    }

    pub(super) fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn matchers(&self) -> usize {
        self.matchers
    }

    /// How many values with tests of their own a source value becomes.
    pub(super) fn chains(&self) -> usize {
        self.steps.iter().filter(|step| !step.tests.is_empty()).count()
    }
}

impl Step {
    /// The numbers of the tests that ask this matcher.
    pub(super) fn tests_of(&self, matcher: usize) -> impl Iterator<Item = usize> {
        let first = self.tests.partition_point(|(one, _)| *one < matcher);
        self.tests[first..]
            .iter()
            .take_while(move |(one, _)| *one == matcher)
            .map(|(_, number)| *number)
    }
}

/// The tests of these groups, each once, in an order of their own.
pub(super) fn distinct(groups: &[(&Group, usize)]) -> Vec<Test> {
    let tests: BTreeSet<&Test> = groups.iter().flat_map(|(group, _)| &group.tests).collect();
    tests.into_iter().cloned().collect()
}
