//! Rules about messages: whole texts are looked at before they pass, of a zone that asks for it.
//!
//! Theory. An [`Assembler`] takes the frames of one direction as they come and holds those of a text message until its last one.
//! A [`Judge`], one for all tunnels of a thread, then takes the text out of them (unmasked, inflated) and asks the rules. What
//! passes are the frames themselves, as they came. Binary messages are not looked at and not held.
//! A message of 1 KiB costs 2 µs for a pattern, 1 µs for a schema of a usual kind, and 1 µs more to inflate it.
//!
//! Law 1: any chopping of the input gives the same bytes, findings and refusal.
//! Law 2: a direction holds at most the limit of a message and [`MAX_FRAMING_BYTES`]; while no message is under way, nothing.
//! Law 3: control frames, and frames of binary messages, pass at once; a control frame may so overtake a text held.
//! Law 4: what the receiver could read otherwise than we do is refused (RFC 6455 §5.2, §5.4, §5.5, §8.1; RFC 7692 §6).
//! Law 5: fail closed: a rule that takes too long is broken by the message.

pub(crate) mod agree;
mod assembler;
mod judge;
mod rules;

pub use assembler::Assembler;
pub use judge::{Finding, Judge};
pub use rules::{Action, MAX_MESSAGE_RULES, MAX_PATTERN_BYTES, MessageRule, MessageRules, Test};

/// Longest message that is looked at where a zone has no limit of its own: what `websockets` takes by default, and the eighth
/// part of the time that a loop may take for it (`judge::BYTE_STEPS`).
pub const MAX_MESSAGE_BYTES: usize = 1024 * 1024;
/// What the headers of a message's frames may take beside. So a message of 1 MiB may have frames of 512 bytes, and no message can
/// be of empty frames without end.
pub const MAX_FRAMING_BYTES: usize = 16 * 1024;

/// Why a stream goes on no further. Whoever sent it gets a Close with the code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// A rule with the action `close` was broken; its id.
    Rule(std::sync::Arc<str>),
    /// A message is longer than this many bytes, as it came or inflated.
    TooBig(usize),
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
            Self::TooBig(_) => 1009,
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
            Self::NotUtf8 => "a text message is not UTF-8".into(),
            Self::Protocol(what) => (*what).into(),
        }
    }
}

#[cfg(test)]
mod tests;
