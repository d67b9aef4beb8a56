//! The client's half of an exchange: head and body, to the origin.

use std::cell::Cell;
use std::io;
use std::time::Duration;

use bytes::{Buf, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::time::{Instant, timeout};

use crate::connection::{READ_BYTES, write_patiently};
use crate::http::body::BodyDecoder;
use crate::http::{CHUNK_END, Fields, Framing, write_chunk_head, write_last_chunk};

/// How long an origin may take none of a request (cloudflare.md §1.3: proxy write timeout).
pub(crate) const ORIGIN_STALL: Duration = Duration::from_secs(30);
/// How long a client may send none of a body it has announced (nginx `client_body_timeout`: 60 s).
const CLIENT_BODY_STALL: Duration = Duration::from_mins(1);

/// What a client may send ahead of an answer: the first frames of a WebSocket, or its next requests. Beyond it we read no
/// more until the answer is there.
const MAX_EARLY_BYTES: usize = 16 * 1024;
/// Room made for a read of what comes early: mostly nothing does.
const EARLY_READ_BYTES: usize = 1024;

/// Why an upload did not come to its end.
#[derive(Debug)]
pub(crate) enum UploadEnd {
    /// The origin takes no more.
    Origin(io::Error),
    /// The client's body breaks the rules of its framing.
    BadBody(String),
    /// The client has gone, or sends nothing.
    ClientGone,
}

/// Takes body bytes apart and puts them together again for the other side.
pub(crate) struct BodyRelay {
    decoder: BodyDecoder,
    /// How the receiver is told where the body ends.
    framing: Framing,
}

impl BodyRelay {
    pub(crate) fn new(from: Framing, to: Framing) -> Self {
        Self {
            decoder: BodyDecoder::new(from),
            framing: to,
        }
    }

    /// Moves all body data of `read` to `out`, in the receiver's framing. True when the body is complete.
    pub(crate) fn pass(&mut self, read: &mut BytesMut, out: &mut Vec<u8>) -> Result<bool, String> {
        while !self.decoder.is_done() {
            let step = self.decoder.decode(read).map_err(|fault| fault.to_string())?;
            let data = &read[step.data.clone()];
            if !data.is_empty() {
                match self.framing {
                    Framing::Chunked => {
                        write_chunk_head(out, data.len());
                        out.extend_from_slice(data);
                        out.extend_from_slice(CHUNK_END);
                    }
                    Framing::None | Framing::Length(_) | Framing::UntilClose => out.extend_from_slice(data),
                }
            }
            read.advance(step.consumed);
            if step.consumed == 0 && !step.is_done {
                return Ok(false);
            }
        }
        self.finish(out);
        Ok(true)
    }

    /// The sender has ended its stream: fine where that is the end of the body.
    pub(crate) fn end_of_stream(&mut self, out: &mut Vec<u8>) -> Result<(), String> {
        self.decoder.end_of_stream().map_err(|fault| fault.to_string())?;
        self.finish(out);
        Ok(())
    }

    fn finish(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::Chunked {
            write_last_chunk(out, self.decoder.take_trailers().as_ref());
        }
    }
}

pub(crate) struct Upload<'a, R, W> {
    pub(crate) from: R,
    pub(crate) read: &'a mut BytesMut,
    pub(crate) to: W,
    pub(crate) body: BodyRelay,
    /// When the origin last took something: its time to answer begins then.
    pub(crate) progress: &'a Cell<Instant>,
    /// What comes beside the body, by the time of its end (HTTP/2 only).
    pub(crate) trailers: &'a Cell<Option<Fields>>,
    /// Set when all of the request has been sent.
    pub(crate) is_complete: &'a Cell<bool>,
}

impl<R: AsyncRead + Unpin, W: AsyncWrite + Unpin> Upload<'_, R, W> {
    /// Sends `out`, the head, with what is there of the body, then the rest as it comes; then watches the client.
    /// Returns only when there is nothing more to wait for.
    pub(crate) async fn run(mut self, out: Vec<u8>) -> UploadEnd {
        if let Err(end) = self.send(out).await {
            return end;
        }
        self.is_complete.set(true);
        client_gone(&mut self.from, self.read, AtItsEnd::Waits).await;
        UploadEnd::ClientGone
    }

    async fn send_out(&mut self, out: &[u8]) -> Result<(), UploadEnd> {
        if !out.is_empty() {
            write_patiently(&mut self.to, out, ORIGIN_STALL)
                .await
                .map_err(UploadEnd::Origin)?;
            self.progress.set(Instant::now());
        }
        Ok(())
    }

    async fn send(&mut self, mut out: Vec<u8>) -> Result<(), UploadEnd> {
        loop {
            let is_complete = self.body.pass(self.read, &mut out).map_err(UploadEnd::BadBody)?;
            self.send_out(&out).await?;
            out.clear();
            if is_complete {
                return Ok(());
            }
            self.read.reserve(READ_BYTES);
            match timeout(CLIENT_BODY_STALL, self.from.read_buf(self.read)).await {
                Ok(Ok(1..)) => self.progress.set(Instant::now()),
                Ok(Ok(0)) => {
                    if let Some(trailers) = self.trailers.take() {
                        self.body.decoder.put_trailers(trailers);
                    }
                    self.body.end_of_stream(&mut out).map_err(|_| UploadEnd::ClientGone)?;
                    return self.send_out(&out).await;
                }
                Ok(Err(_)) | Err(_) => return Err(UploadEnd::ClientGone),
            }
        }
    }
}

/// What it means that a client sends no more while its answer is awaited.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AtItsEnd {
    /// It has nothing more to ask, and still waits (RFC 9112 §9.6).
    Waits,
    /// It has gone: a WebSocket that it could say nothing on is of no use to it.
    HasGone,
}

/// Reads what a client sends while its answer is awaited. Returns when the client has gone; never, while it is there.
pub(crate) async fn client_gone(from: &mut (impl AsyncRead + Unpin), read: &mut BytesMut, at_its_end: AtItsEnd) {
    while read.len() < MAX_EARLY_BYTES {
        read.reserve(EARLY_READ_BYTES);
        match from.read_buf(read).await {
            Ok(0) if at_its_end == AtItsEnd::Waits => break,
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    std::future::pending::<()>().await;
}
