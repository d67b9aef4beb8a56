//! How a loop serves the legs that are sessions: their events go to the channel, what waits for their peers goes out.
//!
//! Law 1: what happens to a session in a round is seen to once, at the end of it: one write to its peer, one to its process.
//! Law 2: a session whose tunnel has ended is kept until its process knows, or there is none that could.

use std::collections::{HashMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use slab::Slab;

use super::coming::{Ending, Expected};
use super::event_loop::Running;
use super::leg::News;
use super::relay::{Joined, OwnClose, Tunnel};
use super::spin::Awaited;
use super::{Far, Half, LoopStatistics, NewTunnel, Side};
use crate::messages::Refusal;
use crate::registry::Why;
use crate::sessions::outgoing::Way;
use crate::sessions::records::{Head, from_edge};
use crate::sessions::tools::Tools;
use crate::sessions::{self, Fault, Kit, Link, MAX_INFLATED_BYTES, MAX_OUT_BYTES, Session, Upstreams, instance};

/// Sessions of a script that are kept for what their process has not acknowledged, after their tunnels.
const MAX_LEFT: usize = 32_768;
/// Sessions that waited for memory and are looked at in one round.
const STARVED_PER_ROUND: usize = 64;
/// How often a session is seen to before others are: its turns lead to one another.
const TURNS: usize = 4;

/// Where a session is.
pub(super) enum Place {
    /// A leg of the tunnel with this key, of the script of this link.
    Open { key: u32, link: u32 },
    /// Its client waits for its 101.
    Coming(Expected),
    /// Its tunnel has ended.
    Left(Box<Session>),
}

impl Place {
    pub(super) fn link(&self) -> usize {
        match self {
            Self::Open { link, .. } => *link as usize,
            Self::Coming(expected) => expected.session.link,
            Self::Left(session) => session.link,
        }
    }

    /// The key of its tunnel.
    pub(super) fn key(&self) -> Option<usize> {
        match self {
            Self::Open { key, .. } => Some(*key as usize),
            Self::Coming(_) | Self::Left(_) => None,
        }
    }

    /// The session itself.
    pub(super) fn session<'a>(&'a mut self, tunnels: &'a mut Slab<(u64, Tunnel)>) -> Option<&'a mut Session> {
        match self {
            Self::Open { key, .. } => tunnels[*key as usize].1.session().map(|(_, session)| session),
            Self::Coming(expected) => Some(&mut expected.session),
            Self::Left(session) => Some(session),
        }
    }
}

/// The sessions of a loop.
pub(super) struct Sessions {
    pub(super) places: HashMap<u64, Place>,
    /// Those of `places` whose clients wait, by the numbers of their [`super::Coming`].
    pub(super) coming: HashMap<u64, u64>,
    pub(super) links: Slab<Link>,
    pub(super) channels: HashMap<Arc<Path>, usize>,
    /// Keys of tunnels that something has happened to.
    pub(super) touched: Vec<usize>,
    /// Sessions that wait for memory which others hold.
    starved: VecDeque<u64>,
    /// Links that have more to read, and wait for their next turn.
    pub(super) again: VecDeque<usize>,
    /// A process can be told more, when the others have had their turn.
    pub(super) writes_on: bool,
    /// How many sessions this round has been about.
    pub(super) served: usize,
    /// What it has made likely to come next.
    pub(super) awaited: Awaited,
    pub(super) upstreams: Option<Arc<dyn Upstreams>>,
    /// What a process has said.
    pub(super) input: Vec<u8>,
    pub(super) number: u8,
    last_sid: u32,
    unbound: Duration,
    tools: Arc<Mutex<Tools>>,
    held: Arc<AtomicUsize>,
    /// What has been inflated in this round.
    inflated: Arc<AtomicUsize>,
}

impl Sessions {
    /// `unbound` is how long a process may take to say whose a session is.
    pub(super) fn new(unbound: Duration) -> Self {
        static LOOPS: AtomicU32 = AtomicU32::new(0);
        Self {
            places: HashMap::new(),
            coming: HashMap::new(),
            links: Slab::new(),
            channels: HashMap::new(),
            touched: Vec::new(),
            starved: VecDeque::new(),
            again: VecDeque::new(),
            writes_on: false,
            served: 0,
            awaited: Awaited::Anything,
            upstreams: None,
            input: Vec::new(),
            // The 256th thread of a process may have the number of its first: numbers are then found taken, or not.
            number: LOOPS.fetch_add(1, Ordering::Relaxed).to_le_bytes()[0],
            last_sid: 0,
            unbound,
            tools: Arc::default(),
            held: Arc::default(),
            inflated: Arc::default(),
        }
    }

    /// True where something waits for another round.
    pub(super) fn is_busy(&self) -> bool {
        // Whoever waited for others' turns is next.
        let waits_for_turns = !self.starved.is_empty() && self.inflated.load(Ordering::Relaxed) >= MAX_INFLATED_BYTES;
        [
            !self.again.is_empty(),
            !self.touched.is_empty(),
            self.writes_on,
            waits_for_turns,
        ]
        .contains(&true)
    }

    /// A round begins.
    pub(super) fn begin_round(&mut self) {
        self.inflated.store(0, Ordering::Relaxed);
        self.served = 0;
    }

    /// Tells of what there is now.
    pub(super) fn tell(&self, statistics: &LoopStatistics) {
        let held = self.held.load(Ordering::Relaxed);
        statistics.sessions.store(self.places.len() as u64, Ordering::Relaxed);
        statistics.session_bytes.store(held as u64, Ordering::Relaxed);
    }

    /// When a link must be looked at, events or not.
    pub(super) fn due(&self) -> Option<Instant> {
        self.links.iter().filter_map(|(_, link)| link.due()).min()
    }

    /// The link to a script; a new one where there is none.
    pub(super) fn link(&mut self, channel: &Arc<Path>, script: &Arc<str>, now: Instant) -> usize {
        if let Some(id) = self.channels.get(channel) {
            return *id;
        }
        let kit = Arc::new(Kit::new(&self.tools, &self.held, &self.inflated));
        let id = self.links.insert(Link::new(
            Arc::clone(script),
            Arc::clone(channel),
            kit,
            self.unbound,
            now,
        ));
        self.channels.insert(Arc::clone(channel), id);
        id
    }

    /// A session of this link.
    pub(super) fn begin(&mut self, link: usize, ticket: Box<str>, way: Way) -> Box<Session> {
        let kit = Arc::clone(&self.links[link].kit);
        Box::new(Session::new(self.next_sid(), link, ticket, way, kit))
    }

    /// The instance, the loop and a number that has not been used for long.
    fn next_sid(&mut self) -> u64 {
        loop {
            self.last_sid = self.last_sid.wrapping_add(1) & 0x00FF_FFFF;
            let sid = u64::from(instance()) << 32 | u64::from(self.number) << 24 | u64::from(self.last_sid);
            if !self.places.contains_key(&sid) {
                return sid;
            }
        }
    }

    /// Notes that something has happened to a session of an open tunnel.
    pub(super) fn touch(&mut self, key: usize, session: &mut Session) {
        if !std::mem::replace(&mut session.is_touched, true) {
            self.touched.push(key);
        }
    }
}

impl Running {
    /// Begins a tunnel, of which the far end becomes one of its legs.
    pub(super) fn open(&mut self, new: NewTunnel, now: Instant) {
        let NewTunnel {
            client,
            far,
            greeting,
            identity,
            options,
            place,
        } = new;
        let (far, ending) = match far {
            Far::Origin(half) => (half, None),
            Far::Session(coming) => {
                let Some((session, end)) = self.take_coming(coming) else {
                    // It has waited for a session that there never was: its client sees the end of its connection.
                    self.mailbox.count_ended(&identity.zone);
                    return;
                };
                let sid = session.sid;
                (self.leg_of(session), end.map(|end| (sid, end)))
            }
        };
        let joined = Joined {
            legs: [client, far],
            greeting,
            identity,
            options,
            place,
        };
        self.start(joined, now);
        if let Some((sid, ending)) = ending
            && let Some(key) = self.sessions.places.get(&sid).and_then(Place::key)
        {
            self.close_session(key, ending, now);
        }
    }

    /// A session as the leg of a tunnel that opens. What it has been sent before goes ahead of all, also of a Close that the edge
    /// has for the client.
    fn leg_of(&mut self, mut session: Box<Session>) -> Half {
        let input = &mut self.scratch.input;
        let early = session.read(input).map_or(Vec::new(), |read| input[..read].to_vec());
        Half {
            early,
            ..Half::session(session)
        }
    }

    /// Notes where the session of a tunnel is, that has just opened.
    pub(super) fn enter_session(&mut self, key: usize) {
        let Some((_, session)) = self.tunnels[key].1.session() else {
            return;
        };
        self.sessions.links[session.link].sessions += 1;
        // A process has no four thousand million sockets.
        let number = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
        let place = Place::Open {
            key: number(key),
            link: number(session.link),
        };
        self.sessions.places.insert(session.sid, place);
    }

    /// Notes that a tunnel had its turn.
    pub(super) fn touch(&mut self, key: usize) {
        if let Some((_, tunnel)) = self.tunnels.get_mut(key)
            && let Some((_, session)) = tunnel.session()
        {
            self.sessions.touch(key, session);
        }
    }

    /// Sees to every session that something has happened to.
    pub(super) fn serve_touched(&mut self, now: Instant) {
        self.feed_starved();
        let mut touched = std::mem::take(&mut self.sessions.touched);
        for key in touched.drain(..) {
            self.serve(key, now);
        }
        // The buffer serves on; what has been touched meanwhile is next.
        touched.append(&mut self.sessions.touched);
        self.sessions.touched = touched;
    }

    fn feed_starved(&mut self) {
        for _ in 0..self.sessions.starved.len().min(STARVED_PER_ROUND) {
            let Some(sid) = self.sessions.starved.pop_front() else {
                return;
            };
            let Some(Place::Open { key, .. }) = self.sessions.places.get(&sid) else {
                continue;
            };
            let key = *key as usize;
            if let Some((_, session)) = self.tunnels[key].1.session() {
                session.is_starving = false;
            }
            self.touch(key);
        }
    }

    fn serve(&mut self, key: usize, now: Instant) {
        self.sessions.served += 1;
        for _ in 0..TURNS {
            if !self.serve_once(key, now) {
                break;
            }
        }
        let Some((_, tunnel)) = self.tunnels.get_mut(key) else {
            return;
        };
        let beside = tunnel.session.map_or(0, |side| tunnel.leg(side.peer()).waiting());
        let Some((_, session)) = tunnel.session() else { return };
        session.is_touched = false;
        let link = &mut self.sessions.links[session.link];
        report(link, session, beside, now);
        collect(link, session);
        if session.has_begun_to_wait() {
            link.answers_later(session.sid, now);
        }
        if session.is_starved() && !std::mem::replace(&mut session.is_starving, true) {
            self.sessions.starved.push_back(session.sid);
        }
    }

    /// Gives the legs of a session the turns that what has happened to it asks for. False where that is none.
    fn serve_once(&mut self, key: usize, now: Instant) -> bool {
        let Some((_, tunnel)) = self.tunnels.get_mut(key) else {
            return false;
        };
        let Some((side, session)) = tunnel.session() else {
            return false;
        };
        if let Some(fault) = session.take_fault() {
            tunnel.end_for(&fault, side.peer(), now, &mut self.scratch.out);
            self.turn(key, side, now);
            return true;
        }
        let is_unblocked = session.is_unblocked();
        let has_output = session.has_output();
        if is_unblocked {
            tunnel.writable(side);
        }
        let says = has_output && !tunnel.leg(side).is_readable() && !tunnel.leg(side).read_ended();
        if says {
            // Its end comes behind what waits: it is read until there is nothing more.
            tunnel.readable(side, News::Bytes);
            self.turn(key, side, now);
        }
        if is_unblocked {
            self.turn(key, side.peer(), now);
        }
        says || is_unblocked
    }

    /// Closes the tunnel of a session, which its process has no more. A client that has closed it has its Close answered instead.
    pub(super) fn close_session(&mut self, key: usize, (code, why, sentence): Ending, now: Instant) {
        if let Some((_, session)) = self.tunnels[key].1.session()
            && session.reply()
        {
            return self.sessions.touch(key, session);
        }
        let close = OwnClose {
            code,
            reason: why.reason(sentence).into(),
        };
        let deadline = now + self.scratch.limits.linger;
        self.close(key, &close, why, deadline, now);
    }

    /// A session whose tunnel has ended is kept for what its process is still to be told.
    pub(super) fn leave(&mut self, mut session: Box<Session>, now: Instant) {
        let sessions = &mut self.sessions;
        let Some(link) = sessions.links.get_mut(session.link) else {
            return;
        };
        sessions.places.remove(&session.sid);
        session.waits = false;
        if link.is_open() {
            report(link, &mut session, 0, now);
            collect(link, &mut session);
        }
        // What nobody has heard of yet may have been promised to its process, which hears of its end.
        let may_be_asked_for = if link.is_open() {
            session.is_announced || session.waits
        } else {
            session.is_hibernatable() || session.binding.is_none()
        };
        if session.is_over() || !may_be_asked_for || link.left >= MAX_LEFT {
            link.sessions -= 1;
        } else {
            link.left += 1;
            sessions.places.insert(session.sid, Place::Left(session));
        }
    }
}

/// Puts what its process is to know of a session into the channel, as far as there is room.
pub(super) fn collect(link: &mut Link, session: &mut Session) {
    let has_news = !session.is_over() && (!session.is_announced || session.journal.has_unsent());
    if !link.is_open() || session.waits || !has_news {
        return;
    }
    if link.out.len() >= MAX_OUT_BYTES {
        session.waits = true;
        link.waiting.push_back(session.sid);
        return;
    }
    link.tell_answered();
    if !std::mem::replace(&mut session.is_announced, true) {
        let head = Head::of(from_edge::OPENED, session.sid);
        link.out.write(|out| head.write(session.ticket.as_bytes(), out));
        if session.binding.is_none() {
            link.announced(session.sid);
        }
    }
    session.journal.send(&mut link.out);
}

/// Tells its process what waits for the peer of a session, and of answers given for it, where that is news.
pub(super) fn report(link: &mut Link, session: &mut Session, beside: usize, now: Instant) {
    if let Some(ms) = session.take_answered_ms() {
        link.answered(session.sid, ms, now);
    }
    if !link.is_open() || !session.is_announced {
        return;
    }
    match session.note_stuck(beside) {
        sessions::News::None => {}
        sessions::News::Later => link.tell_taken_later(session.sid, now),
        sessions::News::Now => tell_taken(link, session),
    }
}

/// Tells its process how much of what it has sent has been taken, and how much of that waits.
pub(super) fn tell_taken(link: &mut Link, session: &mut Session) {
    link.tell_answered();
    let payload = session.figures().map(u64::to_le_bytes).concat();
    let head = Head::of(from_edge::BACKLOG, session.sid);
    link.out.write(|out| head.write(&payload, out));
}

impl Tunnel {
    /// Ends it for what its session has found in the other leg.
    fn end_for(&mut self, fault: &Fault, by: Side, now: Instant, out: &mut super::Buffers) {
        let why = match fault {
            Fault::Slow => Why::WriteStalled,
            Fault::Refused(Refusal::TooBig(_) | Refusal::TooManyFrames | Refusal::NoRoom) => Why::MessageTooBig,
            Fault::Refused(_) => Why::ProtocolError,
        };
        self.end_with(why, by, fault.code(), &fault.reason(), now, out);
    }
}
