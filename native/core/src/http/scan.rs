//! Finding the end of a head, or of trailers, in a buffer that grows.
//!
//! Law 1: the caller shows the same bytes from the same start each time, and more of them; a scan goes on where it stood.
//! Law 2: the first control byte decides a line: CRLF ends it, anything else is a fault at once. So garbage is refused
//!        before its line ends, and a line is parsed once, when it is whole.
//! Law 3: a limit is checked on the prefix within it, so that a fault does not depend on how the bytes were cut.

use super::fields::{FieldFault, Fields, Span, parse_line};
use super::request::{self, RequestFault, RequestHead};
use super::request_line;
use super::response::{self, ResponseFault, ResponseHead};
use super::syntax::is_control;

/// Most fields in one head. Precedents: Apache 100, HAProxy 101, nginx none; a browser sends about 20.
pub const MAX_FIELDS: usize = 256;

/// Where the reading of one head stands. Keep one for each message, beside the buffer it is read from.
#[derive(Debug, Default)]
pub struct HeadScan {
    request_line: request_line::LineScan,
    status_line: response::LineScan,
    fields: FieldScan,
}

impl HeadScan {
    /// A scan that stands at the start of a head.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a request head from the start of `bytes`: the head and how many bytes it used. `None` where it is not whole
    /// yet and could still become valid. After a head the scan is ready for the next one; after a fault it is spent.
    pub fn request(&mut self, bytes: &[u8]) -> Result<Option<(RequestHead, usize)>, RequestFault> {
        let Some(line) = self.request_line.read(bytes)? else {
            return Ok(None);
        };
        let limits = Limits {
            bytes: request::MAX_HEAD_BYTES,
            fields: MAX_FIELDS,
        };
        let Some((fields, used)) = self.fields.read(bytes, line.end, &limits)? else {
            return Ok(None);
        };
        let head = RequestHead::new(bytes, &line, fields)?;
        *self = Self::new();
        Ok(Some((head, used)))
    }

    /// Reads a response head to a request with `request_method`; otherwise as [`Self::request`].
    pub fn response(
        &mut self,
        bytes: &[u8],
        request_method: &str,
    ) -> Result<Option<(ResponseHead, usize)>, ResponseFault> {
        let Some(line) = self.status_line.read(bytes)? else {
            return Ok(None);
        };
        let limits = Limits {
            bytes: response::MAX_RESPONSE_HEAD_BYTES,
            fields: MAX_FIELDS,
        };
        let Some((fields, used)) = self.fields.read(bytes, line.end, &limits)? else {
            return Ok(None);
        };
        let head = ResponseHead::new(bytes, &line, fields, request_method)?;
        *self = Self::new();
        Ok(Some((head, used)))
    }
}

/// How much of a block is read: bytes counted from the start of the buffer, and field lines.
pub(super) struct Limits {
    pub(super) bytes: usize,
    pub(super) fields: usize,
}

/// Where the reading of a field block stands.
#[derive(Debug, Default)]
pub(super) struct FieldScan {
    /// The next byte to look at; 0 before the first call.
    next: usize,
    /// Where the line begins in which that byte is.
    line: usize,
    spans: Vec<Span>,
}

/// Room for the fields of an ordinary browser's upgrade, so that the list grows at most once.
const EXPECTED_FIELDS: usize = 16;

impl FieldScan {
    /// Reads the fields that begin at `block` and the empty line that ends them. Gives them and the offset behind it.
    pub(super) fn read(
        &mut self,
        bytes: &[u8],
        block: usize,
        limits: &Limits,
    ) -> Result<Option<(Fields, usize)>, FieldFault> {
        if self.next < block {
            (self.next, self.line) = (block, block);
        }
        while let Some(line_end) = next_line_end(bytes, &mut self.next, limits.bytes)? {
            let line = self.line..line_end;
            self.next = line_end + 2;
            self.line = self.next;
            if line.is_empty() {
                return Ok(Some((self.take(bytes, block), line_end + 2)));
            }
            if self.spans.len() == limits.fields {
                return Err(FieldFault::TooMany(limits.fields));
            }
            if self.spans.is_empty() {
                self.spans.reserve(EXPECTED_FIELDS);
            }
            // Spans count from the start of the block.
            self.spans
                .push(parse_line(&bytes[block..], line.start - block..line.end - block)?);
        }
        Ok(None)
    }

    fn take(&mut self, bytes: &[u8], block: usize) -> Fields {
        let spans = std::mem::take(&mut self.spans);
        // The last value's end is the block's: the CRLFs behind it are of no use.
        let end = spans.last().map_or(block, |span| block + span.value.end);
        Fields::from_block(bytes[block..end].to_vec(), spans)
    }
}

/// Looks for the CRLF that ends the line in which `next` stands, and gives the offset of its CR. `None` if it has not
/// come yet; `next` is then moved to where to go on. Sees no byte from `limit` on (law 3).
pub(super) fn next_line_end(bytes: &[u8], next: &mut usize, limit: usize) -> Result<Option<usize>, FieldFault> {
    let seen = &bytes[..bytes.len().min(limit)];
    let more = |next: &mut usize, at: usize| {
        *next = at;
        if seen.len() == limit {
            Err(FieldFault::TooLarge(limit))
        } else {
            Ok(None)
        }
    };
    let from = (*next).min(seen.len());
    let Some(offset) = seen[from..].iter().position(|&byte| is_control(byte)) else {
        return more(next, seen.len());
    };
    let at = from + offset;
    match (seen[at], seen.get(at + 1)) {
        (b'\r', Some(b'\n')) => Ok(Some(at)),
        (b'\r', Some(_)) => Err(FieldFault::BareCr),
        (b'\r', None) => more(next, at),
        (b'\n', _) => Err(FieldFault::BareLf),
        (byte, _) => Err(FieldFault::Control(byte)),
    }
}

#[cfg(test)]
#[path = "scan_tests.rs"]
mod tests;
