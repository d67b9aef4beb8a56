//! Accept client connections on the sockets of one thread.

use std::cell::Cell;
use std::io;
use std::net::TcpListener as StdListener;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use socket2::SockRef;
use tokio::net::TcpListener;
use tokio::sync::{Notify, Semaphore};
use tokio::task::spawn_local;

use crate::connection::{Context, Door, serve};
use crate::registry::Line;
use crate::stream::KEEP_ALIVE;

/// How long accepting pauses, again and again, while the policy is behind: it decides some fifty requests in that time.
const CROWDED_PAUSE: Duration = Duration::from_millis(1);
/// How long accepting pauses when the process has no descriptors left: they come back as connections end.
const EXHAUSTED_PAUSE: Duration = Duration::from_millis(100);

/// Descriptors that a connection may need: its own, and one to an origin.
const PLACES: u32 = 2;

/// Counts the connections of a thread, so that its end can wait for theirs.
#[derive(Debug, Default)]
pub(crate) struct Live {
    count: Cell<usize>,
    gone: Notify,
}

impl Live {
    /// Waits until no connection is left.
    pub(crate) async fn none_left(&self) {
        while self.count.get() > 0 {
            self.gone.notified().await;
        }
    }
}

/// Takes connections until the edge leaves, and then lets go of the socket: who waits in the kernel's queue waits for
/// whoever else holds it. Each holds [`PLACES`] of `places` from before it is accepted: when all are taken, new clients
/// wait in the kernel's queue.
pub(crate) async fn accept(
    listener: StdListener,
    is_tls: bool,
    places: Arc<Semaphore>,
    live: Rc<Live>,
    context: Rc<Context>,
) {
    let (listener, door) = match open(listener, is_tls) {
        Ok(opened) => opened,
        Err(error) => {
            context.log.put(Line::Notice {
                message: format!("a listening socket cannot be used: {error}"),
            });
            return;
        }
    };
    let mut leaving = context.leaving.clone();
    loop {
        let next = async {
            // The semaphore is never closed.
            let place = Arc::clone(&places).acquire_many_owned(PLACES).await.ok();
            calm(&context).await;
            (place, listener.accept().await)
        };
        let (place, accepted) = tokio::select! {
            biased;
            () = leaving.begun() => return,
            next = next => next,
        };
        let Some(place) = place else { return };
        match accepted {
            Ok((socket, client)) => {
                context.statistics.accepted.fetch_add(1, Ordering::Relaxed);
                context.statistics.connections.fetch_add(1, Ordering::Relaxed);
                let (live, context) = (Rc::clone(&live), Rc::clone(&context));
                // Counted before its task runs: an edge that leaves now must not overlook it.
                live.count.set(live.count.get() + 1);
                spawn_local(async move {
                    serve(socket, client, door, place, Rc::clone(&context)).await;
                    context.statistics.connections.fetch_sub(1, Ordering::Relaxed);
                    live.count.set(live.count.get() - 1);
                    live.gone.notify_waiters();
                });
            }
            // EMFILE, ENFILE, ENOBUFS, ENOMEM: nothing but time helps.
            Err(error) if matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12)) => {
                drop(place);
                context.log.put(Line::Notice {
                    message: format!("accepting pauses: {error}"),
                });
                tokio::time::sleep(EXHAUSTED_PAUSE).await;
            }
            // The client has gone between its SYN and our accept (accept(2) lists what else it may tell).
            Err(_) => {}
        }
    }
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
