//! How many WebSockets a zone, and one client of it, may have open.
//!
//! Law 1: looking and taking are one step, so that no storm gets past a limit.
//! Law 2: every WebSocket is counted, limit or not: one that is set later counts those that are there.
//! Law 3: an IPv6 client is its /64, of which it has all addresses.
//! Law 4: a Worker's process has no address, so no limit by one is its: it stands for clients of many.
//! Law 5: what is kept is bounded by what is open: an address that has nothing left is forgotten.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OwnedSemaphorePermit;

use crate::fault::{Fault, FaultKind};
use crate::tunnel::TunnelOptions;
use crate::zones::Zone;

/// The WebSockets of one zone that are open, or about to be.
#[derive(Debug, Default)]
pub(crate) struct Claims(Mutex<Counts>);

#[derive(Debug, Default)]
struct Counts {
    all: u64,
    of_client: HashMap<IpAddr, u64>,
}

impl Claims {
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().all == 0
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The place of one WebSocket under the limits of its zone, given back when it is dropped.
#[derive(Debug)]
pub(crate) struct Claim {
    zone: Arc<Zone>,
    client: IpAddr,
}

impl Claim {
    /// Takes a place, where both limits allow one more.
    pub(crate) fn take(zone: &Arc<Zone>, client: IpAddr, options: Option<&TunnelOptions>) -> Result<Self, Fault> {
        let client = counted_as(client);
        let mut counts = zone.claims.lock();
        let of_client = counts.of_client.get(&client).copied().unwrap_or_default();
        if let Some(options) = options {
            if options
                .max_zone_connections
                .is_some_and(|most| counts.all >= most.get())
            {
                let reason = "the zone has as many open WebSockets as it may have";
                return Err(Fault::new(FaultKind::ZoneConnections, reason));
            }
            let has_address = !client.is_unspecified();
            if has_address
                && options
                    .max_address_connections
                    .is_some_and(|most| of_client >= most.get())
            {
                let reason = "the client's address has as many open WebSockets as it may have";
                return Err(Fault::new(FaultKind::AddressConnections, reason));
            }
        }
        counts.all += 1;
        counts.of_client.insert(client, of_client + 1);
        Ok(Self {
            zone: Arc::clone(zone),
            client,
        })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut counts = self.zone.claims.lock();
        counts.all -= 1;
        match counts.of_client.get_mut(&self.client) {
            Some(left) if *left > 1 => *left -= 1,
            _ => {
                counts.of_client.remove(&self.client);
            }
        }
        if counts.of_client.is_empty() {
            // Give a past peak's memory back.
            counts.of_client.shrink_to_fit();
        }
    }
}

/// The places of a WebSocket under the limits of the edge and of its zone, given back when it is dropped. A value of its own and no
/// `dyn` one: ten thousand idle tunnels hold ten thousand of them.
#[derive(Debug, Default)]
pub struct Place {
    _of_edge: Option<OwnedSemaphorePermit>,
    _of_zone: Option<Claim>,
}

impl Place {
    pub(crate) fn new(of_edge: Option<OwnedSemaphorePermit>, of_zone: Option<Claim>) -> Self {
        Self {
            _of_edge: of_edge,
            _of_zone: of_zone,
        }
    }
}

fn counted_as(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() >> 64 << 64).into(),
        address @ IpAddr::V4(_) => address,
    }
}

#[cfg(test)]
#[path = "caps_tests.rs"]
mod tests;
