//! What has happened to WebSockets lately: those that closed, and, while somebody watches, every opening and closing.
//!
//! Law 1: both are bounded, by number and by bytes; the oldest go, and those nobody was told of are counted.
//! Law 2: a loop that opens or closes a tunnel waits for nobody: a lock is held for as long as a push takes.

use std::collections::VecDeque;
use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use super::LiveConnection;
use crate::registry::Closed;

/// Closed connections that are remembered: a few minutes of a busy edge, and all of a mass closing that an operator
/// wants to look into.
const MAX_CLOSED: usize = 4096;
/// Bytes they may take: 1 KiB each, more where paths are long.
const MAX_CLOSED_BYTES: usize = 8 * 1024 * 1024;
/// Events that wait for whoever watches: it asks several times a second.
const MAX_EVENTS: usize = 16 * 1024;
/// Bytes they may take.
const MAX_EVENT_BYTES: usize = 16 * 1024 * 1024;
/// What a record takes besides its texts.
const RECORD_BYTES: usize = 768;

/// What happened.
#[derive(Clone, Debug)]
pub enum Happened {
    /// It opened.
    Opened(Box<LiveConnection>),
    /// It closed.
    Closed(Arc<Closed>),
}

/// What happened, and when.
#[derive(Clone, Debug)]
pub struct Event {
    /// When.
    pub at: SystemTime,
    /// What.
    pub happened: Happened,
}

impl Event {
    fn bytes(&self) -> usize {
        match &self.happened {
            Happened::Opened(live) => RECORD_BYTES + live.path.len() + live.host.len(),
            // The record is shared with the ring of those that closed.
            Happened::Closed(closed) => closed_bytes(closed),
        }
    }
}

fn closed_bytes(closed: &Closed) -> usize {
    RECORD_BYTES + closed.identity.path().len() + closed.identity.host().len()
}

/// A queue with two bounds; what is pushed beyond them pushes the oldest out.
#[derive(Debug)]
struct Bounded<T> {
    items: VecDeque<(usize, T)>,
    bytes: usize,
    max_items: usize,
    max_bytes: usize,
}

impl<T> Bounded<T> {
    fn new(max_items: usize, max_bytes: usize) -> Self {
        Self {
            items: VecDeque::new(),
            bytes: 0,
            max_items,
            max_bytes,
        }
    }

    /// How many were pushed out.
    fn push(&mut self, bytes: usize, item: T) -> u64 {
        self.items.push_back((bytes, item));
        self.bytes += bytes;
        let mut lost = 0;
        while self.items.len() > self.max_items || self.bytes > self.max_bytes {
            lost += u64::from(self.pop().is_some());
        }
        lost
    }

    fn pop(&mut self) -> Option<T> {
        let (bytes, item) = self.items.pop_front()?;
        self.bytes -= bytes;
        Some(item)
    }
}

#[derive(Debug)]
struct Watched {
    events: Bounded<Event>,
    /// Since the last that were taken.
    lost: u64,
    /// Since the start.
    lost_ever: u64,
}

/// What all loops of an edge remember.
#[derive(Debug)]
pub struct Recent {
    closed: Mutex<Bounded<Arc<Closed>>>,
    is_watched: AtomicBool,
    watched: Mutex<Watched>,
}

impl Default for Recent {
    fn default() -> Self {
        Self {
            closed: Mutex::new(Bounded::new(MAX_CLOSED, MAX_CLOSED_BYTES)),
            is_watched: AtomicBool::new(false),
            watched: Mutex::new(Watched {
                events: Bounded::new(MAX_EVENTS, MAX_EVENT_BYTES),
                lost: 0,
                lost_ever: 0,
            }),
        }
    }
}

impl Recent {
    /// Whether events are kept.
    pub(crate) fn is_watched(&self) -> bool {
        self.is_watched.load(Ordering::Relaxed)
    }

    /// Begins to keep events, or ends, and forgets those that are there.
    pub(crate) fn watch(&self, on: bool) {
        self.is_watched.store(on, Ordering::Relaxed);
        let mut watched = lock(&self.watched);
        watched.lost = 0;
        while watched.events.pop().is_some() {}
    }

    /// One has opened. Called only while somebody watches.
    pub(crate) fn opened(&self, live: LiveConnection) {
        let at = live.opened;
        self.happened(at, Happened::Opened(Box::new(live)));
    }

    pub(crate) fn closed(&self, closed: &Arc<Closed>) {
        lock(&self.closed).push(closed_bytes(closed), Arc::clone(closed));
        if self.is_watched() {
            self.happened(closed.at, Happened::Closed(Arc::clone(closed)));
        }
    }

    fn happened(&self, at: SystemTime, happened: Happened) {
        let event = Event { at, happened };
        let mut watched = lock(&self.watched);
        let lost = watched.events.push(event.bytes(), event);
        watched.lost += lost;
        watched.lost_ever += lost;
    }

    /// The oldest events, and how many were lost since the last were taken.
    pub(crate) fn take(&self, limit: usize) -> (u64, Vec<Event>) {
        let mut watched = lock(&self.watched);
        let lost = mem::take(&mut watched.lost);
        let events = std::iter::from_fn(|| watched.events.pop()).take(limit).collect();
        (lost, events)
    }

    /// The one with this ray id, if it closed lately.
    pub(crate) fn find(&self, ray: &str) -> Option<Arc<Closed>> {
        let closed = lock(&self.closed);
        let mut newest_first = closed.items.iter().rev().map(|(_, closed)| closed);
        newest_first.find(|closed| closed.identity.ray() == ray).cloned()
    }

    /// Closed ones that are remembered, events that wait, and events lost since the start.
    pub(crate) fn figures(&self) -> (u64, u64, u64) {
        let remembered = lock(&self.closed).items.len() as u64;
        let watched = lock(&self.watched);
        (remembered, watched.events.items.len() as u64, watched.lost_ever)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "recent_tests.rs"]
mod tests;
