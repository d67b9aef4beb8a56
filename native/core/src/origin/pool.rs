//! Connections to origins between two ordinary requests. One pool a thread, so no lock and no hop.
//!
//! Law 1: a connection to an address that its origin's name no longer has is not used again, however busy it is.
//! Law 2: each has an end: by idleness, age or the number of its requests.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;

use super::{Address, Names, Origin, OriginConnection};

/// Connections kept for one origin in one thread (nginx `keepalive` is commonly 32-64 a worker).
const MAX_IDLE_PER_ORIGIN: usize = 64;
/// Connections kept in one thread.
const MAX_IDLE: usize = 512;
/// How long one is kept without a request: below the keep-alive of common servers, so that we rarely meet one that is just
/// closing (Node closes after 5 s, gunicorn 2 s, nginx 75 s, Apache 5 s).
const MAX_IDLE_TIME: Duration = Duration::from_secs(4);
/// How long one is kept at all, however busy, so that what has changed at the other side is seen some day (nginx
/// `keepalive_time`).
pub(super) const MAX_AGE: Duration = Duration::from_hours(1);
/// How many requests it carries (nginx `keepalive_requests`).
const MAX_REQUESTS: u32 = 1000;

#[derive(Debug)]
struct Idle {
    connection: OriginConnection,
    since: Instant,
    // Keeps the address of the key taken, so that no other origin gets it.
    _origin: Arc<Origin>,
}

impl Idle {
    fn is_usable(&mut self, addresses: Option<&[IpAddr]>, now: Instant) -> bool {
        now - self.since < MAX_IDLE_TIME
            && now - self.connection.since < MAX_AGE
            && is_among(self.connection.address, addresses)
            && !self.connection.stream.is_stale()
    }
}

/// What a connection can be used again for: the origin, by its address, and the name that TLS was made under where that
/// was not the origin's own. A connection never serves another name: its peer has proved to be that one only.
type Key = (*const Origin, Option<ServerName<'static>>);

/// The idle connections of one thread.
#[derive(Debug, Default)]
pub(crate) struct Pool {
    idle: RefCell<HashMap<Key, Vec<Idle>>>,
}

impl Pool {
    /// A connection that was still alive a moment ago, the one used last, to an address that the origin still has. Waits
    /// only for a look-up of the origin's name, where its records have ended. For tasks of the thread's `LocalSet`.
    pub(crate) async fn take(
        &self,
        origin: &Arc<Origin>,
        name: Option<&ServerName<'static>>,
        names: &Names,
    ) -> Option<OriginConnection> {
        let key = key(origin, name);
        if self.idle.borrow().get(&key).is_none_or(Vec::is_empty) {
            return None;
        }
        let Address::Host(host, _) = &origin.address else {
            return self.take_of(&key, None, Instant::now());
        };
        // Of a name that is gone no connection is used; the dial says why.
        let found = names.resolve_for_kept(host).await;
        self.take_of(&key, Some(found.as_deref().unwrap_or_default()), Instant::now())
    }

    /// With `addresses`, those to others are dropped as they are met.
    fn take_of(&self, key: &Key, addresses: Option<&[IpAddr]>, now: Instant) -> Option<OriginConnection> {
        let mut idle = self.idle.borrow_mut();
        let waiting = idle.get_mut(key)?;
        while let Some(mut candidate) = waiting.pop() {
            if candidate.is_usable(addresses, now) {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Keeps a connection whose last answer is complete.
    pub(crate) fn put(&self, origin: &Arc<Origin>, name: Option<&ServerName<'static>>, connection: OriginConnection) {
        self.put_at(origin, name, connection, Instant::now());
    }

    fn put_at(
        &self,
        origin: &Arc<Origin>,
        name: Option<&ServerName<'static>>,
        mut connection: OriginConnection,
        now: Instant,
    ) {
        connection.requests += 1;
        let is_worn = connection.requests >= MAX_REQUESTS || now - connection.since >= MAX_AGE;
        let mut idle = self.idle.borrow_mut();
        if is_worn || idle.values().map(Vec::len).sum::<usize>() >= MAX_IDLE {
            return;
        }
        let waiting = idle.entry(key(origin, name)).or_default();
        if waiting.len() < MAX_IDLE_PER_ORIGIN {
            connection.read = bytes::BytesMut::new();
            waiting.push(Idle {
                connection,
                since: now,
                _origin: Arc::clone(origin),
            });
        }
    }

    /// Drops what has waited too long. Called every now and then by the thread's runtime.
    pub(crate) fn sweep(&self) {
        self.idle.borrow_mut().retain(|_, waiting| {
            waiting.retain(|candidate| candidate.since.elapsed() < MAX_IDLE_TIME);
            !waiting.is_empty()
        });
    }

    /// How many connections wait.
    pub(crate) fn len(&self) -> usize {
        self.idle.borrow().values().map(Vec::len).sum()
    }
}

fn is_among(address: Option<SocketAddr>, addresses: Option<&[IpAddr]>) -> bool {
    match (address, addresses) {
        (Some(address), Some(addresses)) => addresses.contains(&address.ip()),
        _ => true,
    }
}

fn key(origin: &Arc<Origin>, name: Option<&ServerName<'static>>) -> Key {
    (Arc::as_ptr(origin), name.cloned())
}

#[cfg(test)]
#[path = "pool_tests.rs"]
mod tests;
