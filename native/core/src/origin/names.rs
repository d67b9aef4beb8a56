//! Addresses of origin names, kept for a moment: the resolver costs a thread hop, and an upgrade storm asks it the same.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use crate::fault::{Fault, FaultKind};

/// How long an answer of the system's resolver is used again. It does not tell the record's own lifetime.
const KEEP: Duration = Duration::from_secs(5);
/// Names kept at most; beyond it all are forgotten, which costs a look-up each.
const MAX_NAMES: usize = 1024;
/// How long the resolver may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// The names one thread has resolved.
#[derive(Debug, Default)]
pub(crate) struct Names {
    known: RefCell<HashMap<String, (Instant, Vec<IpAddr>)>>,
}

impl Names {
    /// All addresses of `host`, in the resolver's order, at least one.
    pub(crate) async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Fault> {
        let with_port = |ips: &[IpAddr]| ips.iter().map(|ip| SocketAddr::new(*ip, port)).collect::<Vec<_>>();
        if let Ok(ip) = host.trim_matches(['[', ']']).parse() {
            return Ok(with_port(&[ip]));
        }
        if let Some((_, ips)) = self.known.borrow().get(host).filter(|(at, _)| at.elapsed() < KEEP) {
            return Ok(with_port(ips));
        }
        let failed = |why: String| Fault::new(FaultKind::NameUnknown, format!("the origin's name {host} {why}"));
        let found = tokio::time::timeout(PATIENCE, tokio::net::lookup_host((host, port)))
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
        let addresses = with_port(&ips);
        let mut known = self.known.borrow_mut();
        if known.len() >= MAX_NAMES {
            known.clear();
        }
        known.insert(host.to_owned(), (Instant::now(), ips));
        Ok(addresses)
    }
}
