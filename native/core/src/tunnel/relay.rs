//! One tunnel: what it does when a leg can be read or written, and when it has ended.
//!
//! The four half-ends (each leg's reading and writing) end one by one; the tunnel is over when all four have.
//! An end passes on behind the bytes that came before it, so half-close works and a last message is not lost.

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use mio::{Registry, Token};

use super::leg::{Broken, Leg, News, Took};
use super::{Identity, Limits, NewTunnel, READS_PER_TURN, Scratch, Side};
use crate::chance::random_bytes;
use crate::frames::{self, Counts};
use crate::registry::{Cause, Closed, ClosedBy, LegFacts, Why};
use crate::zones::Zone;

/// The origin's transport failed: to the client we are a gateway with a bad upstream (IANA registry: 1014).
const BAD_GATEWAY: u16 = 1014;
/// RFC 6455 §7.4.1: an endpoint is going away.
pub(super) const GOING_AWAY: u16 = 1001;

/// A Close the edge sends on its own account.
#[derive(Clone, Debug)]
pub(super) struct OwnClose {
    pub(super) code: u16,
    pub(super) reason: Arc<str>,
}

/// What a turn left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    /// Nothing more to do until the next event.
    Waits,
    /// More is there to read: another turn, after the others.
    Again,
    /// Over.
    Ended,
}

/// Until when a tunnel whose end has begun may take.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// A time.
    At(Instant),
    /// So long after the last byte.
    Silence(Duration),
}

pub(super) struct Tunnel {
    legs: [Leg; 2],
    identity: Box<Identity>,
    cause: Option<Cause>,
    /// A Close of ours for each leg: wanted, and not sent yet.
    owed_close: [Option<OwnClose>; 2],
    /// We sent a leg its Close, or had no right to: nothing of its peer is passed on any more.
    is_muted: [bool; 2],
    /// The Close of ours that went out; where both legs got one, the client's.
    edge_close: Option<OwnClose>,
    limit: Option<Limit>,
    /// Its zone's Close is on its way to it.
    pub(super) is_told: bool,
    /// The earliest time the loop has been asked to look; it asks again only for an earlier one.
    pub(super) scheduled: Option<Instant>,
    opened_at: Instant,
    /// When each leg last gave bytes.
    last_from: [Option<Instant>; 2],
    _place: Box<dyn Send>,
}

impl Tunnel {
    /// Joins the legs and passes on what came with the handshake.
    pub(super) fn open(new: NewTunnel, now: Instant, scratch: &mut Scratch) -> Self {
        let NewTunnel {
            mut client,
            mut origin,
            greeting,
            identity,
            options: _,
            place,
        } = new;
        let early = [std::mem::take(&mut client.early), std::mem::take(&mut origin.early)];
        let mut tunnel = Self {
            legs: [Leg::new(client), Leg::new(origin)],
            identity,
            cause: None,
            owed_close: [None, None],
            is_muted: [false; 2],
            edge_close: None,
            limit: None,
            is_told: false,
            scheduled: None,
            opened_at: now,
            last_from: [None; 2],
            _place: place,
        };
        tunnel.leg(Side::Client).send(&greeting, &mut scratch.ciphertext);
        for (from, bytes) in [Side::Client, Side::Origin].into_iter().zip(early) {
            tunnel.pass_on(from, &bytes, &mut scratch.ciphertext);
            tunnel.leg(from).flush();
            if tunnel.leg(from).read_ended() {
                tunnel.reading_ended(from, scratch);
            }
        }
        tunnel
    }

    pub(super) fn register(&mut self, registry: &Registry, tokens: [Token; 2]) -> std::io::Result<()> {
        for (leg, token) in self.legs.iter_mut().zip(tokens) {
            leg.register(registry, token)?;
            leg.watch_writable(registry, token)?;
        }
        Ok(())
    }

    fn leg(&mut self, side: Side) -> &mut Leg {
        &mut self.legs[side as usize]
    }

    /// A leg has become readable, or its end has been announced.
    pub(super) fn readable(&mut self, side: Side, news: News) {
        self.leg(side).readable(news);
    }

    /// The pipe that a leg is has told of itself.
    pub(super) fn look(&mut self, side: Side) {
        let leg = self.leg(side);
        leg.look();
        leg.flush();
    }

    /// A leg has become writable: puts out what waited.
    pub(super) fn writable(&mut self, side: Side) {
        self.leg(side).flush();
    }

    /// Moves what can be moved from one leg to the other.
    pub(super) fn relay(&mut self, from: Side, now: Instant, scratch: &mut Scratch) -> Turn {
        let mut reads = 0;
        while self.may_read(from) {
            if reads == READS_PER_TURN {
                return Turn::Again;
            }
            reads += 1;
            match self.leg(from).take(scratch) {
                Ok(Took::Bytes(len)) => {
                    self.last_from[from as usize] = Some(now);
                    self.pass_on_taken(from, len, scratch);
                }
                Ok(Took::Nothing) => break,
                Ok(Took::End) => {
                    self.leg(from).end_reading();
                    self.reading_ended(from, scratch);
                }
                Err(broken) => self.broke(from, &broken, scratch),
            }
        }
        self.settle(now, scratch)
    }

    fn may_read(&self, from: Side) -> bool {
        let (leg, peer) = (&self.legs[from as usize], &self.legs[from.peer() as usize]);
        // Backpressure: while the peer has not taken what was read for it, nothing more is read.
        let peer_takes = peer.is_drained() || self.is_muted[from.peer() as usize];
        leg.is_readable() && !leg.read_ended() && peer_takes && !leg.owes_too_much()
    }

    fn pass_on_taken(&mut self, from: Side, len: usize, scratch: &mut Scratch) {
        // The bytes lie in one of the shared buffers, their ciphertext goes to another: lend them out apart.
        let mut ciphertext = std::mem::take(&mut scratch.ciphertext);
        let bytes = self.legs[from as usize].plaintext(scratch, len);
        self.pass_on(from, bytes, &mut ciphertext);
        scratch.ciphertext = ciphertext;
    }

    fn pass_on(&mut self, from: Side, bytes: &[u8], ciphertext: &mut Vec<u8>) {
        let to = from.peer();
        let [client, origin] = &mut self.legs;
        let (leg, peer) = match from {
            Side::Client => (client, origin),
            Side::Origin => (origin, client),
        };
        if self.is_muted[to as usize] {
            leg.walker.walk(bytes);
        } else if self.owed_close[to as usize].is_some() {
            let frame_end = leg.walker.walk_to_boundary(bytes);
            peer.send(&bytes[..frame_end], ciphertext);
            self.pay_close(to, ciphertext);
            self.legs[from as usize].walker.walk(&bytes[frame_end..]);
        } else {
            leg.walker.walk(bytes);
            peer.send(bytes, ciphertext);
        }
        if self.cause.is_none() && self.legs[from as usize].walker.close().is_some() {
            self.cause = Some(Cause::new(from.into(), Why::CloseFrame));
        }
    }

    /// The zone it is of.
    pub(super) fn zone(&self) -> &Arc<Zone> {
        &self.identity.zone
    }

    /// What has gone to the origin and to the client so far.
    pub(super) fn counts(&self) -> [&Counts; 2] {
        self.legs.each_ref().map(|leg| leg.walker.counts())
    }

    /// True when its end has begun, whoever began it.
    pub(super) fn is_ending(&self) -> bool {
        self.cause.is_some()
    }

    /// Closes both legs with a Close frame of the edge, each at its next frame boundary.
    pub(super) fn close(&mut self, close: &OwnClose, why: Why, deadline: Instant, scratch: &mut Scratch) {
        self.cause.get_or_insert(Cause::new(ClosedBy::Edge, why));
        self.end_by(deadline);
        for side in [Side::Client, Side::Origin] {
            self.owe_close(side, close.clone(), &mut scratch.ciphertext);
        }
    }

    fn owe_close(&mut self, to: Side, close: OwnClose, ciphertext: &mut Vec<u8>) {
        if !self.is_muted[to as usize] {
            self.owed_close[to as usize].get_or_insert(close);
            self.pay_close(to, ciphertext);
        }
    }

    /// Sends a leg the Close it is owed, if the stream towards it stands between two frames.
    fn pay_close(&mut self, to: Side, ciphertext: &mut Vec<u8>) {
        let from = &self.legs[to.peer() as usize].walker;
        let may_close = from.is_at_boundary() && from.close().is_none() && self.legs[to as usize].is_open();
        if !from.is_at_boundary() && !from.is_lost() {
            return;
        }
        let Some(close) = self.owed_close[to as usize].take() else {
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
            if to == Side::Client || self.edge_close.is_none() {
                self.edge_close = Some(close);
            }
        }
    }

    fn reading_ended(&mut self, from: Side, scratch: &mut Scratch) {
        self.cause.get_or_insert(Cause::new(from.into(), Why::EndOfStream));
        let has_taken_all = self.leg(from).write_ended();
        self.leg(from.peer()).finish(&mut scratch.ciphertext, has_taken_all);
    }

    /// A leg failed. Its peer gets what had come before, a Close if the stream allows one, and an orderly end.
    fn broke(&mut self, from: Side, broken: &Broken, scratch: &mut Scratch) {
        let why = match broken {
            Broken::Transport(_) => Why::TransportError,
            Broken::Tls { .. } => Why::TlsError,
        };
        self.cause.get_or_insert(Cause {
            by: from.into(),
            why,
            detail: Some(broken.describe()),
            alert: broken.alert(),
        });
        let leg = self.leg(from);
        leg.end_reading();
        leg.finish(&mut scratch.ciphertext, false);
        leg.break_writing();
        let close = match from {
            Side::Origin => OwnClose {
                code: BAD_GATEWAY,
                reason: why.reason("the connection to the origin failed").into(),
            },
            Side::Client => OwnClose {
                code: GOING_AWAY,
                reason: why.reason("the connection to the client failed").into(),
            },
        };
        self.owe_close(from.peer(), close, &mut scratch.ciphertext);
        self.leg(from.peer()).finish(&mut scratch.ciphertext, false);
    }

    /// Draws the conclusions of a turn: what has ended, and until when the rest may take.
    fn settle(&mut self, now: Instant, scratch: &mut Scratch) -> Turn {
        let mut over = 0;
        let mut half_ends = 0;
        for side in [Side::Client, Side::Origin] {
            let leg = &mut self.legs[side as usize];
            let has_closed = leg.walker.close().is_some();
            if self.is_muted[side as usize] && has_closed {
                // Our Close is answered: the closing handshake with this leg is done (RFC 6455 §7.1.1).
                leg.finish(&mut scratch.ciphertext, false);
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

    /// What has been announced by a leg that cannot be read yet; a failure before an end.
    fn announced(&self) -> Option<Cause> {
        let by = |wanted| {
            let is_wanted = |side: &Side| self.legs[*side as usize].announced() == Some(wanted);
            let side = [Side::Client, Side::Origin].into_iter().find(is_wanted)?;
            Some(Cause::new(side.into(), wanted))
        };
        by(Why::TransportError).or_else(|| by(Why::EndOfStream))
    }

    /// An end that has begun may not take for ever: what is closed or broken lingers, what is half-closed may be silent.
    fn limit(&mut self, now: Instant, limits: Limits) {
        let is_closed = self.legs.iter().all(|leg| leg.walker.close().is_some());
        let has_failed = self.announced().is_some_and(|cause| cause.why == Why::TransportError);
        if is_closed || has_failed || self.legs.iter().any(Leg::is_broken) {
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

    /// When this tunnel must be looked at again, events or not.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.limit.map(|limit| match limit {
            Limit::At(at) => at,
            Limit::Silence(silence) => self.last_active() + silence,
        })
    }

    fn last_active(&self) -> Instant {
        self.last_from.into_iter().flatten().max().unwrap_or(self.opened_at)
    }

    /// Asks the kernel for what this tunnel now waits for.
    pub(super) fn watch(&mut self, registry: &Registry, tokens: [Token; 2]) -> std::io::Result<()> {
        for (leg, token) in self.legs.iter_mut().zip(tokens) {
            leg.watch_writable(registry, token)?;
        }
        Ok(())
    }

    /// The record of this tunnel.
    pub(super) fn into_closed(self, now: Instant) -> Closed {
        let announced = self.announced();
        let [client, origin] = [Side::Client, Side::Origin].map(|side| self.facts(side));
        let [to_origin, to_client] = self.counts().map(|counts| *counts);
        Closed {
            at: SystemTime::now(),
            duration: now.saturating_duration_since(self.identity.opened_at),
            to_origin,
            to_client,
            client,
            origin,
            edge_close: self.edge_close.map(|close| (close.code, close.reason.to_string())),
            cause: self
                .cause
                .or(announced)
                .unwrap_or(Cause::new(ClosedBy::Edge, Why::EdgeStopping)),
            identity: self.identity,
        }
    }

    fn facts(&self, side: Side) -> LegFacts {
        let leg = &self.legs[side as usize];
        LegFacts {
            close: leg.walker.close().cloned(),
            last_active: self.last_from[side as usize].map(|at| at.saturating_duration_since(self.identity.opened_at)),
            rtt: None,
        }
    }
}
