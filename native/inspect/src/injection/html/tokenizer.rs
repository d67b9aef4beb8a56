//! HTML as browsers read it, old ones included: bytes to the tokens in which scripts may hide.
//!
//! Theory. The states are those of the HTML standard (WHATWG §13.2.5), as far as they matter, with what Internet Explorer made
//! of them: NUL bytes that are no bytes, the backtick as a quote, `<% %>`.
//!
//! Law: no state calls another; each takes bytes or hands over to a later one, so that time is linear and the stack flat.

/// What a token is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    Tag,
    AttributeName,
    AttributeValue,
    Comment,
    Doctype,
    /// Text, the end of a tag, a closing tag.
    Other,
}

/// Where a reader stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum State {
    Data,
    TagOpen,
    EndTagOpen,
    TagName,
    TagEnd,
    BeforeName,
    Name,
    AfterName,
    BeforeValue,
    /// In a value with this quote, which is yet to be passed.
    Quoted(u8),
    /// The same; the quote stood before the text.
    InQuotes(u8),
    Unquoted,
    AfterQuoted,
    SelfClosing,
    Declaration,
    Comment,
    /// Whatever else looks like a comment, up to these bytes.
    BogusComment(&'static [u8]),
    Cdata,
    End,
}

/// A text that is being read.
#[derive(Debug)]
pub(super) struct Tokenizer<'a> {
    text: &'a [u8],
    at: usize,
    state: State,
    is_closing_tag: bool,
}

/// A token and its text.
type Token<'a> = (Kind, &'a [u8]);

impl<'a> Tokenizer<'a> {
    /// Begin in a state; with `InQuotes`, the value is the inside of an attribute.
    pub(super) fn new(text: &'a [u8], state: State) -> Self {
        Self {
            text,
            at: 0,
            state,
            is_closing_tag: false,
        }
    }

    fn rest(&self) -> &'a [u8] {
        &self.text[self.at.min(self.text.len())..]
    }

    /// Go on in `state`, `skipped` bytes further.
    fn go(&mut self, skipped: usize, state: State) -> Option<Token<'a>> {
        self.at += skipped;
        self.state = state;
        None
    }

    #[allow(clippy::unnecessary_wraps, reason = "a state returns what `go` returns, too")]
    /// The next `length` bytes are a token; go on in `state`, `skipped` bytes behind it.
    fn token(&mut self, kind: Kind, length: usize, skipped: usize, state: State) -> Option<Token<'a>> {
        let text = &self.rest()[..length];
        self.at += length + skipped;
        self.state = state;
        Some((kind, text))
    }

    /// The token that the rest is.
    fn last(&mut self, kind: Kind) -> Option<Token<'a>> {
        self.token(kind, self.rest().len(), 0, State::End)
    }

    fn step(&mut self) -> Option<Token<'a>> {
        match self.state {
            State::Data => self.data(),
            State::TagOpen => self.tag_open(),
            State::EndTagOpen => self.end_tag_open(),
            State::TagName => self.tag_name(),
            State::TagEnd => {
                self.is_closing_tag = false;
                self.token(Kind::Other, 1, 0, State::Data)
            }
            State::BeforeName => self.before_name(),
            State::Name => self.name(),
            State::AfterName => self.after_name(),
            State::BeforeValue => self.before_value(),
            State::Quoted(quote) => self.go(1, State::InQuotes(quote)),
            State::InQuotes(quote) => match memchr::memchr(quote, self.rest()) {
                Some(length) => self.token(Kind::AttributeValue, length, 1, State::AfterQuoted),
                None => self.last(Kind::AttributeValue),
            },
            State::Unquoted => self.unquoted(),
            State::AfterQuoted => self.after_quoted(),
            State::SelfClosing => match self.rest().first() {
                Some(b'>') => self.token(Kind::Other, 1, 0, State::Data),
                Some(_) => self.go(0, State::BeforeName),
                None => self.go(0, State::End),
            },
            State::Declaration => self.declaration(),
            State::Comment => self.comment(),
            State::BogusComment(end) => self.up_to(Kind::Comment, end),
            State::Cdata => self.up_to(Kind::Other, b"]]>"),
            State::End => None,
        }
    }

    fn up_to(&mut self, kind: Kind, end: &[u8]) -> Option<Token<'a>> {
        match memchr::memmem::find(self.rest(), end) {
            Some(length) => self.token(kind, length, end.len(), State::Data),
            None => self.last(kind),
        }
    }

    fn data(&mut self) -> Option<Token<'a>> {
        match memchr::memchr(b'<', self.rest()) {
            Some(0) => self.go(1, State::TagOpen),
            Some(length) => self.token(Kind::Other, length, 1, State::TagOpen),
            None => self.go(0, State::End),
        }
    }

    fn tag_open(&mut self) -> Option<Token<'a>> {
        match self.rest().first() {
            Some(b'!') => self.go(1, State::Declaration),
            Some(b'/') => self.go(1, State::EndTagOpen),
            Some(b'?') => self.go(1, State::BogusComment(b">")),
            Some(b'%') => self.go(1, State::BogusComment(b"%>")),
            Some(0 | b'a'..=b'z' | b'A'..=b'Z') => self.go(0, State::TagName),
            Some(_) => self.go(0, State::Data),
            None => self.go(0, State::End),
        }
    }

    fn end_tag_open(&mut self) -> Option<Token<'a>> {
        let next = self.rest().first();
        self.is_closing_tag = matches!(next, Some(b'>' | b'a'..=b'z' | b'A'..=b'Z'));
        match next {
            Some(b'>') => self.go(0, State::Data),
            Some(b'a'..=b'z' | b'A'..=b'Z') => self.go(0, State::TagName),
            Some(_) => self.go(0, State::BogusComment(b">")),
            None => self.go(0, State::End),
        }
    }

    fn tag_name(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        // NUL bytes are part of the name.
        let end = rest
            .iter()
            .position(|&byte| matches!(byte, b'/' | b'>') || byte != 0 && is_white(byte));
        match end.map(|length| (length, rest[length])) {
            None => self.last(Kind::Tag),
            Some((length, b'>')) if self.is_closing_tag => {
                self.is_closing_tag = false;
                self.token(Kind::Other, length, 1, State::Data)
            }
            Some((length, b'>')) => self.token(Kind::Tag, length, 0, State::TagEnd),
            Some((length, b'/')) => self.token(Kind::Tag, length, 1, State::SelfClosing),
            Some((length, _)) => self.token(Kind::Tag, length, 1, State::BeforeName),
        }
    }

    /// Past white space; the byte that follows.
    fn skip_white(&mut self) -> Option<u8> {
        let rest = self.rest();
        let length = rest.iter().position(|&byte| !is_white(byte)).unwrap_or(rest.len());
        self.at += length;
        rest.get(length).copied()
    }

    fn before_name(&mut self) -> Option<Token<'a>> {
        match self.skip_white() {
            None => self.go(0, State::End),
            Some(b'/') => self.go(1, State::SelfClosing),
            Some(b'>') => self.token(Kind::Other, 1, 0, State::Data),
            Some(_) => self.go(0, State::Name),
        }
    }

    /// A name has at least one byte, whatever that is.
    fn name(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let end = rest
            .iter()
            .skip(1)
            .position(|&byte| matches!(byte, b'/' | b'=' | b'>') || is_white(byte));
        match end.map(|end| (end + 1, rest[end + 1])) {
            None => self.last(Kind::AttributeName),
            Some((length, b'/')) => self.token(Kind::AttributeName, length, 1, State::SelfClosing),
            Some((length, b'=')) => self.token(Kind::AttributeName, length, 1, State::BeforeValue),
            Some((length, b'>')) => self.token(Kind::AttributeName, length, 0, State::TagEnd),
            Some((length, _)) => self.token(Kind::AttributeName, length, 1, State::AfterName),
        }
    }

    fn after_name(&mut self) -> Option<Token<'a>> {
        match self.skip_white() {
            None => self.go(0, State::End),
            Some(b'/') => self.go(1, State::SelfClosing),
            Some(b'=') => self.go(1, State::BeforeValue),
            Some(b'>') => self.go(0, State::TagEnd),
            Some(_) => self.go(0, State::Name),
        }
    }

    fn before_value(&mut self) -> Option<Token<'a>> {
        match self.skip_white() {
            None => self.go(0, State::End),
            Some(quote @ (b'"' | b'\'' | b'`')) => self.go(0, State::Quoted(quote)),
            Some(_) => self.go(0, State::Unquoted),
        }
    }

    fn unquoted(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let end = rest.iter().position(|&byte| byte == b'>' || is_white(byte));
        match end.map(|length| (length, rest[length])) {
            None => self.last(Kind::AttributeValue),
            Some((length, b'>')) => self.token(Kind::AttributeValue, length, 0, State::TagEnd),
            Some((length, _)) => self.token(Kind::AttributeValue, length, 1, State::BeforeName),
        }
    }

    fn after_quoted(&mut self) -> Option<Token<'a>> {
        match self.rest().first() {
            None => self.go(0, State::End),
            Some(b'/') => self.go(1, State::SelfClosing),
            Some(b'>') => self.token(Kind::Other, 1, 0, State::Data),
            Some(_) => self.go(0, State::BeforeName),
        }
    }

    fn declaration(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        if rest
            .get(..7)
            .is_some_and(|start| start.eq_ignore_ascii_case(b"DOCTYPE"))
        {
            return self.up_to(Kind::Doctype, b">");
        }
        if rest.starts_with(b"[CDATA[") {
            return self.go(7, State::Cdata);
        }
        if rest.starts_with(b"--") {
            return self.go(2, State::Comment);
        }
        self.go(0, State::BogusComment(b">"))
    }

    /// Up to `-->` or `-!>`, NUL bytes behind the first "-" or not.
    fn comment(&mut self) -> Option<Token<'a>> {
        let rest = self.rest();
        let mut from = 0;
        while let Some(found) = memchr::memchr(b'-', &rest[from..]) {
            let dash = from + found;
            let behind = &rest[dash + 1..];
            let nulls = behind.iter().take_while(|&&byte| byte == 0).count();
            if let [b'-' | b'!', b'>', ..] = &behind[nulls..] {
                return self.token(Kind::Comment, dash, 1 + nulls + 2, State::Data);
            }
            from = dash + 1;
        }
        self.last(Kind::Comment)
    }
}

impl<'a> Iterator for Tokenizer<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let token = self.step();
            if token.is_some() || self.state == State::End {
                return token;
            }
        }
    }
}

fn is_white(byte: u8) -> bool {
    matches!(byte, 0 | b' ' | b'\t' | b'\n' | 0x0b | 0x0c | b'\r')
}
