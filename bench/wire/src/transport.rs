//! A non-blocking byte stream: plain TCP, or TLS over it.
//!
//! Law 1: `receive` reads the socket once. After [`Received::Drained`] the next readiness event tells of more; after
//! [`Received::More`] the caller must come back, since an edge-triggered event will not repeat. After [`Received::Short`]
//! it must come back only if the event also told of the stream's end, which came with these bytes.
//! Law 2: `send` takes what it can. What it does not take, the caller keeps and offers again when writable.
//! While something is kept, it is to be offered after each `receive` too: that may flush ciphertext, and a socket which is
//! no longer blocked tells nothing.
//! Law 3: buffers belong to the loop, not to the connection: one [`Scratch`] serves all of them.

use std::io::{self, BufRead, ErrorKind, Read, Write};
use std::net::Shutdown;

use mio::net::TcpStream;
use rustls::Connection;

/// Bytes read from a socket at a time.
const READ_BYTES: usize = 64 * 1024;

/// The read buffer all connections of a loop share.
#[derive(Debug)]
pub struct Scratch(Box<[u8]>);

impl Default for Scratch {
    fn default() -> Self {
        Self(vec![0; READ_BYTES].into_boxed_slice())
    }
}

/// How the socket stands after `receive`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Received {
    /// Nothing is there now.
    Drained,
    /// The buffer was not filled: but for the end of the stream, nothing more is there now.
    Short,
    /// The buffer was filled: more may be there.
    More,
    /// The other end has finished sending.
    Closed,
}

/// A connected, or connecting, stream.
#[derive(Debug)]
pub enum Transport {
    /// TCP as it is.
    Plain(TcpStream),
    /// TLS, either side of it.
    Tls(TcpStream, Box<Connection>),
}

impl Transport {
    /// The socket, for registering it and asking for its error.
    pub fn socket(&mut self) -> &mut TcpStream {
        match self {
            Self::Plain(socket) | Self::Tls(socket, _) => socket,
        }
    }

    /// Read once and hand the plaintext to `sink`, in pieces. A TLS handshake goes on inside.
    pub fn receive(&mut self, scratch: &mut Scratch, mut sink: impl FnMut(&[u8])) -> io::Result<Received> {
        let read = loop {
            match self.socket().read(&mut scratch.0) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Received::Drained),
                other => break other?,
            }
        };
        let bytes = &scratch.0[..read];
        let closed = match self {
            Self::Plain(_) => {
                sink(bytes);
                read == 0
            }
            Self::Tls(_, tls) => decrypt(tls, bytes, &mut sink)?,
        };
        if let Self::Tls(socket, tls) = self {
            flush(socket, tls)?;
        }
        Ok(match (closed, read) {
            (true, _) => Received::Closed,
            (_, READ_BYTES) => Received::More,
            _ => Received::Short,
        })
    }

    /// Send what can be sent of `bytes`: how many were taken. Call it with none to go on with a TLS handshake
    /// or with ciphertext that did not fit before.
    pub fn send(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut taken = 0;
        match self {
            Self::Plain(socket) => {
                while taken < bytes.len() {
                    match socket.write(&bytes[taken..]) {
                        Ok(0) => return Err(ErrorKind::WriteZero.into()),
                        Ok(written) => taken += written,
                        Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                        Err(error) if error.kind() == ErrorKind::Interrupted => {}
                        Err(error) => return Err(error),
                    }
                }
            }
            Self::Tls(socket, tls) => loop {
                // The writer stops taking when 64 KiB of ciphertext wait, which is this side's backpressure.
                let written = tls.writer().write(&bytes[taken..])?;
                taken += written;
                let stuck = written == 0 && tls.is_handshaking();
                if !flush(socket, tls)? || taken == bytes.len() || stuck {
                    break;
                }
            },
        }
        Ok(taken)
    }

    /// Whether ciphertext waits for the socket. Always false for plain TCP.
    #[must_use]
    pub fn wants_send(&self) -> bool {
        matches!(self, Self::Tls(_, tls) if tls.wants_write())
    }

    /// Say that nothing more will be sent (TLS: with a `close_notify`).
    pub fn finish(&mut self) -> io::Result<()> {
        if let Self::Tls(socket, tls) = self {
            tls.send_close_notify();
            flush(socket, tls)?;
        }
        self.socket().shutdown(Shutdown::Write)
    }

    /// The negotiated TLS version and cipher suite, once there are any.
    #[must_use]
    pub fn tls_facts(&self) -> Option<String> {
        let Self::Tls(_, tls) = self else { return None };
        let (version, suite) = (tls.protocol_version()?, tls.negotiated_cipher_suite()?);
        Some(format!("{version:?} {:?}", suite.suite()))
    }

    /// Whether the TLS handshake was shortened by resumption.
    #[must_use]
    pub fn was_resumed(&self) -> bool {
        matches!(self, Self::Tls(_, tls) if tls.handshake_kind() == Some(rustls::HandshakeKind::Resumed))
    }
}

/// Feed ciphertext and hand out plaintext; true at the end of the stream (`close_notify` or end of file).
fn decrypt(tls: &mut Connection, bytes: &[u8], sink: &mut impl FnMut(&[u8])) -> io::Result<bool> {
    let mut ciphertext = bytes;
    let mut plaintext_closed = ciphertext.is_empty();
    while !ciphertext.is_empty() {
        tls.read_tls(&mut ciphertext)?;
        let state = tls
            .process_new_packets()
            .map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
        plaintext_closed = state.peer_has_closed();
        let mut left = state.plaintext_bytes_to_read();
        while left > 0 {
            let mut reader = tls.reader();
            let chunk = reader.fill_buf()?;
            let size = chunk.len();
            sink(chunk);
            reader.consume(size);
            left -= size;
        }
        if plaintext_closed {
            break;
        }
    }
    Ok(plaintext_closed)
}

/// Write waiting ciphertext; false if some is left.
fn flush(socket: &mut TcpStream, tls: &mut Connection) -> io::Result<bool> {
    while tls.wants_write() {
        match tls.write_tls(socket) {
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
}
