//! WebSockets to origins that were opened for a Worker's process, until it is said what becomes of them.
//!
//! A script that fetches with `Upgrade: websocket` gets a token for what was opened. It hands the token back with the 101 to
//! its own client, and the two are joined (`Holdfast-Pass`); or over its session channel, and speaks to the origin itself.
//!
//! Law 1: a token is good once, for the script that it was given to, and cannot be guessed.
//! Law 2: what is parked is bounded in number, in time and by the life of the connection that asked for it: its [`Ticket`].

use std::collections::HashMap;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::chance::random_bytes;
use crate::handshake::agrees_to_deflate;
use crate::http::ResponseHead;
use crate::policy::WorkerTarget;
use crate::sessions::{self, Upstreams, instance};
use crate::tunnel::{Half, Identity, Place, TunnelOptions};

/// WebSockets parked at once in a process; one more is refused. Each has a descriptor, and a place of those for Workers.
const MAX_PARKED: usize = 1024;

/// By what something parked is known, in hexadecimal digits of lower case: eight of the edge that it is in, as its channels name
/// it, so that a script knows which of them to ask; eight of the edge's door for claims; and 64 bits of chance, for 30 seconds.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Token([u8; 16]);

impl Token {
    fn new(edge: [u8; 8]) -> Self {
        let mut bytes: [u8; 16] = random_bytes();
        bytes[..8].copy_from_slice(&edge);
        Self(bytes)
    }

    /// None where it is not what a token looks like.
    #[must_use]
    pub fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let is_lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 32 && text.bytes().all(is_lower_hex)).then_some(())?;
        Some(Self(u128::from_str_radix(text, 16).ok()?.to_be_bytes()))
    }

    /// Whether what it is for would be parked here.
    pub(crate) fn is_of(&self, parked: &Parked) -> bool {
        self.0[..8] == parked.edge
    }

    /// The name of the door where it is to be claimed.
    pub(crate) fn door(&self) -> String {
        door_of(self.0[..8].try_into().unwrap_or_default())
    }
}

/// A name of the abstract namespace, by which the other edges of a machine find one.
fn door_of(edge: [u8; 8]) -> String {
    format!("holdfast-edge-{:016x}", u64::from_be_bytes(edge))
}

impl fmt::Display for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{:032x}", u128::from_be_bytes(self.0))
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Whoever knows one may take what it is for.
        out.write_str("Token(***)")
    }
}

/// An open WebSocket whose origin waits for who speaks to it.
pub struct Upstream {
    /// The connection, with what the origin has sent already.
    pub half: Half,
    /// The origin's 101.
    pub answer: ResponseHead,
    /// Who it is for, as far as that is the script.
    pub identity: Box<Identity>,
    /// What its zone asks of it.
    pub options: Arc<TunnelOptions>,
    /// Its places under the limits of the edge and of its zone.
    pub place: Place,
    /// The script that it was opened for.
    pub script: Arc<WorkerTarget>,
}

/// What is parked in a process.
pub struct Parked {
    /// With what all of its tokens begin.
    edge: [u8; 8],
    // The sender tells the ticket, by its end, that what it is for has been taken.
    waiting: Mutex<HashMap<Token, (Upstream, oneshot::Sender<()>)>>,
    entered: AtomicU64,
    taken: AtomicU64,
}

impl Default for Parked {
    fn default() -> Self {
        let mut edge = random_bytes();
        edge[..4].copy_from_slice(&instance().to_be_bytes());
        Self {
            edge,
            waiting: Mutex::default(),
            entered: AtomicU64::default(),
            taken: AtomicU64::default(),
        }
    }
}

impl Parked {
    /// The name of the door where what is parked here can be claimed.
    pub(crate) fn door(&self) -> String {
        door_of(self.edge)
    }

    /// Whether there is room for one more.
    pub(crate) fn has_room(&self) -> bool {
        self.lock().len() < MAX_PARKED
    }

    /// Keeps one, for as long as its ticket is there. None where there are too many: it is closed then.
    pub(crate) fn put(self: &Arc<Self>, upstream: Upstream) -> Option<Ticket> {
        let (sender, receiver) = oneshot::channel();
        let token = Token::new(self.edge);
        let mut waiting = self.lock();
        if waiting.len() >= MAX_PARKED || waiting.contains_key(&token) {
            return None;
        }
        waiting.insert(token, (upstream, sender));
        self.entered.fetch_add(1, Ordering::Relaxed);
        Some(Ticket {
            parked: Arc::clone(self),
            token,
            taken: receiver,
        })
    }

    /// What is parked under this token for this script; nobody else gets it from then on.
    pub fn take(&self, token: Token, script: &str) -> Option<Upstream> {
        let mut waiting = self.lock();
        let (upstream, _) = waiting.get(&token)?;
        if *upstream.script.script != *script {
            return None;
        }
        self.taken.fetch_add(1, Ordering::Relaxed);
        waiting.remove(&token).map(|(upstream, _)| upstream)
    }

    /// How many wait now; how many were parked, and taken, since the start.
    #[must_use]
    pub fn figures(&self) -> (u64, u64, u64) {
        let waiting = self.lock().len() as u64;
        let (entered, taken) = (&self.entered, &self.taken);
        (waiting, entered.load(Ordering::Relaxed), taken.load(Ordering::Relaxed))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Token, (Upstream, oneshot::Sender<()>)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// What a process adopts over its session channel.
impl Upstreams for Parked {
    fn take(&self, token: &str, script: &str) -> Option<sessions::Upstream> {
        let upstream = Self::take(self, Token::parse(token.as_bytes())?, script)?;
        Some(sessions::Upstream {
            is_compressed: agrees_to_deflate(&upstream.answer),
            half: upstream.half,
            identity: upstream.identity,
            options: upstream.options,
            place: upstream.place,
        })
    }
}

impl fmt::Debug for Parked {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Parked")
            .field("waiting", &self.lock().len())
            .finish_non_exhaustive()
    }
}

/// Holds something parked: without it, it is closed.
#[derive(Debug)]
pub(crate) struct Ticket {
    parked: Arc<Parked>,
    token: Token,
    taken: oneshot::Receiver<()>,
}

impl Ticket {
    /// What the script hands back.
    pub(crate) fn token(&self) -> Token {
        self.token
    }

    /// Waits until it has been taken.
    pub(crate) async fn taken(&mut self) {
        // Nothing is ever sent: the end of the sender says it.
        let _ = (&mut self.taken).await;
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        let dropped = self.parked.lock().remove(&self.token);
        // Its connection is closed without the lock.
        drop(dropped);
    }
}

#[cfg(test)]
#[path = "parked_tests.rs"]
pub(crate) mod tests;
