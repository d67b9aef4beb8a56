//! The request line (RFC 9112 §3).
//!
//! Law 1: it is read byte by byte and refused at the first byte that cannot be part of one, so that a TLS hello on a
//!        plain port is refused by its first byte.
//! Law 2: of what is wrong with a whole line, the version speaks first (we cannot know what the rest means), then the
//!        method, then the target.

use std::ops::Range;

use super::Version;
use super::fields::FieldFault;
use super::request::{MAX_METHOD_BYTES, MAX_TARGET_BYTES, RequestFault};
use super::syntax::{is_target_byte, is_token_byte};
use super::target::parse_target;

/// What we never do for a client: we are no tunnel to a host of its choice (CONNECT), and no mirror (TRACE).
const REFUSED_METHODS: [&[u8]; 2] = [b"CONNECT", b"TRACE"];

/// Where the parts of a request line stand, and where the line ends.
#[derive(Clone, Debug)]
pub(super) struct Line {
    pub(super) method: Range<usize>,
    pub(super) target: Range<usize>,
    pub(super) version: Version,
    pub(super) end: usize,
}

/// Where the reading of a request line stands.
#[derive(Debug, Default)]
pub(super) struct LineScan {
    at: usize,
    part: Part,
    line: Option<Line>,
}

/// The part of the line in which the next byte is, and where the parts before it are.
#[derive(Clone, Copy, Debug, Default)]
enum Part {
    /// Nothing has come.
    #[default]
    Start,
    /// A CR came first. RFC 9112 §2.2: one empty line before a request is ignored; old clients sent it after a body.
    EmptyLine,
    Method {
        start: usize,
    },
    Target {
        method_start: usize,
        start: usize,
    },
    Version {
        method_start: usize,
        target_start: usize,
        start: usize,
    },
}

/// What a version with its line end looks like; `d` stands for a digit.
const VERSION_SHAPE: &[u8] = b"HTTP/d.d\r\n";

impl LineScan {
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Option<Line>, RequestFault> {
        while self.line.is_none() {
            let Some(&byte) = bytes.get(self.at) else {
                return Ok(None);
            };
            self.step(bytes, byte)?;
        }
        Ok(self.line.clone())
    }

    /// Moves over `byte`, which is the next, or over a run of bytes of one part.
    fn step(&mut self, bytes: &[u8], byte: u8) -> Result<(), RequestFault> {
        let at = self.at;
        match self.part {
            Part::Start if byte == b'\r' => self.part = Part::EmptyLine,
            Part::Start => {
                self.part = Part::Method { start: at };
                return Ok(());
            }
            Part::EmptyLine if byte == b'\n' => self.part = Part::Method { start: at + 1 },
            Part::EmptyLine => return Err(FieldFault::BareCr.into()),
            Part::Method { start } => self.method_byte(byte, start)?,
            Part::Target { method_start, start } => return self.target_run(bytes, method_start, start),
            Part::Version {
                method_start,
                target_start,
                start,
            } => {
                version_byte(byte, at - start)?;
                if at - start + 1 == VERSION_SHAPE.len() {
                    let parts = (method_start..target_start - 1, target_start..start - 1);
                    self.line = Some(whole_line(bytes, parts, start)?);
                }
            }
        }
        self.at += 1;
        Ok(())
    }

    fn method_byte(&mut self, byte: u8, start: usize) -> Result<(), RequestFault> {
        if byte == b' ' && self.at > start {
            self.part = Part::Target {
                method_start: start,
                start: self.at + 1,
            };
        } else if !is_token_byte(byte) {
            return Err(RequestFault::MethodByte(byte));
        } else if self.at - start == MAX_METHOD_BYTES {
            return Err(RequestFault::MethodTooLong);
        }
        Ok(())
    }

    fn target_run(&mut self, bytes: &[u8], method_start: usize, start: usize) -> Result<(), RequestFault> {
        let limit = start + MAX_TARGET_BYTES;
        let seen = &bytes[self.at..bytes.len().min(limit + 1)];
        let run = seen.iter().position(|&byte| !is_target_byte(byte));
        let end = self.at + run.unwrap_or(seen.len());
        self.at = end;
        if end > limit {
            return Err(RequestFault::TargetTooLong);
        }
        match bytes.get(end) {
            None => Ok(()),
            Some(b' ') if end > start => {
                self.part = Part::Version {
                    method_start,
                    target_start: start,
                    start: end + 1,
                };
                self.at += 1;
                Ok(())
            }
            Some(&byte) => Err(RequestFault::TargetByte(byte)),
        }
    }
}

fn version_byte(byte: u8, offset: usize) -> Result<(), RequestFault> {
    let fits = match VERSION_SHAPE[offset] {
        b'd' => byte.is_ascii_digit(),
        expected => byte == expected,
    };
    if fits {
        Ok(())
    } else {
        Err(RequestFault::VersionByte(byte))
    }
}

/// Judges a line of the right shape (law 2).
fn whole_line(
    bytes: &[u8],
    (method, target): (Range<usize>, Range<usize>),
    version_start: usize,
) -> Result<Line, RequestFault> {
    let end = version_start + VERSION_SHAPE.len();
    let version = &bytes[version_start..end - 2];
    let version = match version {
        b"HTTP/1.1" => Version::Http11,
        b"HTTP/1.0" => Version::Http10,
        _ => return Err(RequestFault::UnknownVersion(version.into())),
    };
    if REFUSED_METHODS.contains(&&bytes[method.clone()]) {
        return Err(RequestFault::MethodNotAllowed(bytes[method].into()));
    }
    parse_target(&bytes[target.clone()], &bytes[method.clone()])?;
    Ok(Line {
        method,
        target,
        version,
        end,
    })
}

#[cfg(test)]
#[path = "request_line_tests.rs"]
mod tests;
