//! A block of header or trailer fields: names and values as received, in order.
//!
//! Law 1: two allocations, whatever the number of fields: the bytes, and where in them each name and value is.
//! Law 2: a name is a token and a value has no control bytes but HTAB and no space at its ends.
//! Law 3: names keep their case; asking for one ignores it (RFC 9110 §5.1).

use std::fmt;
use std::ops::Range;

use super::syntax::{Quoted, is_control, is_token, is_token_byte, trim};

/// Where one field stands in the bytes of its block.
#[derive(Clone, Debug)]
pub(super) struct Span {
    pub(super) name: Range<usize>,
    pub(super) value: Range<usize>,
}

/// An ordered list of fields.
#[derive(Clone, Default)]
pub struct Fields {
    raw: Vec<u8>,
    spans: Vec<Span>,
}

impl Fields {
    /// An empty list.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// What a scan found: the block's bytes and the spans in them.
    pub(super) fn from_block(raw: Vec<u8>, spans: Vec<Span>) -> Self {
        Self { raw, spans }
    }

    /// Appends a field. Law 2 is kept for the caller: a name that is no token is left out, optional whitespace around
    /// the value is dropped, and each control byte in it becomes a space (RFC 9110 §5.5).
    pub fn push(&mut self, name: &str, value: &[u8]) {
        if !is_token(name.as_bytes()) {
            return;
        }
        let name_start = self.raw.len();
        self.raw.extend_from_slice(name.as_bytes());
        let value_start = self.raw.len();
        push_value(&mut self.raw, value);
        self.spans.push(Span {
            name: name_start..value_start,
            value: value_start..self.raw.len(),
        });
    }

    /// Names as received and values without whitespace around them, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.spans
            .iter()
            .map(|span| (self.name(span), &self.raw[span.value.clone()]))
    }

    /// The values of each line with this name, in order.
    pub fn values<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
        self.spans
            .iter()
            .filter(move |span| self.raw[span.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
            .map(|span| &self.raw[span.value.clone()])
    }

    /// The value of the first line with this name.
    #[must_use]
    pub fn first(&self, name: &str) -> Option<&[u8]> {
        // Not `values(name).next()`: its iterator ties the name's lifetime to the answer's.
        self.spans
            .iter()
            .find(|span| self.raw[span.name.clone()].eq_ignore_ascii_case(name.as_bytes()))
            .map(|span| &self.raw[span.value.clone()])
    }

    /// How many lines have this name.
    #[must_use]
    pub fn count(&self, name: &str) -> usize {
        self.values(name).count()
    }

    /// The elements of a comma-separated list over all lines with this name (RFC 9110 §5.6.1): trimmed, without empty
    /// ones, and without those that are not UTF-8, which no token is. Quoted strings are not understood.
    pub fn tokens<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.values(name)
            .flat_map(|value| value.split(|&byte| byte == b','))
            .map(trim)
            .filter(|element| !element.is_empty())
            .filter_map(|element| std::str::from_utf8(element).ok())
    }

    /// Whether the list named `name` has this token, in any case.
    #[must_use]
    pub fn has_token(&self, name: &str, token: &str) -> bool {
        self.tokens(name).any(|element| element.eq_ignore_ascii_case(token))
    }

    /// How many fields there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.spans.len()
    }

    /// Whether there is no field.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.spans.is_empty()
    }

    /// Leaves only the fields whose name `keep` accepts.
    pub(super) fn retain(&mut self, keep: impl Fn(&[u8]) -> bool) {
        let raw = &self.raw;
        self.spans.retain(|span| keep(&raw[span.name.clone()]));
    }

    fn name(&self, span: &Span) -> &str {
        // Law 2: a token is ASCII, so this is never the empty string.
        std::str::from_utf8(&self.raw[span.name.clone()]).unwrap_or_default()
    }
}

impl fmt::Debug for Fields {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_map()
            .entries(
                self.iter()
                    .map(|(name, value)| (name, value.escape_ascii().to_string())),
            )
            .finish()
    }
}

impl PartialEq for Fields {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Fields {}

/// Appends a value that keeps law 2, whoever made it: what would end the line is made harmless (RFC 9110 §5.5).
pub(super) fn push_value(out: &mut Vec<u8>, value: &[u8]) {
    let value = trim(value);
    if value.iter().any(|&byte| is_control(byte)) {
        out.extend(value.iter().map(|&byte| if is_control(byte) { b' ' } else { byte }));
    } else {
        out.extend_from_slice(value);
    }
}

/// Reads one field line, which stands in `block` at `line`, without its CRLF (RFC 9112 §5).
pub(super) fn parse_line(block: &[u8], line: Range<usize>) -> Result<Span, FieldFault> {
    let text = &block[line.clone()];
    if matches!(text.first(), Some(b' ' | b'\t')) {
        return Err(FieldFault::LeadingSpace);
    }
    let Some(name_len) = text.iter().position(|&byte| !is_token_byte(byte)) else {
        return Err(FieldFault::NoColon(text.into()));
    };
    match text[name_len] {
        b':' if name_len == 0 => return Err(FieldFault::EmptyName),
        b':' => {}
        b' ' | b'\t' => return Err(FieldFault::SpaceInName(text[..name_len].into())),
        byte => return Err(FieldFault::NameByte(byte)),
    }
    let after_colon = &text[name_len + 1..];
    let space = after_colon
        .iter()
        .take_while(|byte| matches!(byte, b' ' | b'\t'))
        .count();
    let start = line.start + name_len + 1 + space;
    Ok(Span {
        name: line.start..line.start + name_len,
        value: start..start + trim(after_colon).len(),
    })
}

/// What is wrong with a block of fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FieldFault {
    /// A CR without an LF behind it (RFC 9112 §2.2).
    BareCr,
    /// An LF without a CR before it. RFC 9112 §2.2 lets us accept it; peers that do not would see another message.
    BareLf,
    /// A NUL or another control byte.
    Control(u8),
    /// A line begins with whitespace: a folded value (RFC 9112 §5.2), or text before the first field (§2.2).
    LeadingSpace,
    /// A line without a colon.
    NoColon(Box<[u8]>),
    /// A line that begins with its colon.
    EmptyName,
    /// Whitespace in a name, or between a name and its colon (RFC 9112 §5.1).
    SpaceInName(Box<[u8]>),
    /// A byte in a name that no token has.
    NameByte(u8),
    /// More fields than we keep: this is the limit.
    TooMany(usize),
    /// More bytes than we keep: this is the limit.
    TooLarge(usize),
}

impl FieldFault {
    /// Whether it is the size that is refused, not the form.
    #[must_use]
    pub fn is_limit(&self) -> bool {
        matches!(self, Self::TooMany(_) | Self::TooLarge(_))
    }
}

impl fmt::Display for FieldFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BareCr => out.write_str("a CR stands without an LF; lines must end with CRLF"),
            Self::BareLf => out.write_str("an LF stands without a CR; lines must end with CRLF"),
            Self::Control(byte) => write!(
                out,
                "the control byte 0x{byte:02x} stands in a line; only HTAB is allowed"
            ),
            Self::LeadingSpace => out.write_str("a line begins with whitespace; expected a field name (no folding)"),
            Self::NoColon(line) => write!(out, "the line {} has no colon; expected \"name: value\"", Quoted(line)),
            Self::EmptyName => out.write_str("a line begins with a colon; expected a field name before it"),
            Self::SpaceInName(name) => {
                write!(
                    out,
                    "whitespace follows the field name {}; expected the colon at once",
                    Quoted(name)
                )
            }
            Self::NameByte(byte) => {
                write!(
                    out,
                    "a field name has the byte 0x{byte:02x}; expected letters, digits and token signs"
                )
            }
            Self::TooMany(limit) => write!(out, "there are more than {limit} fields; at most {limit} are read"),
            Self::TooLarge(limit) => write!(out, "the fields do not end within {limit} bytes, which is the limit"),
        }
    }
}

impl std::error::Error for FieldFault {}

#[cfg(test)]
#[path = "fields_tests.rs"]
mod tests;
