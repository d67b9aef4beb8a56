//! rustls's unbuffered connections, driven: whole records in, plaintext and ciphertext out.
//!
//! In this API the connection keeps no buffer of its own and decrypts in the one it is given. The cost of that freedom
//! is a list of duties that the buffered API does itself; they are met here and in `session`, once:
//!
//! Law 1: rustls keeps offsets into the buffer while a handshake message is spread over several records. So records that
//! it has not discarded are shown again, unmoved and as it left them, also when we only want to send: it slices from
//! such an offset and would panic on a shorter buffer.
//! Law 2: after a fault no record is shown any more. rustls does not remember a record that it could not read, and
//! would go on with the next.
//! Law 3: what rustls has queued for the peer leaves with the call that queued it, with one exception: the answer to a
//! `KeyUpdate` waits inside rustls for the next record we send, which is when RFC 8446 §4.6.3 asks for it.

use rustls::CommonState;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{
    ConnectionState, EncodeError, EncodeTlsData, EncryptError, InsufficientSizeError, UnbufferedStatus, WriteTraffic,
};

use super::TlsFault;
use super::records::HEADER_BYTES;

/// Most plaintext in one record (RFC 8446 §5.1).
const MAX_FRAGMENT_BYTES: usize = 16_384;

/// Most bytes that protection adds to a record: header, explicit nonce and tag of AES-GCM in TLS 1.2 (RFC 5288 §3).
const MAX_OVERHEAD_BYTES: usize = HEADER_BYTES + 8 + 16;

// The two are of like size, and a session is boxed as a whole.
pub(super) enum Connection {
    Server(UnbufferedServerConnection),
    Client(UnbufferedClientConnection),
}

impl Connection {
    pub(super) fn common(&self) -> &CommonState {
        match self {
            Self::Server(connection) => connection,
            Self::Client(connection) => connection,
        }
    }

    /// Shows whole records to rustls.
    pub(super) fn process(
        &mut self,
        records: &mut [u8],
        plaintext: &mut Vec<u8>,
        to_peer: &mut Vec<u8>,
    ) -> Result<Processed, TlsFault> {
        match self {
            Self::Server(connection) => process_records(connection, records, plaintext, to_peer),
            Self::Client(connection) => process_records(connection, records, plaintext, to_peer),
        }
    }

    /// Encrypts and appends to `to_peer`. `shown` is what rustls has seen and not discarded.
    pub(super) fn write(
        &mut self,
        shown: &mut [u8],
        outgoing: Outgoing<'_>,
        to_peer: &mut Vec<u8>,
    ) -> Result<(), TlsFault> {
        match self {
            Self::Server(connection) => write_record(connection, shown, outgoing, to_peer),
            Self::Client(connection) => write_record(connection, shown, outgoing, to_peer),
        }
    }
}

/// What came of showing records.
pub(super) struct Processed {
    /// How many bytes, from the first, rustls has done with.
    pub(super) bytes: usize,
    pub(super) peer_closed: bool,
}

/// What we say of our own accord.
#[derive(Clone, Copy)]
pub(super) enum Outgoing<'a> {
    Data(&'a [u8]),
    CloseNotify,
}

/// What the two kinds of connection have in common; rustls gives each its own method of the same name.
trait Unbuffered {
    type Side;
    fn show<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side>;
    fn has_output(&self) -> bool;
}

impl Unbuffered for UnbufferedServerConnection {
    type Side = ServerConnectionData;
    fn show<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(records)
    }
    fn has_output(&self) -> bool {
        self.wants_write()
    }
}

impl Unbuffered for UnbufferedClientConnection {
    type Side = ClientConnectionData;
    fn show<'c, 'i>(&'c mut self, records: &'i mut [u8]) -> UnbufferedStatus<'c, 'i, Self::Side> {
        self.process_tls_records(records)
    }
    fn has_output(&self) -> bool {
        self.wants_write()
    }
}

fn process_records<C: Unbuffered>(
    connection: &mut C,
    records: &mut [u8],
    plaintext: &mut Vec<u8>,
    to_peer: &mut Vec<u8>,
) -> Result<Processed, TlsFault> {
    let mut done = 0;
    loop {
        let status = connection.show(&mut records[done..]);
        let mut discard = status.discard;
        match status.state {
            Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                while let Some(record) = traffic.next_record() {
                    let record = record?;
                    plaintext.extend_from_slice(record.payload);
                    discard += record.discard;
                }
                // The common end, one record and nothing to answer: there is no state left to ask for.
                if done + discard == records.len() && !connection.has_output() {
                    return Ok(Processed {
                        bytes: records.len(),
                        peer_closed: false,
                    });
                }
            }
            Ok(ConnectionState::EncodeTlsData(mut flight)) => append_flight(&mut flight, to_peer)?,
            // "Transmitted" means to rustls that it may go on; the bytes are in `to_peer`, whose order is the caller's.
            Ok(ConnectionState::TransmitTlsData(transmit)) => transmit.done(),
            Ok(ConnectionState::PeerClosed | ConnectionState::Closed) => {
                return Ok(Processed {
                    bytes: records.len(),
                    peer_closed: true,
                });
            }
            Ok(ConnectionState::BlockedHandshake | ConnectionState::WriteTraffic(_)) => {
                return Ok(Processed {
                    bytes: done + discard,
                    peer_closed: false,
                });
            }
            // We configure no early data (RFC 8446 §8: it can be replayed), so rustls skips what a client sends of it.
            Ok(state) => return Err(TlsFault::unexpected(&state)),
            Err(error) => {
                append_alert(connection, &mut records[done + discard..], to_peer);
                return Err(error.into());
            }
        }
        done += discard;
    }
}

/// Takes the alert that rustls queued with a fault. It must not see records again once the queue is empty: it would
/// read on behind the faulty one.
fn append_alert<C: Unbuffered>(connection: &mut C, rest: &mut [u8], to_peer: &mut Vec<u8>) {
    while connection.has_output() {
        let Ok(ConnectionState::EncodeTlsData(mut flight)) = connection.show(rest).state else {
            return;
        };
        if append_flight(&mut flight, to_peer).is_err() {
            return;
        }
    }
}

fn append_flight<Side>(flight: &mut EncodeTlsData<'_, Side>, to_peer: &mut Vec<u8>) -> Result<(), TlsFault> {
    // rustls tells the size of a flight only by refusing a buffer that is too small for it.
    append_with(to_peer, 0, |room| {
        flight.encode(room).map_err(|error| match error {
            EncodeError::InsufficientSize(error) => WriteRefused::NeedsBytes(error.required_size),
            EncodeError::AlreadyEncoded => WriteRefused::Fault(TlsFault::unexpected(&error)),
        })
    })
}

impl Outgoing<'_> {
    /// Room that is enough for it, unless an answer to a `KeyUpdate` goes first.
    fn room_bytes(self) -> usize {
        match self {
            Self::Data(data) => data.len() + data.len().div_ceil(MAX_FRAGMENT_BYTES) * MAX_OVERHEAD_BYTES,
            Self::CloseNotify => 2 + MAX_OVERHEAD_BYTES,
        }
    }

    fn write<Side>(self, traffic: &mut WriteTraffic<'_, Side>, room: &mut [u8]) -> Result<usize, WriteRefused> {
        let written = match self {
            Self::Data(data) => traffic.encrypt(data, room),
            Self::CloseNotify => traffic.queue_close_notify(room),
        };
        written.map_err(|error| match error {
            EncryptError::InsufficientSize(InsufficientSizeError { required_size }) => {
                WriteRefused::NeedsBytes(required_size)
            }
            EncryptError::EncryptExhausted => WriteRefused::Fault(TlsFault::KeysExhausted),
        })
    }
}

fn write_record<C: Unbuffered>(
    connection: &mut C,
    shown: &mut [u8],
    outgoing: Outgoing<'_>,
    to_peer: &mut Vec<u8>,
) -> Result<(), TlsFault> {
    let outcome = loop {
        match connection.show(shown).state? {
            ConnectionState::WriteTraffic(mut traffic) => {
                break append_with(to_peer, outgoing.room_bytes(), |room| {
                    outgoing.write(&mut traffic, room)
                });
            }
            ConnectionState::EncodeTlsData(mut flight) => append_flight(&mut flight, to_peer)?,
            ConnectionState::TransmitTlsData(transmit) => transmit.done(),
            state => return Err(TlsFault::unexpected(&state)),
        }
    };
    if outcome.is_err() {
        append_alert(connection, shown, to_peer);
    }
    outcome
}

enum WriteRefused {
    NeedsBytes(usize),
    Fault(TlsFault),
}

/// Lets `write` fill room at the end of `to_peer`, which is given as many bytes as it needs and no more: what is given
/// must first be zeroed.
fn append_with(
    to_peer: &mut Vec<u8>,
    room_bytes: usize,
    mut write: impl FnMut(&mut [u8]) -> Result<usize, WriteRefused>,
) -> Result<(), TlsFault> {
    let start = to_peer.len();
    to_peer.resize(start + room_bytes, 0);
    loop {
        match write(&mut to_peer[start..]) {
            Ok(written) => {
                to_peer.truncate(start + written);
                return Ok(());
            }
            Err(WriteRefused::NeedsBytes(required)) if required > to_peer.len() - start => {
                to_peer.resize(start + required, 0);
            }
            Err(refused) => {
                to_peer.truncate(start);
                return Err(match refused {
                    WriteRefused::Fault(fault) => fault,
                    WriteRefused::NeedsBytes(_) => TlsFault::unexpected(&"room refused"),
                });
            }
        }
    }
}
