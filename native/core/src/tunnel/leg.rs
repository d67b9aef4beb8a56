//! One leg of a tunnel: a socket, perhaps its TLS, and what it has not taken yet.

use std::io;

use mio::{Interest, Registry, Token};

use super::socket::Socket;
use super::{Half, READ_BYTES, Scratch};
use crate::frames::Walker;
use crate::registry::Why;
use crate::sessions::Session;
use crate::tls::TlsSession;

/// One read of the other leg, encrypted, and as much again for what TLS itself has to say.
const MAX_OWED_BYTES: usize = READ_BYTES + 16 * 1024;
/// Reads of what nobody wants, before a socket is closed: 1 MiB.
const MAX_DISCARDS: usize = 32;

/// What reading a leg gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Took {
    /// Plaintext, in `Scratch::plaintext` or `Scratch::input` (see [`Leg::plaintext`]); it may be empty.
    Bytes(usize),
    /// Nothing is there now.
    Nothing,
    /// The peer sends no more.
    End,
}

/// Why a leg can be read no more, other than by its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// The socket failed.
    Transport(io::ErrorKind),
    /// Its TLS failed.
    Tls {
        /// One sentence.
        fault: String,
        /// The number of the peer's alert; 0 without one.
        alert: u8,
    },
}

impl Broken {
    pub(super) fn describe(&self) -> String {
        match self {
            Self::Transport(kind) => kind.to_string(),
            Self::Tls { fault, .. } => fault.clone(),
        }
    }

    pub(super) fn alert(&self) -> u8 {
        match self {
            Self::Transport(_) => 0,
            Self::Tls { alert, .. } => *alert,
        }
    }
}

/// What the kernel tells of a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum News {
    /// Something can be read.
    Bytes,
    /// The peer has ended its stream, somewhere behind what can be read.
    End,
    /// The connection has failed.
    Failure,
}

/// Where the direction from this leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    /// Nothing is there, until the kernel says otherwise.
    Quiet,
    /// Something may be there.
    Ready,
    /// The peer's end has been announced: read until it comes, whatever a short read suggests.
    EndAhead,
    /// The socket has failed; what came before may still be read.
    FailureAhead,
    /// The peer sends no more, or nothing that can be read.
    Ended,
}

/// Where the direction to this leg stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Writing {
    Open,
    /// To be ended as soon as what waits has gone out.
    Finishing,
    Ended,
    /// It failed: what is sent to this leg is lost.
    Broken,
}

/// Wire bytes that a socket did not take at once.
#[derive(Debug, Default)]
struct Unsent {
    bytes: Vec<u8>,
    /// How much of them it has taken since.
    taken: usize,
}

impl Unsent {
    fn rest(&self) -> &[u8] {
        &self.bytes[self.taken..]
    }
}

#[derive(Debug)]
pub(super) struct Leg {
    socket: Socket,
    tls: Option<Box<TlsSession>>,
    /// Wire bytes that the socket did not take; None where it has taken all.
    unsent: Option<Box<Unsent>>,
    /// What comes from this leg.
    pub(super) walker: Walker,
    reading: Reading,
    writing: Writing,
    watches_writable: bool,
    /// It has taken something of what waited, since somebody asked.
    has_moved: bool,
    /// Why writing broke. The kernel tells an error once, and reading then shows a mere end.
    failure: Option<io::ErrorKind>,
}

impl Leg {
    pub(super) fn new(half: Half) -> Self {
        // A `close_notify` that came with the handshake is no event any more.
        let has_end = half.tls.as_ref().is_some_and(|session| session.peer_closed());
        Self {
            socket: half.transport.into(),
            tls: half.tls,
            unsent: (!half.unsent.is_empty()).then(|| {
                Box::new(Unsent {
                    bytes: half.unsent,
                    taken: 0,
                })
            }),
            walker: Walker::new(),
            // Registering tells at once what is there to read.
            reading: if has_end { Reading::EndAhead } else { Reading::Quiet },
            writing: Writing::Open,
            watches_writable: false,
            has_moved: false,
            failure: None,
        }
    }

    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if let Socket::Pipe(end) = &self.socket {
            end.register(token);
        }
        self.socket
            .source()
            .map_or(Ok(()), |source| source.register(registry, token, Interest::READABLE))
    }

    /// A pipe has told that something has happened to it.
    pub(super) fn look(&mut self) {
        if let Socket::Pipe(end) = &self.socket {
            let news = end.look();
            self.readable(news);
        }
    }

    /// Whether the edge ends the connection that this leg is a stream of. Said once.
    pub(super) fn is_expelled(&self) -> bool {
        matches!(&self.socket, Socket::Pipe(end) if end.is_expelled())
    }

    /// The session that this leg is.
    pub(super) fn session(&mut self) -> Option<&mut Session> {
        match &mut self.socket {
            Socket::Session(session) => Some(session),
            Socket::Tcp(_) | Socket::Unix(_) | Socket::Pipe(_) => None,
        }
    }

    /// The same, as it leaves with all that it has been sent.
    pub(super) fn into_session(self) -> Option<Box<Session>> {
        let Socket::Session(mut session) = self.socket else {
            return None;
        };
        if let Some(unsent) = self.unsent {
            session.receive_rest(unsent.rest());
        }
        session.end_input();
        Some(session)
    }

    /// How much waits for the socket.
    pub(super) fn waiting(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.rest().len())
    }

    /// Also asks for writability, once this leg has not taken all; before that, the kernel need not tell.
    pub(super) fn watch_writable(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        if self.watches_writable || self.is_drained() {
            return Ok(());
        }
        self.watches_writable = true;
        let Some(source) = self.socket.source() else {
            return Ok(());
        };
        source.reregister(registry, token, Interest::READABLE | Interest::WRITABLE)
    }

    /// The kernel has told that this leg can be read, that its end has come, or that it has failed.
    pub(super) fn readable(&mut self, news: News) {
        self.reading = match (self.reading, news) {
            (Reading::Ended, _) => Reading::Ended,
            (_, News::Failure) | (Reading::FailureAhead, _) => Reading::FailureAhead,
            (_, News::End) | (Reading::EndAhead, _) => Reading::EndAhead,
            (_, News::Bytes) => Reading::Ready,
        };
    }

    pub(super) fn is_readable(&self) -> bool {
        matches!(self.reading, Reading::Ready | Reading::EndAhead | Reading::FailureAhead)
    }

    /// Its end, or its failure, has been announced and not been read yet.
    pub(super) fn announced(&self) -> Option<Why> {
        match self.reading {
            Reading::EndAhead => Some(Why::EndOfStream),
            Reading::FailureAhead => Some(Why::TransportError),
            Reading::Quiet | Reading::Ready | Reading::Ended => None,
        }
    }

    pub(super) fn read_ended(&self) -> bool {
        self.reading == Reading::Ended
    }

    /// Nothing of this leg is read any more.
    pub(super) fn end_reading(&mut self) {
        self.reading = Reading::Ended;
    }

    pub(super) fn write_ended(&self) -> bool {
        matches!(self.writing, Writing::Ended | Writing::Broken)
    }

    pub(super) fn is_open(&self) -> bool {
        self.writing == Writing::Open
    }

    pub(super) fn is_broken(&self) -> bool {
        self.writing == Writing::Broken
    }

    pub(super) fn is_drained(&self) -> bool {
        self.unsent.is_none()
    }

    /// True when it has taken something of what waited, since this was last asked.
    pub(super) fn has_moved(&mut self) -> bool {
        std::mem::take(&mut self.has_moved)
    }

    /// True when this peer makes us owe it more than a stalled reader can: TLS answers it asks for and does not take.
    pub(super) fn owes_too_much(&self) -> bool {
        self.waiting() > MAX_OWED_BYTES
    }

    /// Reads once. Plaintext goes to `scratch`; what TLS has to answer goes out on this leg.
    pub(super) fn take(&mut self, scratch: &mut Scratch) -> Result<Took, Broken> {
        if self.tls.as_ref().is_some_and(|session| session.peer_closed()) {
            return Ok(Took::End);
        }
        let read = match self.socket.read(&mut scratch.input) {
            Ok(0) => {
                return self
                    .failure
                    .take()
                    .map_or(Ok(Took::End), |kind| Err(Broken::Transport(kind)));
            }
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.reading = Reading::Quiet;
                return Ok(Took::Nothing);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Took::Bytes(0)),
            Err(error) => return Err(Broken::Transport(error.kind())),
        };
        // epoll(7): on a stream socket a short read means that the socket is drained, unless its end is waiting.
        if read < READ_BYTES && self.reading == Reading::Ready {
            self.reading = Reading::Quiet;
        }
        let Some(session) = &mut self.tls else {
            return Ok(Took::Bytes(read));
        };
        scratch.plaintext.clear();
        scratch.out.ciphertext.clear();
        let outcome = session.receive(
            &mut scratch.input[..read],
            &mut scratch.plaintext,
            &mut scratch.out.ciphertext,
        );
        let is_closed = session.peer_closed();
        if !scratch.out.ciphertext.is_empty() {
            self.write(&scratch.out.ciphertext);
        }
        match outcome {
            Err(fault) => Err(Broken::Tls {
                alert: fault.alert(),
                fault: fault.to_string(),
            }),
            Ok(()) if is_closed && scratch.plaintext.is_empty() => Ok(Took::End),
            Ok(()) => {
                if is_closed {
                    // The close_notify behind this plaintext is the end: come back for it.
                    self.reading = Reading::EndAhead;
                }
                Ok(Took::Bytes(scratch.plaintext.len()))
            }
        }
    }

    /// The plaintext of the last [`Leg::take`].
    pub(super) fn plaintext<'a>(&self, scratch: &'a Scratch, len: usize) -> &'a [u8] {
        if self.tls.is_some() {
            &scratch.plaintext[..len]
        } else {
            &scratch.input[..len]
        }
    }

    /// Sends all of `plaintext`, or keeps what the socket does not take. A broken socket shows in `write_ended`.
    pub(super) fn send(&mut self, plaintext: &[u8], ciphertext: &mut Vec<u8>) {
        if !self.is_open() || plaintext.is_empty() {
            return;
        }
        let Some(session) = &mut self.tls else {
            return self.write(plaintext);
        };
        ciphertext.clear();
        if session.send(plaintext, ciphertext).is_err() {
            // Only a session that is closed or exhausted refuses to encrypt (RFC 8446 §5.5).
            self.break_writing();
            return;
        }
        self.write(ciphertext);
    }

    /// Puts out what waits. True when nothing waits any more.
    pub(super) fn flush(&mut self) -> bool {
        while !self.write_ended()
            && let Some(unsent) = &mut self.unsent
        {
            match self.socket.write(unsent.rest()) {
                Ok(sent) => {
                    unsent.taken += sent;
                    self.has_moved = true;
                    if unsent.rest().is_empty() {
                        self.unsent = None;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error.kind());
                    self.break_writing();
                }
            }
        }
        self.unsent = None;
        if self.writing == Writing::Finishing {
            self.end_writing();
        }
        true
    }

    /// Ends this direction: `close_notify` and FIN, behind whatever still waits. Where this is the last of the tunnel's
    /// four ends (`peer_is_over`: the other leg's two have ended), closing the socket says it, and saves a call.
    pub(super) fn finish(&mut self, ciphertext: &mut Vec<u8>, peer_is_over: bool) {
        if self.writing != Writing::Open {
            return;
        }
        if let Some(session) = &mut self.tls {
            ciphertext.clear();
            session.close_notify(ciphertext);
            self.write(ciphertext);
        }
        if self.write_ended() {
            return;
        }
        self.writing = Writing::Finishing;
        let says_by_closing = !matches!(self.socket, Socket::Pipe(_) | Socket::Session(_));
        if self.is_drained() && peer_is_over && self.read_ended() && says_by_closing {
            self.writing = Writing::Ended;
        } else if self.is_drained() {
            self.end_writing();
        }
    }

    /// Nothing can be sent on this leg any more.
    pub(super) fn break_writing(&mut self) {
        self.writing = Writing::Broken;
        self.unsent = None;
    }

    /// Takes what has come and nobody will read: a socket closed with something in it sends a RST. So much and no more.
    pub(super) fn discard(&mut self, into: &mut [u8]) {
        for _ in 0..MAX_DISCARDS {
            if !matches!(self.socket.read(into), Ok(read) if read > 0) {
                return;
            }
        }
    }

    fn end_writing(&mut self) {
        if !self.write_ended() {
            self.socket.end_writing();
            self.writing = Writing::Ended;
        }
    }

    fn write(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() && self.is_drained() && !self.write_ended() {
            match self.socket.write(bytes) {
                Ok(sent) => bytes = &bytes[sent..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    self.failure = Some(error.kind());
                    self.break_writing();
                }
            }
        }
        if !bytes.is_empty() && !self.write_ended() {
            self.unsent.get_or_insert_default().bytes.extend_from_slice(bytes);
        }
    }
}
