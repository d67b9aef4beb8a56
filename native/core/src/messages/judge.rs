//! What a text message says, and whether the rules let it pass.

use std::fmt;
use std::sync::Arc;

use flate2::Decompress;
use holdfast_inspect::meter::{A_RULE, Meter};
use holdfast_inspect::schema::read_json;
use serde_json::Value;

use super::inflation::inflate;
use super::{Action, MessageRule, MessageRules, Refusal, Test};
use crate::frames::Header;
use crate::tunnel::Side;

/// What all rules may cost for one message together, and for each of its bytes more: 8 ms, and 64 ns. Beyond it, who sends it
/// is hostile. A pattern takes a quarter of a step for a byte, a schema of a usual kind three.
const MESSAGE_STEPS: u32 = 4 * A_RULE;
const BYTE_STEPS: u32 = 16;
/// What a judge keeps of its buffers between messages.
const KEPT_BYTES: usize = 64 * 1024;

/// A message broke a rule that does not close.
#[derive(Clone, Debug)]
pub struct Finding {
    /// The rule.
    pub rule: Arc<MessageRule>,
    /// How long the text is, in bytes.
    pub message_bytes: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Pass,
    Drop,
}

/// What the tunnels of a thread share: buffers, and an inflater (about 40 KiB, from the first compressed message on).
#[derive(Default)]
pub struct Judge {
    payload: Vec<u8>,
    inflated: Vec<u8>,
    inflater: Option<Decompress>,
    found: Vec<Finding>,
}

impl fmt::Debug for Judge {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Judge")
            .field("found", &self.found)
            .finish_non_exhaustive()
    }
}

impl Judge {
    /// What was found since this was asked last.
    pub fn take_findings(&mut self) -> std::vec::Drain<'_, Finding> {
        self.found.drain(..)
    }

    /// Judges the text of a message, given as all of its frames.
    pub(super) fn judge(&mut self, rules: &MessageRules, to: Side, frames: &[u8]) -> Result<Verdict, Refusal> {
        let is_compressed = self.gather(frames);
        let outcome = if is_compressed {
            inflate(&mut self.inflater, &mut self.payload, rules.limit(), &mut self.inflated)
                .and_then(|()| ask(rules, to, &self.inflated, &mut self.found))
        } else {
            ask(rules, to, &self.payload, &mut self.found)
        };
        for buffer in [&mut self.payload, &mut self.inflated] {
            buffer.clear();
            buffer.shrink_to(KEPT_BYTES);
        }
        outcome
    }

    /// Puts the payload together, unmasked. True where the first frame says that it is compressed.
    fn gather(&mut self, frames: &[u8]) -> bool {
        let mut rest = frames;
        let mut is_compressed = false;
        while let Some(header) = Header::read(rest) {
            // Whoever holds frames holds whole ones.
            let end = usize::try_from(header.length).map_or(rest.len(), |length| rest.len().min(header.len + length));
            let begin = self.payload.len();
            self.payload.extend_from_slice(&rest[header.len..end]);
            if let Some(mask) = header.mask {
                unmask(&mut self.payload[begin..], mask);
            }
            is_compressed |= header.is_compressed;
            rest = &rest[end..];
        }
        is_compressed
    }
}

fn ask(rules: &MessageRules, to: Side, text: &[u8], found: &mut Vec<Finding>) -> Result<Verdict, Refusal> {
    if std::str::from_utf8(text).is_err() {
        return Err(Refusal::NotUtf8);
    }
    let bytes = u32::try_from(text.len()).unwrap_or(u32::MAX);
    let mut meter = Meter::of(bytes.saturating_mul(BYTE_STEPS).saturating_add(MESSAGE_STEPS));
    let mut json = None;
    for rule in rules.towards(to) {
        if !is_broken(&rule.test, text, &mut json, &mut meter) {
            continue;
        }
        if rule.action == Action::Close {
            return Err(Refusal::Rule(Arc::clone(&rule.id)));
        }
        found.push(Finding {
            rule: Arc::clone(rule),
            message_bytes: text.len(),
        });
        if rule.action == Action::Drop {
            return Ok(Verdict::Drop);
        }
    }
    Ok(Verdict::Pass)
}

fn is_broken(test: &Test, said: &[u8], json: &mut Option<Result<Value, String>>, meter: &mut Meter) -> bool {
    match test {
        Test::Text(pattern) => pattern.is_match(said, meter).unwrap_or(true),
        Test::Schema(schema) => match json.get_or_insert_with(|| read_json(said)) {
            Err(_) => true,
            Ok(value) => !schema.is_valid(value, meter).unwrap_or(false),
        },
    }
}

/// RFC 6455 §5.3.
fn unmask(payload: &mut [u8], mask: [u8; 4]) {
    let (fours, rest) = payload.as_chunks_mut::<4>();
    for four in fours {
        *four = (u32::from_ne_bytes(*four) ^ u32::from_ne_bytes(mask)).to_ne_bytes();
    }
    for (byte, key) in rest.iter_mut().zip(mask) {
        *byte ^= key;
    }
}
