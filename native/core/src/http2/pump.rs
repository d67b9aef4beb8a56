//! A stream that is a WebSocket, as the task of its connection sees it: it moves bytes between its frames and its pipe.
//!
//! Law 1: what the client sends is given back to its window when the tunnel has taken it, and not before.
//! Law 2: no more is sent than the client's window takes; the rest waits in the pipe, and behind it the tunnel.
//! Law 3: an end is an end (`END_STREAM`), and a failure is one (`RST_STREAM`), both ways (RFC 8441 §5).

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use h2::{Reason, RecvStream, SendStream};
use tokio::time::{Sleep, sleep};

use super::REST;
use super::stream::{StreamParts, poll_room};
use crate::tunnel::{Expulsion, Outgoing, StreamEnd};

/// Runs until the stream has ended both ways, or failed.
pub(super) struct Pump {
    from: RecvStream,
    to: SendStream<Bytes>,
    pipe: StreamEnd,
    receives: bool,
    sends: bool,
    /// Runs once the tunnel has ended and its last bytes have not gone out.
    rest: Option<Pin<Box<Sleep>>>,
}

impl Pump {
    pub(super) fn new(parts: StreamParts, pipe: StreamEnd) -> Self {
        if !parts.early.is_empty() {
            pipe.deliver(&parts.early);
        }
        if parts.has_ended {
            pipe.end();
        }
        Self {
            from: parts.from,
            to: parts.to,
            pipe,
            receives: !parts.has_ended,
            sends: true,
            rest: None,
        }
    }

    /// Tells the tunnel that the edge ends the connection.
    pub(super) fn expulsion(&self) -> Expulsion {
        self.pipe.expulsion()
    }

    fn receive(&mut self, cx: &mut Context<'_>) -> Result<(), h2::Error> {
        while self.receives {
            match self.from.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => self.pipe.deliver(&bytes),
                Poll::Ready(Some(Err(error))) => return Err(error),
                Poll::Ready(None) => {
                    self.pipe.end();
                    self.receives = false;
                }
                Poll::Pending => break,
            }
        }
        let taken = self.pipe.take_back();
        if taken > 0 {
            // It fails for more than came only.
            let _ = self.from.flow_control().release_capacity(taken);
        }
        Ok(())
    }

    fn send(&mut self, cx: &mut Context<'_>) -> Result<(), h2::Error> {
        while self.sends {
            let waiting = self.pipe.waiting();
            let room = match waiting {
                0 => 0,
                wanted => match poll_room(&mut self.to, cx, wanted) {
                    Poll::Ready(room) => room?,
                    Poll::Pending => 0,
                },
            };
            match self.pipe.next(room) {
                Outgoing::Bytes(bytes) => self.to.send_data(bytes, false)?,
                Outgoing::End => {
                    self.to.send_data(Bytes::new(), true)?;
                    self.sends = false;
                }
                Outgoing::Reset => {
                    self.to.send_reset(Reason::CANCEL);
                    self.sends = false;
                    self.receives = false;
                }
                Outgoing::Nothing => {
                    // Bytes may have come between the two looks.
                    if waiting > 0 || self.pipe.waiting() == 0 {
                        break;
                    }
                }
            }
        }
        Ok(())
    }

    /// A client that has ended its own half may still reset the stream.
    fn notice_reset(&mut self, cx: &mut Context<'_>) -> Result<(), h2::Error> {
        if self.receives || !self.sends {
            return Ok(());
        }
        match self.to.poll_reset(cx) {
            Poll::Ready(Ok(reason)) => Err(reason.into()),
            Poll::Ready(Err(error)) => Err(error),
            Poll::Pending => Ok(()),
        }
    }

    fn is_over(&mut self, cx: &mut Context<'_>) -> bool {
        if !self.sends && (!self.receives || self.pipe.is_left()) {
            return true;
        }
        if !self.pipe.is_left() {
            return false;
        }
        let rest = self.rest.get_or_insert_with(|| Box::pin(sleep(REST)));
        if rest.as_mut().poll(cx).is_pending() {
            return false;
        }
        self.to.send_reset(Reason::CANCEL);
        true
    }
}

impl Future for Pump {
    type Output = ();

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        // First, so that nothing is missed of what happens meanwhile.
        this.pipe.wait(cx.waker());
        let outcome = this
            .receive(cx)
            .and_then(|()| this.send(cx))
            .and_then(|()| this.notice_reset(cx));
        if let Err(error) = outcome {
            if error.is_go_away() && error.is_library() {
                // The client broke the protocol, and the crate ends its connection.
                this.pipe.expulsion().carry_out();
            }
            this.pipe.fail(kind_of(&error));
            return Poll::Ready(());
        }
        if this.is_over(cx) {
            Poll::Ready(())
        } else {
            Poll::Pending
        }
    }
}

/// What a socket would have said.
fn kind_of(error: &h2::Error) -> io::ErrorKind {
    match error.get_io() {
        Some(error) => error.kind(),
        None if error.is_reset() => io::ErrorKind::ConnectionReset,
        None => io::ErrorKind::ConnectionAborted,
    }
}
