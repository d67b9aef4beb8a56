//! The certificates that we show to clients, and the choice among them.
//!
//! Law 1: a `Certificate` is proof that its chain can be read and that its key belongs to its leaf.
//! Law 2: the store is replaced as a whole. A handshake sees the old certificates or the new ones, never a mix, and
//! established sessions do not notice.

use std::cell::Cell;
use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ConfigBuilder, InconsistentKeys, ServerConfig, SignatureScheme, WantsVerifier};

use super::{ALPN_HTTP_1_1, PROVIDER};

/// A chain and its key, with the host names they are for.
#[derive(Clone, Debug)]
pub struct Certificate {
    names: Vec<String>,
    key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads a chain (leaf first) and the key of its leaf (PKCS#8, PKCS#1 or SEC1), both PEM.
    ///
    /// `names` are host names, `*.example.com` for one label below `example.com` (RFC 6125 §6.4.3).
    pub fn parse(names: Vec<String>, chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, CertificateFault> {
        let names = names.into_iter().map(parse_name).collect::<Result<_, _>>()?;
        let chain = read_chain(chain_pem)?;
        let key = PrivateKeyDer::from_pem_slice(key_pem).map_err(|error| key_fault(&error, key_pem))?;
        let key = PROVIDER
            .key_provider
            .load_private_key(key)
            .map_err(CertificateFault::Key)?;
        let certified = CertifiedKey::new(chain, key);
        match certified.keys_match() {
            // Unknown: this kind of key does not tell its public half. None of the provider's is so today.
            Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
            Err(rustls::Error::InconsistentKeys(_)) => return Err(CertificateFault::KeyMismatch),
            Err(error) => return Err(CertificateFault::Leaf(error)),
        }
        Ok(Self {
            names,
            key: Arc::new(certified),
        })
    }

    /// The host names, lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
}

fn parse_name(name: String) -> Result<String, CertificateFault> {
    let lower = name.trim_end_matches('.').to_ascii_lowercase();
    let host = lower.strip_prefix("*.").unwrap_or(&lower);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
    };
    if host.len() > 253 || !host.split('.').all(is_label) {
        return Err(CertificateFault::Name(name));
    }
    Ok(lower)
}

pub(super) fn read_chain(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, CertificateFault> {
    let chain = CertificateDer::pem_slice_iter(pem)
        .collect::<Result<Vec<_>, _>>()
        .map_err(CertificateFault::ChainPem)?;
    if chain.is_empty() {
        return Err(CertificateFault::ChainPem(pem::Error::NoItemsFound));
    }
    Ok(chain)
}

fn key_fault(error: &pem::Error, key_pem: &[u8]) -> CertificateFault {
    // RFC 7468 §11 and the older "Proc-Type" header of PKCS#1 files.
    let is_encrypted = [&b"ENCRYPTED PRIVATE KEY"[..], b"Proc-Type: 4,ENCRYPTED"]
        .iter()
        .any(|mark| memchr::memmem::find(key_pem, mark).is_some());
    if is_encrypted {
        CertificateFault::KeyEncrypted
    } else {
        CertificateFault::KeyPem(format!("{error:?}"))
    }
}

/// The certificates in use, shared by all threads.
pub struct CertificateStore {
    table: RwLock<Arc<Table>>,
}

#[derive(Default)]
struct Table {
    exact: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    /// By what follows the `*.`.
    wildcard: HashMap<Box<str>, Vec<Arc<CertifiedKey>>>,
    first: Option<Arc<CertifiedKey>>,
}

impl CertificateStore {
    /// A store of these; the first is for clients whose name fits none, or who name none.
    #[must_use]
    pub fn new(certificates: Vec<Certificate>) -> Arc<Self> {
        Arc::new(Self {
            table: RwLock::new(Arc::new(Table::new(certificates))),
        })
    }

    /// Swaps all certificates, for handshakes from now on.
    pub fn replace(&self, certificates: Vec<Certificate>) {
        let table = Arc::new(Table::new(certificates));
        *self.table.write().unwrap_or_else(PoisonError::into_inner) = table;
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let table = Arc::clone(&self.table.read().unwrap_or_else(PoisonError::into_inner));
        table.choose(name, schemes)
    }
}

impl Table {
    fn new(certificates: Vec<Certificate>) -> Self {
        let mut table = Self {
            first: certificates.first().map(|first| Arc::clone(&first.key)),
            ..Self::default()
        };
        for Certificate { names, key } in certificates {
            for name in names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut table.wildcard, parent),
                    None => (&mut table.exact, name.as_str()),
                };
                map.entry(name.into()).or_default().push(Arc::clone(&key));
            }
        }
        table
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let name = name.map(str::to_ascii_lowercase);
        let keys = name.as_deref().and_then(|name| {
            self.exact
                .get(name)
                .or_else(|| self.wildcard.get(name.split_once('.')?.1))
        });
        let Some(keys) = keys else { return self.first.clone() };
        // A name may have an ECDSA and an RSA certificate; the client says what it can verify.
        keys.iter()
            .find(|key| key.key.choose_scheme(schemes).is_some())
            .or_else(|| keys.first())
            .cloned()
    }
}

impl fmt::Debug for CertificateStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CertificateStore").finish_non_exhaustive()
    }
}

thread_local! {
    /// The name in the hello that this thread is just handling: rustls 0.23 tells it to the resolver and, of its
    /// connections, only to the buffered one. Goes when `UnbufferedServerConnection` has a `server_name`.
    static ASKED_NAME: Cell<Option<Box<str>>> = const { Cell::new(None) };
}

/// The name that the last hello on this thread asked for, once.
pub(super) fn take_asked_name() -> Option<Box<str>> {
    ASKED_NAME.take()
}

impl ResolvesServerCert for CertificateStore {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED_NAME.set(hello.server_name().map(|name| name.to_ascii_lowercase().into()));
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}

/// How we meet clients: TLS 1.2 and 1.3, HTTP/1.1, stateless resumption.
///
/// Make it once: its ticket keys (AES-256, rotated every 6 hours, RFC 5077 §4) then serve all threads.
#[must_use]
pub fn server_config(store: Arc<CertificateStore>) -> Arc<ServerConfig> {
    let mut config = builder().with_no_client_auth().with_cert_resolver(store);
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    config.session_storage = Arc::new(NoServerSessionStorage {});
    // Without random numbers there are no tickets; and no handshakes either, so that is not the place to report it.
    if let Ok(ticketer) = rustls::crypto::aws_lc_rs::Ticketer::new() {
        config.ticketer = ticketer;
    }
    // Each costs an encryption and 250 bytes; a client that opens several connections at once may use one twice.
    config.send_tls13_tickets = 1;
    Arc::new(config)
}

#[expect(
    clippy::expect_used,
    reason = "fails only for a provider that lacks suites for a version; ours has both"
)]
fn builder() -> ConfigBuilder<ServerConfig, WantsVerifier> {
    ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

/// Why a certificate or trust store cannot be used.
#[derive(Debug)]
pub enum CertificateFault {
    /// Not a host name, or `*.` in another place than the first.
    Name(String),
    /// The certificate file has no readable certificate.
    ChainPem(pem::Error),
    /// The leaf cannot be parsed.
    Leaf(rustls::Error),
    /// The key file has no readable key.
    KeyPem(String),
    /// The key file is protected by a passphrase.
    KeyEncrypted,
    /// The key is of an unsupported kind or damaged.
    Key(rustls::Error),
    /// The key belongs to another certificate.
    KeyMismatch,
    /// A certificate of a trust store cannot be parsed.
    Root(rustls::Error),
    /// The trust store cannot be used.
    Roots(String),
    /// The system has no trust store that can be read.
    NoSystemStore(String),
}

impl fmt::Display for CertificateFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(f, "{name:?} is not a host name or a wildcard of one."),
            Self::ChainPem(pem::Error::NoItemsFound) => f.write_str("The file has no certificate in PEM form."),
            Self::ChainPem(error) => write!(f, "The certificate is not readable as PEM: {error}."),
            Self::Leaf(error) => write!(f, "The certificate cannot be used: {error}."),
            Self::KeyPem(error) => write!(f, "The file has no private key in PEM form ({error})."),
            Self::KeyEncrypted => f.write_str("The private key is protected by a passphrase; remove it first."),
            Self::Key(error) => write!(f, "The private key cannot be used: {error}."),
            Self::KeyMismatch => f.write_str("The private key does not belong to the certificate."),
            Self::Root(error) => write!(f, "A certificate of the trust store cannot be used: {error}."),
            Self::Roots(error) => write!(f, "The trust store cannot be used: {error}."),
            Self::NoSystemStore(error) => write!(f, "The system's trusted certificates cannot be read: {error}."),
        }
    }
}

impl std::error::Error for CertificateFault {}

#[cfg(test)]
#[path = "certificates_tests.rs"]
mod tests;
