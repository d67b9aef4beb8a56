//! How the tests of this layer read: every case is fed whole, byte by byte, and with other data behind it, and must give
//! the same each time (law 2 of `http`).

use super::{
    BodyDecoder, BodyFault, Fields, Framing, HeadScan, RequestFault, RequestHead, ResponseFault, ResponseHead,
};

/// What may follow a message in the buffer: none of it may be looked at.
const TRAILING: &[u8] = b"\0\r\n\r\nHTTP/1.1 : ";

/// Feeds a parser with growing prefixes until it says something.
fn byte_by_byte<T>(input: &[u8], mut read: impl FnMut(&[u8]) -> Option<T>) -> Option<T> {
    (0..=input.len()).find_map(|end| read(&input[..end]))
}

/// Reads a request head; panics where the way of feeding makes a difference.
pub(crate) fn request(input: &[u8]) -> Result<Option<(RequestHead, usize)>, RequestFault> {
    let whole = HeadScan::new().request(input);
    let mut scan = HeadScan::new();
    let pieces = byte_by_byte(input, |prefix| scan.request(prefix).transpose()).transpose();
    assert_eq!(pieces, whole, "byte by byte: {}", input.escape_ascii());
    if !matches!(whole, Ok(None)) {
        assert_eq!(
            HeadScan::new().request(&[input, TRAILING].concat()),
            whole,
            "with trailing data"
        );
    }
    whole
}

/// Reads a response head; panics where the way of feeding makes a difference.
pub(crate) fn response(input: &[u8], method: &str) -> Result<Option<(ResponseHead, usize)>, ResponseFault> {
    let whole = HeadScan::new().response(input, method);
    let mut scan = HeadScan::new();
    let pieces = byte_by_byte(input, |prefix| scan.response(prefix, method).transpose()).transpose();
    assert_eq!(pieces, whole, "byte by byte: {}", input.escape_ascii());
    if !matches!(whole, Ok(None)) {
        assert_eq!(
            HeadScan::new().response(&[input, TRAILING].concat(), method),
            whole,
            "with trailing data"
        );
    }
    whole
}

/// The head of a valid request. Panics where it is not one, or does not use all of the input.
pub(crate) fn request_head(input: &[u8]) -> RequestHead {
    let (head, used) = request(input).expect("valid").expect("whole");
    assert_eq!(used, input.len());
    head
}

/// The head of a valid response to `method`. Panics where it is not one, or does not use all of the input.
pub(crate) fn response_head(input: &[u8], method: &str) -> ResponseHead {
    let (head, used) = response(input, method).expect("valid").expect("whole");
    assert_eq!(used, input.len());
    head
}

/// A GET with these field lines (each with its CRLF) beside a Host.
pub(crate) fn get_with(lines: &str) -> Vec<u8> {
    format!("GET / HTTP/1.1\r\nHost: a.example\r\n{lines}\r\n").into_bytes()
}

/// What came of one body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Body {
    pub(crate) data: Vec<u8>,
    pub(crate) used: usize,
    pub(crate) is_done: bool,
    pub(crate) trailers: Option<Fields>,
}

/// Decodes the pieces of a stream as a caller does: what is not used up is shown again in front of the next piece.
pub(crate) fn body_in_pieces<'a>(
    framing: Framing,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Body, BodyFault> {
    let mut decoder = BodyDecoder::new(framing);
    let mut body = Body {
        data: Vec::new(),
        used: 0,
        is_done: decoder.is_done(),
        trailers: None,
    };
    let mut waiting = Vec::new();
    for piece in pieces {
        waiting.extend_from_slice(piece);
        loop {
            let step = decoder.decode(&waiting)?;
            assert!(step.data.end <= step.consumed && step.consumed <= waiting.len());
            assert_eq!(step.is_done, decoder.is_done());
            body.data.extend_from_slice(&waiting[step.data.clone()]);
            body.used += step.consumed;
            waiting.drain(..step.consumed);
            if step.is_done || step.consumed == 0 {
                break;
            }
        }
        body.is_done = decoder.is_done();
    }
    body.trailers = decoder.take_trailers();
    Ok(body)
}

/// Decodes a body; panics where the way of feeding makes a difference.
pub(crate) fn body(framing: Framing, input: &[u8]) -> Result<Body, BodyFault> {
    let whole = body_in_pieces(framing, [input]);
    assert_eq!(
        body_in_pieces(framing, input.chunks(1)),
        whole,
        "byte by byte: {}",
        input.escape_ascii()
    );
    if framing != Framing::UntilClose && !matches!(whole, Ok(Body { is_done: false, .. })) {
        assert_eq!(
            body_in_pieces(framing, [&[input, TRAILING].concat()[..]]),
            whole,
            "with trailing data"
        );
    }
    whole
}
