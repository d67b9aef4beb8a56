//! How a tunnel ends: who is told what, and until when the rest may take.
//!
//! Law 1: whoever is left gets a Close wherever the stream towards it stands between two frames, and its FIN behind it. A
//!        stream that is cut within a frame ends with a FIN alone: nothing can be said in it any more.
//! Law 2: the first cause is the one that is told.
//! Law 3: nothing we close has unread bytes in it if we can help it: the kernel would send a RST, which takes from the
//!        peer what it has not read yet, our Close among it (RFC 9293 §3.6.1; RFC 1122 §4.2.2.13).

use std::time::{Duration, Instant};

use super::leg::{Broken, Leg};
use super::relay::{OwnClose, Tunnel, Turn};
use super::{Buffers, Limits, Scratch, Side};
use crate::chance::random_bytes;
use crate::frames;
use crate::registry::{Cause, ClosedBy, Why};

/// RFC 6455 §7.4.1.
pub(super) const GOING_AWAY: u16 = 1001;
const PROTOCOL_ERROR: u16 = 1002;
const POLICY_VIOLATION: u16 = 1008;
const MESSAGE_TOO_BIG: u16 = 1009;
/// The origin's transport failed: to the client we are a gateway with a bad upstream (IANA registry: 1014).
const BAD_GATEWAY: u16 = 1014;

/// Until when a tunnel whose end has begun may take.
#[derive(Clone, Copy, Debug)]
pub(super) enum Limit {
    /// A time.
    At(Instant),
    /// So long after the last byte.
    Silence(Duration),
}

impl Tunnel {
    /// Closes both legs with this Close of the edge, each at its next frame boundary.
    pub(super) fn close(&mut self, close: &OwnClose, why: Why, deadline: Instant, now: Instant, scratch: &mut Scratch) {
        self.cause.get_or_insert_with(|| Cause::new(ClosedBy::Edge, why).into());
        self.end_by(deadline);
        for side in [Side::Client, Side::Origin] {
            self.owe_close(side, close.clone(), now, &mut scratch.out);
        }
    }

    /// The edge ends it on its own account, because of what one side did where it was one side's. Both are told why, with
    /// the code that fits what they did; nothing of that side passes any more, but for the rest of a frame that has begun
    /// where it is not the frame that is at fault.
    pub(super) fn end(&mut self, why: Why, because_of: Option<Side>, sentence: &str, now: Instant, out: &mut Buffers) {
        let code = match why {
            Why::MessageTooBig => MESSAGE_TOO_BIG,
            Why::RateExceeded => POLICY_VIOLATION,
            _ => GOING_AWAY,
        };
        self.end_as(why, because_of, code, sentence, now, out);
    }

    /// The same, because of what one side sent: it gets this code.
    pub(super) fn end_with(&mut self, why: Why, by: Side, code: u16, sentence: &str, now: Instant, out: &mut Buffers) {
        self.end_as(why, Some(by), code, sentence, now, out);
    }

    /// The edge ends the connection of which a leg is a stream.
    pub(super) fn expel(&mut self, side: Side, now: Instant, out: &mut Buffers) {
        let sentence = "the HTTP/2 connection is ended for what its client did";
        self.end_as(Why::ProtocolError, Some(side), PROTOCOL_ERROR, sentence, now, out);
    }

    fn end_as(
        &mut self,
        why: Why,
        because_of: Option<Side>,
        code: u16,
        sentence: &str,
        now: Instant,
        out: &mut Buffers,
    ) {
        self.cause.get_or_insert_with(|| match because_of {
            Some(side) => Cause::of_edge(why, side).into(),
            None => Cause::new(ClosedBy::Edge, why).into(),
        });
        self.is_ended = true;
        let reason: std::sync::Arc<str> = why.reason(sentence).into();
        for side in [Side::Client, Side::Origin] {
            // A script is told what its client is.
            let code = if because_of == Some(side) || self.session == Some(side) {
                code
            } else {
                GOING_AWAY
            };
            let reason = std::sync::Arc::clone(&reason);
            self.owe_close(side, OwnClose { code, reason }, now, out);
        }
        if let Some(side) = because_of.filter(|_| why != Why::WriteStalled) {
            self.cut_short(side.peer(), out);
        }
    }

    /// Nothing more goes to a leg: where it cannot get the Close it is owed, its stream ends within the frame.
    fn cut_short(&mut self, to: Side, out: &mut Buffers) {
        if self.take_owed(to).is_some() {
            self.is_muted[to as usize] = true;
            self.leg(to).finish(&mut out.ciphertext, false);
        }
    }

    /// What the clock has found: pings that are due, or the end.
    pub(super) fn on_time(&mut self, now: Instant, scratch: &mut Scratch) -> Turn {
        if self.deadline().is_some_and(|at| at <= now) {
            self.cut(now, scratch);
            return Turn::Ended;
        }
        if !self.is_watched() {
            return Turn::Waits;
        }
        let finding = self.vigil.look(&self.views(), now);
        for side in [Side::Client, Side::Origin] {
            if finding.pings[side as usize] {
                let mut ping = std::mem::take(&mut scratch.out.passing);
                ping.clear();
                self.vigil.write_ping(side, now, &mut ping);
                self.leg(side).send(&ping, &mut scratch.out.ciphertext);
                scratch.out.passing = ping;
            }
        }
        if let Some((why, because_of)) = finding.end {
            let sentence = self.sentence(why);
            self.end(why, because_of, &sentence, now, &mut scratch.out);
            if let Some(side) = because_of.filter(|_| matches!(why, Why::ClientUnresponsive | Why::OriginUnresponsive))
            {
                self.drop_leg(side, &mut scratch.out);
            }
        }
        Turn::Waits
    }

    fn sentence(&self, why: Why) -> String {
        let options = self.vigil.options();
        let seconds = |limit: Option<Duration>| limit.unwrap_or_default().as_secs_f64();
        match why {
            Why::ClientUnresponsive => "the client does not answer".to_owned(),
            Why::OriginUnresponsive => "the origin does not answer".to_owned(),
            Why::IdleTimeout => format!("nothing passed for {} s", seconds(options.idle_timeout)),
            Why::MaxAge => format!("a connection lives {} s", seconds(options.max_age)),
            Why::ReadStalled => format!(
                "nothing more of a frame came for {} s",
                seconds(options.read_stall_timeout)
            ),
            Why::WriteStalled => format!("nothing was taken for {} s", seconds(options.write_stall_timeout)),
            other => format!("{other:?}"),
        }
    }

    /// A leg is dead. It may come back to life and read what the kernel holds for it; we do not wait for it.
    fn drop_leg(&mut self, side: Side, out: &mut Buffers) {
        let leg = self.leg(side);
        leg.end_reading();
        leg.finish(&mut out.ciphertext, false);
        if !leg.write_ended() {
            leg.break_writing();
        }
        self.cut_short(side.peer(), out);
    }

    pub(super) fn owe_close(&mut self, to: Side, close: OwnClose, now: Instant, out: &mut Buffers) {
        if self.is_muted[to as usize] {
            return;
        }
        self.closes.get_or_insert_default().owed[to as usize].get_or_insert(close);
        self.pay_close(to, &mut out.ciphertext);
        // What waited for its time may be the rest of the frame that the Close must wait for.
        let waiting = self.gates[to.peer() as usize].as_mut().and_then(|gate| gate.release());
        if let Some(waiting) = waiting {
            self.pass(to.peer(), &waiting, now, out);
        }
    }

    /// True where a leg is owed a Close.
    pub(super) fn owes_close(&self, to: Side) -> bool {
        self.closes
            .as_ref()
            .is_some_and(|closes| closes.owed[to as usize].is_some())
    }

    fn take_owed(&mut self, to: Side) -> Option<OwnClose> {
        self.closes.as_mut()?.owed[to as usize].take()
    }

    /// Sends a leg the Close it is owed, if the stream towards it stands between two frames.
    pub(super) fn pay_close(&mut self, to: Side, ciphertext: &mut Vec<u8>) {
        if self.session == Some(to) {
            return self.tell_session(to);
        }
        let from = &self.legs[to.peer() as usize].walker;
        let may_close = from.is_at_boundary() && from.close().is_none() && self.legs[to as usize].is_open();
        if !from.is_at_boundary() && !from.is_lost() {
            return;
        }
        let Some(close) = self.take_owed(to) else {
            return;
        };
        self.is_muted[to as usize] = true;
        if may_close {
            let mut frame = Vec::new();
            frames::write_close(
                &mut frame,
                close.code,
                &close.reason,
                (to == Side::Origin).then(random_bytes),
            );
            self.leg(to).send(&frame, ciphertext);
            let sent = &mut self.closes.get_or_insert_default().sent;
            if to == Side::Client || sent.is_none() {
                *sent = Some(close);
            }
        }
    }

    /// A session is told of the Close that the edge means for it; it need not wait for the end of a frame.
    fn tell_session(&mut self, to: Side) {
        let Some(close) = self.take_owed(to) else {
            return;
        };
        self.is_muted[to as usize] = true;
        if let Some((_, session)) = self.session() {
            session.closed_by_edge(close.code, &close.reason);
        }
        self.closes.get_or_insert_default().sent.get_or_insert(close);
    }

    /// A leg sends no more. Its peer is told by a Close, where the leg has not sent one itself, and may go on sending.
    pub(super) fn reading_ended(&mut self, from: Side, now: Instant, scratch: &mut Scratch) {
        self.cause
            .get_or_insert_with(|| Cause::new(from.into(), Why::EndOfStream).into());
        if self.legs[from as usize].walker.close().is_none() && self.session != Some(from.peer()) {
            let mut close = left_alone(from, Why::EndOfStream, "ended without a Close");
            if self.owes_close(from) {
                // It could not be told that its peer had ended: it is not to blame for a frame that was cut.
                close = left_alone(from.peer(), Why::EndOfStream, "ended within a frame");
                close.code = PROTOCOL_ERROR;
            }
            self.owe_close(from.peer(), close, now, &mut scratch.out);
        }
        let has_taken_all = self.leg(from).write_ended();
        self.leg(from.peer()).finish(&mut scratch.out.ciphertext, has_taken_all);
    }

    /// A leg failed. Its peer gets what had come before, a Close if the stream allows one, and an orderly end.
    pub(super) fn broke(&mut self, from: Side, broken: &Broken, now: Instant, scratch: &mut Scratch) {
        let why = match broken {
            Broken::Transport(_) => Why::TransportError,
            Broken::Tls { .. } => Why::TlsError,
        };
        self.cause.get_or_insert_with(|| {
            Box::new(Cause {
                by: from.into(),
                why,
                detail: Some(broken.describe()),
                alert: broken.alert(),
            })
        });
        let leg = self.leg(from);
        leg.end_reading();
        leg.finish(&mut scratch.out.ciphertext, false);
        leg.break_writing();
        // A session says by itself that its peer is gone.
        if self.session != Some(from.peer()) {
            let close = left_alone(from, why, "failed");
            self.owe_close(from.peer(), close, now, &mut scratch.out);
        }
        self.leg(from.peer()).finish(&mut scratch.out.ciphertext, false);
    }

    /// Draws the conclusions of a turn: what has ended, and until when the rest may take.
    pub(super) fn settle(&mut self, now: Instant, scratch: &mut Scratch) -> Turn {
        let mut over = 0;
        let mut half_ends = 0;
        self.settle_session(scratch);
        for side in [Side::Client, Side::Origin] {
            self.note_stuck(side, now);
            let leg = &mut self.legs[side as usize];
            let has_closed = leg.walker.close().is_some();
            if self.is_muted[side as usize] && (has_closed || leg.read_ended()) {
                // Our Close is answered, or never will be: the closing handshake with this leg is done (RFC 6455 §7.1.1).
                leg.finish(&mut scratch.out.ciphertext, false);
            }
            let reading_done = leg.read_ended() || (self.is_muted[side as usize] && has_closed);
            half_ends += usize::from(leg.read_ended()) + usize::from(leg.write_ended());
            over += usize::from(reading_done && leg.write_ended());
        }
        if over == 2 {
            return Turn::Ended;
        }
        // An end behind bytes that a stalled peer does not take cannot be read, and has begun all the same.
        if half_ends > 0 || self.cause.is_some() || self.announced().is_some() {
            self.limit(now, scratch.limits);
        }
        Turn::Waits
    }

    /// A session whose peer has our Close, or its script's, ends when that has been answered, and not before: whoever sees the
    /// end of the stream first may not answer any more.
    fn settle_session(&mut self, scratch: &mut Scratch) {
        let Some(side) = self.session else { return };
        let (leg, peer) = (&self.legs[side as usize], &self.legs[side.peer() as usize]);
        let has_said = self.is_muted[side.peer() as usize] || leg.walker.close().is_some();
        let is_answered = peer.walker.close().is_some() || peer.read_ended();
        let is_told = self.is_muted[side as usize] || leg.is_drained();
        if has_said && is_answered && is_told && !leg.read_ended() {
            let leg = self.leg(side);
            leg.end_reading();
            // A session that was told of its end takes what is left, and makes nothing of it.
            leg.flush();
            leg.finish(&mut scratch.out.ciphertext, false);
            let peer = self.leg(side.peer());
            peer.finish(&mut scratch.out.ciphertext, false);
        }
    }

    /// Keeps the time since when a leg takes nothing of what waits for it.
    fn note_stuck(&mut self, side: Side, now: Instant) {
        let leg = &mut self.legs[side as usize];
        let stuck = &mut self.stuck_since[side as usize];
        if leg.is_drained() {
            if stuck.is_some() {
                *stuck = None;
                self.vigil.resumed(side.peer(), now);
            }
            self.note_taken(side);
        } else if stuck.is_none() || leg.has_moved() {
            *stuck = Some(now.into());
        }
    }

    /// What has been announced by a leg that cannot be read yet; a failure before an end.
    pub(super) fn announced(&self) -> Option<Cause> {
        let by = |wanted| {
            let is_wanted = |side: &Side| self.legs[*side as usize].announced() == Some(wanted);
            let side = [Side::Client, Side::Origin].into_iter().find(is_wanted)?;
            Some(Cause::new(side.into(), wanted))
        };
        by(Why::TransportError).or_else(|| by(Why::EndOfStream))
    }

    /// An end that has begun may not take for ever: what is closed, broken or ended by us lingers, what is half-closed may
    /// be silent.
    fn limit(&mut self, now: Instant, limits: Limits) {
        let has_closed = |leg: &Leg| leg.walker.close().is_some();
        // A script that has closed waits for nothing else than the answer.
        let is_closed =
            self.legs.iter().all(has_closed) || self.session.is_some_and(|side| has_closed(&self.legs[side as usize]));
        let has_failed = self.announced().is_some_and(|cause| cause.why == Why::TransportError);
        let is_ours = self.limit.is_none() && self.cause.as_ref().is_some_and(|cause| cause.by == ClosedBy::Edge);
        if is_closed || has_failed || is_ours || self.is_ended || self.legs.iter().any(Leg::is_broken) {
            self.end_by(now + limits.linger);
        } else if self.limit.is_none() {
            self.limit = Some(Limit::Silence(limits.half_closed_silence));
        }
    }

    /// Sets the time at which what is left is cut; an earlier one stays.
    fn end_by(&mut self, at: Instant) {
        match self.limit {
            Some(Limit::At(earlier)) if earlier <= at => {}
            _ => self.limit = Some(Limit::At(at)),
        }
    }

    /// When what is left is cut, events or not.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.limit.map(|limit| match limit {
            Limit::At(at) => at,
            Limit::Silence(silence) => self.last_active() + silence,
        })
    }

    /// Its time is over: what is still open ends, with a Close that has not been said wherever possible, and a FIN.
    fn cut(&mut self, now: Instant, scratch: &mut Scratch) {
        let why = self.cause.as_ref().map_or(Why::EndOfStream, |cause| cause.why);
        for side in [Side::Client, Side::Origin] {
            if self.session == Some(side) {
                // It says by itself that its peer is gone.
                continue;
            }
            let close = OwnClose {
                code: GOING_AWAY,
                reason: why.reason("the other side did not end in time").into(),
            };
            self.owe_close(side, close, now, &mut scratch.out);
        }
        for leg in &mut self.legs {
            leg.finish(&mut scratch.out.ciphertext, false);
            leg.discard(&mut scratch.input);
        }
    }
}

/// The Close for the peer of a leg that is gone.
fn left_alone(gone: Side, why: Why, how: &str) -> OwnClose {
    let (code, who) = match gone {
        Side::Origin => (BAD_GATEWAY, "origin"),
        Side::Client => (GOING_AWAY, "client"),
    };
    OwnClose {
        code,
        reason: why.reason(&format!("the connection to the {who} {how}")).into(),
    }
}
