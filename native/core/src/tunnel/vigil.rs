//! The clock's side of a tunnel: which leg is to be asked for a sign of life, and what has lasted too long.
//!
//! Law 1: no socket and no clock: what the legs look like and what time it is are arguments.
//! Law 2: nothing is done for a message that passes. Whoever looks at most one time limit apart misses none of them by
//!        more than the wheel does, so the next look is all that is ever planned.
//! Law 3: a leg that we do not read, because its peer takes nothing or it may send no more for now, is not silent. It gets
//!        its pings all the same, since the kernel of one that has gone refuses them; they do not count.
//! Law 4: what cannot be asked, since it takes nothing, has missed the question.

use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::moment::Moment;
use super::wheel::Due;
use super::{Side, TunnelOptions};
use crate::chance::{distinct_number, random_bytes};
use crate::frames;
use crate::registry::Why;

/// What a leg looks like when it is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct LegView {
    /// When it last gave something, other than answers to our pings; or when the tunnel opened.
    pub(super) heard: Instant,
    /// What it sends would be read now.
    pub(super) is_read: bool,
    /// Something waits for it, and it has taken nothing since.
    pub(super) stuck_since: Option<Instant>,
    /// It has begun a frame, or a text that is held, that is not complete.
    pub(super) is_in_frame: bool,
    /// A frame of ours may be put into the stream towards it now.
    pub(super) takes_frames: bool,
}

/// What a look found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Finding {
    /// What has lasted too long, and because of which side, where it is one side's.
    pub(super) end: Option<(Why, Option<Side>)>,
    /// Which legs are to get a ping now.
    pub(super) pings: [bool; 2],
}

/// What is known of one leg's pings.
#[derive(Clone, Copy, Debug)]
struct Pinger {
    /// Of all its pings; 0 before the first.
    nonce: u64,
    /// The number of the last ping: the microseconds from the tunnel's opening to it.
    number: u64,
    /// The last sign of life, or the last question for one.
    since: Moment,
    /// When it was last read again after a time in which it was not.
    resumed: Moment,
    /// In microseconds, and one more; None before the first answer.
    rtt: Option<NonZeroU32>,
    unanswered: u8,
    /// The last ping has not been answered.
    awaits: bool,
    /// A ping is due, and the stream towards the leg is within a frame.
    owed: bool,
    /// The leg is not asked for signs of life, and may take its time: it is no connection, but a session.
    is_spared: bool,
}

#[derive(Debug)]
pub(super) struct Vigil {
    options: Arc<TunnelOptions>,
    opened_at: Moment,
    expires_at: Option<Moment>,
    pingers: [Pinger; 2],
}

impl Vigil {
    pub(super) fn new(options: Arc<TunnelOptions>, opened_at: Instant) -> Self {
        let pinger = Pinger {
            nonce: 0,
            number: 0,
            since: opened_at.into(),
            resumed: opened_at.into(),
            rtt: None,
            unanswered: 0,
            awaits: false,
            owed: false,
            is_spared: false,
        };
        Self {
            expires_at: options
                .max_age
                .map(|age| (opened_at + earlier(age, options.max_age_jitter)).into()),
            options,
            opened_at: opened_at.into(),
            pingers: [pinger; 2],
        }
    }

    /// The same, but this leg is spared.
    pub(super) fn sparing(mut self, spared: Option<Side>) -> Self {
        if let Some(side) = spared {
            self.pingers[side as usize].is_spared = true;
        }
        self
    }

    pub(super) fn options(&self) -> &TunnelOptions {
        &self.options
    }

    /// The round-trip time that the last answered ping of ours to this leg took.
    pub(super) fn rtt(&self, side: Side) -> Option<Duration> {
        self.pingers[side as usize]
            .rtt
            .map(|rtt| Duration::from_micros(u64::from(rtt.get()) - 1))
    }

    /// The nonce by which the answer of this leg is known, while one is awaited.
    pub(super) fn awaited(&self, side: Side) -> Option<u64> {
        let pinger = &self.pingers[side as usize];
        pinger.awaits.then_some(pinger.nonce)
    }

    /// True where a ping waits for the end of a frame on its way to this leg.
    pub(super) fn owes_ping(&self, side: Side) -> bool {
        self.pingers[side as usize].owed
    }

    /// Appends a ping for this leg to `out`.
    pub(super) fn write_ping(&mut self, side: Side, now: Instant, out: &mut Vec<u8>) {
        let number = self.microseconds(now);
        let pinger = &mut self.pingers[side as usize];
        if pinger.nonce == 0 {
            pinger.nonce = u64::from_ne_bytes(random_bytes()).max(1);
        }
        pinger.number = number;
        pinger.since = now.into();
        pinger.unanswered = pinger.unanswered.saturating_add(1);
        (pinger.awaits, pinger.owed) = (true, false);
        let mask = (side == Side::Origin).then(random_bytes);
        frames::write_ping(out, pinger.nonce, number, mask);
    }

    /// This leg has answered the ping with this number: the last one, or one before it that was given up.
    pub(super) fn answered(&mut self, side: Side, number: u64, now: Instant) {
        let passed = self.microseconds(now);
        let resumed = self.microseconds(self.pingers[side as usize].resumed.instant());
        let pinger = &mut self.pingers[side as usize];
        pinger.since = now.into();
        pinger.unanswered = 0;
        // What was not read as soon as it had come says nothing of the way.
        if (resumed..=pinger.number).contains(&number) {
            let rtt = u32::try_from(passed.saturating_sub(number)).unwrap_or(u32::MAX);
            pinger.rtt = NonZeroU32::new(rtt.saturating_add(1));
        }
        pinger.awaits &= number != pinger.number;
    }

    /// This leg is read again: what it could not say until now is no silence.
    pub(super) fn resumed(&mut self, side: Side, now: Instant) {
        let pinger = &mut self.pingers[side as usize];
        pinger.resumed = now.into();
        pinger.since = now.into();
        pinger.unanswered = 0;
    }

    /// Looks at everything that has a limit. What is to be pinged is not counted as asked until `write_ping`.
    pub(super) fn look(&mut self, legs: &[LegView; 2], now: Instant) -> Finding {
        let mut pings = [false; 2];
        for side in [Side::Client, Side::Origin] {
            let (leg, pinger) = (&legs[side as usize], &mut self.pingers[side as usize]);
            if !leg.is_read {
                pinger.resumed = now.into();
            }
            let Some(keepalive) = self.options.keepalive.filter(|_| !pinger.is_spared) else {
                continue;
            };
            match pinger.check(leg, keepalive.interval, keepalive.misses, now) {
                Check::Alive => {}
                Check::Ask => pings[side as usize] = true,
                Check::Dead => {
                    let why = match side {
                        Side::Client => Why::ClientUnresponsive,
                        Side::Origin => Why::OriginUnresponsive,
                    };
                    return Finding {
                        end: Some((why, Some(side))),
                        pings: [false; 2],
                    };
                }
            }
        }
        let is_over = |(_, limit, at): &(_, Option<Duration>, Option<Instant>)| {
            limit.zip(*at).is_some_and(|(limit, at)| at + limit <= now)
        };
        let found = self.limits(legs).into_iter().find(is_over);
        let end = match found {
            Some((end, ..)) => Some(end),
            None if self.expires_at.is_some_and(|at| at.instant() <= now) => Some((Why::MaxAge, None)),
            None => None,
        };
        Finding { end, pings }
    }

    /// When to look again; None where nothing is limited.
    pub(super) fn due(&self, legs: &[LegView; 2], now: Instant) -> Option<Due> {
        let keepalive = self.options.keepalive.into_iter().flat_map(|keepalive| {
            let asked = self.pingers.iter().filter(|pinger| !pinger.is_spared);
            asked.map(move |pinger| Due {
                at: pinger.since.instant() + keepalive.interval,
                slack: keepalive.interval / 32,
            })
        });
        // What does not run now may begin any time from now on.
        let limits = self.limits(legs).into_iter().filter_map(|(_, limit, at)| {
            let limit = limit?;
            Some(Due {
                at: at.unwrap_or(now) + limit,
                slack: limit / 64,
            })
        });
        let expiry = self.expires_at.into_iter().map(|at| Due::at(at.instant()));
        keepalive.chain(limits).chain(expiry).reduce(Due::sooner)
    }

    /// Each limit: what it ends, how long that may last, and since when it does; None where it does not now.
    #[allow(clippy::type_complexity)]
    fn limits(&self, legs: &[LegView; 2]) -> [((Why, Option<Side>), Option<Duration>, Option<Instant>); 5] {
        let options = &self.options;
        // What waits for its time is about to pass; what waits for a leg that takes nothing is not.
        let stuck_since = legs.iter().filter_map(|leg| leg.stuck_since).max();
        let may_be_idle = stuck_since.is_some() || legs.iter().all(|leg| leg.is_read);
        let idle_since = legs.iter().map(|leg| leg.heard).chain(stuck_since).max();
        let idle_since = idle_since.filter(|_| may_be_idle);
        let reading = |side: Side| {
            let (leg, pinger) = (&legs[side as usize], &self.pingers[side as usize]);
            let is_watched = leg.is_in_frame && leg.is_read && !pinger.is_spared;
            let since = is_watched.then(|| leg.heard.max(pinger.resumed.instant()));
            ((Why::ReadStalled, Some(side)), options.read_stall_timeout, since)
        };
        let writing = |side: Side| {
            let since = legs[side as usize].stuck_since;
            let since = since.filter(|_| !self.pingers[side as usize].is_spared);
            ((Why::WriteStalled, Some(side)), options.write_stall_timeout, since)
        };
        [
            writing(Side::Client),
            writing(Side::Origin),
            reading(Side::Client),
            reading(Side::Origin),
            ((Why::IdleTimeout, None), options.idle_timeout, idle_since),
        ]
    }

    fn microseconds(&self, now: Instant) -> u64 {
        let passed = now.saturating_duration_since(self.opened_at.instant());
        u64::try_from(passed.as_micros()).unwrap_or(u64::MAX)
    }
}

/// What a leg needs.
enum Check {
    Alive,
    Ask,
    Dead,
}

impl Pinger {
    fn check(&mut self, leg: &LegView, interval: Duration, misses: u8, now: Instant) -> Check {
        let sign = Moment::from(leg.stuck_since.unwrap_or(leg.heard).max(leg.heard));
        if sign >= self.since {
            self.since = sign;
            self.unanswered = 0;
        }
        if self.since.instant() + interval > now {
            return Check::Alive;
        }
        let can_answer = leg.is_read || leg.stuck_since.is_some();
        if !can_answer {
            self.unanswered = 0;
            if leg.takes_frames {
                return Check::Ask;
            }
            self.since = now.into();
            return Check::Alive;
        }
        if self.unanswered >= misses {
            return Check::Dead;
        }
        if leg.stuck_since.is_some() {
            self.unanswered += 1;
            self.since = now.into();
            return Check::Alive;
        }
        if leg.takes_frames {
            return Check::Ask;
        }
        // Within a frame that is not its own: it is asked when that has ended, and until then nothing can be said of it.
        self.owed = true;
        self.since = now.into();
        Check::Alive
    }
}

/// An age, less a part of up to `jitter` by chance, so that what opened together does not end together.
fn earlier(age: Duration, jitter: f64) -> Duration {
    // 53 bits are as many as an f64 keeps.
    #[allow(clippy::cast_precision_loss)]
    let chance = (distinct_number() >> 11) as f64 / (1_u64 << 53) as f64;
    age.mul_f64(1.0 - jitter.clamp(0.0, 1.0) * chance)
}

#[cfg(test)]
#[path = "vigil_tests.rs"]
mod tests;
