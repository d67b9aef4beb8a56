//! The connection of one tunnel loop to one script's process.
//!
//! Law 1: it never waits: what the process does not take stays in `out`, what it says comes when it comes.
//! Law 2: a connection that has ended is tried again at once, then later and later, up to [`MAX_RETRY`] apart.
//! Law 3: a process that says nothing of itself for [`SILENCE`], or takes nothing for as long, is as good as none.

use std::collections::{HashMap, VecDeque};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use mio::net::UnixStream;
use mio::{Interest, Registry, Token};

use super::autos::Autos;
use super::queue::Queue;
use super::records::{Head, Reader, VERSION, from_edge};
use super::{Kit, instance};

/// How long there may be no process that answers, before the sessions of its script are closed.
pub(crate) const SILENCE: Duration = Duration::from_mins(1);
/// How long it takes at most until another try.
const MAX_RETRY: Duration = Duration::from_secs(1);
/// The first pause between two tries; each is five times as long as the one before.
const FIRST_RETRY: Duration = Duration::from_millis(10);
/// A connection that lived so long has not failed.
const LIVED: Duration = Duration::from_secs(1);
/// How long it may take until the process is told how much of what it sends has been taken, where that is little.
const TELL_TAKEN: Duration = Duration::from_millis(250);
/// How long an auto-response may not have been told of.
const TELL_ANSWERED: Duration = Duration::from_secs(1);
/// How long a process may take to say whose a session is that it has been told of.
pub(crate) const UNBOUND: Duration = Duration::from_secs(10);
/// How long the Close of a client may wait for what the process makes of what came before it.
const ANSWER: Duration = Duration::from_secs(5);
/// Beyond so much that the process has not taken, nothing is added but what must be.
pub(crate) const MAX_OUT_BYTES: usize = 1024 * 1024;

/// What is written to a process in a round of the loop: one that takes as fast as it is told must not keep the loop to itself.
const MAX_WRITTEN_BYTES: usize = 1024 * 1024;

/// What a read gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// So many bytes.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// The connection has ended.
    End,
}

/// What the clock has found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wants {
    /// Nothing.
    Nothing,
    /// Another try to connect.
    Connection,
    /// The connection is to be given up: the process takes nothing.
    Reset,
    /// There has been no process for too long.
    Abandonment,
    /// The process is to be told how much has been taken.
    Figures,
    /// It has not said whose some sessions are.
    Bindings,
    /// Closes of clients have waited long enough for their answers.
    Answers,
}

// Each of them is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
/// One script's channel, as one loop has it.
#[derive(Debug)]
pub(crate) struct Link {
    /// The script.
    pub(crate) script: Arc<str>,
    /// Where its process listens.
    pub(crate) channel: Arc<Path>,
    /// What goes to the process.
    pub(crate) out: Queue,
    /// What comes from it.
    pub(crate) reader: Reader,
    /// What texts of its sessions are answered with.
    pub(crate) autos: Autos,
    /// What its sessions share.
    pub(crate) kit: Arc<Kit>,
    /// How many sessions it has, those that are left included; and how many those are.
    pub(crate) sessions: usize,
    pub(crate) left: usize,
    /// Sessions whose events wait for room in `out`.
    pub(crate) waiting: VecDeque<u64>,
    /// Auto-responses that the process is to be told of: of which session, and when.
    answered: HashMap<u64, u64>,
    answered_since: Option<Instant>,
    /// Sessions of whose sends more has been taken than the process knows.
    pub(crate) untold: Vec<u64>,
    untold_since: Option<Instant>,
    /// Sessions that the process was told of, when, and that were without an owner then; and how long it may take with one.
    unbound: VecDeque<(Instant, u64)>,
    patience: Duration,
    /// Sessions whose clients' Closes wait for their answers, and since when. They wait on when there is another process.
    closing: VecDeque<(Instant, u64)>,
    socket: Option<UnixStream>,
    /// The process has said who it is.
    is_greeted: bool,
    /// More may be there to read.
    pub(crate) is_readable: bool,
    /// Its end has been announced: it is read until that comes, whatever a short read suggests.
    ends: bool,
    is_full: bool,
    /// The kernel tells when it takes more.
    watches_writable: bool,
    /// Writing has failed: what there is to read is the last.
    is_broken: bool,
    connected_at: Instant,
    tries: u32,
    retry_at: Option<Instant>,
    /// Since when there is no process that answers.
    silent_since: Option<Instant>,
    stuck_since: Option<Instant>,
}

impl Link {
    /// A link that is to be connected. `patience` is how long its process may take to say whose a session is.
    pub(crate) fn new(script: Arc<str>, channel: Arc<Path>, kit: Arc<Kit>, patience: Duration, now: Instant) -> Self {
        Self {
            script,
            channel,
            out: Queue::default(),
            reader: Reader::default(),
            autos: Autos::default(),
            kit,
            sessions: 0,
            left: 0,
            waiting: VecDeque::new(),
            answered: HashMap::new(),
            answered_since: None,
            untold: Vec::new(),
            untold_since: None,
            unbound: VecDeque::new(),
            patience,
            closing: VecDeque::new(),
            socket: None,
            is_greeted: false,
            is_readable: false,
            ends: false,
            is_full: false,
            watches_writable: false,
            is_broken: false,
            connected_at: now,
            tries: 0,
            retry_at: Some(now),
            silent_since: Some(now),
            stuck_since: None,
        }
    }

    /// True while there is a connection, whoever is at the other end.
    pub(crate) fn is_open(&self) -> bool {
        self.socket.is_some()
    }

    /// Connects. False where that fails: it will be tried again.
    pub(crate) fn connect(&mut self, registry: &Registry, token: Token, number: u8, now: Instant) -> bool {
        self.retry_at = None;
        let connected = UnixStream::connect(&self.channel).and_then(|mut socket| {
            registry.register(&mut socket, token, Interest::READABLE)?;
            Ok(socket)
        });
        let Ok(socket) = connected else {
            // Nobody listens, or too many wait to be let in.
            self.retry_later(now);
            return false;
        };
        self.socket = Some(socket);
        self.connected_at = now;
        let hello = hello(number);
        self.out.write(|out| Head::of(from_edge::HELLO, 0).write(&hello, out));
        true
    }

    fn retry_later(&mut self, now: Instant) {
        let pause = match self.tries {
            0 => Duration::ZERO,
            tries => FIRST_RETRY
                .saturating_mul(5_u32.saturating_pow(tries - 1))
                .min(MAX_RETRY),
        };
        self.tries = self.tries.saturating_add(1);
        self.retry_at = Some(now + pause);
    }

    /// The process has said who it is.
    pub(crate) fn greeted(&mut self) {
        self.is_greeted = true;
        self.silent_since = None;
    }

    /// True after its HELLO.
    pub(crate) fn is_greeted(&self) -> bool {
        self.is_greeted
    }

    /// The process has said that it goes: the next one is there, or about to be.
    pub(crate) fn leaves(&mut self) {
        self.tries = 0;
    }

    /// Gives the connection up; another is tried, at once where this one has lived.
    pub(crate) fn disconnect(&mut self, now: Instant) {
        self.socket = None;
        self.out.clear();
        self.reader = Reader::default();
        self.waiting.clear();
        self.untold.clear();
        self.untold_since = None;
        self.unbound = VecDeque::new();
        (self.is_readable, self.is_full, self.is_broken) = (false, false, false);
        (self.ends, self.watches_writable) = (false, false);
        self.stuck_since = None;
        if self.is_greeted && now.saturating_duration_since(self.connected_at) >= LIVED {
            self.tries = 0;
        }
        self.is_greeted = false;
        self.silent_since.get_or_insert(now);
        self.retry_later(now);
    }

    /// Something is there to read, or (`ends`) the end of all that is.
    pub(crate) fn readable(&mut self, ends: bool) {
        self.is_readable = true;
        self.ends |= ends;
    }

    /// Has the kernel tell when it takes more, while something waits for that. Not at other times: it would tell each time that the
    /// process reads, and wake this loop in the midst of every message.
    pub(crate) fn watch(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        let Some(socket) = self.socket.as_mut().filter(|_| self.is_full != self.watches_writable) else {
            return Ok(());
        };
        self.watches_writable = self.is_full;
        let interest = if self.is_full {
            Interest::READABLE | Interest::WRITABLE
        } else {
            Interest::READABLE
        };
        registry.reregister(socket, token, interest)
    }

    /// Reads once.
    pub(crate) fn read(&mut self, into: &mut [u8]) -> Received {
        let Some(socket) = &mut self.socket else {
            return Received::Nothing;
        };
        loop {
            return match socket.read(into) {
                Ok(0) => Received::End,
                Ok(read) => {
                    // epoll(7): on a stream socket a short read means that the socket is drained.
                    self.is_readable = read == into.len() || self.ends || self.is_broken;
                    Received::Bytes(read)
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock && !self.is_broken => {
                    self.is_readable = false;
                    Received::Nothing
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(_) => Received::End,
            };
        }
    }

    /// The kernel takes more.
    pub(crate) fn writable(&mut self) {
        self.is_full = false;
    }

    /// Writes what waits, as much as the kernel takes. An error shows when it is read: what the process has said before is
    /// not lost by it.
    pub(crate) fn flush(&mut self, now: Instant) {
        let Some(socket) = &mut self.socket else { return };
        let mut left = MAX_WRITTEN_BYTES;
        while !self.out.is_empty() && !self.is_full && left > 0 {
            let first = self.out.first();
            match socket.write(&first[..first.len().min(left)]) {
                Ok(written) => {
                    left -= written;
                    self.out.advance(written);
                    self.stuck_since = None;
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_full = true,
                Err(_) => {
                    (self.is_readable, self.is_broken) = (true, true);
                    self.out.clear();
                }
            }
        }
        if self.is_full {
            self.stuck_since.get_or_insert(now);
        }
    }

    /// True where more could be written now.
    pub(crate) fn has_more(&self) -> bool {
        self.is_open() && !self.is_full && !self.out.is_empty()
    }

    /// Notes that a session has answered by itself.
    pub(crate) fn answered(&mut self, sid: u64, ms: u64, now: Instant) {
        self.answered.insert(sid, ms);
        self.answered_since.get_or_insert(now);
    }

    /// Notes that more of a session's sends has been taken than the process knows.
    pub(crate) fn tell_taken_later(&mut self, sid: u64, now: Instant) {
        self.untold.push(sid);
        self.untold_since.get_or_insert(now);
    }

    /// Notes that the process has been told of a session, and is to say whose it is.
    pub(crate) fn announced(&mut self, sid: u64) {
        self.unbound.push_back((Instant::now(), sid));
    }

    /// The process has said whose this one is. (Nearly always the first: those that are not are passed over when their time has come.)
    pub(crate) fn bound(&mut self, sid: u64) {
        if self.unbound.front().is_some_and(|(_, first)| *first == sid) {
            self.unbound.pop_front();
        }
        if self.unbound.is_empty() {
            self.unbound = VecDeque::new();
        }
    }

    /// A session for which the process has had time enough to say whose it is.
    pub(crate) fn take_overdue(&mut self, now: Instant) -> Option<u64> {
        let first = self.unbound.front().filter(|(since, _)| *since + self.patience <= now);
        first?;
        self.unbound.pop_front().map(|(_, sid)| sid)
    }

    /// Notes that the Close of a client waits for its answer.
    pub(crate) fn answers_later(&mut self, sid: u64, now: Instant) {
        self.closing.push_back((now, sid));
    }

    /// A session whose client's Close need not wait any more.
    pub(crate) fn take_unanswered(&mut self, now: Instant) -> Option<u64> {
        let first = self.closing.front().filter(|(since, _)| *since + ANSWER <= now);
        first?;
        self.closing.pop_front().map(|(_, sid)| sid)
    }

    /// Tells what has been answered: before anything else is said.
    pub(crate) fn tell_answered(&mut self) {
        if self.answered.is_empty() || !self.is_open() {
            return;
        }
        self.answered_since = None;
        for (sid, ms) in self.answered.drain() {
            self.out
                .write(|out| Head::of(from_edge::AUTO_ANSWERED, sid).write(&ms.to_le_bytes(), out));
        }
    }

    /// When it must be looked at, events or not.
    pub(crate) fn due(&self) -> Option<Instant> {
        let abandoned = self.silent_since.filter(|_| self.sessions > 0);
        let told = self.answered_since.filter(|_| self.is_open());
        [
            self.retry_at,
            abandoned.map(|since| since + SILENCE),
            self.stuck_since.map(|since| since + SILENCE),
            told.map(|since| since + TELL_ANSWERED),
            self.untold_since.map(|since| since + TELL_TAKEN),
            self.unbound.front().map(|(since, _)| *since + self.patience),
            self.closing.front().map(|(since, _)| *since + ANSWER),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// What is to be done now.
    pub(crate) fn look(&mut self, now: Instant) -> Wants {
        let is_over = |since: Option<Instant>, limit| since.is_some_and(|since| since + limit <= now);
        if is_over(self.answered_since, TELL_ANSWERED) {
            self.tell_answered();
        }
        if self.sessions > 0 && is_over(self.silent_since, SILENCE) {
            self.silent_since = Some(now);
            return Wants::Abandonment;
        }
        if is_over(self.stuck_since, SILENCE) {
            return Wants::Reset;
        }
        if is_over(self.untold_since, TELL_TAKEN) {
            self.untold_since = None;
            return Wants::Figures;
        }
        if is_over(self.unbound.front().map(|(since, _)| *since), self.patience) {
            return Wants::Bindings;
        }
        if is_over(self.closing.front().map(|(since, _)| *since), ANSWER) {
            return Wants::Answers;
        }
        if is_over(self.retry_at, Duration::ZERO) {
            return Wants::Connection;
        }
        Wants::Nothing
    }
}

/// A map, as `MessagePack` has it: `{version, edge, loop, pid}`.
fn hello(number: u8) -> Vec<u8> {
    let mut out = vec![0x84];
    let text = |out: &mut Vec<u8>, text: &str| {
        // Names, and eight digits: below the 32 bytes of a short one.
        #[allow(clippy::cast_possible_truncation)]
        out.push(0xA0 | text.len() as u8);
        out.extend_from_slice(text.as_bytes());
    };
    text(&mut out, "version");
    out.push(VERSION);
    text(&mut out, "edge");
    text(&mut out, &format!("{:08x}", instance()));
    text(&mut out, "loop");
    out.extend_from_slice(&[0xCC, number]);
    text(&mut out, "pid");
    out.push(0xCE);
    out.extend_from_slice(&std::process::id().to_be_bytes());
    out
}

/// Whether this is the HELLO of a process that speaks our version.
pub(crate) fn speaks_our_version(hello: &[u8]) -> bool {
    let wanted = [b"\xA7version".as_slice(), &[VERSION]].concat();
    memchr::memmem::find(hello, &wanted).is_some()
}

#[cfg(test)]
#[path = "link_tests.rs"]
mod tests;
