//! Reading in turns: a connection is read for a while, and then the tasks of its streams come before it goes on.
//!
//! Theory. The crate reads frames for as long as there are any, and keeps them until their streams' tasks take them. All run on
//! one thread, so without turns a client that sends fast would have its frames pile up, a hundred bytes of ours for each of
//! a few bytes of its own, until the crate takes it for an attacker and ends the connection.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

/// What is read before others come: with the smallest frames there are, six thousand of them.
const TURN_BYTES: usize = 64 * 1024;

/// A stream that is read in turns.
#[derive(Debug)]
pub(super) struct Turns<S> {
    stream: S,
    /// What is left of this turn.
    left: usize,
}

impl<S> Turns<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            left: TURN_BYTES,
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Turns<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.left == 0 {
            this.left = TURN_BYTES;
            // Behind whoever has been woken by what was read.
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let before = into.filled().len();
        let read = Pin::new(&mut this.stream).poll_read(cx, into);
        this.left = match read {
            Poll::Pending => TURN_BYTES,
            Poll::Ready(_) => this.left.saturating_sub(into.filled().len() - before),
        };
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Turns<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
#[path = "turns_tests.rs"]
mod tests;
