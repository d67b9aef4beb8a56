//! Which of `Content-Length` and `Transfer-Encoding` frames a message (RFC 9112 §6).
//!
//! Law 1: one answer or a fault. Where two readers could differ, it is a fault, even where RFC 9112 §6.3 allows a repair.

use std::fmt;

use super::syntax::{Quoted, is_token, trim};
use super::{Fields, Framing, Version};

/// What the fields say: `None` where neither stands, else `Length` or `Chunked`.
pub(super) fn declared(fields: &Fields, version: Version) -> Result<Framing, FramingFault> {
    let lengths = fields.count("content-length");
    if fields.first("transfer-encoding").is_some() {
        if lengths > 0 {
            return Err(FramingFault::Both);
        }
        // RFC 9112 §6.1: whoever sends a coding with 1.0 has its framing wrong.
        if version == Version::Http10 {
            return Err(FramingFault::CodingInHttp10);
        }
        check_codings(fields)?;
        return Ok(Framing::Chunked);
    }
    match fields.first("content-length") {
        Some(_) if lengths > 1 => Err(FramingFault::RepeatedLength),
        Some(value) => length(value)
            .map(Framing::Length)
            .ok_or_else(|| FramingFault::Length(value.into())),
        None => Ok(Framing::None),
    }
}

/// Digits only, and no more of them than fit.
fn length(value: &[u8]) -> Option<u64> {
    if value.is_empty() {
        return None;
    }
    value.iter().try_fold(0_u64, |length, byte| {
        let digit = byte.is_ascii_digit().then(|| u64::from(byte - b'0'))?;
        length.checked_mul(10)?.checked_add(digit)
    })
}

/// Accepts exactly one coding over all lines, `chunked`.
fn check_codings(fields: &Fields) -> Result<(), FramingFault> {
    let mut is_chunked = false;
    for element in fields
        .values("transfer-encoding")
        .flat_map(|value| value.split(|&byte| byte == b','))
    {
        let coding = trim(element);
        if is_chunked {
            return Err(FramingFault::NotFinal);
        }
        let name = trim(coding.split(|&byte| byte == b';').next().unwrap_or_default());
        if !is_token(name) || (name.len() < coding.len() && name.eq_ignore_ascii_case(b"chunked")) {
            return Err(FramingFault::Coding(coding.into()));
        }
        if !name.eq_ignore_ascii_case(b"chunked") {
            return Err(FramingFault::UnknownCoding(name.into()));
        }
        is_chunked = true;
    }
    Ok(())
}

/// Why the end of a message cannot be known for certain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FramingFault {
    /// `Content-Length` and `Transfer-Encoding` stand together.
    Both,
    /// `Content-Length` stands more than once, even if with one value.
    RepeatedLength,
    /// A `Content-Length` that is not a decimal number below 2^64.
    Length(Box<[u8]>),
    /// `Transfer-Encoding` in an HTTP/1.0 message.
    CodingInHttp10,
    /// Something in `Transfer-Encoding` that is no coding, or `chunked` with parameters.
    Coding(Box<[u8]>),
    /// A coding other than `chunked`. No other is understood here.
    UnknownCoding(Box<[u8]>),
    /// A coding behind `chunked`.
    NotFinal,
}

impl fmt::Display for FramingFault {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Both => out.write_str("Content-Length and Transfer-Encoding stand together; expected one of them"),
            Self::RepeatedLength => out.write_str("Content-Length stands more than once; expected one line"),
            Self::Length(value) => {
                write!(
                    out,
                    "Content-Length is {}; expected decimal digits for less than 2^64",
                    Quoted(value)
                )
            }
            Self::CodingInHttp10 => out.write_str("Transfer-Encoding stands in an HTTP/1.0 message, which has none"),
            Self::Coding(coding) => write!(out, "Transfer-Encoding has {}; expected \"chunked\"", Quoted(coding)),
            Self::UnknownCoding(name) => {
                write!(
                    out,
                    "the transfer coding {} is not understood; expected \"chunked\"",
                    Quoted(name)
                )
            }
            Self::NotFinal => out.write_str("Transfer-Encoding goes on behind \"chunked\"; expected it once and last"),
        }
    }
}

impl std::error::Error for FramingFault {}

#[cfg(test)]
#[path = "framing_tests.rs"]
mod tests;
