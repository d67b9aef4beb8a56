//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 §9.1).
//!
//! Law 1: all lines together are one list, with at least one element where there is a line.
//! Law 2: empty elements are skipped (RFC 9110 §5.6.1.2), anything else that is not the grammar is a fault.

use std::borrow::Cow;
use std::fmt;

use crate::http::{Fields, Quoted, is_token};

const FIELD: &str = "sec-websocket-extensions";

/// Most extensions in one message. Known clients offer two at most.
const MAX_EXTENSIONS: usize = 32;

/// Most parameters of one extension. permessage-deflate has four.
const MAX_PARAMETERS: usize = 16;

/// One extension, offered or accepted.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    pub(super) parameters: Vec<Parameter<'a>>,
}

/// A parameter, with its value unquoted if it has one.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parameter<'a> {
    pub(super) name: &'a str,
    pub(super) value: Option<Cow<'a, str>>,
}

/// Reads the extensions of a message. Empty where it has no such field.
pub(super) fn read(fields: &Fields) -> Result<Vec<Extension<'_>>, ExtensionsFault> {
    let mut extensions = Vec::new();
    let mut has_line = false;
    for line in fields.values(FIELD) {
        has_line = true;
        read_line(line, &mut extensions)?;
    }
    if has_line && extensions.is_empty() {
        Err(ExtensionsFault::Syntax([].into()))
    } else {
        Ok(extensions)
    }
}

fn read_line<'a>(line: &'a [u8], extensions: &mut Vec<Extension<'a>>) -> Result<(), ExtensionsFault> {
    let syntax = || ExtensionsFault::Syntax(line.into());
    let mut cursor = Cursor { rest: line };
    loop {
        while cursor.eat(b',') {}
        if cursor.rest.is_empty() {
            return Ok(());
        }
        if extensions.len() == MAX_EXTENSIONS {
            return Err(ExtensionsFault::TooMany {
                what: "extensions",
                limit: MAX_EXTENSIONS,
            });
        }
        let name = cursor.token().ok_or_else(syntax)?;
        let mut parameters = Vec::new();
        while cursor.eat(b';') {
            if parameters.len() == MAX_PARAMETERS {
                return Err(ExtensionsFault::TooMany {
                    what: "parameters",
                    limit: MAX_PARAMETERS,
                });
            }
            parameters.push(cursor.parameter().ok_or_else(syntax)?);
        }
        extensions.push(Extension { name, parameters });
        if !cursor.rest.is_empty() && !cursor.eat(b',') {
            return Err(syntax());
        }
    }
}

/// What is left of a line. Whitespace before what is read is skipped.
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    fn eat(&mut self, byte: u8) -> bool {
        self.skip_space();
        let found = self.rest.first() == Some(&byte);
        if found {
            self.rest = &self.rest[1..];
        }
        self.skip_space();
        found
    }

    fn skip_space(&mut self) {
        self.rest = self.rest.trim_ascii_start();
    }

    fn token(&mut self) -> Option<&'a str> {
        let end = self
            .rest
            .iter()
            .position(|&byte| !is_token(&[byte]))
            .unwrap_or(self.rest.len());
        let (token, rest) = self.rest.split_at(end);
        self.rest = rest;
        std::str::from_utf8(token).ok().filter(|token| !token.is_empty())
    }

    fn parameter(&mut self) -> Option<Parameter<'a>> {
        let name = self.token()?;
        if !self.eat(b'=') {
            return Some(Parameter { name, value: None });
        }
        let value = match self.rest.first() {
            Some(b'"') => Cow::Owned(self.quoted()?),
            _ => Cow::Borrowed(self.token()?),
        };
        Some(Parameter {
            name,
            value: Some(value),
        })
    }

    /// A quoted string (RFC 9110 §5.6.4). Unquoted it must be a token (RFC 6455 §9.1).
    fn quoted(&mut self) -> Option<String> {
        let mut value = Vec::new();
        let mut bytes = self.rest.iter().enumerate().skip(1);
        while let Some((at, &byte)) = bytes.next() {
            match byte {
                b'"' => {
                    self.rest = &self.rest[at + 1..];
                    return String::from_utf8(value).ok().filter(|value| is_token(value.as_bytes()));
                }
                b'\\' => value.push(*bytes.next()?.1),
                byte => value.push(byte),
            }
        }
        None
    }
}

/// Why the extensions of a message cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExtensionsFault {
    /// A line that is not the grammar; empty where all lines are.
    Syntax(Box<[u8]>),
    /// More of something than is read.
    TooMany {
        /// Of what.
        what: &'static str,
        /// How many are read.
        limit: usize,
    },
}

impl fmt::Display for ExtensionsFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Syntax(line) => write!(
                out,
                "Sec-WebSocket-Extensions is {}; expected such as \"permessage-deflate; client_max_window_bits\"",
                Quoted(line)
            ),
            Self::TooMany { what, limit } => write!(out, "Sec-WebSocket-Extensions has more than {limit} {what}"),
        }
    }
}

impl std::error::Error for ExtensionsFault {}

#[cfg(test)]
#[path = "extensions_tests.rs"]
mod tests;
