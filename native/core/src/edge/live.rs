//! What a running edge tells of its open WebSockets, and how some of them are closed.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use super::Edge;
use super::figures::LOOP_PATIENCE;
use crate::live::{Event, Filter, LiveConnection, Query, ray_number};
use crate::registry::Closed;
use crate::tunnel::Entry;

/// One connection that was asked for by its id.
#[derive(Clone, Debug)]
pub enum Found {
    /// It is open.
    Open(Box<LiveConnection>),
    /// It closed a short while ago.
    Closed(Arc<Closed>),
}

impl Edge {
    /// How many connections a query means, and its page of them.
    #[must_use]
    pub fn connections(&self, query: Query) -> (usize, Vec<LiveConnection>) {
        let (query, now) = (Arc::new(query), Instant::now());
        let deadline = now + LOOP_PATIENCE;
        let asked: Vec<_> = self
            .tunnels
            .iter()
            .map(|(tunnels, _)| tunnels.rank(&query, now))
            .collect();
        let (mut total, mut all) = (0, Vec::new());
        for (number, answer) in asked.into_iter().enumerate() {
            if let Some((count, entries)) = wait(&answer, deadline) {
                total += count;
                all.extend(entries.into_iter().map(|entry| (entry, number)));
            }
        }
        all.sort_unstable();
        let page: Vec<(Entry, usize)> = all.into_iter().skip(query.offset).take(query.limit).collect();
        (total, self.describe(&page, deadline))
    }

    /// The connections of a page, in its order, without those that have ended since.
    fn describe(&self, page: &[(Entry, usize)], deadline: Instant) -> Vec<LiveConnection> {
        let of_loop = |wanted: usize| {
            page.iter()
                .filter(move |(_, number)| *number == wanted)
                .map(|(entry, _)| *entry)
        };
        let asked: Vec<_> = (self.tunnels.iter().enumerate())
            .map(|(number, (tunnels, _))| tunnels.describe(of_loop(number).collect()))
            .collect();
        let found = asked.iter().filter_map(|answer| wait(answer, deadline)).flatten();
        let mut found: HashMap<u64, LiveConnection> = found.map(|live| (ray_number(&live.ray), live)).collect();
        page.iter().filter_map(|(entry, _)| found.remove(&entry.ray)).collect()
    }

    /// The connection with this ray id, if it is open or closed a short while ago.
    #[must_use]
    pub fn connection(&self, id: &str) -> Option<Found> {
        let filter = Filter {
            ids: [id.to_owned()].into(),
            ..Filter::default()
        };
        let query = Query {
            filter,
            limit: 1,
            ..Query::default()
        };
        let open = self.connections(query).1.pop();
        // Asked last: what is not open any more is among those that have closed.
        open.map(|live| Found::Open(Box::new(live)))
            .or_else(|| self.recent.find(id).map(Found::Closed))
    }

    /// Closes the connections that are meant with this Close on both sides, each at a frame boundary; how many were told.
    #[must_use]
    pub fn close_connections(&self, filter: Filter, code: u16, reason: &str) -> usize {
        let query = Arc::new(Query {
            filter,
            ..Query::default()
        });
        let reason = Arc::from(reason);
        let told = self.ask_loops(|tunnels| tunnels.close_meant(&query, code, &reason));
        told.into_iter().sum()
    }

    /// The same for all of one zone.
    #[must_use]
    pub fn close_tunnels(&self, zone: &str, code: u16, reason: &str) -> usize {
        let filter = Filter {
            zone: Some(zone.to_owned()),
            ..Filter::default()
        };
        self.close_connections(filter, code, reason)
    }

    /// Begins to keep what happens to connections, or ends and forgets it.
    pub fn watch_connections(&self, on: bool) {
        self.recent.watch(on);
    }

    /// How many events were lost since the last call, and the oldest that were kept.
    #[must_use]
    pub fn take_connection_events(&self, limit: usize) -> (u64, Vec<Event>) {
        self.recent.take(limit)
    }
}

fn wait<T>(answer: &Receiver<T>, deadline: Instant) -> Option<T> {
    answer
        .recv_timeout(deadline.saturating_duration_since(Instant::now()))
        .ok()
}
