//! A compressed message, inflated (RFC 7692 §7.2.2).

use flate2::{Decompress, FlushDecompress, Status};

use super::Refusal;

/// What the sender has left out of a compressed message (RFC 7692 §7.2.1).
const TAIL: [u8; 4] = [0x00, 0x00, 0xFF, 0xFF];

/// Appends what a message says to `into`: `limit` bytes at most. The context is the message alone, since takeover is not agreed.
/// The message gets its tail; the inflater is made for the first one.
pub(crate) fn inflate(
    inflater: &mut Option<Decompress>,
    message: &mut Vec<u8>,
    limit: usize,
    into: &mut Vec<u8>,
) -> Result<(), Refusal> {
    message.extend_from_slice(&TAIL);
    let inflater = inflater.get_or_insert_with(|| Decompress::new(false));
    inflater.reset(false);
    let most = into.len() + limit;
    let mut rest = &message[..];
    loop {
        // One byte more than may be, so that what is just too long is seen.
        let wanted = (into.len() + 4096).max(2 * rest.len()).min(most + 1);
        into.reserve(wanted.saturating_sub(into.len()));
        let (read_before, len_before) = (inflater.total_in(), into.len());
        let status = inflater
            .decompress_vec(rest, into, FlushDecompress::Sync)
            .map_err(|_| Refusal::Protocol("a compressed message cannot be inflated"))?;
        let read = usize::try_from(inflater.total_in() - read_before).unwrap_or(rest.len());
        rest = &rest[read.min(rest.len())..];
        if into.len() > most {
            return Err(Refusal::TooBig(limit));
        }
        match status {
            // A block may say that it is the last (§7.2.3.5). Readers differ in what they make of more, so nothing may follow.
            Status::StreamEnd if rest == TAIL || rest == [&[0], &TAIL[..]].concat() => return Ok(()),
            Status::StreamEnd => {
                return Err(Refusal::Protocol("a compressed message goes on behind its last block"));
            }
            _ if rest.is_empty() && into.len() < into.capacity() => return Ok(()),
            _ if read == 0 && into.len() == len_before => {
                return Err(Refusal::Protocol("a compressed message cannot be inflated"));
            }
            _ => {}
        }
    }
}
