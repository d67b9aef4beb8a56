//! Several patterns over one value in one pass: which of them match.
//!
//! Theory. One automaton for all of them, whose states are worked out as values need them and kept for the next value. For
//! ordinary values a byte then costs a nanosecond or two, however many the patterns are. But a value can be written so that
//! nearly every byte needs a new state, and working one out costs a thousand times as much. So a pass has a budget.
//!
//! Law 1: a pass works out no more than `Budget` allows. Where that is used up it stops and says so; what it has found holds.
//! Law 2: memory is bounded by `MAX_CACHE_BYTES`; beyond it, what was worked out is forgotten.

use std::sync::{Mutex, MutexGuard, PoisonError};

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::{Anchored, Input, MatchKind};
use regex_syntax::hir::Hir;

use super::automaton::{self, Use};
use super::needles::needles;
use super::parse;

/// What a set of several patterns may keep of the states it has worked out, and one of a single pattern. Benign requests need
/// less than a tenth of it.
const MAX_CACHE_BYTES: usize = 4 * 1024 * 1024;
const MAX_SINGLE_CACHE_BYTES: usize = 256 * 1024;
/// What a step costs that had to be worked out, and one out of a state with matches, of which nobody can tell.
const UNKNOWN_STEP: u32 = 16;
const MATCHING_STEP: u32 = 1;

/// How much may still be worked out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Budget(u32);

impl Budget {
    /// So many steps that are not known yet.
    pub(crate) fn of(unknown_steps: u32) -> Self {
        Self(unknown_steps.saturating_mul(UNKNOWN_STEP))
    }

    /// A part of it, at most so many steps, for one pass; what is left of it is to be given back.
    pub(crate) fn part(&mut self, unknown_steps: u32) -> Self {
        let part = self.0.min(unknown_steps.saturating_mul(UNKNOWN_STEP));
        self.0 -= part;
        Self(part)
    }

    #[allow(clippy::needless_pass_by_value, reason = "what was given back cannot be spent")]
    pub(crate) fn give_back(&mut self, part: Self) {
        self.0 += part.0;
    }

    fn spend(&mut self, cost: u32) -> Option<()> {
        self.0 = self.0.checked_sub(cost)?;
        Some(())
    }
}

/// A pattern that was read, for sets only.
#[derive(Clone, Debug)]
pub(crate) struct Readable {
    pattern: Hir,
    /// One of these is in every value that it matches, in some ASCII case; none where nothing is known.
    pub(crate) needles: Vec<Vec<u8>>,
}

impl Readable {
    /// What no automaton can do is left wider: a set then says "match" where there may be one.
    pub(crate) fn read(pattern: &[u8]) -> Result<Self, String> {
        let parsed = parse::parse(pattern, false)?;
        Ok(Self {
            pattern: automaton::translate(&parsed.node, Use::Test),
            needles: needles(&parsed.node),
        })
    }
}

/// Compiled patterns, numbered as they were given.
#[derive(Debug)]
pub(crate) struct PatternSet {
    automaton: DFA,
    known: Mutex<Option<Cache>>,
}

impl PatternSet {
    /// Fails with a sentence where they are too large.
    pub(crate) fn new<'a>(patterns: impl IntoIterator<Item = &'a Readable>) -> Result<Self, String> {
        let patterns: Vec<Hir> = patterns.into_iter().map(|one| one.pattern.clone()).collect();
        let nfa = automaton::compile(&patterns, Use::Test)?;
        let config = DFA::config()
            .match_kind(MatchKind::All)
            .cache_capacity(if patterns.len() == 1 {
                MAX_SINGLE_CACHE_BYTES
            } else {
                MAX_CACHE_BYTES
            })
            .skip_cache_capacity_check(true);
        let automaton = DFA::builder().configure(config).build_from_nfa(nfa);
        let automaton = automaton.map_err(|error| format!("the patterns cannot be compiled: {error}"))?;
        Ok(Self {
            automaton,
            known: Mutex::new(None),
        })
    }

    /// Call `found` with the number of each pattern that matches, more than once for some. None where the budget ended it.
    pub(crate) fn scan(&self, value: &[u8], budget: &mut Budget, found: impl FnMut(usize)) -> Option<()> {
        let mut known = self.known();
        let cache = known.get_or_insert_with(|| self.automaton.create_cache());
        self.pass(cache, value, budget, found)
    }

    /// Bytes that it holds.
    pub(crate) fn memory(&self) -> usize {
        let known = self.known().as_ref().map_or(0, Cache::memory_usage);
        self.automaton.memory_usage() + self.automaton.get_nfa().memory_usage() + known
    }

    /// What is known is a cache: whoever panicked while it was held left nothing that the next clearing does not mend.
    fn known(&self) -> MutexGuard<'_, Option<Cache>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn pass(&self, cache: &mut Cache, value: &[u8], budget: &mut Budget, mut found: impl FnMut(usize)) -> Option<()> {
        let input = Input::new(value).anchored(Anchored::No);
        let mut state = self.automaton.start_state_forward(cache, &input).ok()?;
        for &byte in value {
            state = self.step(cache, state, byte, budget)?;
            if state.is_tagged() {
                if state.is_match() {
                    self.report(cache, state, &mut found);
                } else if state.is_dead() {
                    return Some(());
                } else if state.is_quit() {
                    return None;
                }
            }
        }
        // A match is seen one step behind its last byte.
        budget.spend(MATCHING_STEP)?;
        let state = self.automaton.next_eoi_state(cache, state).ok()?;
        if state.is_match() {
            self.report(cache, state, &mut found);
        }
        Some(())
    }

    fn step(&self, cache: &mut Cache, state: LazyStateID, byte: u8, budget: &mut Budget) -> Option<LazyStateID> {
        if !state.is_tagged() {
            let next = self.automaton.next_state_untagged(cache, state, byte);
            if !next.is_unknown() {
                return Some(next);
            }
            budget.spend(UNKNOWN_STEP)?;
            return self.automaton.next_state(cache, state, byte).ok();
        }
        let before = cache.memory_usage();
        let next = self.automaton.next_state(cache, state, byte).ok()?;
        let is_same = cache.memory_usage() == before;
        budget.spend(if is_same { MATCHING_STEP } else { UNKNOWN_STEP })?;
        Some(next)
    }

    fn report(&self, cache: &Cache, state: LazyStateID, found: &mut impl FnMut(usize)) {
        for at in 0..self.automaton.match_len(cache, state) {
            found(self.automaton.match_pattern(cache, state, at).as_usize());
        }
    }
}

#[cfg(test)]
#[path = "set_tests.rs"]
mod tests;
