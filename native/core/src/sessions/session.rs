//! The edge's end of a WebSocket: frames from its peer become events, sends become frames.
//!
//! Law 1: no socket: its tunnel reads and writes it as it would one (`tunnel/socket.rs`), its loop moves its events to the
//!        channel and the process's records to it (`tunnel/sessions.rs`).
//! Law 2: while its events wait to be acknowledged it takes no more from its peer than `journal::MAX_BYTES`, but a message
//!        that has begun; what it owes its peer is at most [`MAX_UNSENT_BYTES`], and [`MAX_UNSENT_OF_READER_BYTES`] while the
//!        peer takes some of it.
//! Law 3: CLOSED is the last event, and comes once, unless the process has given the session up.
//! Law 4: it hears nothing of its peer before its process has said whose it is: until then nobody knows who answers a Close.
//! Law 5: an idle session owns no buffers.
//! Law 6: where the edge answers its peer's Close, the answer goes out behind what the process makes of what came before that
//!        Close: when it has acknowledged all of it, or when it has been waited for long enough ([`Session::reply`]).

mod inbound;
mod outbound;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use super::assembler::Assembler;
use super::autos::Group;
use super::journal::Journal;
use super::kit::{Fault, Kit};
use super::outgoing::{Way, write_close};
use super::queue::Queue;
use super::records::from_edge;

/// What one session owes its peer at most that takes nothing for [`PATIENCE`]. A message that comes while nothing waits may be longer.
pub const MAX_UNSENT_BYTES: usize = 16 * 1024 * 1024;
/// What one session owes its peer at most that reads: a message of the longest, and as much behind it.
pub(super) const MAX_UNSENT_OF_READER_BYTES: usize = 64 * 1024 * 1024;
/// For how long a peer that is owed much may take nothing of it.
const PATIENCE: Duration = Duration::from_secs(5);
/// Beyond so much that the sessions of a script owe together, those are closed that owe more than [`SOME_UNSENT_BYTES`].
pub(super) const MAX_UNSENT_OF_SCRIPT_BYTES: usize = 256 * 1024 * 1024;
/// See [`MAX_UNSENT_OF_SCRIPT_BYTES`].
const SOME_UNSENT_BYTES: usize = 64 * 1024;
/// After so much that has been taken the process is told at once.
const MUCH_TAKEN_BYTES: u64 = 64 * 1024;
/// The most that is kept beside a session for its process.
pub const MAX_STATE_BYTES: usize = 64 * 1024;
/// What the process is told where the peer went without a word (durable-objects.md §2.4).
const GONE: &str = "WebSocket disconnected without sending Close frame.";

/// Whose session it is, as its process has said.
#[derive(Debug)]
pub struct Binding {
    /// Its object.
    pub group: u64,
    /// Whether it outlives its process.
    pub is_hibernatable: bool,
    /// Whether its peer's Close is answered for it.
    pub auto_reply: bool,
    /// What is kept for the process.
    pub state: Box<[u8]>,
    /// What its texts may be answered with.
    pub autos: Arc<Group>,
}

/// When the process is to be told how much has been taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    /// It knows.
    None,
    /// Soon, with what comes until then.
    Later,
    /// At once.
    Now,
}

// Each of them is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
#[derive(Debug, Default)]
struct Standing {
    /// A Close has been sent.
    has_closed: bool,
    /// The peer's has come.
    is_closed: bool,
    /// The last event is there, or will never be.
    is_told: bool,
    /// Behind what waits comes the end.
    is_finished: bool,
    /// There was no room for what came.
    is_blocked: bool,
    /// The process has closed it itself.
    is_closed_by_process: bool,
    /// The peer's Close has just come to wait for its answer.
    has_begun_to_wait: bool,
}

/// What is to become of a session, and has not yet: it may be that most have nothing of the kind for hours.
#[derive(Debug)]
enum Pending {
    /// Its tunnel must end it.
    Fault(Fault),
    /// Its peer's Close is to be answered with this.
    Reply { code: u16, reason: Box<str> },
}

/// A peer that is owed more than [`MAX_UNSENT_BYTES`].
#[derive(Debug)]
struct Debt {
    /// Since when it takes nothing, as far as has been looked.
    since: Instant,
    /// It has taken something after that.
    has_shrunk: bool,
}

// Each of them is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
/// The edge's end of one WebSocket.
#[derive(Debug)]
pub struct Session {
    /// Its number.
    pub sid: u64,
    /// The connection to its script.
    pub link: usize,
    /// The ticket, or the token, by which the process knows it before it is bound.
    pub ticket: Box<str>,
    /// The process has been told of it on the connection there is now.
    pub is_announced: bool,
    /// It stands in its loop's list of those that something has happened to.
    pub is_touched: bool,
    /// It stands in the list of those that wait for room on the channel.
    pub waits: bool,
    /// It stands in the list of those that wait for memory.
    pub is_starving: bool,
    /// Who owns it; None before the process has said so.
    pub binding: Option<Binding>,
    /// Its events.
    pub journal: Journal,
    way: Way,
    assembler: Assembler,
    outbox: Queue,
    standing: Standing,
    pending: Option<Box<Pending>>,
    kit: Arc<Kit>,
    /// What of `kit` it has.
    held: usize,
    unsent: usize,
    debt: Option<Box<Debt>>,
    /// Payload of the process's sends so far.
    pub taken: u64,
    /// The number of the last of what its process sent that had one; 0 where none had. The next process goes on behind it.
    pub number: u32,
    /// What waited when it was last seen to, and what the process was told of that.
    stuck: usize,
    told_stuck: usize,
    /// What the process knows of `taken`; and that it will be told the rest.
    told_taken: u64,
    tells_later: bool,
    /// When an auto-response was last sent, and not told of yet; 0 for none.
    answered_ms: u64,
}

impl Session {
    /// A session whose peer waits for its 101, or has given one.
    #[must_use]
    pub fn new(sid: u64, link: usize, ticket: Box<str>, way: Way, kit: Arc<Kit>) -> Self {
        Self {
            sid,
            link,
            ticket,
            is_announced: false,
            is_touched: false,
            waits: false,
            is_starving: false,
            binding: None,
            journal: Journal::default(),
            way,
            assembler: Assembler::new(!way.is_masked, way.may_compress),
            outbox: Queue::default(),
            standing: Standing::default(),
            pending: None,
            kit,
            held: 0,
            unsent: 0,
            debt: None,
            taken: 0,
            number: 0,
            stuck: 0,
            told_stuck: 0,
            told_taken: 0,
            tells_later: false,
            answered_ms: 0,
        }
    }

    /// How its frames are made.
    #[must_use]
    pub fn way(&self) -> Way {
        self.way
    }

    /// True where it outlives its process.
    #[must_use]
    pub fn is_hibernatable(&self) -> bool {
        self.binding.as_ref().is_some_and(|binding| binding.is_hibernatable)
    }

    /// True when nothing of it is to come, and its process has acknowledged all.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.standing.is_told && self.journal.events() == 0
    }

    fn tell(&mut self, kind: u8, payload: &[u8]) {
        let told: Result<(), ()> = self.journal.add(kind, self.sid, |out| {
            out.extend_from_slice(payload);
            Ok(())
        });
        debug_assert!(told.is_ok());
    }

    fn tell_closed(&mut self, code: u16, was_clean: bool, reason: &str) {
        if std::mem::replace(&mut self.standing.is_told, true) {
            return;
        }
        let mut payload = code.to_le_bytes().to_vec();
        payload.push(u8::from(was_clean));
        payload.extend_from_slice(reason.as_bytes());
        self.tell(from_edge::CLOSED, &payload);
    }

    /// Its peer sends no more, or its tunnel has ended.
    pub fn end_input(&mut self) {
        self.tell_closed(1006, false, GONE);
        // Who has closed and sends no more may still read its answers.
        self.standing.is_finished |= !self.has_to_reply();
        self.recount();
    }

    /// The edge closes it on its own account: its peer gets a Close by its tunnel.
    pub fn closed_by_edge(&mut self, code: u16, reason: &str) {
        self.tell_closed(code, false, reason);
        self.standing.has_closed = true;
        self.recount();
    }

    /// The process gave it up: its peer gets this Close, and no event comes any more.
    pub fn abort(&mut self, code: u16, reason: &str) {
        self.journal.clear();
        self.standing.is_told = true;
        self.put_close(code, reason);
        self.recount();
    }

    /// No process has it, and none is told of it any more. Its peer gets a Close by its tunnel.
    pub fn disown(&mut self) {
        self.journal.clear();
        self.standing.is_told = true;
        self.recount();
    }

    /// The process sends a Close.
    pub fn close(&mut self, code: u16, reason: &str) {
        self.standing.is_closed_by_process |= !self.standing.has_closed;
        self.put_close(code, reason);
        self.standing.is_finished |= self.standing.is_closed;
        self.recount();
    }

    /// Answers the Close of its peer, where that waits for what the process makes of what came before. False where none waits.
    pub fn reply(&mut self) -> bool {
        let Some(Pending::Reply { code, reason }) = self.pending.take_if(|it| is_reply(it)).map(|it| *it) else {
            return false;
        };
        self.put_close(code, &reason);
        self.standing.is_finished = true;
        self.recount();
        true
    }

    fn has_to_reply(&self) -> bool {
        self.pending.as_deref().is_some_and(is_reply)
    }

    /// True where the Close of its peer waits for its answer since it was last asked.
    pub fn has_begun_to_wait(&mut self) -> bool {
        std::mem::take(&mut self.standing.has_begun_to_wait)
    }

    /// True where the process has sent a Close before its peer did.
    #[must_use]
    pub fn is_closed_by_process(&self) -> bool {
        self.standing.is_closed_by_process
    }

    fn put_close(&mut self, code: u16, reason: &str) {
        if !std::mem::replace(&mut self.standing.has_closed, true) {
            let is_masked = self.way.is_masked;
            self.outbox.write(|out| write_close(code, reason, is_masked, out));
        }
    }

    /// True where `read` gives something.
    #[must_use]
    pub fn has_output(&self) -> bool {
        !self.outbox.is_empty() || self.standing.is_finished
    }

    /// Keeps what waits after its peer has had its turn, `beside` it so much in its tunnel. Whether the process is to be told:
    /// when something comes to wait, when it has doubled or halved, and when nothing waits any more; when much has been taken
    /// since it was told; and later, when little has.
    pub fn note_stuck(&mut self, beside: usize) -> News {
        self.stuck = self.outbox.len() + beside;
        let (now, told) = (self.stuck, self.told_stuck);
        let untold = self.taken - self.told_taken;
        let is_news = if told == 0 {
            now > 0
        } else {
            now >= 2 * told || now <= told / 2
        };
        if is_news || untold >= MUCH_TAKEN_BYTES {
            return News::Now;
        }
        if untold > 0 && !std::mem::replace(&mut self.tells_later, true) {
            return News::Later;
        }
        News::None
    }

    /// True where the process waits to be told of what has been taken.
    #[must_use]
    pub fn tells_later(&self) -> bool {
        self.tells_later
    }

    /// How much has been taken so far, and how much of that waits: as the process is told now.
    pub fn figures(&mut self) -> [u64; 2] {
        (self.told_stuck, self.told_taken, self.tells_later) = (self.stuck, self.taken, false);
        [self.taken, self.stuck as u64]
    }

    /// Keeps this beside it for the process. False where it is too long.
    #[must_use]
    pub fn keep(&mut self, state: &[u8]) -> bool {
        let fits = state.len() <= MAX_STATE_BYTES;
        if let Some(binding) = self.binding.as_mut().filter(|_| fits) {
            binding.state = state.into();
        }
        fits
    }

    /// The process sends something that its object has written down under this number; 0 for what is not written down.
    pub fn numbered(&mut self, number: u32) {
        if number != 0 {
            self.number = number;
        }
    }

    /// Events up to this one are done with.
    pub fn acknowledge(&mut self, seq: u32) {
        self.journal.acknowledge(seq);
        // Nothing is left but its end: what the process had to say to the rest has come, for it came before this.
        if self.journal.events() > 1 || !self.reply() {
            self.recount();
        }
    }

    /// Its process, or the connection to it, is gone: what is not acknowledged is told again.
    pub fn rewind(&mut self) {
        self.journal.rewind();
        self.is_announced = false;
        // With RESUMED the process knows what has been taken.
        (self.told_stuck, self.told_taken) = (0, self.taken);
        (self.waits, self.tells_later) = (false, false);
    }

    fn recount(&mut self) {
        let held = self.journal.bytes() + self.assembler.kept();
        if held != self.held {
            self.kit.held.change(self.held, held);
            self.held = held;
        }
        let unsent = self.outbox.len();
        if unsent > self.unsent {
            self.kit.unsent.fetch_add(unsent - self.unsent, Ordering::Relaxed);
        } else if unsent < self.unsent {
            self.kit.unsent.fetch_sub(self.unsent - unsent, Ordering::Relaxed);
        }
        self.unsent = unsent;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.kit.held.change(self.held, 0);
        self.kit.unsent.fetch_sub(self.unsent, Ordering::Relaxed);
    }
}

fn is_reply(pending: &Pending) -> bool {
    matches!(pending, Pending::Reply { .. })
}

/// Whether a Close frame may have this code (RFC 6455 §7.4, and the registry of close codes).
#[must_use]
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
