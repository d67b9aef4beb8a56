//! The socket of a connection, watched: what a client costs us that the crate does not count, or counts for life.
//!
//! Theory. The crate reads and writes frames; what passes here is their bytes. Of those only the heads are looked at.
//!
//! Law 1: who asks for more answers of the protocol itself (PING, SETTINGS), or fails in more streams, than anybody would, is
//!        over its budget. Nothing more of it is read, and [`Conduct::offended`] tells.
//! Law 2: a client that takes none of what it is owed opens no streams without end: each may owe it a reset.
//! Law 3: the socket outlives the crate's connection, so that its end can be an orderly one.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use h2::Reason;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Instant;

use super::budget::Budget;
use super::frame_heads::{FrameHead, FrameHeads, HEADERS, PING, RST_STREAM, SETTINGS};
use super::{CONTROL_BURST, CONTROL_PER_SECOND, FAULTY_BURST, FAULTY_PER_SECOND, MAX_STREAMS};

/// Heads that are read while nothing of ours is taken: as many streams as there may be, and as many refusals.
const MAX_HEADS_UNANSWERED: u32 = 2 * MAX_STREAMS;

/// What is known of a client by its frames. Shared by the socket and who serves it.
#[derive(Debug)]
pub(super) struct Conduct<S> {
    control: RefCell<Budget>,
    faulty: RefCell<Budget>,
    has_offended: Cell<bool>,
    /// Written since the client last said anything.
    unheard: Cell<usize>,
    /// The socket, once the connection has let go of it.
    left: RefCell<Option<S>>,
}

impl<S> Conduct<S> {
    fn new(now: Instant) -> Self {
        Self {
            control: RefCell::new(Budget::new(CONTROL_BURST, CONTROL_PER_SECOND, now)),
            faulty: RefCell::new(Budget::new(FAULTY_BURST, FAULTY_PER_SECOND, now)),
            has_offended: Cell::new(false),
            unheard: Cell::new(0),
            left: RefCell::new(None),
        }
    }

    /// Ready once the client is over a budget. Nothing wakes its waiter but the connection, whose frames it is
    /// about: it must be polled behind that, by the same task.
    pub(super) async fn offended(&self) {
        let look = || {
            if self.has_offended.get() {
                Poll::Ready(())
            } else {
                Poll::Pending
            }
        };
        poll_fn(|_| look()).await;
    }

    /// It is over a budget that others keep.
    pub(super) fn offend(&self) {
        self.has_offended.set(true);
    }

    /// The socket, and how much of what was written the client may not have read.
    pub(super) fn take_socket(&self) -> Option<(S, usize)> {
        Some((self.left.borrow_mut().take()?, self.unheard.get()))
    }

    fn came(&self, head: FrameHead) {
        if matches!(head.kind, PING | SETTINGS) && !self.control.borrow_mut().allows(Instant::now()) {
            self.offend();
        }
    }

    fn went(&self, head: FrameHead) {
        if head.kind == RST_STREAM && is_fault(head.code.into()) && !self.faulty.borrow_mut().allows(Instant::now()) {
            self.offend();
        }
    }
}

/// Whether a stream that we reset so has failed by its client.
fn is_fault(code: Reason) -> bool {
    !matches!(code, Reason::NO_ERROR | Reason::INTERNAL_ERROR | Reason::CANCEL)
}

/// The socket.
#[derive(Debug)]
pub(super) struct Watched<S> {
    /// There until it is dropped.
    stream: Option<S>,
    from_client: FrameHeads,
    to_client: FrameHeads,
    /// Heads that came since something was last taken, while it takes nothing.
    unanswered: u32,
    is_blocked: bool,
    /// It is not read until something is taken.
    is_held: bool,
    conduct: Rc<Conduct<S>>,
}

impl<S> Watched<S> {
    pub(super) fn new(stream: S, now: Instant) -> (Self, Rc<Conduct<S>>) {
        let conduct = Rc::new(Conduct::new(now));
        let watched = Self {
            stream: Some(stream),
            from_client: FrameHeads::of_client(),
            to_client: FrameHeads::of_server(),
            unanswered: 0,
            is_blocked: false,
            is_held: false,
            conduct: Rc::clone(&conduct),
        };
        (watched, conduct)
    }
}

impl<S> Drop for Watched<S> {
    fn drop(&mut self) {
        *self.conduct.left.borrow_mut() = self.stream.take();
    }
}

impl<S: Unpin> Watched<S> {
    fn socket(&mut self) -> io::Result<Pin<&mut S>> {
        self.stream
            .as_mut()
            .map(Pin::new)
            .ok_or_else(|| io::ErrorKind::NotConnected.into())
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.is_held = this.is_blocked && this.unanswered >= MAX_HEADS_UNANSWERED;
        if this.is_held || this.conduct.has_offended.get() {
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = this.socket()?.poll_read(cx, into);
        let came = &into.filled()[before..];
        if !came.is_empty() {
            this.conduct.unheard.set(0);
            let (conduct, unanswered) = (&this.conduct, &mut this.unanswered);
            this.from_client.walk(came, |head| {
                *unanswered = unanswered.saturating_add(u32::from(head.kind == HEADERS));
                conduct.came(head);
            });
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = this.socket()?.poll_write(cx, bytes);
        this.is_blocked = written.is_pending();
        if let Poll::Ready(Ok(count)) = written {
            this.unanswered = 0;
            if std::mem::take(&mut this.is_held) {
                cx.waker().wake_by_ref();
            }
            let unheard = &this.conduct.unheard;
            unheard.set(unheard.get().saturating_add(count));
            let conduct = &this.conduct;
            this.to_client.walk(&bytes[..count], |head| conduct.went(head));
        }
        written
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.get_mut().socket()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "watched_tests.rs"]
mod tests;
