//! What one direction may carry: the size of its messages, and how much of it in a second.
//!
//! Law 1: it is asked before anything passes, frame by frame, and nothing is kept for it: a message is too large as soon as
//!        the headers of its frames say so.
//! Law 2: rates are exact whatever the chopping: what may not pass yet waits, and its sender is not read meanwhile. What
//!        waits is the rest of one read.
//! Law 3: where too much ends it, a frame passes whole or not at all: all of it counts when it begins. So the other side can
//!        be told why, which it could not within a frame.

use std::time::{Duration, Instant};

use super::wheel::TICK;
use super::{OverRate, Rates, Side, TunnelOptions};
use crate::frames::Header;

/// Why something may not pass.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stop {
    /// Not before this time.
    Until(Instant),
    /// Its message is larger than messages may be: so many bytes.
    TooBig(u64),
    /// There has been more in the last second than there may be: one sentence.
    TooMuch(String),
}

/// A rate, and how much of it has not been used. A second's worth gathers.
#[derive(Clone, Copy, Debug)]
struct Bucket {
    rate: f64,
    tokens: f64,
    at: Instant,
}

impl Bucket {
    fn new(rate: f64, now: Instant) -> Self {
        Self {
            rate,
            tokens: rate.max(1.0),
            at: now,
        }
    }

    fn fill(&mut self, now: Instant) {
        let gathered = now.saturating_duration_since(self.at).as_secs_f64() * self.rate;
        self.tokens = (self.tokens + gathered).min(self.rate.max(1.0));
        self.at = now;
    }

    /// When there will be so many, or a full bucket.
    fn time_of(&self, wanted: f64) -> Instant {
        let missing = (wanted.min(self.rate.max(1.0)) - self.tokens).max(0.0);
        // A thousand years at the most: rates are a thousandth or more.
        self.at + Duration::from_secs_f64((missing / self.rate).min(3e10))
    }
}

/// The limits of one direction, and what waits for them.
#[derive(Debug)]
pub(super) struct Gate {
    max_message_bytes: u64,
    /// Payload of the message that is under way, that of the frames still to come excluded.
    message_bytes: u64,
    messages: Option<Bucket>,
    bytes: Option<Bucket>,
    over_rate: OverRate,
    /// What has been read and may not pass yet.
    waiting: Vec<u8>,
    until: Option<Instant>,
}

impl Gate {
    /// The gate for what comes from this side; None where nothing is limited.
    pub(super) fn new(options: &TunnelOptions, from: Side, now: Instant) -> Option<Box<Self>> {
        let rates: &Rates = match from {
            Side::Client => &options.to_origin,
            Side::Origin => &options.to_client,
        };
        if options.max_message_bytes.is_none() && rates.is_unlimited() {
            return None;
        }
        Some(Box::new(Self {
            max_message_bytes: options.max_message_bytes.map_or(u64::MAX, Into::into),
            message_bytes: 0,
            messages: rates.messages_per_s.map(|rate| Bucket::new(rate, now)),
            bytes: rates.bytes_per_s.map(|rate| Bucket::new(rate, now)),
            over_rate: options.over_rate,
            waiting: Vec::new(),
            until: None,
        }))
    }

    /// Whether a frame may begin. It counts as begun where it may.
    pub(super) fn frame(&mut self, head: &Header, now: Instant) -> Result<(), Stop> {
        let mut message_bytes = self.message_bytes;
        if head.opcode.is_of_message() {
            let before = if head.opcode.begins_message() { 0 } else { message_bytes };
            message_bytes = before.saturating_add(head.length);
            if message_bytes > self.max_message_bytes {
                return Err(Stop::TooBig(self.max_message_bytes));
            }
        }
        // A header passes whole, so bytes may get into debt by one.
        let counted = match self.over_rate {
            OverRate::Throttle => head.len,
            OverRate::Close => {
                usize::try_from(head.length).map_or(usize::MAX, |length| length.saturating_add(head.len))
            }
        };
        self.ask_bytes(counted, now)?;
        if let Some(bucket) = self.messages.as_mut().filter(|_| head.opcode.begins_message()) {
            bucket.fill(now);
            if bucket.tokens < 1.0 {
                return Err(match self.over_rate {
                    OverRate::Throttle => Stop::Until(bucket.time_of(1.0)),
                    OverRate::Close => Stop::TooMuch(format!("more than {} messages in a second", bucket.rate)),
                });
            }
            bucket.tokens -= 1.0;
        }
        self.pay_bytes(counted);
        self.message_bytes = message_bytes;
        Ok(())
    }

    /// How many of so many bytes of payload may pass; they count as passed.
    pub(super) fn payload(&mut self, len: usize, now: Instant) -> Result<usize, Stop> {
        if self.over_rate == OverRate::Close {
            return Ok(len);
        }
        let allowed = self.ask_bytes(len, now)?;
        self.pay_bytes(allowed);
        Ok(allowed)
    }

    fn ask_bytes(&mut self, len: usize, now: Instant) -> Result<usize, Stop> {
        let Some(bucket) = &mut self.bytes else {
            return Ok(len);
        };
        bucket.fill(now);
        // Lengths are far below 2^52; a part of a byte does not pass.
        #[allow(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss
        )]
        let (wanted, allowed) = (len as f64, bucket.tokens.max(0.0) as usize);
        if allowed >= len {
            return Ok(len);
        }
        match self.over_rate {
            OverRate::Close => Err(Stop::TooMuch(format!("more than {} bytes in a second", bucket.rate))),
            OverRate::Throttle if allowed > 0 => Ok(allowed),
            // Not for every byte: as many as pass in a tick.
            OverRate::Throttle => {
                let some = (bucket.rate * TICK.as_secs_f64()).max(1.0);
                Err(Stop::Until(bucket.time_of(wanted.min(some))))
            }
        }
    }

    fn pay_bytes(&mut self, len: usize) {
        if let Some(bucket) = &mut self.bytes {
            #[allow(clippy::cast_precision_loss)]
            let len = len as f64;
            bucket.tokens -= len;
        }
    }

    /// Keeps what may not pass before `until`.
    pub(super) fn keep(&mut self, rest: &[u8], until: Instant) {
        self.waiting = rest.to_vec();
        self.until = Some(until);
    }

    /// Keeps what came behind what waits. False where nothing waits.
    pub(super) fn queues(&mut self, behind: &[u8]) -> bool {
        if self.until.is_some() {
            self.waiting.extend_from_slice(behind);
        }
        self.until.is_some()
    }

    /// When what waits may pass; None where nothing waits.
    pub(super) fn until(&self) -> Option<Instant> {
        self.until
    }

    /// What waited. Nothing waits any more.
    pub(super) fn release(&mut self) -> Option<Vec<u8>> {
        self.until.take().map(|_| std::mem::take(&mut self.waiting))
    }
}

#[cfg(test)]
#[path = "gate_tests.rs"]
mod tests;
