//! The certificates that we show to clients, and the choice among them.
//!
//! Law: a `Certificate` is proof that its chain can be read and that its key belongs to its leaf.

use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, pem};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{InconsistentKeys, SignatureScheme};

use super::PROVIDER;
use super::names::{ByName, parse_name};

/// A chain and its key, with the host names they are for.
#[derive(Clone, Debug)]
pub struct Certificate {
    names: Arc<[String]>,
    key: Arc<CertifiedKey>,
}

impl Certificate {
    /// Reads a chain (leaf first) and the key of its leaf (PKCS#8, PKCS#1 or SEC1), both PEM.
    ///
    /// `names` are host names, `*.example.com` for one label below `example.com` (RFC 6125 §6.4.3).
    pub fn parse(names: Vec<String>, chain_pem: &[u8], key_pem: &[u8]) -> Result<Self, CertificateFault> {
        let names = names
            .into_iter()
            .map(|name| parse_name(&name).ok_or(CertificateFault::Name(name)))
            .collect::<Result<Vec<_>, _>>()?;
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
            names: names.into(),
            key: Arc::new(certified),
        })
    }

    /// The host names, lower case.
    #[must_use]
    pub fn names(&self) -> &[String] {
        &self.names
    }
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

/// Certificates by the host names they are for.
#[derive(Default)]
pub(super) struct Table {
    by_name: ByName<Vec<Arc<CertifiedKey>>>,
    first: Option<Arc<CertifiedKey>>,
}

impl Table {
    /// The first certificate is for clients whose name fits none, or who name none.
    pub(super) fn new(certificates: Vec<Certificate>) -> Self {
        let mut table = Self {
            first: certificates.first().map(|first| Arc::clone(&first.key)),
            ..Self::default()
        };
        for Certificate { names, key } in certificates {
            for name in &*names {
                table.by_name.at(name, Vec::new).push(Arc::clone(&key));
            }
        }
        table
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let Some(keys) = name.and_then(|name| self.by_name.find(name)) else {
            return self.first.clone();
        };
        // A name may have an ECDSA and an RSA certificate; the client says what it can verify.
        keys.iter()
            .find(|key| key.key.choose_scheme(schemes).is_some())
            .or_else(|| keys.first())
            .cloned()
    }
}

impl fmt::Debug for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Table").finish_non_exhaustive()
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

impl ResolvesServerCert for Table {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        ASKED_NAME.set(hello.server_name().map(|name| name.to_ascii_lowercase().into()));
        self.choose(hello.server_name(), hello.signature_schemes())
    }
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
