//! Addresses of origin names, kept for a moment: the resolver costs a thread hop, and an upgrade storm asks it the same.
//!
//! Law 1: one look-up of a name at a time, however many wait for it; so a dead resolver is asked once, not once a request.
//! Law 2: a failure is kept too, for a shorter moment.

use std::cell::{OnceCell, RefCell};
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::Notify;
use tokio::task::spawn_local;

use crate::fault::{Fault, FaultKind};

/// How long an answer of the system's resolver is used again. It does not tell the record's own lifetime.
const KEEP: Duration = Duration::from_secs(5);
/// How long a failure is.
const KEEP_FAILURE: Duration = Duration::from_secs(1);
/// Names kept at most; beyond it all are forgotten, which costs a look-up each.
const MAX_NAMES: usize = 1024;
/// How long the resolver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A name that is being looked up, or has been.
#[derive(Debug, Default)]
struct Name {
    /// When it was answered, and how.
    answer: OnceCell<(Instant, Result<Vec<IpAddr>, Fault>)>,
    is_answered: Notify,
}

impl Name {
    fn is_fresh(&self) -> bool {
        match self.answer.get() {
            None => true,
            Some((at, Ok(_))) => at.elapsed() < KEEP,
            Some((at, Err(_))) => at.elapsed() < KEEP_FAILURE,
        }
    }

    async fn answered(&self) -> &Result<Vec<IpAddr>, Fault> {
        loop {
            // Between the look and the wait nothing else of this thread runs, so no notification is missed.
            if let Some((_, found)) = self.answer.get() {
                return found;
            }
            self.is_answered.notified().await;
        }
    }
}

/// The names one thread has resolved, or is resolving.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: RefCell<HashMap<String, Rc<Name>>>,
}

impl Names {
    /// All addresses of `host`, in the resolver's order, at least one. For tasks of the thread's `LocalSet`.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(vec![SocketAddr::new(ip, port)]);
        }
        let name = self.name(host);
        let ips = name.answered().await.as_ref().map_err(Clone::clone)?;
        Ok(ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect())
    }

    fn name(&self, host: &str) -> Rc<Name> {
        let mut known = self.known.borrow_mut();
        if let Some(name) = known.get(host).filter(|name| name.is_fresh()) {
            return Rc::clone(name);
        }
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        let name = Rc::new(Name::default());
        known.insert(host.to_owned(), Rc::clone(&name));
        // A task of its own: the request that asked may end, and others wait for the same answer.
        let (asked, host) = (Rc::clone(&name), host.to_owned());
        spawn_local(async move {
            let found = look_up(&host).await;
            // Only this task sets it.
            let _ = asked.answer.set((Instant::now(), found));
            asked.is_answered.notify_waiters();
        });
        name
    }
}

async fn look_up(host: &str) -> Result<Vec<IpAddr>, Fault> {
    let failed = |why: String| Fault::new(FaultKind::NameUnknown, format!("the origin's name {host} {why}"));
    let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, 0)))
        .await
        .map_err(|_| failed(format!("was not resolved within {} s", PATIENCE.as_secs())))?
        .map_err(|error| failed(format!("does not resolve: {error}")))?;
    let mut ips: Vec<IpAddr> = Vec::new();
    for address in found {
        if !ips.contains(&address.ip()) {
            ips.push(address.ip());
        }
    }
    if ips.is_empty() {
        return Err(failed("has no address".to_owned()));
    }
    Ok(ips)
}

#[cfg(test)]
#[path = "names_tests.rs"]
mod tests;
