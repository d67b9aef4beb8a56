//! One client connection, from its first byte to its end or its upgrade.
//!
//! `http.read_request` → `policy.decide` → (`respond` | `exchange` | `upgrade`), again and again while the connection
//! lives. An upgrade that succeeds takes the connection away, to a tunnel loop.
//!
//! Law 1: what follows a request we refused is never read as another request.
//! Law 2: a client that is refused gets to read why: we end our side, and read on for a moment before we close.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, SystemTime};

use bytes::BytesMut;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UnixStream};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout, timeout_at};

use crate::chance::distinct_number;
use crate::fault::Fault;
use crate::handshake;
use crate::http::request::RequestHead;
use crate::http::{Framing, HeadScan, OwnAnswer, write_answer};
use crate::leaving::Leaving;
use crate::origin::{Names, Pending, Pool};
use crate::parked::Parked;
use crate::policy::{Asked, Forward, NoVerdict, PolicyClient, Question, Report, Respond, Verdict};
use crate::refusal::{Refusal, write_refusal};
use crate::registry::{Line, Log};
use crate::secure::secure;
use crate::stream::Stream;
use crate::tls::{ServerTls, TlsFacts};
use crate::tunnel::TunnelLoop;
use crate::zones::Zones;
use crate::{exchange, http2, upgrade};

/// From the first moment of a connection, or the first byte of a later request, to the end of its head.
pub(crate) const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// Between two requests (cloudflare.md §1.3).
pub(crate) const KEEP_ALIVE_TIMEOUT: Duration = Duration::from_secs(400);
/// How long a client may take none of an answer (nginx `send_timeout`).
pub(crate) const CLIENT_STALL: Duration = Duration::from_mins(1);
/// How long we read on after an answer that ends the connection (nginx `lingering_timeout`).
pub(crate) const LINGER: Duration = Duration::from_secs(5);
/// Room made for a read.
pub(crate) const READ_BYTES: usize = 16 * 1024;
/// What the first read of a head has room for: most are smaller.
pub(crate) const FIRST_READ_BYTES: usize = 2 * 1024;

/// The listening socket a client came through.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Door {
    pub(crate) port: u16,
    pub(crate) is_tls: bool,
}

/// A connection that was accepted a moment ago.
#[derive(Debug)]
pub(crate) enum Arrival {
    /// A client.
    Client(TcpStream, SocketAddr, Door),
    /// A Worker's process, for what it fetches.
    Egress(UnixStream),
}

/// Whom a Worker's process stands for as a client: nobody that a rule could know by an address.
const NO_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// What all connections of a thread share.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) policy: PolicyClient,
    pub(crate) tunnels: TunnelLoop,
    pub(crate) log: Log,
    pub(crate) tls: Arc<ServerTls>,
    pub(crate) colo: String,
    /// Whether the edge retires or stops.
    pub(crate) leaving: Leaving,
    pub(crate) pool: Pool,
    pub(crate) pending: Arc<Pending>,
    pub(crate) parked: Arc<Parked>,
    pub(crate) names: Names,
    pub(crate) statistics: Arc<HttpStatistics>,
    pub(crate) zones: Arc<Zones>,
}

impl Context {
    /// What is to be done with a request: the origin it goes to, or the answer it gets.
    pub(crate) async fn decide(&self, asked: &Arc<Asked>) -> Result<Forward, Respond> {
        let verdict = self.policy.ask(Question::Decide(Arc::clone(asked))).await;
        let zone = match &verdict {
            Ok(Verdict::Forward(forward)) => Some(&forward.zone),
            Ok(Verdict::Respond(respond)) => respond.zone.as_ref(),
            Ok(Verdict::Failed) | Err(_) => None,
        };
        asked.belongs_to(zone.unwrap_or(self.zones.nameless()));
        let refusal = match verdict {
            Ok(Verdict::Forward(forward)) => return Ok(forward),
            Ok(Verdict::Respond(respond)) => return Err(respond),
            Ok(Verdict::Failed) => Refusal::of(asked, 500, "the edge failed to decide about this request"),
            Err(NoVerdict::Absent) => Refusal::of(asked, 500, "the edge did not decide in time"),
            Err(NoVerdict::Busy) => {
                Refusal::of(asked, 503, "too many requests wait for a decision").with_retry_after(1)
            }
        };
        Err(refusal.respond(&asked.ray, SystemTime::now()))
    }

    /// The answer that tells a client what failed between us and the origin.
    pub(crate) async fn explanation(&self, asked: &Arc<Asked>, fault: Fault, forward: &Forward) -> Respond {
        if fault.kind.is_cap() {
            self.statistics.refused_by_caps.fetch_add(1, Ordering::Relaxed);
        } else {
            self.log_fault(asked, &fault, forward);
        }
        let of_worker = forward.worker.as_ref().and_then(|_| fault.kind.of_worker());
        let (status, code, reason) = match of_worker {
            Some((status, code, sentence)) => (status, code, sentence.to_owned()),
            None => (fault.kind.status(), fault.kind.code(), fault.reason),
        };
        let report = Report {
            kind: fault.kind.limit(),
            status,
            code,
            reason,
            origin: Arc::clone(&forward.origin.label),
        };
        let mut plain = Refusal::new(report.status, report.reason.as_str());
        if !report.kind.is_empty() {
            plain = plain.with_retry_after(1);
        }
        match self.policy.ask(Question::Explain(Arc::clone(asked), report)).await {
            Ok(Verdict::Respond(respond)) => respond,
            // The explanation has failed, not the verdict: the status stays.
            _ => plain.respond(&asked.ray, SystemTime::now()),
        }
    }

    /// Logs a request that failed through no fault of its client.
    pub(crate) fn log_fault(&self, asked: &Asked, fault: &Fault, forward: &Forward) {
        self.statistics.origin_faults.fetch_add(1, Ordering::Relaxed);
        self.log.put(Line::Fault {
            ray_id: asked.ray.clone(),
            zone: Arc::clone(&forward.zone),
            host: asked.head.host().to_owned(),
            path: asked.head.path().to_owned(),
            status: match fault.kind.of_worker() {
                Some((status, ..)) if forward.worker.is_some() => status,
                _ => fault.kind.status(),
            },
            origin: forward.origin.label().to_owned(),
            reason: fault.reason.clone(),
        });
    }
}

/// Counters of the HTTP side, over all threads.
#[derive(Debug, Default)]
pub(crate) struct HttpStatistics {
    /// Client connections open in a runtime, tunnels not counted.
    pub connections: AtomicU64,
    /// Listening sockets that are held.
    pub listening: AtomicU64,
    /// Client connections accepted.
    pub accepted: AtomicU64,
    /// Connections of Workers' processes open in a runtime, and accepted.
    pub egress: AtomicU64,
    pub egress_accepted: AtomicU64,
    /// Times that accepting has paused because too many requests waited for a decision.
    pub accept_pauses: AtomicU64,
    /// Upgrades refused because a zone, or a client of it, had as many WebSockets as it may have.
    pub refused_by_caps: AtomicU64,
    /// Requests read.
    pub requests: AtomicU64,
    /// TLS handshakes of clients that came to nothing.
    pub handshakes_failed: AtomicU64,
    /// Requests that failed between the decision and the origin's answer.
    pub origin_faults: AtomicU64,
    /// Connections to origins that wait for a request.
    pub pooled: AtomicU64,
}

/// A client connection while a runtime has it.
#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) stream: Stream,
    /// Read and not used yet.
    pub(crate) read: BytesMut,
    caller: Caller,
    place: OwnedSemaphorePermit,
}

/// Who is at the other end of a connection, as each of its requests has it.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) address: SocketAddr,
    pub(crate) edge_port: u16,
    pub(crate) tls: Option<TlsFacts>,
    /// It is a Worker's process.
    pub(crate) is_egress: bool,
}

/// What becomes of a connection after a request.
#[derive(Debug)]
pub(crate) enum After {
    /// It reads the next one.
    KeepAlive(Connection),
    /// It ends in good order.
    Close(Connection),
    /// It ends now: whatever was being sent is cut, so that the client sees that it is.
    Cut,
    /// It is a tunnel.
    Upgraded,
}

/// What waiting for a request gave.
enum Next {
    Request(Box<RequestHead>),
    /// Nothing came, or the client went away.
    Gone,
    Refused(Refusal),
}

/// Serves a connection until it ends or becomes a tunnel.
pub(crate) async fn serve(arrival: Arrival, place: OwnedSemaphorePermit, context: Rc<Context>) {
    let (stream, caller) = match arrival {
        Arrival::Client(socket, address, door) if door.is_tls => {
            let mut leaving = context.leaving.clone();
            let secured = tokio::select! {
                secured = secure(socket, &context) => secured,
                // Nothing was asked yet, so nothing is lost.
                () = leaving.stopped() => None,
            };
            let Some(stream) = secured else { return };
            let caller = Caller::new(address, door.port, Some(stream.facts()));
            if stream.speaks_http2() {
                return http2::serve(stream, caller, place, context).await;
            }
            (Stream::Tls(Box::new(stream)), caller)
        }
        Arrival::Client(socket, address, door) => (Stream::Tcp(socket), Caller::new(address, door.port, None)),
        Arrival::Egress(socket) => (Stream::Unix(socket), Caller::egress()),
    };
    let connection = Connection {
        stream,
        read: BytesMut::new(),
        caller,
        place,
    };
    serve_requests(connection, &context).await;
}

async fn serve_requests(mut connection: Connection, context: &Context) {
    let mut is_first = true;
    loop {
        let after = match connection.next_request(is_first, context).await {
            Next::Gone => return,
            Next::Refused(refusal) => connection.refuse(refusal, context).await,
            Next::Request(head) => connection.handle(*head, context).await,
        };
        is_first = false;
        match after {
            After::KeepAlive(next) if !context.leaving.has_begun() => connection = next,
            After::KeepAlive(last) => return last.leave().await,
            After::Close(last) => return last.end().await,
            After::Cut | After::Upgraded => return,
        }
    }
}

impl Caller {
    fn new(address: SocketAddr, edge_port: u16, tls: Option<TlsFacts>) -> Self {
        Self {
            address,
            edge_port,
            tls,
            is_egress: false,
        }
    }

    fn egress() -> Self {
        Self {
            is_egress: true,
            ..Self::new(NO_ADDRESS, 0, None)
        }
    }
}

impl Connection {
    async fn next_request(&mut self, is_first: bool, context: &Context) -> Next {
        let mut deadline = Instant::now() + if is_first { HEAD_TIMEOUT } else { KEEP_ALIVE_TIMEOUT };
        if self.read.is_empty() {
            match self.first_bytes(is_first, deadline, context).await {
                Some(Ok(1..)) => {}
                // A new connection that says nothing is told so; an idle one just ends.
                None if is_first => return Next::Refused(too_late()),
                _ => return Next::Gone,
            }
        }
        if !is_first {
            deadline = Instant::now() + HEAD_TIMEOUT;
        }
        timeout_at(deadline, self.read_head())
            .await
            .unwrap_or_else(|_| Next::Refused(too_late().suited_to(&self.read)))
    }

    /// Waits for the first bytes of a request; None when they do not come in time. An edge that
    /// retires waits for the first request of each alone, one that stops for none.
    async fn first_bytes(&mut self, is_first: bool, deadline: Instant, context: &Context) -> Option<io::Result<usize>> {
        let mut leaving = context.leaving.clone();
        let patience = async {
            if is_first {
                leaving.stopped().await;
            } else {
                leaving.begun().await;
            }
        };
        // A connection that has waited long keeps only this much.
        self.read = BytesMut::with_capacity(FIRST_READ_BYTES);
        tokio::select! {
            biased;
            read = timeout_at(deadline, self.stream.read_buf(&mut self.read)) => read.ok(),
            () = patience => Some(Ok(0)),
        }
    }

    async fn read_head(&mut self) -> Next {
        let mut scan = HeadScan::new();
        loop {
            match scan.request(&self.read) {
                Ok(Some((head, used))) => {
                    let _ = self.read.split_to(used);
                    return Next::Request(Box::new(head));
                }
                Ok(None) => {}
                Err(fault) => return Next::Refused(Refusal::of_head(&fault, &self.read)),
            }
            self.read.reserve(FIRST_READ_BYTES);
            match self.stream.read_buf(&mut self.read).await {
                Ok(0) | Err(_) => return Next::Gone,
                Ok(_) => {}
            }
        }
    }

    async fn handle(self, head: RequestHead, context: &Context) -> After {
        context.statistics.requests.fetch_add(1, Ordering::Relaxed);
        let offer = match handshake::read_offer(&head) {
            Ok(offer) => offer,
            Err(fault) => return self.refuse(Refusal::of_handshake(&fault, &head), context).await,
        };
        let asked = Arc::new(Asked {
            head,
            ray: ray_id(&context.colo),
            client: self.caller.address,
            edge_port: self.caller.edge_port,
            tls: self.caller.tls.clone(),
            is_upgrade: offer.is_some(),
            is_egress: self.caller.is_egress,
            zone: OnceLock::new(),
            leaving: context.leaving.clone(),
        });
        match context.decide(&asked).await {
            Ok(forward) => match offer {
                Some(offer) if !forward.strip_upgrade => upgrade::upgrade(self, asked, offer, forward, context).await,
                _ => exchange::exchange(self, asked, forward, context).await,
            },
            Err(respond) => self.respond(&asked, &respond).await,
        }
    }

    /// Tells the client what failed between us and the origin. Only before any of the origin's answer was sent.
    pub(crate) async fn explain(self, asked: &Arc<Asked>, fault: Fault, forward: &Forward, context: &Context) -> After {
        let respond = context.explanation(asked, fault, forward).await;
        self.respond(asked, &respond).await
    }

    /// Answers ourselves. The connection stays only where nothing of the request is left to come.
    async fn respond(mut self, asked: &Asked, respond: &Respond) -> After {
        let has_body = !matches!(asked.head.framing(), Framing::None | Framing::Length(0));
        let has_early = asked.is_upgrade && !self.read.is_empty();
        let keep_alive = asked.may_be_followed() && !has_body && !has_early;
        asked.answered(respond.status);
        let mut out = Vec::with_capacity(512 + respond.body.len());
        write_answer(
            &mut out,
            &OwnAnswer {
                status: respond.status,
                headers: &respond.headers,
                body: &respond.body,
                ray: &asked.ray,
                keep_alive,
                with_body: asked.head.method() != "HEAD",
            },
        );
        match self.send(&out).await {
            Err(_) => After::Cut,
            Ok(()) if keep_alive => After::KeepAlive(self),
            Ok(()) => After::Close(self),
        }
    }

    /// The request's body breaks the rules of its framing, and nothing was answered yet.
    pub(crate) async fn refuse_body(self, asked: &Asked, reason: &str, context: &Context) -> After {
        asked.answered(400);
        self.refuse(Refusal::new(400, reason), context).await
    }

    async fn refuse(mut self, refusal: Refusal, context: &Context) -> After {
        let mut out = Vec::new();
        write_refusal(&mut out, refusal, &ray_id(&context.colo));
        match self.send(&out).await {
            Ok(()) => After::Close(self),
            Err(_) => After::Cut,
        }
    }

    /// Sends all of `bytes`, flushed. A client that takes nothing for [`CLIENT_STALL`] is given up.
    pub(crate) async fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        write_patiently(&mut self.stream, bytes, CLIENT_STALL).await
    }

    /// Takes the connection apart for a tunnel.
    pub(crate) fn into_parts(self) -> (Stream, BytesMut, OwnedSemaphorePermit) {
        (self.stream, self.read, self.place)
    }

    /// Ends a connection that another request could have come on: nothing is left unread, so nothing can be lost.
    async fn leave(mut self) {
        let _ = timeout(LINGER, self.stream.shutdown()).await;
    }

    /// Ends a connection whose last request may not have been read to its end.
    async fn end(mut self) {
        linger(&mut self.stream).await;
    }
}

/// Writes and flushes, as long as something is taken at least every `stall`.
pub(crate) async fn write_patiently(
    to: &mut (impl AsyncWriteExt + Unpin),
    mut bytes: &[u8],
    stall: Duration,
) -> io::Result<()> {
    while !bytes.is_empty() {
        match timeout(stall, to.write(bytes)).await {
            Ok(Ok(0)) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(Ok(sent)) => bytes = &bytes[sent..],
            Ok(Err(error)) => return Err(error),
            Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        }
    }
    timeout(stall, to.flush())
        .await
        .unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into()))
}

/// Ends our side and reads on for a moment: closing with unread bytes would reset the connection, and take the answer
/// away from a client that has not read it yet.
pub(crate) async fn linger(stream: &mut (impl AsyncReadExt + AsyncWriteExt + Unpin)) {
    let reading = async {
        stream.shutdown().await?;
        let mut sink = [0; 1024];
        while stream.read(&mut sink).await? > 0 {}
        io::Result::Ok(())
    };
    // However it ends, the connection is closed next.
    let _ = timeout(LINGER, reading).await;
}

fn too_late() -> Refusal {
    Refusal::new(
        408,
        format!("the request head was not complete within {} s", HEAD_TIMEOUT.as_secs()),
    )
}

/// 16 hexadecimal digits and where the edge is, as `CF-Ray` has it (cloudflare.md §1.9).
pub(crate) fn ray_id(colo: &str) -> String {
    format!("{:016x}-{colo}", distinct_number())
}
