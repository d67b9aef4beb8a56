//! The rules of a zone about messages, asked of one direction of a tunnel.
//!
//! Law 1: it stands before all else: what it lets pass is what the rest of the tunnel sees, counts and limits. So the stream
//!        towards the peer stands between two frames while a message is held.
//! Law 2: what it holds is bounded by the limit of a message, and for all by `messages::MAX_HELD_BYTES`; while nothing may pass
//!        nothing is read for it either.
//! Law 3: a tunnel writes a few lines a second about messages at most; the others are counted, and the next line says so.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::relay::Tunnel;
use super::{Buffers, Side, TunnelOptions};
use crate::messages::{Account, Accounts, Assembler, Finding, MessageRules, Refusal};
use crate::registry::{Line, MessageFound, Why};

/// Lines about messages that may come at once, and how long it takes until there may be another.
const LINES_AT_ONCE: u32 = 5;
const LINE_INTERVAL: Duration = Duration::from_millis(500);

/// One direction's guard.
#[derive(Debug)]
pub(super) struct Guard {
    assembler: Assembler,
    lines: Lines,
}

impl Guard {
    /// The guard of what comes from this side; None where nothing is asked of it.
    fn new(
        rules: &Arc<MessageRules>,
        from: Side,
        is_compressed: bool,
        accounts: &Accounts,
        now: Instant,
    ) -> Option<Self> {
        rules.watch(from.peer()).then(|| Self {
            assembler: Assembler::new(Arc::clone(rules), from.peer(), is_compressed, accounts.clone()),
            lines: Lines::new(now),
        })
    }

    /// True between the first byte of a frame and its last, whether it has passed or is held, and of a text that is held.
    pub(super) fn awaits_more(&self) -> bool {
        self.assembler.is_in_frame() || self.assembler.is_holding()
    }
}

/// Those of both directions, by the side that sends.
pub(super) type Guards = [Option<Guard>; 2];

/// The guards of a tunnel; None where its zone has no rules about messages.
pub(super) fn guards(
    options: &TunnelOptions,
    is_compressed: bool,
    (of_thread, of_zone): (&Arc<Account>, &Arc<Account>),
    now: Instant,
) -> Option<Box<Guards>> {
    let rules = options.message_rules.as_ref()?;
    let accounts = Accounts {
        thread: Arc::clone(of_thread),
        zone: Arc::clone(of_zone),
    };
    let guards = [Side::Client, Side::Origin].map(|from| Guard::new(rules, from, is_compressed, &accounts, now));
    Some(Box::new(guards))
}

/// How many lines may be written.
#[derive(Debug)]
struct Lines {
    left: u32,
    since: Instant,
    left_out: u64,
}

impl Lines {
    fn new(now: Instant) -> Self {
        Self {
            left: LINES_AT_ONCE,
            since: now,
            left_out: 0,
        }
    }

    /// Whether there may be one now: then how many there were before it that might not be.
    fn next(&mut self, now: Instant) -> Option<u64> {
        let intervals = now.saturating_duration_since(self.since).as_millis() / LINE_INTERVAL.as_millis();
        if let Some(gained) = u32::try_from(intervals).ok().filter(|gained| *gained < LINES_AT_ONCE) {
            self.left = LINES_AT_ONCE.min(self.left + gained);
            self.since += gained * LINE_INTERVAL;
        } else {
            self.left = LINES_AT_ONCE;
            self.since = now;
        }
        if self.left == 0 {
            self.left_out += 1;
            return None;
        }
        self.left -= 1;
        Some(std::mem::take(&mut self.left_out))
    }
}

impl Tunnel {
    /// The guard of what comes from a side.
    fn guard(&mut self, from: Side) -> Option<&mut Guard> {
        self.guards.as_mut()?[from as usize].as_mut()
    }

    /// Passes on what the guard of a direction lets pass.
    pub(super) fn pass_guarded(&mut self, from: Side, mut bytes: &[u8], now: Instant, out: &mut Buffers) {
        if self.legs[from.peer() as usize].is_drained() {
            self.note_taken(from.peer());
        }
        let mut judged = std::mem::take(&mut out.judged);
        while !bytes.is_empty() {
            let is_muted = self.is_muted[from.peer() as usize];
            let Some(guard) = self.guard(from) else {
                // Nothing is asked of this direction.
                self.pass(from, bytes, now, out);
                break;
            };
            if is_muted {
                guard.assembler.discard();
            }
            judged.clear();
            let outcome = guard.assembler.push(&mut bytes, &mut out.judge, &mut judged);
            self.note_findings(from, now, out);
            if judged.is_empty() {
                self.last_from[from as usize] = Some(now.into());
            } else {
                self.pass(from, &judged, now, out);
            }
            if let Err(refusal) = outcome {
                self.refuse(from, &refusal, now, out);
            }
        }
        judged.clear();
        out.judged = judged;
        out.shrink();
    }

    /// A leg has taken all that waited for it: what its peer's guard has let pass is held no longer.
    pub(super) fn note_taken(&mut self, by: Side) {
        if let Some(guard) = self.guard(by.peer()) {
            guard.assembler.passed();
        }
    }

    fn note_findings(&mut self, from: Side, now: Instant, out: &mut Buffers) {
        for finding in out.judge.take_findings() {
            self.zone().message_found(finding.rule.action());
            let lines = self.guard(from).and_then(|guard| guard.lines.next(now));
            if let Some(left_out) = lines {
                out.lines.push(self.line(from, &finding, left_out));
            }
        }
    }

    fn line(&self, from: Side, finding: &Finding, left_out: u64) -> Line {
        Line::MessageFound(Box::new(MessageFound {
            ray_id: self.ray().to_owned(),
            zone: Arc::clone(self.zone()),
            rule: Arc::clone(finding.rule.id()),
            action: finding.rule.action().name(),
            direction: match from {
                Side::Client => "to_origin",
                Side::Origin => "to_client",
            },
            message_bytes: finding.message_bytes,
            left_out,
        }))
    }

    fn refuse(&mut self, from: Side, refusal: &Refusal, now: Instant, out: &mut Buffers) {
        if self.cause.is_some() {
            // Its end has begun already, for another reason.
            return;
        }
        let why = match refusal {
            // Without rules nothing would be held.
            Refusal::Rule(_) | Refusal::NoRoom => Why::MessageRule,
            Refusal::TooBig(_) | Refusal::TooManyFrames => Why::MessageTooBig,
            Refusal::NotUtf8 | Refusal::Protocol(_) => Why::ProtocolError,
        };
        if matches!(refusal, Refusal::Rule(_)) {
            self.zone().message_found(crate::messages::Action::Close);
        }
        self.end_with(why, from, refusal.code(), &refusal.reason(), now, out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_few_and_the_next_one_tells_of_the_others() {
        let begun = Instant::now();
        let mut lines = Lines::new(begun);
        for _ in 0..LINES_AT_ONCE {
            assert_eq!(lines.next(begun), Some(0));
        }
        assert_eq!((lines.next(begun), lines.next(begun)), (None, None));
        let later = begun + LINE_INTERVAL;
        assert_eq!((lines.next(later), lines.next(later)), (Some(2), None));
        let much_later = begun + 1_000 * LINE_INTERVAL;
        assert_eq!((lines.next(much_later), lines.next(much_later)), (Some(1), Some(0)));
    }
}
