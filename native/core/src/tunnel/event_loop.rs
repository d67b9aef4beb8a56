//! The loop of one tunnel thread: readiness in, turns out.
//!
//! Edge-triggered: a leg is read until it is drained or its peer is full, so one wake-up costs one read and one write.

use std::collections::VecDeque;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::{Events, Poll, Registry, Token};
use slab::Slab;

use super::closing::{Pacing, Parting};
use super::ending::GOING_AWAY;
use super::handle::{Command, Mailbox, WAKE};
use super::leg::News;
use super::relay::{Joined, OwnClose, Tunnel, Turn};
use super::scripts::LINKS;
use super::sessions::Sessions;
use super::survey::{Survey, describe};
use super::waiting::Waiting;
use super::wheel::{Due, Wheel};
use super::{Limits, Scratch, Side};
use crate::live::Recent;
use crate::registry::{Line, Log, Why};
use crate::zones::{Ledger, Traffic, Zone};

/// Events taken from the kernel at once.
const MAX_EVENTS: usize = 512;
/// Tunnels of a zone closed in one round: a large zone that is told to end must not delay the others' messages.
const CLOSES_PER_ROUND: usize = 64;
/// Tunnels looked at in one round because their time has come; a ping takes about 5 µs.
const LOOKS_PER_ROUND: usize = 64;

/// The tunnels of one thread, and what is to be done with them.
pub(super) struct Running {
    poll: Poll,
    waiting: Waiting,
    pub(super) registry: Registry,
    pub(super) mailbox: Arc<Mailbox>,
    pub(super) log: Log,
    pub(super) tunnels: Slab<(u64, Tunnel)>,
    numbers: u64,
    pub(super) scratch: Scratch,
    pub(super) sessions: Sessions,
    /// Tunnels that have more to read, and wait for their next turn.
    again: VecDeque<(usize, u64, Side)>,
    surveys: VecDeque<Survey>,
    recent: Arc<Recent>,
    /// Tunnels that an operator's Close is still to come to.
    told: VecDeque<(usize, u64, OwnClose)>,
    wheel: Wheel,
    /// What the wheel has told, and has not been looked at yet.
    due: Vec<usize>,
    /// Ended in this round. Their slots stay taken until its end, since later events of the round may name them.
    ended: Vec<usize>,
    /// What tunnels are told that open now.
    parting: Option<Parting>,
    pacing: Option<Box<Pacing>>,
    /// What tunnels have carried that have ended.
    ledger: Ledger,
    is_stopped: bool,
}

impl Running {
    pub(super) fn new(poll: Poll, mailbox: Arc<Mailbox>, log: Log, recent: Arc<Recent>, limits: Limits) -> Self {
        // The clone shares the epoll descriptor; it fails only where no descriptor is left, before anything runs.
        #[allow(clippy::expect_used)]
        let registry = poll
            .registry()
            .try_clone()
            .expect("a descriptor for the tunnel loop's registry");
        Self {
            poll,
            waiting: Waiting::new(),
            registry,
            mailbox,
            log,
            tunnels: Slab::new(),
            numbers: 0,
            scratch: Scratch::new(limits),
            sessions: Sessions::new(limits.unbound),
            again: VecDeque::new(),
            surveys: VecDeque::new(),
            recent,
            told: VecDeque::new(),
            wheel: Wheel::new(Instant::now()),
            due: Vec::new(),
            ended: Vec::new(),
            parting: None,
            pacing: None,
            ledger: Ledger::default(),
            is_stopped: false,
        }
    }

    pub(super) fn run(&mut self) {
        let mut events = Events::with_capacity(MAX_EVENTS);
        while !self.is_stopped {
            match self.wait(&mut events) {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    self.log.put(Line::Notice {
                        message: format!("a tunnel loop ended: its poll failed: {error}"),
                    });
                    return;
                }
            }
            let now = Instant::now();
            self.sessions.begin_round();
            for event in &events {
                if event.token() == WAKE {
                    self.obey(now);
                } else if event.token().0 >= LINKS {
                    self.on_link(event, now);
                } else {
                    self.on_event(event, now);
                }
            }
            self.give_turns(now);
            self.hear_again(now);
            self.step_surveys();
            self.close_told(now);
            self.close_paced(now);
            self.look_at_clock(now);
            for line in self.scratch.out.lines.drain(..) {
                self.log.put(line);
            }
            self.serve_touched(now);
            self.bury(now);
            self.look_at_links(now);
            self.flush_links(now);
        }
        let left: Vec<usize> = self.tunnels.iter().map(|(key, _)| key).collect();
        self.ended.extend(left);
        let now = Instant::now();
        self.bury(now);
        self.flush_links(now);
    }

    fn wait(&mut self, events: &mut Events) -> io::Result<()> {
        let patience = self.patience();
        let awaited = std::mem::take(&mut self.sessions.awaited);
        self.waiting.wait(awaited, &mut self.poll, events, patience)
    }

    fn patience(&self) -> Option<Duration> {
        let is_busy = [
            self.again.is_empty(),
            self.told.is_empty(),
            self.due.is_empty(),
            self.surveys.is_empty(),
            !self.sessions.is_busy(),
        ]
        .contains(&false);
        if is_busy {
            return Some(Duration::ZERO);
        }
        let due = self.pacing.as_ref().and_then(|pacing| pacing.next());
        let at = self
            .wheel
            .next()
            .into_iter()
            .chain(due)
            .chain(self.sessions.due())
            .min()?;
        let patience = at.saturating_duration_since(Instant::now());
        // One millisecond more, since the kernel counts in whole ones and would wake us just before the time.
        Some(if patience.is_zero() {
            patience
        } else {
            patience + Duration::from_millis(1)
        })
    }

    fn obey(&mut self, now: Instant) {
        loop {
            match self.mailbox.take() {
                None => return,
                Some(Command::Open(new)) => self.open(*new, now),
                Some(Command::Expect(expectation)) => self.expect(expectation, now),
                Some(Command::GiveUp(number)) => self.give_up(number, now),
                Some(Command::Look(token)) => self.look(token, now),
                Some(Command::CloseAll { reason, deadline }) => self.close_all(reason, deadline, now),
                Some(Command::CloseEvenly(parting, pacing)) => {
                    self.parting = Some(parting);
                    self.pacing = Some(pacing);
                }
                Some(Command::Survey(survey)) => self.surveys.push_back(survey),
                Some(Command::Figures(figures)) => {
                    // Whoever asked may have lost patience.
                    let _ = figures.try_send(self.figures());
                }
                Some(Command::ForgetZones(keep)) => self.ledger.forget(&keep),
                Some(Command::Reach(channel, script)) => self.reach(&channel, &script, now),
                Some(Command::Upstreams(upstreams)) => self.sessions.upstreams = Some(upstreams),
                Some(Command::Stop) => self.is_stopped = true,
            }
        }
    }

    /// Begins a tunnel.
    pub(super) fn start(&mut self, new: Joined, now: Instant) {
        let mut tunnel = Tunnel::open(new, now, &mut self.scratch);
        let slot = self.tunnels.vacant_entry();
        let key = slot.key();
        let registered = tunnel.register(&self.registry, tokens(key));
        self.numbers += 1;
        slot.insert((self.numbers, tunnel));
        self.enter_session(key);
        if let Err(error) = registered {
            self.log.put(Line::Notice {
                message: format!("a tunnel could not be watched: {error}"),
            });
            self.ended.push(key);
            return;
        }
        if self.recent.is_watched() {
            self.recent.opened(describe(&self.tunnels[key].1));
        }
        if let Some(parting) = self.parting.clone() {
            let deadline = parting.deadline(now, self.scratch.limits.linger);
            self.close(key, &parting.close, parting.why, deadline, now);
        }
        self.turn(key, Side::Client, now);
        self.turn(key, Side::Origin, now);
        self.plan(key, now);
    }

    fn look(&mut self, Token(token): Token, now: Instant) {
        let (key, side) = (token / 2, if token % 2 == 0 { Side::Client } else { Side::Origin });
        let Some((_, tunnel)) = self.tunnels.get_mut(key) else {
            return;
        };
        tunnel.look(side, now, &mut self.scratch);
        self.turn(key, side, now);
        self.turn(key, side.peer(), now);
    }

    fn close_all(&mut self, reason: &'static str, deadline: Instant, now: Instant) {
        let close = OwnClose {
            code: GOING_AWAY,
            reason: Why::EdgeStopping.reason(reason).into(),
        };
        self.parting = Some(Parting {
            close: close.clone(),
            why: Why::EdgeStopping,
            until: Some(deadline),
        });
        self.pacing = None;
        let keys: Vec<usize> = self.tunnels.iter().map(|(key, _)| key).collect();
        for key in keys {
            self.close(key, &close, Why::EdgeStopping, deadline, now);
        }
    }

    /// One step of the survey that has waited longest.
    fn step_surveys(&mut self) {
        if let Some(mut survey) = self.surveys.pop_front()
            && !survey.step(&mut self.tunnels, &mut self.told)
        {
            self.surveys.push_back(survey);
        }
    }

    fn close_told(&mut self, now: Instant) {
        let deadline = now + self.scratch.limits.linger;
        for _ in 0..CLOSES_PER_ROUND {
            let Some((key, number, close)) = self.told.pop_front() else {
                return;
            };
            if self.tunnels.get(key).is_some_and(|(current, _)| *current == number) {
                self.close(key, &close, Why::ClosedByOperator, deadline, now);
            }
        }
    }

    fn close_paced(&mut self, now: Instant) {
        let (Some(mut pacing), Some(parting)) = (self.pacing.take(), self.parting.clone()) else {
            return;
        };
        pacing.gather(&self.tunnels);
        let deadline = parting.deadline(now, self.scratch.limits.linger);
        for _ in 0..CLOSES_PER_ROUND {
            let Some((key, number)) = pacing.take_due(now) else {
                break;
            };
            if self.tunnels.get(key).is_some_and(|(current, _)| *current == number) {
                self.close(key, &parting.close, parting.why, deadline, now);
            }
        }
        self.pacing = pacing.next().map(|_| pacing);
    }

    pub(super) fn close(&mut self, key: usize, close: &OwnClose, why: Why, deadline: Instant, now: Instant) {
        if let Some((_, tunnel)) = self.tunnels.get_mut(key) {
            tunnel.close(close, why, deadline, now, &mut self.scratch);
            self.turn(key, Side::Client, now);
        }
    }

    fn figures(&self) -> Vec<(Arc<Zone>, Traffic)> {
        let mut ledger = self.ledger.copy();
        for (_, (_, tunnel)) in &self.tunnels {
            let [to_origin, to_client] = tunnel.counts();
            ledger.of(tunnel.zone()).add_counts(&to_origin, &to_client);
        }
        ledger.into_figures()
    }

    fn on_event(&mut self, event: &Event, now: Instant) {
        let Token(token) = event.token();
        let (key, side) = (token / 2, if token % 2 == 0 { Side::Client } else { Side::Origin });
        let Some((_, tunnel)) = self.tunnels.get_mut(key) else {
            return;
        };
        if event.is_writable() {
            tunnel.writable(side);
        }
        let news = if event.is_error() {
            News::Failure
        } else if event.is_read_closed() {
            News::End
        } else {
            News::Bytes
        };
        if event.is_readable() || news != News::Bytes {
            tunnel.readable(side, news);
            self.turn(key, side, now);
        }
        if event.is_writable() {
            // What this leg had not taken has gone out: its peer may be read again.
            self.turn(key, side.peer(), now);
        }
    }

    pub(super) fn turn(&mut self, key: usize, from: Side, now: Instant) {
        let Some((number, tunnel)) = self.tunnels.get_mut(key) else {
            return;
        };
        match tunnel.relay(from, now, &mut self.scratch) {
            Turn::Waits => {}
            Turn::Again => self.again.push_back((key, *number, from)),
            Turn::Ended => return self.ended.push(key),
        }
        if let Err(error) = tunnel.watch(&self.registry, tokens(key)) {
            self.log.put(Line::Notice {
                message: format!("a tunnel could not be watched: {error}"),
            });
            return self.ended.push(key);
        }
        if let Some(at) = tunnel.pressing() {
            self.wheel.set(key, Due::at(at));
        }
        if let Some((_, session)) = tunnel.session() {
            self.sessions.touch(key, session);
        }
    }

    /// Asks to be told when this tunnel must be looked at next.
    fn plan(&mut self, key: usize, now: Instant) {
        if let Some(due) = self.tunnels.get(key).and_then(|(_, tunnel)| tunnel.due(now)) {
            self.wheel.set(key, due);
        }
    }

    fn give_turns(&mut self, now: Instant) {
        for _ in 0..self.again.len() {
            let Some((key, number, side)) = self.again.pop_front() else {
                return;
            };
            if self.tunnels.get(key).is_some_and(|(current, _)| *current == number) {
                self.turn(key, side, now);
            }
        }
    }

    /// Looks at those whose time has come, a few a round: what opened together is due together, and must not delay the
    /// others' messages. A key may have another tunnel by then, which finds that nothing is due.
    fn look_at_clock(&mut self, now: Instant) {
        if self.due.is_empty() {
            self.wheel.tell(now, &mut self.due);
        }
        for _ in 0..LOOKS_PER_ROUND {
            let Some(key) = self.due.pop() else {
                return;
            };
            let Some((_, tunnel)) = self.tunnels.get_mut(key) else {
                continue;
            };
            if tunnel.on_time(now, &mut self.scratch) == Turn::Ended {
                self.ended.push(key);
                continue;
            }
            self.turn(key, Side::Client, now);
            self.turn(key, Side::Origin, now);
            self.plan(key, now);
        }
    }

    fn bury(&mut self, now: Instant) {
        for key in std::mem::take(&mut self.ended) {
            // A tunnel may have been reported twice in one round.
            let Some((_, tunnel)) = self.tunnels.try_remove(key) else {
                continue;
            };
            self.wheel.cancel(key);
            let (closed, session) = tunnel.into_closed(now);
            if let Some(session) = session {
                self.leave(session, now);
            }
            let zone = &closed.identity.zone;
            let traffic = self.ledger.of(zone);
            traffic.add_counts(&closed.to_origin, &closed.to_client);
            traffic.add_close(closed.cause.by, closed.cause.why);
            self.mailbox.count_ended(zone);
            let closed = Arc::new(closed);
            self.recent.closed(&closed);
            self.log.put(Line::Closed(closed));
        }
        if self.tunnels.is_empty() {
            // Nothing refers to a slot any more: give a past peak's memory back.
            self.tunnels.shrink_to_fit();
            self.wheel.clear();
        }
    }
}

fn tokens(key: usize) -> [Token; 2] {
    [Token(key * 2), Token(key * 2 + 1)]
}
