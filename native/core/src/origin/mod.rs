//! Origins: where they are, how they are dialled, and connections to them that wait for their next request.

mod dial;
mod names;
mod pending;
mod pool;
mod resolver;

#[cfg(test)]
mod dns_server;
#[cfg(test)]
mod testing;

use std::net::IpAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;
use std::time::Duration;

use rustls_pki_types::ServerName;

pub(crate) use dial::{OriginConnection, dial};
pub(crate) use names::Names;
pub(crate) use pending::Pending;
pub(crate) use pool::Pool;
pub use resolver::parse_name_server;

use crate::tls::{self, Verify, shared_client_config};

/// Where an origin listens.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Address {
    /// A name or an address, and a port.
    Host(String, u16),
    /// Addresses that are the same to us, at least one, and their port.
    Addresses(Box<[IpAddr]>, u16),
    /// A Unix socket.
    Unix(PathBuf),
}

/// How an origin is dialled over TLS.
#[derive(Clone, Debug)]
pub(crate) struct OriginTls {
    pub(crate) config: Arc<rustls::ClientConfig>,
    /// None: the address that was dialled.
    pub(crate) name: Option<ServerName<'static>>,
}

/// An origin, checked. Immutable and shared by every request that goes to it.
#[derive(Debug)]
pub struct Origin {
    pub(crate) label: Arc<str>,
    pub(crate) address: Address,
    pub(crate) base_path: String,
    pub(crate) tls: Option<OriginTls>,
    pub(crate) connect_timeout: Duration,
    pub(crate) answer_timeout: Duration,
    /// Which of several addresses is dialled first.
    pub(crate) turn: AtomicU32,
}

/// What an [`Origin`] is made of.
#[derive(Debug)]
pub struct OriginOptions {
    /// How records and errors name it.
    pub label: String,
    /// Where it listens.
    pub address: Address,
    /// Empty, or a path without a slash at its end.
    pub base_path: String,
    /// None: plain HTTP. Else whom to believe.
    pub tls: Option<Verify>,
    /// The name to ask for and to verify; "": the host, or the address dialled.
    pub server_name: String,
    /// How long a connection may take to come about.
    pub connect_timeout: Duration,
    /// How long it may stay silent where an answer is due.
    pub answer_timeout: Duration,
}

impl Origin {
    /// Checks the options. The error is a sentence that names the option.
    pub fn new(options: OriginOptions) -> Result<Self, String> {
        let OriginOptions {
            label,
            address,
            base_path,
            tls,
            server_name,
            connect_timeout,
            answer_timeout,
        } = options;
        if !base_path.is_empty() && (!base_path.starts_with('/') || base_path.ends_with('/')) {
            return Err(format!(
                "base_path: expected \"\" or a path like \"/app\", got {base_path:?}"
            ));
        }
        if !base_path
            .bytes()
            .all(|byte| byte.is_ascii_graphic() && !b"?#".contains(&byte))
        {
            return Err(format!(
                "base_path: expected printable ASCII without ? and #, got {base_path:?}"
            ));
        }
        if matches!(&address, Address::Addresses(ips, _) if ips.is_empty()) {
            return Err("addresses: expected at least one".to_owned());
        }
        let named = match &*server_name {
            "" => None,
            name => Some(tls::server_name(name)?),
        };
        let tls = match (tls, &address) {
            (None, _) => None,
            (Some(_), Address::Unix(_)) => return Err("scheme: TLS over a Unix socket is not supported".to_owned()),
            (Some(verify), address) => Some(OriginTls {
                config: shared_client_config(verify).map_err(|fault| format!("ca_pem: {fault}"))?,
                name: match (named, address) {
                    (None, Address::Host(host, _)) => Some(
                        ServerName::try_from(host.trim_matches(['[', ']']).to_owned())
                            .map_err(|_| format!("host: expected a DNS name or an IP address, got {host:?}"))?,
                    ),
                    (named, _) => named,
                },
            }),
        };
        Ok(Self {
            label: label.into(),
            address,
            base_path,
            tls,
            connect_timeout,
            answer_timeout,
            turn: AtomicU32::new(0),
        })
    }

    /// How records and errors name it.
    #[must_use]
    pub fn label(&self) -> &str {
        &self.label
    }
}
