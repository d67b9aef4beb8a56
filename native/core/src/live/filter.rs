//! Which connections are meant: those for which all that is given holds.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::{Duration, Instant};

use crate::tunnel::Identity;

/// A network, or one address. An IPv4 address mapped into IPv6 is the IPv4 address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Network {
    address: IpAddr,
    prefix: u32,
}

impl Network {
    /// Reads `192.0.2.1` or `2001:db8::/32`. The error says what was expected.
    pub fn parse(text: &str) -> Result<Self, String> {
        let wrong = || format!("expected an IP address or a network such as 192.0.2.0/24, got {text:?}");
        let (address, prefix) = match text.split_once('/') {
            Some((address, prefix)) => (address, Some(prefix)),
            None => (text, None),
        };
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let longest = bits(address).1;
        let prefix = match prefix {
            None => longest,
            Some(prefix) => prefix
                .parse()
                .ok()
                .filter(|prefix| *prefix <= longest)
                .ok_or_else(wrong)?,
        };
        Ok(Self { address, prefix })
    }

    /// Whether the address is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let ((ours, length), (theirs, their_length)) = (bits(self.address), bits(address.to_canonical()));
        length == their_length && (self.prefix == 0 || (ours ^ theirs) >> (length - self.prefix) == 0)
    }
}

/// The address as a number, and how many bits it has.
fn bits(address: IpAddr) -> (u128, u32) {
    match address {
        IpAddr::V4(address) => (address.to_bits().into(), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    }
}

/// Which connections are meant. The default means all.
#[derive(Debug, Default)]
pub struct Filter {
    /// The zone's name.
    pub zone: Option<String>,
    /// The host asked for.
    pub host: Option<String>,
    /// What the path begins with.
    pub path_prefix: String,
    /// Where the client is.
    pub client: Option<Network>,
    /// Ray ids; empty: any.
    pub ids: HashSet<String>,
    /// Since it opened, at least.
    pub min_age: Duration,
    /// Since a side sent something, at least.
    pub min_idle: Duration,
    /// What was agreed upon; "" for nothing.
    pub subprotocol: Option<String>,
}

impl Filter {
    /// Whether this connection is meant.
    pub(crate) fn means(&self, identity: &Identity, last_active: Instant, now: Instant) -> bool {
        let is = |wanted: &Option<String>, given: &str| wanted.as_deref().is_none_or(|wanted| wanted == given);
        is(&self.zone, identity.zone.name())
            && (self.ids.is_empty() || self.ids.contains(identity.ray()))
            && is(&self.host, identity.host())
            && identity.path().starts_with(&self.path_prefix)
            && self.client.is_none_or(|network| network.contains(identity.client.ip()))
            && now.saturating_duration_since(identity.opened_at) >= self.min_age
            && now.saturating_duration_since(last_active) >= self.min_idle
            && is(&self.subprotocol, identity.subprotocol())
    }
}
