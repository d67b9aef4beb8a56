//! The edge as a whole: its threads, their start and their end.
//!
//! Law 1: a listening socket belongs to one thread; nothing is shared between threads but what is made to be.
//! Law 2: stopping has a deadline. Until then what runs may end in its own way; after it, it is cut.

mod figures;
mod live;

pub use live::Found;

use std::io::{self, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use tokio::runtime;
use tokio::sync::Semaphore;
use tokio::task::LocalSet;

use crate::claiming::{answer_claims, open_door};
use crate::connection::{Context, HttpStatistics};
use crate::leaving::{Farewell, Leaving, farewell};
use crate::listener::{Entrance, Held, Live, PLACES, accept_egress};
use crate::live::Recent;
use crate::origin::{Names, Pending, Pool};
use crate::parked::Parked;
use crate::policy::{PolicyClient, PolicyQueue, queue};
use crate::registry::{Line, Log, Why};
use crate::tls::ServerTls;
pub use crate::tunnel::Order;
use crate::tunnel::{Limits, TunnelLoop};
use crate::zones::Zones;

/// Why an edge that stops closes its WebSockets: the reason in their Close frames.
const STOPPING: &str = "the edge is stopping";
/// How often connections to origins that have waited too long are dropped.
const SWEEP: Duration = Duration::from_secs(1);
/// How long a thread that can be kept by others, the log or the policy, may take to end, and those of HTTP to let go of
/// their listening sockets.
const LAST_PATIENCE: Duration = Duration::from_secs(1);
/// How often a stopping edge looks whether its tunnels have ended.
const LOOK: Duration = Duration::from_millis(10);
/// The same of a retiring edge, whether it has let go of its listening sockets: one wake-up of its threads.
const LOOK_AT_SOCKETS: Duration = Duration::from_millis(1);

/// Connections of Workers' processes at once. A script has six requests under way for each that it answers (the original's limit).
const MAX_EGRESS: usize = 4096;

/// What an edge is made of.
#[derive(Debug)]
pub struct EdgeOptions {
    /// Bound and listening sockets, and whether they speak TLS. Dealt to the threads in turn.
    pub listeners: Vec<(TcpListener, bool)>,
    /// HTTP runtimes, and as many tunnel loops. At least 1.
    pub threads: usize,
    /// Where Workers' processes ask for what they fetch; other edges may share it.
    pub egress: Option<UnixListener>,
    /// How TLS clients are met.
    pub tls: Arc<ServerTls>,
    /// Where the edge is: the end of a ray id.
    pub colo: String,
    /// Client connections at once; beyond it, accepting pauses.
    pub max_connections: usize,
    /// Connections to one origin that may be coming about at once; 0: as many as come.
    pub max_pending_connects: usize,
    /// Name servers for origins; none means the system's.
    pub name_servers: Vec<SocketAddr>,
    /// Where the figures of zones are kept; the policy names them.
    pub zones: Arc<Zones>,
}

/// A running edge.
#[derive(Debug)]
pub struct Edge {
    farewell: Farewell,
    http: Vec<JoinHandle<()>>,
    tunnels: Vec<(TunnelLoop, JoinHandle<()>)>,
    policy: PolicyClient,
    log: Log,
    log_thread: JoinHandle<()>,
    http_statistics: Arc<HttpStatistics>,
    zones: Arc<Zones>,
    recent: Arc<Recent>,
    pending: Arc<Pending>,
    parked: Arc<Parked>,
}

impl Edge {
    /// Starts all threads but the policy's, which the caller runs on the returned queue. On an error, nothing is left.
    pub fn start(options: EdgeOptions, log_to: impl Write + Send + 'static) -> io::Result<(Self, PolicyQueue)> {
        let (policy, questions) = queue();
        let (log, log_thread) = Log::start(log_to)?;
        let (farewell, leaving) = farewell();
        let mut edge = Self {
            farewell,
            http: Vec::new(),
            tunnels: Vec::new(),
            policy,
            log,
            log_thread,
            http_statistics: Arc::default(),
            zones: Arc::clone(&options.zones),
            recent: Arc::default(),
            pending: Arc::new(Pending::new(options.max_pending_connects, options.max_connections)),
            parked: Arc::default(),
        };
        match edge.start_threads(options, &leaving) {
            Ok(()) => Ok((edge, questions)),
            Err(error) => {
                edge.stop(Duration::ZERO);
                Err(error)
            }
        }
    }

    fn start_threads(&mut self, options: EdgeOptions, leaving: &Leaving) -> io::Result<()> {
        let of_egress = egress_connections(&options);
        let places = places(options.max_connections - of_egress);
        let egress_places = self::places(of_egress);
        let door = (options.egress.as_ref().map(|_| open_door(&self.parked))).transpose()?;
        let mut dealt: Vec<Vec<(TcpListener, bool, Held)>> = (0..options.threads).map(|_| Vec::new()).collect();
        for (at, (listener, is_tls)) in options.listeners.into_iter().enumerate() {
            dealt[at % options.threads].push((listener, is_tls, Held::new(&self.http_statistics)));
        }
        for (number, listeners) in dealt.into_iter().enumerate() {
            let (tunnels, thread) = TunnelLoop::start(
                format!("tunnel-{number}"),
                self.log.clone(),
                Arc::clone(&self.recent),
                Limits::default(),
            )?;
            tunnels.adopt_from(Arc::clone(&self.parked) as _);
            self.tunnels.push((tunnels.clone(), thread));
            let shared = Shared {
                policy: self.policy.clone(),
                tunnels,
                log: self.log.clone(),
                tls: Arc::clone(&options.tls),
                colo: options.colo.clone(),
                name_servers: options.name_servers.clone(),
                leaving: leaving.clone(),
                statistics: Arc::clone(&self.http_statistics),
                zones: Arc::clone(&self.zones),
                pending: Arc::clone(&self.pending),
                parked: Arc::clone(&self.parked),
            };
            let (runtime, places) = (http_runtime()?, Arc::clone(&places));
            let egress = match (&options.egress, &door) {
                (Some(listener), Some(door)) => Some(Egress {
                    listener: listener.try_clone()?,
                    door: door.try_clone()?,
                    places: Arc::clone(&egress_places),
                }),
                _ => None,
            };
            let thread = thread::Builder::new()
                .name(format!("http-{number}"))
                .spawn(move || serve_thread(runtime, listeners, egress, &places, shared))?;
            self.http.push(thread);
        }
        Ok(())
    }

    /// Takes no new connection and no further request, and lets go of the listening sockets: the connections that wait in
    /// them are for whoever else holds them, or, with `accept_waiting`, are let in first, as far as there are places: where
    /// nobody else holds the sockets, the kernel would reset them. What is under way ends as it would have: requests get
    /// their answers, with `Connection: close`, upgrades become tunnels, tunnels stay open.
    ///
    /// Returns when the sockets are let go, and all that were let in are counted, or after a second.
    pub fn retire(&self, accept_waiting: bool) {
        self.farewell.retire(accept_waiting);
        let deadline = Instant::now() + LAST_PATIENCE;
        while self.http_statistics.listening.load(Ordering::Acquire) > 0 && Instant::now() < deadline {
            thread::sleep(LOOK_AT_SOCKETS);
        }
    }

    /// Closes every tunnel with this Close on both sides, each at a frame boundary, evenly over `window`; those that open
    /// from now on at once. Whatever has not answered 10 s after its Close is cut. How many were open comes back.
    #[must_use]
    pub fn close_evenly(&self, why: Why, code: u16, reason: &str, window: Duration, order: Order) -> u64 {
        let (begun, reason) = (Instant::now(), Arc::from(reason));
        for (tunnels, _) in &self.tunnels {
            tunnels.close_evenly(why, code, &reason, (begun, window), order);
        }
        self.open_tunnels()
    }

    /// Stops accepting, closes tunnels with 1001 to both sides, lets requests end; cuts what is left after `grace`.
    /// Returns when every thread but the policy's has ended, or cannot be waited for; the policy's queue ends with them.
    pub fn stop(self, grace: Duration) {
        let deadline = Instant::now() + grace;
        self.farewell.stop();
        for (tunnels, _) in &self.tunnels {
            tunnels.close_all(STOPPING, deadline);
        }
        // Tunnels first end by themselves; a runtime may still hand over an upgrade that was under way.
        while Instant::now() < deadline && (self.is_http_running() || self.open_tunnels() > 0) {
            thread::sleep(LOOK);
        }
        drop(self.farewell);
        for (tunnels, _) in &self.tunnels {
            tunnels.stop();
        }
        for thread in self
            .http
            .into_iter()
            .chain(self.tunnels.into_iter().map(|(_, thread)| thread))
        {
            if thread.join().is_err() {
                self.log.put(Line::Notice {
                    message: "a thread of the edge had panicked".to_owned(),
                });
            }
        }
        drop((self.policy, self.log));
        // A log that takes nothing, a full pipe perhaps, must not keep the edge from ending.
        end_soon(self.log_thread);
    }

    /// Where lines of the log are put.
    #[must_use]
    pub fn log(&self) -> &Log {
        &self.log
    }

    fn is_http_running(&self) -> bool {
        self.http.iter().any(|thread| !thread.is_finished())
    }

    fn open_tunnels(&self) -> u64 {
        self.tunnels
            .iter()
            .map(|(tunnels, _)| tunnels.statistics().open.load(Ordering::Relaxed))
            .sum()
    }
}

/// Waits for a thread that has been told to end, for [`LAST_PATIENCE`] at most; then leaves it to the end of the process.
pub fn end_soon(thread: JoinHandle<()>) {
    let deadline = Instant::now() + LAST_PATIENCE;
    while !thread.is_finished() && Instant::now() < deadline {
        thread::sleep(LOOK);
    }
    if thread.is_finished() {
        // What it panicked about has been printed, and nobody is left to be told.
        let _ = thread.join();
    }
}

/// What an HTTP thread is given; the rest of its context is its own.
struct Shared {
    policy: PolicyClient,
    tunnels: TunnelLoop,
    log: Log,
    tls: Arc<ServerTls>,
    colo: String,
    name_servers: Vec<SocketAddr>,
    leaving: Leaving,
    statistics: Arc<HttpStatistics>,
    zones: Arc<Zones>,
    pending: Arc<Pending>,
    parked: Arc<Parked>,
}

/// What a thread needs for Workers' processes.
struct Egress {
    listener: UnixListener,
    /// Where other edges claim what is parked.
    door: UnixListener,
    places: Arc<Semaphore>,
}

/// Of the connections that an edge may have, those kept for Workers' processes (`PLACES` descriptors each, as for clients):
/// whatever scripts do, clients have the others.
fn egress_connections(options: &EdgeOptions) -> usize {
    match options.egress {
        None => 0,
        Some(_) => (options.max_connections / 4).min(MAX_EGRESS),
    }
}

/// Descriptors, two for each connection: what comes over HTTP/2 takes one for itself, and one for each stream.
fn places(connections: usize) -> Arc<Semaphore> {
    let places = connections.saturating_mul(PLACES as usize);
    Arc::new(Semaphore::new(places.min(Semaphore::MAX_PERMITS)))
}

fn http_runtime() -> io::Result<runtime::Runtime> {
    runtime::Builder::new_current_thread().enable_all().build()
}

fn serve_thread(
    runtime: runtime::Runtime,
    listeners: Vec<(TcpListener, bool, Held)>,
    egress: Option<Egress>,
    places: &Arc<Semaphore>,
    shared: Shared,
) {
    let leaving = shared.leaving.clone();
    let context = Rc::new(Context {
        policy: shared.policy,
        tunnels: shared.tunnels,
        log: shared.log,
        tls: shared.tls,
        colo: shared.colo,
        leaving: shared.leaving,
        pool: Pool::default(),
        pending: shared.pending,
        parked: shared.parked,
        names: Names::new(shared.name_servers),
        statistics: shared.statistics,
        zones: shared.zones,
    });
    let tasks = LocalSet::new();
    let live = Rc::new(Live::default());
    for (listener, is_tls, held) in listeners {
        let entrance = Entrance::new(is_tls, Arc::clone(places), Rc::clone(&live), Rc::clone(&context));
        tasks.spawn_local(entrance.accept(listener, held));
    }
    if let Some(Egress { listener, door, places }) = egress {
        tasks.spawn_local(accept_egress(listener, places, Rc::clone(&live), Rc::clone(&context)));
        tasks.spawn_local(answer_claims(door, Rc::clone(&context)));
    }
    tasks.block_on(&runtime, async {
        tokio::select! {
            () = sweep(&context) => {}
            () = end(&live, leaving) => {}
        }
    });
    drop(tasks);
    // Look-ups of names that are still under way end with it.
    runtime.shutdown_background();
}

/// Waits until the edge leaves, and then until no connection is left, or the time to end is over.
async fn end(live: &Live, mut leaving: Leaving) {
    leaving.begun().await;
    tokio::select! {
        () = live.none_left() => {}
        () = leaving.over() => {}
    }
}

async fn sweep(context: &Context) {
    loop {
        tokio::time::sleep(SWEEP).await;
        context.pool.sweep();
        context
            .statistics
            .pooled
            .store(context.pool.len() as u64, Ordering::Relaxed);
    }
}
