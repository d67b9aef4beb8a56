//! What the messages carry, and the proof that an echo is the message that was sent.
//!
//! A message is random bytes, the same for all, but that the first eight name the connection and the message's number
//! on it. So an echo that is cut, doubled, reordered or taken to another connection is seen at once.
//! A message shorter than eight bytes carries as much of that as it has room for.
//! A text is letters, and its first sixteen are the same name, in hexadecimal digits.

use holdfast_wire::frame::Opcode;

const STAMP_BYTES: usize = 8;
const STAMP_DIGITS: usize = 2 * STAMP_BYTES;

/// The body all messages of a run share.
#[derive(Debug)]
pub(crate) struct Payload {
    body: Vec<u8>,
    kind: Kind,
}

/// What kind of messages a run sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Binary,
    Text,
}

/// One message: whose, and which of its messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    pub(crate) connection: u32,
    pub(crate) number: u32,
}

impl Stamp {
    /// How it is written, and how long that is.
    fn bytes(self, kind: Kind) -> ([u8; STAMP_DIGITS], usize) {
        let mut written = [0; STAMP_DIGITS];
        let raw = (u64::from(self.connection) << 32 | u64::from(self.number)).to_le_bytes();
        match kind {
            Kind::Binary => {
                written[..STAMP_BYTES].copy_from_slice(&raw);
                (written, STAMP_BYTES)
            }
            Kind::Text => {
                for (pair, byte) in written.as_chunks_mut::<2>().0.iter_mut().zip(raw) {
                    *pair = [HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 0xF)]];
                }
                (written, STAMP_DIGITS)
            }
        }
    }
}

const HEX: [u8; 16] = *b"0123456789abcdef";

impl Payload {
    /// Messages of `size` bytes.
    pub(crate) fn new(size: usize, kind: Kind, random: &mut fastrand::Rng) -> Self {
        let mut body = vec![0; size];
        match kind {
            Kind::Binary => random.fill(&mut body),
            Kind::Text => body.fill_with(|| random.alphabetic() as u8),
        }
        Self { body, kind }
    }

    /// What its messages are on the wire.
    pub(crate) fn opcode(&self) -> Opcode {
        match self.kind {
            Kind::Binary => Opcode::Binary,
            Kind::Text => Opcode::Text,
        }
    }

    /// Bytes in a message.
    pub(crate) fn size(&self) -> usize {
        self.body.len()
    }

    /// Give the message to `write`, in two parts.
    pub(crate) fn with<T>(&self, stamp: Stamp, write: impl FnOnce(&[&[u8]]) -> T) -> T {
        let (stamped, length) = stamp.bytes(self.kind);
        let split = self.size().min(length);
        write(&[&stamped[..split], &self.body[split..]])
    }

    /// Whether `bytes` stand at `at` in the message.
    pub(crate) fn has(&self, stamp: Stamp, at: usize, bytes: &[u8]) -> bool {
        let end = at + bytes.len();
        if end > self.size() {
            return false;
        }
        let (expected, length) = stamp.bytes(self.kind);
        let (stamped, plain) = bytes.split_at(length.saturating_sub(at).min(bytes.len()));
        expected[..length]
            .iter()
            .skip(at)
            .zip(stamped)
            .all(|(expected, byte)| expected == byte)
            && plain == &self.body[end - plain.len()..end]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn a_message_is_recognised_however_it_is_cut_and_no_other_is(
            size in 0..64usize, kind in prop::sample::select(vec![Kind::Binary, Kind::Text]),
            connection: u32, number: u32, seed: u64, cut in any::<prop::sample::Index>(),
        ) {
            let payload = Payload::new(size, kind, &mut fastrand::Rng::with_seed(seed));
            let stamp = Stamp { connection, number };
            let message = payload.with(stamp, |parts| parts.concat());
            prop_assert_eq!(message.len(), size);
            prop_assert!(kind == Kind::Binary || message.is_ascii());
            let at = cut.index(size + 1);
            prop_assert!(payload.has(stamp, 0, &message[..at]) && payload.has(stamp, at, &message[at..]));
            for position in 0..size {
                let mut wrong = message.clone();
                wrong[position] ^= 1;
                prop_assert!(!payload.has(stamp, 0, &wrong), "byte {} is not checked", position);
            }
            prop_assert!(!payload.has(stamp, 1, &message) || size == 0);
        }
    }

    #[test]
    fn messages_of_other_connections_and_numbers_differ() {
        let payload = Payload::new(8, Kind::Binary, &mut fastrand::Rng::with_seed(1));
        let message = payload.with(
            Stamp {
                connection: 1,
                number: 2,
            },
            |parts| parts.concat(),
        );
        assert!(!payload.has(
            Stamp {
                connection: 1,
                number: 3
            },
            0,
            &message
        ));
        assert!(!payload.has(
            Stamp {
                connection: 2,
                number: 2
            },
            0,
            &message
        ));
    }
}
