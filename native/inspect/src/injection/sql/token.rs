//! One token of SQL: its type, a letter of fingerprints, and the start of its text.
//!
//! The letters: `k` keyword, `U` union, `B` group by and its kind, `E` expression (select ...), `t` type, `f` function, `n` bare
//! word, `1` number, `v` variable, `s` string, `o` operator, `&` logic operator, `c` comment, `A` collate, `T` Transact-SQL,
//! `?` unknown, `X` unparsable and evil; and `( ) { } . , : ; \` for themselves. 0 is no token.

/// How much of a token's text matters, as in libinjection.
pub(super) const MAX_TEXT: usize = 31;

/// A token.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Token {
    pub(super) kind: u8,
    text: [u8; MAX_TEXT],
    length: usize,
    /// The quotes of a string, 0 for one that is not there.
    pub(super) open: u8,
    pub(super) close: u8,
}

impl Token {
    /// `text` is cut to what matters.
    pub(super) fn new(kind: u8, text: &[u8]) -> Self {
        let length = text.len().min(MAX_TEXT);
        let mut token = Self {
            kind,
            length,
            ..Self::default()
        };
        token.text[..length].copy_from_slice(&text[..length]);
        token
    }

    pub(super) fn string(text: &[u8], open: u8, close: u8) -> Self {
        Self::new(b's', text).in_quotes(open, close)
    }

    pub(super) fn in_quotes(self, open: u8, close: u8) -> Self {
        Self { open, close, ..self }
    }

    pub(super) fn text(&self) -> &[u8] {
        &self.text[..self.length]
    }

    pub(super) fn first(&self) -> u8 {
        self.text().first().copied().unwrap_or(0)
    }

    /// Whether the text is one of these upper-case words, in any case.
    pub(super) fn is_any(&self, words: &[&str]) -> bool {
        words
            .iter()
            .any(|word| self.text().eq_ignore_ascii_case(word.as_bytes()))
    }

    pub(super) fn is_unary_operator(&self) -> bool {
        self.kind == b'o' && (matches!(self.text(), b"+" | b"-" | b"!" | b"~" | b"!!") || self.is_any(&["NOT"]))
    }

    pub(super) fn is_arithmetic_operator(&self) -> bool {
        self.kind == b'o' && matches!(self.text(), b"*" | b"/" | b"-" | b"+" | b"%")
    }

    /// A backtick that ends the value.
    pub(super) fn is_open_empty_tick(&self) -> bool {
        self.kind == b'n' && self.open == b'`' && self.close == 0 && self.length == 0
    }
}
