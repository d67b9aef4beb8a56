//! How a loop hears scripts' processes: what they say over their connections.
//!
//! Law 1: what a process says of a session is heard where the session is of its own script.
//! Law 2: a process that does not keep to the protocol loses its connection, and nothing else happens: another is tried.
//! Law 3: what one process says in a round is bounded, so that others get their turn.

use std::sync::Arc;
use std::time::Instant;

use mio::event::Event;

use super::Half;
use super::event_loop::Running;
use super::links::UNKNOWN;
use super::relay::Joined;
use super::sessions::Place;
use crate::sessions::outgoing::{Message, Way};
use crate::sessions::records::{Head, from_edge, number, split, to_edge};
use crate::sessions::{Binding, Link, Received, Session, Upstream, autos, may_be_sent, speaks_our_version};

/// Tokens from here on are links'.
pub(super) const LINKS: usize = usize::MAX / 2;
/// The most that is read from a process at once.
const READ_BYTES: usize = 256 * 1024;
/// Reads of one process before others get their turn.
const READS_PER_TURN: usize = 4;
/// Sessions that one message may be for: twice as many as an object may have (durable-objects.md §2.4).
const MAX_MANY: usize = 65_536;
/// What a Close says whose code a script may not send.
pub(super) const INTERNAL_ERROR: u16 = 1011;
/// Bits of flags.
pub(super) const HIBERNATABLE: u8 = 1;
const AUTO_REPLY: u8 = 2;
/// Of RESUMED: a process before has closed it.
pub(super) const CLOSED: u8 = 2;
const MANY_BINARY: u8 = 1;
const MANY_DROPS: u8 = 2;

/// What a process has said that none may say; one sentence.
struct Nonsense(String);

impl Running {
    pub(super) fn on_link(&mut self, event: &Event, now: Instant) {
        let id = event.token().0 - LINKS;
        let Some(link) = self.sessions.links.get_mut(id) else {
            return;
        };
        if event.is_writable() {
            link.writable();
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            link.readable(event.is_read_closed() || event.is_error());
            self.hear(id, now);
        }
    }

    /// Hears processes that had more to say.
    pub(super) fn hear_again(&mut self, now: Instant) {
        for _ in 0..self.sessions.again.len() {
            let Some(id) = self.sessions.again.pop_front() else {
                return;
            };
            if self.sessions.links.contains(id) {
                self.hear(id, now);
            }
        }
    }

    fn hear(&mut self, id: usize, now: Instant) {
        let mut input = std::mem::take(&mut self.sessions.input);
        if input.is_empty() {
            // Not `resize`: of zeros that nobody has written the system gives none that is not read into.
            input = vec![0; READ_BYTES];
        }
        for _ in 0..READS_PER_TURN {
            let Some(link) = self.sessions.links.get_mut(id).filter(|link| link.is_readable) else {
                break;
            };
            match link.read(&mut input) {
                Received::Nothing => break,
                Received::End => self.link_ended(id, None, now),
                Received::Bytes(len) => self.take_records(id, &input[..len], now),
            }
            // What was said is seen to before more is read: what waits then waits for its peer.
            self.serve_touched(now);
        }
        self.sessions.input = input;
    }

    fn take_records(&mut self, id: usize, bytes: &[u8], now: Instant) {
        let whole = self.sessions.links[id].reader.take(bytes);
        let all = whole.as_deref().unwrap_or(bytes);
        let mut at = 0;
        let fault = loop {
            match split(&all[at..]) {
                Ok(None) => break None,
                Err(long) => break Some(format!("said that a record has {} bytes", long.length)),
                Ok(Some((head, payload, len))) => {
                    at += len;
                    if let Err(Nonsense(sentence)) = self.on_record(id, head, payload, now) {
                        break Some(sentence);
                    }
                    // It may have said that it goes.
                    if !self.sessions.links.get(id).is_some_and(Link::is_open) {
                        return;
                    }
                }
            }
        };
        match fault {
            Some(sentence) => self.link_ended(id, Some(&sentence), now),
            None => self.sessions.links[id].reader.keep(whole, bytes, at),
        }
    }

    fn on_record(&mut self, id: usize, head: Head, payload: &[u8], now: Instant) -> Result<(), Nonsense> {
        let link = &mut self.sessions.links[id];
        if !link.is_greeted() {
            if head.kind != to_edge::HELLO || !speaks_our_version(payload) {
                return Err(Nonsense("did not say that it speaks version 1".into()));
            }
            link.greeted();
            return Ok(());
        }
        match head.kind {
            to_edge::MANY => return self.send_many(id, head, payload),
            to_edge::AUTO => {
                let pair = autos::read(payload).ok_or_else(|| Nonsense("said an AUTO that is none".into()))?;
                if !link.autos.set(head.sid, pair) {
                    return Err(Nonsense("has more auto-responses than there may be".into()));
                }
            }
            to_edge::BYE => {
                link.leaves();
                self.link_ended(id, None, now);
            }
            to_edge::ADOPT => self.adopt(id, payload, now),
            _ => return self.on_session_record(id, head, payload, now),
        }
        Ok(())
    }

    fn on_session_record(&mut self, id: usize, head: Head, payload: &[u8], now: Instant) -> Result<(), Nonsense> {
        let autos = (head.kind == to_edge::BIND)
            .then(|| payload.get(..8).map(number))
            .flatten()
            .map(|group| self.sessions.links[id].autos.group(group));
        let Some(place) = self
            .sessions
            .places
            .get_mut(&head.sid)
            .filter(|place| place.link() == id)
        else {
            // It has ended, or is another script's.
            return Ok(());
        };
        let key = place.key();
        let Some(session) = place.session(&mut self.tunnels) else {
            return Ok(());
        };
        if matches!(
            head.kind,
            to_edge::TEXT | to_edge::BINARY | to_edge::CLOSE | to_edge::STATE
        ) {
            session.numbered(head.seq);
        }
        match head.kind {
            to_edge::TEXT | to_edge::BINARY => session.send(&Message::new(head.kind == to_edge::TEXT, payload)),
            to_edge::CLOSE => {
                let (code, reason) = read_close(payload)?;
                session.close(code, &reason);
            }
            to_edge::ACK => session.acknowledge(head.seq),
            to_edge::ABORT => {
                let (code, reason) = read_close(payload)?;
                session.abort(code, &reason);
            }
            to_edge::STATE if session.keep(payload) => {}
            to_edge::STATE => return Err(Nonsense(format!("keeps {} bytes beside a session", payload.len()))),
            to_edge::BIND => {
                bind(session, head.flags, payload, autos)?;
                self.sessions.links[id].bound(head.sid);
            }
            to_edge::UNKNOWN => {
                session.disown();
                match key {
                    Some(key) => self.close_session(key, UNKNOWN, now),
                    None => self.give_up_unknown(head.sid),
                }
            }
            // A newer process may say what this edge does not know.
            _ => return Ok(()),
        }
        self.see_to(id, head.sid, now);
        Ok(())
    }

    /// A process has said something of this session.
    fn see_to(&mut self, id: usize, sid: u64, now: Instant) {
        match self.sessions.places.get_mut(&sid) {
            Some(Place::Open { key, .. }) => {
                let key = *key as usize;
                if let Some((_, session)) = self.tunnels[key].1.session() {
                    self.sessions.touch(key, session);
                }
            }
            Some(Place::Coming(expected)) => expected.heard(&mut self.sessions.links[id], now),
            Some(Place::Left(session)) if session.is_over() => self.forget_left(id, sid),
            Some(Place::Left(_)) | None => {}
        }
    }

    fn forget_left(&mut self, id: usize, sid: u64) {
        self.sessions.places.remove(&sid);
        let link = &mut self.sessions.links[id];
        (link.sessions, link.left) = (link.sessions - 1, link.left - 1);
    }

    /// One message for many sessions, framed once.
    fn send_many(&mut self, id: usize, head: Head, payload: &[u8]) -> Result<(), Nonsense> {
        let nonsense = || Nonsense("said a MANY that is none".into());
        let (count, rest) = payload.split_first_chunk::<4>().ok_or_else(nonsense)?;
        let count = usize::try_from(u32::from_le_bytes(*count)).unwrap_or(usize::MAX);
        if count > MAX_MANY {
            return Err(Nonsense(format!("sends a message to {count} sessions at once")));
        }
        let (sids, rest) = rest.split_at_checked(count.saturating_mul(8)).ok_or_else(nonsense)?;
        let (limit, text) = rest.split_first_chunk::<4>().ok_or_else(nonsense)?;
        let limit = match u32::from_le_bytes(*limit) {
            0 => crate::sessions::MAX_UNSENT_BYTES,
            limit => usize::try_from(limit).unwrap_or(usize::MAX),
        };
        let drops = head.flags & MANY_DROPS != 0;
        let mut message = Message::new(head.flags & MANY_BINARY == 0, text);
        let kit = Arc::clone(&self.sessions.links[id].kit);
        for sid in sids.chunks_exact(8).map(number) {
            let Some(place) = self.sessions.places.get_mut(&sid) else {
                continue;
            };
            // Who has left gets nothing more.
            if place.link() != id || matches!(place, Place::Left(_)) {
                continue;
            }
            let key = place.key();
            if let Some(session) = place.session(&mut self.tunnels) {
                let way = session.way();
                session.numbered(head.seq);
                session.send_shared(text.len(), limit, drops, || kit.shared(&mut message, way));
                if let Some(key) = key.filter(|_| !std::mem::replace(&mut session.is_touched, true)) {
                    self.sessions.touched.push(key);
                }
            }
        }
        Ok(())
    }

    /// Makes a session of an upstream that waits: the script is its client.
    fn adopt(&mut self, id: usize, token: &[u8], now: Instant) {
        let link = &mut self.sessions.links[id];
        let text = String::from_utf8_lossy(token);
        let waiting = self.sessions.upstreams.as_ref();
        let Some(upstream) = waiting.and_then(|waiting| waiting.take(&text, &link.script)) else {
            let head = Head::of(from_edge::ADOPT_FAILED, 0);
            return link.out.write(|out| head.write(token, out));
        };
        let Upstream {
            half,
            identity,
            options,
            is_compressed,
            place,
        } = upstream;
        let way = Way {
            is_masked: true,
            may_compress: is_compressed,
        };
        let session = self.sessions.begin(id, text.into(), way);
        self.mailbox.count_opened(&identity.zone);
        let joined = Joined {
            legs: [Half::session(session), half],
            greeting: Vec::new(),
            identity: *identity,
            options,
            place,
        };
        self.start(joined, now);
    }
}

fn bind(session: &mut Session, flags: u8, payload: &[u8], autos: Option<Arc<autos::Group>>) -> Result<(), Nonsense> {
    let (Some((group, state)), Some(autos)) = (payload.split_first_chunk::<8>(), autos) else {
        return Err(Nonsense("said a BIND that is none".into()));
    };
    session.binding = Some(Binding {
        group: number(group),
        is_hibernatable: flags & HIBERNATABLE != 0,
        auto_reply: flags & AUTO_REPLY != 0,
        state: Box::default(),
        autos,
    });
    // From now on it is known by its number.
    session.ticket = Box::default();
    if session.keep(state) {
        Ok(())
    } else {
        Err(Nonsense(format!("keeps {} bytes beside a session", state.len())))
    }
}

/// The code and the reason of a CLOSE or an ABORT; code 0 is an empty Close.
fn read_close(payload: &[u8]) -> Result<(u16, String), Nonsense> {
    let Some((code, reason)) = payload.split_first_chunk::<2>() else {
        return Err(Nonsense("said a CLOSE that is none".into()));
    };
    let code = match u16::from_le_bytes(*code) {
        code if code == 0 || may_be_sent(code) => code,
        _ => INTERNAL_ERROR,
    };
    Ok((code, String::from_utf8_lossy(reason).into_owned()))
}
