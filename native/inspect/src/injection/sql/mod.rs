//! SQL injections by fingerprint: the types of a value's first five tokens, folded, looked up among known attacks.
//!
//! Theory. A value that is pasted into a statement continues it where it stood: plain, or inside a string of either quote.
//! It is read in each of these contexts, in ANSI's dialect and MySQL's, into tokens (`tokenizer`); those that do not matter
//! fold away (`fold`); and the types of what is left are a fingerprint (`words`). A few that ordinary text has, too, are
//! looked at once more (`ordinary`).
//!
//! Law: the order of contexts, and what makes another be tried, are libinjection's.

mod fold;
mod ordinary;
mod scan;
mod strings;
mod token;
mod tokenizer;
mod words;

use self::fold::{Folded, fold};
use self::token::Token;

/// Most tokens of a fingerprint.
const MAX_TOKENS: usize = 5;

/// The letters of a fingerprint.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Fingerprint {
    letters: [u8; MAX_TOKENS],
    length: usize,
}

impl std::ops::Deref for Fingerprint {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.letters[..self.length]
    }
}

impl Fingerprint {
    fn of(tokens: &[Token]) -> Self {
        let mut letters = [0; MAX_TOKENS];
        for (letter, token) in letters.iter_mut().zip(tokens) {
            *letter = token.kind;
        }
        if letters.contains(&b'X') {
            return Self {
                letters: [b'X', 0, 0, 0, 0],
                length: 1,
            };
        }
        Self {
            letters,
            length: tokens.len().min(MAX_TOKENS),
        }
    }
}

/// What the value is pasted behind, and who reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Context {
    /// The quote of the string that it continues.
    pub(super) quote: Option<u8>,
    pub(super) is_mysql: bool,
}

/// The fingerprint in the first context in which the value is an injection.
pub(super) fn fingerprint(value: &[u8]) -> Option<Fingerprint> {
    let ansi = |quote| Context { quote, is_mysql: false };
    let mysql = |quote| Context { quote, is_mysql: true };
    for quote in [None, Some(b'\'')] {
        if quote.is_some_and(|quote| !value.contains(&quote)) {
            continue;
        }
        let (found, has_mysql_comment) = attack_in(value, ansi(quote));
        if found.is_some() {
            return found;
        }
        // What ANSI takes for a comment ("--x", "#") MySQL may not, and the other way round.
        if has_mysql_comment && let (Some(found), _) = attack_in(value, mysql(quote)) {
            return Some(found);
        }
    }
    if value.contains(&b'"') {
        attack_in(value, mysql(Some(b'"'))).0
    } else {
        None
    }
}

fn attack_in(value: &[u8], context: Context) -> (Option<Fingerprint>, bool) {
    let mut folded: Folded = fold(value, context);
    if let [_, _, .., last] = folded.tokens.as_mut_slice()
        && last.is_open_empty_tick()
    {
        // PHP's idea of a comment.
        last.kind = b'c';
    }
    let fingerprint = Fingerprint::of(&folded.tokens);
    let is_attack = words::is_attack(&fingerprint) && !ordinary::is_ordinary(value, &fingerprint, &folded);
    (is_attack.then_some(fingerprint), folded.has_mysql_comment)
}
