//! A leg without a socket: one stream of an HTTP/2 connection, between the loop of its tunnel and the task of the
//! connection.
//!
//! Law 1: both directions are bounded. What the stream brings stays within its flow-control window, since its bytes are
//!        given back to the peer only when the loop has taken them; what the loop writes stays within [`MAX_WAITING`].
//! Law 2: a pipe is told of once. What happens until the other side has looked needs no second wake-up.
//! Law 3: an idle pipe owns no buffer.
//! Law 4: an end, and a failure, come behind the bytes before them. What waits for a stream that has failed is lost.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::Waker;

use bytes::Bytes;
use mio::Token;

use super::TunnelLoop;
use super::leg::News;

/// The most that waits for the stream: one read of the other leg.
const MAX_WAITING: usize = super::READ_BYTES;
/// How much the loop takes before the peer is told that it may send more: a part of a stream's window, so that the rest of
/// it covers the way there and back.
const GIVE_BACK: usize = 16 * 1024;

/// Where one direction stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    /// It ends behind what waits.
    Ended,
    Failed(io::ErrorKind),
}

// Each of them is true or not whatever the others are.
#[allow(clippy::struct_excessive_bools)]
#[derive(Default)]
struct State {
    /// From the stream, not taken by the loop yet.
    inbound: Vec<u8>,
    inbound_end: End,
    /// Taken by the loop, and not given back to the peer's window.
    taken: usize,
    /// From the loop, not taken by the stream yet.
    outbound: Vec<u8>,
    outbound_end: End,
    /// The loop has found no room for more.
    wants_room: bool,
    /// The loop has been told to look, and has not looked yet.
    is_told: bool,
    /// Who the loop knows this leg as.
    token: Option<Token>,
    /// The task of the stream, while it waits.
    task: Option<Waker>,
    /// The loop is done with this leg.
    is_left: bool,
    /// The edge ends the connection that the stream is of, and the loop has not heard of it yet.
    is_expelled: bool,
}

struct Shared {
    state: Mutex<State>,
    tunnels: TunnelLoop,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Tells the loop to look, unless it is told already.
    fn tell_loop(&self, mut state: MutexGuard<'_, State>) {
        let Some(token) = state.token.filter(|_| !state.is_told) else {
            return;
        };
        state.is_told = true;
        drop(state);
        self.tunnels.tell(token);
    }
}

fn wake(mut state: MutexGuard<'_, State>) {
    let task = state.task.take();
    drop(state);
    if let Some(task) = task {
        task.wake();
    }
}

/// The loop's end: what a leg has in the place of a socket.
pub struct LoopEnd(Arc<Shared>);

/// The stream's end.
pub(crate) struct StreamEnd(Arc<Shared>);

/// A pipe to a tunnel of this loop.
#[must_use]
pub(crate) fn pipe(tunnels: TunnelLoop) -> (LoopEnd, StreamEnd) {
    let shared = Arc::new(Shared {
        state: Mutex::default(),
        tunnels,
    });
    (LoopEnd(Arc::clone(&shared)), StreamEnd(shared))
}

impl std::fmt::Debug for LoopEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoopEnd").finish_non_exhaustive()
    }
}

impl std::fmt::Debug for StreamEnd {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("StreamEnd").finish_non_exhaustive()
    }
}

impl LoopEnd {
    /// From now on the loop is told what happens; what has happened already, at once.
    pub(super) fn register(&self, token: Token) {
        let mut state = self.0.lock();
        state.token = Some(token);
        if !state.inbound.is_empty() || state.inbound_end != End::Open || state.is_expelled {
            self.0.tell_loop(state);
        }
    }

    /// What there is to read. Later events are told of again.
    pub(super) fn look(&self) -> News {
        let mut state = self.0.lock();
        state.is_told = false;
        match state.inbound_end {
            End::Open => News::Bytes,
            End::Ended => News::End,
            End::Failed(_) => News::Failure,
        }
    }

    /// Whether the edge ends the connection that the stream is of. Said once.
    pub(super) fn is_expelled(&self) -> bool {
        std::mem::take(&mut self.0.lock().is_expelled)
    }

    /// As a non-blocking socket reads.
    pub(super) fn read(&self, into: &mut [u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if state.inbound.is_empty() {
            return match state.inbound_end {
                End::Open => Err(io::ErrorKind::WouldBlock.into()),
                End::Ended => Ok(0),
                End::Failed(kind) => Err(kind.into()),
            };
        }
        let len = state.inbound.len().min(into.len());
        into[..len].copy_from_slice(&state.inbound[..len]);
        if len == state.inbound.len() {
            state.inbound = Vec::new();
        } else {
            state.inbound.drain(..len);
        }
        state.taken += len;
        if state.taken >= GIVE_BACK {
            wake(state);
        }
        Ok(len)
    }

    /// As a non-blocking socket writes.
    pub(super) fn write(&self, bytes: &[u8]) -> io::Result<usize> {
        let mut state = self.0.lock();
        if let End::Failed(kind) = state.inbound_end {
            return Err(kind.into());
        }
        let len = bytes.len().min(MAX_WAITING - state.outbound.len());
        if len == 0 {
            state.wants_room = true;
            return Err(io::ErrorKind::WouldBlock.into());
        }
        state.outbound.extend_from_slice(&bytes[..len]);
        wake(state);
        Ok(len)
    }

    /// Nothing more is written.
    pub(super) fn end_writing(&self) {
        let mut state = self.0.lock();
        state.outbound_end = End::Ended;
        wake(state);
    }
}

impl Drop for LoopEnd {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        state.is_left = true;
        wake(state);
    }
}

/// Tells a tunnel that the edge ends the connection its client's stream is of.
pub(crate) struct Expulsion(Weak<Shared>);

impl Expulsion {
    /// The tunnel tells both ends why, as far as its streams let it.
    pub(crate) fn carry_out(&self) {
        if let Some(shared) = self.0.upgrade() {
            let mut state = shared.lock();
            state.is_expelled = true;
            shared.tell_loop(state);
        }
    }

    /// True when there is nobody to tell.
    pub(crate) fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

/// What the stream is to send next.
pub(crate) enum Outgoing {
    /// These bytes.
    Bytes(Bytes),
    /// Its end.
    End,
    /// Its end, out of order: the loop has left without one.
    Reset,
    /// Nothing now; the task is woken.
    Nothing,
}

impl StreamEnd {
    /// Bytes that the stream brought.
    pub(crate) fn deliver(&self, bytes: &[u8]) {
        let mut state = self.0.lock();
        if state.is_left {
            state.taken += bytes.len();
            return;
        }
        state.inbound.extend_from_slice(bytes);
        self.0.tell_loop(state);
    }

    /// The stream brings no more.
    pub(crate) fn end(&self) {
        let mut state = self.0.lock();
        state.inbound_end = End::Ended;
        self.0.tell_loop(state);
    }

    /// The stream has failed, both ways.
    pub(crate) fn fail(&self, kind: io::ErrorKind) {
        let mut state = self.0.lock();
        state.inbound_end = End::Failed(kind);
        state.outbound = Vec::new();
        self.0.tell_loop(state);
    }

    /// Whoever ends the connection of the stream can tell its tunnel by this.
    pub(crate) fn expulsion(&self) -> Expulsion {
        Expulsion(Arc::downgrade(&self.0))
    }

    /// How much of what was delivered may be given back to the peer's window.
    pub(crate) fn take_back(&self) -> usize {
        std::mem::take(&mut self.0.lock().taken)
    }

    /// How much waits to be sent.
    pub(crate) fn waiting(&self) -> usize {
        self.0.lock().outbound.len()
    }

    /// Whom to wake, once, by what happens from now on.
    pub(crate) fn wait(&self, task: &Waker) {
        let mut state = self.0.lock();
        if state.task.as_ref().is_none_or(|known| !known.will_wake(task)) {
            state.task = Some(task.clone());
        }
    }

    /// What is to be sent, at most `room` bytes of it.
    pub(crate) fn next(&self, room: usize) -> Outgoing {
        let mut state = self.0.lock();
        if state.outbound.is_empty() {
            return match state.outbound_end {
                End::Ended => Outgoing::End,
                _ if state.is_left => Outgoing::Reset,
                _ => Outgoing::Nothing,
            };
        }
        if room == 0 {
            return Outgoing::Nothing;
        }
        let mut bytes = std::mem::take(&mut state.outbound);
        if room < bytes.len() {
            state.outbound = bytes.split_off(room);
        }
        if std::mem::take(&mut state.wants_room) {
            self.0.tell_loop(state);
        }
        Outgoing::Bytes(bytes.into())
    }

    /// True when nobody reads or writes at the other end any more.
    pub(crate) fn is_left(&self) -> bool {
        self.0.lock().is_left
    }
}

impl Drop for StreamEnd {
    fn drop(&mut self) {
        let state = self.0.lock();
        // The end of a stream that has come to its own is no news.
        let is_over = state.inbound_end == End::Ended && state.outbound_end == End::Ended && state.outbound.is_empty();
        if !state.is_left && !is_over && !matches!(state.inbound_end, End::Failed(_)) {
            drop(state);
            self.fail(io::ErrorKind::ConnectionAborted);
        }
    }
}

#[cfg(test)]
#[path = "pipe_tests.rs"]
mod tests;
