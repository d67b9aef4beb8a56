//! One request of a stream: decided about, carried out and answered.
//!
//! Law 1: what an answer lacks is seen by its client. A body that its origin breaks off is cut with a reset, never ended.
//! Law 2: to who asks for a WebSocket, any 2xx says that it is open (RFC 8441 §5). So no 2xx but the agreement is passed on
//!        to such a stream, whoever it is of.

use std::cell::Cell;
use std::sync::{Arc, OnceLock};
use std::time::SystemTime;

use bytes::{Buf, Bytes, BytesMut};
use h2::Reason;
use http::Response;
use tokio::io::{AsyncRead, AsyncReadExt, split};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use super::answer;
use super::pump::Pump;
use super::stream::{Body, RequestStream};
use crate::agreement::{Agreed, Judged, judge};
use crate::caps::Place;
use crate::connection::{Caller, Context, READ_BYTES, ray_id};
use crate::download::{
    AnswerHeads, Answered, DownloadEnd, Interim, MAX_INFORMATIONAL, bad_answer, explained, only_informational,
};
use crate::exchange::{Client, Failure, carry_out, race, request_bytes};
use crate::fault::{Fault, FaultKind};
use crate::handshake::{self, Offer};
use crate::http::response::ResponseHead;
use crate::http::{BodyDecoder, Framing, RequestHead};
use crate::messages::agree;
use crate::origin::OriginConnection;
use crate::policy::{Asked, Forward, Respond};
use crate::refusal::Refusal;
use crate::tunnel::{Far, Half, NewTunnel, Transport, TunnelOptions, pipe};
use crate::upgrade;
use crate::upload::{BodyRelay, Upload};

/// What there is left to do of a stream.
pub(super) enum Left {
    /// It is a WebSocket now.
    WebSocket(Pump),
    /// Its client has taken it back.
    TakenBack,
    /// Nothing.
    Ended,
}

/// Does what there is to do for a request.
pub(super) async fn handle(
    stream: RequestStream,
    head: Result<RequestHead, Refusal>,
    caller: &Caller,
    place: Option<OwnedSemaphorePermit>,
    context: &Context,
) -> Left {
    let opening = tokio::select! {
        biased;
        () = stream.watch() => return Left::TakenBack,
        opening = answer(&stream, head, caller, place.is_some(), context) => opening,
    };
    match (opening, place) {
        (Some(opening), Some(place)) => {
            open_tunnel(stream, opening, place, context).map_or(Left::Ended, Left::WebSocket)
        }
        // A stream without a place has been refused.
        _ => Left::Ended,
    }
}

/// What was agreed to, before the client knows.
struct Opening {
    asked: Arc<Asked>,
    forward: Forward,
    agreed: Agreed,
    far: Far,
}

async fn answer(
    stream: &RequestStream,
    head: Result<RequestHead, Refusal>,
    caller: &Caller,
    has_place: bool,
    context: &Context,
) -> Option<Opening> {
    let read = head.and_then(|head| {
        let offer = handshake::read_offer(&head).map_err(|fault| Refusal::of_handshake(&fault, &head))?;
        Ok((head, offer))
    });
    let ray = ray_id(&context.colo);
    let (head, offer) = match read {
        Ok(read) => read,
        Err(refusal) => {
            let respond = refusal.respond(&ray, SystemTime::now());
            send_own(stream, &respond, &ray, true).await;
            return None;
        }
    };
    let asked = Arc::new(Asked {
        head,
        ray,
        client: caller.address,
        edge_port: caller.edge_port,
        tls: caller.tls.clone(),
        is_upgrade: offer.is_some(),
        is_egress: false,
        zone: OnceLock::new(),
        leaving: context.leaving.clone(),
    });
    if !has_place {
        let refusal = Refusal::of(&asked, 503, "the edge has no room for another request").with_retry_after(1);
        respond(stream, &asked, &refusal.respond(&asked.ray, SystemTime::now())).await;
        return None;
    }
    match (context.decide(&asked).await, offer) {
        (Ok(forward), Some(offer)) if !forward.strip_upgrade => upgrade(stream, asked, offer, forward, context).await,
        (Ok(forward), _) => {
            exchange(stream, &asked, &forward, context).await;
            None
        }
        (Err(answer), _) => {
            respond(stream, &asked, &answer).await;
            None
        }
    }
}

async fn respond(stream: &RequestStream, asked: &Asked, answer: &Respond) {
    if would_open(asked, answer.status) {
        let reason = format!(
            "the answer to this request is {}, which over HTTP/2 would open a WebSocket",
            answer.status
        );
        let refusal = Refusal::of(asked, 403, &reason).respond(&asked.ray, SystemTime::now());
        asked.answered(refusal.status);
        return send_own(stream, &refusal, &asked.ray, true).await;
    }
    asked.answered(answer.status);
    send_own(stream, answer, &asked.ray, asked.head.method() != "HEAD").await;
}

/// Law 2.
fn would_open(asked: &Asked, status: u16) -> bool {
    asked.is_upgrade && (200..300).contains(&status)
}

async fn send_own(stream: &RequestStream, own: &Respond, ray: &str, with_body: bool) {
    let Some(head) = answer::own(own, ray) else {
        return stream.cut(Reason::INTERNAL_ERROR);
    };
    let has_body = with_body && !own.body.is_empty() && !matches!(own.status, 204 | 304);
    // A client that is gone is seen by who watches it.
    if stream.begin(head, !has_body).is_ok() && has_body {
        let _ = stream.send(Bytes::copy_from_slice(&own.body), true).await;
    }
}

async fn explain(stream: &RequestStream, asked: &Arc<Asked>, fault: Fault, forward: &Forward, context: &Context) {
    let answer = context.explanation(asked, fault, forward).await;
    respond(stream, asked, &answer).await;
}

async fn exchange(mut stream: &RequestStream, asked: &Arc<Asked>, forward: &Forward, context: &Context) {
    match carry_out(&mut stream, asked, forward, context).await {
        Ok(_) => {}
        Err(Failure::Told(fault) | Failure::Unread(fault)) => explain(stream, asked, fault, forward, context).await,
        Err(Failure::BadBody(reason)) => {
            let refusal = Refusal::of(asked, 400, &reason);
            respond(stream, asked, &refusal.respond(&asked.ray, SystemTime::now())).await;
        }
        Err(Failure::Broken(fault)) => {
            context.log_fault(asked, &fault, forward);
            stream.cut(Reason::INTERNAL_ERROR);
        }
        Err(Failure::Cut | Failure::Stale) => stream.cut(Reason::CANCEL),
    }
}

impl Client for &RequestStream {
    async fn both_ways(
        &mut self,
        asked: &Asked,
        forward: &Forward,
        origin: &mut OriginConnection,
    ) -> Result<(bool, Result<Answered, DownloadEnd>), Failure> {
        let progress = Cell::new(Instant::now());
        let (is_uploaded, has_begun) = (Cell::new(false), Cell::new(false));
        let (origin_read, origin_write) = split(&mut origin.stream);
        let framing = asked.head.framing();
        let from = match framing {
            // The stream says where its body ends.
            Framing::Chunked => Framing::UntilClose,
            known => known,
        };
        let upload = Upload {
            from: Body(self),
            read: &mut BytesMut::new(),
            to: origin_write,
            body: BodyRelay::new(from, framing),
            progress: &progress,
            trailers: &self.trailers,
            is_complete: &is_uploaded,
        };
        let download = Download {
            from: origin_read,
            read: &mut origin.read,
            to: self,
            asked,
            forward,
            progress: &progress,
            has_begun: &has_begun,
        };
        let uploading = upload.run(request_bytes(asked, forward));
        let outcome = race(uploading, download.run(), &has_begun, forward).await?;
        Ok((is_uploaded.get(), outcome))
    }
}

/// The origin's half of an exchange, as `download::Download` is over 1.1.
struct Download<'a, R> {
    from: R,
    read: &'a mut BytesMut,
    to: &'a RequestStream,
    asked: &'a Asked,
    forward: &'a Forward,
    progress: &'a Cell<Instant>,
    has_begun: &'a Cell<bool>,
}

impl<R: AsyncRead + Unpin> Download<'_, R> {
    async fn run(mut self) -> Result<Answered, DownloadEnd> {
        let origin = &self.forward.origin;
        for _ in 0..MAX_INFORMATIONAL {
            let mut heads = AnswerHeads {
                from: &mut self.from,
                read: self.read,
                origin,
                method: self.asked.head.method(),
                progress: self.progress,
            };
            let head = heads.next().await?;
            match head.status() {
                101 => {
                    let fault = bad_answer(origin, "switched protocols without being asked to");
                    return Err(DownloadEnd::Fault(fault));
                }
                100..=199 => self.to.pass(self.asked, &head).await?,
                _ => {
                    explained(self.forward, &head).map_err(DownloadEnd::Fault)?;
                    return self.pass_on(&head).await;
                }
            }
            self.progress.set(Instant::now());
        }
        Err(DownloadEnd::Fault(only_informational(origin)))
    }

    async fn pass_on(mut self, head: &ResponseHead) -> Result<Answered, DownloadEnd> {
        if would_open(self.asked, head.status()) {
            return Err(DownloadEnd::Fault(self.no_agreement(head.status())));
        }
        let Some(answer) = answer::of_origin(head, self.asked, self.forward) else {
            let fault = bad_answer(&self.forward.origin, "sent a head that is too large to pass on");
            return Err(DownloadEnd::Fault(fault));
        };
        self.asked.answered(head.status());
        self.has_begun.set(true);
        let mut body = BodyDecoder::new(head.framing());
        self.to.begin(answer, body.is_done())?;
        if !body.is_done() {
            self.pass_body(&mut body).await?;
        }
        Ok(Answered {
            client_may_stay: true,
            // As over 1.1.
            origin_may_stay: head.keep_alive() && !matches!(head.framing(), Framing::UntilClose | Framing::None),
        })
    }

    async fn pass_body(&mut self, body: &mut BodyDecoder) -> Result<(), DownloadEnd> {
        loop {
            let mut data = Vec::new();
            let decoded = self.decode(body, &mut data);
            let trailers = body.take_trailers();
            let is_last = decoded.is_ok() && body.is_done() && trailers.is_none();
            if !data.is_empty() || is_last {
                self.to.send(data.into(), is_last).await?;
            }
            decoded?;
            match trailers {
                Some(trailers) => return self.to.finish(answer::trailers(&trailers)),
                None if body.is_done() => return Ok(()),
                None => {}
            }
            self.read.reserve(READ_BYTES);
            match timeout(self.forward.origin.answer_timeout, self.from.read_buf(self.read)).await {
                Ok(Ok(0)) => {
                    body.end_of_stream().map_err(|fault| self.broken(&fault.to_string()))?;
                    return self.to.send(Bytes::new(), true).await;
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(self.broken(&error.to_string())),
                Err(_) => return Err(self.broken("it fell silent")),
            }
        }
    }

    /// Takes all data off what was read.
    fn decode(&mut self, body: &mut BodyDecoder, data: &mut Vec<u8>) -> Result<(), DownloadEnd> {
        while !body.is_done() {
            let step = body
                .decode(self.read)
                .map_err(|fault| self.broken(&fault.to_string()))?;
            data.extend_from_slice(&self.read[step.data.clone()]);
            self.read.advance(step.consumed);
            if step.consumed == 0 && !step.is_done {
                break;
            }
        }
        Ok(())
    }

    fn no_agreement(&self, status: u16) -> Fault {
        let label = self.forward.origin.label();
        let reason = format!("the origin {label} answered the upgrade with {status}; expected 101, or a refusal");
        Fault::new(FaultKind::BadUpgrade, reason)
    }

    fn broken(&self, reason: &str) -> DownloadEnd {
        let what = format!("broke off its answer: {reason}");
        DownloadEnd::Broken(bad_answer(&self.forward.origin, &what))
    }
}

async fn upgrade(
    mut stream: &RequestStream,
    asked: Arc<Asked>,
    offer: Offer,
    mut forward: Forward,
    context: &Context,
) -> Option<Opening> {
    let offer = agree::ask(offer, &mut forward);
    let (origin, head) = match upgrade::ask_origin(&mut stream, &asked, &forward, context).await {
        Ok(answered) => answered,
        Err(Some(fault)) => {
            explain(stream, &asked, fault, &forward, context).await;
            return None;
        }
        Err(None) => {
            stream.cut(Reason::CANCEL);
            return None;
        }
    };
    let passed = upgrade::passed(&head, &forward, context).await;
    match judge(&offer, head, origin, &mut forward, passed) {
        Ok(Judged::Agreed(agreed)) => {
            let (agreed, party) = *agreed;
            match upgrade::taken(party, &agreed, &forward, context).await {
                Ok(far) => Some(Opening {
                    asked,
                    forward,
                    agreed,
                    far,
                }),
                Err(fault) => {
                    explain(stream, &asked, fault, &forward, context).await;
                    None
                }
            }
        }
        Ok(Judged::Refused(refused)) => {
            let (origin, head) = *refused;
            pass_refusal(stream, &asked, &head, origin, &forward, context).await;
            None
        }
        Err(fault) => {
            explain(stream, &asked, fault, &forward, context).await;
            None
        }
    }
}

/// Passes on an origin's refusal of an upgrade as it is, where it is one (law 2).
async fn pass_refusal(
    stream: &RequestStream,
    asked: &Arc<Asked>,
    head: &ResponseHead,
    mut origin: OriginConnection,
    forward: &Forward,
    context: &Context,
) {
    let download = Download {
        from: &mut origin.stream,
        read: &mut origin.read,
        to: stream,
        asked,
        forward,
        progress: &Cell::new(Instant::now()),
        has_begun: &Cell::new(false),
    };
    match download.pass_on(head).await {
        Ok(_) => {}
        Err(DownloadEnd::Nothing(fault) | DownloadEnd::Unread(fault) | DownloadEnd::Fault(fault)) => {
            explain(stream, asked, fault, forward, context).await;
        }
        Err(DownloadEnd::Broken(fault)) => {
            context.log_fault(asked, &fault, forward);
            stream.cut(Reason::INTERNAL_ERROR);
        }
        Err(DownloadEnd::ClientGone) => stream.cut(Reason::CANCEL),
    }
}

fn open_tunnel(
    stream: RequestStream,
    opening: Opening,
    place: OwnedSemaphorePermit,
    context: &Context,
) -> Option<Pump> {
    let Opening {
        asked,
        forward,
        agreed,
        far,
    } = opening;
    let agreement: Response<()> = answer::of_agreement(&agreed.answer, &asked, &forward)?;
    let (leg, end) = pipe(context.tunnels.clone());
    asked.answered(agreed.answer.status());
    let parts = stream.into_parts(agreement)?;
    let pump = Pump::new(parts, end);
    context.tunnels.open(NewTunnel {
        client: Half {
            transport: Transport::Pipe(leg),
            tls: None,
            early: Vec::new(),
            unsent: Vec::new(),
        },
        greeting: Vec::new(),
        identity: agreed.identity(&asked, &forward),
        options: forward.tunnel.clone().unwrap_or_else(TunnelOptions::off),
        far,
        place: Place::new(Some(place), agreed.claim),
    });
    Some(pump)
}
