//! Where origin names are looked up: the hosts file, then name servers.
//!
//! Law 1: a name with a dot is looked up as it is; only one without is tried in the system's search domains.
//! Law 2: what a name's records say of their lifetime goes along, that of every alias on the way included.
//! Law 3: that a name does not exist is one thing, that nobody can say is another.

use std::cell::RefCell;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime};

use hickory_resolver::config::{ConnectionConfig, LookupIpStrategy, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::{Hosts, TokioResolver};
use tokio::time::timeout;

/// How long a look-up may take, all its tries together.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often it is seen whether the system's files have changed.
const LOOK_AT_FILES: Duration = Duration::from_secs(5);
/// The port of name servers.
const DNS_PORT: u16 = 53;
/// How long an entry of the hosts file stands: as long as until the file is looked at again.
const HOSTS_TTL: Duration = LOOK_AT_FILES;
const FILES: [&str; 2] = ["/etc/hosts", "/etc/resolv.conf"];

/// The addresses of a name, IPv4 first, and how long they stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) ips: Vec<IpAddr>,
    pub(super) ttl: Duration,
}

/// Why there are none. Each has the rest of a sentence that begins with the name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotFound {
    /// It does not exist, or has no address; and how long that stands.
    Absent(String, Option<Duration>),
    /// Nobody could say.
    Unknown(String),
}

/// What look-ups of one thread use. For tasks of its runtime.
pub(super) struct Resolver {
    /// Instead of the system's.
    servers: Vec<SocketAddr>,
    loaded: RefCell<Option<Rc<Loaded>>>,
}

impl fmt::Debug for Resolver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolver")
            .field("servers", &self.servers)
            .finish_non_exhaustive()
    }
}

/// The system's files as they were when they were read.
struct Loaded {
    hosts: Hosts,
    dns: Result<TokioResolver, String>,
    files: [Option<SystemTime>; 2],
    looked_at: Instant,
}

impl Resolver {
    /// With name servers of one's own, or, if there are none, the system's.
    pub(super) fn new(servers: Vec<SocketAddr>) -> Self {
        Self {
            servers,
            loaded: RefCell::default(),
        }
    }

    pub(super) async fn look_up(&self, host: &str) -> Result<Found, NotFound> {
        let mut name =
            Name::from_ascii(host).map_err(|error| NotFound::Absent(format!("is no host name: {error}"), None))?;
        if name.num_labels() > 1 {
            name.set_fqdn(true);
        }
        let loaded = self.loaded();
        if let Some(ips) = in_hosts(&loaded.hosts, &name) {
            return Ok(Found { ips, ttl: HOSTS_TTL });
        }
        let dns = loaded
            .dns
            .as_ref()
            .map_err(|error| NotFound::Unknown(format!("cannot be resolved: {error}")))?;
        // What is to be kept is kept by who asks, with its own limits.
        dns.clear_cache();
        match timeout(PATIENCE, dns.lookup_ip(name)).await {
            Err(_) => Err(NotFound::Unknown(format!(
                "was not resolved within {} s",
                PATIENCE.as_secs()
            ))),
            Ok(Err(error)) => Err(not_found(&error)),
            Ok(Ok(lookup)) => found(lookup.as_lookup().answers()),
        }
    }

    /// The files as they are now, or were a moment ago.
    fn loaded(&self) -> Rc<Loaded> {
        let mut loaded = self.loaded.borrow_mut();
        if let Some(known) = &*loaded
            && known.looked_at.elapsed() < LOOK_AT_FILES
        {
            return Rc::clone(known);
        }
        let files = FILES.map(|file| std::fs::metadata(file).and_then(|facts| facts.modified()).ok());
        let fresh = match loaded.take().map(Rc::try_unwrap) {
            Some(Ok(known)) if known.files == files => Loaded {
                looked_at: Instant::now(),
                ..known
            },
            _ => self.load(files),
        };
        Rc::clone(loaded.insert(Rc::new(fresh)))
    }

    fn load(&self, files: [Option<SystemTime>; 2]) -> Loaded {
        let built = if self.servers.is_empty() {
            TokioResolver::builder_tokio()
        } else {
            Ok(TokioResolver::builder_with_config(
                config_of(&self.servers),
                TokioRuntimeProvider::default(),
            ))
        };
        let dns = built.and_then(|mut builder| {
            let options = builder.options_mut();
            options.use_hosts_file = ResolveHosts::Never;
            // So that the lifetime of an alias is seen.
            options.preserve_intermediates = true;
            options.cache_size = 0;
            // More hosts reach the older addresses, and the others are still tried when they do not.
            options.ip_strategy = LookupIpStrategy::Ipv4AndIpv6;
            builder.build()
        });
        Loaded {
            hosts: Hosts::from_system().unwrap_or_default(),
            dns: dns.map_err(|error| format!("the system's name servers are not known: {error}")),
            files,
            looked_at: Instant::now(),
        }
    }
}

fn config_of(servers: &[SocketAddr]) -> ResolverConfig {
    let servers = servers.iter().map(|server| {
        let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
            connection.port = server.port();
            connection
        });
        // That it knows nothing of a name is believed: it is the operator's own word.
        NameServerConfig::new(server.ip(), true, connections.into())
    });
    ResolverConfig::from_name_servers(servers.collect())
}

/// A name server as it is written: an IP address, with a port or without.
#[must_use]
pub fn parse_name_server(text: &str) -> Option<SocketAddr> {
    let address = text.parse().ok();
    address.or_else(|| Some(SocketAddr::new(text.parse().ok()?, DNS_PORT)))
}

fn in_hosts(hosts: &Hosts, name: &Name) -> Option<Vec<IpAddr>> {
    let kinds = [RecordType::A, RecordType::AAAA].into_iter();
    let lookups = kinds.filter_map(|kind| hosts.lookup_static_host(&Query::query(name.clone(), kind)));
    let ips: Vec<IpAddr> = lookups
        .flat_map(|lookup| {
            lookup
                .answers()
                .iter()
                .filter_map(|record| record.data.ip_addr())
                .collect::<Vec<_>>()
        })
        .collect();
    (!ips.is_empty()).then_some(ips)
}

fn found(records: &[hickory_resolver::proto::rr::Record]) -> Result<Found, NotFound> {
    let mut ips: Vec<IpAddr> = Vec::new();
    for ip in records.iter().filter_map(|record| record.data.ip_addr()) {
        if !ips.contains(&ip) {
            ips.push(ip);
        }
    }
    let matters = |data: &RData| matches!(data, RData::A(_) | RData::AAAA(_) | RData::CNAME(_));
    let ttls = records.iter().filter(|record| matters(&record.data));
    match ttls.map(|record| record.ttl).min() {
        Some(ttl) if !ips.is_empty() => Ok(Found {
            ips,
            ttl: Duration::from_secs(ttl.into()),
        }),
        _ => Err(NotFound::Absent("has no address".to_owned(), None)),
    }
}

fn not_found(error: &NetError) -> NotFound {
    match error {
        NetError::Dns(DnsError::NoRecordsFound(none)) => {
            let ttl = none.negative_ttl.map(|ttl| Duration::from_secs(ttl.into()));
            match none.response_code {
                ResponseCode::NXDomain => NotFound::Absent("does not exist".to_owned(), ttl),
                ResponseCode::NoError => NotFound::Absent("has no address".to_owned(), ttl),
                code => NotFound::Unknown(format!("does not resolve: its name server said {code}")),
            }
        }
        NetError::Dns(DnsError::ResponseCode(code)) => {
            NotFound::Unknown(format!("does not resolve: its name server said {code}"))
        }
        error => NotFound::Unknown(format!("does not resolve: {error}")),
    }
}

#[cfg(test)]
#[path = "resolver_tests.rs"]
mod tests;
