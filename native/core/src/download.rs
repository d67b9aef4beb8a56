//! The origin's half of an exchange: interim answers, the answer's head and its body, to the client.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout, timeout_at};

use crate::connection::{CLIENT_STALL, READ_BYTES, write_patiently};
use crate::fault::{Fault, FaultKind};
use crate::http::response::ResponseHead;
use crate::http::{ForClient, Framing, HeadScan, Version, write_informational, write_response};
use crate::origin::Origin;
use crate::policy::{Asked, Forward};
use crate::tls::TlsFault;
use crate::upload::BodyRelay;

/// Interim answers passed on for one request; an origin that sends more is broken.
pub(crate) const MAX_INFORMATIONAL: usize = 64;

/// Why an answer did not reach its end.
#[derive(Debug)]
pub(crate) enum DownloadEnd {
    /// The origin closed the connection before it sent a byte.
    Nothing(Fault),
    /// The same, and over a Unix socket it is known that it had not read all that it was sent: the kernel resets such a connection
    /// (`unix_release_sock`).
    Unread(Fault),
    /// It failed before anything was sent to the client.
    Fault(Fault),
    /// It failed within its final answer, which is cut, so that the client sees that it is.
    Broken(Fault),
    /// The client went away, or takes nothing.
    ClientGone,
}

impl DownloadEnd {
    /// The fault, for who has no connection to try again.
    pub(crate) fn into_fault(self) -> Option<Fault> {
        match self {
            Self::Nothing(fault) | Self::Unread(fault) | Self::Fault(fault) => Some(fault),
            Self::Broken(_) | Self::ClientGone => None,
        }
    }
}

/// An answer that reached its end.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answered {
    /// The client's connection can take another request, as far as the answer goes.
    pub(crate) client_may_stay: bool,
    /// The origin's connection can take another request, likewise.
    pub(crate) origin_may_stay: bool,
}

/// Reads answer heads from an origin.
pub(crate) struct AnswerHeads<'a, R> {
    pub(crate) from: R,
    pub(crate) read: &'a mut BytesMut,
    pub(crate) origin: &'a Origin,
    pub(crate) method: &'a str,
    pub(crate) progress: &'a Cell<Instant>,
}

impl<R: AsyncRead + Unpin> AnswerHeads<'_, R> {
    /// The next head. Its time runs from the last progress of the request.
    pub(crate) async fn next(&mut self) -> Result<ResponseHead, DownloadEnd> {
        let mut scan = HeadScan::new();
        loop {
            match scan.response(self.read, self.method) {
                Ok(Some((head, used))) => {
                    let _ = self.read.split_to(used);
                    return Ok(head);
                }
                Ok(None) => {}
                Err(fault) => return Err(DownloadEnd::Fault(self.bad(&format!("sent no valid HTTP: {fault}")))),
            }
            self.read.reserve(READ_BYTES);
            match self.read_some().await {
                Ok(1..) => {}
                Ok(0) if self.read.is_empty() => {
                    return Err(DownloadEnd::Nothing(
                        self.bad("closed the connection without an answer"),
                    ));
                }
                Ok(0) => {
                    return Err(DownloadEnd::Fault(
                        self.bad("closed the connection within the answer's head"),
                    ));
                }
                Err(error) if error.kind() == io::ErrorKind::TimedOut => {
                    return Err(DownloadEnd::Fault(Fault::new(
                        FaultKind::NoAnswer,
                        format!(
                            "the origin {} did not answer within {} s",
                            self.origin.label,
                            self.origin.answer_timeout.as_secs_f32()
                        ),
                    )));
                }
                Err(error)
                    if error
                        .get_ref()
                        .and_then(|inner| inner.downcast_ref::<TlsFault>())
                        .is_some() =>
                {
                    // TLS 1.3 lets a server refuse us, our missing certificate perhaps, after our side is done.
                    let reason = format!(
                        "the TLS handshake with the origin {} failed: {error}",
                        self.origin.label
                    );
                    return Err(DownloadEnd::Fault(Fault::new(FaultKind::TlsFailed, reason)));
                }
                Err(error) if self.read.is_empty() => {
                    let fault = self.bad(&format!("broke the connection off: {error}"));
                    return Err(match error.kind() {
                        io::ErrorKind::ConnectionReset => DownloadEnd::Unread(fault),
                        _ => DownloadEnd::Nothing(fault),
                    });
                }
                Err(error) => {
                    return Err(DownloadEnd::Fault(
                        self.bad(&format!("broke the connection off: {error}")),
                    ));
                }
            }
        }
    }

    async fn read_some(&mut self) -> io::Result<usize> {
        loop {
            let deadline = self.progress.get() + self.origin.answer_timeout;
            match timeout_at(deadline, self.from.read_buf(self.read)).await {
                Ok(read) => return read,
                // The request went on meanwhile, and with it the time to answer.
                Err(_) if self.progress.get() + self.origin.answer_timeout > Instant::now() => {}
                Err(_) => return Err(io::ErrorKind::TimedOut.into()),
            }
        }
    }

    fn bad(&self, what: &str) -> Fault {
        bad_answer(self.origin, what)
    }
}

pub(crate) fn bad_answer(origin: &Origin, what: &str) -> Fault {
    Fault::new(FaultKind::BadAnswer, format!("the origin {} {what}", origin.label))
}

/// It sent [`MAX_INFORMATIONAL`] interim answers and no final one.
pub(crate) fn only_informational(origin: &Origin) -> Fault {
    bad_answer(origin, "sent nothing but interim answers")
}

pub(crate) struct Download<'a, R, W> {
    pub(crate) from: R,
    pub(crate) read: &'a mut BytesMut,
    pub(crate) to: W,
    pub(crate) asked: &'a Asked,
    pub(crate) forward: &'a Forward,
    pub(crate) progress: &'a Cell<Instant>,
    /// Set as soon as a byte of the final answer may have been sent.
    pub(crate) has_begun: &'a Cell<bool>,
    /// Whether the client's connection may take another request, as far as what came behind this one goes.
    pub(crate) may_stay: bool,
    /// Whether all of the request has been sent.
    pub(crate) is_uploaded: &'a Cell<bool>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Download<'_, R, W> {
    /// Waits for the answer and passes it on.
    pub(crate) async fn run(mut self) -> Result<Answered, DownloadEnd> {
        for _ in 0..MAX_INFORMATIONAL {
            let mut heads = AnswerHeads {
                from: &mut self.from,
                read: self.read,
                origin: &self.forward.origin,
                method: self.asked.head.method(),
                progress: self.progress,
            };
            let head = heads.next().await?;
            match head.status() {
                101 => {
                    return Err(DownloadEnd::Fault(
                        self.bad("switched protocols without being asked to"),
                    ));
                }
                100..=199 => self.to.pass(self.asked, &head).await?,
                _ => {
                    explained(self.forward, &head).map_err(DownloadEnd::Fault)?;
                    return self.pass_on(&head).await;
                }
            }
            // RFC 9110 §15.2: an interim answer is a sign of life.
            self.progress.set(Instant::now());
        }
        Err(DownloadEnd::Fault(only_informational(&self.forward.origin)))
    }

    /// Passes on an answer whose head has been read.
    pub(crate) async fn pass_on(mut self, head: &ResponseHead) -> Result<Answered, DownloadEnd> {
        let client = &self.asked.head;
        let framing = match head.framing() {
            Framing::Chunked | Framing::UntilClose if client.version() == Version::Http11 => Framing::Chunked,
            Framing::Chunked | Framing::UntilClose => Framing::UntilClose,
            known => known,
        };
        // A final answer to a request that is still being sent ends the connection: the rest of it is never read.
        let client_may_stay =
            self.may_stay && self.asked.may_be_followed() && self.is_uploaded.get() && framing != Framing::UntilClose;
        let mut out = Vec::with_capacity(1024);
        write_response(
            &mut out,
            &ForClient {
                head,
                client_version: client.version(),
                framing,
                keep_alive: client_may_stay,
                ray: &self.asked.ray,
                upgrade: false,
                set: &self.forward.set_response_headers,
            },
        );
        self.asked.answered(head.status());
        self.has_begun.set(true);
        self.pass_body(BodyRelay::new(head.framing(), framing), out).await?;
        // An answer without a body by rule (HEAD, 204, 304) ends where its head does. A broken origin that sends a body
        // all the same would give it to the next client as an answer, so such a connection is not used again.
        let origin_may_stay = head.keep_alive() && !matches!(head.framing(), Framing::UntilClose | Framing::None);
        Ok(Answered {
            client_may_stay,
            origin_may_stay,
        })
    }

    async fn pass_body(&mut self, mut body: BodyRelay, mut out: Vec<u8>) -> Result<(), DownloadEnd> {
        loop {
            let passed = body.pass(self.read, &mut out);
            // What was good before a fault still goes out.
            self.send(&out).await?;
            out.clear();
            if passed.map_err(|reason| self.broken(&reason))? {
                return Ok(());
            }
            self.read.reserve(READ_BYTES);
            match timeout(self.body_patience(), self.from.read_buf(self.read)).await {
                Ok(Ok(0)) => {
                    body.end_of_stream(&mut out).map_err(|reason| self.broken(&reason))?;
                    return self.send(&out).await;
                }
                Ok(Ok(_)) => {}
                Ok(Err(error)) => return Err(self.broken(&error.to_string())),
                Err(_) => return Err(self.broken("it fell silent")),
            }
        }
    }

    fn broken(&self, reason: &str) -> DownloadEnd {
        DownloadEnd::Broken(self.bad(&format!("broke off its answer: {reason}")))
    }

    fn body_patience(&self) -> Duration {
        self.forward.origin.answer_timeout
    }

    async fn send(&mut self, bytes: &[u8]) -> Result<(), DownloadEnd> {
        if bytes.is_empty() {
            return Ok(());
        }
        write_patiently(&mut self.to, bytes, CLIENT_STALL)
            .await
            .map_err(|_| DownloadEnd::ClientGone)
    }

    fn bad(&self, what: &str) -> Fault {
        bad_answer(&self.forward.origin, what)
    }
}

/// By this field a Worker's process says that its answer is none of user code, and with which code it is to be told.
const FAULT: &str = "holdfast-fault";

/// A fault where the answer is one that the policy wants to give in the origin's place.
pub(crate) fn explained(forward: &Forward, answer: &ResponseHead) -> Result<(), Fault> {
    let status = answer.status();
    let of_worker = forward.worker.as_ref().and_then(|_| answer.fields().first(FAULT));
    if let Some(code) = of_worker {
        let label = forward.origin.label();
        return Err(match code {
            b"1102" => Fault::new(FaultKind::OverLimits, format!("{label} exceeded its limits")),
            _ => Fault::new(FaultKind::Threw, format!("{label} threw an exception")),
        });
    }
    if !forward.explain_statuses.contains(&status) {
        return Ok(());
    }
    let reason = format!("the origin {} answered {status}", forward.origin.label);
    Err(Fault::new(FaultKind::Answered(status), reason))
}

/// Where interim answers go.
pub(crate) trait Interim {
    /// Passes one on.
    async fn pass(&mut self, asked: &Asked, head: &ResponseHead) -> Result<(), DownloadEnd>;
}

impl<W: AsyncWrite + Unpin> Interim for W {
    async fn pass(&mut self, asked: &Asked, head: &ResponseHead) -> Result<(), DownloadEnd> {
        pass_informational(self, asked, head).await
    }
}

/// Passes an interim answer on to a client that knows them (RFC 9110 §15.2).
async fn pass_informational(
    to: &mut (impl AsyncWrite + Unpin),
    asked: &Asked,
    head: &ResponseHead,
) -> Result<(), DownloadEnd> {
    if asked.head.version() < Version::Http11 {
        return Ok(());
    }
    let mut out = Vec::new();
    write_informational(&mut out, head);
    write_patiently(to, &out, CLIENT_STALL)
        .await
        .map_err(|_| DownloadEnd::ClientGone)
}
