//! An upgrade request on its way to the origin, and its answer on the way back (RFC 6455 §4).
//!
//! Law 1: a tunnel opens only for what `agreement` judges to be one.
//! Law 2: bytes that came with the request head or with the 101 go first.
//! Law 3: a client gets the 101 of a script when its process has taken the session, and not before.

use std::cell::Cell;
use std::sync::Arc;

use tokio::io::split;
use tokio::time::{sleep, timeout};

use crate::agreement::{Agreed, Judged, Party, judge, passes};
use crate::caps::{Claim, Place};
use crate::claiming::{self, Passed};
use crate::connection::{After, Connection, Context, write_patiently};
use crate::download::{AnswerHeads, DownloadEnd, Interim, MAX_INFORMATIONAL, only_informational};
use crate::exchange::{UNREAD_PAUSES, pass_refusal, request_bytes, write_fault};
use crate::fault::{Fault, FaultKind};
use crate::handshake::Offer;
use crate::http::response::ResponseHead;
use crate::http::{ForClient, Framing, Version, write_response};
use crate::messages::agree;
use crate::origin::{OriginConnection, dial};
use crate::parking;
use crate::policy::{Asked, Forward};
use crate::sessions::UNBOUND;
use crate::tunnel::{Far, NewTunnel, TunnelOptions};
use crate::upload::{AtItsEnd, ORIGIN_STALL, client_gone};

/// Carries an upgrade out. Any answer but 101 reaches the client as the origin gave it.
pub(crate) async fn upgrade(
    mut connection: Connection,
    asked: Arc<Asked>,
    offer: Offer,
    mut forward: Forward,
    context: &Context,
) -> After {
    let offer = agree::ask(offer, &mut forward);
    let outcome = {
        let (mut client_read, mut client_write) = split(&mut connection.stream);
        tokio::select! {
            biased;
            outcome = ask_origin(&mut client_write, &asked, &forward, context) => outcome,
            () = client_gone(&mut client_read, &mut connection.read, AtItsEnd::HasGone) => Err(None),
        }
    };
    let (origin, answer) = match outcome {
        Ok(answered) => answered,
        Err(Some(fault)) => return connection.explain(&asked, fault, &forward, context).await,
        Err(None) => return After::Cut,
    };
    let passed = passed(&answer, &forward, context).await;
    match judge(&offer, answer, origin, &mut forward, passed) {
        Ok(Judged::Agreed(agreed)) => {
            let (agreed, party) = *agreed;
            let taking = tokio::select! {
                biased;
                far = taken(party, &agreed, &forward, context) => far.map_err(Some),
                () = client_gone(&mut connection.stream, &mut connection.read, AtItsEnd::HasGone) => Err(None),
            };
            match (taking, forward.park.clone()) {
                (Ok(far), None) => open_tunnel(connection, &asked, (agreed, far), &forward, context),
                (Ok(far), Some(script)) => {
                    parking::park(connection, &asked, (agreed, far), &forward, (script, context)).await
                }
                (Err(Some(fault)), _) => connection.explain(&asked, fault, &forward, context).await,
                (Err(None), _) => After::Cut,
            }
        }
        Ok(Judged::Refused(refused)) => {
            let (origin, answer) = *refused;
            pass_refusal(connection, &asked, &answer, origin, &forward, context).await
        }
        Err(fault) => connection.explain(&asked, fault, &forward, context).await,
    }
}

/// Who is at the other end, once that has said so too: a client that has its 101 has an owner, whatever becomes of the process.
pub(crate) async fn taken(party: Party, agreed: &Agreed, forward: &Forward, context: &Context) -> Result<Far, Fault> {
    let terms = match party {
        Party::Origin(half) => return Ok(Far::Origin(half)),
        Party::Session(terms) => terms,
    };
    let mut coming = context.tunnels.expect(terms);
    let patience = UNBOUND.min(forward.origin.answer_timeout);
    match timeout(patience, coming.bound()).await {
        Ok(true) => Ok(Far::Session(coming)),
        Ok(false) => {
            let reason = format!(
                "{} has ended, or forgotten the WebSocket, before it took it",
                agreed.label
            );
            Err(Fault::new(FaultKind::BadAnswer, reason))
        }
        Err(_) => {
            let reason = format!("{} did not take the WebSocket within {patience:?}", agreed.label);
            Err(Fault::new(FaultKind::NoAnswer, reason))
        }
    }
}

/// What the process of a Worker gives to its client, where it does.
pub(crate) async fn passed(answer: &ResponseHead, forward: &Forward, context: &Context) -> Option<Passed> {
    let (token, worker) = passes(answer, forward)?;
    claiming::find(token, worker, context).await
}

/// Sends the handshake to the origin and waits for its final answer, or its 101.
pub(crate) async fn ask_origin(
    client: &mut impl Interim,
    asked: &Asked,
    forward: &Forward,
    context: &Context,
) -> Result<(OriginConnection, ResponseHead), Option<Fault>> {
    let mut pauses = UNREAD_PAUSES.iter();
    loop {
        let claim = Claim::take(&forward.zone, asked.client.ip(), forward.tunnel.as_deref())?;
        match (ask_once(client, asked, forward, context, claim).await, pauses.next()) {
            (Err(DownloadEnd::Unread(_)), Some(pause)) if forward.worker.is_some() => sleep(*pause).await,
            (outcome, _) => return outcome.map_err(DownloadEnd::into_fault),
        }
    }
}

async fn ask_once(
    client: &mut impl Interim,
    asked: &Asked,
    forward: &Forward,
    context: &Context,
    claim: Claim,
) -> Result<(OriginConnection, ResponseHead), DownloadEnd> {
    let origin = &forward.origin;
    let place = (context.pending.enter(origin, &forward.zone).await).map_err(DownloadEnd::Fault)?;
    let dialled = dial(origin, forward.tls_name(), &context.names).await;
    let mut dialled = dialled.map_err(DownloadEnd::Fault)?;
    // Until the origin has answered: a handshake is what costs an origin most. A Worker may take as long as user code
    // does, and ask for another WebSocket of its own meanwhile.
    let _place = place.filter(|_| forward.worker.is_none());
    dialled.claim = Some(claim);
    write_patiently(&mut dialled.stream, &request_bytes(asked, forward), ORIGIN_STALL)
        .await
        .map_err(|error| DownloadEnd::Unread(write_fault(origin, &error)))?;
    let progress = Cell::new(tokio::time::Instant::now());
    for _ in 0..MAX_INFORMATIONAL {
        let mut heads = AnswerHeads {
            from: &mut dialled.stream,
            read: &mut dialled.read,
            origin,
            method: asked.head.method(),
            progress: &progress,
        };
        let answer = heads.next().await?;
        if answer.status() == 101 || answer.status() >= 200 {
            return Ok((dialled, answer));
        }
        client.pass(asked, &answer).await?;
        progress.set(tokio::time::Instant::now());
    }
    Err(DownloadEnd::Fault(only_informational(origin)))
}

fn open_tunnel(
    connection: Connection,
    asked: &Asked,
    (agreed, far): (Agreed, Far),
    forward: &Forward,
    context: &Context,
) -> After {
    let (client, client_read, place) = connection.into_parts();
    // Leaving the runtime fails only where the descriptor is gone, and the connection with it.
    let Ok(client) = client.into_half(&client_read) else {
        return After::Cut;
    };
    asked.answered(agreed.answer.status());
    context.tunnels.open(NewTunnel {
        client,
        greeting: greeting(asked, &agreed.answer, &forward.set_response_headers),
        identity: agreed.identity(asked, forward),
        options: forward.tunnel.clone().unwrap_or_else(TunnelOptions::off),
        far,
        place: Place::new(Some(place), agreed.claim),
    });
    After::Upgraded
}

/// The 101, as it goes out.
pub(crate) fn greeting(asked: &Asked, answer: &ResponseHead, set: &[(String, String)]) -> Vec<u8> {
    let mut greeting = Vec::with_capacity(512);
    write_response(
        &mut greeting,
        &ForClient {
            head: answer,
            client_version: Version::Http11,
            framing: Framing::None,
            keep_alive: true,
            ray: &asked.ray,
            upgrade: true,
            set,
        },
    );
    greeting
}
