//! One stream while a request is on it.
//!
//! Law 1: what the client sends is taken off its frames as it comes ([`RequestStream::watch`], which runs beside whatever is
//!        done with the request), and given back to its window as it is used.
//! Law 2: a client that takes nothing of its answer for [`CLIENT_STALL`] is given up.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes, BytesMut};
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, Response};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::time::timeout;

use crate::connection::CLIENT_STALL;
use crate::download::{DownloadEnd, Interim};
use crate::http::Fields;
use crate::http::response::ResponseHead;
use crate::policy::Asked;

/// What the client has sent and nobody has used yet.
#[derive(Debug)]
struct Inbox {
    from: RecvStream,
    bytes: BytesMut,
    has_ended: bool,
}

/// Where the answer goes.
enum Outbox {
    /// Its head first.
    Head(SendResponse<Bytes>),
    Body(SendStream<Bytes>),
}

/// The stream of one request.
pub(super) struct RequestStream {
    inbox: RefCell<Inbox>,
    outbox: RefCell<Outbox>,
    /// What came behind the body.
    pub(super) trailers: Cell<Option<Fields>>,
}

/// A stream taken apart for a tunnel.
pub(super) struct StreamParts {
    pub(super) from: RecvStream,
    pub(super) to: SendStream<Bytes>,
    /// Came ahead of the answer; not given back to the client's window yet.
    pub(super) early: BytesMut,
    pub(super) has_ended: bool,
}

impl RequestStream {
    pub(super) fn new(from: RecvStream, to: SendResponse<Bytes>) -> Self {
        Self {
            inbox: RefCell::new(Inbox {
                from,
                bytes: BytesMut::new(),
                has_ended: false,
            }),
            outbox: RefCell::new(Outbox::Head(to)),
            trailers: Cell::new(None),
        }
    }

    /// Takes what comes, until the client has reset the stream or its connection has ended. Who runs beside it must be
    /// polled after it, and finds what has come.
    pub(super) async fn watch(&self) {
        poll_fn(|cx| self.poll_watch(cx)).await;
    }

    fn poll_watch(&self, cx: &mut Context<'_>) -> Poll<()> {
        let mut inbox = self.inbox.borrow_mut();
        while !inbox.has_ended {
            match inbox.from.poll_data(cx) {
                Poll::Ready(Some(Ok(bytes))) => inbox.bytes.extend_from_slice(&bytes),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(()),
                Poll::Ready(None) => match inbox.from.poll_trailers(cx) {
                    Poll::Ready(Ok(trailers)) => {
                        self.trailers.set(trailers.as_ref().map(fields_of));
                        inbox.has_ended = true;
                    }
                    Poll::Ready(Err(_)) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                },
                Poll::Pending => return Poll::Pending,
            }
        }
        match &mut *self.outbox.borrow_mut() {
            Outbox::Head(to) => to.poll_reset(cx).map(|_| ()),
            Outbox::Body(to) => to.poll_reset(cx).map(|_| ()),
        }
    }

    /// Sends the head of the final answer.
    pub(super) fn begin(&self, answer: Response<()>, is_all: bool) -> Result<(), DownloadEnd> {
        let mut outbox = self.outbox.borrow_mut();
        let Outbox::Head(to) = &mut *outbox else {
            return Err(DownloadEnd::ClientGone);
        };
        let body = to.send_response(answer, is_all).map_err(|_| DownloadEnd::ClientGone)?;
        *outbox = Outbox::Body(body);
        Ok(())
    }

    /// Sends a part of the body, as the client's window takes it.
    pub(super) async fn send(&self, mut bytes: Bytes, is_last: bool) -> Result<(), DownloadEnd> {
        while !bytes.is_empty() {
            let room = timeout(CLIENT_STALL, poll_fn(|cx| self.poll_room(cx, bytes.len())))
                .await
                .map_err(|_| DownloadEnd::ClientGone)??;
            let part = bytes.split_to(room.min(bytes.len()));
            self.put(part, is_last && bytes.is_empty())?;
            if bytes.is_empty() {
                return Ok(());
            }
        }
        if is_last {
            self.put(Bytes::new(), true)?;
        }
        Ok(())
    }

    fn poll_room(&self, cx: &mut Context<'_>, wanted: usize) -> Poll<Result<usize, DownloadEnd>> {
        match &mut *self.outbox.borrow_mut() {
            Outbox::Head(_) => Poll::Ready(Err(DownloadEnd::ClientGone)),
            Outbox::Body(to) => poll_room(to, cx, wanted).map_err(|_| DownloadEnd::ClientGone),
        }
    }

    fn put(&self, bytes: Bytes, is_last: bool) -> Result<(), DownloadEnd> {
        match &mut *self.outbox.borrow_mut() {
            Outbox::Head(_) => Err(DownloadEnd::ClientGone),
            Outbox::Body(to) => to.send_data(bytes, is_last).map_err(|_| DownloadEnd::ClientGone),
        }
    }

    /// Ends the answer with these fields.
    pub(super) fn finish(&self, trailers: HeaderMap) -> Result<(), DownloadEnd> {
        match &mut *self.outbox.borrow_mut() {
            Outbox::Head(_) => Err(DownloadEnd::ClientGone),
            Outbox::Body(to) => to.send_trailers(trailers).map_err(|_| DownloadEnd::ClientGone),
        }
    }

    /// Cuts the stream, so that the client sees that its answer is not whole.
    pub(super) fn cut(&self, reason: Reason) {
        match &mut *self.outbox.borrow_mut() {
            Outbox::Head(to) => to.send_reset(reason),
            Outbox::Body(to) => to.send_reset(reason),
        }
    }

    /// Begins an answer that has no end before the tunnel's, and takes the stream apart for it.
    pub(super) fn into_parts(self, agreement: Response<()>) -> Option<StreamParts> {
        let inbox = self.inbox.into_inner();
        let to = match self.outbox.into_inner() {
            Outbox::Head(mut to) => to.send_response(agreement, false).ok()?,
            Outbox::Body(to) => to,
        };
        Some(StreamParts {
            from: inbox.from,
            to,
            early: inbox.bytes,
            has_ended: inbox.has_ended,
        })
    }
}

/// How much the client's window takes now, at most `wanted`; at least 1 where it is ready.
pub(super) fn poll_room(
    to: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
    wanted: usize,
) -> Poll<Result<usize, h2::Error>> {
    to.reserve_capacity(wanted);
    loop {
        match to.capacity() {
            0 => {}
            room => return Poll::Ready(Ok(room)),
        }
        match to.poll_capacity(cx) {
            // Told of once; how much it is, is asked above.
            Poll::Ready(Some(Ok(_))) => {}
            Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
            Poll::Ready(None) => return Poll::Ready(Err(Reason::CANCEL.into())),
            Poll::Pending => return Poll::Pending,
        }
    }
}

fn fields_of(map: &HeaderMap) -> Fields {
    let mut fields = Fields::new();
    for (name, value) in map {
        fields.push(name.as_str(), value.as_bytes());
    }
    fields
}

/// Reads the body of the request; [`RequestStream::watch`] brings it.
pub(super) struct Body<'a>(pub(super) &'a RequestStream);

impl AsyncRead for Body<'_> {
    fn poll_read(self: Pin<&mut Self>, _: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut inbox = self.0.inbox.borrow_mut();
        if inbox.bytes.is_empty() {
            return if inbox.has_ended {
                Poll::Ready(Ok(()))
            } else {
                Poll::Pending
            };
        }
        let len = inbox.bytes.len().min(into.remaining());
        into.put_slice(&inbox.bytes[..len]);
        inbox.bytes.advance(len);
        if inbox.bytes.is_empty() {
            inbox.bytes = BytesMut::new();
        }
        // It fails for more than came only.
        let _ = inbox.from.flow_control().release_capacity(len);
        Poll::Ready(Ok(()))
    }
}

impl Interim for &RequestStream {
    async fn pass(&mut self, _: &Asked, head: &ResponseHead) -> Result<(), DownloadEnd> {
        match &mut *self.outbox.borrow_mut() {
            Outbox::Body(_) => Ok(()),
            Outbox::Head(to) => match super::answer::of_interim(head) {
                Some(interim) => to.send_informational(interim).map_err(|_| DownloadEnd::ClientGone),
                None => Ok(()),
            },
        }
    }
}
