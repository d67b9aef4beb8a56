//! How many connections to one origin may be coming about at once, and who is next.
//!
//! After an edge has died all its clients come back at once, and a release sends many. What the origin cannot take in one
//! moment waits here, in an orderly queue, instead of in its backlog.
//!
//! Law 1: an origin is its address, whoever asks for it: over all threads and zones, at most `limit` are under way.
//! Law 2: the turns go round over the zones that wait, so a zone with one client waits behind at most one of every other
//!        zone; within a zone it is first come, first served.
//! Law 3: whoever waits has a limit in time (the origin's connect timeout), and each zone one in number at each origin: so
//!        many times what is left of the edge's connections when all that wait are taken off. A zone that is alone gets all
//!        its clients in; the slower the others' origins are, the less of the rest may wait for one more.
//! Law 4: a place is never lost: one that is given to somebody who has just gone goes to the next.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::timeout;

use super::{Address, Origin};
use crate::fault::{Fault, FaultKind};
use crate::zones::Zone;

/// Who waits for an origin may be so many times as many as the connections that are left: a zone alone has 15 of 16. So those
/// of an edge whose clients all come back at once wait all, and no number of slow origins takes the last place
/// (dynamic thresholds: Choudhury and Hahne, 1998).
const SHARE: usize = 15;

/// The connections to origins that are coming about, of all threads.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    /// 0: no limit.
    limit: usize,
    max_connections: usize,
    origins: Mutex<HashMap<Address, Queue>>,
    statistics: PendingStatistics,
}

/// Counters of the queues.
#[derive(Debug, Default)]
pub(crate) struct PendingStatistics {
    /// Connections that are coming about.
    pub running: AtomicU64,
    /// Requests that wait to be next.
    pub waiting: AtomicU64,
    /// Requests that had to wait.
    pub waited: AtomicU64,
    /// Requests that waited too long, or found too many waiting.
    pub refused: AtomicU64,
}

/// The queue of one origin. It is there while something runs.
#[derive(Debug, Default)]
struct Queue {
    running: usize,
    /// The zones that wait, in the order of their turns.
    turns: VecDeque<usize>,
    waiting: HashMap<usize, BTreeMap<u64, oneshot::Sender<()>>>,
    numbers: u64,
}

impl Queue {
    /// Takes out whose turn it is.
    fn next(&mut self) -> Option<oneshot::Sender<()>> {
        let zone = self.turns.pop_front()?;
        let waiting = self.waiting.get_mut(&zone)?;
        let first = waiting.pop_first().map(|(_, first)| first);
        if waiting.is_empty() {
            self.waiting.remove(&zone);
        } else {
            self.turns.push_back(zone);
        }
        first
    }

    fn enqueue(&mut self, zone: usize) -> (u64, oneshot::Receiver<()>) {
        let (turn, comes) = oneshot::channel();
        self.numbers += 1;
        let of_zone = self.waiting.entry(zone).or_default();
        if of_zone.is_empty() {
            self.turns.push_back(zone);
        }
        of_zone.insert(self.numbers, turn);
        (self.numbers, comes)
    }

    /// True where this one still waited.
    fn leave(&mut self, zone: usize, number: u64) -> bool {
        let Some(waiting) = self.waiting.get_mut(&zone) else {
            return false;
        };
        let has_waited = waiting.remove(&number).is_some();
        if waiting.is_empty() {
            self.waiting.remove(&zone);
            self.turns.retain(|turn| *turn != zone);
        }
        has_waited
    }
}

impl Pending {
    /// At most `limit` at once for each origin (0: as many as come), and behind them a share of the connections that the edge
    /// may have.
    pub(crate) fn new(limit: usize, max_connections: usize) -> Self {
        Self {
            limit,
            max_connections,
            ..Self::default()
        }
    }

    pub(crate) fn statistics(&self) -> &PendingStatistics {
        &self.statistics
    }

    /// Waits until another connection to this origin may come about. What is returned is held until it has, or has not.
    pub(crate) async fn enter(self: &Arc<Self>, origin: &Origin, zone: &Arc<Zone>) -> Result<Option<Place>, Fault> {
        if self.limit == 0 {
            return Ok(None);
        }
        let place = match self.ask(&origin.address, Arc::as_ptr(zone).addr()) {
            Asked::Place(place) => return Ok(Some(place)),
            Asked::Full => None,
            Asked::Waits(waiting) => waiting.place(origin.connect_timeout).await,
        };
        place.map(Some).ok_or_else(|| {
            self.statistics.refused.fetch_add(1, Ordering::Relaxed);
            let label = &origin.label;
            let reason = format!("too many connections to the origin {label} are waiting to be made");
            Fault::new(FaultKind::OriginBusy, reason)
        })
    }

    fn ask(self: &Arc<Self>, address: &Address, zone: usize) -> Asked {
        let mut origins = self.lock();
        let queue = match origins.get_mut(address) {
            Some(queue) => queue,
            None => origins.entry(address.clone()).or_default(),
        };
        if queue.running < self.limit {
            queue.running += 1;
            self.statistics.running.fetch_add(1, Ordering::Relaxed);
            return Asked::Place(Place {
                pending: Arc::clone(self),
                address: address.clone(),
            });
        }
        let of_zone = queue.waiting.get(&zone).map_or(0, BTreeMap::len);
        if of_zone >= self.left().saturating_mul(SHARE) {
            return Asked::Full;
        }
        let (number, turn) = queue.enqueue(zone);
        self.statistics.waiting.fetch_add(1, Ordering::Relaxed);
        self.statistics.waited.fetch_add(1, Ordering::Relaxed);
        Asked::Waits(Waiting {
            pending: Arc::clone(self),
            address: address.clone(),
            zone,
            number,
            turn,
        })
    }

    /// A place has become free.
    fn pass_on(&self, address: &Address) {
        let mut origins = self.lock();
        let Some(queue) = origins.get_mut(address) else { return };
        if let Some(turn) = queue.next() {
            self.statistics.waiting.fetch_sub(1, Ordering::Relaxed);
            // Whoever waits takes itself out before it goes, under this lock: somebody is there.
            let _ = turn.send(());
            return;
        }
        self.statistics.running.fetch_sub(1, Ordering::Relaxed);
        queue.running -= 1;
        if queue.running == 0 {
            origins.remove(address);
        }
    }

    /// The connections that are left when all that wait, for whatever origin, are taken off. It changes under the lock.
    fn left(&self) -> usize {
        let waiting = usize::try_from(self.statistics.waiting.load(Ordering::Relaxed)).unwrap_or(usize::MAX);
        self.max_connections.saturating_sub(waiting)
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Address, Queue>> {
        self.origins.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

enum Asked {
    Place(Place),
    Waits(Waiting),
    Full,
}

/// One of the connections that are coming about.
#[derive(Debug)]
pub(crate) struct Place {
    pending: Arc<Pending>,
    address: Address,
}

impl Drop for Place {
    fn drop(&mut self) {
        self.pending.pass_on(&self.address);
    }
}

/// Somebody in the queue.
struct Waiting {
    pending: Arc<Pending>,
    address: Address,
    zone: usize,
    number: u64,
    turn: oneshot::Receiver<()>,
}

impl Waiting {
    /// The place, if it comes in time.
    async fn place(mut self, patience: Duration) -> Option<Place> {
        timeout(patience, &mut self.turn).await.ok()?.ok()?;
        let place = Place {
            pending: Arc::clone(&self.pending),
            address: self.address.clone(),
        };
        // The place has another owner now: nothing is left to be passed on.
        self.number = 0;
        Some(place)
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        if self.number == 0 {
            return;
        }
        let mut origins = self.pending.lock();
        let has_waited = origins
            .get_mut(&self.address)
            .is_some_and(|queue| queue.leave(self.zone, self.number));
        if has_waited {
            self.pending.statistics.waiting.fetch_sub(1, Ordering::Relaxed);
        }
        drop(origins);
        if !has_waited {
            // The turn came just as the wait ended (law 4).
            self.pending.pass_on(&self.address);
        }
    }
}

#[cfg(test)]
#[path = "pending_tests.rs"]
mod tests;
