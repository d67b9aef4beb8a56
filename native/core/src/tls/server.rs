//! How we meet clients: the choice of a configuration by the name that a client asks for.
//!
//! Law 1: certificates and rules are replaced as a whole. A handshake sees the old ones or the new ones, never a mix, and
//! established sessions do not notice; what they were made with goes with the last handshake.
//! Law 2: each requirement has ticket keys of its own, which outlive a replacement. So a session is resumed only where
//! what it was made under is demanded, neither more nor less.
//! Law 3: rustls itself reads the hello, for the choice as for the handshake, so the two cannot see different names.

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::server::{Accepted, Acceptor, NoServerSessionStorage};

use super::certificates::{Certificate, Table};
use super::names::ByName;
use super::records::MAX_PAYLOAD_BYTES;
use super::rules::{Requirement, TlsRule};
use super::{ALPN_HTTP_1_1, ALPN_HTTP_2, PROVIDER};

/// Longest hello that we wait for to see its name; a longer one fails in its handshake.
const MAX_HELLO_BYTES: usize = 2 * MAX_PAYLOAD_BYTES;

/// What clients are met with, shared by all threads.
#[derive(Debug)]
pub struct ServerTls {
    current: RwLock<Arc<Served>>,
    /// Held by who replaces; handshakes go on meanwhile.
    templates: Mutex<Templates>,
}

/// For each requirement there ever was, at most 64 sets of suites and 3 ranges of versions, with HTTP/2 and without, its
/// ticket keys.
type Templates = HashMap<Requirement, Arc<ServerConfig>>;

#[derive(Debug)]
struct Served {
    rules: Vec<TlsRule>,
    by_name: ByName<Arc<ServerConfig>>,
    default: Arc<ServerConfig>,
}

impl ServerTls {
    /// The first certificate is for clients whose name fits none, or who name none; the first rule of a name counts.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>, rules: Vec<TlsRule>) -> Arc<Self> {
        let mut templates = Templates::new();
        let served = served(&mut templates, certificates, rules);
        Arc::new(Self {
            current: RwLock::new(Arc::new(served)),
            templates: Mutex::new(templates),
        })
    }

    /// Swaps certificates and rules together, for handshakes from now on.
    pub fn replace(&self, certificates: Vec<Certificate>, rules: Vec<TlsRule>) {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        self.put(served(&mut templates, certificates, rules));
    }

    /// Swaps the certificates only.
    pub fn replace_certificates(&self, certificates: Vec<Certificate>) {
        let mut templates = self.templates.lock().unwrap_or_else(PoisonError::into_inner);
        let rules = self.current().rules.clone();
        self.put(served(&mut templates, certificates, rules));
    }

    fn put(&self, served: Served) {
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *current, Arc::new(served));
        // What was served before may take a moment to be freed, for which no handshake should wait.
        drop(current);
        drop(before);
    }

    /// The configuration for clients that ask for this name.
    #[must_use]
    pub fn config_for(&self, name: Option<&str>) -> Arc<ServerConfig> {
        self.current().config_for(name)
    }

    /// A choice that waits for a client's hello.
    #[must_use]
    pub fn choose(&self) -> Choice {
        let served = self.current();
        Choice {
            hello: (!served.by_name.is_empty()).then(Box::default),
            served,
            seen: 0,
        }
    }

    fn current(&self) -> Arc<Served> {
        Arc::clone(&self.current.read().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Served {
    fn config_for(&self, name: Option<&str>) -> Arc<ServerConfig> {
        let found = name.and_then(|name| self.by_name.find(name));
        Arc::clone(found.unwrap_or(&self.default))
    }
}

/// The choice for one client, while its hello arrives.
pub struct Choice {
    served: Arc<Served>,
    /// None where nothing depends on it. Boxed, since every task of a connection would have room for it.
    hello: Option<Box<Acceptor>>,
    seen: usize,
}

impl Choice {
    /// The configuration for who has sent `all` so far; None where the hello is not complete. What is no hello gets
    /// whatever configuration, to be refused in its handshake.
    pub fn of(&mut self, all: &[u8]) -> Option<Arc<ServerConfig>> {
        let Some(hello) = &mut self.hello else {
            return Some(self.served.config_for(None));
        };
        let mut new = &all[self.seen..];
        self.seen = all.len();
        while !new.is_empty() {
            match read(hello, &mut new) {
                Ok(None) => {}
                Ok(Some(accepted)) => return Some(self.served.config_for(accepted.client_hello().server_name())),
                Err(_) => return Some(self.served.config_for(None)),
            }
        }
        (all.len() > MAX_HELLO_BYTES).then(|| self.served.config_for(None))
    }
}

fn read(hello: &mut Acceptor, new: &mut &[u8]) -> io::Result<Option<Accepted>> {
    if hello.read_tls(new)? == 0 {
        // It wants nothing more, after a close_notify for example.
        return Err(io::ErrorKind::InvalidData.into());
    }
    hello.accept().map_err(|(error, _)| io::Error::other(error))
}

fn served(templates: &mut Templates, certificates: Vec<Certificate>, rules: Vec<TlsRule>) -> Served {
    let table = Arc::new(Table::new(certificates));
    let mut configs: HashMap<Requirement, Arc<ServerConfig>> = HashMap::new();
    let mut config_of = |requirement: Requirement| {
        let config = configs.entry(requirement).or_insert_with(|| {
            let template = templates.entry(requirement).or_insert_with(|| template(requirement));
            let mut config = ServerConfig::clone(template);
            config.cert_resolver = Arc::clone(&table) as _;
            Arc::new(config)
        });
        Arc::clone(config)
    };
    let default = config_of(Requirement::default());
    let mut by_name = ByName::default();
    for rule in &rules {
        for name in &*rule.names {
            by_name.at(name, || config_of(rule.requirement));
        }
    }
    Served {
        rules,
        by_name,
        default,
    }
}

/// HTTP/2 where it is allowed and HTTP/1.1, the former preferred; stateless resumption, no certificate yet. The ticket keys (AES-256, rotated every 6 hours, RFC 5077 §4) are
/// shared by all that is made of it.
#[expect(
    clippy::expect_used,
    reason = "fails only for a provider that lacks suites for a version; a requirement leaves some for each"
)]
fn template(requirement: Requirement) -> Arc<ServerConfig> {
    let builder = if requirement == Requirement::default() {
        ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
    } else {
        ServerConfig::builder_with_provider(Arc::new(requirement.provider()))
    };
    let mut config = builder
        .with_protocol_versions(requirement.versions())
        .expect("the provider has suites for each version of a requirement")
        .with_no_client_auth()
        .with_cert_resolver(Arc::new(Table::default()));
    config.alpn_protocols = if requirement.has_http2() {
        vec![ALPN_HTTP_2.to_vec(), ALPN_HTTP_1_1.to_vec()]
    } else {
        vec![ALPN_HTTP_1_1.to_vec()]
    };
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Without random numbers there are no tickets; and no handshakes either, so that is not the place to report it.
    if let Ok(ticketer) = rustls::crypto::aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    // Each costs an encryption and 250 bytes; a client that opens several connections at once may use one twice.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

#[cfg(test)]
#[path = "server_tests.rs"]
mod tests;
