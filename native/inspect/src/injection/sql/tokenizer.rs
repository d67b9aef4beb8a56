//! SQL as every dialect reads it at once: bytes to tokens.
//!
//! Law 1: a token begins where the one before it ended, and takes at least one byte; all of them together read no byte more
//!        than a bounded number of times.
//! Law 2: nothing is an error. What is no SQL is a token as well.

use super::Context;
use super::scan::{is_in, is_white, run};
use super::strings::{self, quoted};
use super::token::{MAX_TEXT, Token};
use super::words;

/// What ends a word.
const WORD_ENDS: &[u8] = b" []{}<>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r\"\xa0";
/// What ends the name of a variable.
const VARIABLE_ENDS: &[u8] = b" <>:\\?=@!#~+-*/&|^%(),';\t\n\x0b\x0c\r'`\"";

/// A value that is being read.
#[derive(Debug)]
pub(super) struct Tokenizer<'a> {
    value: &'a [u8],
    at: usize,
    context: Context,
    /// How many tokens there were.
    pub(super) count: usize,
    /// Whether there was a comment that ANSI and MySQL disagree about.
    pub(super) has_mysql_comment: bool,
}

/// A token and how many bytes it takes.
pub(super) type Taken = (Token, usize);

impl<'a> Tokenizer<'a> {
    pub(super) fn new(value: &'a [u8], context: Context) -> Self {
        Self {
            value,
            at: 0,
            context,
            count: 0,
            has_mysql_comment: false,
        }
    }

    /// The next token; None at the end.
    pub(super) fn next(&mut self) -> Option<Token> {
        let (token, length) = match self.context.quote {
            Some(quote) if self.at == 0 && !self.value.is_empty() => quoted(self.value, quote, 0),
            _ => {
                let rest = &self.value[self.at..];
                self.at += run(rest, is_blank);
                let rest = &self.value[self.at..];
                self.take(*rest.first()?, rest)
            }
        };
        self.at += length;
        self.count += 1;
        Some(token)
    }

    /// The token at the start of `rest`, which begins with `byte`.
    fn take(&mut self, byte: u8, rest: &[u8]) -> Taken {
        match byte {
            b'!' | b'&' | b'*' | b':' | b'<' | b'=' | b'>' | b'|' => operator(rest),
            b'%' | b'+' | b'^' | b'~' => one(b'o', byte),
            b'(' | b')' | b',' | b';' | b'{' | b'}' => one(byte, byte),
            b'?' | b']' => one(b'?', byte),
            b'"' | b'\'' => quoted(rest, byte, 1),
            b'#' => self.hash(rest),
            b'$' => strings::money(rest),
            b'-' => self.dash(rest),
            b'.' | b'0'..=b'9' => number(rest),
            b'/' => slash(rest),
            b'@' => variable(rest),
            b'[' => bracketed(rest),
            b'\\' if rest.get(1) == Some(&b'N') => (Token::new(b'1', &rest[..2]), 2),
            b'\\' => one(b'\\', byte),
            b'`' => tick(rest),
            _ => strings::prefixed(byte, rest).unwrap_or_else(|| word(rest)),
        }
    }

    fn hash(&mut self, rest: &[u8]) -> Taken {
        self.has_mysql_comment = true;
        if self.context.is_mysql {
            comment(rest)
        } else {
            one(b'o', b'#')
        }
    }

    /// "--" and white space begin a comment everywhere, "--" and anything else do not in MySQL.
    fn dash(&mut self, rest: &[u8]) -> Taken {
        match rest {
            [_, b'-'] => comment(rest),
            [_, b'-', next, ..] if is_white(*next) => comment(rest),
            [_, b'-', ..] if !self.context.is_mysql => {
                self.has_mysql_comment = true;
                comment(rest)
            }
            _ => one(b'o', b'-'),
        }
    }
}

fn is_blank(byte: u8) -> bool {
    byte <= 32 || matches!(byte, 127 | 160)
}

pub(super) fn one(kind: u8, byte: u8) -> Taken {
    (Token::new(kind, &[byte]), 1)
}

fn some(kind: u8, rest: &[u8], length: usize) -> Taken {
    (Token::new(kind, &rest[..length]), length)
}

/// To the end of the line.
fn comment(rest: &[u8]) -> Taken {
    match memchr::memchr(b'\n', rest) {
        Some(end) => (Token::new(b'c', &rest[..end]), end + 1),
        None => some(b'c', rest, rest.len()),
    }
}

/// A comment of C. One inside another is read in different ways, and MySQL runs what is in `/*! */`: both are evil.
fn slash(rest: &[u8]) -> Taken {
    let [_, b'*', inside @ ..] = rest else {
        return one(b'o', b'/');
    };
    let end = memchr::memmem::find(inside, b"*/");
    let length = end.map_or(rest.len(), |end| end + 4);
    let is_nested = end.is_some_and(|end| memchr::memmem::find(&inside[..=end], b"/*").is_some());
    some(
        if is_nested || inside.first() == Some(&b'!') {
            b'X'
        } else {
            b'c'
        },
        rest,
        length,
    )
}

fn operator(rest: &[u8]) -> Taken {
    if rest.starts_with(b"<=>") {
        return some(b'o', rest, 3);
    }
    match rest.get(..2).and_then(words::kind_of) {
        Some(kind) => some(kind, rest, 2),
        None if rest[0] == b':' && rest.len() > 1 => one(b':', b':'),
        None => one(b'o', rest[0]),
    }
}

/// A word of SQL Server in brackets.
fn bracketed(rest: &[u8]) -> Taken {
    let end = memchr::memchr(b']', rest);
    some(b'n', rest, end.map_or(rest.len(), |end| end + 1))
}

/// A word, or what stands before the first "." or backtick in it if that is one that means something.
pub(super) fn word(rest: &[u8]) -> Taken {
    let length = run(rest, |byte| !is_in(WORD_ENDS, byte));
    let known = &rest[..length.min(MAX_TEXT)];
    for (at, _) in known.iter().enumerate().filter(|(_, byte)| matches!(byte, b'.' | b'`')) {
        if let Some(kind) = words::kind_of(&known[..at]).filter(|kind| *kind != b'n') {
            return some(kind, rest, at);
        }
    }
    let kind = if length <= MAX_TEXT {
        words::kind_of(known)
    } else {
        None
    };
    some(kind.unwrap_or(b'n'), rest, length)
}

/// MySQL's quoted names; a function's name is one all the same.
fn tick(rest: &[u8]) -> Taken {
    let (mut token, length) = quoted(rest, b'`', 1);
    token.kind = if words::kind_of(token.text()) == Some(b'f') {
        b'f'
    } else {
        b'n'
    };
    (token, length)
}

/// `@name`, `@@name`, and MySQL's quoted forms of both.
fn variable(rest: &[u8]) -> Taken {
    let signs = if rest.get(1) == Some(&b'@') { 2 } else { 1 };
    let name = &rest[signs..];
    let (mut token, length) = match name.first() {
        Some(b'`') => tick(name),
        Some(quote @ (b'\'' | b'"')) => quoted(name, *quote, 1),
        _ => some(b'v', name, run(name, |byte| !is_in(VARIABLE_ENDS, byte))),
    };
    token.kind = b'v';
    (token, signs + length)
}

fn number(rest: &[u8]) -> Taken {
    if let [b'0', letter @ (b'x' | b'X' | b'b' | b'B'), digits @ ..] = rest {
        let is_binary = matches!(letter, b'b' | b'B');
        let length = run(digits, |byte| {
            if is_binary {
                is_in(b"01", byte)
            } else {
                is_hex_or_nul(byte)
            }
        });
        return some(if length == 0 { b'n' } else { b'1' }, rest, 2 + length);
    }
    let digits = |at: usize| at + run(&rest[at..], |byte| byte.is_ascii_digit());
    let mut end = digits(0);
    if rest.get(end) == Some(&b'.') {
        end = digits(end + 1);
        if end == 1 {
            return one(b'.', b'.');
        }
    }
    let mut is_word = false;
    if let Some(b'e' | b'E') = rest.get(end) {
        let start = end + 1 + usize::from(matches!(rest.get(end + 1), Some(b'+' | b'-')));
        end = digits(start);
        // "1.e" is a word.
        is_word = end == start;
    }
    if let [b'd' | b'D' | b'f' | b'F', after @ ..] = &rest[end..] {
        // Oracle's suffixes; "1fUNION" is "1f UNION", but "123FROM" is "123 FROM".
        let is_suffix = after
            .first()
            .is_none_or(|&next| is_white(next) || matches!(next, b';' | b'u' | b'U'));
        end += usize::from(is_suffix);
    }
    some(if is_word { b'n' } else { b'1' }, rest, end)
}

pub(super) fn is_hex_or_nul(byte: u8) -> bool {
    byte == 0 || byte.is_ascii_hexdigit()
}
