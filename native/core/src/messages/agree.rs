//! The opening handshake of a tunnel whose messages the edge looks at, or may have to (what is parked for a script).
//!
//! Theory. What an extension makes of a frame is between the two ends, so of all extensions only permessage-deflate is left in
//! the offer, and messages of a direction that is looked at are each compressed by themselves (RFC 7692 §7.1.1). Then no
//! window is kept between messages, binary ones need not be inflated, and a message that is dropped is missed by none after it.
//! It costs the two ends compression: a small message finds nothing before it to refer to.
//!
//! What is parked may become a session of the script's, with the edge for a client: then what the origin sends must be readable by
//! itself, and the edge compresses in windows of the full size. So that is asked for before it is known.

use crate::handshake::{AnswerFault, Offer, Solo, answer_solo};
use crate::http::ResponseHead;
use crate::policy::Forward;
use crate::tunnel::Side;

const EXTENSIONS: &str = "Sec-WebSocket-Extensions";

/// Makes the request ask for no more than can be looked at. Returns the offer that the answer must fit.
pub(crate) fn ask(offer: Offer, forward: &mut Forward) -> Offer {
    let Some(solo) = solo(forward) else {
        return offer;
    };
    let (offer, text) = offer.solo(solo);
    set(&mut forward.set_headers, text.as_deref());
    if text.is_none() {
        forward.remove_headers.push(EXTENSIONS.into());
    }
    offer
}

/// Makes the answer tell the client what it has to keep to.
pub(crate) fn answer(answer: &mut ResponseHead, forward: &mut Forward) -> Result<(), AnswerFault> {
    if let Some(solo) = solo(forward) {
        let text = answer_solo(answer, solo)?;
        set(&mut forward.set_response_headers, None);
        answer.set(EXTENSIONS, text.as_deref().map(str::as_bytes));
    }
    Ok(())
}

fn solo(forward: &Forward) -> Option<Solo> {
    let rules = forward
        .tunnel
        .as_ref()
        .and_then(|options| options.message_rules.as_ref());
    let is_parked = forward.park.is_some();
    if rules.is_none() && !is_parked {
        return None;
    }
    let looks_at = |side| rules.is_some_and(|rules| rules.watch(side));
    Some(Solo {
        to_origin: looks_at(Side::Origin),
        to_client: is_parked || looks_at(Side::Client),
        is_full_sized: is_parked,
    })
}

fn set(headers: &mut Vec<(String, String)>, value: Option<&str>) {
    headers.retain(|(name, _)| !name.eq_ignore_ascii_case(EXTENSIONS));
    headers.extend(value.map(|value| (EXTENSIONS.to_owned(), value.to_owned())));
}
