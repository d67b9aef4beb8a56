//! One record for each closed WebSocket, and other lines of the log.
//!
//! Law 1: writing never delays a tunnel: a bounded queue, one thread, and lines that do not fit are counted, not waited for.
//! Law 2: a line is one JSON object with an `event` and a `time`.
//! Law 3: a line has nothing that a terminal obeys or that hides what is written: such characters are escaped, whoever sent them.
//! Law 4: no query string and no header value of a client is logged: both carry secrets.

use std::fmt::Write as _;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, SystemTime};
use std::{io, iter, thread};

mod cause;
mod found;
mod record;

pub use cause::{Cause, CloseReason, CloseSource, ClosedBy, Why};
pub use found::MessageFound;
use record::ClosedRecord;
pub use record::{Closed, LegFacts};

use crate::zones::Zone;

/// Lines that may wait for the log. A release that closes every tunnel of a process at once must fit.
const MAX_WAITING_LINES: u64 = 32 * 1024;
/// Bytes put together before a write.
const WRITE_BYTES: usize = 64 * 1024;
/// What a pipe takes in one piece, whoever else writes to it (`PIPE_BUF` of pipe(7)): edges that a release has replaced write to
/// the same log as their successor.
const PIPE_BYTES: usize = 4096;
/// How long lines gather after the first: a busy edge wakes this thread fifty times a second, not once a line.
const GATHER: Duration = Duration::from_millis(20);

/// A line of the log.
#[derive(Debug)]
pub enum Line {
    /// A WebSocket has ended.
    Closed(Arc<Closed>),
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
    /// A message broke a rule that does not close.
    MessageFound(Box<MessageFound>),
    /// Something about the edge itself.
    Notice {
        /// One sentence.
        message: String,
    },
}

impl Line {
    fn to_json(&self) -> serde_json::Result<Vec<u8>> {
        match self {
            Self::Closed(closed) => serde_json::to_vec(&ClosedRecord::new(closed)),
            Self::MessageFound(found) => serde_json::to_vec(&found.record()),
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

/// JSON whose strings are as plain as they look: JSON itself demands that of C0 alone, while terminals obey C1 as well (ECMA-48
/// §5.3), and characters without a shape reorder a line (UAX #9) or end it.
fn plain(json: Vec<u8>) -> Vec<u8> {
    if json.iter().all(|byte| (0x20..0x7f).contains(byte)) {
        return json;
    }
    // What serde_json wrote is UTF-8.
    let Ok(text) = std::str::from_utf8(&json) else {
        return json;
    };
    let mut out = String::with_capacity(text.len() + 16);
    for char in text.chars() {
        if is_unplain(char) {
            // All of them are of the basic plane: four digits.
            let _ = write!(out, "\\u{:04x}", u32::from(char));
        } else {
            out.push(char);
        }
    }
    out.into_bytes()
}

fn is_unplain(char: char) -> bool {
    matches!(
        char,
        '\u{7f}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
    )
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
    queue: Sender<Line>,
    statistics: Arc<LogStatistics>,
}

impl Log {
    /// Starts the thread that writes to `out`. It ends when every [`Log`] is gone, after the last line.
    pub fn start(out: impl Write + Send + 'static) -> io::Result<(Self, thread::JoinHandle<()>)> {
        // One with a bound of its own has room for all of them from the start, 5 MB.
        let (queue, lines) = channel();
        let statistics = Arc::new(LogStatistics::default());
        let counted = Arc::clone(&statistics);
        let thread = thread::Builder::new()
            .name("log".into())
            .spawn(move || write_lines(&lines, out, &counted))?;
        Ok((Self { queue, statistics }, thread))
    }

    /// Queues a line, or counts it as dropped.
    pub fn put(&self, line: Line) {
        let waiting = self.statistics.waiting.fetch_add(1, Ordering::Relaxed);
        if waiting >= MAX_WAITING_LINES || self.queue.send(line).is_err() {
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
            if let Ok(json) = line.to_json().map(plain) {
                buffer.extend(json);
                buffer.push(b'\n');
            }
            count += 1;
            if buffer.len() < WRITE_BYTES {
                next = lines.try_recv().ok();
            }
        }
        let is_written = whole_lines(&buffer, PIPE_BYTES)
            .try_for_each(|piece| out.write_all(piece))
            .and_then(|()| out.flush())
            .is_ok();
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

/// `buffer` in pieces of whole lines, each at most `most` bytes long; a line that is longer is a piece of its own.
fn whole_lines(mut buffer: &[u8], most: usize) -> impl Iterator<Item = &[u8]> {
    iter::from_fn(move || {
        let window = buffer.get(..most).unwrap_or(buffer);
        let end = match window.iter().rposition(|byte| *byte == b'\n') {
            _ if buffer.len() <= most => buffer.len(),
            Some(last) => last + 1,
            None => buffer
                .iter()
                .position(|byte| *byte == b'\n')
                .map_or(buffer.len(), |first| first + 1),
        };
        let (piece, rest) = buffer.split_at(end);
        buffer = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

#[cfg(test)]
#[path = "registry_tests.rs"]
mod tests;
