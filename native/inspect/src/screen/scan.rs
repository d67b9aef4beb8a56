//! One scan: each value down its plan's tree, what is equal asked once.

use std::borrow::Cow;

use crate::pattern::Budget;

use super::matchers::{Budgets, Matchers, Wanted};
use super::plan::Plan;
use super::{STEPS_ALONE, STEPS_TOGETHER};

/// What a scan has found and may still spend.
#[derive(Debug)]
pub(super) struct Scan {
    /// By number of the test.
    held: Vec<bool>,
    budgets: Budgets,
    wanted: Wanted,
    holding: Wanted,
}

impl Scan {
    pub(super) fn new(tests: usize) -> Self {
        let budgets = Budgets {
            together: Budget::of(STEPS_TOGETHER),
            alone: Budget::of(STEPS_ALONE),
        };
        Self {
            held: vec![false; tests],
            budgets,
            wanted: Wanted::default(),
            holding: Wanted::default(),
        }
    }

    /// Ask all tests of the plan about the value.
    pub(super) fn value(&mut self, plan: &Plan, matchers: &Matchers, value: &[u8]) {
        let steps = plan.steps();
        // What the value became, each once, and which of them each step's is.
        let mut values: Vec<Cow<'_, [u8]>> = vec![Cow::Borrowed(value)];
        let mut of_step = vec![0; steps.len()];
        for (at, step) in steps.iter().enumerate() {
            if let Some((from, how)) = step.made {
                let same = of_step[from];
                let changed = match how.apply(&values[same]) {
                    Cow::Borrowed(made) if made.len() == values[same].len() => None,
                    made => Some(made.into_owned()),
                };
                of_step[at] = changed.map_or(same, |made| number_of(&mut values, made));
            }
        }
        for (number, value) in values.iter().enumerate() {
            let here = || {
                steps
                    .iter()
                    .zip(&of_step)
                    .filter(|(_, one)| **one == number)
                    .map(|(step, _)| step)
            };
            self.wanted.clear(&steps[0].wanted);
            self.holding.clear(&steps[0].wanted);
            for step in here() {
                self.wanted.add_all(&step.wanted);
            }
            matchers.run(value, &self.wanted, &mut self.budgets, &mut self.holding);
            for matcher in self.holding.iter() {
                for test in here().flat_map(|step| step.tests_of(matcher)) {
                    self.held[test] = true;
                }
            }
        }
    }

    /// The numbers of the tests that hold, ascending.
    pub(super) fn found(self) -> Vec<usize> {
        self.held
            .iter()
            .enumerate()
            .filter_map(|(number, held)| held.then_some(number))
            .collect()
    }
}

/// The number of a value, which is added if it is new.
fn number_of(values: &mut Vec<Cow<'_, [u8]>>, made: Vec<u8>) -> usize {
    values.iter().position(|known| **known == *made).unwrap_or_else(|| {
        values.push(Cow::Owned(made));
        values.len() - 1
    })
}
