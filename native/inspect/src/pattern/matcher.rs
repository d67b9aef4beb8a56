//! Whether a pattern matches anywhere, for a bounded amount of work.
//!
//! Theory. The steps of a program (`program`) are a non-deterministic automaton. What a byte makes of a set of its steps is
//! worked out when a value first needs it and then known, for all values: an ordinary value costs a nanosecond a byte. A value
//! can be written so that nearly every byte asks for something new. So working out is counted, step by step, and where the
//! sets no longer fit into memory they are gone through one after another without being kept, which costs a third.
//!
//! Law 1: what is said is exact, or `Undecided`. What a value costs depends on it, on the pattern, and on what is known so far;
//! what is said, but for being undecided, on the first two alone.
//! Law 2: the work is bounded by the meter, plus once the steps of the pattern.
//! Law 3: memory is bounded by `MAX_KNOWN_BYTES`; beyond it, what was worked out is forgotten before the next value.

use std::collections::HashMap;
use std::mem;
use std::sync::{Arc, Mutex, PoisonError};

use super::bytes::ByteSet;
use super::class::is_word;
use super::program::{Program, Step};
use super::tree::Place;
use crate::meter::{Meter, Undecided, steps};

/// What a pattern may keep of what was worked out.
const MAX_KNOWN_BYTES: usize = 256 * 1024;
/// What a new set costs beside its steps: it is sorted, looked up, allocated.
const NEW_SET: u32 = 40;
/// What every value costs, the call included, and how many bytes of it, where everything is known, cost a step.
const EACH_VALUE: u32 = 40;
const BYTES_A_STEP: usize = 4;
/// What is not a number of a set: nobody has asked yet, and a match.
const UNKNOWN: u32 = u32::MAX;
const MATCH: u32 = u32::MAX - 1;

/// A step, with those that only lead to another left out.
#[derive(Clone, Copy, Debug)]
enum Op {
    Match,
    Bytes { set: u32, next: u32 },
    At { place: Place, next: u32 },
    Fork(u32, u32),
    Fail,
}

/// What stands before a place, as far as conditions on places ask.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
enum Before {
    Start,
    Newline,
    Word,
    Other,
}

/// Which of these matter to a pattern.
#[derive(Clone, Copy, Debug, Default)]
struct Asked {
    start: bool,
    lines: bool,
    words: bool,
}

/// A pattern's automaton and what is known of it.
#[derive(Debug)]
pub(super) struct Matcher {
    ops: Vec<Op>,
    sets: Vec<ByteSet>,
    first: u32,
    asked: Asked,
    class_of: Box<[u8; 256]>,
    /// How many classes there are; the next number is the end's.
    classes: usize,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    states: Vec<(Before, Arc<[u32]>)>,
    numbers: HashMap<(Before, Arc<[u32]>), u32>,
    /// A row for each state, by class.
    next: Vec<u32>,
    /// What a match that begins here comes to, by what stands before and class.
    begun: Vec<Option<Begun>>,
    bytes: usize,
    work: Work,
}

#[derive(Clone, Debug)]
struct Begun {
    is_match: bool,
    entered: Arc<[u32]>,
}

/// What working out one set needs.
#[derive(Debug, Default)]
struct Work {
    round: u32,
    seen: Vec<u32>,
    has_entered: Vec<u32>,
    to_see: Vec<u32>,
    entered: Vec<u32>,
}

enum Next {
    Match,
    State(u32),
    /// What is known is full: the steps are in `Work::entered`.
    Full,
}

impl Matcher {
    /// Of a program without look-around, back-references and atomic groups.
    pub(super) fn new(program: &Program) -> Self {
        let mut sets = Sets::default();
        let mut asked = Asked::default();
        let ops = program
            .steps
            .iter()
            .enumerate()
            .map(|(at, step)| op(program, at, step, &mut sets, &mut asked))
            .collect();
        let (class_of, classes) = classes(&sets.all, asked);
        Self {
            ops,
            sets: sets.all,
            first: target(program, 0),
            asked,
            class_of,
            classes,
            known: Mutex::default(),
        }
    }

    /// Whether it matches anywhere in `value`.
    pub(super) fn is_match(&self, value: &[u8], meter: &mut Meter) -> Result<bool, Undecided> {
        meter.spend(EACH_VALUE + steps(value.len() / BYTES_A_STEP))?;
        // What is known is a cache: whoever panicked while holding it left nothing that the next clearing does not mend.
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if known.bytes > MAX_KNOWN_BYTES || known.states.is_empty() {
            self.clear(&mut known);
        }
        let (mut state, mut at) = (0, 0);
        while at < value.len() {
            let known_next = known.next.as_slice();
            let mut next = UNKNOWN;
            while let Some(&byte) = value.get(at) {
                next = known_next[state as usize + usize::from(self.class_of[usize::from(byte)])];
                if next >= MATCH {
                    break;
                }
                state = next;
                at += 1;
            }
            let Some(&byte) = value.get(at) else { break };
            if next == MATCH {
                return Ok(true);
            }
            let class = usize::from(self.class_of[usize::from(byte)]);
            match self.work_out(&mut known, state, class, Some(byte), meter)? {
                Next::Match => return Ok(true),
                Next::State(next) => state = next,
                Next::Full => return self.go_through(&mut known, byte, &value[at + 1..], meter),
            }
            at += 1;
        }
        match known.next[state as usize + self.classes] {
            UNKNOWN => self
                .work_out(&mut known, state, self.classes, None, meter)
                .map(|next| matches!(next, Next::Match)),
            next => Ok(next == MATCH),
        }
    }

    /// The rest of a value, without keeping anything; the steps so far are those that were entered last.
    fn go_through(&self, known: &mut Known, byte: u8, rest: &[u8], meter: &mut Meter) -> Result<bool, Undecided> {
        let mut last = byte;
        let mut standing = Vec::new();
        for next in rest.iter().copied().map(Some).chain([None]) {
            mem::swap(&mut standing, &mut known.work.entered);
            let class = next.map_or(self.classes, |byte| usize::from(self.class_of[usize::from(byte)]));
            if self.advance(known, &standing, self.before(last), class, next, meter)? {
                return Ok(true);
            }
            last = next.unwrap_or_default();
        }
        Ok(false)
    }

    fn work_out(
        &self,
        known: &mut Known,
        state: u32,
        class: usize,
        next: Option<u8>,
        meter: &mut Meter,
    ) -> Result<Next, Undecided> {
        let (before, standing) = known.states[state as usize / (self.classes + 1)].clone();
        let slot = state as usize + class;
        if self.advance(known, &standing, before, class, next, meter)? {
            known.next[slot] = MATCH;
            return Ok(Next::Match);
        }
        let Some(byte) = next else {
            // After the end there is nothing: any state but a match will do.
            known.next[slot] = 0;
            return Ok(Next::State(0));
        };
        meter.spend(NEW_SET + steps(known.work.entered.len()))?;
        known.work.entered.sort_unstable();
        let before = self.before(byte);
        let key = (before, Arc::from(known.work.entered.as_slice()));
        if let Some(&number) = known.numbers.get(&key) {
            known.next[slot] = number;
            return Ok(Next::State(number));
        }
        if known.bytes > MAX_KNOWN_BYTES {
            return Ok(Next::Full);
        }
        let number = self.add(known, key);
        known.next[slot] = number;
        Ok(Next::State(number))
    }

    /// From the steps that stand somewhere past the next byte: whether something matches before it, and else, in
    /// `Work::entered`, the steps that stand behind it.
    fn advance(
        &self,
        known: &mut Known,
        standing: &[u32],
        before: Before,
        class: usize,
        next: Option<u8>,
        meter: &mut Meter,
    ) -> Result<bool, Undecided> {
        let begun = self.begun(known, before, class, next, meter)?;
        if begun.is_match || self.close(&mut known.work, standing, before, next, meter)? {
            return Ok(true);
        }
        let Work {
            round,
            has_entered,
            entered,
            ..
        } = &mut known.work;
        for &step in &*begun.entered {
            let mark = &mut has_entered[step as usize];
            if *mark != *round {
                *mark = *round;
                entered.push(step);
            }
        }
        meter.spend(1 + steps(begun.entered.len()))?;
        Ok(false)
    }

    /// What a match that begins here comes to; it is the same wherever the same stands around.
    fn begun(
        &self,
        known: &mut Known,
        before: Before,
        class: usize,
        next: Option<u8>,
        meter: &mut Meter,
    ) -> Result<Begun, Undecided> {
        let slot = before as usize * (self.classes + 1) + class;
        if let Some(begun) = &known.begun[slot] {
            return Ok(begun.clone());
        }
        let is_match = self.close(&mut known.work, &[self.first], before, next, meter)?;
        let begun = Begun {
            is_match,
            entered: Arc::from(known.work.entered.as_slice()),
        };
        if known.bytes <= MAX_KNOWN_BYTES {
            known.bytes += mem::size_of_val(&*begun.entered);
            known.begun[slot] = Some(begun.clone());
        }
        Ok(begun)
    }

    fn close(
        &self,
        work: &mut Work,
        standing: &[u32],
        before: Before,
        next: Option<u8>,
        meter: &mut Meter,
    ) -> Result<bool, Undecided> {
        work.begin(self.ops.len());
        work.to_see.extend_from_slice(standing);
        let mut visits = 0;
        let mut is_match = false;
        while let Some(step) = work.to_see.pop() {
            visits += 1;
            let seen = &mut work.seen[step as usize];
            if *seen == work.round {
                continue;
            }
            *seen = work.round;
            match self.ops[step as usize] {
                Op::Match => {
                    is_match = true;
                    break;
                }
                Op::Bytes { set, next: to } => {
                    if next.is_some_and(|byte| self.sets[set as usize].contains(byte)) {
                        work.enter(to);
                    }
                }
                Op::At { place, next: to } => {
                    if is_at(place, before, next) {
                        work.to_see.push(to);
                    }
                }
                Op::Fork(one, other) => work.to_see.extend([one, other]),
                Op::Fail => {}
            }
        }
        meter.spend(visits)?;
        Ok(is_match)
    }

    fn before(&self, byte: u8) -> Before {
        match byte {
            b'\n' if self.asked.lines => Before::Newline,
            byte if self.asked.words && is_word(byte) => Before::Word,
            _ => Before::Other,
        }
    }

    fn add(&self, known: &mut Known, key: (Before, Arc<[u32]>)) -> u32 {
        let row = self.classes + 1;
        // A state is called by where its row begins.
        let number = steps(known.next.len());
        known.next.resize(known.next.len() + row, UNKNOWN);
        known.bytes += 4 * row + mem::size_of_val(&*key.1) + 96;
        known.states.push(key.clone());
        known.numbers.insert(key, number);
        number
    }

    fn clear(&self, known: &mut Known) {
        *known = Known {
            begun: vec![None; 4 * (self.classes + 1)],
            ..Known::default()
        };
        let start = if self.asked.start { Before::Start } else { Before::Other };
        self.add(known, (start, Arc::from([].as_slice())));
    }
}

impl Work {
    fn begin(&mut self, ops: usize) {
        if self.round == u32::MAX || self.seen.len() != ops {
            self.seen = vec![0; ops];
            self.has_entered = vec![0; ops];
            self.round = 0;
        }
        self.round += 1;
        self.to_see.clear();
        self.entered.clear();
    }

    fn enter(&mut self, step: u32) {
        let mark = &mut self.has_entered[step as usize];
        if *mark != self.round {
            *mark = self.round;
            self.entered.push(step);
        }
    }
}

fn is_at(place: Place, before: Before, next: Option<u8>) -> bool {
    let is_boundary = || (before == Before::Word) != next.is_some_and(is_word);
    match place {
        Place::Start => before == Before::Start,
        Place::End => next.is_none(),
        Place::LineStart => matches!(before, Before::Start | Before::Newline),
        // A superset of what the last stands for, which `Program`s for this are made without.
        Place::LineEnd | Place::EndOrLastNewline => next.is_none_or(|byte| byte == b'\n'),
        Place::WordBoundary => is_boundary(),
        Place::NoWordBoundary => !is_boundary(),
    }
}

fn op(program: &Program, at: usize, step: &Step, sets: &mut Sets, asked: &mut Asked) -> Op {
    match step {
        Step::Match => Op::Match,
        Step::Bytes(set) => Op::Bytes {
            set: sets.number(*set),
            next: target(program, at + 1),
        },
        Step::At(place) => {
            asked.note(*place);
            Op::At {
                place: *place,
                next: target(program, at + 1),
            }
        }
        Step::Fork(one, other) => Op::Fork(target(program, *one), target(program, *other)),
        // Jumps and what is kept are left out by whoever comes to them (`target`); of what looks around there is nothing.
        _ => Op::Fail,
    }
}

/// Where a step leads without a condition.
fn target(program: &Program, mut at: usize) -> u32 {
    loop {
        at = match program.steps[at] {
            Step::Jump(next) => next,
            Step::Keep(_) | Step::Moved(_) => at + 1,
            _ => return steps(at),
        };
    }
}

impl Asked {
    fn note(&mut self, place: Place) {
        match place {
            Place::Start => self.start = true,
            Place::LineStart => (self.start, self.lines) = (true, true),
            Place::LineEnd | Place::EndOrLastNewline => self.lines = true,
            Place::WordBoundary | Place::NoWordBoundary => self.words = true,
            Place::End => {}
        }
    }
}

/// The sets of bytes of a pattern, each once.
#[derive(Default)]
struct Sets {
    all: Vec<ByteSet>,
    numbers: HashMap<ByteSet, u32>,
}

impl Sets {
    fn number(&mut self, set: ByteSet) -> u32 {
        *self.numbers.entry(set).or_insert_with(|| {
            self.all.push(set);
            steps(self.all.len() - 1)
        })
    }
}

/// The class of each byte, and how many there are: bytes of a class are in the same sets.
fn classes(sets: &[ByteSet], asked: Asked) -> (Box<[u8; 256]>, usize) {
    let mut class_of = [0_u16; 256];
    let mut count = 1;
    let lines = asked.lines.then(|| ByteSet::of(*b"\n"));
    let words = asked.words.then(|| ByteSet::when(is_word));
    for set in sets.iter().copied().chain(lines).chain(words) {
        let mut parts: HashMap<(u16, bool), u16> = HashMap::new();
        for (byte, class) in (0..=u8::MAX).zip(&mut class_of) {
            let fresh = u16::try_from(parts.len()).unwrap_or(u16::MAX);
            *class = *parts.entry((*class, set.contains(byte))).or_insert(fresh);
        }
        count = parts.len();
    }
    // There are no more classes than bytes.
    let class_of = class_of.map(|class| u8::try_from(class).unwrap_or(u8::MAX));
    (Box::new(class_of), count)
}

#[cfg(test)]
#[path = "matcher_tests.rs"]
mod tests;
