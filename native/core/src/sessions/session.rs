//! The edge's end of a WebSocket: frames from its peer become events, sends become frames.
//!
//! Law 1: no socket: its tunnel reads and writes it as it would one (`tunnel/socket.rs`), its loop moves its events to the
//!        channel and the process's records to it (`tunnel/sessions.rs`).
//! Law 2: while its events wait to be acknowledged it takes no more from its peer than `journal::MAX_BYTES`, but a message
//!        that has begun; what it owes its peer is at most [`MAX_UNSENT_BYTES`].
//! Law 3: CLOSED is the last event, and comes once, unless the process has given the session up.
//! Law 4: an idle session owns no buffers.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use bytes::Bytes;

use super::assembler::{Assembler, Event, Kind, unmask};
use super::autos::{Group, Pair};
use super::journal::Journal;
use super::outgoing::{Message, Way, write_close, write_pong};
use super::queue::{Queue, SHARED_FROM};
use super::records::{HEADER_BYTES, from_edge};
use super::tools::{Budget, Tools};
use crate::messages::Refusal;

/// What one session owes its peer at most. A message that comes while nothing waits may be longer.
pub const MAX_UNSENT_BYTES: usize = 16 * 1024 * 1024;
/// Beyond so much that the sessions of a script owe together, those are closed that owe more than [`SOME_UNSENT_BYTES`].
pub(super) const MAX_UNSENT_OF_SCRIPT_BYTES: usize = 256 * 1024 * 1024;
/// See [`MAX_UNSENT_OF_SCRIPT_BYTES`].
const SOME_UNSENT_BYTES: usize = 64 * 1024;
/// After so much that has been taken the process is told at once.
const MUCH_TAKEN_BYTES: u64 = 64 * 1024;
/// The most that is kept beside a session for its process.
pub const MAX_STATE_BYTES: usize = 64 * 1024;
/// So much of a message may always be kept.
const ALWAYS_KEPT_BYTES: usize = 64 * 1024;
/// What the process is told where the peer went without a word (durable-objects.md §2.4).
const GONE: &str = "WebSocket disconnected without sending Close frame.";

/// What the sessions of a script in a loop share.
#[derive(Debug, Default)]
pub struct Kit {
    tools: Arc<Mutex<Tools>>,
    /// What they hold of messages from their peers.
    pub held: Budget,
    /// What they owe their peers.
    unsent: AtomicUsize,
}

impl Kit {
    /// A script's, of a loop's.
    #[must_use]
    pub fn new(tools: &Arc<Mutex<Tools>>, held: &Arc<AtomicUsize>) -> Self {
        Self {
            tools: Arc::clone(tools),
            held: Budget::new(held),
            unsent: AtomicUsize::new(0),
        }
    }

    fn tools(&self) -> MutexGuard<'_, Tools> {
        self.tools.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What many get: made with the tools of all.
    pub fn shared(&self, message: &mut Message<'_>, way: Way) -> Bytes {
        message.shared(way, &mut self.tools())
    }
}

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

/// Why the edge ends a session by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// What its peer sent cannot be taken.
    Refused(Refusal),
    /// Its peer takes too little of what it is sent.
    Slow,
}

impl Fault {
    /// The code of the Close that the peer gets.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::Refused(refusal) => refusal.code(),
            Self::Slow => 1013,
        }
    }

    /// One sentence.
    #[must_use]
    pub fn reason(&self) -> String {
        match self {
            Self::Refused(refusal) => refusal.reason(),
            Self::Slow => "too much waits to be taken".into(),
        }
    }
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
    pub binding: Option<Box<Binding>>,
    /// Its events.
    pub journal: Journal,
    way: Way,
    assembler: Assembler,
    outbox: Queue,
    standing: Standing,
    fault: Option<Fault>,
    kit: Arc<Kit>,
    /// What of `kit` it has.
    held: usize,
    unsent: usize,
    /// Payload of the process's sends so far.
    pub taken: u64,
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
    /// A session whose peer has its 101, or has given one.
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
            fault: None,
            kit,
            held: 0,
            unsent: 0,
            taken: 0,
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

    /// Takes what its peer has sent, as much as there is room for; how much that was.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.is_deaf() {
                at = bytes.len();
            } else if self.has_room() {
                at += self.step(&bytes[at..]);
            } else {
                self.standing.is_blocked = true;
                break;
            }
        }
        self.recount();
        at
    }

    /// The same, whether there is room or not: it is the last that there is.
    pub fn receive_rest(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() && !self.is_deaf() {
            at += self.step(&bytes[at..]);
        }
        self.recount();
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        match self.assembler.step(bytes) {
            Ok((taken, event)) => {
                if let Some(event) = event {
                    self.on_event(event);
                }
                taken
            }
            Err(refusal) => {
                self.refuse(refusal);
                bytes.len()
            }
        }
    }

    /// True where what the peer says does not matter any more.
    fn is_deaf(&self) -> bool {
        self.standing.is_closed || self.standing.is_told || self.standing.is_finished
    }

    fn has_room(&mut self) -> bool {
        let is_full = self.kit.held.is_full();
        if self.assembler.is_between_messages() {
            return self.journal.has_room() && !is_full;
        }
        if is_full && self.assembler.kept() > ALWAYS_KEPT_BYTES {
            self.refuse(Refusal::NoRoom);
        }
        true
    }

    /// True where it has room for more, after it had none. Said once.
    pub fn is_unblocked(&mut self) -> bool {
        let has_room = self.journal.has_room() && !self.kit.held.is_full();
        has_room && std::mem::take(&mut self.standing.is_blocked)
    }

    /// True where it is not its own events that leave it no room.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.standing.is_blocked && self.journal.has_room()
    }

    fn on_event(&mut self, event: Event<'_>) {
        let outcome = match event {
            Event::Here(kind, payload, mask) => self.take_here(kind, payload, mask),
            Event::Put(kind, record) if kind.is_compressed => self
                .inflate(&record[HEADER_BYTES..], None)
                .and_then(|record| self.take_record(kind, record)),
            Event::Put(kind, record) => self.take_record(kind, record),
            Event::Ping(payload) => {
                if !self.standing.has_closed {
                    let is_masked = self.way.is_masked;
                    self.outbox.write(|out| write_pong(&payload, is_masked, out));
                }
                Ok(())
            }
            Event::Pong => Ok(()),
            Event::Close(payload) => self.take_close(&payload),
        };
        if let Err(refusal) = outcome {
            self.refuse(refusal);
        }
    }

    fn inflate(&self, compressed: &[u8], mask: Option<[u8; 4]>) -> Result<Vec<u8>, Refusal> {
        self.kit.tools().inflate(compressed, mask)
    }

    fn take_here(&mut self, kind: Kind, payload: &[u8], mask: Option<[u8; 4]>) -> Result<(), Refusal> {
        if kind.is_compressed {
            let record = self.inflate(payload, mask)?;
            return self.take_record(kind, record);
        }
        if payload.len() >= SHARED_FROM {
            let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
            record.extend_from_slice(&[0; HEADER_BYTES]);
            record.extend_from_slice(payload);
            unmask(&mut record[HEADER_BYTES..], mask.unwrap_or_default());
            return self.take_record(kind, record);
        }
        if let Some(pair) = self.pair_for(kind, payload.len())
            && payload
                .iter()
                .zip(mask.unwrap_or_default().iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .eq(pair.request.iter().copied())
        {
            self.answer(&pair);
            return Ok(());
        }
        self.journal.add(record_kind(kind), self.sid, |out| {
            let begin = out.len();
            out.extend_from_slice(payload);
            if let Some(mask) = mask {
                unmask(&mut out[begin..], mask);
            }
            check_text(kind, &out[begin..])
        })
    }

    fn take_record(&mut self, kind: Kind, record: Vec<u8>) -> Result<(), Refusal> {
        let payload = &record[HEADER_BYTES..];
        check_text(kind, payload)?;
        if let Some(pair) = self.pair_for(kind, payload.len())
            && payload == pair.request
        {
            self.answer(&pair);
            return Ok(());
        }
        self.journal.add_record(record_kind(kind), self.sid, record);
        Ok(())
    }

    /// What a text of this length may be answered with.
    fn pair_for(&self, kind: Kind, len: usize) -> Option<Arc<Pair>> {
        let binding = self.binding.as_ref().filter(|_| kind.is_text)?;
        binding.autos.pair().filter(|pair| pair.request.len() == len)
    }

    fn answer(&mut self, pair: &Pair) {
        if !self.standing.has_closed {
            self.put(&Message::new(true, &pair.response));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.answered_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    }

    /// When an auto-response was last sent, in milliseconds of Unix time. Said once.
    pub fn take_answered_ms(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.answered_ms)).filter(|ms| *ms > 0)
    }

    /// RFC 6455 §5.5.1, §7.4.
    fn take_close(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let (code, reason) = match payload {
            [] => (1005, &payload[..0]),
            [_] => return Err(Refusal::Protocol("a Close has half a code")),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !payload.is_empty() && !may_be_sent(code) {
            return Err(Refusal::Protocol("a Close has a code that may not be sent"));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Refusal::NotUtf8)?;
        self.standing.is_closed = true;
        self.tell_closed(code, true, reason);
        if self.binding.as_ref().is_none_or(|binding| binding.auto_reply) {
            self.put_close(if payload.is_empty() { 0 } else { code }, "");
        }
        self.standing.is_finished |= self.standing.has_closed;
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.standing.is_told {
            return;
        }
        let fault = Fault::Refused(refusal);
        if let Fault::Refused(Refusal::Protocol(_) | Refusal::NotUtf8) = fault {
            let text = fault.reason();
            self.tell(from_edge::FAILED, text.as_bytes());
        }
        self.tell_closed(fault.code(), false, &fault.reason());
        self.fault = Some(fault);
    }

    /// Why its tunnel must end it. Said once.
    pub fn take_fault(&mut self) -> Option<Fault> {
        self.fault.take()
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
        self.standing.is_finished = true;
        self.recount();
    }

    /// The edge closes it on its own account: its peer gets a Close by its tunnel.
    pub fn closed_by_edge(&mut self, code: u16, reason: &str) {
        self.tell_closed(code, false, reason);
        (self.standing.has_closed, self.standing.is_finished) = (true, true);
        self.recount();
    }

    /// The process gave it up: its peer gets this Close, and no event comes any more.
    pub fn abort(&mut self, code: u16, reason: &str) {
        self.journal.clear();
        self.standing.is_told = true;
        self.put_close(code, reason);
        self.standing.is_finished = true;
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
        self.put_close(code, reason);
        self.standing.is_finished |= self.standing.is_closed;
        self.recount();
    }

    fn put_close(&mut self, code: u16, reason: &str) {
        if !std::mem::replace(&mut self.standing.has_closed, true) {
            let is_masked = self.way.is_masked;
            self.outbox.write(|out| write_close(code, reason, is_masked, out));
        }
    }

    /// The process sends a message.
    pub fn send(&mut self, message: &Message<'_>) {
        if self.admits(message.len(), MAX_UNSENT_BYTES) {
            self.put(message);
            self.recount();
        }
    }

    /// The process sends many a message, of which this is the frame. Where more than `limit` waits already it is left out, or
    /// the session is closed.
    pub fn send_shared(&mut self, payload_len: usize, limit: usize, drops: bool, frame: impl FnOnce() -> Bytes) {
        if drops && self.stuck > limit {
            self.taken += payload_len as u64;
            return;
        }
        if self.admits(payload_len, limit.clamp(SOME_UNSENT_BYTES, MAX_UNSENT_BYTES)) {
            self.outbox.push_shared(&frame());
            self.recount();
        }
    }

    /// Counts a send. False where it goes nowhere.
    fn admits(&mut self, payload_len: usize, limit: usize) -> bool {
        self.taken += payload_len as u64;
        if self.standing.has_closed || self.standing.is_finished || self.fault.is_some() {
            return false;
        }
        let waiting = self.outbox.len();
        let all_owe_much = self.kit.unsent.load(Ordering::Relaxed) > MAX_UNSENT_OF_SCRIPT_BYTES;
        let is_slow = waiting > 0 && waiting + payload_len > MAX_UNSENT_BYTES
            || self.stuck > limit
            || all_owe_much && self.stuck > SOME_UNSENT_BYTES;
        if is_slow {
            let fault = Fault::Slow;
            self.tell_closed(fault.code(), false, &fault.reason());
            self.fault = Some(fault);
        }
        !is_slow
    }

    fn put(&mut self, message: &Message<'_>) {
        let way = self.way;
        if message.len() < SHARED_FROM {
            let kit = Arc::clone(&self.kit);
            return self.outbox.write(|out| message.write(way, &mut kit.tools(), out));
        }
        let mut frame = Vec::with_capacity(message.len() + 16);
        message.write(way, &mut self.kit.tools(), &mut frame);
        self.outbox.push_shared(&frame.into());
    }

    /// Moves what its peer is to get into `into`. None where there is nothing now; 0 at the end.
    pub fn read(&mut self, into: &mut [u8]) -> Option<usize> {
        if self.outbox.is_empty() {
            return self.standing.is_finished.then_some(0);
        }
        let read = self.outbox.read(into);
        self.recount();
        Some(read)
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

    /// Events up to this one are done with.
    pub fn acknowledge(&mut self, seq: u32) {
        self.journal.acknowledge(seq);
        self.recount();
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

fn record_kind(kind: Kind) -> u8 {
    if kind.is_text {
        from_edge::TEXT
    } else {
        from_edge::BINARY
    }
}

/// RFC 6455 §8.1.
fn check_text(kind: Kind, payload: &[u8]) -> Result<(), Refusal> {
    if kind.is_text && std::str::from_utf8(payload).is_err() {
        return Err(Refusal::NotUtf8);
    }
    Ok(())
}

/// Whether a Close frame may have this code (RFC 6455 §7.4, and the registry of close codes).
#[must_use]
pub fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
