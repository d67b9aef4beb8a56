//! Rules about messages: whole texts are looked at before they pass, of a zone that asks for it.
//!
//! Theory. An [`Assembler`] takes the frames of one direction as they come and holds those of a text message until its last one.
//! A [`Judge`], one for all tunnels of a thread, then takes the text out of them (unmasked, inflated) and asks the rules. What
//! passes are the frames themselves, as they came. Binary messages are not looked at and not held.
//! A message of 1 KiB costs 2 µs for a pattern, 1 µs for a schema of a usual kind, and 1 µs more to inflate it.
//!
//! Law 1: any chopping of the input gives the same bytes, findings and refusal.
//! Law 2: a direction holds at most a message of the limit and its headers ([`MAX_FRAMING_BYTES`]), all of them together no more
//!        than [`MAX_HELD_BYTES`]; while no message is under way, nothing.
//! Law 3: control frames, and frames of binary messages, pass at once; a control frame may so overtake a text held.
//! Law 4: what the receiver could read otherwise than we do is refused (RFC 6455 §5.2, §5.4, §5.5, §8.1; RFC 7692 §6).
//! Law 5: fail closed: a rule that takes too long is broken by the message.

pub(crate) mod agree;
mod assembler;
mod held;
mod inflation;
mod judge;
mod rules;

pub use assembler::Assembler;
pub use held::{Account, Accounts, MAX_HELD_BYTES, MAX_HELD_OF_ZONE_BYTES};
pub(crate) use inflation::inflate;
pub use judge::{Finding, Judge};
pub use rules::{Action, MAX_MESSAGE_RULES, MAX_PATTERN_BYTES, MessageRule, MessageRules, Test};

/// Longest message that is looked at where a zone has no limit of its own: what `websockets` takes by default, and the eighth
/// part of the time that a loop may take for it (`judge::BYTE_STEPS`).
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// What the headers of a message's frames may take beside what [`FRAMING_OF_BYTE`] lets them, so that no message is of empty frames
/// without end.
pub const MAX_FRAMING_BYTES: usize = 16 * 1024;
/// What they may take for each byte of payload: a header of up to 125 bytes has 6, so no message is refused for its frames
/// where each of them says something.
pub const FRAMING_OF_BYTE: usize = 6;

/// Why a stream goes on no further. Whoever sent it gets a Close with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule with the action `close` was broken; its id.
    Rule(std::sync::Arc<str>),
    /// A message is longer than this many bytes, as it came or inflated.
    TooBig(usize),
    /// A message has little in many frames.
    TooManyFrames,
    /// The thread, or the zone, holds as much as it may.
    NoRoom,
    /// The text is not UTF-8.
    NotUtf8,
    /// A frame that RFC 6455 or RFC 7692 does not allow; which.
    Protocol(&'static str),
}

impl Refusal {
    /// The code of the Close that the sender gets (RFC 6455 §7.4.1).
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Rule(_) => 1008,
            Self::TooBig(_) | Self::TooManyFrames => 1009,
            // "Try Again Later" (IANA registry).
            Self::NoRoom => 1013,
            Self::NotUtf8 => 1007,
            Self::Protocol(_) => 1002,
        }
    }

    /// One sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Rule(id) => format!("a message breaks the rule {id}"),
            Self::TooBig(limit) => format!("a message has more than {limit} bytes"),
            Self::TooManyFrames => "a message comes in too many empty frames".into(),
            Self::NoRoom => "too many messages are not complete, try again later".into(),
            Self::NotUtf8 => "a text message is not UTF-8".into(),
            Self::Protocol(what) => (*what).into(),
        }
    }
}

#[cfg(test)]
mod tests;
