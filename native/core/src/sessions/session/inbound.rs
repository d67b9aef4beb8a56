//! What a session makes of what its peer sends.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use super::{Fault, MAX_UNSENT_BYTES, Pending, Session, may_be_sent};
use crate::messages::Refusal;
use crate::sessions::assembler::{Event, Kind, unmask};
use crate::sessions::autos::Pair;
use crate::sessions::outgoing::{Message, write_pong};
use crate::sessions::queue::SHARED_FROM;
use crate::sessions::records::{HEADER_BYTES, from_edge};

/// So much of a message may always be kept.
const ALWAYS_KEPT_BYTES: usize = 64 * 1024;

impl Session {
    /// Takes what its peer has sent, as much as there is room for; how much that was.
    pub fn receive(&mut self, bytes: &[u8]) -> usize {
        let mut at = 0;
        while at < bytes.len() {
            if self.is_deaf() {
                at = bytes.len();
            } else if self.has_room() {
                at += self.step(&bytes[at..]);
            } else {
                self.standing.is_blocked = true;
                break;
            }
        }
        self.recount();
        at
    }

    /// The same, whether there is room or not: it is the last that there is.
    pub fn receive_rest(&mut self, bytes: &[u8]) {
        let mut at = 0;
        while at < bytes.len() && !self.is_deaf() {
            at += self.step(&bytes[at..]);
        }
        self.recount();
    }

    fn step(&mut self, bytes: &[u8]) -> usize {
        match self.assembler.step(bytes) {
            Ok((taken, event)) => {
                if let Some(event) = event {
                    self.on_event(event);
                }
                taken
            }
            Err(refusal) => {
                self.refuse(refusal);
                bytes.len()
            }
        }
    }

    /// True where what the peer says does not matter any more.
    fn is_deaf(&self) -> bool {
        self.standing.is_closed || self.standing.is_told || self.standing.is_finished
    }

    fn has_room(&mut self) -> bool {
        if self.binding.is_none() {
            // Who answers a Close, or a text, is not known yet.
            return false;
        }
        let is_full = self.kit.held.is_full();
        if self.assembler.is_between_messages() {
            return self.journal.has_room() && !is_full && !self.is_tired();
        }
        if is_full && self.assembler.kept() > ALWAYS_KEPT_BYTES {
            self.refuse(Refusal::NoRoom);
        }
        true
    }

    fn is_tired(&self) -> bool {
        self.way.may_compress && self.kit.is_tired()
    }

    /// True where it has room for more, after it had none. Said once.
    pub fn is_unblocked(&mut self) -> bool {
        let has_room =
            self.binding.is_some() && self.journal.has_room() && !self.kit.held.is_full() && !self.is_tired();
        has_room && std::mem::take(&mut self.standing.is_blocked)
    }

    /// True where it is not its own events that leave it no room.
    #[must_use]
    pub fn is_starved(&self) -> bool {
        self.standing.is_blocked && self.binding.is_some() && self.journal.has_room()
    }

    fn on_event(&mut self, event: Event<'_>) {
        let outcome = match event {
            Event::Here(kind, payload, mask) => self.take_here(kind, payload, mask),
            Event::Put(kind, record) if kind.is_compressed => self
                .kit
                .inflate(&record[HEADER_BYTES..], None)
                .and_then(|record| self.take_record(kind, record)),
            Event::Put(kind, record) => self.take_record(kind, record),
            Event::Ping(payload) => {
                // RFC 6455 §5.5.3: who asks more often than it takes answers need not get them all.
                if !self.standing.has_closed && !self.owes_some() {
                    let is_masked = self.way.is_masked;
                    self.outbox.write(|out| write_pong(&payload, is_masked, out));
                }
                Ok(())
            }
            Event::Pong => Ok(()),
            Event::Close(payload) => self.take_close(&payload),
        };
        if let Err(refusal) = outcome {
            self.refuse(refusal);
        }
    }

    fn take_here(&mut self, kind: Kind, payload: &[u8], mask: Option<[u8; 4]>) -> Result<(), Refusal> {
        if kind.is_compressed {
            let record = self.kit.inflate(payload, mask)?;
            return self.take_record(kind, record);
        }
        if payload.len() >= SHARED_FROM {
            let mut record = Vec::with_capacity(HEADER_BYTES + payload.len());
            record.extend_from_slice(&[0; HEADER_BYTES]);
            record.extend_from_slice(payload);
            unmask(&mut record[HEADER_BYTES..], mask.unwrap_or_default());
            return self.take_record(kind, record);
        }
        if let Some(pair) = self.pair_for(kind, payload.len())
            && payload
                .iter()
                .zip(mask.unwrap_or_default().iter().cycle())
                .map(|(byte, key)| byte ^ key)
                .eq(pair.request.iter().copied())
        {
            self.answer(&pair);
            return Ok(());
        }
        self.journal.add(record_kind(kind), self.sid, |out| {
            let begin = out.len();
            out.extend_from_slice(payload);
            if let Some(mask) = mask {
                unmask(&mut out[begin..], mask);
            }
            check_text(kind, &out[begin..])
        })
    }

    fn take_record(&mut self, kind: Kind, record: Vec<u8>) -> Result<(), Refusal> {
        let payload = &record[HEADER_BYTES..];
        check_text(kind, payload)?;
        if let Some(pair) = self.pair_for(kind, payload.len())
            && payload == pair.request
        {
            self.answer(&pair);
            return Ok(());
        }
        self.journal.add_record(record_kind(kind), self.sid, record);
        Ok(())
    }

    /// What a text of this length may be answered with.
    fn pair_for(&self, kind: Kind, len: usize) -> Option<Arc<Pair>> {
        let binding = self.binding.as_ref().filter(|_| kind.is_text)?;
        binding.autos.pair().filter(|pair| pair.request.len() == len)
    }

    fn answer(&mut self, pair: &Pair) {
        if self.may_owe(pair.response.len(), MAX_UNSENT_BYTES) {
            self.put(&Message::new(true, &pair.response));
        }
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        self.answered_ms = u64::try_from(since.as_millis()).unwrap_or(u64::MAX);
    }

    /// When an auto-response was last sent, in milliseconds of Unix time. Said once.
    pub fn take_answered_ms(&mut self) -> Option<u64> {
        Some(std::mem::take(&mut self.answered_ms)).filter(|ms| *ms > 0)
    }

    /// RFC 6455 §5.5.1, §7.4.
    fn take_close(&mut self, payload: &[u8]) -> Result<(), Refusal> {
        let (code, reason) = match payload {
            [] => (1005, &payload[..0]),
            [_] => return Err(Refusal::Protocol("a Close has half a code")),
            [high, low, reason @ ..] => (u16::from_be_bytes([*high, *low]), reason),
        };
        if !payload.is_empty() && !may_be_sent(code) {
            return Err(Refusal::Protocol("a Close has a code that may not be sent"));
        }
        let reason = std::str::from_utf8(reason).map_err(|_| Refusal::NotUtf8)?;
        self.standing.is_closed = true;
        self.tell_closed(code, true, reason);
        if self.binding.as_ref().is_none_or(|binding| binding.auto_reply) {
            // As the original: a browser shows what comes back as the reason of the end.
            let code = if payload.is_empty() { 0 } else { code };
            // Behind its end nothing comes: what else is kept came before.
            if self.journal.events() > 1 && !self.standing.has_closed {
                let reason = reason.into();
                self.pending = Some(Pending::Reply { code, reason }.into());
                self.standing.has_begun_to_wait = true;
            } else {
                self.put_close(code, reason);
            }
        }
        self.standing.is_finished |= self.standing.has_closed;
        Ok(())
    }

    fn refuse(&mut self, refusal: Refusal) {
        if self.standing.is_told {
            return;
        }
        let fault = Fault::Refused(refusal);
        if let Fault::Refused(Refusal::Protocol(_) | Refusal::NotUtf8) = fault {
            let text = fault.reason();
            self.tell(from_edge::FAILED, text.as_bytes());
        }
        self.tell_closed(fault.code(), false, &fault.reason());
        self.pending = Some(Pending::Fault(fault).into());
    }

    /// Why its tunnel must end it. Said once.
    pub fn take_fault(&mut self) -> Option<Fault> {
        match *self.pending.take_if(|it| matches!(**it, Pending::Fault(_)))? {
            Pending::Fault(fault) => Some(fault),
            Pending::Reply { .. } => None,
        }
    }
}

fn record_kind(kind: Kind) -> u8 {
    if kind.is_text {
        from_edge::TEXT
    } else {
        from_edge::BINARY
    }
}

/// RFC 6455 §8.1.
fn check_text(kind: Kind, payload: &[u8]) -> Result<(), Refusal> {
    if kind.is_text && std::str::from_utf8(payload).is_err() {
        return Err(Refusal::NotUtf8);
    }
    Ok(())
}
