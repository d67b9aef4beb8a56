//! One regular expression of SecLang's `@rx`: PCRE's syntax over bytes, in time linear in the value.
//!
//! Theory. A pattern is read into a tree (`parse`), which an automaton runs where it can (`automaton`). Where the pattern has
//! what no automaton can do, a wider automaton goes first: only where that one matches does the backtracker (`program`,
//! `backtrack`) look, for a bounded number of steps. Beyond them the answer is the wider one's, a match: ModSecurity's
//! recommended configuration refuses a request that exhausts PCRE's limits, too.
//!
//! Law 1: a search never misses what PCRE would find with unbounded time.
//! Law 2: groups are numbered as in PCRE; an alternative tried first wins, as in PCRE.

mod automaton;
mod backtrack;
mod bytes;
mod class;
mod needles;
mod parse;
mod program;
mod set;
mod tree;

use std::ops::Range;

use regex_automata::meta;
use regex_syntax::hir::Hir;

use self::automaton::Use;
use self::backtrack::Outcome;
use self::bytes::ByteSet;
use self::program::Program;

pub(crate) use self::set::{Budget, PatternSet, Readable};

/// What an engine may keep of what it has worked out, a thread; beyond it, it starts again.
const MAX_CACHE_BYTES: usize = 1024 * 1024;
/// Largest compiled pattern. The largest of the Core Rule Set 4 (8 KB of text) needs less than 1 MB.
const MAX_COMPILED_BYTES: usize = 10 * 1024 * 1024;

/// A compiled pattern.
#[derive(Debug)]
pub struct Pattern {
    wide: meta::Regex,
    exact: Option<Exact>,
    groups: usize,
}

#[derive(Debug)]
struct Exact {
    program: Program,
    first: Option<ByteSet>,
}

impl Pattern {
    /// Compile a pattern; fails with a sentence where it cannot be.
    pub fn new(pattern: &[u8], ignore_case: bool) -> Result<Self, String> {
        let parsed = parse::parse(pattern, ignore_case)?;
        let exact = if parsed.node.is_linear() {
            None
        } else {
            let program = program::compile(&parsed.node, parsed.groups)?;
            Some(Exact {
                program,
                first: parsed.node.first(),
            })
        };
        let purpose = if exact.is_some() { Use::Test } else { Use::Search };
        let wide = regex(&automaton::translate(&parsed.node, purpose))?;
        Ok(Self {
            wide,
            exact,
            groups: parsed.groups,
        })
    }

    /// Whether an automaton does it alone, exactly.
    #[must_use]
    pub fn is_linear(&self) -> bool {
        self.exact.is_none()
    }

    /// Whether it matches anywhere.
    #[must_use]
    pub fn is_match(&self, value: &[u8]) -> bool {
        self.wide.is_match(value)
            && self
                .exact
                .as_ref()
                .is_none_or(|exact| exact.search(value) != Outcome::NotFound)
    }

    /// Where the leftmost match and its groups stand; None for a group that took no part. None without a match.
    #[must_use]
    pub fn search(&self, value: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
        let Some(exact) = &self.exact else {
            return self.captures(value);
        };
        let whole = self.wide.find(value)?.range();
        match exact.search(value) {
            Outcome::NotFound => None,
            Outcome::Found(places) => {
                let range = |ends: &[usize]| (ends[1] != usize::MAX).then(|| ends[0]..ends[1]);
                Some(places[..2 * (self.groups + 1)].chunks_exact(2).map(range).collect())
            }
            Outcome::Exhausted => {
                let mut groups = vec![None; self.groups + 1];
                groups[0] = Some(whole);
                Some(groups)
            }
        }
    }

    fn captures(&self, value: &[u8]) -> Option<Vec<Option<Range<usize>>>> {
        let mut captures = self.wide.create_captures();
        self.wide.captures(value, &mut captures);
        captures.is_match().then(|| {
            let group = |at| captures.get_group(at).map(|span| span.range());
            (0..=self.groups).map(group).collect()
        })
    }
}

impl Exact {
    fn search(&self, value: &[u8]) -> Outcome {
        backtrack::search(&self.program, self.first, value)
    }
}

fn regex(pattern: &Hir) -> Result<meta::Regex, String> {
    let config = meta::Config::new()
        .utf8_empty(false)
        .hybrid_cache_capacity(MAX_CACHE_BYTES)
        .nfa_size_limit(Some(MAX_COMPILED_BYTES));
    meta::Builder::new()
        .configure(config)
        .build_from_hir(pattern)
        .map_err(|error| format!("the pattern cannot be compiled: {error}"))
}

#[cfg(test)]
mod tests;
