//! The opening handshake of a WebSocket, checked on both legs (RFC 6455 §4).
//!
//! Theory. The handshake passes through us end to end: client and origin negotiate with each other, and we check that
//! what each says is an answer to what the other said. So a client never learns from its own library that an origin is
//! broken, but from us, with the reason.
//!
//! Law 1: whatever looks like an attempt to open a WebSocket is one. It is never passed on as an ordinary request.
//! Law 2: an offer is kept only as far as an answer must be compared with it.

use base64::Engine;
use base64::alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD};
use sha1::{Digest, Sha1};

use crate::http::{Fields, Framing, RequestHead, ResponseHead, Version, is_token};

mod deflate;
mod extensions;
mod fault;

use deflate::DeflateOffer;
pub(crate) use deflate::Solo;
pub use extensions::ExtensionsFault;
pub use fault::{AnswerFault, HandshakeFault};

/// Most subprotocols in an offer; each is kept until the answer. Known clients send three at most.
const MAX_PROTOCOLS: usize = 64;

/// RFC 6455 §1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// Decodes keys. RFC 6455 asks for 16 bytes, not for zero bits behind them, and some clients make keys by hand.
const KEY_BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_allow_trailing_bits(true),
);

/// What a client offered when it asked for a WebSocket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// `Sec-WebSocket-Key`, as sent: 24 characters.
    pub key: String,
    /// Subprotocols, the preferred first. No two are the same.
    pub protocols: Vec<String>,
    /// Names of extensions, in order; one may come several times with different parameters.
    pub extensions: Vec<String>,
    /// The offers among them that are for permessage-deflate, and could be accepted.
    deflate: Vec<DeflateOffer>,
}

/// Reads the offer in a request. `None` where the request is no attempt to open a WebSocket, which is: `Upgrade` with the
/// token `websocket`, or `Connection` with the token `upgrade` together with a `Sec-WebSocket-Key`.
pub fn read_offer(head: &RequestHead) -> Result<Option<Offer>, HandshakeFault> {
    let fields = head.fields();
    let has_upgrade = fields.has_token("upgrade", "websocket");
    let has_connection = fields.has_token("connection", "upgrade");
    let is_attempt = has_upgrade || (has_connection && fields.first(KEY).is_some());
    if !is_attempt {
        return Ok(None);
    }
    if head.method() != "GET" {
        return Err(HandshakeFault::Method(head.method().into()));
    }
    if head.version() == Version::Http10 {
        return Err(HandshakeFault::Http10);
    }
    if !has_connection {
        return Err(HandshakeFault::Connection);
    }
    if !has_upgrade {
        return Err(HandshakeFault::Upgrade);
    }
    check_upgrade(fields)?;
    if !matches!(head.framing(), Framing::None | Framing::Length(0)) {
        return Err(HandshakeFault::Body);
    }
    check_version(fields)?;
    let (key, protocols) = (read_key(fields)?, read_protocols(fields)?);
    let offered = extensions::read(fields)?;
    let extensions = offered.iter().map(|extension| extension.name.to_owned()).collect();
    let deflate = offered.iter().filter_map(DeflateOffer::read).collect();
    Ok(Some(Offer {
        key,
        protocols,
        extensions,
        deflate,
    }))
}

/// Checks that a 101 answers the offer (RFC 6455 §4.1, second list).
pub fn check_answer(offer: &Offer, answer: &ResponseHead) -> Result<(), AnswerFault> {
    if answer.status() != 101 {
        return Err(AnswerFault::Status(answer.status()));
    }
    if answer.version() == Version::Http10 {
        return Err(AnswerFault::Http10);
    }
    let fields = answer.fields();
    if !fields.has_token("upgrade", "websocket") {
        return Err(AnswerFault::Upgrade);
    }
    if !fields.has_token("connection", "upgrade") {
        return Err(AnswerFault::Connection);
    }
    check_accept(&offer.key, fields)?;
    check_protocol(&offer.protocols, fields)?;
    check_extensions(offer, fields)
}

/// What `Sec-WebSocket-Accept` must say for a key (RFC 6455 §4.2.2, item 5.4).
#[must_use]
pub fn accept_key(key: &str) -> String {
    let digest = Sha1::new().chain_update(key).chain_update(ACCEPT_GUID).finalize();
    STANDARD.encode(digest)
}

impl Offer {
    /// The offer with those of its subprotocols alone that are in `names`, the value of a `Sec-WebSocket-Protocol`.
    pub(crate) fn with_protocols(&self, names: &str) -> Self {
        let mut offer = self.clone();
        offer
            .protocols
            .retain(|protocol| names.split(',').any(|name| name.trim() == protocol));
        offer
    }

    /// What the edge itself answers to the offer, as the end that frames go to: permessage-deflate, each message compressed by
    /// itself, so that nothing is kept between them. None where nothing of the kind is offered.
    pub(crate) fn solo_answer(&self) -> Option<String> {
        self.deflate.iter().find_map(DeflateOffer::solo_answer)
    }

    /// The offer as it goes on where messages are looked at: of its extensions those for permessage-deflate, each asking for
    /// messages that are compressed by themselves. With it what the header says then; None for no header.
    pub(crate) fn solo(&self, solo: Solo) -> (Self, Option<String>) {
        let deflate: Vec<DeflateOffer> = self.deflate.iter().map(|offer| offer.solo(solo)).collect();
        let texts: Vec<String> = deflate.iter().map(DeflateOffer::text).collect();
        let offer = Self {
            extensions: vec![deflate::NAME.to_owned(); deflate.len().min(1)],
            deflate,
            key: self.key.clone(),
            protocols: self.protocols.clone(),
        };
        (offer, (!texts.is_empty()).then(|| texts.join(", ")))
    }
}

/// What an answer that [`check_answer`] has let pass agrees to, as it goes on where messages are looked at; None where it
/// agrees to no extension.
pub(crate) fn answer_solo(answer: &ResponseHead, solo: Solo) -> Result<Option<String>, AnswerFault> {
    let accepted = extensions::read(answer.fields())?;
    let Some(extension) = accepted.iter().find(|extension| extension.name == deflate::NAME) else {
        return Ok(None);
    };
    match deflate::answer_solo(extension, solo) {
        Some(text) => Ok(Some(text)),
        None => Err(AnswerFault::Takeover),
    }
}

/// Whether an answer that [`check_answer`] has let pass agrees to permessage-deflate.
pub(crate) fn agrees_to_deflate(answer: &ResponseHead) -> bool {
    extensions::read(answer.fields())
        .is_ok_and(|accepted| accepted.iter().any(|extension| extension.name == deflate::NAME))
}

const EXTENSIONS: &str = "sec-websocket-extensions";
const KEY: &str = "sec-websocket-key";
const VERSION: &str = "sec-websocket-version";
const PROTOCOL: &str = "sec-websocket-protocol";
const ACCEPT: &str = "sec-websocket-accept";

/// RFC 6455 §4.2.1, item 3, takes any list with `websocket` in it. No client sends one, and who reads a part of it (a rule of
/// ours, a hop behind us) would see another protocol than the one that is opened. So it is one line, and that word alone.
fn check_upgrade(fields: &Fields) -> Result<(), HandshakeFault> {
    match (fields.first("upgrade"), fields.count("upgrade")) {
        (Some(value), 1) if value.eq_ignore_ascii_case(b"websocket") => Ok(()),
        (Some(value), 1) => Err(HandshakeFault::UpgradeList(value.into())),
        (_, count) => Err(HandshakeFault::UpgradeCount(count)),
    }
}

fn check_version(fields: &Fields) -> Result<(), HandshakeFault> {
    match (fields.first(VERSION), fields.count(VERSION)) {
        (Some(b"13"), 1) => Ok(()),
        (Some(version), 1) => Err(HandshakeFault::Version(version.into())),
        (_, count) => Err(HandshakeFault::VersionCount(count)),
    }
}

fn read_key(fields: &Fields) -> Result<String, HandshakeFault> {
    let (Some(value), 1) = (fields.first(KEY), fields.count(KEY)) else {
        return Err(HandshakeFault::KeyCount(fields.count(KEY)));
    };
    // Room for the 18 bytes that 24 characters without padding would be.
    let mut nonce = [0; 18];
    match (KEY_BASE64.decode_slice(value, &mut nonce), std::str::from_utf8(value)) {
        (Ok(16), Ok(key)) => Ok(key.to_owned()),
        _ => Err(HandshakeFault::Key(value.into())),
    }
}

fn read_protocols(fields: &Fields) -> Result<Vec<String>, HandshakeFault> {
    let mut protocols: Vec<String> = Vec::new();
    for element in list(fields, PROTOCOL) {
        if !is_token(element) {
            return Err(HandshakeFault::Protocol(element.into()));
        }
        if protocols.len() == MAX_PROTOCOLS {
            return Err(HandshakeFault::TooManyProtocols(MAX_PROTOCOLS));
        }
        let name = String::from_utf8_lossy(element);
        if protocols.iter().any(|earlier| *earlier == name) {
            return Err(HandshakeFault::RepeatedProtocol(element.into()));
        }
        protocols.push(name.into_owned());
    }
    if protocols.is_empty() && fields.first(PROTOCOL).is_some() {
        return Err(HandshakeFault::Protocol([].into()));
    }
    Ok(protocols)
}

/// The elements of a list of tokens (RFC 9110 §5.6.1): empty ones are skipped.
fn list<'a>(fields: &'a Fields, name: &'a str) -> impl Iterator<Item = &'a [u8]> {
    fields
        .values(name)
        .flat_map(|value| value.split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .filter(|element| !element.is_empty())
}

fn check_accept(key: &str, fields: &Fields) -> Result<(), AnswerFault> {
    let (Some(value), 1) = (fields.first(ACCEPT), fields.count(ACCEPT)) else {
        return Err(AnswerFault::AcceptCount(fields.count(ACCEPT)));
    };
    let expected = accept_key(key);
    if value == expected.as_bytes() {
        Ok(())
    } else {
        Err(AnswerFault::Accept {
            got: value.into(),
            expected,
        })
    }
}

fn check_protocol(offered: &[String], fields: &Fields) -> Result<(), AnswerFault> {
    match (fields.first(PROTOCOL), fields.count(PROTOCOL)) {
        (None, _) => Ok(()),
        (Some(value), 1) if offered.iter().any(|protocol| protocol.as_bytes() == value) => Ok(()),
        (Some(value), 1) => Err(AnswerFault::Protocol(value.into())),
        (_, count) => Err(AnswerFault::ProtocolCount(count)),
    }
}

fn check_extensions(offer: &Offer, fields: &Fields) -> Result<(), AnswerFault> {
    let accepted = extensions::read(fields)?;
    for (index, extension) in accepted.iter().enumerate() {
        let name = extension.name;
        if !offer.extensions.iter().any(|offered| offered == name) {
            return Err(AnswerFault::ExtensionNotOffered(name.into()));
        }
        if accepted[..index].iter().any(|earlier| earlier.name == name) {
            return Err(AnswerFault::RepeatedExtension(name.into()));
        }
        if name == deflate::NAME && !offer.deflate.iter().any(|offer| offer.allows(extension)) {
            return Err(AnswerFault::Parameters(
                fields.first(EXTENSIONS).unwrap_or_default().into(),
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
