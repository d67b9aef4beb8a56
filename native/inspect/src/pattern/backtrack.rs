//! Patterns that no automaton can do, tried way after way as PCRE does, but for a bounded number of steps.
//!
//! Law 1: a search ends after `MAX_STEPS` steps, or what a meter allows, whatever pattern and value. What it then says is
//! `Exhausted`, not "no match".
//! Law 2: its memory is bounded by the same number: no step keeps more than one way back and one undo.

use super::bytes::ByteSet;
use super::class::is_word;
use super::program::{Program, Step};
use super::tree::Place;
use crate::meter::Meter;

/// Most steps of one search: about 2 ms. Precedent: the configurations that ModSecurity recommends set PCRE's match limit to
/// 100,000 (version 2) and 1,000 (version 3).
pub(super) const MAX_STEPS: u32 = 200_000;
/// What a step costs of a meter, which counts smaller ones.
const METERED_STEP: u32 = 2;
/// What a cell holds before anything was kept in it.
const NOWHERE: usize = usize::MAX;

/// How a search ended.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The start and end of the match and of every group, `usize::MAX` where one took no part.
    Found(Vec<usize>),
    NotFound,
    /// Nobody knows: it took too long to find out.
    Exhausted,
}

/// The leftmost match, as PCRE would find it. `first` is what it may begin with, where that is known.
pub(super) fn search(program: &Program, first: Option<ByteSet>, value: &[u8], meter: &mut Meter) -> Outcome {
    let steps = MAX_STEPS.min(meter.left() / METERED_STEP);
    let mut search = Search {
        program,
        value,
        cells: vec![NOWHERE; program.cells],
        ways: Vec::new(),
        left: steps,
    };
    let outcome = search.run_anywhere(first);
    // The steps were no more than there were.
    let _ = meter.spend((steps - search.left) * METERED_STEP);
    match outcome {
        Some(true) => Outcome::Found(search.cells),
        Some(false) => Outcome::NotFound,
        None => Outcome::Exhausted,
    }
}

/// What is done when a way has failed.
enum Way {
    /// Go on at this step and place.
    Try(usize, usize),
    /// A cell gets back what it held.
    Restore(usize, usize),
}

struct Search<'a> {
    program: &'a Program,
    value: &'a [u8],
    cells: Vec<usize>,
    ways: Vec<Way>,
    left: u32,
}

impl Search<'_> {
    /// Whether there is a match, whose ends are then in the first cells; None where the steps are used up.
    fn run_anywhere(&mut self, first: Option<ByteSet>) -> Option<bool> {
        for start in 0..=self.value.len() {
            let may_begin = first.is_none_or(|set| self.value.get(start).is_some_and(|&byte| set.contains(byte)));
            if !may_begin {
                continue;
            }
            if let Some(end) = self.run(0, start)? {
                self.cells[0] = start;
                self.cells[1] = end;
                return Some(true);
            }
        }
        Some(false)
    }

    /// From `step` at `at` to a `Match`: its place, None without one; None outside where the steps are used up.
    #[allow(
        clippy::option_option,
        reason = "the outer one is the end of the steps, as `?` passes it on"
    )]
    fn run(&mut self, step: usize, at: usize) -> Option<Option<usize>> {
        let floor = self.ways.len();
        let (mut step, mut at) = (step, at);
        loop {
            self.left = self.left.checked_sub(1)?;
            let next = match &self.program.steps[step] {
                Step::Match => return Some(Some(at)),
                Step::Around { around, back, next } => {
                    let is_there = match at.checked_sub(*back) {
                        None => false,
                        Some(start) => self.inner(step + 1, start, around.is_negative)?.is_some(),
                    };
                    (is_there != around.is_negative).then_some((*next, at))
                }
                Step::Atomic { next } => self.inner(step + 1, at, false)?.map(|end| (*next, end)),
                other => self.simple(other, step, at),
            };
            match next.or_else(|| self.back(floor)) {
                Some((next, place)) => (step, at) = (next, place),
                None => return Some(None),
            }
        }
    }

    /// A run inside of this one, whose ways back are dropped at its end. What it kept stays kept, unless it is to be
    /// forgotten; then and when this run goes back, cells get back what they held.
    #[allow(clippy::option_option, reason = "as in `run`")]
    fn inner(&mut self, step: usize, at: usize, is_forgotten: bool) -> Option<Option<usize>> {
        let floor = self.ways.len();
        let end = self.run(step, at)?;
        if is_forgotten {
            while self.ways.len() > floor {
                self.undo();
            }
        } else {
            let mut place = floor;
            for at in floor..self.ways.len() {
                if matches!(self.ways[at], Way::Restore(..)) {
                    self.ways.swap(place, at);
                    place += 1;
                }
            }
            self.ways.truncate(place);
        }
        Some(end)
    }

    fn simple(&mut self, step: &Step, number: usize, at: usize) -> Option<(usize, usize)> {
        let go_on = |is_so: bool| is_so.then_some((number + 1, at));
        match step {
            Step::Bytes(set) => {
                let is_in = self.value.get(at).is_some_and(|&byte| set.contains(byte));
                is_in.then_some((number + 1, at + 1))
            }
            Step::At(place) => go_on(self.is_at(*place, at)),
            Step::Fork(first, second) => {
                self.ways.push(Way::Try(*second, at));
                Some((*first, at))
            }
            Step::Jump(next) => Some((*next, at)),
            Step::Keep(cell) => {
                self.ways.push(Way::Restore(*cell, self.cells[*cell]));
                self.cells[*cell] = at;
                go_on(true)
            }
            Step::Moved(cell) => go_on(self.cells[*cell] != at),
            Step::Again { group, ignore_case } => self.again(*group, *ignore_case, at).map(|end| (number + 1, end)),
            Step::Fail | Step::Match | Step::Around { .. } | Step::Atomic { .. } => None,
        }
    }

    /// A group that took no part is matched by nothing, as in PCRE.
    fn again(&mut self, group: usize, ignore_case: bool, at: usize) -> Option<usize> {
        let (start, end) = (*self.cells.get(2 * group)?, *self.cells.get(2 * group + 1)?);
        let text = self.value.get(start..end)?;
        let here = self.value.get(at..at + text.len())?;
        // Comparing is work as well.
        self.left = self
            .left
            .saturating_sub(u32::try_from(text.len() / 16).unwrap_or(u32::MAX));
        let is_same = if ignore_case {
            here.eq_ignore_ascii_case(text)
        } else {
            here == text
        };
        is_same.then_some(at + text.len())
    }

    fn back(&mut self, floor: usize) -> Option<(usize, usize)> {
        while self.ways.len() > floor {
            if let Some(way) = self.undo() {
                return Some(way);
            }
        }
        None
    }

    /// Take the last way; the step and place to try, if it is one to try.
    fn undo(&mut self) -> Option<(usize, usize)> {
        match self.ways.pop()? {
            Way::Try(step, at) => Some((step, at)),
            Way::Restore(cell, place) => {
                self.cells[cell] = place;
                None
            }
        }
    }

    fn is_at(&self, place: Place, at: usize) -> bool {
        let byte = |at: usize| self.value.get(at).copied();
        let word = |at: Option<usize>| at.and_then(byte).is_some_and(is_word);
        match place {
            Place::Start => at == 0,
            Place::End => at == self.value.len(),
            Place::EndOrLastNewline => self.value[at..].is_empty() || self.value[at..] == *b"\n",
            Place::LineStart => at == 0 || byte(at - 1) == Some(b'\n'),
            Place::LineEnd => at == self.value.len() || byte(at) == Some(b'\n'),
            Place::WordBoundary => word(at.checked_sub(1)) != word(Some(at)),
            Place::NoWordBoundary => word(at.checked_sub(1)) == word(Some(at)),
        }
    }
}

#[cfg(test)]
#[path = "backtrack_tests.rs"]
mod tests;
