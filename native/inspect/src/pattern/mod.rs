//! One regular expression of SecLang's `@rx`: PCRE's syntax over bytes, for a bounded amount of work.
//!
//! Theory. A pattern is read into a tree (`parse`), and the tree is made into steps (`program`). Whether they match, a lazily
//! built automaton says (`matcher`); which groups they match, a backtracker that tries them in order (`backtrack`). Where a
//! pattern has what no automaton can do, the automaton is that of a wider pattern, and only where that one matches does the
//! backtracker look. All work is metered.
//!
//! Law 1: what is said is what PCRE would say with unbounded time, or that it is undecided. Where a search is undecided it counts
//! as a match: ModSecurity's recommended configuration refuses a request that exhausts PCRE's limits, too.
//! Law 2: groups are numbered as in PCRE; an alternative tried first wins, as in PCRE.

mod automaton;
mod backtrack;
mod bytes;
mod class;
mod matcher;
mod needles;
mod parse;
mod program;
mod set;
mod tree;

use std::ops::Range;

use self::backtrack::Outcome;
use self::bytes::ByteSet;
use self::matcher::Matcher;
use self::program::Program;
use crate::meter::{Meter, Undecided};

pub(crate) use self::set::{Budget, PatternSet, Readable};

/// Start and end of a match and of its groups, in order; None for a group that took no part.
pub type Groups = Vec<Option<Range<usize>>>;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    matcher: Matcher,
    is_linear: bool,
    program: Program,
    first: Option<ByteSet>,
    groups: usize,
}

impl Pattern {
    /// Compile a pattern; fails with a sentence where it cannot be.
    pub fn new(pattern: &[u8], ignore_case: bool) -> Result<Self, String> {
        let parsed = parse::parse(pattern, ignore_case)?;
        let is_linear = parsed.node.is_linear();
        let program = program::compile(&parsed.node, parsed.groups)?;
        let matcher = if is_linear {
            Matcher::new(&program)
        } else {
            Matcher::new(&program::compile(&parsed.node.widened(), 0)?)
        };
        Ok(Self {
            matcher,
            is_linear,
            program,
            first: parsed.node.first(),
            groups: parsed.groups,
        })
    }

    /// Whether an automaton does it alone, exactly.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        self.is_linear
    }

    /// Whether it matches anywhere.
    pub fn is_match(&self, value: &[u8], meter: &mut Meter) -> Result<bool, Undecided> {
        let may_match = self.matcher.is_match(value, meter)?;
        if self.is_linear || !may_match {
            return Ok(may_match);
        }
        match self.outcome(value, meter) {
            Outcome::Found(_) => Ok(true),
            Outcome::NotFound => Ok(false),
            Outcome::Exhausted => Err(Undecided),
        }
    }

    /// Where the leftmost match and its groups stand; None without a match. Undecided where there may be one.
    pub fn search(&self, value: &[u8], meter: &mut Meter) -> Result<Option<Groups>, Undecided> {
        if !self.matcher.is_match(value, meter)? {
            return Ok(None);
        }
        match self.outcome(value, meter) {
            Outcome::NotFound => Ok(None),
            Outcome::Found(places) => {
                let range = |ends: &[usize]| (ends[1] != usize::MAX).then(|| ends[0]..ends[1]);
                Ok(Some(
                    places[..2 * (self.groups + 1)].chunks_exact(2).map(range).collect(),
                ))
            }
            Outcome::Exhausted => Err(Undecided),
        }
    }

    fn outcome(&self, value: &[u8], meter: &mut Meter) -> Outcome {
        backtrack::search(&self.program, self.first, value, meter)
    }
}

#[cfg(test)]
mod tests;
