//! One HTTP/2 connection, from its preface to its end: a task for each stream, and one that moves the frames of all.
//!
//! Law 1: a connection without streams is ended in good order (GOAWAY) when nothing has been asked for as long as over 1.1.
//! Law 2: an edge that retires or stops says so at once, and takes no new stream; those that are there go on.
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
use super::{
    CONNECTION_WINDOW_BYTES, MAX_FAULTY_STREAMS, MAX_RESET_KEPT, MAX_RESET_UNSEEN, MAX_SEND_BUFFER_BYTES, MAX_STREAMS,
    STREAM_WINDOW_BYTES, TAKEN_BACK_BURST, TAKEN_BACK_PER_SECOND,
};
use crate::connection::{Caller, Context, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, LINGER};
use crate::http::MAX_HEAD_BYTES;
use crate::tls::TlsStream;

type Connection = h2::server::Connection<TlsStream<TcpStream>, Bytes>;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: TlsStream<TcpStream>,
    caller: Caller,
    place: OwnedSemaphorePermit,
    context: Rc<Context>,
) {
    let mut leaving = context.leaving.clone();
    let handshake = builder().handshake(stream);
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
        is_leaving: false,
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
    /// GOAWAY has been said.
    is_leaving: bool,
}

impl Serving {
    async fn run(mut self) {
        let mut leaving = self.context.leaving.clone();
        loop {
            let is_idle = self.tasks.is_empty();
            let patience = if self.is_leaving { LINGER } else { KEEP_ALIVE_TIMEOUT };
            tokio::select! {
                biased;
                Some(left) = self.tasks.join_next(), if !is_idle => self.task_ended(left),
                accepted = self.connection.accept() => match accepted {
                    Some(Ok((request, to))) => self.accept(request, to),
                    // Over, or broken: what is left of the streams learns it from the crate.
                    Some(Err(_)) | None => break,
                },
                () = leaving.begun(), if !self.is_leaving => self.leave(),
                () = sleep_until(self.idle_since + patience), if is_idle => {
                    if self.is_leaving {
                        break;
                    }
                    self.leave();
                }
            }
        }
        let Self {
            connection, mut tasks, ..
        } = self;
        drop(connection);
        // Each stream has its own record to make of it.
        let _ = timeout(LINGER, async { while tasks.join_next().await.is_some() {} }).await;
    }

    fn leave(&mut self) {
        self.is_leaving = true;
        self.idle_since = Instant::now();
        if self.tasks.is_empty() {
            // A request that is on its way learns that it has not been looked at (RFC 9113 §6.8).
            self.connection.abrupt_shutdown(Reason::NO_ERROR);
        } else {
            self.connection.graceful_shutdown();
        }
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
