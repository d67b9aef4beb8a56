//! One record for each closed WebSocket, and other lines of the log.
//!
//! Law 1: writing never delays a tunnel: a bounded queue, one thread, and lines that do not fit are counted, not waited for.
//! Law 2: a line is one JSON object with an `event` and a `time`.
//! Law 3: no query string and no header value of a client is logged: both carry secrets.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, SystemTime};
use std::{io, thread};

use serde::Serialize;

use crate::frames::{Close, Counts};
use crate::tunnel::{Identity, Side};
use crate::zones::Zone;

/// Lines that may wait for the log. A release that closes every tunnel of a process at once must fit.
const MAX_WAITING_LINES: usize = 32 * 1024;
/// Bytes put together before a write.
const WRITE_BYTES: usize = 64 * 1024;
/// How long lines gather after the first: a busy edge wakes this thread fifty times a second, not once a line.
const GATHER: Duration = Duration::from_millis(20);

/// Who ended a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ClosedBy {
    /// The client.
    Client,
    /// The origin.
    Origin,
    /// The edge itself.
    Edge,
}

impl From<Side> for ClosedBy {
    fn from(side: Side) -> Self {
        match side {
            Side::Client => Self::Client,
            Side::Origin => Self::Origin,
        }
    }
}

/// What ended it: the first of these that happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Why {
    /// A Close frame.
    CloseFrame,
    /// The end of the TCP (or TLS) stream without a Close frame: what a browser reports as 1006.
    EndOfStream,
    /// A connection reset, or another failure of the transport.
    TransportError,
    /// A TLS record that could not be read.
    TlsError,
    /// The edge was told to stop.
    EdgeStopping,
    /// The edge was told to close the connections of the zone.
    ClosedByOperator,
}

impl ClosedBy {
    /// As records name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Client => "client",
            Self::Origin => "origin",
            Self::Edge => "edge",
        }
    }
}

impl Why {
    /// As records name it.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::CloseFrame => "close_frame",
            Self::EndOfStream => "end_of_stream",
            Self::TransportError => "transport_error",
            Self::TlsError => "tls_error",
            Self::EdgeStopping => "edge_stopping",
            Self::ClosedByOperator => "closed_by_operator",
        }
    }
}

/// The first cause of an end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cause {
    /// Who.
    pub by: ClosedBy,
    /// What.
    pub why: Why,
    /// The error of the transport, where there was one.
    pub detail: Option<String>,
}

#[derive(Serialize)]
struct Direction {
    bytes: u64,
    text_messages: u64,
    text_bytes: u64,
    binary_messages: u64,
    binary_bytes: u64,
    pings: u64,
    pongs: u64,
    closes: u64,
    control_bytes: u64,
    reserved_frames: u64,
}

impl From<&Counts> for Direction {
    fn from(counts: &Counts) -> Self {
        Self {
            bytes: counts.bytes,
            text_messages: counts.text_messages,
            text_bytes: counts.text_bytes,
            binary_messages: counts.binary_messages,
            binary_bytes: counts.binary_bytes,
            pings: counts.pings,
            pongs: counts.pongs,
            closes: counts.closes,
            control_bytes: counts.control_bytes,
            reserved_frames: counts.reserved_frames,
        }
    }
}

#[derive(Serialize)]
struct ClosedRecord<'a> {
    event: &'static str,
    time: String,
    ray_id: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    zone: &'a str,
    client: String,
    host: &'a str,
    path: &'a str,
    origin: &'a str,
    start: String,
    end: String,
    duration_ms: u64,
    to_origin: Direction,
    to_client: Direction,
    client_close_code: Option<u16>,
    client_close_reason: Option<String>,
    origin_close_code: Option<u16>,
    origin_close_reason: Option<String>,
    edge_close_code: Option<u16>,
    closed_by: ClosedBy,
    why: Why,
    #[serde(skip_serializing_if = "Option::is_none")]
    detail: Option<&'a str>,
}

/// A tunnel that has ended, as the tunnel loop leaves it.
#[derive(Debug)]
pub struct Closed {
    /// Who it was for.
    pub identity: Box<Identity>,
    /// When it ended.
    pub at: SystemTime,
    /// How long it was open, in milliseconds.
    pub duration_ms: u64,
    /// What the client sent.
    pub to_origin: Counts,
    /// What the origin sent.
    pub to_client: Counts,
    /// The client's Close frame.
    pub client_close: Option<Close>,
    /// The origin's Close frame.
    pub origin_close: Option<Close>,
    /// The code of the Close frame the edge itself sent, if it sent one.
    pub edge_close_code: Option<u16>,
    /// Who ended it, and why.
    pub cause: Cause,
}

/// A line of the log.
#[derive(Debug)]
pub enum Line {
    /// A WebSocket has ended.
    Closed(Box<Closed>),
    /// A request failed in a way an operator wants to know of.
    Fault {
        /// Of the request.
        ray_id: String,
        /// The zone it was for.
        zone: Arc<Zone>,
        /// The host asked for.
        host: String,
        /// The path asked for.
        path: String,
        /// The status the client got.
        status: u16,
        /// The origin's label; empty where none was chosen.
        origin: String,
        /// One sentence.
        reason: String,
    },
    /// Something about the edge itself.
    Notice {
        /// One sentence.
        message: String,
    },
}

impl Line {
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Closed(closed) => serde_json::to_vec(&closed_record(closed)),
            Self::Fault {
                ray_id,
                zone,
                host,
                path,
                status,
                origin,
                reason,
            } => {
                let mut record = serde_json::json!({
                    "event": "request_failed", "time": now(), "ray_id": ray_id, "host": host, "path": path,
                    "status": status, "origin": origin, "reason": reason,
                });
                if !zone.name().is_empty() {
                    record["zone"] = zone.name().into();
                }
                serde_json::to_vec(&record)
            }
            Self::Notice { message } => {
                serde_json::to_vec(&serde_json::json!({"event": "edge_notice", "time": now(), "message": message}))
            }
        }
    }
}

fn closed_record(closed: &Closed) -> ClosedRecord<'_> {
    let identity = &closed.identity;
    let end = timestamp(closed.at);
    ClosedRecord {
        event: "websocket_closed",
        time: end.clone(),
        ray_id: &identity.ray,
        zone: identity.zone.name(),
        client: identity.client.to_string(),
        host: &identity.host,
        path: &identity.path,
        origin: &identity.origin,
        start: timestamp(identity.opened),
        end,
        duration_ms: closed.duration_ms,
        to_origin: (&closed.to_origin).into(),
        to_client: (&closed.to_client).into(),
        client_close_code: closed.client_close.as_ref().and_then(Close::code),
        client_close_reason: closed.client_close.as_ref().map(Close::reason),
        origin_close_code: closed.origin_close.as_ref().and_then(Close::code),
        origin_close_reason: closed.origin_close.as_ref().map(Close::reason),
        edge_close_code: closed.edge_close_code,
        closed_by: closed.cause.by,
        why: closed.cause.why,
        detail: closed.cause.detail.as_deref(),
    }
}

fn timestamp(at: SystemTime) -> String {
    humantime::format_rfc3339_millis(at).to_string()
}

fn now() -> String {
    timestamp(SystemTime::now())
}

/// Counters of the log.
#[derive(Debug, Default)]
pub struct LogStatistics {
    /// Lines written.
    pub written: AtomicU64,
    /// Lines that found the queue full, or the file gone.
    pub dropped: AtomicU64,
    /// Lines that wait.
    pub waiting: AtomicU64,
}

/// Where lines are put. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Log {
    queue: SyncSender<Line>,
    statistics: Arc<LogStatistics>,
}

impl Log {
    /// Starts the thread that writes to `out`. It ends when every [`Log`] is gone, after the last line.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, thread::JoinHandle<()>)> {
        let (queue, lines) = sync_channel(MAX_WAITING_LINES);
        let statistics = Arc::new(LogStatistics::default());
        let counted = Arc::clone(&statistics);
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&lines, out, &counted))?;
        Ok((Self { queue, statistics }, thread))
    }

    /// Queues a line, or counts it as dropped.
    pub fn put(&self, line: Line) {
        self.statistics.waiting.fetch_add(1, Ordering::Relaxed);
        if let Err(TrySendError::Full(_) | TrySendError::Disconnected(_)) = self.queue.try_send(line) {
            self.statistics.waiting.fetch_sub(1, Ordering::Relaxed);
            self.statistics.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// The counters.
    #[must_use]
    pub fn statistics(&self) -> &LogStatistics {
        &self.statistics
    }
}

fn write_lines(lines: &Receiver<Line>, mut out: impl Write, statistics: &LogStatistics) {
    let mut buffer = Vec::new();
    while let Ok(first) = lines.recv() {
        thread::sleep(GATHER);
        let mut count = 0;
        let mut next = Some(first);
        while let Some(line) = next.take() {
            if let Ok(json) = line.to_json() {
                buffer.extend(json);
                buffer.push(b'\n');
            }
            count += 1;
            if buffer.len() < WRITE_BYTES {
                next = lines.try_recv().ok();
            }
        }
        let is_written = out.write_all(&buffer).and_then(|()| out.flush()).is_ok();
        let counter = if is_written {
            &statistics.written
        } else {
            &statistics.dropped
        };
        counter.fetch_add(count, Ordering::Relaxed);
        statistics.waiting.fetch_sub(count, Ordering::Relaxed);
        buffer.clear();
        buffer.shrink_to(WRITE_BYTES);
    }
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
