//! One tunnel: what it does when a leg can be read or written, and when it has ended.
//!
//! The four half-ends (each leg's reading and writing) end one by one; the tunnel is over when all four have.
//! An end passes on behind the bytes that came before it, so half-close works and a last message is not lost.

use std::sync::Arc;
use std::time::{Instant, SystemTime};

use mio::{Registry, Token};

use super::ending::Limit;
use super::gate::Gate;
use super::guard::{Guard, Guards, guards};
use super::leg::{Leg, News, Took};
use super::moment::Moment;
use super::vigil::{LegView, Vigil};
use super::wheel::Due;
use super::{Half, Identity, Place, READS_PER_TURN, Scratch, Side, Transport, TunnelOptions};
use crate::frames::Counts;
use crate::registry::{Cause, Closed, ClosedBy, LegFacts, Why};
use crate::sessions::Session;
use crate::zones::Zone;

/// A Close the edge sends on its own account.
#[derive(Clone, Debug)]
pub(super) struct OwnClose {
    pub(super) code: u16,
    pub(super) reason: Arc<str>,
}

/// The Closes of the edge on one tunnel.
#[derive(Debug, Default)]
pub(super) struct OwnCloses {
    /// For each leg: wanted, and not sent yet.
    pub(super) owed: [Option<OwnClose>; 2],
    /// The one that went out; where both legs got one, the client's.
    pub(super) sent: Option<OwnClose>,
}

/// What is to be a tunnel: its legs, the client's first, and the rest of a [`super::NewTunnel`].
pub(super) struct Joined {
    pub(super) legs: [Half; 2],
    pub(super) greeting: Vec<u8>,
    pub(super) identity: Identity,
    pub(super) options: Arc<TunnelOptions>,
    pub(super) place: Place,
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

pub(super) struct Tunnel {
    pub(super) legs: [Leg; 2],
    identity: Identity,
    /// What began its end.
    pub(super) cause: Option<Box<Cause>>,
    /// What the edge says by itself; None before it has anything to say.
    pub(super) closes: Option<Box<OwnCloses>>,
    /// We sent a leg its Close, or had no right to: nothing of its peer is passed on any more.
    pub(super) is_muted: [bool; 2],
    pub(super) limit: Option<Limit>,
    pub(super) vigil: Vigil,
    /// What limits the direction that comes from each leg.
    pub(super) gates: [Option<Box<Gate>>; 2],
    /// Which leg is a session.
    pub(super) session: Option<Side>,
    /// What asks the zone's rules about the messages that come from each leg.
    pub(super) guards: Option<Box<Guards>>,
    /// The edge has ended it on its own account, whoever had begun to.
    pub(super) is_ended: bool,
    /// Its zone's Close is on its way to it.
    pub(super) is_told: bool,
    /// When each leg last gave bytes, other than answers to our pings.
    pub(super) last_from: [Option<Moment>; 2],
    /// Since when each leg takes nothing of what waits for it.
    pub(super) stuck_since: [Option<Moment>; 2],
    _place: Place,
}

impl Tunnel {
    /// Joins the legs and passes on what came with the handshake.
    pub(super) fn open(new: Joined, now: Instant, scratch: &mut Scratch) -> Self {
        let Joined {
            legs: [mut client, mut origin],
            greeting,
            identity,
            options,
            place,
        } = new;
        let is_session = |half: &Half| matches!(half.transport, Transport::Session(_));
        let session = [(&client, Side::Client), (&origin, Side::Origin)]
            .into_iter()
            .find_map(|(half, side)| is_session(half).then_some(side));
        let early = [std::mem::take(&mut client.early), std::mem::take(&mut origin.early)];
        let mut tunnel = Self {
            legs: [Leg::new(client), Leg::new(origin)],
            gates: [Side::Client, Side::Origin].map(|from| Gate::new(&options, from, now)),
            guards: guards(
                &options,
                identity.is_compressed,
                (&scratch.out.held, identity.zone.held()),
                now,
            ),
            vigil: Vigil::new(options, now).sparing(session),
            session,
            identity: Identity {
                asked: identity.asked.kept(),
                ..identity
            },
            cause: None,
            closes: None,
            is_muted: [false; 2],
            limit: None,
            is_ended: false,
            is_told: false,
            last_from: [None; 2],
            stuck_since: [None; 2],
            _place: place,
        };
        tunnel.leg(Side::Client).send(&greeting, &mut scratch.out.ciphertext);
        for (from, bytes) in [Side::Client, Side::Origin].into_iter().zip(early) {
            if !bytes.is_empty() {
                tunnel.pass_on(from, &bytes, now, &mut scratch.out);
            }
            tunnel.leg(from).flush();
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

    pub(super) fn leg(&mut self, side: Side) -> &mut Leg {
        &mut self.legs[side as usize]
    }

    /// A leg has become readable, or its end has been announced.
    pub(super) fn readable(&mut self, side: Side, news: News) {
        self.leg(side).readable(news);
    }

    /// The pipe that a leg is has told of itself.
    pub(super) fn look(&mut self, side: Side, now: Instant, scratch: &mut Scratch) {
        let leg = self.leg(side);
        leg.look();
        leg.flush();
        if leg.is_expelled() {
            self.expel(side, now, &mut scratch.out);
        }
    }

    /// A leg has become writable: puts out what waited.
    pub(super) fn writable(&mut self, side: Side) {
        self.leg(side).flush();
    }

    /// Moves what can be moved from one leg to the other.
    pub(super) fn relay(&mut self, from: Side, now: Instant, scratch: &mut Scratch) -> Turn {
        if self.gates[from as usize].is_some() {
            self.release_gate(from, now, scratch);
        }
        let mut reads = 0;
        // What a session says is there already: it waits for its peer alone.
        let most = READS_PER_TURN * if self.session == Some(from) { 16 } else { 1 };
        while self.may_read(from) {
            if reads == most {
                return Turn::Again;
            }
            reads += 1;
            match self.leg(from).take(scratch) {
                Ok(Took::Bytes(len)) => {
                    self.pass_on_taken(from, len, now, scratch);
                }
                Ok(Took::Nothing) => break,
                Ok(Took::End) => {
                    self.leg(from).end_reading();
                    self.reading_ended(from, now, scratch);
                }
                Err(broken) => self.broke(from, &broken, now, scratch),
            }
        }
        self.settle(now, scratch)
    }

    fn may_read(&self, from: Side) -> bool {
        self.legs[from as usize].is_readable() && self.is_read(from)
    }

    /// True where what a leg sends is read now. Backpressure: not while the peer has not taken what was read for it.
    fn is_read(&self, from: Side) -> bool {
        let (leg, peer) = (&self.legs[from as usize], &self.legs[from.peer() as usize]);
        let peer_takes = peer.is_drained() || self.is_muted[from.peer() as usize];
        let may_pass = self.gates[from as usize]
            .as_ref()
            .is_none_or(|gate| gate.until().is_none());
        peer_takes && may_pass && !leg.read_ended() && !leg.owes_too_much()
    }

    fn pass_on_taken(&mut self, from: Side, len: usize, now: Instant, scratch: &mut Scratch) {
        // The bytes lie in one of the shared buffers, what goes out in others: lend them out apart.
        let mut out = std::mem::take(&mut scratch.out);
        let bytes = self.legs[from as usize].plaintext(scratch, len);
        self.pass_on(from, bytes, now, &mut out);
        scratch.out = out;
    }

    fn release_gate(&mut self, from: Side, now: Instant, scratch: &mut Scratch) {
        let mut out = std::mem::take(&mut scratch.out);
        self.release(from, now, &mut out);
        scratch.out = out;
    }

    /// The session that one of its legs is, and which.
    pub(super) fn session(&mut self) -> Option<(Side, &mut Session)> {
        let side = self.session?;
        Some((side, self.legs[side as usize].session()?))
    }

    /// The round-trip time of each leg, the client's first, in microseconds.
    pub(super) fn rtt_us(&self) -> [Option<u64>; 2] {
        [Side::Client, Side::Origin].map(|side| {
            let rtt = self.vigil.rtt(side)?;
            u64::try_from(rtt.as_micros()).ok()
        })
    }

    /// Who it is for.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// The zone it is of.
    pub(super) fn zone(&self) -> &Arc<Zone> {
        &self.identity.zone
    }

    /// The ray id of its upgrade request.
    pub(super) fn ray(&self) -> &str {
        self.identity.ray()
    }

    /// What has gone to the origin and to the client so far.
    pub(super) fn counts(&self) -> [Counts; 2] {
        self.legs.each_ref().map(|leg| leg.walker.counts())
    }

    /// True when its end has begun, whoever began it.
    pub(super) fn is_ending(&self) -> bool {
        self.cause.is_some()
    }

    /// True while what its zone asks of it holds: also when a side has begun to end it, since the other may go on for as long
    /// as it likes; until the edge itself ends it.
    pub(super) fn is_watched(&self) -> bool {
        !self.is_ended && self.cause.as_ref().is_none_or(|cause| cause.by != ClosedBy::Edge)
    }

    /// What the clock is to know of both legs.
    pub(super) fn views(&self) -> [LegView; 2] {
        [Side::Client, Side::Origin].map(|side| {
            let (leg, towards) = (&self.legs[side as usize], &self.legs[side.peer() as usize].walker);
            LegView {
                heard: self.last_from[side as usize].map_or(self.identity.opened_at, Moment::instant),
                // Who has sent its Close need not answer any more (RFC 6455 §5.5.2).
                is_read: self.is_read(side) && leg.walker.close().is_none(),
                stuck_since: self.stuck_since[side as usize].map(Moment::instant),
                is_in_frame: leg.walker.is_in_frame()
                    || self
                        .guards
                        .as_ref()
                        .and_then(|guards| guards[side as usize].as_ref())
                        .is_some_and(Guard::awaits_more),
                takes_frames: leg.is_open()
                    && towards.is_at_boundary()
                    && towards.close().is_none()
                    && leg.walker.close().is_none(),
            }
        })
    }

    /// When it must be looked at, events or not: the end of an end that has begun, or of a wait for a gate.
    pub(super) fn pressing(&self) -> Option<Instant> {
        let released = self.gates.iter().flatten().filter_map(|gate| gate.until());
        self.deadline().into_iter().chain(released).min()
    }

    /// The same, and all that the clock watches.
    pub(super) fn due(&self, now: Instant) -> Option<Due> {
        let pressing = self.pressing().map(Due::at);
        let watched = if self.is_watched() {
            self.vigil.due(&self.views(), now)
        } else {
            None
        };
        pressing.into_iter().chain(watched).reduce(Due::sooner)
    }

    /// When a byte last came from either side, other than answers to our pings; the opening, where none did.
    pub(super) fn last_active(&self) -> Instant {
        self.last_from
            .into_iter()
            .flatten()
            .max()
            .map_or(self.identity.opened_at, Moment::instant)
    }

    /// Asks the kernel for what this tunnel now waits for.
    pub(super) fn watch(&mut self, registry: &Registry, tokens: [Token; 2]) -> std::io::Result<()> {
        for (leg, token) in self.legs.iter_mut().zip(tokens) {
            leg.watch_writable(registry, token)?;
        }
        Ok(())
    }

    /// The record of this tunnel.
    pub(super) fn into_closed(self, now: Instant) -> (Closed, Option<Box<Session>>) {
        let announced = self.announced();
        let [client, origin] = [Side::Client, Side::Origin].map(|side| self.facts(side));
        let [to_origin, to_client] = self.counts();
        let mut cause = self
            .cause
            .map(|cause| *cause)
            .or(announced)
            .unwrap_or(Cause::new(ClosedBy::Edge, Why::EdgeStopping));
        if self.session.is_some_and(|side| cause.by == side.into()) {
            cause.by = ClosedBy::Worker;
        }
        let closed = Closed {
            at: SystemTime::now(),
            duration: now.saturating_duration_since(self.identity.opened_at),
            to_origin,
            to_client,
            client,
            origin,
            edge_close: self
                .closes
                .and_then(|closes| closes.sent)
                .map(|close| (close.code, close.reason.to_string())),
            cause,
            identity: Box::new(self.identity),
        };
        let session = self.legs.into_iter().find_map(Leg::into_session);
        (closed, session)
    }

    fn facts(&self, side: Side) -> LegFacts {
        let leg = &self.legs[side as usize];
        LegFacts {
            close: leg.walker.close().cloned(),
            last_active: self.last_from[side as usize]
                .map(|at| at.instant().saturating_duration_since(self.identity.opened_at)),
            rtt: self.vigil.rtt(side),
        }
    }
}
