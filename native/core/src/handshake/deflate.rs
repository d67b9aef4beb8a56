//! Which answers a permessage-deflate offer allows (RFC 7692 §7.1).
//!
//! Law 1: we compress nothing here; we only see that an answer claims no more than some offer allows, so that the client
//!        can do what the answer says. What an offer asked for and an answer left out is for the client to judge.
//! Law 2: where messages are looked at, each is compressed by itself: [`Solo`] asks both sides for that, which each must
//!        honour. So the edge keeps no window between messages, and one that it keeps back is missed by no later one.

use super::extensions::{Extension, Parameter};

pub(super) const NAME: &str = "permessage-deflate";

/// LZ77 windows of 2^8 to 2^15 bytes (RFC 7692 §7.1.2).
const LARGEST_WINDOW_BITS: u8 = 15;

/// Which directions carry messages that are each compressed by themselves (RFC 7692 §7.1.1).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Solo {
    /// What the client sends.
    pub(crate) to_origin: bool,
    /// What the origin sends.
    pub(crate) to_client: bool,
    /// The origin may not ask for smaller windows than there are.
    pub(crate) is_full_sized: bool,
}

/// What one offer lets an answer say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct DeflateOffer {
    parameters: Parameters,
    /// The largest window the server may announce for itself.
    server_window_bits: u8,
    /// The largest window it may ask the client to keep to; `None` where it may not ask.
    client_window_bits: Option<u8>,
}

impl DeflateOffer {
    /// Reads an offer. `None` where it is for another extension, or is one a server must decline (RFC 7692 §7.1).
    pub(super) fn read(extension: &Extension<'_>) -> Option<Self> {
        let parameters = Parameters::read(extension)?;
        Some(Self {
            parameters,
            server_window_bits: match parameters.server_window {
                None => LARGEST_WINDOW_BITS,
                Some(window) => window.bits?,
            },
            client_window_bits: parameters
                .client_window
                .map(|window| window.bits.unwrap_or(LARGEST_WINDOW_BITS)),
        })
    }

    /// The offer, with this asked for. RFC 7692 §7.1.1.1: who accepts it agrees to `server_no_context_takeover`; the other is a
    /// hint (§7.1.1.2), since it is our answer to the client that counts.
    pub(super) fn solo(self, solo: Solo) -> Self {
        Self {
            parameters: self.parameters.solo(solo),
            client_window_bits: self.client_window_bits.filter(|_| !solo.is_full_sized),
            ..self
        }
    }

    /// What agrees to the offer with messages that are each compressed by themselves, in windows of the full size. None where
    /// it asks for smaller ones, which are not worth the code: the sender of the offer has others, or does without.
    pub(super) fn solo_answer(&self) -> Option<String> {
        let both = Solo {
            to_origin: true,
            to_client: true,
            is_full_sized: false,
        };
        let parameters = Parameters {
            // RFC 7692 §7.1.2.1: who accepts an offer that names it answers with it.
            server_window: self.parameters.server_window,
            ..Parameters::default()
        };
        (self.server_window_bits == LARGEST_WINDOW_BITS).then(|| parameters.solo(both).text())
    }

    /// As it stands in the header.
    pub(super) fn text(&self) -> String {
        self.parameters.text()
    }

    /// Whether an answer may say this to the offer.
    pub(super) fn allows(self, answer: &Extension<'_>) -> bool {
        let Some(parameters) = Parameters::read(answer) else {
            return false;
        };
        let fits = |window: Option<Window>, largest: Option<u8>| match window {
            None => true,
            // RFC 7692 §7.1.2: in an answer, both windows have a value.
            Some(window) => window
                .bits
                .is_some_and(|bits| largest.is_some_and(|largest| bits <= largest)),
        };
        fits(parameters.server_window, Some(self.server_window_bits))
            && fits(parameters.client_window, self.client_window_bits)
    }
}

/// What an answer agrees to, for a client that is to send messages by themselves; None where the origin's are not.
pub(super) fn answer_solo(answer: &Extension<'_>, solo: Solo) -> Option<String> {
    let parameters = Parameters::read(answer)?;
    (parameters.server_no_takeover || !solo.to_client).then(|| parameters.solo(solo).text())
}

/// The four parameters, each at most once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Parameters {
    server_window: Option<Window>,
    client_window: Option<Window>,
    server_no_takeover: bool,
    client_no_takeover: bool,
}

/// A window parameter, whose value may be left out in places.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    bits: Option<u8>,
}

impl Parameters {
    fn read(extension: &Extension<'_>) -> Option<Self> {
        if extension.name != NAME {
            return None;
        }
        let mut parameters = Self::default();
        for parameter in &extension.parameters {
            let is_new = match parameter.name {
                "server_no_context_takeover" => flag(parameter, &mut parameters.server_no_takeover)?,
                "client_no_context_takeover" => flag(parameter, &mut parameters.client_no_takeover)?,
                "server_max_window_bits" => parameters.server_window.replace(window(parameter)?).is_none(),
                "client_max_window_bits" => parameters.client_window.replace(window(parameter)?).is_none(),
                _ => return None,
            };
            if !is_new {
                return None;
            }
        }
        Some(parameters)
    }

    fn solo(self, solo: Solo) -> Self {
        Self {
            server_no_takeover: self.server_no_takeover || solo.to_client,
            client_no_takeover: self.client_no_takeover || solo.to_origin,
            client_window: self.client_window.filter(|_| !solo.is_full_sized),
            ..self
        }
    }

    fn text(self) -> String {
        let mut text = NAME.to_owned();
        if self.server_no_takeover {
            text.push_str("; server_no_context_takeover");
        }
        if self.client_no_takeover {
            text.push_str("; client_no_context_takeover");
        }
        for (name, window) in [
            ("server_max_window_bits", self.server_window),
            ("client_max_window_bits", self.client_window),
        ] {
            match window {
                None => {}
                Some(Window { bits: None }) => text.extend(["; ", name]),
                Some(Window { bits: Some(bits) }) => text.extend(["; ", name, "=", &bits.to_string()]),
            }
        }
        text
    }
}

/// Sets a parameter that has no value, and says whether it was not set before.
fn flag(parameter: &Parameter<'_>, is_set: &mut bool) -> Option<bool> {
    parameter.value.is_none().then(|| !std::mem::replace(is_set, true))
}

/// RFC 7692 §7.1.2: a decimal integer without leading zeros, 8 to 15.
fn window(parameter: &Parameter<'_>) -> Option<Window> {
    let Some(value) = &parameter.value else {
        return Some(Window { bits: None });
    };
    let bits = match value.as_ref() {
        "8" => 8,
        "9" => 9,
        "10" => 10,
        "11" => 11,
        "12" => 12,
        "13" => 13,
        "14" => 14,
        "15" => 15,
        _ => return None,
    };
    Some(Window { bits: Some(bits) })
}

#[cfg(test)]
#[path = "deflate_tests.rs"]
mod tests;
