//! A TLS session over a tokio socket: handshakes, and ordinary reading and writing until a tunnel takes both over.
//!
//! Law 1: `poll_read` and `poll_write` lose nothing when they are dropped or `Pending`: bytes are in the session, in
//! `plaintext` or in `to_peer`, and `into_parts` hands over all of them.
//! Law 2: at most `MAX_UNSENT_BYTES` and one write wait encrypted for a slow peer; then `poll_write` is `Pending`.
//! Law 3: nothing here measures time. The caller limits `accept` and `connect`.

use std::cell::Cell;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ServerConfig};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{TlsFacts, TlsFault, TlsSession};

/// Ciphertext read from a socket at once: two records of full size, as much as one `poll_read` may decrypt.
const READ_BYTES: usize = 32 * 1024;

/// Plaintext encrypted at once: one record of full size (RFC 8446 §5.1).
const WRITE_BYTES: usize = 16 * 1024;

/// Ciphertext that may wait for the peer. Precedent: rustls's own buffered connection has 64 KiB.
const MAX_UNSENT_BYTES: usize = 64 * 1024;

thread_local! {
    /// Where this thread reads ciphertext into, and decrypts it. Taken while in use, so that a stream over a stream
    /// finds none and makes its own.
    static INCOMING: Cell<Vec<u8>> = const { Cell::new(Vec::new()) };
}

/// TLS over `S`, after its handshake. Reading yields plaintext, writing takes it.
///
/// A write may still wait in here when it has returned: flush before waiting for an answer. `poll_shutdown` sends
/// `close_notify`. The end of the peer's data reads as 0 bytes, also when its `close_notify` is missing, as it is from
/// many; `was_truncated` tells. HTTP with a length, and WebSocket, see for themselves whether something is missing.
#[derive(Debug)]
pub struct TlsStream<S> {
    stream: S,
    session: Box<TlsSession>,
    plaintext: Pending,
    to_peer: Pending,
    ended: bool,
    /// What went wrong behind the data in `plaintext`.
    fault: Option<TlsFault>,
}

/// A `TlsStream` taken apart, with nothing lost.
#[derive(Debug)]
pub struct TlsParts<S> {
    /// The socket.
    pub stream: S,
    /// The session, which may itself hold an incomplete record.
    pub session: Box<TlsSession>,
    /// Decrypted and not read yet.
    pub plaintext: Vec<u8>,
    /// Encrypted and not sent yet; goes to the peer before anything that `session` makes later.
    pub to_peer: Vec<u8>,
}

/// The server's handshake. `first` is what has been read from the stream already, to see what it is ([`Hello::of`]).
/// The fault's alert has been sent, as far as the socket took it.
///
/// Does not wait until the client has taken the last of it, the ticket: that leaves with the next read or write.
pub async fn accept<S>(mut first: Vec<u8>, stream: S, config: Arc<ServerConfig>) -> Result<TlsStream<S>, TlsFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = TlsStream::new(stream, TlsSession::server(config)?);
    let (plaintext, to_peer) = (&mut stream.plaintext.bytes, &mut stream.to_peer.bytes);
    let begun = stream.session.receive(&mut first, plaintext, to_peer);
    stream.handshake(begun).await?;
    Ok(stream)
}

/// The client's handshake with the server `name`. The fault's alert has been sent, as far as the socket took it.
pub async fn connect<S>(
    stream: S,
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
) -> Result<TlsStream<S>, TlsFault>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut stream = TlsStream::new(stream, TlsSession::client(config, name)?);
    stream.session.start(&mut stream.to_peer.bytes)?;
    stream.handshake(Ok(())).await?;
    // The server waits for our Finished, and our caller perhaps for what the server says then.
    std::future::poll_fn(|cx| stream.poll_send(cx)).await?;
    Ok(stream)
}

impl<S> TlsStream<S> {
    fn new(stream: S, session: TlsSession) -> Self {
        Self {
            stream,
            session: Box::new(session),
            plaintext: Pending::default(),
            to_peer: Pending::default(),
            ended: false,
            fault: None,
        }
    }

    /// Gives up the stream's own reading and writing, for who does it without tokio.
    pub fn into_parts(self) -> TlsParts<S> {
        TlsParts {
            stream: self.stream,
            session: self.session,
            plaintext: self.plaintext.into_rest(),
            to_peer: self.to_peer.into_rest(),
        }
    }

    /// Version, cipher and name of the session.
    pub fn facts(&self) -> TlsFacts {
        self.session.facts()
    }

    /// Whether HTTP/2 was agreed on.
    pub fn speaks_http2(&self) -> bool {
        self.session.speaks_http2()
    }

    /// The socket.
    pub fn get_ref(&self) -> &S {
        &self.stream
    }

    /// True where the peer's data ended without `close_notify`: an attacker may have cut it (RFC 8446 §6.1).
    pub fn was_truncated(&self) -> bool {
        self.ended && !self.session.peer_closed()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> TlsStream<S> {
    async fn handshake(&mut self, begun: Result<(), TlsFault>) -> Result<(), TlsFault> {
        let outcome = match begun {
            Ok(()) => std::future::poll_fn(|cx| self.poll_handshake(cx)).await,
            fault => fault,
        };
        if !matches!(outcome, Ok(()) | Err(TlsFault::Io(_))) {
            // The alert is a courtesy: where it cannot be sent, the fault itself is still what to report.
            let _ = std::future::poll_fn(|cx| self.poll_end_with_alert(cx)).await;
        }
        outcome
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TlsFault>> {
        loop {
            // Both are tried each time. To wait for one would be to wait for a peer that waits for the other; and what
            // a server says at the end, its ticket, is read by many clients only together with the first answer.
            if let Poll::Ready(Err(error)) = self.poll_send(cx) {
                return Poll::Ready(Err(error.into()));
            }
            if !self.session.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            ready!(self.poll_receive(cx))?;
            if self.ended {
                return Poll::Ready(Err(TlsFault::HandshakeCut));
            }
        }
    }

    fn poll_end_with_alert(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.poll_send(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    /// Sends what is encrypted; ready when all of it is with the socket.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.to_peer.is_empty() {
            let sent = ready!(Pin::new(&mut self.stream).poll_write(cx, self.to_peer.rest()))?;
            if sent == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.to_peer.consume(sent);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads from the socket once and decrypts what came; sets `ended` at the end of input.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), TlsFault>> {
        let mut incoming = INCOMING.take();
        incoming.resize(READ_BYTES, 0);
        let mut read = ReadBuf::new(&mut incoming);
        let outcome = match Pin::new(&mut self.stream).poll_read(cx, &mut read) {
            Poll::Ready(Ok(())) if read.filled().is_empty() => {
                self.ended = true;
                Poll::Ready(Ok(()))
            }
            Poll::Ready(Ok(())) => Poll::Ready(self.session.receive(
                read.filled_mut(),
                &mut self.plaintext.bytes,
                &mut self.to_peer.bytes,
            )),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error.into())),
            Poll::Pending => Poll::Pending,
        };
        INCOMING.set(incoming);
        outcome
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for TlsStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        // What waits should leave, and the task wake when it can: its reader may be the only one to poll. That the
        // socket takes nothing more is no reason not to read what came before; the next write tells.
        let _ = this.poll_send(cx);
        while this.plaintext.is_empty() {
            if let Some(fault) = this.fault.take() {
                return Poll::Ready(Err(into_io(fault)));
            }
            if this.ended || this.session.peer_closed() || buf.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            this.fault = ready!(this.poll_receive(cx)).err();
            let _ = this.poll_send(cx);
        }
        let taken = this.plaintext.rest().len().min(buf.remaining());
        buf.put_slice(&this.plaintext.rest()[..taken]);
        this.plaintext.consume(taken);
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TlsStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, data: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        // Backpressure: a peer that does not read stops its writer here.
        while this.to_peer.rest().len() > MAX_UNSENT_BYTES {
            ready!(this.poll_send(cx))?;
        }
        let taken = data.len().min(WRITE_BYTES);
        this.session
            .send(&data[..taken], &mut this.to_peer.bytes)
            .map_err(into_io)?;
        let _ = this.poll_send(cx)?;
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.session.close_notify(&mut this.to_peer.bytes);
        ready!(this.poll_send(cx))?;
        Pin::new(&mut this.stream).poll_shutdown(cx)
    }
}

fn into_io(fault: TlsFault) -> io::Error {
    match fault {
        TlsFault::Io(error) => error,
        fault => io::Error::new(io::ErrorKind::InvalidData, fault),
    }
}

/// Bytes of which a first part is done with. Owns no memory once all are.
#[derive(Debug, Default)]
struct Pending {
    bytes: Vec<u8>,
    done: usize,
}

impl Pending {
    fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    fn rest(&self) -> &[u8] {
        &self.bytes[self.done..]
    }

    fn consume(&mut self, count: usize) {
        self.done += count;
        if self.done == self.bytes.len() {
            *self = Self::default();
        }
    }

    fn into_rest(mut self) -> Vec<u8> {
        self.bytes.drain(..self.done);
        self.bytes
    }
}

/// What the first bytes on a TLS port are. Look at them before `accept`, to answer a plain request with 400.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hello {
    /// A TLS record with a handshake message; `accept` decides the rest.
    Tls,
    /// A request line in the clear.
    PlainHttp,
    /// Neither. Close without an answer.
    Garbage,
    /// Too few bytes to tell.
    NeedMore,
}

impl Hello {
    /// Longest method that we take for one. Precedent: the registry's longest, UPDATEREDIRECTREF, has 17 letters.
    const MAX_METHOD_BYTES: usize = 20;

    /// Judges the first bytes that a client has sent.
    #[must_use]
    pub fn of(first: &[u8]) -> Self {
        match first {
            [] | [0x16] => Self::NeedMore,
            // RFC 8446 §5.1: type handshake (22), legacy version 3.x.
            [0x16, 3, ..] => Self::Tls,
            _ => Self::of_request_line(first),
        }
    }

    fn of_request_line(first: &[u8]) -> Self {
        // RFC 9112 §2.2: an empty line before the request line is to be ignored.
        let line = match first {
            [b'\r' | b'\n'] | [b'\r', b'\n'] => return Self::NeedMore,
            [b'\r', b'\n', rest @ ..] | [b'\n', rest @ ..] => rest,
            line => line,
        };
        let is_method = |byte: &u8| byte.is_ascii_uppercase() || *byte == b'-';
        let method = line
            .iter()
            .take(Self::MAX_METHOD_BYTES + 1)
            .take_while(|byte| is_method(byte))
            .count();
        match line.get(method) {
            _ if method > Self::MAX_METHOD_BYTES => Self::Garbage,
            None => Self::NeedMore,
            Some(b' ') if method > 0 => Self::PlainHttp,
            Some(_) => Self::Garbage,
        }
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
