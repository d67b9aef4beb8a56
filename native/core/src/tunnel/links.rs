//! How a loop keeps up its connections to scripts' processes, and what becomes of sessions when one ends.
//!
//! Law 1: the next connection is told of the sessions first, then that these were all, and then what they have not acknowledged.
//! Law 2: what cannot outlive its process ends with it; what can waits for the next one, but not for ever.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Instant;

use mio::Token;

use super::coming::{Ending, Outlook};
use super::event_loop::Running;
use super::scripts::{CLOSED, HIBERNATABLE, INTERNAL_ERROR, LINKS};
use super::sessions::{Place, collect, tell_taken};
use super::spin::Awaited;
use crate::registry::{Line, Why};
use crate::sessions::records::{Head, from_edge};
use crate::sessions::{Link, MAX_OUT_BYTES, Session, Wants};

/// "Service Restart", "Try Again Later" (IANA registry of close codes).
const SERVICE_RESTART: u16 = 1012;
const TRY_AGAIN_LATER: u16 = 1013;
/// How sessions end that their process leaves behind.
pub(super) const PROCESS_ENDED: Ending = (SERVICE_RESTART, Why::WorkerRestarted, "the script's process has ended");
const NOBODY_ANSWERS: Ending = (
    TRY_AGAIN_LATER,
    Why::WorkerUnresponsive,
    "no process of the script answers",
);
const NOT_TAKEN: Ending = (
    INTERNAL_ERROR,
    Why::WorkerUnresponsive,
    "the script does not say whose it is",
);
/// Of one that its process does not know.
pub(super) const UNKNOWN: Ending = (
    SERVICE_RESTART,
    Why::WorkerRestarted,
    "the script has started again without it",
);

impl Running {
    /// Opens the channel to a script, whether it has sessions here or not.
    pub(super) fn reach(&mut self, channel: &Arc<Path>, script: &Arc<str>, now: Instant) {
        self.sessions.link(channel, script, now);
        self.look_at_links(now);
    }

    /// Looks at the clock of every link.
    pub(super) fn look_at_links(&mut self, now: Instant) {
        if self.sessions.due().is_none_or(|due| due > now) {
            return;
        }
        let ids: Vec<usize> = self.sessions.links.iter().map(|(id, _)| id).collect();
        for id in ids {
            match self.sessions.links[id].look(now) {
                Wants::Nothing => {}
                Wants::Connection => self.connect(id, now),
                Wants::Reset => self.link_ended(id, Some("took nothing for too long"), now),
                Wants::Abandonment => self.abandon(id, now),
                Wants::Figures => self.tell_figures(id),
                Wants::Bindings => self.end_unbound(id, now),
                Wants::Answers => self.answer_closes(id, now),
            }
        }
    }

    fn connect(&mut self, id: usize, now: Instant) {
        let sessions = &mut self.sessions;
        let link = &mut sessions.links[id];
        if link.connect(&self.registry, Token(LINKS + id), sessions.number, now) {
            let opened = &self.mailbox.statistics.channels_opened;
            opened.fetch_add(1, Ordering::Relaxed);
            self.greet(id);
        } else if link.sessions == 0 {
            self.forget(id);
        }
    }

    /// Tells a process of the sessions that it, or one before it, has had; then of what it has not acknowledged.
    fn greet(&mut self, id: usize) {
        let sessions = &mut self.sessions;
        let link = &mut sessions.links[id];
        let is_of_it = |(sid, place): (&u64, &Place)| (place.link() == id).then_some(*sid);
        let mut sids: Vec<u64> = sessions.places.iter().filter_map(is_of_it).collect();
        // As they have opened.
        sids.sort_unstable();
        for sid in &sids {
            let place = sessions.places.get_mut(sid);
            if let Some(session) = place.and_then(|place| place.session(&mut self.tunnels)) {
                resume(link, session);
            }
        }
        link.out.write(|out| Head::of(from_edge::READY, 0).write(&[], out));
        link.waiting.extend(sids);
        self.collect_waiting(id);
    }

    /// Tells a process how much of what it has sent has been taken.
    fn tell_figures(&mut self, id: usize) {
        let sessions = &mut self.sessions;
        let link = &mut sessions.links[id];
        for sid in std::mem::take(&mut link.untold) {
            let place = sessions.places.get_mut(&sid);
            let session = place.and_then(|place| place.session(&mut self.tunnels));
            if let Some(session) = session.filter(|session| session.tells_later()) {
                tell_taken(link, session);
            }
        }
    }

    /// Lets sessions speak that have waited for room in the channel.
    fn collect_waiting(&mut self, id: usize) {
        let sessions = &mut self.sessions;
        let link = &mut sessions.links[id];
        while link.is_open() && link.out.len() < MAX_OUT_BYTES {
            let Some(sid) = link.waiting.pop_front() else { return };
            let place = sessions.places.get_mut(&sid);
            if let Some(session) = place.and_then(|place| place.session(&mut self.tunnels)) {
                session.waits = false;
                collect(link, session);
            }
        }
    }

    /// Writes to every process what it is to know.
    pub(super) fn flush_links(&mut self, now: Instant) {
        if self.sessions.links.capacity() == 0 {
            return;
        }
        let (mut open, mut has_told) = (0, false);
        self.sessions.writes_on = false;
        for id in 0..self.sessions.links.capacity() {
            let Some(link) = self.sessions.links.get_mut(id) else {
                continue;
            };
            has_told |= !link.out.is_empty();
            link.flush(now);
            if !link.waiting.is_empty() && link.out.len() < MAX_OUT_BYTES / 2 {
                self.collect_waiting(id);
                self.sessions.links[id].flush(now);
            }
            if let Err(error) = self.sessions.links[id].watch(&self.registry, Token(LINKS + id)) {
                self.link_ended(id, Some(&format!("cannot be watched: {error}")), now);
            }
            let link = &self.sessions.links[id];
            open += u64::from(link.is_open());
            self.sessions.writes_on |= link.has_more();
            if link.is_readable && !self.sessions.again.contains(&id) {
                self.sessions.again.push_back(id);
            }
        }
        self.sessions.awaited = Awaited::after(self.sessions.served, has_told);
        let statistics = &self.mailbox.statistics;
        statistics.channels.store(open, Ordering::Relaxed);
        self.sessions.tell(statistics);
    }

    /// A connection is over: because of what its process did, where there is a sentence that says so.
    pub(super) fn link_ended(&mut self, id: usize, fault: Option<&str>, now: Instant) {
        let Some(link) = self.sessions.links.get_mut(id) else {
            return;
        };
        if let Some(fault) = fault {
            self.log.put(Line::Notice {
                message: format!("the process of the script {} {fault}", link.script),
            });
        }
        let was_greeted = link.is_greeted();
        link.disconnect(now);
        let mut ending = Vec::new();
        self.sessions.places.retain(|_, place| {
            if place.link() != id {
                return true;
            }
            let (session, key) = match place {
                Place::Left(session) if session.is_hibernatable() => (&mut **session, None),
                Place::Left(_) => {
                    (link.sessions, link.left) = (link.sessions - 1, link.left - 1);
                    return false;
                }
                Place::Coming(expected) => {
                    let is_hopeless = expected.link_ended(was_greeted) == Outlook::Hopeless;
                    if is_hopeless {
                        link.sessions -= 1;
                        self.sessions.coming.remove(&expected.number());
                    }
                    return !is_hopeless;
                }
                Place::Open { key, .. } => match self.tunnels[*key as usize].1.session() {
                    Some((_, session)) => (session, Some(*key as usize)),
                    None => return true,
                },
            };
            if session.binding.is_some() && !session.is_hibernatable() {
                // It ends with its process: there is nobody to tell.
                session.disown();
                ending.extend(key);
            }
            session.rewind();
            true
        });
        for key in ending {
            self.close_session(key, PROCESS_ENDED, now);
        }
        if self.sessions.links[id].sessions == 0 {
            self.forget(id);
        }
    }

    fn forget(&mut self, id: usize) {
        let link = self.sessions.links.remove(id);
        self.sessions.channels.remove(&link.channel);
    }

    /// There has been no process for too long: its sessions end.
    fn abandon(&mut self, id: usize, now: Instant) {
        let link = &mut self.sessions.links[id];
        self.log.put(Line::Notice {
            message: format!(
                "no process of the script {} answers: its sessions are closed",
                link.script
            ),
        });
        let mut ending = Vec::new();
        self.sessions.places.retain(|_, place| match place {
            Place::Open { key, link } if *link as usize == id => {
                ending.push(*key as usize);
                true
            }
            Place::Coming(expected) if expected.session.link == id => {
                let is_hopeless = expected.end(NOBODY_ANSWERS) == Outlook::Hopeless;
                if is_hopeless {
                    link.sessions -= 1;
                    self.sessions.coming.remove(&expected.number());
                }
                !is_hopeless
            }
            Place::Left(session) if session.link == id => {
                (link.sessions, link.left) = (link.sessions - 1, link.left - 1);
                false
            }
            _ => true,
        });
        for key in ending {
            if let Some((_, session)) = self.tunnels[key].1.session() {
                session.disown();
            }
            self.close_session(key, NOBODY_ANSWERS, now);
        }
    }
}

impl Running {
    /// Answers the Closes of clients that have waited long enough for what the process makes of what came before.
    fn answer_closes(&mut self, id: usize, now: Instant) {
        while let Some(sid) = self.sessions.links[id].take_unanswered(now) {
            let Some(Place::Open { key, .. }) = self.sessions.places.get(&sid) else {
                continue;
            };
            let key = *key as usize;
            if let Some((_, session)) = self.tunnels[key].1.session()
                && session.reply()
            {
                self.sessions.touch(key, session);
            }
        }
    }

    /// Ends the sessions that nobody has said anything about.
    fn end_unbound(&mut self, id: usize, now: Instant) {
        let mut ended = 0;
        while let Some(sid) = self.sessions.links[id].take_overdue(now) {
            let Some(Place::Open { key, .. }) = self.sessions.places.get(&sid) else {
                continue;
            };
            let key = *key as usize;
            let Some((_, session)) = self.tunnels[key].1.session() else {
                continue;
            };
            if session.binding.is_some() {
                continue;
            }
            session.disown();
            ended += 1;
            self.close_session(key, NOT_TAKEN, now);
        }
        if ended > 0 {
            let script = &self.sessions.links[id].script;
            self.log.put(Line::Notice {
                message: format!(
                    "the process of the script {script} did not take {ended} sessions in time: they are closed"
                ),
            });
        }
    }
}

/// Tells of a session that outlived a connection. One that was not bound is told of again as new; of one that is over the process
/// before knew the end, though its client may be there yet.
fn resume(link: &mut Link, session: &mut Session) {
    if session.is_over() {
        return;
    }
    let Some(binding) = session.binding.as_ref().filter(|binding| binding.is_hibernatable) else {
        return;
    };
    let payload = [
        &session.taken.to_le_bytes()[..],
        &session.number.to_le_bytes(),
        &binding.state,
    ]
    .concat();
    let head = Head {
        flags: HIBERNATABLE | if session.is_closed_by_process() { CLOSED } else { 0 },
        seq: session.journal.first_seq(),
        ..Head::of(from_edge::RESUMED, session.sid)
    };
    link.out.write(|out| head.write(&payload, out));
    session.is_announced = true;
}
