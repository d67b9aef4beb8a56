//! One ordinary request and its answer, streamed both ways at once.
//!
//! Law 1: bodies are passed on as they come; nothing is collected. A slow reader stops its writer.
//! Law 2: a body whose end the sender did not reach is never given a regular end towards the receiver.
//! Law 3: a connection is used again only when both messages on it are complete.
//! Law 4: a request goes to the origin twice only if it is idempotent, without a body, and nothing was answered
//!        (RFC 9110 §9.2.2). One that the process of a Worker has not read, because it has ended, goes to the next process.

use std::cell::Cell;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::split;
use tokio::time::{Instant, sleep};

use crate::connection::{After, Connection, Context};
use crate::download::{Answered, Download, DownloadEnd};
use crate::fault::{Fault, FaultKind};
use crate::http::response::ResponseHead;
use crate::http::{ForOrigin, Framing, write_request};
use crate::origin::{Origin, OriginConnection, dial};
use crate::policy::{Asked, Forward};
use crate::upload::{BodyRelay, Upload, UploadEnd};

/// How long after each other a request is sent to the next process of a Worker, when one has ended without having read it. The
/// next one is there as soon as the one before it takes no more.
pub(crate) const UNREAD_PAUSES: [Duration; 4] = [
    Duration::ZERO,
    Duration::from_millis(5),
    Duration::from_millis(25),
    Duration::from_millis(125),
];

/// Who asks, over whichever protocol: what is different between them in an exchange.
pub(crate) trait Client {
    /// Runs both directions until the answer is complete, or neither direction can go on. Also says whether all of the
    /// request was sent.
    async fn both_ways(
        &mut self,
        asked: &Asked,
        forward: &Forward,
        origin: &mut OriginConnection,
    ) -> Result<(bool, Result<Answered, DownloadEnd>), Failure>;
}

/// Why an exchange did not come to its end.
pub(crate) enum Failure {
    /// Nothing was sent to the client yet: it can be told.
    Told(Fault),
    /// The client's body cannot be read: 400.
    BadBody(String),
    /// The origin broke off its answer: too late to tell the client, but not the log.
    Broken(Fault),
    /// Nobody is there any more.
    Cut,
    /// A connection from the pool was dead, and the request may be sent again.
    Stale,
    /// A Worker's process has ended before it had read the request.
    Unread(Fault),
}

/// Carries an ordinary request out.
pub(crate) async fn exchange(
    mut connection: Connection,
    asked: Arc<Asked>,
    forward: Forward,
    context: &Context,
) -> After {
    match carry_out(&mut connection, &asked, &forward, context).await {
        Ok(true) => After::KeepAlive(connection),
        Ok(false) => After::Close(connection),
        Err(Failure::Told(fault) | Failure::Unread(fault)) => {
            connection.explain(&asked, fault, &forward, context).await
        }
        Err(Failure::BadBody(reason)) => connection.refuse_body(&asked, &reason, context).await,
        Err(Failure::Broken(fault)) => {
            context.log_fault(&asked, &fault, &forward);
            After::Cut
        }
        Err(Failure::Cut | Failure::Stale) => After::Cut,
    }
}

/// True when the client's connection can be used again.
pub(crate) async fn carry_out(
    client: &mut impl Client,
    asked: &Asked,
    forward: &Forward,
    context: &Context,
) -> Result<bool, Failure> {
    let origin = &forward.origin;
    // A Worker's process is replaced by each deploy, and what it ends then must not cost a request that cannot be sent again.
    let pooled = if forward.worker.is_none() || is_repeatable(asked) {
        context.pool.take(origin, forward.tls_name(), &context.names).await
    } else {
        None
    };
    if let Some(pooled) = pooled {
        match once(client, asked, forward, context, pooled, is_repeatable(asked)).await {
            Err(Failure::Stale | Failure::Unread(_)) => {}
            outcome => return outcome,
        }
    }
    let mut pauses = UNREAD_PAUSES.iter();
    loop {
        let place = (context.pending.enter(origin, &forward.zone).await).map_err(Failure::Told)?;
        let dialled = dial(origin, forward.tls_name(), &context.names)
            .await
            .map_err(Failure::Told)?;
        drop(place);
        match (
            once(client, asked, forward, context, dialled, false).await,
            pauses.next(),
        ) {
            (Err(Failure::Unread(_)), Some(pause)) => sleep(*pause).await,
            (outcome, _) => return outcome,
        }
    }
}

async fn once(
    client: &mut impl Client,
    asked: &Asked,
    forward: &Forward,
    context: &Context,
    mut origin: OriginConnection,
    may_repeat: bool,
) -> Result<bool, Failure> {
    let (is_uploaded, outcome) = client.both_ways(asked, forward, &mut origin).await?;
    match outcome {
        Ok(answered) => {
            if is_uploaded && answered.origin_may_stay && origin.read.is_empty() {
                context.pool.put(&forward.origin, forward.tls_name(), origin);
            }
            Ok(is_uploaded && answered.client_may_stay)
        }
        Err(DownloadEnd::Nothing(_) | DownloadEnd::Unread(_)) if may_repeat => Err(Failure::Stale),
        Err(DownloadEnd::Unread(fault)) if forward.worker.is_some() && has_no_body(asked) => {
            Err(Failure::Unread(fault))
        }
        Err(DownloadEnd::Nothing(fault) | DownloadEnd::Unread(fault) | DownloadEnd::Fault(fault)) => {
            Err(Failure::Told(fault))
        }
        Err(DownloadEnd::Broken(fault)) => Err(Failure::Broken(fault)),
        Err(DownloadEnd::ClientGone) => Err(Failure::Cut),
    }
}

impl Client for Connection {
    async fn both_ways(
        &mut self,
        asked: &Asked,
        forward: &Forward,
        origin: &mut OriginConnection,
    ) -> Result<(bool, Result<Answered, DownloadEnd>), Failure> {
        let progress = Cell::new(Instant::now());
        let (is_uploaded, has_begun) = (Cell::new(false), Cell::new(false));
        let (client_read, client_write) = split(&mut self.stream);
        let (origin_read, origin_write) = split(&mut origin.stream);
        let framing = asked.head.framing();
        let upload = Upload {
            from: client_read,
            read: &mut self.read,
            to: origin_write,
            body: BodyRelay::new(framing, framing),
            progress: &progress,
            trailers: &Cell::new(None),
            is_complete: &is_uploaded,
        };
        let download = Download {
            from: origin_read,
            read: &mut origin.read,
            to: client_write,
            asked,
            forward,
            progress: &progress,
            has_begun: &has_begun,
            // Behind a handshake that was stripped, frames may follow, which are no request.
            may_stay: !asked.is_upgrade,
            is_uploaded: &is_uploaded,
        };
        let uploading = upload.run(request_bytes(asked, forward));
        let outcome = race(uploading, download.run(), &has_begun, forward).await?;
        Ok((is_uploaded.get(), outcome))
    }
}

/// Waits for the answer while the request goes on.
pub(crate) async fn race(
    uploading: impl Future<Output = UploadEnd>,
    downloading: impl Future<Output = Result<Answered, DownloadEnd>>,
    has_begun: &Cell<bool>,
    forward: &Forward,
) -> Result<Result<Answered, DownloadEnd>, Failure> {
    let (mut uploading, mut downloading) = (pin!(uploading), pin!(downloading));
    let mut refused = None;
    loop {
        tokio::select! {
            biased;
            end = &mut uploading, if refused.is_none() => match end {
                UploadEnd::BadBody(_) if has_begun.get() => return Err(Failure::Cut),
                UploadEnd::BadBody(reason) => return Err(Failure::BadBody(reason)),
                UploadEnd::ClientGone => return Err(Failure::Cut),
                // An origin may answer before it has read all, and then stop reading: its answer is still to come.
                UploadEnd::Origin(error) => refused = Some(error),
            },
            outcome = &mut downloading => {
                let outcome = match (outcome, refused) {
                    // It cannot have read what it did not take.
                    (Err(DownloadEnd::Nothing(_) | DownloadEnd::Unread(_)), Some(error)) => {
                        Err(DownloadEnd::Unread(write_fault(&forward.origin, &error)))
                    }
                    (outcome, _) => outcome,
                };
                return Ok(outcome);
            }
        }
    }
}

fn is_repeatable(asked: &Asked) -> bool {
    let is_idempotent = matches!(asked.head.method(), "GET" | "HEAD" | "OPTIONS" | "PUT" | "DELETE");
    is_idempotent && has_no_body(asked)
}

fn has_no_body(asked: &Asked) -> bool {
    matches!(asked.head.framing(), Framing::None | Framing::Length(0))
}

/// The request as the origin gets it.
pub(crate) fn request_bytes(asked: &Asked, forward: &Forward) -> Vec<u8> {
    let mut request = Vec::with_capacity(1024);
    write_request(
        &mut request,
        &ForOrigin {
            head: &asked.head,
            base_path: &forward.origin.base_path,
            set: &forward.set_headers,
            remove: &forward.remove_headers,
            framing: asked.head.framing(),
            upgrade: asked.is_upgrade && !forward.strip_upgrade,
            strip_handshake: asked.is_upgrade && forward.strip_upgrade,
            strip_own: asked.is_egress || forward.worker.is_some(),
        },
    );
    request
}

/// Passes on an origin's refusal of an upgrade, its head already read, as it is.
pub(crate) async fn pass_refusal(
    mut connection: Connection,
    asked: &Asked,
    answer: &ResponseHead,
    mut origin: OriginConnection,
    forward: &Forward,
    context: &Context,
) -> After {
    // What came early was meant for a WebSocket, and must not be read as a request.
    let has_early = !connection.read.is_empty();
    let (progress, has_begun) = (Cell::new(Instant::now()), Cell::new(false));
    let download = Download {
        from: &mut origin.stream,
        read: &mut origin.read,
        to: &mut connection.stream,
        asked,
        forward,
        progress: &progress,
        has_begun: &has_begun,
        may_stay: !has_early,
        is_uploaded: &Cell::new(true),
    };
    match download.pass_on(answer).await {
        Ok(answered) if answered.client_may_stay => After::KeepAlive(connection),
        Ok(_) => After::Close(connection),
        Err(
            DownloadEnd::Nothing(fault)
            | DownloadEnd::Unread(fault)
            | DownloadEnd::Fault(fault)
            | DownloadEnd::Broken(fault),
        ) => {
            context.log_fault(asked, &fault, forward);
            After::Cut
        }
        Err(DownloadEnd::ClientGone) => After::Cut,
    }
}

/// The origin did not take the request.
pub(crate) fn write_fault(origin: &Origin, error: &io::Error) -> Fault {
    let label = &origin.label;
    if error.kind() == io::ErrorKind::TimedOut {
        return Fault::new(
            FaultKind::NoAnswer,
            format!("the origin {label} did not take the request in time"),
        );
    }
    Fault::new(
        FaultKind::BadAnswer,
        format!("the origin {label} closed the connection during the request: {error}"),
    )
}
