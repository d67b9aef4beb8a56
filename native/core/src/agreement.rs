//! Whether an origin has agreed to an upgrade, and with whom the client's WebSocket is opened then.
//!
//! Law 1: a tunnel opens only for a 101 that is the right answer to this very handshake.
//! Law 2: who speaks frames to the client has agreed to its extensions. So for a session these are the edge's, and for a parked
//!        connection those of the origin at its end, whatever the script's process has said.
//! Law 3: what a 101 says in fields named `Holdfast-*` is believed of the process of a Worker alone.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::caps::Claim;
use crate::claiming::Passed;
use crate::download::explained;
use crate::fault::{Fault, FaultKind};
use crate::handshake::{Offer, agrees_to_deflate, check_answer};
use crate::http::is_token;
use crate::http::response::ResponseHead;
use crate::messages::agree;
use crate::origin::OriginConnection;
use crate::policy::{Asked, Forward, WorkerTarget};
use crate::sessions::SessionTerms;
use crate::tunnel::{self, Half, Identity, Spoken};

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
/// The field by which a script's process takes a client's messages, with what it knows the session by.
const SESSION: &str = "Holdfast-Session";
/// The field by which it gives a client the connection that was parked for it.
const PASS: &str = "Holdfast-Pass";
/// Longest ticket.
const MAX_TICKET_BYTES: usize = 128;

/// What was agreed: a WebSocket is about to open.
pub(crate) struct Agreed {
    /// The 101, as the client gets it.
    pub(crate) answer: ResponseHead,
    /// How records name that.
    pub(crate) label: Arc<str>,
    /// Its place under the limits of its zone.
    pub(crate) claim: Option<Claim>,
}

impl Agreed {
    /// Who the tunnel is for that opens now.
    pub(crate) fn identity(&self, asked: &Asked, forward: &Forward) -> Identity {
        let chosen = self.answer.fields().first(PROTOCOL).unwrap_or_default();
        Identity {
            // `check_answer` has seen to it that what was chosen is of the client's offer.
            asked: tunnel::Asked::new(
                &asked.ray,
                asked.head.host(),
                asked.head.path(),
                &String::from_utf8_lossy(chosen),
            ),
            zone: Arc::clone(&forward.zone),
            client: asked.client,
            origin: Arc::clone(&self.label),
            spoken: Spoken::new(
                asked.head.version(),
                asked.tls.as_ref().map_or("", |facts| facts.version),
            ),
            is_compressed: agrees_to_deflate(&self.answer),
            opened: SystemTime::now(),
            opened_at: Instant::now(),
        }
    }
}

/// Who is at the other end of what was agreed.
pub(crate) enum Party {
    /// An origin, by its connection.
    Origin(Half),
    /// A script's process, which is yet to take the session.
    Session(SessionTerms),
}

/// What an origin's final answer, or its 101, comes to.
pub(crate) enum Judged {
    /// A WebSocket, with whom.
    Agreed(Box<(Agreed, Party)>),
    /// An answer that is passed on.
    Refused(Box<(OriginConnection, ResponseHead)>),
}

/// The token of what a Worker's process gives to its client; None where it gives nothing.
pub(crate) fn passes<'a>(answer: &'a ResponseHead, forward: &'a Forward) -> Option<(&'a [u8], &'a WorkerTarget)> {
    let worker = forward.worker.as_deref().filter(|_| answer.status() == 101)?;
    Some((answer.fields().first(PASS)?, worker))
}

/// Judges an answer to an upgrade, and makes it tell the client what it has to keep to. `passed` is what was found of what it
/// [`passes`].
pub(crate) fn judge(
    offer: &Offer,
    answer: ResponseHead,
    origin: OriginConnection,
    forward: &mut Forward,
    passed: Option<Passed>,
) -> Result<Judged, Fault> {
    explained(forward, &answer)?;
    if answer.status() != 101 {
        return Ok(Judged::Refused(Box::new((origin, answer))));
    }
    let agreed = match forward.worker.clone() {
        None => Ok(with_origin(answer, origin, forward)?),
        Some(worker) => {
            let label = Arc::clone(&forward.origin.label);
            with_worker(offer, answer, (label, origin.claim), &worker, passed)
        }
    };
    let agreed = agreed.and_then(|(mut agreed, party)| {
        let checked = check_answer(&seen_by_origin(offer, forward), &agreed.answer);
        match checked.and_then(|()| agree::answer(&mut agreed.answer, forward)) {
            Ok(()) => Ok((agreed, party)),
            Err(fault) => Err(fault.to_string()),
        }
    });
    agreed.map(|agreed| Judged::Agreed(Box::new(agreed))).map_err(|reason| {
        let label = forward.origin.label();
        let reason = format!("the origin {label} agreed to the upgrade wrongly: {reason}");
        Fault::new(FaultKind::BadUpgrade, reason)
    })
}

fn with_origin(answer: ResponseHead, origin: OriginConnection, forward: &Forward) -> Result<(Agreed, Party), Fault> {
    let label = &forward.origin.label;
    let half = origin.stream.into_half(&origin.read).map_err(|error| {
        // Leaving the runtime fails only where the descriptor is gone, and the connection with it.
        Fault::new(
            FaultKind::BadAnswer,
            format!("the connection to the origin {label} is lost: {error}"),
        )
    })?;
    let agreed = Agreed {
        answer,
        label: Arc::clone(label),
        claim: origin.claim,
    };
    Ok((agreed, Party::Origin(half)))
}

/// What the process of a Worker says in its 101. The connection that it came over has done its part.
fn with_worker(
    offer: &Offer,
    answer: ResponseHead,
    (label, claim): (Arc<str>, Option<Claim>),
    worker: &WorkerTarget,
    passed: Option<Passed>,
) -> Result<(Agreed, Party), String> {
    match (answer.fields().first(SESSION), answer.fields().first(PASS)) {
        (Some(ticket), None) => {
            let ticket = ticket_of(ticket)?;
            Ok(with_session(offer, answer, ticket, (label, claim), worker))
        }
        (None, Some(_)) => {
            let passed = passed.ok_or("nothing is parked under its Holdfast-Pass")?;
            let mut answer = answer;
            for name in [EXTENSIONS, PROTOCOL] {
                answer.set(name, passed.answer.fields().first(name));
            }
            let agreed = Agreed {
                answer,
                label: passed.label,
                claim,
            };
            Ok((agreed, Party::Origin(passed.half)))
        }
        (Some(_), Some(_)) => Err(format!("it has both {SESSION} and {PASS}")),
        (None, None) => Err(format!("it has neither {SESSION} nor {PASS}")),
    }
}

fn with_session(
    offer: &Offer,
    mut answer: ResponseHead,
    ticket: String,
    (label, claim): (Arc<str>, Option<Claim>),
    worker: &WorkerTarget,
) -> (Agreed, Party) {
    // An empty field is how user code asks for no compression.
    let wants_none = answer.fields().first(EXTENSIONS).is_some_and(<[u8]>::is_empty);
    let extensions = if wants_none { None } else { offer.solo_answer() };
    answer.set(EXTENSIONS, extensions.as_deref().map(str::as_bytes));
    let terms = SessionTerms {
        ticket,
        channel: Arc::clone(&worker.channel),
        script: Arc::clone(&worker.script),
        is_compressed: extensions.is_some(),
    };
    (Agreed { answer, label, claim }, Party::Session(terms))
}

fn ticket_of(value: &[u8]) -> Result<String, String> {
    let ticket = std::str::from_utf8(value).ok();
    let ticket = ticket.filter(|text| is_token(text.as_bytes()) && text.len() <= MAX_TICKET_BYTES);
    let Some(ticket) = ticket else {
        return Err(format!("its {SESSION} is no token of up to {MAX_TICKET_BYTES} bytes"));
    };
    // See `tunnel/identity.rs`.
    let mut handed = String::with_capacity(tunnel::HANDED_BYTES);
    handed.push_str(ticket);
    Ok(handed)
}

/// The offer as it went on: where a decision has set another `Sec-WebSocket-Protocol`, with those of its subprotocols alone that
/// are in it. An origin may not choose one that was kept from it.
fn seen_by_origin<'a>(offer: &'a Offer, forward: &Forward) -> Cow<'a, Offer> {
    let mut set = forward.set_headers.iter().rev();
    match set.find(|(name, _)| name.eq_ignore_ascii_case(PROTOCOL)) {
        Some((_, names)) => Cow::Owned(offer.with_protocols(names)),
        None => Cow::Borrowed(offer),
    }
}

#[cfg(test)]
#[path = "agreement_tests.rs"]
mod tests;
