//! A connection while a runtime has it: plain or TLS, TCP or Unix, as one type.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::BytesMut;
use socket2::{SockRef, TcpKeepalive};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpStream, UnixStream};

use crate::tls::{TlsParts, TlsStream};
use crate::tunnel::{Half, Transport};

/// Probes on a silent connection (cloudflare.md §1.3: every 30 s), so that a peer that vanished without a word is noticed:
/// after the fourth unanswered one, two minutes and a half.
pub(crate) const KEEP_ALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(30))
    .with_interval(Duration::from_secs(30))
    .with_retries(4);

/// How much of what a socket has taken the kernel may still have to send before it takes no more. Without a limit it takes
/// megabytes, and tells that there is room again only when a third of them has gone: whoever reads all the time, but slowly,
/// would look like somebody who has stopped.
const MAX_UNSENT_BYTES: u32 = 64 * 1024;

/// Makes the kernel tell early that a peer takes something. What refuses it is about to fail anyway.
pub(crate) fn show_progress<'s>(socket: impl Into<SockRef<'s>>) {
    let _ = socket.into().set_tcp_notsent_lowat(MAX_UNSENT_BYTES);
}

#[derive(Debug)]
pub(crate) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Stream {
    /// Leaves the runtime. `read` is plaintext that was read from it and not used.
    pub(crate) fn into_half(self, read: &BytesMut) -> io::Result<Half> {
        let mut early = read.to_vec();
        let (transport, tls, unsent) = match self {
            Self::Tcp(socket) => (Transport::Tcp(socket.into_std()?), None, Vec::new()),
            Self::Unix(socket) => (Transport::Unix(socket.into_std()?), None, Vec::new()),
            Self::Tls(stream) => {
                let TlsParts {
                    stream,
                    session,
                    plaintext,
                    to_peer,
                } = stream.into_parts();
                early.extend(plaintext);
                (Transport::Tcp(stream.into_std()?), Some(session), to_peer)
            }
        };
        early.shrink_to_fit();
        Ok(Half {
            transport,
            tls,
            early,
            unsent,
        })
    }

    /// True when an idle connection has become readable: its peer has closed it, or speaks out of turn.
    pub(crate) fn is_stale(&mut self) -> bool {
        let mut byte = [0];
        let mut buffer = ReadBuf::new(&mut byte);
        let mut context = Context::from_waker(std::task::Waker::noop());
        Pin::new(self).poll_read(&mut context, &mut buffer).is_ready()
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_read(context, into),
            Self::Unix(socket) => Pin::new(socket).poll_read(context, into),
            Self::Tls(stream) => Pin::new(stream).poll_read(context, into),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Unix(socket) => Pin::new(socket).poll_write(context, bytes),
            Self::Tls(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_flush(context),
            Self::Unix(socket) => Pin::new(socket).poll_flush(context),
            Self::Tls(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Unix(socket) => Pin::new(socket).poll_shutdown(context),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}
