//! Sessions whose clients are yet to have their 101: they get it when the script's process has said whose the session is.
//!
//! Theory. The process that answers an upgrade knows the session by a ticket, which dies with it. A client that had its 101 before
//! the edge has the BIND would be without an owner where the process is killed between the two. So the loop begins the session
//! first, while its client waits in the runtime; and what the process says to it meanwhile waits in the session.
//!
//! Law 1: who waits is told once: that the session is bound, or, by the end of the sender, that it never will be.
//! Law 2: from its BIND on it is a session like any other: where it is hibernatable it outlives its process.
//! Law 3: it is there as long as its [`Coming`]: what is given up is told to its process as any client that has gone.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Instant;

use tokio::sync::oneshot;

use super::event_loop::Running;
use super::handle::{Command, Mailbox};
use super::links::{PROCESS_ENDED, UNKNOWN};
use super::sessions::{Place, collect, report};
use crate::registry::Why;
use crate::sessions::outgoing::Way;
use crate::sessions::{Link, Session, SessionTerms};

/// A session without its client, as who waits for it has it. Without this, it is given up.
#[derive(Debug)]
pub struct Coming {
    number: u64,
    bound: oneshot::Receiver<()>,
    /// None once its client has come.
    mailbox: Option<Weak<Mailbox>>,
}

/// What a loop is asked for.
pub(super) struct Expectation {
    number: u64,
    terms: SessionTerms,
    told: oneshot::Sender<()>,
}

impl Coming {
    /// A session to wait for, and what its loop is to be asked.
    pub(super) fn new(terms: SessionTerms, mailbox: &Arc<Mailbox>) -> (Self, Expectation) {
        static NUMBERS: AtomicU64 = AtomicU64::new(0);
        let number = NUMBERS.fetch_add(1, Ordering::Relaxed);
        let (told, bound) = oneshot::channel();
        let coming = Self {
            number,
            bound,
            mailbox: Some(Arc::downgrade(mailbox)),
        };
        (coming, Expectation { number, terms, told })
    }

    /// Waits until its process has said whose it is. False where it never will: it has ended, or does not know of it.
    pub(crate) async fn bound(&mut self) -> bool {
        (&mut self.bound).await.is_ok()
    }

    /// The same, for a thread that has nothing else to do.
    #[cfg(test)]
    pub(super) fn wait(&mut self) -> bool {
        let (_, never) = oneshot::channel();
        std::mem::replace(&mut self.bound, never).blocking_recv().is_ok()
    }

    /// Its client comes.
    fn joined(mut self) -> u64 {
        self.mailbox = None;
        self.number
    }
}

impl Drop for Coming {
    fn drop(&mut self) {
        if let Some(mailbox) = self.mailbox.take().and_then(|mailbox| mailbox.upgrade()) {
            mailbox.post(Command::GiveUp(self.number));
        }
    }
}

/// The same, as its loop has it.
pub(super) struct Expected {
    number: u64,
    pub(super) session: Box<Session>,
    told: Option<oneshot::Sender<()>>,
    /// What its client is told as soon as it comes: it was bound, and has ended since.
    end: Option<Ending>,
}

/// A Close that a client gets of the edge: its code, why, and one sentence.
pub(super) type Ending = (u16, Why, &'static str);

/// What has become of one whose process has gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Outlook {
    /// It waits for the next process, or for its client.
    Waits,
    /// Nobody will say whose it is: who waits is told by the end of what is dropped now.
    Hopeless,
}

impl Expected {
    /// The process has said something of it.
    pub(super) fn heard(&mut self, link: &mut Link, now: Instant) {
        if self.session.binding.is_some()
            && let Some(told) = self.told.take()
        {
            // Who waits may have just gone: it says so by itself.
            let _ = told.send(());
        }
        report(link, &mut self.session, 0, now);
    }

    /// The connection to its process has ended. Where that had heard of it (`was_heard`) the ticket has gone with the process.
    pub(super) fn link_ended(&mut self, was_heard: bool) -> Outlook {
        let is_bound = self.session.binding.is_some();
        if !is_bound && self.session.is_announced && was_heard {
            return Outlook::Hopeless;
        }
        if is_bound && !self.session.is_hibernatable() {
            self.end(PROCESS_ENDED);
        }
        self.session.rewind();
        Outlook::Waits
    }

    /// It ends before its client has come: with this where the client is about to.
    pub(super) fn end(&mut self, ending: Ending) -> Outlook {
        self.session.disown();
        self.end.get_or_insert(ending);
        match self.session.binding {
            Some(_) => Outlook::Waits,
            None => Outlook::Hopeless,
        }
    }

    pub(super) fn number(&self) -> u64 {
        self.number
    }
}

impl Running {
    /// Begins a session, and tells its process.
    pub(super) fn expect(&mut self, expectation: Expectation, now: Instant) {
        let Expectation { number, terms, told } = expectation;
        let way = Way {
            is_masked: false,
            may_compress: terms.is_compressed,
        };
        let id = self.sessions.link(&terms.channel, &terms.script, now);
        let mut session = self.sessions.begin(id, terms.ticket.as_str().into(), way);
        let sid = session.sid;
        let link = &mut self.sessions.links[id];
        link.sessions += 1;
        collect(link, &mut session);
        let expected = Expected {
            number,
            session,
            told: Some(told),
            end: None,
        };
        self.sessions.coming.insert(number, sid);
        self.sessions.places.insert(sid, Place::Coming(expected));
    }

    /// The session whose client comes, and what that is to be told at once; None where there is none.
    pub(super) fn take_coming(&mut self, coming: Coming) -> Option<(Box<Session>, Option<Ending>)> {
        let Expected { session, end, .. } = self.remove_coming(coming.joined())?;
        // It counts as that of a tunnel from now on.
        self.sessions.links[session.link].sessions -= 1;
        Some((session, end))
    }

    /// Nobody waits for this one any more.
    pub(super) fn give_up(&mut self, number: u64, now: Instant) {
        if let Some(Expected { mut session, .. }) = self.remove_coming(number) {
            session.end_input();
            self.leave(session, now);
        }
    }

    /// Its process does not know this one.
    pub(super) fn give_up_unknown(&mut self, sid: u64) {
        let Some(Place::Coming(expected)) = self.sessions.places.get_mut(&sid) else {
            return;
        };
        let number = expected.number;
        if expected.end(UNKNOWN) == Outlook::Hopeless
            && let Some(Expected { session, .. }) = self.remove_coming(number)
        {
            self.sessions.links[session.link].sessions -= 1;
        }
    }

    fn remove_coming(&mut self, number: u64) -> Option<Expected> {
        let sid = self.sessions.coming.remove(&number)?;
        match self.sessions.places.remove(&sid)? {
            Place::Coming(expected) => Some(expected),
            // Numbers of `coming` lead to no others.
            Place::Open { .. } | Place::Left(_) => None,
        }
    }
}
