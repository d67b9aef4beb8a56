//! Where a body ends, and which bytes of the stream are its data (RFC 9112 §6, §7.1).
//!
//! Law 1: no data is copied or kept: an answer is a range into the caller's input.
//! Law 2: the chunked coding is read as strictly as a head: CRLF and nothing else, hexadecimal digits and nothing else.
//! Law 3: chunk extensions are dropped, trailers are kept up to a limit. Neither grows with the body.

use std::fmt;
use std::ops::Range;

use super::fields::FieldFault;
use super::scan::{FieldScan, Limits};
use super::syntax::is_control;
use super::{Fields, Framing, hops};

/// Longest extension of one chunk; nobody uses any. Go was once made to read gigabytes of them (CVE-2023-39326).
const MAX_EXTENSION_BYTES: usize = 256;

/// Digits of the largest size that fits.
const MAX_SIZE_DIGITS: u8 = 16;

/// What trailers may hold; gRPC's and Server-Timing stay well below.
const TRAILER_LIMITS: Limits = Limits {
    bytes: 8 * 1024,
    fields: 64,
};

/// What one call of [`BodyDecoder::decode`] found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// How many bytes of the input are used up, data included.
    pub consumed: usize,
    /// Which of them are data of the body. Often empty.
    pub data: Range<usize>,
    /// Whether the body is complete.
    pub is_done: bool,
}

/// Reads one body of a known framing.
#[derive(Debug)]
pub struct BodyDecoder {
    state: State,
    trailers: Option<Fields>,
}

#[derive(Debug)]
enum State {
    /// This many bytes of a body with a length.
    Length(u64),
    /// All until the connection closes.
    UntilClose,
    Chunked(Chunked),
    Done,
}

/// What the next byte of a chunked body is.
#[derive(Debug)]
enum Chunked {
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind `;`. Counts what was skipped.
    Extension {
        size: u64,
        length: usize,
    },
    SizeLf {
        size: u64,
    },
    Data {
        remaining: u64,
    },
    DataCr,
    DataLf,
    Trailers {
        buffer: Vec<u8>,
        scan: FieldScan,
    },
}

const FIRST_SIZE: Chunked = Chunked::Size { size: 0, digits: 0 };

impl BodyDecoder {
    /// A decoder at the start of a body.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::None | Framing::Length(0) => State::Done,
            Framing::Length(length) => State::Length(length),
            Framing::Chunked => State::Chunked(FIRST_SIZE),
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, trailers: None }
    }

    /// Looks at the start of `input`, which follows what was used up before. Gives at most one run of data; call again
    /// with the rest while it makes progress and the body is not complete. After a fault the decoder is spent.
    pub fn decode(&mut self, input: &[u8]) -> Result<Decoded, BodyFault> {
        let (consumed, data) = match &mut self.state {
            State::Done => (0, 0..0),
            State::UntilClose => (input.len(), 0..input.len()),
            State::Length(remaining) => {
                let length = take(remaining, input.len());
                if *remaining == 0 {
                    self.state = State::Done;
                }
                (length, 0..length)
            }
            State::Chunked(_) => self.decode_chunked(input)?,
        };
        Ok(Decoded {
            consumed,
            data,
            is_done: self.is_done(),
        })
    }

    /// Whether the body is complete.
    #[must_use]
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Says that the stream has ended. Fine where the body is complete, or ends so.
    pub fn end_of_stream(&mut self) -> Result<(), BodyFault> {
        match self.state {
            State::Done => Ok(()),
            State::UntilClose => {
                self.state = State::Done;
                Ok(())
            }
            State::Length(missing) => Err(BodyFault::Truncated { missing: Some(missing) }),
            State::Chunked(_) => Err(BodyFault::Truncated { missing: None }),
        }
    }

    /// Trailers that came beside the body, as HTTP/2 has them; those that may not be passed on are dropped.
    pub(crate) fn put_trailers(&mut self, mut trailers: Fields) {
        trailers.retain(|name| !hops::is_forbidden_in_trailers(name));
        self.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
    }

    /// The trailers, once, where the body is complete and had any that may be passed on (RFC 9110 §6.5.1).
    pub fn take_trailers(&mut self) -> Option<Fields> {
        self.trailers.take()
    }

    /// Moves over chunk framing until there is data, the end, or no more input.
    fn decode_chunked(&mut self, input: &[u8]) -> Result<(usize, Range<usize>), BodyFault> {
        let mut at = 0;
        while let (State::Chunked(chunked), true) = (&mut self.state, at < input.len()) {
            match chunked {
                Chunked::Data { remaining } => {
                    let end = at + take(remaining, input.len() - at);
                    if *remaining == 0 {
                        *chunked = Chunked::DataCr;
                    }
                    return Ok((end, at..end));
                }
                Chunked::Trailers { buffer, scan } => {
                    let (used, trailers) = read_trailers(&input[at..], buffer, scan)?;
                    at += used;
                    if let Some(trailers) = trailers {
                        self.trailers = Some(trailers).filter(|trailers| !trailers.is_empty());
                        self.state = State::Done;
                    }
                }
                framing => {
                    framing.step(input[at])?;
                    at += 1;
                }
            }
        }
        Ok((at, at..at))
    }
}

impl Chunked {
    /// Moves over one byte of a chunk's framing.
    fn step(&mut self, byte: u8) -> Result<(), BodyFault> {
        *self = match (&*self, byte) {
            (&Self::Size { size, digits }, b'\r') if digits > 0 => Self::SizeLf { size },
            (&Self::Size { size, digits }, b';') if digits > 0 => Self::Extension { size, length: 0 },
            (&Self::Size { size, digits }, _) => match hex_digit(byte) {
                Some(_) if digits == MAX_SIZE_DIGITS => return Err(BodyFault::SizeTooLarge),
                Some(digit) => Self::Size {
                    size: size << 4 | digit,
                    digits: digits + 1,
                },
                None => return Err(BodyFault::SizeByte(byte)),
            },
            (&Self::Extension { size, .. }, b'\r') => Self::SizeLf { size },
            (Self::Extension { .. }, byte) if is_control(byte) => return Err(BodyFault::ExtensionByte(byte)),
            (
                Self::Extension {
                    length: MAX_EXTENSION_BYTES..,
                    ..
                },
                _,
            ) => return Err(BodyFault::ExtensionTooLong),
            (&Self::Extension { size, length }, _) => Self::Extension {
                size,
                length: length + 1,
            },
            (Self::SizeLf { size: 0 }, b'\n') => Self::Trailers {
                buffer: Vec::new(),
                scan: FieldScan::default(),
            },
            (&Self::SizeLf { size }, b'\n') => Self::Data { remaining: size },
            (Self::DataCr, b'\r') => Self::DataLf,
            (Self::DataLf, b'\n') => FIRST_SIZE,
            (_, byte) => return Err(BodyFault::LineEnd(byte)),
        };
        Ok(())
    }
}

/// Takes what there is, at most `remaining`, off `remaining`.
fn take(remaining: &mut u64, available: usize) -> usize {
    // Where `remaining` does not fit a usize, it is more than any input has.
    let length = usize::try_from(*remaining).map_or(available, |remaining| remaining.min(available));
    *remaining -= length as u64;
    length
}

fn hex_digit(byte: u8) -> Option<u64> {
    char::from(byte).to_digit(16).map(u64::from)
}

/// Reads trailers and the empty line behind them. Gives how much of `input` was used and, at the end, those allowed.
fn read_trailers(
    input: &[u8],
    buffer: &mut Vec<u8>,
    scan: &mut FieldScan,
) -> Result<(usize, Option<Fields>), BodyFault> {
    if buffer.is_empty() && input.starts_with(b"\r\n") {
        return Ok((2, Some(Fields::new())));
    }
    let before = buffer.len();
    let room = TRAILER_LIMITS.bytes - before;
    let added = &input[..input.len().min(room)];
    buffer.extend_from_slice(added);
    let Some((mut fields, end)) = scan.read(buffer, 0, &TRAILER_LIMITS).map_err(BodyFault::Trailers)? else {
        return Ok((added.len(), None));
    };
    fields.retain(|name| !hops::is_forbidden_in_trailers(name));
    Ok((end - before, Some(fields)))
}

/// Why a body cannot be read further. The connection it came on must be closed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BodyFault {
    /// A byte in a chunk size that is no hexadecimal digit, or no size at all.
    SizeByte(u8),
    /// A chunk size with more digits than fit.
    SizeTooLarge,
    /// A control byte in a chunk extension.
    ExtensionByte(u8),
    /// A chunk extension longer than we read.
    ExtensionTooLong,
    /// A byte where a CR or LF must stand.
    LineEnd(u8),
    /// A trailer field, or the size of all.
    Trailers(FieldFault),
    /// The stream ended within the body; so many bytes before its end, where that is known.
    Truncated {
        /// Bytes that did not come.
        missing: Option<u64>,
    },
}

impl BodyFault {
    /// The status to answer with where the body was a request's and nothing is answered yet.
    #[must_use]
    pub fn status(&self) -> u16 {
        match self {
            Self::Trailers(fault) if fault.is_limit() => 431,
            _ => 400,
        }
    }

    /// One sentence: what is wrong and what was expected.
    #[must_use]
    pub fn reason(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for BodyFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SizeByte(byte) => {
                write!(
                    out,
                    "the byte 0x{byte:02x} stands in a chunk size; expected hexadecimal digits, then CRLF"
                )
            }
            Self::SizeTooLarge => write!(out, "a chunk size has more than {MAX_SIZE_DIGITS} digits"),
            Self::ExtensionByte(byte) => write!(out, "the control byte 0x{byte:02x} stands in a chunk extension"),
            Self::ExtensionTooLong => write!(out, "a chunk extension is longer than {MAX_EXTENSION_BYTES} bytes"),
            Self::LineEnd(byte) => write!(out, "the byte 0x{byte:02x} stands in a chunk's line end; expected CRLF"),
            Self::Trailers(fault) => write!(out, "in the trailers, {fault}"),
            Self::Truncated { missing: Some(missing) } => write!(out, "the body ends {missing} bytes early"),
            Self::Truncated { missing: None } => out.write_str("the chunked body ends before its last chunk"),
        }
    }
}

impl std::error::Error for BodyFault {}

#[cfg(test)]
#[path = "body_tests.rs"]
mod tests;
