//! How what came from one leg passes to the other.
//!
//! Mostly whole: the walker walks over it and it goes out as it came. Frame by frame only while that is needed: where a
//! direction is limited, or guarded, and while an answer to a ping of ours is on its way.

use std::time::Instant;

use super::gate::Stop;
use super::relay::Tunnel;
use super::{Buffers, Side};
use crate::frames::Sight;
use crate::registry::{Cause, Why};

/// What came of passing a piece frame by frame.
struct Passed {
    /// How much of it has been dealt with.
    len: usize,
    /// Nothing was in it but answers to our pings.
    is_own: bool,
    stop: Option<Stop>,
}

impl Tunnel {
    /// Passes what came from a leg on to its peer, as far as it may.
    pub(super) fn pass_on(&mut self, from: Side, bytes: &[u8], now: Instant, out: &mut Buffers) {
        if self.guards.is_some() {
            self.pass_guarded(from, bytes, now, out);
        } else {
            self.pass(from, bytes, now, out);
        }
    }

    /// The same, of what a guard has let pass, where there is one.
    pub(super) fn pass(&mut self, from: Side, bytes: &[u8], now: Instant, out: &mut Buffers) {
        let to = from.peer();
        if self.is_muted[to as usize] || self.has_said_all(from) {
            self.legs[from as usize].walker.walk(bytes);
        } else if self.owes_close(to) {
            let frame_end = self.legs[from as usize].walker.walk_to_boundary(bytes);
            self.leg(to).send(&bytes[..frame_end], &mut out.ciphertext);
            self.pay_close(to, &mut out.ciphertext);
            self.legs[from as usize].walker.walk(&bytes[frame_end..]);
        } else if self.looks_at(from) {
            return self.pass_frames(from, bytes, now, out);
        } else {
            self.legs[from as usize].walker.walk(bytes);
            self.leg(to).send(bytes, &mut out.ciphertext);
        }
        self.heard(from, now);
    }

    /// True where a direction has limits and its Close has passed: behind that nothing more may come (RFC 6455 §5.5.1), and
    /// what comes all the same is held to none.
    fn has_said_all(&self, from: Side) -> bool {
        self.gates[from as usize].is_some() && self.legs[from as usize].walker.close().is_some()
    }

    /// True where what comes from a leg must be looked at before it passes.
    fn looks_at(&self, from: Side) -> bool {
        self.gates[from as usize].is_some()
            || self.vigil.awaited(from).is_some()
            || self.vigil.owes_ping(from.peer())
            || self.legs[from as usize].walker.holds()
    }

    fn heard(&mut self, from: Side, now: Instant) {
        self.last_from[from as usize] = Some(now.into());
        if self.cause.is_none() && self.legs[from as usize].walker.close().is_some() {
            self.cause = Some(Cause::new(from.into(), Why::CloseFrame).into());
        }
    }

    fn pass_frames(&mut self, from: Side, bytes: &[u8], now: Instant, out: &mut Buffers) {
        if self.gates[from as usize]
            .as_mut()
            .is_some_and(|gate| gate.queues(bytes))
        {
            return;
        }
        out.passing.clear();
        let passed = self.pass_until_stopped(from, bytes, now, &mut out.passing);
        self.leg(from.peer()).send(&out.passing, &mut out.ciphertext);
        if !passed.is_own {
            self.heard(from, now);
        }
        let rest = &bytes[passed.len..];
        let (why, sentence) = match passed.stop {
            None => {
                // Something is left behind a Close alone. Without one, what is held is still to pass.
                if self.has_said_all(from) {
                    self.legs[from as usize].walker.walk(rest);
                }
                return;
            }
            Some(Stop::Until(until)) => {
                if let Some(gate) = &mut self.gates[from as usize] {
                    gate.keep(rest, until);
                }
                return;
            }
            Some(Stop::TooBig(limit)) => (Why::MessageTooBig, format!("a message is larger than {limit} bytes")),
            Some(Stop::TooMuch(sentence)) => (Why::RateExceeded, sentence),
        };
        self.end(why, Some(from), &sentence, now, out);
        self.pass(from, rest, now, out);
    }

    fn pass_until_stopped(&mut self, from: Side, bytes: &[u8], now: Instant, passing: &mut Vec<u8>) -> Passed {
        let (to, walker) = (from.peer(), &mut self.legs[from as usize].walker);
        let gate = &mut self.gates[from as usize];
        // Nobody is asked for a sign of life when the end has begun.
        let may_ping = self.cause.is_none();
        let mut is_own = true;
        let mut at = 0;
        let stop = loop {
            let (taken, sight) = walker.look(&bytes[at..], self.vigil.awaited(from));
            at += taken;
            match sight {
                Sight::Held | Sight::Payload(0) => break None,
                Sight::Answer(number) => self.vigil.answered(from, number, now),
                Sight::Frame(_) if gate.is_some() && walker.close().is_some() => break None,
                Sight::Frame(head) => {
                    is_own = false;
                    let verdict = gate.as_mut().map_or(Ok(()), |gate| gate.frame(&head, now));
                    if let Err(stop) = verdict {
                        break Some(stop);
                    }
                    if may_ping && self.vigil.owes_ping(to) && walker.is_at_boundary() {
                        self.vigil.write_ping(to, now, passing);
                    }
                    walker.pass_frame(passing);
                }
                Sight::Payload(len) => {
                    is_own = false;
                    match gate.as_mut().map_or(Ok(len), |gate| gate.payload(len, now)) {
                        Err(stop) => break Some(stop),
                        Ok(len) => {
                            passing.extend_from_slice(&bytes[at..at + len]);
                            walker.pass_payload(&bytes[at..at + len]);
                            at += len;
                        }
                    }
                }
            }
        };
        if may_ping && self.vigil.owes_ping(to) && walker.is_at_boundary() && walker.close().is_none() {
            self.vigil.write_ping(to, now, passing);
        }
        Passed {
            len: at,
            is_own: is_own && !walker.holds(),
            stop,
        }
    }

    /// Passes on what waited for a gate, if its time has come and the peer takes it.
    pub(super) fn release(&mut self, from: Side, now: Instant, out: &mut Buffers) {
        let Some(gate) = &mut self.gates[from as usize] else {
            return;
        };
        let peer_takes = self.legs[from.peer() as usize].is_drained() || self.is_muted[from.peer() as usize];
        if !peer_takes || gate.until().is_none_or(|until| until > now) {
            return;
        }
        if let Some(waiting) = gate.release() {
            self.vigil.resumed(from, now);
            self.pass(from, &waiting, now, out);
        }
    }
}
