//! Tokens that do not matter go: what is left of a value's beginning is its fingerprint.
//!
//! Theory. "1 + 2, -3" is as much a number as "1". A window of two and then three tokens slides over the last ones read;
//! what folds takes tokens out and sends the window back to the start.
//!
//! Law: every token is read once, and each pass of the loop reads one, takes one out, changes a type for good or moves on.

use super::token::{MAX_TEXT, Token};
use super::tokenizer::Tokenizer;
use super::{Context, MAX_TOKENS, words};

/// Words that are functions where a "(" follows, and names where not.
const CALLED: [&str; 11] = [
    "USER_ID",
    "USER_NAME",
    "DATABASE",
    "PASSWORD",
    "USER",
    "CURRENT_USER",
    "CURRENT_DATE",
    "CURRENT_TIME",
    "CURRENT_TIMESTAMP",
    "LOCALTIME",
    "LOCALTIMESTAMP",
];

/// What is left of a value.
#[derive(Debug)]
pub(super) struct Folded {
    /// At most as many as a fingerprint has letters.
    pub(super) tokens: Vec<Token>,
    /// How many there were.
    pub(super) count: usize,
    pub(super) has_mysql_comment: bool,
}

/// Read and fold the value.
pub(super) fn fold(value: &[u8], context: Context) -> Folded {
    let mut folder = Folder {
        tokenizer: Tokenizer::new(value, context),
        tokens: Vec::with_capacity(MAX_TOKENS + 1),
        left: 0,
        has_more: true,
        last_comment: None,
    };
    folder.run();
    let mut tokens = folder.tokens;
    tokens.truncate(folder.left.min(MAX_TOKENS));
    let Tokenizer {
        count,
        has_mysql_comment,
        ..
    } = folder.tokenizer;
    Folded {
        tokens,
        count,
        has_mysql_comment,
    }
}

struct Folder<'a> {
    tokenizer: Tokenizer<'a>,
    tokens: Vec<Token>,
    /// Where the window starts: what is before it is done.
    left: usize,
    has_more: bool,
    last_comment: Option<Token>,
}

/// What a look at the window came to.
enum Look {
    /// Something changed: look again.
    Again,
    /// Nothing to fold.
    Done,
    /// The value cannot be read in one way only.
    Evil,
}

impl Folder<'_> {
    fn run(&mut self) {
        if !self.skip_openers() {
            return;
        }
        loop {
            if self.tokens.len() >= MAX_TOKENS {
                self.fold_five();
            }
            if !self.has_more || self.left >= MAX_TOKENS {
                self.left = self.tokens.len();
                break;
            }
            if !self.read(2) {
                self.left = self.tokens.len();
                continue;
            }
            match self.fold_two() {
                Look::Again => continue,
                Look::Evil => {
                    self.tokens = vec![Token::new(b'X', b"X")];
                    self.left = 1;
                    return;
                }
                Look::Done => {}
            }
            if !self.read(3) {
                self.left = self.tokens.len();
                continue;
            }
            if let Look::Done = self.fold_three() {
                self.left += 1;
            }
        }
        if self.left < MAX_TOKENS
            && let Some(comment) = self.last_comment
        {
            self.tokens.truncate(self.left);
            self.tokens.push(comment);
            self.left += 1;
        }
    }

    /// Past the comments, opening parentheses, types and signs at the start; whether anything follows.
    fn skip_openers(&mut self) -> bool {
        while let Some(token) = self.tokenizer.next() {
            if !matches!(token.kind, b'c' | b'(' | b't') && !token.is_unary_operator() {
                self.tokens.push(token);
                return true;
            }
        }
        false
    }

    /// Read until the window has so many tokens; whether it has.
    fn read(&mut self, wanted: usize) -> bool {
        while self.has_more && self.tokens.len() <= MAX_TOKENS && self.tokens.len() - self.left < wanted {
            match self.tokenizer.next() {
                None => self.has_more = false,
                Some(comment) if comment.kind == b'c' => self.last_comment = Some(comment),
                Some(token) => {
                    self.last_comment = None;
                    self.tokens.push(token);
                }
            }
        }
        self.tokens.len() - self.left >= wanted
    }

    /// Take tokens out at the end and start anew.
    fn take(&mut self, count: usize) -> Look {
        self.tokens.truncate(self.tokens.len() - count);
        self.left = 0;
        Look::Again
    }

    /// Take the token at this place of the window out, and the last one with it: the window's end moves up.
    fn take_at(&mut self, at: usize) -> Look {
        self.tokens[self.left + at] = self.tokens[self.left + at + 1];
        self.take(1)
    }

    /// Take the last one out and look at the one before the window again.
    fn take_and_step_back(&mut self) -> Look {
        self.tokens.pop();
        self.left = self.left.saturating_sub(1);
        Look::Again
    }

    /// Five tokens that only compute something.
    fn fold_five(&mut self) {
        let kinds = [0, 1, 2, 3, 4].map(|at: usize| self.tokens[at].kind);
        let is_value = matches!(
            &kinds,
            [b'1', b'o' | b',', b'(', b'1', b')']
                | [b'n', b'o', b'(', b'n' | b'1', b')']
                | [b'1', b')', b',', b'(', b'1']
                | [b'n', b')', b'o', b'(', b'n']
        );
        if is_value {
            if let Some(&sixth) = self.tokens.get(MAX_TOKENS) {
                self.tokens[1] = sixth;
                self.tokens.truncate(2);
            } else {
                self.tokens.truncate(1);
            }
            self.left = 0;
        }
    }

    #[allow(clippy::match_same_arms, reason = "the order is libinjection's")]
    fn fold_two(&mut self) -> Look {
        let (first, second) = (self.tokens[self.left], self.tokens[self.left + 1]);
        match (first.kind, second.kind) {
            (b's', b's') | (b';', b';') => {
                self.tokens.pop();
                return Look::Again;
            }
            (b'o' | b'&', kind) if kind == b't' || second.is_unary_operator() => return self.take(1),
            (b'(', _) if second.is_unary_operator() => return self.take_and_step_back(),
            _ => {}
        }
        if let Some(merged) = merged(&first, &second) {
            self.tokens[self.left] = merged;
            return self.take_and_step_back();
        }
        match (first.kind, second.kind) {
            // In Transact-SQL "; IF" is a statement.
            (b';', b'f')
                if second
                    .text()
                    .get(..2)
                    .is_some_and(|start| start.eq_ignore_ascii_case(b"IF")) =>
            {
                self.retype(1, b'T')
            }
            (b'n' | b'v', b'(') if first.is_any(&CALLED) => self.retype(0, b'f'),
            (b'k', next) if first.is_any(&["IN", "NOT IN"]) => self.retype(0, if next == b'(' { b'o' } else { b'n' }),
            (b'o', next) if first.is_any(&["LIKE", "NOT LIKE"]) => {
                if next == b'(' {
                    self.tokens[self.left].kind = b'f';
                }
                Look::Done
            }
            (b't', b'n' | b'1' | b't' | b'(' | b'f' | b'v' | b's') => self.take_at(0),
            (b'A', b'n') => {
                // There are too many collations to know them all.
                if second.text().contains(&b'_') {
                    self.tokens[self.left + 1].kind = b't';
                    self.left = 0;
                }
                Look::Done
            }
            (b'\\', _) if second.is_arithmetic_operator() => {
                // In Transact-SQL "\%1" is "0 % 1".
                self.tokens[self.left].kind = b'1';
                self.take(0)
            }
            (b'\\', _) => self.take_at(0),
            (b'(', b'(') | (b')', b')') => self.take(1),
            // MySQL's {``.``.id}, which nobody writes.
            (b'{', b'n') if second.text().is_empty() => Look::Evil,
            // ODBC's {name expression}.
            (b'{', b'n') => self.take(2),
            (_, b'}') => self.take(1),
            _ => Look::Done,
        }
    }

    fn retype(&mut self, at: usize, kind: u8) -> Look {
        self.tokens[self.left + at].kind = kind;
        Look::Again
    }

    #[allow(clippy::match_same_arms, reason = "the order is libinjection's")]
    fn fold_three(&mut self) -> Look {
        let [first, second, third] = [0, 1, 2].map(|at| self.tokens[self.left + at]);
        let is_sign = second.is_unary_operator();
        match (first.kind, second.kind, third.kind) {
            (b'1', b'o', b'1') => self.take(2),
            (b'o', between, b'o') if between != b'(' => self.take(2),
            (b'&', _, b'&') => self.take(2),
            (b'v', b'o', b'v' | b'1' | b'n') | (b'n' | b'1', b'o', b'1' | b'n') => self.take(2),
            (b'n' | b'1' | b'v' | b's', b'o', b't') if second.text() == b"::" => self.take(2),
            (b'n' | b'1' | b's' | b'v', b',', b'1' | b'n' | b's' | b'v') => self.take(2),
            (b'E' | b'B' | b',', _, b'(') if is_sign => self.take_at(1),
            (b'k' | b'E' | b'B', _, b'1' | b'n' | b'v' | b's' | b'f') if is_sign => self.take_at(1),
            // "1, -1" is "1,1", which may fold with what is before it.
            (b',', _, b'1' | b'n' | b'v' | b's') if is_sign => {
                self.tokens[self.left + 1] = third;
                self.take(3)
            }
            (b',', _, b'f') if is_sign => self.take_at(1),
            (b'n', b'.', b'n') => self.take(2),
            (b'E', b'.', b'n') => self.take_at(1),
            (b'f', b'(', next) if next != b')' => {
                // USER() takes no argument, so this is something else.
                if first.is_any(&["USER"]) {
                    self.tokens[self.left].kind = b'n';
                }
                Look::Done
            }
            _ => Look::Done,
        }
    }
}

/// Two tokens that are one phrase, such as "UNION ALL".
fn merged(first: &Token, second: &Token) -> Option<Token> {
    let may_begin = matches!(first.kind, b'k' | b'n' | b'o' | b'U' | b'f' | b'E' | b'T' | b't');
    let may_end = matches!(
        second.kind,
        b'k' | b'n' | b'o' | b'U' | b'f' | b'E' | b'T' | b't' | b'&'
    );
    let (before, after) = (first.text(), second.text());
    let length = before.len() + 1 + after.len();
    if !may_begin || !may_end || length > MAX_TEXT {
        return None;
    }
    let mut phrase = [b' '; MAX_TEXT];
    phrase[..before.len()].copy_from_slice(before);
    phrase[before.len() + 1..length].copy_from_slice(after);
    let kind = words::kind_of(&phrase[..length])?;
    Some(Token::new(kind, &phrase[..length]).in_quotes(first.open, first.close))
}
