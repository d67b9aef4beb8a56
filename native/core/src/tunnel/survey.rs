//! Look through all tunnels of a loop: to list them, to tell of some, to close some.
//!
//! Law 1: it is done in steps of [`LOOKED_AT_PER_ROUND`] tunnels, some 100 microseconds each; between two of them the loop
//!        serves messages. Fifty thousand tunnels delay none by more than a step.
//! Law 2: a survey keeps no more than the best that can be on the page that is asked for.

use std::collections::{BinaryHeap, VecDeque};
use std::sync::Arc;
use std::sync::mpsc::SyncSender;
use std::time::Instant;

use slab::Slab;

use super::Side;
use super::relay::{OwnClose, Tunnel};
use crate::frames::Counts;
use crate::live::{LiveConnection, Query, Sort, ray_number};

/// Tunnels that are looked at between two rounds.
const LOOKED_AT_PER_ROUND: usize = 1024;
/// Tunnels that are told of between two rounds: texts are copied.
const DESCRIBED_PER_ROUND: usize = 128;

/// One that is meant. Its place among the others comes first, so that this is the order of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Entry {
    pub(crate) rank: u64,
    pub(crate) ray: u64,
    key: usize,
    number: u64,
}

/// What is done about the tunnels.
pub(super) enum Survey {
    /// Those that are meant are counted, and the first of them kept.
    Rank {
        query: Arc<Query>,
        now: Instant,
        next: usize,
        total: usize,
        best: BinaryHeap<Entry>,
        to: SyncSender<(usize, Vec<Entry>)>,
    },
    /// Those that are meant are told to close.
    Close {
        query: Arc<Query>,
        now: Instant,
        next: usize,
        total: usize,
        close: OwnClose,
        to: SyncSender<usize>,
    },
    /// These are told of.
    Describe {
        entries: VecDeque<Entry>,
        found: Vec<LiveConnection>,
        to: SyncSender<Vec<LiveConnection>>,
    },
}

impl Survey {
    pub(super) fn rank(query: Arc<Query>, now: Instant, to: SyncSender<(usize, Vec<Entry>)>) -> Self {
        Self::Rank {
            query,
            now,
            next: 0,
            total: 0,
            best: BinaryHeap::new(),
            to,
        }
    }

    pub(super) fn close(query: Arc<Query>, now: Instant, close: OwnClose, to: SyncSender<usize>) -> Self {
        Self::Close {
            query,
            now,
            next: 0,
            total: 0,
            close,
            to,
        }
    }

    pub(super) fn describe(entries: Vec<Entry>, to: SyncSender<Vec<LiveConnection>>) -> Self {
        Self::Describe {
            entries: entries.into(),
            found: Vec::new(),
            to,
        }
    }

    /// One step. True when it is done and has been answered; whoever asked may have lost patience.
    pub(super) fn step(
        &mut self,
        tunnels: &mut Slab<(u64, Tunnel)>,
        told: &mut VecDeque<(usize, u64, OwnClose)>,
    ) -> bool {
        match self {
            Self::Rank {
                query,
                now,
                next,
                total,
                best,
                to,
            } => {
                let keep = query.offset.saturating_add(query.limit);
                let until = (*next + LOOKED_AT_PER_ROUND).min(tunnels.capacity());
                for key in *next..until {
                    let Some((number, tunnel)) = tunnels.get(key) else {
                        continue;
                    };
                    if !query.filter.means(tunnel.identity(), tunnel.last_active(), *now) {
                        continue;
                    }
                    *total += 1;
                    best.push(Entry {
                        rank: query.rank(value(tunnel, query.sort, *now)),
                        ray: ray_number(tunnel.identity().ray()),
                        key,
                        number: *number,
                    });
                    if best.len() > keep {
                        best.pop();
                    }
                }
                *next = until;
                if *next < tunnels.capacity() {
                    return false;
                }
                let _ = to.try_send((*total, std::mem::take(best).into_sorted_vec()));
            }
            Self::Close {
                query,
                now,
                next,
                total,
                close,
                to,
            } => {
                let until = (*next + LOOKED_AT_PER_ROUND).min(tunnels.capacity());
                for key in *next..until {
                    let Some((number, tunnel)) = tunnels.get_mut(key) else {
                        continue;
                    };
                    let is_left = !tunnel.is_ending() && !tunnel.is_told;
                    if is_left && query.filter.means(tunnel.identity(), tunnel.last_active(), *now) {
                        tunnel.is_told = true;
                        told.push_back((key, *number, close.clone()));
                        *total += 1;
                    }
                }
                *next = until;
                if *next < tunnels.capacity() {
                    return false;
                }
                let _ = to.try_send(*total);
            }
            Self::Describe { entries, found, to } => {
                for _ in 0..DESCRIBED_PER_ROUND {
                    let Some(entry) = entries.pop_front() else { break };
                    if let Some((_, tunnel)) = tunnels.get(entry.key).filter(|(number, _)| *number == entry.number) {
                        found.push(describe(tunnel));
                    }
                }
                if !entries.is_empty() {
                    return false;
                }
                let _ = to.try_send(std::mem::take(found));
            }
        }
        true
    }
}

/// What a list is ordered by; None where it is not known.
fn value(tunnel: &Tunnel, sort: Sort, now: Instant) -> Option<u64> {
    let both = |of: fn(&Counts) -> u64| Some(tunnel.counts().iter().map(of).sum());
    match sort {
        Sort::OpenedAt => Some(microseconds(tunnel.identity().opened)),
        Sort::Idle => u64::try_from(now.saturating_duration_since(tunnel.last_active()).as_micros()).ok(),
        Sort::Bytes => both(|counts| counts.bytes),
        Sort::Messages => both(|counts| counts.text_messages + counts.binary_messages),
        Sort::Rtt => {
            let [client, origin] = tunnel.rtt_us();
            (client.is_some() || origin.is_some()).then(|| client.unwrap_or_default() + origin.unwrap_or_default())
        }
    }
}

fn microseconds(at: std::time::SystemTime) -> u64 {
    let since = at.duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(u64::MAX)
}

/// One tunnel as it stands now.
pub(super) fn describe(tunnel: &Tunnel) -> LiveConnection {
    let identity = tunnel.identity();
    let last_from = [Side::Client, Side::Origin].map(|side| {
        let after =
            tunnel.last_from[side as usize].map(|at| at.instant().saturating_duration_since(identity.opened_at));
        identity.opened + after.unwrap_or_default()
    });
    LiveConnection {
        ray: identity.ray().to_owned(),
        zone: Arc::clone(&identity.zone),
        client: identity.client,
        host: identity.host().to_owned(),
        path: identity.path().to_owned(),
        origin: Arc::clone(&identity.origin),
        protocol: identity.spoken.protocol(),
        tls_version: identity.spoken.tls_version(),
        subprotocol: identity.subprotocol().into(),
        opened: identity.opened,
        last_from,
        rtt_us: tunnel.rtt_us(),
        counts: tunnel.counts(),
        is_closing: tunnel.is_ending(),
    }
}
