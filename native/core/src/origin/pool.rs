//! Connections to origins between two ordinary requests. One pool a thread, so no lock and no hop.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls_pki_types::ServerName;

use super::{Origin, OriginConnection};

/// Connections kept for one origin in one thread (nginx `keepalive` is commonly 32-64 a worker).
const MAX_IDLE_PER_ORIGIN: usize = 64;
/// Connections kept in one thread.
const MAX_IDLE: usize = 512;
/// How long one is kept: below the keep-alive of common servers, so that we rarely meet one that is just closing
/// (Node closes after 5 s, gunicorn 2 s, nginx 75 s, Apache 5 s).
const MAX_IDLE_TIME: Duration = Duration::from_secs(4);

#[derive(Debug)]
struct Idle {
    connection: OriginConnection,
    since: Instant,
    // Keeps the address of the key taken, so that no other origin gets it.
    _origin: Arc<Origin>,
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
    /// A connection that was still alive a moment ago, the one used last.
    pub(crate) fn take(&self, origin: &Arc<Origin>, name: Option<&ServerName<'static>>) -> Option<OriginConnection> {
        let mut idle = self.idle.borrow_mut();
        let waiting = idle.get_mut(&key(origin, name))?;
        while let Some(mut candidate) = waiting.pop() {
            if candidate.since.elapsed() < MAX_IDLE_TIME && !candidate.connection.stream.is_stale() {
                return Some(candidate.connection);
            }
        }
        None
    }

    /// Keeps a connection whose last answer is complete.
    pub(crate) fn put(
        &self,
        origin: &Arc<Origin>,
        name: Option<&ServerName<'static>>,
        mut connection: OriginConnection,
    ) {
        let mut idle = self.idle.borrow_mut();
        if idle.values().map(Vec::len).sum::<usize>() >= MAX_IDLE {
            return;
        }
        let waiting = idle.entry(key(origin, name)).or_default();
        if waiting.len() < MAX_IDLE_PER_ORIGIN {
            connection.read = bytes::BytesMut::new();
            waiting.push(Idle {
                connection,
                since: Instant::now(),
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

fn key(origin: &Arc<Origin>, name: Option<&ServerName<'static>>) -> Key {
    (Arc::as_ptr(origin), name.cloned())
}
