//! How we meet origins: whom we believe, and what we ask for.
//!
//! Law 1: `Verify` decides about the certificate only. The peer must prove that it has the key of the certificate it
//! shows, whoever that is; so a session is always encrypted to somebody, and resumption means the same somebody.

use std::collections::HashMap;
use std::sync::{Arc, LazyLock, Mutex, PoisonError, Weak};

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{Resumption, WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{ClientConfig, ConfigBuilder, DigitallySignedStruct, RootCertStore, SignatureScheme, WantsVerifier};

use super::certificates::{CertificateFault, read_chain};
use super::{ALPN_HTTP_1_1, PROVIDER};

/// Origins whose sessions we can resume: one name, with its version's tickets, each. Precedent: rustls keeps 256.
const MAX_RESUMABLE_ORIGINS: usize = 256;

/// Whether an origin's certificate is checked, and against what.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Verify {
    /// Chain, dates and name, against the trust store of the system.
    System,
    /// Chain, dates and name, against these certificates (PEM).
    Ca(Vec<u8>),
    /// Not at all.
    Nothing,
}

/// A name that TLS can ask for and verify. The error is what was expected.
pub fn server_name(name: &str) -> Result<ServerName<'static>, String> {
    ServerName::try_from(name.to_owned())
        .map_err(|_| format!("server_name: expected a DNS name or an IP address, got {name:?}"))
}

/// The configurations that are in use somewhere in this process.
static SHARED: LazyLock<Mutex<HashMap<Verify, Weak<ClientConfig>>>> = LazyLock::new(Mutex::default);

/// The one configuration for all origins that are verified so: read once, and gone with the last of them.
pub fn shared_client_config(verify: Verify) -> Result<Arc<ClientConfig>, CertificateFault> {
    let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(config) = shared.get(&verify).and_then(Weak::upgrade) {
        return Ok(config);
    }
    let config = client_config(verify.clone())?;
    shared.retain(|_, config| config.strong_count() > 0);
    shared.insert(verify, Arc::downgrade(&config));
    Ok(config)
}

/// A configuration for origins to be verified so; ALPN `http/1.1`, sessions resumed from memory.
///
/// To be shared ([`shared_client_config`]): reading the system's store takes milliseconds, and the sessions are kept here.
pub fn client_config(verify: Verify) -> Result<Arc<ClientConfig>, CertificateFault> {
    let verifier = verifier(verify)?;
    let mut config = builder()
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![ALPN_HTTP_1_1.to_vec()];
    config.resumption = Resumption::in_memory_sessions(MAX_RESUMABLE_ORIGINS);
    Ok(Arc::new(config))
}

#[expect(
    clippy::expect_used,
    reason = "fails only for a provider that lacks suites for a version; ours has both"
)]
fn builder() -> ConfigBuilder<ClientConfig, WantsVerifier> {
    ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
        .with_safe_default_protocol_versions()
        .expect("the provider has suites for TLS 1.2 and 1.3")
}

fn verifier(verify: Verify) -> Result<Arc<dyn ServerCertVerifier>, CertificateFault> {
    let roots = match &verify {
        Verify::System => system_roots()?,
        Verify::Ca(pem) => given_roots(pem)?,
        Verify::Nothing => {
            return Ok(Arc::new(AnyCertificate {
                algorithms: PROVIDER.signature_verification_algorithms,
            }));
        }
    };
    let pinned = match verify {
        Verify::Ca(pem) => read_chain(&pem)?,
        Verify::System | Verify::Nothing => Vec::new(),
    };
    let chains = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&PROVIDER))
        .build()
        .map_err(|error| CertificateFault::Roots(error.to_string()))?;
    Ok(Arc::new(ChainsOrPinned { chains, pinned }))
}

fn system_roots() -> Result<RootCertStore, CertificateFault> {
    let found = rustls_native_certs::load_native_certs();
    let mut roots = RootCertStore::empty();
    // A system's store may contain what we cannot parse; it is not the origin's fault, nor the operator's.
    let (usable, _ignored) = roots.add_parsable_certificates(found.certs);
    if usable == 0 {
        let reason = found
            .errors
            .first()
            .map_or_else(|| "it is empty".to_owned(), ToString::to_string);
        return Err(CertificateFault::NoSystemStore(reason));
    }
    Ok(roots)
}

fn given_roots(pem: &[u8]) -> Result<RootCertStore, CertificateFault> {
    let mut roots = RootCertStore::empty();
    for certificate in read_chain(pem)? {
        roots.add(certificate).map_err(CertificateFault::Root)?;
    }
    Ok(roots)
}

/// Believes chains to the roots, and the given certificates themselves where an origin shows one as its own.
///
/// `openssl req -x509` marks what it makes as an authority, which webpki does not take for a server's certificate, even
/// where the operator has given that very certificate. webpki looks at the dates before it looks at the mark, so what
/// remains to be checked is the name; a test holds both.
#[derive(Debug)]
struct ChainsOrPinned {
    chains: Arc<WebPkiServerVerifier>,
    pinned: Vec<CertificateDer<'static>>,
}

impl ServerCertVerifier for ChainsOrPinned {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let verdict = self
            .chains
            .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now);
        match verdict {
            Err(rustls::Error::InvalidCertificate(fault))
                if is_authority_as_server(&fault) && self.pinned.iter().any(|pinned| pinned == end_entity) =>
            {
                verify_server_name(&ParsedCertificate::try_from(end_entity)?, server_name)?;
                Ok(ServerCertVerified::assertion())
            }
            verdict => verdict,
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.chains.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.chains.supported_verify_schemes()
    }
}

fn is_authority_as_server(fault: &rustls::CertificateError) -> bool {
    // rustls wraps what it has no name for; the type inside is webpki's, under the name it is printed by.
    matches!(fault, rustls::CertificateError::Other(other) if format!("{:?}", other.0) == "CaUsedAsEndEntity")
}

/// Believes every certificate, and that its owner is who signs the handshake.
#[derive(Debug)]
struct AnyCertificate {
    algorithms: WebPkiSupportedAlgorithms,
}

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

#[cfg(test)]
#[path = "to_origin_tests.rs"]
mod tests;
