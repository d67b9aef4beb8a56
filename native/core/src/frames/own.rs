//! The frames that are the edge's own: Close, Ping, and the Pong that answers it.

use super::{CLOSE, FIN, MASKED, MAX_CONTROL_PAYLOAD_BYTES, PING, PONG};

/// The payload of a ping of ours: a nonce that its receiver cannot guess before, and a number that comes back with it.
pub const PING_BYTES: usize = 16;

/// A Close frame of ours, appended to `out`. `mask` is for the way to an origin, where we are the client (§5.3).
/// A reason longer than 123 bytes is cut at a character boundary (§5.5).
pub fn write_close(out: &mut Vec<u8>, code: u16, reason: &str, mask: Option<[u8; 4]>) {
    let mut end = reason.len().min(MAX_CONTROL_PAYLOAD_BYTES - 2);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    let payload = code
        .to_be_bytes()
        .into_iter()
        .chain(reason.as_bytes()[..end].iter().copied());
    write(out, CLOSE, end + 2, payload, mask);
}

/// A Ping of ours, appended to `out`.
pub fn write_ping(out: &mut Vec<u8>, nonce: u64, number: u64, mask: Option<[u8; 4]>) {
    let payload = nonce.to_be_bytes().into_iter().chain(number.to_be_bytes());
    write(out, PING, PING_BYTES, payload, mask);
}

fn write(out: &mut Vec<u8>, opcode: u8, len: usize, payload: impl Iterator<Item = u8>, mask: Option<[u8; 4]>) {
    // A control frame's payload is at most 125 bytes long.
    #[allow(clippy::cast_possible_truncation)]
    let length = len as u8;
    out.push(FIN | opcode);
    match mask {
        None => {
            out.push(length);
            out.extend(payload);
        }
        Some(mask) => {
            out.push(MASKED | length);
            out.extend(mask);
            out.extend(payload.enumerate().map(|(at, byte)| byte ^ mask[at % 4]));
        }
    }
}

/// True where the first two bytes say that it is a Pong as long as one of our pings.
pub(super) fn may_be_answer(held: &[u8]) -> bool {
    matches!(held, [first, second, ..] if *first == FIN | PONG && usize::from(second & !MASKED) == PING_BYTES)
}

/// The number of the ping that this Pong, all of it, answers.
pub(super) fn answer(pong: &[u8], nonce: u64) -> Option<u64> {
    let (mask, payload) = match pong.get(1)? & MASKED {
        0 => ([0; 4], pong.get(2..)?),
        _ => (pong.get(2..6)?.try_into().ok()?, pong.get(6..)?),
    };
    let mut payload: [u8; PING_BYTES] = payload.try_into().ok()?;
    payload
        .iter_mut()
        .enumerate()
        .for_each(|(at, byte)| *byte ^= mask[at % 4]);
    let [found, number] = [&payload[..8], &payload[8..]].map(|half| half.try_into().map(u64::from_be_bytes));
    (found.ok()? == nonce).then_some(number.ok()?)
}
