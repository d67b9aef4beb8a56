//! An upgrade request on its way to the origin, and its answer on the way back (RFC 6455 §4).
//!
//! Law 1: a tunnel opens only for a 101 that is the right answer to this very handshake.
//! Law 2: bytes that came with the request head or with the 101 go first.

use std::borrow::Cow;
use std::cell::Cell;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use tokio::io::split;

use crate::caps::Claim;
use crate::connection::{After, Connection, Context, write_patiently};
use crate::download::{AnswerHeads, DownloadEnd, Interim, MAX_INFORMATIONAL, explained, only_informational};
use crate::exchange::{pass_refusal, request_bytes, write_fault};
use crate::fault::{Fault, FaultKind};
use crate::handshake::{Offer, agrees_to_deflate, check_answer};
use crate::http::response::ResponseHead;
use crate::http::{ForClient, Framing, Version, write_response};
use crate::messages::agree;
use crate::origin::{OriginConnection, dial};
use crate::policy::{Asked, Forward};
use crate::tunnel::{Far, Identity, NewTunnel, TunnelOptions};
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
    match judge(&offer, &answer, &mut forward) {
        Ok(true) => {}
        Ok(false) => return pass_refusal(connection, &asked, &answer, origin, &forward, context).await,
        Err(fault) => return connection.explain(&asked, fault, &forward, context).await,
    }
    open_tunnel(connection, &asked, &answer, origin, &forward, context)
}

/// Sends the handshake to the origin and waits for its final answer, or its 101.
pub(crate) async fn ask_origin(
    client: &mut impl Interim,
    asked: &Asked,
    forward: &Forward,
    context: &Context,
) -> Result<(OriginConnection, ResponseHead), Option<Fault>> {
    let origin = &forward.origin;
    let claim = Claim::take(&forward.zone, asked.client.ip(), forward.tunnel.as_deref())?;
    // Until the origin has answered: a handshake is what costs an origin most.
    let _place = context.pending.enter(origin, &forward.zone).await?;
    let mut dialled = dial(origin, forward.tls_name(), &context.names).await?;
    dialled.claim = Some(claim);
    write_patiently(&mut dialled.stream, &request_bytes(asked, forward), ORIGIN_STALL)
        .await
        .map_err(|error| write_fault(origin, &error))?;
    let progress = Cell::new(tokio::time::Instant::now());
    for _ in 0..MAX_INFORMATIONAL {
        let mut heads = AnswerHeads {
            from: &mut dialled.stream,
            read: &mut dialled.read,
            origin,
            method: asked.head.method(),
            progress: &progress,
        };
        let answer = heads.next().await.map_err(DownloadEnd::into_fault)?;
        if answer.status() == 101 || answer.status() >= 200 {
            return Ok((dialled, answer));
        }
        client.pass(asked, &answer).await.map_err(DownloadEnd::into_fault)?;
        progress.set(tokio::time::Instant::now());
    }
    Err(Some(only_informational(origin)))
}

/// Whether the origin agrees (law 1), and makes the answer tell the client what it has to keep to.
pub(crate) fn judge(offer: &Offer, answer: &ResponseHead, forward: &mut Forward) -> Result<bool, Fault> {
    explained(forward, answer)?;
    if answer.status() != 101 {
        return Ok(false);
    }
    let agreed = check_answer(&seen_by_origin(offer, forward), answer).and_then(|()| agree::answer(answer, forward));
    agreed.map_err(|fault| {
        let label = forward.origin.label();
        let reason = format!("the origin {label} agreed to the upgrade wrongly: {fault}");
        Fault::new(FaultKind::BadUpgrade, reason)
    })?;
    Ok(true)
}

/// The offer as it went on: where a decision has set another `Sec-WebSocket-Protocol`, with those of its subprotocols alone that
/// are in it. An origin may not choose one that was kept from it.
fn seen_by_origin<'a>(offer: &'a Offer, forward: &Forward) -> Cow<'a, Offer> {
    let mut set = forward.set_headers.iter().rev();
    match set.find(|(name, _)| name.eq_ignore_ascii_case("sec-websocket-protocol")) {
        Some((_, names)) => Cow::Owned(offer.with_protocols(names)),
        None => Cow::Borrowed(offer),
    }
}

/// Who a tunnel is for that opens now.
pub(crate) fn identity(asked: &Asked, answer: &ResponseHead, forward: &Forward) -> Box<Identity> {
    Box::new(Identity {
        ray: asked.ray.clone(),
        zone: Arc::clone(&forward.zone),
        client: asked.client,
        host: asked.head.host().to_owned(),
        path: asked.head.path().to_owned(),
        origin: Arc::clone(&forward.origin.label),
        protocol: match asked.head.version() {
            Version::Http2 => "h2",
            Version::Http10 | Version::Http11 => "http/1.1",
        },
        tls_version: asked.tls.as_ref().map_or("", |facts| facts.version),
        subprotocol: subprotocol(answer),
        is_compressed: agrees_to_deflate(answer),
        opened: SystemTime::now(),
        opened_at: Instant::now(),
    })
}

fn open_tunnel(
    connection: Connection,
    asked: &Asked,
    answer: &ResponseHead,
    origin: OriginConnection,
    forward: &Forward,
    context: &Context,
) -> After {
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
            set: &forward.set_response_headers,
        },
    );
    let (client, client_read, place) = connection.into_parts();
    let claim = origin.claim;
    // Leaving the runtime fails only where the descriptor is gone, and the connection with it.
    let (Ok(client), Ok(origin)) = (client.into_half(&client_read), origin.stream.into_half(&origin.read)) else {
        return After::Cut;
    };
    asked.answered(answer.status());
    context.tunnels.open(NewTunnel {
        client,
        far: Far::Origin(origin),
        greeting,
        identity: identity(asked, answer, forward),
        options: forward.tunnel.clone().unwrap_or_else(TunnelOptions::off),
        place: Box::new((place, claim)),
    });
    After::Upgraded
}

/// What the origin chose of the client's offer; `check_answer` has seen to it that it is one of them.
fn subprotocol(answer: &ResponseHead) -> Box<str> {
    let chosen = answer.fields().first("sec-websocket-protocol").unwrap_or_default();
    String::from_utf8_lossy(chosen).into()
}
