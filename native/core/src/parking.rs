//! How what was opened for a script is parked, and how long it stays.
//!
//! Law: the script's connection is the lease: it is open as long as what is parked is, and ends when that has been taken.

use std::io;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::AsyncRead;
use tokio::time::sleep;

use crate::agreement::Agreed;
use crate::caps::{Claim, Place};
use crate::connection::{After, CLIENT_STALL, Connection, Context, ray_id, write_patiently};
use crate::fault::{Fault, FaultKind};
use crate::parked::{Ticket, Upstream};
use crate::policy::{Asked, Forward, WorkerTarget};
use crate::tunnel::{Coming, Far, Half, Identity, NewTunnel, Transport, TunnelOptions};
use crate::upgrade::greeting;
use crate::upload::{AtItsEnd, client_gone};

/// How long something stays parked. A script that hands it on does so at once; one that never does must not keep origins waiting.
const MAX_TIME: Duration = Duration::from_secs(30);

/// The field by which a script learns its token.
const PARKED: &str = "Holdfast-Parked";

/// Keeps what has opened for the script that asked, until the script has said what becomes of it.
pub(crate) async fn park(
    connection: Connection,
    asked: &Arc<Asked>,
    (agreed, far): (Agreed, Far),
    forward: &Forward,
    (script, context): (Arc<WorkerTarget>, &Context),
) -> After {
    if !context.parked.has_room() {
        let fault = Fault::new(FaultKind::EdgeExhausted, "as many WebSockets are parked as may be");
        return connection.explain(asked, fault, forward, context).await;
    }
    let identity = agreed.identity(asked, forward);
    let options = forward.tunnel.clone().unwrap_or_else(TunnelOptions::off);
    let Agreed { answer, claim, .. } = agreed;
    let (half, claim) = match far {
        Far::Origin(half) => (half, claim),
        Far::Session(coming) => {
            let session = Joined {
                coming,
                // A WebSocket of its own, besides the one that will lead to it.
                identity: Identity {
                    asked: identity.asked.under(&ray_id(&context.colo)),
                    ..identity.clone()
                },
                options: Arc::clone(&options),
                claim,
            };
            // Without a pair of sockets, what was opened has ended.
            let Ok(half) = session.open(context) else {
                return After::Cut;
            };
            (half, None)
        }
    };
    // So that its process can adopt what is parked, over a channel of this edge.
    context
        .tunnels
        .reach(Arc::clone(&script.channel), Arc::clone(&script.script));
    let (mut stream, mut read, place) = connection.into_parts();
    let ticket = context.parked.put(Upstream {
        half,
        answer: answer.clone(),
        identity: Box::new(identity),
        options,
        place: Place::new(Some(place), claim),
        script,
    });
    let Some(mut ticket) = ticket else { return After::Cut };
    let mut set = forward.set_response_headers.clone();
    set.push((PARKED.to_owned(), ticket.token().to_string()));
    asked.answered(answer.status());
    let told = write_patiently(&mut stream, &greeting(asked, &answer, &set), CLIENT_STALL).await;
    if told.is_ok() {
        let mut leaving = context.leaving.clone();
        tokio::select! {
            () = lease(&mut ticket, &mut stream, &mut read, MAX_TIME) => {}
            // Whoever would take it ends as well.
            () = leaving.stopped() => {}
        }
    }
    After::Cut
}

/// Waits until what is parked has been taken, until the script has gone, or for `limit`.
async fn lease(ticket: &mut Ticket, script: &mut (impl AsyncRead + Unpin), read: &mut BytesMut, limit: Duration) {
    tokio::select! {
        () = ticket.taken() => {}
        () = client_gone(script, read, AtItsEnd::HasGone) => {}
        () = sleep(limit) => {}
    }
}

/// A session of another script's, which what is parked leads to.
struct Joined {
    coming: Coming,
    identity: Identity,
    options: Arc<TunnelOptions>,
    claim: Option<Claim>,
}

impl Joined {
    /// Opens it with a socket for its client, whose other end is given.
    fn open(self, context: &Context) -> io::Result<Half> {
        let (client, far) = UnixStream::pair()?;
        client.set_nonblocking(true)?;
        far.set_nonblocking(true)?;
        context.tunnels.open(NewTunnel {
            client: half(client),
            far: Far::Session(self.coming),
            greeting: Vec::new(),
            identity: self.identity,
            options: self.options,
            place: Place::new(None, self.claim),
        });
        Ok(half(far))
    }
}

fn half(socket: UnixStream) -> Half {
    Half {
        transport: Transport::Unix(socket),
        tls: None,
        early: Vec::new(),
        unsent: Vec::new(),
    }
}

#[cfg(test)]
#[path = "parking_tests.rs"]
mod tests;
