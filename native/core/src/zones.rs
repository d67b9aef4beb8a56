//! What is counted for each zone.
//!
//! Law 1: a zone is named by the policy alone, never by a client, so there are no more of them than the operator has.
//! Law 2: an answer is counted before its first byte leaves, so whoever has read it finds it counted.
//! Law 3: what tunnels carry is counted by their loops, which know it for open ones too; nothing is added to their way.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::caps::Claims;
use crate::frames::Counts;
use crate::messages::{Account, Action};
use crate::registry::{ClosedBy, Why};

/// One zone: its name, shared by all that is done for it, and its counters.
#[derive(Debug, Default)]
pub struct Zone {
    name: Box<str>,
    open: AtomicU64,
    opened: AtomicU64,
    answers: Mutex<Answers>,
    pub(crate) claims: Claims,
    found: [AtomicU64; 3],
    held: Arc<Account>,
}

/// Answers by their status. A zone has a handful of them, so a list beats a table.
#[derive(Debug, Default)]
struct Answers {
    upgrades: Vec<(u16, u64)>,
    requests: Vec<(u16, u64)>,
}

impl Zone {
    /// Its name; "" for what belongs to none.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// WebSockets that are open.
    #[must_use]
    pub fn open(&self) -> u64 {
        self.open.load(Ordering::Relaxed)
    }

    pub(crate) fn tunnel_opened(&self) {
        self.open.fetch_add(1, Ordering::Relaxed);
        self.opened.fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn tunnel_ended(&self) {
        self.open.fetch_sub(1, Ordering::Relaxed);
    }

    /// What its tunnels hold of messages that are not complete.
    #[must_use]
    pub fn held(&self) -> &Arc<Account> {
        &self.held
    }

    /// A message broke a rule with this action.
    pub(crate) fn message_found(&self, action: Action) {
        self.found[action as usize].fetch_add(1, Ordering::Relaxed);
    }

    /// A client is about to get this final status.
    pub(crate) fn answered(&self, is_upgrade: bool, status: u16) {
        let mut answers = lock(&self.answers);
        let answers = if is_upgrade {
            &mut answers.upgrades
        } else {
            &mut answers.requests
        };
        add(answers, status, 1);
    }
}

/// Messages, bytes and ends of a zone's tunnels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    /// Complete text and binary messages that clients sent.
    pub messages_to_origin: u64,
    /// The same of origins.
    pub messages_to_client: u64,
    /// Bytes of clients, frame headers included.
    pub bytes_to_origin: u64,
    /// The same of origins.
    pub bytes_to_client: u64,
    closes: Vec<((ClosedBy, Why), u64)>,
}

impl Traffic {
    pub(crate) fn add_counts(&mut self, to_origin: &Counts, to_client: &Counts) {
        self.messages_to_origin += to_origin.text_messages + to_origin.binary_messages;
        self.messages_to_client += to_client.text_messages + to_client.binary_messages;
        self.bytes_to_origin += to_origin.bytes;
        self.bytes_to_client += to_client.bytes;
    }

    pub(crate) fn add_close(&mut self, by: ClosedBy, why: Why) {
        add(&mut self.closes, (by, why), 1);
    }

    fn add_all(&mut self, other: &Self) {
        self.messages_to_origin += other.messages_to_origin;
        self.messages_to_client += other.messages_to_client;
        self.bytes_to_origin += other.bytes_to_origin;
        self.bytes_to_client += other.bytes_to_client;
        for (key, count) in &other.closes {
            add(&mut self.closes, *key, *count);
        }
    }
}

/// What one tunnel loop knows of its zones. A zone is known by its address, which the entry keeps taken.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    entries: HashMap<usize, (Arc<Zone>, Traffic)>,
}

impl Ledger {
    pub(crate) fn of(&mut self, zone: &Arc<Zone>) -> &mut Traffic {
        let entry = self.entries.entry(Arc::as_ptr(zone).addr());
        &mut entry.or_insert_with(|| (Arc::clone(zone), Traffic::default())).1
    }

    pub(crate) fn forget(&mut self, keep: &HashSet<String>) {
        self.entries
            .retain(|_, (zone, _)| zone.open() > 0 || zone.name().is_empty() || keep.contains(zone.name()));
    }

    pub(crate) fn copy(&self) -> Self {
        Self {
            entries: self.entries.clone(),
        }
    }

    /// The figures, free of their keys, to be sent to another thread.
    pub(crate) fn into_figures(self) -> Vec<(Arc<Zone>, Traffic)> {
        self.entries.into_values().collect()
    }
}

/// The figures of one zone.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZoneStatistics {
    /// WebSockets that are open.
    pub open: u64,
    /// WebSockets opened since the start.
    pub opened: u64,
    /// What tunnels carried, those that are open included.
    pub traffic: Traffic,
    /// Answers to upgrade requests, by status.
    pub upgrades: BTreeMap<u16, u64>,
    /// Answers to other requests, by status.
    pub requests: BTreeMap<u16, u64>,
    /// Text messages that broke a rule, by its action; those that broke none with it are left out.
    pub messages_found: BTreeMap<&'static str, u64>,
}

impl ZoneStatistics {
    /// Ended tunnels, by "who/why".
    #[must_use]
    pub fn closes(&self) -> BTreeMap<String, u64> {
        let closes = self.traffic.closes.iter();
        closes
            .map(|((by, why), count)| (format!("{}/{}", by.name(), why.name()), *count))
            .collect()
    }
}

/// All zones that something was done for.
#[derive(Debug, Default)]
pub struct Zones {
    nameless: Arc<Zone>,
    named: Mutex<HashMap<Box<str>, Arc<Zone>>>,
}

impl Zones {
    /// The zone of this name, made where it is new.
    #[must_use]
    pub fn named(&self, name: &str) -> Arc<Zone> {
        if name.is_empty() {
            return Arc::clone(&self.nameless);
        }
        let mut named = lock(&self.named);
        if let Some(zone) = named.get(name) {
            return Arc::clone(zone);
        }
        let zone = Arc::new(Zone {
            name: name.into(),
            ..Zone::default()
        });
        named.insert(name.into(), Arc::clone(&zone));
        zone
    }

    /// Where is counted what belongs to no zone.
    #[must_use]
    pub fn nameless(&self) -> &Arc<Zone> {
        &self.nameless
    }

    /// Forgets the figures of zones that are not in `keep` and have no open tunnel.
    pub fn forget(&self, keep: &HashSet<String>) {
        lock(&self.named).retain(|name, zone| zone.open() > 0 || !zone.claims.is_empty() || keep.contains(&**name));
    }

    /// The figures of every zone, with what the tunnel loops say of them, by name. The loops are asked last: a tunnel that
    /// is not open any more is then among those that have ended.
    #[must_use]
    pub fn statistics(
        &self,
        ask_loops: impl FnOnce() -> Vec<(Arc<Zone>, Traffic)>,
    ) -> BTreeMap<String, ZoneStatistics> {
        let mut zones: Vec<Arc<Zone>> = lock(&self.named).values().cloned().collect();
        zones.push(Arc::clone(&self.nameless));
        let mut all: BTreeMap<String, ZoneStatistics> = BTreeMap::new();
        for zone in zones {
            let figures = all.entry(zone.name.to_string()).or_default();
            figures.open = zone.open();
            figures.opened = zone.opened.load(Ordering::Relaxed);
            let answers = lock(&zone.answers);
            figures.upgrades = answers.upgrades.iter().copied().collect();
            figures.requests = answers.requests.iter().copied().collect();
            let found = Action::ALL.map(|action| (action.name(), zone.found[action as usize].load(Ordering::Relaxed)));
            figures.messages_found = found.into_iter().filter(|(_, count)| *count > 0).collect();
        }
        for (zone, traffic) in ask_loops() {
            all.entry(zone.name.to_string()).or_default().traffic.add_all(&traffic);
        }
        all.retain(|name, figures| !name.is_empty() || *figures != ZoneStatistics::default());
        all
    }
}

fn add<K: PartialEq>(counts: &mut Vec<(K, u64)>, key: K, count: u64) {
    match counts.iter_mut().find(|(known, _)| *known == key) {
        Some((_, known)) => *known += count,
        None => counts.push((key, count)),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
#[path = "zones_tests.rs"]
mod tests;
