//! One TLS session, server or client side, without I/O: ciphertext in, plaintext and ciphertext out.
//!
//! Law 1: rustls sees whole records only (`records` finds them), in the caller's buffer; what is left of that buffer,
//! an incomplete record or a part of a handshake message, is copied and kept until the rest arrives.
//! Law 2: any chopping of the input gives the same output.
//! Law 3: a fault is final.

use std::fmt;
use std::mem;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::pki_types::ServerName;
use rustls::server::UnbufferedServerConnection;
use rustls::{CipherSuite, ClientConfig, ProtocolVersion, ServerConfig};

use super::records::{MAX_PAYLOAD_BYTES, missing_bytes, whole_records};
use super::unbuffered::{Connection, Outgoing};
use super::{ALPN_HTTP_2, TlsFault, certificates};

/// Most bytes of unfinished records and handshake messages that a client can make us keep; beyond it, the session fails.
/// The one large message of a client is its hello, 0.5-4 KiB with post-quantum key shares and a ticket.
/// Precedents: `BoringSSL` reads hellos of 16 KiB, Go 64 KiB, OpenSSL 128 KiB.
const MAX_HELD_OF_CLIENT_BYTES: usize = 2 * MAX_PAYLOAD_BYTES;

/// The same for a server, whose certificate chain may be large: rustls takes messages of 64 KiB, in whatever records.
const MAX_HELD_OF_SERVER_BYTES: usize = 128 * 1024;

/// A TLS session: who we talk to is the caller's affair, this holds keys and unfinished input.
///
/// Feed `receive`, send what it and `send` append to `to_peer`, in order. After a fault, send `to_peer` and close.
pub struct TlsSession {
    connection: Connection,
    /// Records that rustls still points into, then at most one incomplete record. Almost always empty.
    held: Vec<u8>,
    /// How much of `held` is whole records, already shown to rustls.
    whole: usize,
    server_name: Option<Box<str>>,
    peer_closed: bool,
    close_sent: bool,
    failed: bool,
}

/// What there is to know about an established session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TlsFacts {
    /// "TLSv1.3", "TLSv1.2", or "" before it is agreed.
    pub version: &'static str,
    /// The cipher suite by its IANA name, "`TLS_AES_256_GCM_SHA384`", or "" before it is agreed.
    pub cipher: &'static str,
    /// The host name that a client asked for (RFC 6066 §3), lower case. None if it named none, and at origins.
    pub server_name: Option<Box<str>>,
}

impl TlsSession {
    /// The server's end of a new session. It speaks second, so there is nothing to `start`.
    pub fn server(config: Arc<ServerConfig>) -> Result<Self, TlsFault> {
        Ok(Self::new(Connection::Server(UnbufferedServerConnection::new(config)?)))
    }

    /// The client's end of a new session with the server `name`. Call `start` for its first flight.
    pub fn client(config: Arc<ClientConfig>, name: ServerName<'static>) -> Result<Self, TlsFault> {
        Ok(Self::new(Connection::Client(UnbufferedClientConnection::new(
            config, name,
        )?)))
    }

    fn new(connection: Connection) -> Self {
        Self {
            connection,
            held: Vec::new(),
            whole: 0,
            server_name: None,
            peer_closed: false,
            close_sent: false,
            failed: false,
        }
    }

    /// Whether HTTP/2 was agreed on (RFC 7301).
    #[must_use]
    pub fn speaks_http2(&self) -> bool {
        self.connection.common().alpn_protocol() == Some(ALPN_HTTP_2)
    }

    /// Appends the client's first flight to `to_peer`.
    pub fn start(&mut self, to_peer: &mut Vec<u8>) -> Result<(), TlsFault> {
        self.process(&mut [], &mut Vec::new(), to_peer).map(drop)
    }

    /// Takes ciphertext as it came from the socket, in pieces of any size.
    ///
    /// `incoming` is decrypted in place and worthless afterwards. Plaintext is appended to `plaintext`; what must go to
    /// the peer (handshake, alerts) to `to_peer`. Bytes after the peer's `close_notify` are ignored (RFC 8446 §6.1).
    ///
    /// On a fault, `plaintext` has what was received before it and `to_peer` the alert, if one is due.
    pub fn receive(
        &mut self,
        incoming: &mut [u8],
        plaintext: &mut Vec<u8>,
        to_peer: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        if self.failed {
            return Err(TlsFault::Closed);
        }
        if self.peer_closed {
            return Ok(());
        }
        let outcome = self.receive_records(incoming, plaintext, to_peer);
        if outcome.is_err() {
            self.failed = true;
        }
        if self.failed || self.peer_closed {
            self.hold(Vec::new(), 0);
        }
        outcome
    }

    /// Encrypts all of `plaintext` and appends the records to `to_peer`.
    ///
    /// Faults: `HandshakeUnfinished`, `Closed` after a `close_notify` of ours or a fault, `KeysExhausted`.
    pub fn send(&mut self, plaintext: &[u8], to_peer: &mut Vec<u8>) -> Result<(), TlsFault> {
        if self.failed || self.close_sent {
            return Err(TlsFault::Closed);
        }
        if self.is_handshaking() {
            return Err(TlsFault::HandshakeUnfinished);
        }
        self.write(Outgoing::Data(plaintext), to_peer)
    }

    /// Tells the peer that we will send no more (RFC 8446 §6.1). Once; nothing before the handshake is done or after a
    /// fault, whose alert has closed the session already.
    pub fn close_notify(&mut self, to_peer: &mut Vec<u8>) {
        if self.failed || self.close_sent || self.is_handshaking() {
            return;
        }
        self.close_sent = true;
        // The one fault possible here is that the keys are exhausted, and then rustls has sent a `close_notify` before.
        let _ = self.write(Outgoing::CloseNotify, to_peer);
    }

    /// True until application data may go both ways.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.common().is_handshaking()
    }

    /// True once the peer has said, authenticated, that it will send no more. We may still send.
    #[must_use]
    pub fn peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Version, cipher and name, as far as they are agreed.
    #[must_use]
    pub fn facts(&self) -> TlsFacts {
        let common = self.connection.common();
        TlsFacts {
            version: common.protocol_version().map_or("", version_name),
            cipher: common
                .negotiated_cipher_suite()
                .map_or("", |suite| cipher_name(suite.suite())),
            server_name: self.server_name.clone(),
        }
    }

    /// Ciphertext kept for an unfinished record or handshake message, in bytes.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.held.len()
    }

    fn receive_records(
        &mut self,
        mut incoming: &mut [u8],
        plaintext: &mut Vec<u8>,
        to_peer: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        while !self.held.is_empty() {
            let taken = self.extend_held(incoming);
            incoming = &mut incoming[taken..];
            if self.held.len() > self.max_held_bytes() {
                return Err(TlsFault::HandshakeTooLarge);
            }
            if missing_bytes(&self.held[self.whole..]) > 0 {
                return Ok(());
            }
            let mut held = mem::take(&mut self.held);
            self.whole = 0;
            let consumed = self.process(&mut held, plaintext, to_peer)?;
            if consumed < held.len() {
                held.drain(..consumed);
                let whole = held.len();
                self.hold(held, whole);
            }
            if self.peer_closed || incoming.is_empty() {
                return Ok(());
            }
        }
        let whole = whole_records(incoming);
        let consumed = if whole == 0 {
            0
        } else {
            self.process(&mut incoming[..whole], plaintext, to_peer)?
        };
        if consumed < incoming.len() {
            self.hold(incoming[consumed..].to_vec(), whole - consumed);
        }
        if self.held.len() > self.max_held_bytes() {
            return Err(TlsFault::HandshakeTooLarge);
        }
        Ok(())
    }

    /// Moves bytes into `held` until the record at its end is whole; returns how many.
    fn extend_held(&mut self, incoming: &[u8]) -> usize {
        let mut taken = 0;
        loop {
            let missing = missing_bytes(&self.held[self.whole..]);
            let available = missing.min(incoming.len() - taken);
            if available == 0 {
                return taken;
            }
            self.held.extend_from_slice(&incoming[taken..taken + available]);
            taken += available;
        }
    }

    fn hold(&mut self, held: Vec<u8>, whole: usize) {
        self.held = held;
        self.whole = whole;
    }

    /// Shows whole records to rustls; returns how many bytes it has done with.
    fn process(
        &mut self,
        records: &mut [u8],
        plaintext: &mut Vec<u8>,
        to_peer: &mut Vec<u8>,
    ) -> Result<usize, TlsFault> {
        let handshaking = self.is_handshaking();
        let outcome = self.connection.process(records, plaintext, to_peer);
        if handshaking && let Some(name) = certificates::take_asked_name() {
            self.server_name = Some(name);
        }
        let processed = outcome?;
        self.peer_closed |= processed.peer_closed;
        Ok(processed.bytes)
    }

    fn write(&mut self, outgoing: Outgoing<'_>, to_peer: &mut Vec<u8>) -> Result<(), TlsFault> {
        let outcome = self.connection.write(&mut self.held[..self.whole], outgoing, to_peer);
        self.failed |= outcome.is_err();
        outcome
    }

    fn max_held_bytes(&self) -> usize {
        match self.connection {
            Connection::Server(_) => MAX_HELD_OF_CLIENT_BYTES,
            Connection::Client(_) => MAX_HELD_OF_SERVER_BYTES,
        }
    }
}

impl fmt::Debug for TlsSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsSession")
            .field("facts", &self.facts())
            .field("handshaking", &self.is_handshaking())
            .field("held_bytes", &self.held.len())
            .finish_non_exhaustive()
    }
}

fn version_name(version: ProtocolVersion) -> &'static str {
    match version {
        ProtocolVersion::TLSv1_3 => "TLSv1.3",
        ProtocolVersion::TLSv1_2 => "TLSv1.2",
        _ => "",
    }
}

fn cipher_name(suite: CipherSuite) -> &'static str {
    match suite {
        // rustls calls these TLS13_*; RFC 8446 §B.4 does not.
        CipherSuite::TLS13_AES_128_GCM_SHA256 => "TLS_AES_128_GCM_SHA256",
        CipherSuite::TLS13_AES_256_GCM_SHA384 => "TLS_AES_256_GCM_SHA384",
        CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => "TLS_CHACHA20_POLY1305_SHA256",
        other => other.as_str().unwrap_or(""),
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

#[cfg(test)]
#[path = "hostile_tests.rs"]
mod hostile_tests;
