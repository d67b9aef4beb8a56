//! One HTTP/2 connection, from its preface to its end: a task for each stream, and one that moves the frames of all.
//!
//! Law 1: a connection without streams is ended in good order (GOAWAY) when nothing has been asked for as long as over 1.1.
//! Law 2: an edge that leaves says so (GOAWAY), and takes no new stream once the client has heard it; those that are there go
//!        on. Who was let in and has asked nothing yet may still ask once, as over 1.1, unless the edge stops.
//! Law 3: who takes back more requests than a browser would (CVE-2023-44487), or is over another budget (`watched`), is shown out:
//!        its WebSockets are told why, and then GOAWAY ends the connection.
//! Law 4: an end takes nothing away that was sent: the socket is closed when the client has ended its side too, or gives no sign
//!        of life. Closed with bytes unread in it, it would be reset.

use std::future::pending;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, SendResponse};
use http::Request;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::OwnedSemaphorePermit;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

use super::budget::Budget;
use super::exchange::{Left, handle};
use super::request::read_head;
use super::stream::RequestStream;
use super::turns::Turns;
use super::watched::{Conduct, Watched};
use super::{
    CONNECTION_WINDOW_BYTES, LAST_WORDS, MAX_RESET_KEPT, MAX_RESET_UNSEEN, MAX_SEND_BUFFER_BYTES, MAX_STREAMS,
    STREAM_WINDOW_BYTES, TAKEN_BACK_BURST, TAKEN_BACK_PER_SECOND,
};
use crate::connection::{CLIENT_STALL, Caller, Context, HEAD_TIMEOUT, KEEP_ALIVE_TIMEOUT, LINGER};
use crate::http::MAX_HEAD_BYTES;
use crate::leaving::Leaving;
use crate::stream::show_progress;
use crate::tls::TlsStream;
use crate::tunnel::Expulsion;

/// What a client's kernel takes of us though the client reads none of it: what is beyond may wait in ours.
const HELD_BY_KERNEL: usize = 64 * 1024;
/// How long a connection may take to end whose client shows life: what is left to take is what a kernel holds, some MiB.
const MAX_PARTING: Duration = Duration::from_mins(10);
/// What is still read, and dropped, of a client whose connection has ended for what it did.
const MAX_SUNK_BYTES: usize = 256 * 1024;

type Socket = TlsStream<TcpStream>;
type Connection = h2::server::Connection<Turns<Watched<Socket>>, Bytes>;

/// Serves a connection until it ends.
pub(crate) async fn serve(
    stream: TlsStream<TcpStream>,
    caller: Caller,
    place: OwnedSemaphorePermit,
    context: Rc<Context>,
) {
    let mut leaving = context.leaving.clone();
    show_progress(stream.get_ref());
    let (watched, conduct) = Watched::new(stream, Instant::now());
    let handshake = builder().handshake(Turns::new(watched));
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
        conduct,
        expulsions: Vec::new(),
        taken_back: Budget::new(TAKEN_BACK_BURST, TAKEN_BACK_PER_SECOND, Instant::now()),
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
        // `watched` counts them by time; the crate would for life.
        .max_local_error_reset_streams(None);
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
    conduct: Rc<Conduct<Socket>>,
    /// Of its WebSockets, some of which may have ended.
    expulsions: Vec<Expulsion>,
    taken_back: Budget,
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
    /// The client is over a budget: its WebSockets have until then to say so.
    Expelled(Instant),
    /// GOAWAY is on its way, and ends the connection.
    Ending,
}

impl Stage {
    fn may_offend(self) -> bool {
        !matches!(self, Self::Expelled(_) | Self::Ending)
    }

    fn may_stop(self) -> bool {
        self != Self::Stopping && self.may_offend()
    }

    /// How long it may be without a stream.
    fn patience(self) -> Duration {
        match self {
            Self::New | Self::Used => KEEP_ALIVE_TIMEOUT,
            Self::LastCall => HEAD_TIMEOUT,
            Self::Leaving => LINGER,
            Self::Stopping | Self::Ending | Self::Expelled(_) => LAST_WORDS,
        }
    }
}

impl Serving {
    async fn run(mut self) {
        let (mut leaving, mut stopping) = (self.context.leaving.clone(), self.context.leaving.clone());
        let mut is_fault = false;
        loop {
            let is_idle = self.tasks.is_empty();
            let may_stay = matches!(self.stage, Stage::New | Stage::Used);
            tokio::select! {
                biased;
                Some(left) = self.tasks.join_next(), if !is_idle => self.task_ended(left),
                accepted = self.connection.accept() => match accepted {
                    Some(Ok((request, to))) => self.accept(request, to),
                    // Over, or broken: what is left of the streams learns it from the crate.
                    over => {
                        is_fault = over.is_some() || self.stage == Stage::Ending;
                        break;
                    }
                },
                // Behind the connection, which brings it about.
                () = self.conduct.offended(), if self.stage.may_offend() => self.expel(),
                () = last_words(self.stage) => self.end(),
                () = stopping.stopped(), if self.stage.may_stop() => self.stop(),
                () = leaving.begun(), if may_stay => match self.stage {
                    Stage::New => self.stage = Stage::LastCall,
                    _ => self.leave(),
                },
                () = sleep_until(self.idle_since + self.stage.patience()), if is_idle => match self.stage {
                    Stage::Leaving | Stage::Stopping | Stage::Ending => break,
                    _ => self.leave(),
                },
            }
        }
        let Self {
            connection,
            mut tasks,
            conduct,
            context,
            ..
        } = self;
        drop(connection);
        // Each stream has its own record to make of it.
        let records = timeout(LINGER, async { while tasks.join_next().await.is_some() {} });
        let _ = tokio::join!(records, part(&conduct, is_fault, context.leaving.clone()));
    }

    /// Takes what is on its way, and no more (RFC 9113 §6.8).
    fn leave(&mut self) {
        if matches!(self.stage, Stage::New | Stage::LastCall | Stage::Used) {
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

    /// Law 3. Nothing more of the client is read.
    fn expel(&mut self) {
        for expulsion in self.expulsions.drain(..) {
            expulsion.carry_out();
        }
        self.stage = Stage::Expelled(Instant::now() + LAST_WORDS);
        if self.tasks.is_empty() {
            self.end();
        }
    }

    fn end(&mut self) {
        self.stage = Stage::Ending;
        self.idle_since = Instant::now();
        self.connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
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
            Stage::Used | Stage::Leaving | Stage::Stopping | Stage::Expelled(_) | Stage::Ending => {}
        }
    }

    fn task_ended(&mut self, left: Result<Left, JoinError>) {
        match left {
            Ok(Left::WebSocket(pump)) => {
                self.keep(pump.expulsion());
                // A task of its own, since that of a request keeps room for all that a request may need.
                self.tasks.spawn_local(async move {
                    pump.await;
                    Left::Ended
                });
            }
            Ok(Left::TakenBack) if !self.taken_back.allows(Instant::now()) => self.conduct.offend(),
            Ok(Left::Ended | Left::TakenBack) | Err(_) => {}
        }
        if self.tasks.is_empty() {
            self.idle_since = Instant::now();
            if matches!(self.stage, Stage::Expelled(_)) {
                self.end();
            }
        }
    }
    fn keep(&mut self, expulsion: Expulsion) {
        if self.expulsions.len() >= 2 * MAX_STREAMS as usize {
            self.expulsions.retain(|kept| !kept.is_over());
        }
        self.expulsions.push(expulsion);
    }
}

/// Waits until those that are shown out have had their time; for ever where nobody is.
async fn last_words(stage: Stage) {
    match stage {
        Stage::Expelled(until) => sleep_until(until).await,
        _ => pending().await,
    }
}

/// Ends what is left of a connection (law 4): our side first, then what still comes is read and dropped until the client has
/// ended too, for as long as it shows some life. One that was at fault has a moment to read of it.
async fn part(conduct: &Conduct<Socket>, is_fault: bool, mut leaving: Leaving) {
    let Some((mut socket, unheard)) = conduct.take_socket() else {
        return;
    };
    let (limit, mut room) = if is_fault {
        (LINGER, MAX_SUNK_BYTES)
    } else {
        (MAX_PARTING, CONNECTION_WINDOW_BYTES as usize)
    };
    let silence = if unheard > HELD_BY_KERNEL { CLIENT_STALL } else { LINGER };
    let reading = async {
        timeout(silence, socket.shutdown()).await??;
        let mut sink = [0; 1024];
        loop {
            let read = timeout(silence, socket.read(&mut sink)).await??;
            room = room.saturating_sub(read);
            if read == 0 || room == 0 {
                return io::Result::Ok(());
            }
        }
    };
    let stopped = async {
        leaving.stopped().await;
        sleep(LAST_WORDS).await;
    };
    // However it ends, the socket is closed next.
    tokio::select! {
        _ = timeout(limit, reading) => {}
        () = stopped => {}
    }
}
