//! One HTTP/2 connection, from its preface to its end: a task for each stream, and one that moves the frames of all.
//!
//! Law 1: a connection without streams is ended in good order (GOAWAY) when nothing has been asked for as long as over 1.1.
//! Law 2: an edge that leaves says so (GOAWAY), and takes no new stream once the client has heard it; those that are there go
//!        on. Who was let in and has asked nothing yet may still ask once, as over 1.1, unless the edge stops.
//! Law 3: who takes back more requests than a browser would is shown out (CVE-2023-44487).

use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::Request;
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep_until, timeout};

use super::exchange::{Left, handle};
use super::request::read_head;
use super::stream::RequestStream;
use super::turns::Turns;
use super::{
    CONNECTION_WINDOW_BYTES, MAX_FAULTY_STREAMS, MAX_RESET_KEPT, MAX_RESET_UNSEEN, MAX_SEND_BUFFER_BYTES, MAX_STREAMS,
    STREAM_WINDOW_BYTES, TAKEN_BACK_BURST, TAKEN_BACK_PER_SECOND,
};
use crate::connection::{Caller, Context, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, LINGER};
use crate::http::MAX_HEAD_BYTES;
use crate::stream::show_progress;
use crate::tls::TlsStream;

/// How long a client may take to answer the GOAWAY of an edge that stops, when its last stream has ended.
const LAST_WORDS: Duration = Duration::from_secs(1);

type Connection = h2::server::Connection<Turns<TlsStream<TcpStream>>, Bytes>;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: TlsStream<TcpStream>,
    caller: Caller,
    place: OwnedSemaphorePermit,
    context: Rc<Context>,
) {
    let mut leaving = context.leaving.clone();
    show_progress(stream.get_ref());
    let handshake = builder().handshake(Turns::new(stream));
    let connection = tokio::select! {
        connection = timeout(HEAD_TIMEOUT, handshake) => connection,
        () = leaving.stopped() => return,
    };
    let Ok(Ok(connection)) = connection else { return };
    Serving {
        connection,
        tasks: JoinSet::new(),
        caller: Rc::new(caller),
        place: halve(place),
        context,
        taken_back: TakenBack::new(Instant::now()),
        idle_since: Instant::now(),
        stage: Stage::New,
    }
    .run()
    .await;
}

fn builder() -> Builder {
    let mut builder = Builder::new();
    builder
        .enable_connect_protocol()
        .max_concurrent_streams(MAX_STREAMS)
        .initial_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_header_list_size(u32::try_from(MAX_HEAD_BYTES).unwrap_or(u32::MAX))
        .max_send_buffer_size(MAX_SEND_BUFFER_BYTES)
        .max_concurrent_reset_streams(MAX_RESET_KEPT)
        .max_pending_accept_reset_streams(MAX_RESET_UNSEEN)
        .max_local_error_reset_streams(Some(MAX_FAULTY_STREAMS));
    builder
}

/// The connection's own place: its descriptor. What it would need for an origin is each stream's to take.
fn halve(mut place: OwnedSemaphorePermit) -> OwnedSemaphorePermit {
    while place.num_permits() > 1 {
        drop(place.split(1));
    }
    place
}

struct Serving {
    connection: Connection,
    tasks: JoinSet<Left>,
    caller: Rc<Caller>,
    place: OwnedSemaphorePermit,
    context: Rc<Context>,
    taken_back: TakenBack,
    idle_since: Instant,
    stage: Stage,
}

/// How far a connection is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Nothing has been asked.
    New,
    /// The same, and the edge leaves.
    LastCall,
    /// Something has been asked.
    Used,
    /// GOAWAY has been said.
    Leaving,
    /// The same, and nobody is waited for any more.
    Stopping,
}

impl Stage {
    /// How long it may be without a stream.
    fn patience(self) -> Duration {
        match self {
            Self::New | Self::Used => KEEP_ALIVE_TIMEOUT,
            Self::LastCall => HEAD_TIMEOUT,
            Self::Leaving => LINGER,
            Self::Stopping => LAST_WORDS,
        }
    }
}

impl Serving {
    async fn run(mut self) {
        let (mut leaving, mut stopping) = (self.context.leaving.clone(), self.context.leaving.clone());
        loop {
            let is_idle = self.tasks.is_empty();
            let may_stay = matches!(self.stage, Stage::New | Stage::Used);
            tokio::select! {
                biased;
                Some(left) = self.tasks.join_next(), if !is_idle => self.task_ended(left),
                accepted = self.connection.accept() => match accepted {
                    Some(Ok((request, to))) => self.accept(request, to),
                    // Over, or broken: what is left of the streams learns it from the crate.
                    Some(Err(_)) | None => break,
                },
                () = stopping.stopped(), if self.stage != Stage::Stopping => self.stop(),
                () = leaving.begun(), if may_stay => match self.stage {
                    Stage::New => self.stage = Stage::LastCall,
                    _ => self.leave(),
                },
                () = sleep_until(self.idle_since + self.stage.patience()), if is_idle => match self.stage {
                    Stage::Leaving | Stage::Stopping => break,
                    _ => self.leave(),
                },
            }
        }
        let Self {
            connection, mut tasks, ..
        } = self;
        drop(connection);
        // Each stream has its own record to make of it.
        let _ = timeout(LINGER, async { while tasks.join_next().await.is_some() {} }).await;
    }

    /// Takes what is on its way, and no more (RFC 9113 §6.8).
    fn leave(&mut self) {
        if !matches!(self.stage, Stage::Leaving | Stage::Stopping) {
            self.stage = Stage::Leaving;
            self.idle_since = Instant::now();
            self.connection.graceful_shutdown();
        }
    }

    fn stop(&mut self) {
        if self.tasks.is_empty() {
            // A request that is on its way learns that it has not been looked at.
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        } else {
            self.leave();
        }
        self.stage = Stage::Stopping;
        self.idle_since = Instant::now();
    }

    fn accept(&mut self, request: Request<h2::RecvStream>, to: SendResponse<Bytes>) {
        self.context.statistics.requests.fetch_add(1, Ordering::Relaxed);
        let place = Arc::clone(self.place.semaphore()).try_acquire_owned().ok();
        let (parts, from) = request.into_parts();
        let head = read_head(&parts, !from.is_end_stream());
        drop(parts);
        let stream = RequestStream::new(from, to);
        let (caller, context) = (Rc::clone(&self.caller), Rc::clone(&self.context));
        self.tasks
            .spawn_local(async move { handle(stream, head, &caller, place, &context).await });
        match self.stage {
            Stage::New => self.stage = Stage::Used,
            Stage::LastCall => self.leave(),
            Stage::Used | Stage::Leaving | Stage::Stopping => {}
        }
    }

    fn task_ended(&mut self, left: Result<Left, JoinError>) {
        match left {
            Ok(Left::WebSocket(pump)) => {
                // A task of its own, since that of a request keeps room for all that a request may need.
                self.tasks.spawn_local(async move {
                    pump.await;
                    Left::Ended
                });
            }
            Ok(Left::TakenBack) if !self.taken_back.allows(Instant::now()) => {
                self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
            }
            Ok(Left::Ended | Left::TakenBack) | Err(_) => {}
        }
        if self.tasks.is_empty() {
            self.idle_since = Instant::now();
        }
    }
}

/// How many requests a client may still take back.
struct TakenBack {
    left: u32,
    since: Instant,
}

impl TakenBack {
    fn new(now: Instant) -> Self {
        Self {
            left: TAKEN_BACK_BURST,
            since: now,
        }
    }

    /// Counts one more. False where it is one too many.
    fn allows(&mut self, now: Instant) -> bool {
        let seconds = u32::try_from((now - self.since).as_secs()).unwrap_or(u32::MAX);
        self.since += Duration::from_secs(seconds.into());
        self.left = self
            .left
            .saturating_add(seconds.saturating_mul(TAKEN_BACK_PER_SECOND))
            .min(TAKEN_BACK_BURST);
        let is_allowed = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_allowed
    }
}

#[cfg(test)]
#[path = "connection_tests.rs"]
mod tests;
