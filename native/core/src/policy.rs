//! The way from a request to whoever decides about it, and back.
//!
//! Law 1: one bounded queue. When it is full the request is refused at once (503), never queued elsewhere.
//! Law 2: the policy thread takes what waits as one batch, so that its lock is taken once for all of it.
//! Law 3: fail closed: a question that is not answered in time, or not at all, refuses the request.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rustls_pki_types::ServerName;
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::http::request::RequestHead;
use crate::latency::Latency;
use crate::leaving::Leaving;
use crate::origin::Origin;
use crate::tls::TlsFacts;
use crate::tunnel::TunnelOptions;
use crate::zones::Zone;

/// Requests that may wait for a decision: at 20 microseconds each, 20 ms of waiting.
const MAX_WAITING: u64 = 1024;
/// Questions answered under one hold of the policy's lock.
const MAX_BATCH: usize = 64;
/// A decision takes microseconds. One that takes this long does not come.
const PATIENCE: Duration = Duration::from_secs(10);

/// A request, as the policy sees it.
#[derive(Debug)]
pub struct Asked {
    /// Its head.
    pub head: RequestHead,
    /// Its ray id.
    pub ray: String,
    /// Where it came from.
    pub client: SocketAddr,
    /// The port of ours it came to.
    pub edge_port: u16,
    /// The TLS it came over.
    pub tls: Option<TlsFacts>,
    /// It asks for a WebSocket, and rightly (RFC 6455 §4.2.1).
    pub is_upgrade: bool,
    /// A Worker's process asks, and no client: its `fetch`.
    pub is_egress: bool,
    /// The zone it was found to be for, from the decision on.
    pub zone: OnceLock<Arc<Zone>>,
    /// Whether the edge takes further requests.
    pub leaving: Leaving,
}

impl Asked {
    /// The client's fields, but for two that say where the request goes: their values are those that the origin gets, so
    /// that no rule judges by others. `Host` is what an absolute-form names, where there is one (RFC 9112 §3.2.2), and
    /// the `Upgrade` of a WebSocket is `websocket`, in whatever case it came.
    pub fn fields(&self) -> impl Iterator<Item = (&str, &[u8])> {
        let authority = self.head.authority();
        // Only HTTP/1.0 can have come without.
        let needs_host = !authority.is_empty() && self.head.fields().first("host").is_none();
        let added = needs_host.then_some(("Host", authority.as_bytes()));
        let given = self.head.fields().iter().map(move |(name, value)| match name {
            _ if name.eq_ignore_ascii_case("host") => (name, authority.as_bytes()),
            _ if self.is_upgrade && name.eq_ignore_ascii_case("upgrade") => (name, &b"websocket"[..]),
            _ => (name, value),
        });
        added.into_iter().chain(given)
    }

    /// Whether another request may come behind this one, as far as the client and the edge go.
    pub(crate) fn may_be_followed(&self) -> bool {
        self.head.keep_alive() && !self.leaving.has_begun()
    }

    /// Whose request it is has been decided. The first word stands.
    pub(crate) fn belongs_to(&self, zone: &Arc<Zone>) {
        let _ = self.zone.set(Arc::clone(zone));
    }

    /// The client is about to get this final status.
    pub(crate) fn answered(&self, status: u16) {
        if let Some(zone) = self.zone.get() {
            zone.answered(self.is_upgrade, status);
        }
    }
}

/// What went wrong after the decision, for the answer that explains it.
#[derive(Clone, Debug)]
pub struct Report {
    /// The status to answer.
    pub status: u16,
    /// What `cf-error-type` says: the status, or a 1xxx.
    pub code: u16,
    /// One sentence.
    pub reason: String,
    /// The origin's label.
    pub origin: Arc<str>,
    /// Which limit of the edge was met; "" for none.
    pub kind: &'static str,
}

/// What is asked.
#[derive(Clone, Debug)]
pub enum Question {
    /// What to do with this request.
    Decide(Arc<Asked>),
    /// How to tell its client that it failed.
    Explain(Arc<Asked>, Report),
}

/// The process of a Worker's script, as the edge talks to it besides HTTP.
#[derive(Debug, PartialEq, Eq)]
pub struct WorkerTarget {
    /// The script's key, which names it among all scripts.
    pub script: Arc<str>,
    /// The Unix socket of its session channel.
    pub channel: Arc<Path>,
}

/// Dial this origin.
#[derive(Clone, Debug)]
pub struct Forward {
    /// Where.
    pub origin: Arc<Origin>,
    /// For whom.
    pub zone: Arc<Zone>,
    /// The name to ask for and to verify, instead of the origin's own.
    pub server_name: Option<ServerName<'static>>,
    /// An upgrade is asked for as the ordinary request it would be without.
    pub strip_upgrade: bool,
    /// Header fields to set; they replace the client's of the same name.
    pub set_headers: Vec<(String, String)>,
    /// Header fields of the client to leave out.
    pub remove_headers: Vec<String>,
    /// Fields to set on the origin's final answer; they replace its own of the same name.
    pub set_response_headers: Vec<(String, String)>,
    /// Statuses of the origin that are not passed on, but explained as a fault.
    pub explain_statuses: Vec<u16>,
    /// What is asked of the tunnel that an upgrade becomes; None asks nothing.
    pub tunnel: Option<Arc<TunnelOptions>>,
    /// The origin is a script's process: its word about sessions and parked connections is believed.
    pub worker: Option<Arc<WorkerTarget>>,
    /// The WebSocket that this request opens is parked for the script that asked, instead of given to it.
    pub park: Option<Arc<WorkerTarget>>,
}

impl Forward {
    /// The name that a connection for this request was made under, where that is not the origin's own.
    pub(crate) fn tls_name(&self) -> Option<&ServerName<'static>> {
        self.server_name.as_ref().filter(|_| self.origin.tls.is_some())
    }
}

/// Answer it ourselves.
#[derive(Clone, Debug)]
pub struct Respond {
    /// The status, 200-599.
    pub status: u16,
    /// Whose answer it is; None where nobody could say.
    pub zone: Option<Arc<Zone>>,
    /// Header fields besides those of framing.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// What the policy says.
#[derive(Clone, Debug)]
pub enum Verdict {
    /// Dial an origin.
    Forward(Forward),
    /// Answer.
    Respond(Respond),
    /// It raised, or returned something else: refuse with 500.
    Failed,
}

/// A question and where its answer goes.
#[derive(Debug)]
pub struct Pending {
    /// The question.
    pub question: Question,
    reply: oneshot::Sender<Verdict>,
}

impl Pending {
    /// Answers it. Nobody may be waiting any more, which is fine.
    pub fn answer(self, verdict: Verdict) {
        let _ = self.reply.send(verdict);
    }
}

/// Why there is no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoVerdict {
    /// The queue is full: 503.
    Busy,
    /// The policy has ended, or takes too long: 500.
    Absent,
}

/// Counters of the policy queue.
#[derive(Debug, Default)]
pub struct PolicyStatistics {
    /// Questions that wait.
    pub waiting: AtomicU64,
    /// Questions asked.
    pub asked: AtomicU64,
    /// Questions refused because too many waited.
    pub refused: AtomicU64,
    /// Questions that the policy failed to answer.
    pub failed: AtomicU64,
    /// How long decisions took.
    pub latency: Latency,
}

/// The asking end. Cheap to clone.
#[derive(Clone, Debug)]
pub struct PolicyClient {
    queue: Sender<Pending>,
    statistics: Arc<PolicyStatistics>,
}

/// The answering end, for the policy thread.
#[derive(Debug)]
pub struct PolicyQueue {
    pending: Receiver<Pending>,
    statistics: Arc<PolicyStatistics>,
}

/// A queue's two ends.
#[must_use]
pub fn queue() -> (PolicyClient, PolicyQueue) {
    // One with a bound of its own has room for all of them from the start.
    let (sender, pending) = channel();
    let statistics = Arc::new(PolicyStatistics::default());
    (
        PolicyClient {
            queue: sender,
            statistics: Arc::clone(&statistics),
        },
        PolicyQueue { pending, statistics },
    )
}

impl PolicyClient {
    /// Asks, and waits for the verdict.
    pub async fn ask(&self, question: Question) -> Result<Verdict, NoVerdict> {
        let (reply, verdict) = oneshot::channel();
        let is_full = self.statistics.waiting.fetch_add(1, Ordering::Relaxed) >= MAX_WAITING;
        if is_full || self.queue.send(Pending { question, reply }).is_err() {
            self.statistics.waiting.fetch_sub(1, Ordering::Relaxed);
            self.statistics.refused.fetch_add(1, Ordering::Relaxed);
            return Err(if is_full { NoVerdict::Busy } else { NoVerdict::Absent });
        }
        self.statistics.asked.fetch_add(1, Ordering::Relaxed);
        match timeout(PATIENCE, verdict).await {
            Ok(Ok(verdict)) => Ok(verdict),
            Ok(Err(_)) | Err(_) => Err(NoVerdict::Absent),
        }
    }

    /// Half of the room is taken: whoever could bring more should wait for a moment.
    #[must_use]
    pub fn is_crowded(&self) -> bool {
        self.statistics.waiting.load(Ordering::Relaxed) >= MAX_WAITING / 2
    }

    /// The counters.
    #[must_use]
    pub fn statistics(&self) -> &PolicyStatistics {
        &self.statistics
    }
}

impl PolicyQueue {
    /// The counters.
    #[must_use]
    pub fn statistics(&self) -> &PolicyStatistics {
        &self.statistics
    }

    /// Waits for questions and moves what waits into `batch`. False when nobody can ask any more.
    pub fn next_batch(&mut self, batch: &mut Vec<Pending>) -> bool {
        let Ok(first) = self.pending.recv() else { return false };
        batch.push(first);
        batch.extend(self.pending.try_iter().take(MAX_BATCH - 1));
        self.statistics.waiting.fetch_sub(batch.len() as u64, Ordering::Relaxed);
        true
    }
}

#[cfg(test)]
#[path = "policy_tests.rs"]
mod tests;
