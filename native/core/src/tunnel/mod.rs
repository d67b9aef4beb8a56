//! Open WebSockets: one readiness loop a thread over a slab of tunnels.
//!
//! Law 1: a message is never buffered, but a text of a zone with rules about them (`guard`). What a slow reader does not take stops its writer: at most one read of
//!        [`READ_BYTES`] waits for a leg, and nothing more is read for it until that has gone out.
//! Law 2: an idle tunnel owns no buffers; a thread's tunnels share one set of them ([`Scratch`]).
//! Law 3: bytes leave in the order they came, first those that came with the handshake.
//! Law 4: the edge speaks only at frame boundaries. What it asks for itself, answers to its pings, goes no further.
//! Law 5: a tunnel whose end has begun has a deadline.

mod closing;
mod coming;
mod ending;
mod event_loop;
mod gate;
mod guard;
mod handle;
mod identity;
mod leg;
mod links;
mod moment;
mod options;
mod passage;
mod pipe;
mod relay;
mod scripts;
mod sessions;
mod socket;
mod spin;
mod survey;
mod vigil;
mod waiting;
mod wheel;

use std::net::TcpStream;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

pub use crate::caps::Place;
pub use closing::Order;
pub use coming::Coming;
pub use handle::{LoopStatistics, TunnelLoop};
pub(crate) use identity::HANDED_BYTES;
pub use identity::{Asked, Identity, Spoken};
pub use options::{Keepalive, OverRate, Rates, TunnelOptions};
pub use pipe::LoopEnd;
pub(crate) use pipe::{Expulsion, Outgoing, StreamEnd, pipe};
pub(crate) use survey::Entry;

use crate::messages::{Account, Judge};
use crate::registry::Line;
use crate::sessions::{Session, UNBOUND};
use crate::tls::TlsSession;

/// The most that is read from a socket at once, and so the most that can wait for a stalled reader.
pub const READ_BYTES: usize = 32 * 1024;
/// Reads from one leg before the other tunnels of the thread get their turn.
const READS_PER_TURN: usize = 4;
/// After both Close frames, or after a broken leg: how long the rest may take (nginx `lingering_timeout`: 5 s).
const LINGER: Duration = Duration::from_secs(10);
/// How long a half-closed tunnel may stay silent (HAProxy `timeout client-fin`, commonly 30 s; nginx has no such state).
const HALF_CLOSED_SILENCE: Duration = Duration::from_mins(1);

/// Until when a tunnel whose end has begun may take.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// After both Close frames, or after a leg has failed.
    pub linger: Duration,
    /// Without a byte, while one direction has ended.
    pub half_closed_silence: Duration,
    /// For a script's process to say whose a session is that it has asked for.
    pub unbound: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            linger: LINGER,
            half_closed_silence: HALF_CLOSED_SILENCE,
            unbound: UNBOUND,
        }
    }
}

/// One of the two ends of a tunnel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Whoever sent the upgrade request.
    Client = 0,
    /// Whoever answered it with 101.
    Origin = 1,
}

impl Side {
    /// The other one.
    #[must_use]
    pub fn peer(self) -> Self {
        match self {
            Self::Client => Self::Origin,
            Self::Origin => Self::Client,
        }
    }
}

/// A connected, non-blocking socket of either leg, or what stands in for one.
#[derive(Debug)]
pub enum Transport {
    /// TCP.
    Tcp(TcpStream),
    /// A Unix socket: of an origin, of a Worker's process, or to another tunnel.
    Unix(UnixStream),
    /// A stream of an HTTP/2 connection (clients only).
    Pipe(LoopEnd),
    /// A session: it ends in this very loop, on either side.
    Session(Box<Session>),
}

/// One leg as it leaves the runtime that did its handshake.
#[derive(Debug)]
pub struct Half {
    /// The socket.
    pub transport: Transport,
    /// Its TLS, handshake done.
    pub tls: Option<Box<TlsSession>>,
    /// Plaintext already read from this leg, to be delivered before anything else.
    pub early: Vec<u8>,
    /// Wire bytes this leg was owed and has not been sent yet.
    pub unsent: Vec<u8>,
}

/// What stands at the other end of a tunnel than its client.
#[derive(Debug)]
pub enum Far {
    /// A connection to an origin.
    Origin(Half),
    /// A script's process, which the edge speaks to in messages, and which has said whose the session is.
    Session(Coming),
}

impl Half {
    /// A leg that is a session.
    fn session(session: Box<Session>) -> Self {
        Self {
            transport: Transport::Session(session),
            tls: None,
            early: Vec::new(),
            unsent: Vec::new(),
        }
    }
}

/// What becomes a tunnel: two legs, joined by a 101.
pub struct NewTunnel {
    /// The client's leg.
    pub client: Half,
    /// What the client speaks to.
    pub far: Far,
    /// The 101, as the client is to get it before anything of the origin's.
    pub greeting: Vec<u8>,
    /// Who it is for.
    pub identity: Identity,
    /// What its zone asks of it.
    pub options: Arc<TunnelOptions>,
    /// Dropped when the tunnel has ended; holds the connection's place under the edge's limit.
    pub place: Place,
}

/// Buffers for what goes out.
#[derive(Debug, Default)]
struct Buffers {
    /// What passes, where it is not all that came.
    passing: Vec<u8>,
    /// What goes out, encrypted.
    ciphertext: Vec<u8>,
    /// What rules about messages let pass.
    judged: Vec<u8>,
    /// Who asks them.
    judge: Judge,
    /// What all tunnels hold of messages that are not complete.
    held: Arc<Account>,
    /// Lines for the log.
    lines: Vec<Line>,
}

impl Buffers {
    /// Gives back what a large message took.
    fn shrink(&mut self) {
        for buffer in [&mut self.passing, &mut self.ciphertext, &mut self.judged] {
            if buffer.capacity() > 2 * READ_BYTES {
                buffer.clear();
                buffer.shrink_to(READ_BYTES);
            }
        }
    }
}

/// What the tunnels of a thread share: buffers, and their limits.
#[derive(Debug)]
struct Scratch {
    /// What a socket gave.
    input: Vec<u8>,
    /// The plaintext of it.
    plaintext: Vec<u8>,
    out: Buffers,
    limits: Limits,
}

impl Scratch {
    fn new(limits: Limits) -> Self {
        Self {
            input: vec![0; READ_BYTES],
            plaintext: Vec::new(),
            out: Buffers::default(),
            limits,
        }
    }
}

#[cfg(test)]
mod tests;
