//! Accept connections on the sockets of one thread: of clients, and of Workers' processes (`egress`).

use std::cell::Cell;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::os::unix::net::UnixListener as StdUnixListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::{TcpListener, TcpStream, UnixListener};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio::task::spawn_local;

use crate::connection::{Arrival, Context, Door, HttpStatistics, serve};
use crate::registry::Line;
use crate::stream::KEEP_ALIVE;

/// How long accepting pauses, again and again, while the policy is behind: it decides some fifty requests in that time.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);
/// How long accepting pauses when the process has no descriptors left: they come back as connections end.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Descriptors that a connection may need: its own, and one to an origin.
pub(crate) const PLACES: u32 = 2;

/// Connections that one socket lets in at the very end: as many as wait in its queue at once (`net.core.somaxconn`), so that
/// a storm that goes on does not keep an edge from leaving.
const MOST_WAITING: usize = 4096;

/// Counts the connections of a thread, and the sockets that they come in by, so that its end can wait for theirs.
#[derive(Debug, Default)]
pub(crate) struct Live {
    count: Cell<usize>,
    gone: Notify,
}

impl Live {
    /// Waits until none of them is left.
    pub(crate) async fn none_left(&self) {
        while self.count.get() > 0 {
            self.gone.notified().await;
        }
    }

    fn arrives(&self) {
        self.count.set(self.count.get() + 1);
    }

    fn leaves(&self) {
        self.count.set(self.count.get() - 1);
        self.gone.notify_waiters();
    }
}

/// A listening socket that is still held, counted as such.
#[derive(Debug)]
pub(crate) struct Held(Arc<HttpStatistics>);

impl Held {
    pub(crate) fn new(statistics: &Arc<HttpStatistics>) -> Self {
        statistics.listening.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(statistics))
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // After the socket itself has been closed, and what came of it been counted.
        self.0.listening.fetch_sub(1, Ordering::Release);
    }
}

/// What clients come in by: one listening socket. Each connection holds [`PLACES`] of `places` from before it is accepted: when all are taken,
/// new clients wait in the kernel's queue.
pub(crate) struct Entrance {
    is_tls: bool,
    places: Arc<Semaphore>,
    live: Rc<Live>,
    context: Rc<Context>,
}

impl Entrance {
    pub(crate) fn new(is_tls: bool, places: Arc<Semaphore>, live: Rc<Live>, context: Rc<Context>) -> Self {
        live.arrives();
        Self {
            is_tls,
            places,
            live,
            context,
        }
    }

    /// Takes connections until the edge leaves, and then lets go of the socket: who waits in the kernel's queue waits for
    /// whoever else holds it, or comes in last of all.
    pub(crate) async fn accept(self, listener: StdListener, held: Held) {
        match open(listener, self.is_tls) {
            Ok((listener, door)) => self.accept_from(listener, door).await,
            Err(error) => self.context.log.put(Line::Notice {
                message: format!("a listening socket cannot be used: {error}"),
            }),
        }
        drop(held);
        self.live.leaves();
    }

    async fn accept_from(&self, listener: TcpListener, door: Door) {
        let mut leaving = self.context.leaving.clone();
        loop {
            let next = async {
                // The semaphore is never closed.
                let place = Arc::clone(&self.places).acquire_many_owned(PLACES).await.ok();
                calm(&self.context).await;
                (place, listener.accept().await)
            };
            let (place, accepted) = tokio::select! {
                biased;
                () = leaving.begun() => break,
                next = next => next,
            };
            let Some(place) = place else { return };
            match accepted {
                Ok((socket, client)) => self.let_in(socket, client, door, place),
                Err(error) if is_exhausted(&error) => {
                    drop(place);
                    self.context.log.put(Line::Notice {
                        message: format!("accepting pauses: {error}"),
                    });
                    tokio::time::sleep(EXHAUSTED_PAUSE).await;
                }
                // The client has gone between its SYN and our accept (accept(2) lists what else it may tell).
                Err(_) => {}
            }
        }
        if leaving.takes_waiting() {
            self.take_waiting(listener, door);
        }
    }

    /// Lets in who waits in the kernel's queue, as far as there are places: it resets the others when the socket closes.
    fn take_waiting(&self, listener: TcpListener, door: Door) {
        // Asked of the kernel itself: what tokio knows of the socket may be older than the last of them.
        let Ok(listener) = listener.into_std() else { return };
        for _ in 0..MOST_WAITING {
            let Ok(place) = Arc::clone(&self.places).try_acquire_many_owned(PLACES) else {
                return;
            };
            match accept_now(&listener) {
                Ok(Some((socket, client))) => self.let_in(socket, client, door, place),
                Ok(None) => return,
                Err(error) if is_exhausted(&error) => return,
                Err(_) => {}
            }
        }
    }

    fn let_in(&self, socket: TcpStream, client: SocketAddr, door: Door, place: OwnedSemaphorePermit) {
        let (live, context) = (Rc::clone(&self.live), Rc::clone(&self.context));
        context.statistics.accepted.fetch_add(1, Ordering::Relaxed);
        context.statistics.connections.fetch_add(1, Ordering::Relaxed);
        // Counted before its task runs: an edge that leaves now must not overlook it.
        live.arrives();
        spawn_local(async move {
            serve(Arrival::Client(socket, client, door), place, Rc::clone(&context)).await;
            context.statistics.connections.fetch_sub(1, Ordering::Relaxed);
            live.leaves();
        });
    }
}

/// Takes connections of Workers' processes until the edge leaves. Others share the socket, and so its queue: it is no place of
/// clients that an edge would answer for before it lets go. Where nobody else will take it over, it is kept to the end, for
/// what Workers fetch belongs to requests that are under way.
pub(crate) async fn accept_egress(
    listener: StdUnixListener,
    places: Arc<Semaphore>,
    live: Rc<Live>,
    context: Rc<Context>,
) {
    let listener = match UnixListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return notice(&context, &format!("the egress socket cannot be used: {error}")),
    };
    let mut leaving = context.leaving.clone();
    let left = async {
        leaving.begun().await;
        if leaving.takes_waiting() {
            leaving.stopped().await;
        }
    };
    tokio::select! {
        () = left => {}
        () = take_egress(&listener, &places, &live, &context) => {}
    }
}

async fn take_egress(listener: &UnixListener, places: &Arc<Semaphore>, live: &Rc<Live>, context: &Rc<Context>) {
    // The semaphore is never closed.
    while let Ok(place) = Arc::clone(places).acquire_many_owned(PLACES).await {
        calm(context).await;
        match listener.accept().await {
            Ok((socket, _)) => {
                let (live, context) = (Rc::clone(live), Rc::clone(context));
                context.statistics.egress_accepted.fetch_add(1, Ordering::Relaxed);
                context.statistics.egress.fetch_add(1, Ordering::Relaxed);
                live.arrives();
                spawn_local(async move {
                    serve(Arrival::Egress(socket), place, Rc::clone(&context)).await;
                    context.statistics.egress.fetch_sub(1, Ordering::Relaxed);
                    live.leaves();
                });
            }
            Err(error) if is_exhausted(&error) => {
                drop(place);
                notice(context, &format!("accepting what Workers fetch pauses: {error}"));
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            // The process has gone meanwhile.
            Err(_) => {}
        }
    }
}

fn notice(context: &Context, message: &str) {
    context.log.put(Line::Notice {
        message: message.to_owned(),
    });
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: nothing but time helps.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

/// A connection that waits in the queue of a socket that does not block; None where none does.
fn accept_now(listener: &StdListener) -> io::Result<Option<(TcpStream, SocketAddr)>> {
    let (socket, client) = match listener.accept() {
        Ok(accepted) => accepted,
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
        Err(error) => return Err(error),
    };
    socket.set_nonblocking(true)?;
    Ok(Some((TcpStream::from_std(socket)?, client)))
}

/// Waits while too many requests wait for a decision: clients in the kernel's queue are better off than refused ones.
async fn calm(context: &Context) {
    if !context.policy.is_crowded() {
        return;
    }
    context.statistics.accept_pauses.fetch_add(1, Ordering::Relaxed);
    while context.policy.is_crowded() {
        tokio::time::sleep(CROWDED_PAUSE).await;
    }
}

fn open(listener: StdListener, is_tls: bool) -> io::Result<(TcpListener, Door)> {
    // What is accepted inherits both (tcp(7) on Linux). A small answer must not wait for an acknowledgement.
    let options = SockRef::from(&listener);
    options.set_tcp_nodelay(true)?;
    options.set_tcp_keepalive(&KEEP_ALIVE)?;
    let port = listener.local_addr()?.port();
    Ok((TcpListener::from_std(listener)?, Door { port, is_tls }))
}
