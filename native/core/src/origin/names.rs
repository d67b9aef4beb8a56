//! Addresses of origin names, kept as long as their records say: an upgrade storm asks for the same name again and again.
//!
//! Law 1: one look-up of a name at a time, however many wait for it; so a dead server is asked once, not once a request.
//! Law 2: a failure is kept too, for a shorter moment.
//! Law 3: while nobody can say where a name is, the last good answer serves on for a while, and nobody waits for the next
//!        try. That a name does not exist is an answer, and ends it.
//! Law 4: a connection that is there already asks as a dial would, but goes on, as long as it is kept at all, while nobody
//!        can say: it has nothing to gain from a fault.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::spawn_local;
use tokio::time::timeout;

use super::pool::MAX_AGE;
use super::resolver::{Found, NotFound, Resolver};
use crate::fault::{Fault, FaultKind};

/// Records may ask for less or more; a storm must not reach the servers, nor a change stay unseen for ever.
const MIN_TTL: Duration = Duration::from_secs(1);
const MAX_TTL: Duration = Duration::from_hours(1);
/// How long it stands that a name does not exist. An operator who has just made it does not want to wait.
const MAX_ABSENT: Duration = Duration::from_secs(5);
/// How long it stands that nobody could say.
const KEEP_FAILURE: Duration = Duration::from_secs(1);
/// How long a good answer serves beyond its end while nobody can say a newer one (RFC 8767: up to days).
const MAX_STALE: Duration = Duration::from_mins(1);
/// How long a request waits for a newer answer when it could have the last one.
const PREFER_STALE: Duration = Duration::from_millis(500);
/// Names kept at most; beyond it those are forgotten that have ended, and if there are none, all.
const MAX_NAMES: usize = 16 * 1024;

/// Addresses of an origin, at least one. Cheap to clone.
pub(super) type Addresses = Rc<[IpAddr]>;

/// A name that is being looked up, or has been.
#[derive(Debug, Default)]
struct Name {
    /// The last answer, and until when it stands.
    answer: RefCell<Option<(Result<Addresses, Fault>, Instant)>>,
    /// The last good one, and when it ended or will.
    good: RefCell<Option<(Addresses, Instant)>>,
    is_asking: Cell<bool>,
    /// The last look-up found nobody to ask.
    is_unsure: Cell<bool>,
    answers: Cell<u64>,
    is_answered: Notify,
}

impl Name {
    fn fresh(&self, now: Instant) -> Option<Result<Addresses, Fault>> {
        let answer = self.answer.borrow();
        let (found, _) = answer.as_ref().filter(|(_, until)| now < *until)?;
        Some(found.clone())
    }

    /// The last good answer, unless it ended longer ago than this.
    fn stale(&self, now: Instant, limit: Duration) -> Option<Addresses> {
        let good = self.good.borrow();
        let (ips, _) = good.as_ref().filter(|(_, ended)| now < *ended + limit)?;
        Some(Rc::clone(ips))
    }

    async fn next_answer(&self) -> Result<Addresses, Fault> {
        let seen = self.answers.get();
        loop {
            // Between the look and the wait nothing else of this thread runs, so no notification is missed.
            if self.answers.get() != seen
                && let Some((found, _)) = &*self.answer.borrow()
            {
                return found.clone();
            }
            self.is_answered.notified().await;
        }
    }

    fn settle(&self, host: &str, found: Result<Found, NotFound>, now: Instant) {
        let failed = |why: String| Fault::new(FaultKind::NameUnknown, format!("the origin's name {host} {why}"));
        self.is_unsure.set(matches!(found, Err(NotFound::Unknown(_))));
        let (answer, until) = match found {
            Ok(found) if found.ips.iter().all(is_nowhere) => {
                *self.good.borrow_mut() = None;
                (
                    Err(failed("has no address that an origin can have".to_owned())),
                    now + found.ttl.clamp(MIN_TTL, MAX_ABSENT),
                )
            }
            Ok(mut found) => {
                found.ips.retain(|ip| !is_nowhere(ip));
                let (ips, until) = (Addresses::from(found.ips), now + found.ttl.clamp(MIN_TTL, MAX_TTL));
                *self.good.borrow_mut() = Some((Rc::clone(&ips), until));
                (Ok(ips), until)
            }
            Err(NotFound::Absent(why, ttl)) => {
                *self.good.borrow_mut() = None;
                (
                    Err(failed(why)),
                    now + ttl.unwrap_or(MAX_ABSENT).clamp(MIN_TTL, MAX_ABSENT),
                )
            }
            Err(NotFound::Unknown(why)) => (
                self.stale(now, MAX_STALE).ok_or_else(|| failed(why)),
                now + KEEP_FAILURE,
            ),
        };
        *self.answer.borrow_mut() = Some((answer, until));
        self.is_asking.set(false);
        self.answers.set(self.answers.get() + 1);
        self.is_answered.notify_waiters();
    }

    /// Nobody needs it any more, as far as time goes.
    fn has_ended(&self, now: Instant) -> bool {
        !self.is_asking.get() && self.fresh(now).is_none() && self.stale(now, MAX_STALE).is_none()
    }
}

/// The names one thread has resolved, or is resolving.
#[derive(Debug)]
pub(crate) struct Names {
    known: RefCell<HashMap<Box<str>, Rc<Name>>>,
    resolver: Rc<Resolver>,
}

impl Names {
    /// With name servers of one's own, or, if there are none, the system's.
    pub(crate) fn new(servers: Vec<SocketAddr>) -> Self {
        Self {
            known: RefCell::default(),
            resolver: Rc::new(Resolver::new(servers)),
        }
    }

    /// All addresses of `host`, for a dial. For tasks of the thread's `LocalSet`.
    pub(super) async fn resolve(&self, host: &str) -> Result<Addresses, Fault> {
        self.resolve_at(host, Instant::now(), MAX_STALE).await
    }

    /// As [`Self::resolve`], for connections that are there already.
    pub(super) async fn resolve_for_kept(&self, host: &str) -> Result<Addresses, Fault> {
        self.resolve_at(host, Instant::now(), MAX_AGE).await
    }

    /// As [`Self::resolve`], at this time, with a good answer that ended no longer ago than `limit` while nobody can say.
    async fn resolve_at(&self, host: &str, now: Instant, limit: Duration) -> Result<Addresses, Fault> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(Rc::new([ip]));
        }
        let name = self.name(host, now);
        let answer = match name.fresh(now) {
            Some(answer) => answer,
            None => self.ask(&name, host, now, limit).await,
        };
        match answer {
            Err(fault) if name.is_unsure.get() => name.stale(now, limit).ok_or(fault),
            answer => answer,
        }
    }

    async fn ask(&self, name: &Rc<Name>, host: &str, now: Instant, limit: Duration) -> Result<Addresses, Fault> {
        if !name.is_asking.replace(true) {
            // A task of its own: the request that asked may end, and others wait for the same answer.
            let (asked, host, resolver) = (Rc::clone(name), host.to_owned(), Rc::clone(&self.resolver));
            spawn_local(async move {
                let begun = Instant::now();
                let found = resolver.look_up(&host).await;
                asked.settle(&host, found, now + begun.elapsed());
            });
        }
        match name.stale(now, limit) {
            Some(stale) if name.is_unsure.get() => Ok(stale),
            Some(stale) => timeout(PREFER_STALE, name.next_answer()).await.unwrap_or(Ok(stale)),
            None => name.next_answer().await,
        }
    }

    fn name(&self, host: &str, now: Instant) -> Rc<Name> {
        let mut known = self.known.borrow_mut();
        if let Some(name) = known.get(host) {
            return Rc::clone(name);
        }
        if known.len() >= MAX_NAMES {
            known.retain(|_, name| !name.has_ended(now));
        }
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        let name = Rc::new(Name::default());
        known.insert(host.into(), Rc::clone(&name));
        name
    }
}

/// What a cloud's machines ask for their secrets, where it is not of one link only (`holdfast.model.origin_address`).
const SECRETS_V4: [Ipv4Addr; 3] = [
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
    Ipv4Addr::new(192, 0, 0, 192),
];
const SECRETS_V6: [Ipv6Addr; 3] = [
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xc1, 0, 0, 0, 0, 0xa9fe, 0xa9fe),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// Whether no origin can be at this address: unspecified, multicast, reserved, of one link only (RFC 6890), or where clouds
/// keep the secrets of a machine. A record that somebody else writes must not lead the edge there.
fn is_nowhere(ip: &IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => is_nowhere_v4(ip),
        IpAddr::V6(ip) => {
            ip.is_unspecified()
                || ip.is_unicast_link_local()
                || ip.is_multicast()
                || matches!(ip.segments(), [0xfd00, 0x0ec2, 0, 0, ..])
                || SECRETS_V6.contains(&ip)
                || v4_within(ip).is_some_and(is_nowhere_v4)
        }
    }
}

fn is_nowhere_v4(ip: Ipv4Addr) -> bool {
    ip.octets()[0] == 0 || ip.is_link_local() || ip.octets()[0] >= 224 || SECRETS_V4.contains(&ip)
}

/// The IPv4 address that this one stands for: as it was written once (RFC 4291 §2.5.5.1), to a translator (RFC 6052 §2.1), by
/// way of 6to4 (RFC 3056 §2).
fn v4_within(ip: Ipv6Addr) -> Option<Ipv4Addr> {
    let [high, low] = match ip.segments() {
        [0, 0, 0, 0, 0, 0, high, low] if !ip.is_loopback() => [high, low],
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0x2002, high, low, ..] => [high, low],
        _ => return None,
    };
    Some(Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)))
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
