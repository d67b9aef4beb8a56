//! Answers that nobody is asked about: the request cannot be read, or must not be, or nobody could decide.
//!
//! Law 1: who asked for a WebSocket gets JSON, with the members of `holdfast.edge.answers.Problem`; others one line of text.
//! Law 2: nothing of a request is repeated but its host, which has a form, and what a reason quotes, escaped.

use std::time::SystemTime;

use serde::Serialize;

use crate::handshake::HandshakeFault;
use crate::http::{OwnAnswer, RequestFault, RequestHead, reason_phrase, write_answer};
use crate::policy::{Asked, Respond};

/// What is checked before another attempt, by whose side it is on.
const CHECK_CLIENT: &str = "Compare the request with what RFC 6455 section 4.1 asks of a client, and see that no proxy before the edge changes it.";
const CHECK_EDGE: &str = "Look at the edge's log of this time, at its load and at its limits.";

/// Why a request gets no further, as a status and a sentence.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: u16,
    reason: String,
    headers: Vec<(String, String)>,
    retry_after_s: Option<u32>,
    /// The host of one who asked for a WebSocket, "" where it is not known; None for all others.
    websocket_host: Option<String>,
}

/// The members of `holdfast.edge.answers.Problem`, in its order.
#[derive(Serialize)]
struct Problem<'a> {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    instance: String,
    error_code: u16,
    error_name: &'static str,
    side: &'static str,
    host: &'a str,
    ray_id: &'a str,
    timestamp: String,
    retryable: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after: Option<u32>,
    what_to_check: [&'static str; 1],
}

impl Refusal {
    pub(crate) fn new(status: u16, reason: impl Into<String>) -> Self {
        Self {
            status,
            reason: reason.into(),
            headers: Vec::new(),
            retry_after_s: None,
            websocket_host: None,
        }
    }

    /// Of a head that is none; `read` are the bytes that were to be one, as far as they came.
    pub(crate) fn of_head(fault: &RequestFault, read: &[u8]) -> Self {
        let refusal = Self::new(fault.status(), fault.reason()).with_fields(fault.answer_fields());
        refusal.suited_to(read)
    }

    /// The same, in the form that suits who has sent no more than `read`.
    pub(crate) fn suited_to(mut self, read: &[u8]) -> Self {
        self.websocket_host = seems_to_ask(read).then(String::new);
        self
    }

    /// Of an attempt to open a WebSocket.
    pub(crate) fn of_handshake(fault: &HandshakeFault, head: &RequestHead) -> Self {
        let mut refusal = Self::new(fault.status(), fault.reason()).with_fields(fault.answer_fields());
        refusal.websocket_host = Some(head.host().to_owned());
        refusal
    }

    /// Of a request that can be read.
    pub(crate) fn of(asked: &Asked, status: u16, reason: &str) -> Self {
        let mut refusal = Self::new(status, reason);
        refusal.websocket_host = asked.is_upgrade.then(|| asked.head.host().to_owned());
        refusal
    }

    /// The same, with when to come back.
    pub(crate) fn with_retry_after(mut self, seconds: u32) -> Self {
        self.retry_after_s = Some(seconds);
        self.with_fields(&[("Retry-After", &seconds.to_string())])
    }

    fn with_fields(mut self, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter();
        self.headers
            .extend(fields.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        self
    }

    /// The answer, made `now`.
    pub(crate) fn respond(self, ray: &str, now: SystemTime) -> Respond {
        let problem = self.websocket_host.as_deref().map(|host| self.problem(host, ray, now));
        let (form, body) = match problem.as_ref().map(serde_json::to_vec) {
            Some(Ok(json)) => ("application/json; charset=utf-8", json),
            // A struct of texts and numbers is always written.
            Some(Err(_)) | None => ("text/plain; charset=utf-8", self.line().into_bytes()),
        };
        let (code, side) = (self.status.to_string(), side(self.status));
        let fields: &[(&str, &str)] = &[
            ("Content-Type", form),
            ("Cache-Control", "no-store"),
            ("X-Content-Type-Options", "nosniff"),
            ("cf-error-type", &code),
            ("cf-error-origin", side),
        ];
        Respond {
            status: self.status,
            zone: None,
            headers: Self::new(0, "")
                .with_fields(fields)
                .headers
                .into_iter()
                .chain(self.headers)
                .collect(),
            body,
        }
    }

    fn line(&self) -> String {
        format!("{} {}: {}\n", self.status, reason_phrase(self.status), self.reason)
    }

    fn problem<'a>(&self, host: &'a str, ray: &'a str, now: SystemTime) -> Problem<'a> {
        let side = side(self.status);
        Problem {
            r#type: "about:blank",
            title: reason_phrase(self.status),
            status: self.status,
            detail: sentence(&self.reason),
            instance: format!("urn:ray:{ray}"),
            error_code: self.status,
            error_name: name(self.status),
            side,
            host,
            ray_id: ray,
            timestamp: humantime::format_rfc3339_seconds(now).to_string(),
            retryable: self.retry_after_s.is_some(),
            retry_after: self.retry_after_s,
            what_to_check: [if side == "edge" { CHECK_EDGE } else { CHECK_CLIENT }],
        }
    }
}

/// Writes a refusal that ends its connection.
pub(crate) fn write_refusal(out: &mut Vec<u8>, refusal: Refusal, ray: &str) {
    let answer = refusal.respond(ray, SystemTime::now());
    let own = OwnAnswer {
        status: answer.status,
        headers: &answer.headers,
        body: &answer.body,
        ray,
        keep_alive: false,
        with_body: true,
    };
    write_answer(out, &own);
}

/// 501 and 505 are about what the client speaks. Those of the origin come here where explaining them has failed.
fn side(status: u16) -> &'static str {
    match status {
        400..=499 | 501 | 505 => "client",
        502 | 504 | 520..=526 | 530 => "origin",
        _ => "edge",
    }
}

/// What programs know a status by (docs/errors.md).
fn name(status: u16) -> &'static str {
    match status {
        405 => "method_not_allowed",
        408 => "request_timeout",
        414 => "target_too_long",
        426 => "websocket_version_unsupported",
        431 => "head_too_large",
        501 => "not_implemented",
        503 => "edge_overloaded",
        505 => "http_version_unsupported",
        500..=599 => "edge_failed",
        _ => "bad_request",
    }
}

fn sentence(reason: &str) -> String {
    let mut letters = reason.chars();
    let first = letters.next().map(|letter| letter.to_ascii_uppercase());
    first.into_iter().chain(letters).chain(['.']).collect()
}

/// Whether bytes that are no head have a line by which one asks for a WebSocket.
fn seems_to_ask(read: &[u8]) -> bool {
    read.split(|&byte| byte == b'\n')
        .map(<[u8]>::trim_ascii)
        .take_while(|line| !line.is_empty())
        .any(is_of_handshake)
}

fn is_of_handshake(line: &[u8]) -> bool {
    let Some(colon) = line.iter().position(|&byte| byte == b':') else {
        return false;
    };
    let (name, value) = (line[..colon].trim_ascii(), &line[colon + 1..]);
    name.eq_ignore_ascii_case(b"sec-websocket-key")
        || (name.eq_ignore_ascii_case(b"upgrade")
            && value
                .split(|&byte| byte == b',')
                .any(|element| element.trim_ascii().eq_ignore_ascii_case(b"websocket")))
}

#[cfg(test)]
#[path = "refusal_tests.rs"]
mod tests;
