//! What a running edge tells about itself, and what it is told about its zones.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use super::Edge;
use crate::latency::LatencyFigures;
use crate::tunnel::TunnelLoop;
use crate::zones::ZoneStatistics;

/// How long the tunnel loops may take to answer, all together. They answer between two rounds of a millisecond or so.
pub(super) const LOOP_PATIENCE: Duration = Duration::from_secs(5);

impl Edge {
    /// Counters since the start, and sizes of every queue, pool and table, by name.
    #[must_use]
    pub fn statistics(&self) -> Vec<(&'static str, u64)> {
        let http = &self.http_statistics;
        let policy = self.policy.statistics();
        let log = self.log.statistics();
        let tunnels = |read: fn(&TunnelLoop) -> u64| self.tunnels.iter().map(|(tunnels, _)| read(tunnels)).sum();
        let pending = self.pending.statistics();
        let (remembered, waiting, lost) = self.recent.figures();
        let (parked_now, parked, parked_taken) = self.parked.figures();
        vec![
            ("origin_connects_running", pending.running.load(Ordering::Relaxed)),
            ("origin_connects_waiting", pending.waiting.load(Ordering::Relaxed)),
            ("origin_connects_waited", pending.waited.load(Ordering::Relaxed)),
            ("origin_connects_refused", pending.refused.load(Ordering::Relaxed)),
            ("accept_pauses", http.accept_pauses.load(Ordering::Relaxed)),
            ("upgrades_refused_by_caps", http.refused_by_caps.load(Ordering::Relaxed)),
            ("closed_connections_remembered", remembered),
            ("connection_events_waiting", waiting),
            ("connection_events_lost", lost),
            ("connections_accepted", http.accepted.load(Ordering::Relaxed)),
            // Those of Workers' processes as well: an edge is empty without either.
            (
                "connections_open",
                http.connections.load(Ordering::Relaxed) + http.egress.load(Ordering::Relaxed),
            ),
            (
                "egress_connections_accepted",
                http.egress_accepted.load(Ordering::Relaxed),
            ),
            ("egress_connections_open", http.egress.load(Ordering::Relaxed)),
            ("websockets_parked_now", parked_now),
            ("websockets_parked", parked),
            ("websockets_parked_taken", parked_taken),
            ("requests", http.requests.load(Ordering::Relaxed)),
            ("tls_handshakes_failed", http.handshakes_failed.load(Ordering::Relaxed)),
            ("origin_faults", http.origin_faults.load(Ordering::Relaxed)),
            ("origin_connections_pooled", http.pooled.load(Ordering::Relaxed)),
            (
                "tunnels_open",
                tunnels(|tunnels| tunnels.statistics().open.load(Ordering::Relaxed)),
            ),
            (
                "tunnels_opened",
                tunnels(|tunnels| tunnels.statistics().opened.load(Ordering::Relaxed)),
            ),
            (
                "sessions",
                tunnels(|tunnels| tunnels.statistics().sessions.load(Ordering::Relaxed)),
            ),
            (
                "session_bytes_held",
                tunnels(|tunnels| tunnels.statistics().session_bytes.load(Ordering::Relaxed)),
            ),
            (
                "session_channels_open",
                tunnels(|tunnels| tunnels.statistics().channels.load(Ordering::Relaxed)),
            ),
            (
                "session_channels_opened",
                tunnels(|tunnels| tunnels.statistics().channels_opened.load(Ordering::Relaxed)),
            ),
            ("policy_asked", policy.asked.load(Ordering::Relaxed)),
            ("policy_refused", policy.refused.load(Ordering::Relaxed)),
            ("policy_failed", policy.failed.load(Ordering::Relaxed)),
            ("policy_waiting", policy.waiting.load(Ordering::Relaxed)),
            ("log_written", log.written.load(Ordering::Relaxed)),
            ("log_dropped", log.dropped.load(Ordering::Relaxed)),
            ("log_waiting", log.waiting.load(Ordering::Relaxed)),
        ]
    }

    /// How long decisions take, in the policy's thread.
    #[must_use]
    pub fn decide_latency(&self) -> LatencyFigures {
        self.policy.statistics().latency.figures()
    }

    /// The figures of every zone, by name, those of open tunnels included.
    #[must_use]
    pub fn zone_statistics(&self) -> BTreeMap<String, ZoneStatistics> {
        self.zones
            .statistics(|| self.ask_loops(TunnelLoop::figures).into_iter().flatten().collect())
    }

    /// Forgets the figures of zones that are not in `keep` and have no open tunnel.
    pub fn forget_zones(&self, keep: HashSet<String>) {
        self.zones.forget(&keep);
        let keep = Arc::new(keep);
        for (tunnels, _) in &self.tunnels {
            tunnels.forget_zones(Arc::clone(&keep));
        }
    }

    /// Asks every loop at once, then takes their answers. A loop that has ended has none.
    pub(super) fn ask_loops<T>(&self, ask: impl Fn(&TunnelLoop) -> Receiver<T>) -> Vec<T> {
        let deadline = Instant::now() + LOOP_PATIENCE;
        let asked: Vec<Receiver<T>> = self.tunnels.iter().map(|(tunnels, _)| ask(tunnels)).collect();
        let patience = || deadline.saturating_duration_since(Instant::now());
        asked
            .into_iter()
            .filter_map(|answer| answer.recv_timeout(patience()).ok())
            .collect()
    }
}
