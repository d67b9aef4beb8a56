//! What the tests of `tls` share: a small certificate authority, and rustls's ordinary buffered connection as the peer.

use std::io::{Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Connection, RootCertStore, ServerConfig, ServerConnection};
use rustls::{SupportedProtocolVersion, version};

use super::certificates::read_chain;
use super::{Certificate, PROVIDER, ServerTls, TlsFault, TlsSession};

pub(crate) const BOTH_VERSIONS: [&SupportedProtocolVersion; 2] = [&version::TLS12, &version::TLS13];

pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// A leaf and its key, PEM.
pub(crate) struct Issued {
    pub(crate) chain_pem: String,
    pub(crate) key_pem: String,
}

impl Authority {
    pub(crate) fn new() -> Self {
        // Two of one name would be taken for one that signs badly.
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params
            .distinguished_name
            .push(DnType::CommonName, format!("Authority {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self {
            issuer: CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap(),
        }
    }

    pub(crate) fn pem(&self) -> String {
        self.issuer.pem()
    }

    pub(crate) fn issue(&self, names: &[&str]) -> Issued {
        self.issue_as(names, |_| ())
    }

    pub(crate) fn issue_as(&self, names: &[&str], change: impl FnOnce(&mut CertificateParams)) -> Issued {
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let leaf = params.signed_by(&key, &self.issuer).unwrap();
        Issued {
            chain_pem: leaf.pem() + &self.pem(),
            key_pem: key.serialize_pem(),
        }
    }

    pub(crate) fn certificate(&self, names: &[&str]) -> Certificate {
        let issued = self.issue(names);
        issued.certificate(names)
    }

    /// Our own configuration, with one certificate.
    pub(crate) fn server_config(&self, names: &[&str]) -> Arc<ServerConfig> {
        ServerTls::new(vec![self.certificate(names)], Vec::new()).config_for(None)
    }

    /// A client that is not ours, for one version, with its secrets open to tests.
    pub(crate) fn client_config(&self, version: &'static SupportedProtocolVersion) -> ClientConfig {
        let mut roots = RootCertStore::empty();
        for root in read_chain(self.pem().as_bytes()).unwrap() {
            roots.add(root).unwrap();
        }
        let mut config = ClientConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.enable_secret_extraction = true;
        config
    }
}

impl Issued {
    pub(crate) fn certificate(&self, names: &[&str]) -> Certificate {
        let names = names.iter().map(|&name| name.to_owned()).collect();
        Certificate::parse(names, self.chain_pem.as_bytes(), self.key_pem.as_bytes()).unwrap()
    }

    /// A server that is not ours, for one version.
    pub(crate) fn foreign_server(&self, version: &'static SupportedProtocolVersion) -> Arc<ServerConfig> {
        let key = rustls::pki_types::pem::PemObject::from_pem_slice(self.key_pem.as_bytes()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(read_chain(self.chain_pem.as_bytes()).unwrap(), key)
            .unwrap();
        Arc::new(config)
    }
}

pub(crate) fn name(host: &'static str) -> ServerName<'static> {
    ServerName::try_from(host).unwrap()
}

/// The other end: rustls's buffered connection.
pub(crate) struct Peer {
    pub(crate) connection: Connection,
    pub(crate) plaintext: Vec<u8>,
    pub(crate) fault: Option<rustls::Error>,
    pub(crate) saw_close: bool,
}

impl Peer {
    pub(crate) fn client(config: impl Into<Arc<ClientConfig>>, host: &'static str) -> Self {
        Self::new(ClientConnection::new(config.into(), name(host)).unwrap().into())
    }

    pub(crate) fn server(config: Arc<ServerConfig>) -> Self {
        Self::new(ServerConnection::new(config).unwrap().into())
    }

    fn new(mut connection: Connection) -> Self {
        connection.set_buffer_limit(None);
        Self {
            connection,
            plaintext: Vec::new(),
            fault: None,
            saw_close: false,
        }
    }

    /// Takes ciphertext; keeps plaintext, fault and close.
    pub(crate) fn take(&mut self, mut wire: &[u8]) {
        while !wire.is_empty() && self.fault.is_none() && !self.saw_close {
            self.connection.read_tls(&mut wire).unwrap();
            match self.connection.process_new_packets() {
                Ok(state) => {
                    let mut piece = vec![0; state.plaintext_bytes_to_read()];
                    self.connection.reader().read_exact(&mut piece).unwrap();
                    self.plaintext.append(&mut piece);
                    self.saw_close |= state.peer_has_closed();
                }
                Err(error) => self.fault = Some(error),
            }
        }
    }

    /// What it wants to send.
    pub(crate) fn output(&mut self) -> Vec<u8> {
        let mut wire = Vec::new();
        while self.connection.wants_write() {
            self.connection.write_tls(&mut wire).unwrap();
        }
        wire
    }

    /// The records of `data`, one for each 16 KiB.
    pub(crate) fn say(&mut self, data: &[u8]) -> Vec<u8> {
        self.connection.writer().write_all(data).unwrap();
        self.output()
    }
}

/// Feeds `wire` in pieces of `chop` bytes; returns what the session says.
pub(crate) fn feed(
    session: &mut TlsSession,
    wire: &mut [u8],
    chop: usize,
    plaintext: &mut Vec<u8>,
) -> Result<Vec<u8>, (TlsFault, Vec<u8>)> {
    let mut to_peer = Vec::new();
    for piece in wire.chunks_mut(chop) {
        if let Err(fault) = session.receive(piece, plaintext, &mut to_peer) {
            return Err((fault, to_peer));
        }
    }
    Ok(to_peer)
}

/// Lets both talk until neither has anything to say, or the session fails.
pub(crate) fn talk(session: &mut TlsSession, peer: &mut Peer, chop: usize) -> Result<Vec<u8>, TlsFault> {
    let mut plaintext = Vec::new();
    loop {
        let mut wire = peer.output();
        if wire.is_empty() {
            return Ok(plaintext);
        }
        match feed(session, &mut wire, chop, &mut plaintext) {
            Ok(to_peer) => peer.take(&to_peer),
            Err((fault, to_peer)) => {
                peer.take(&to_peer);
                return Err(fault);
            }
        }
    }
}

/// Our server's session, established with a buffered client of that version.
pub(crate) fn established_server(version: &'static SupportedProtocolVersion) -> (TlsSession, Peer) {
    let authority = Authority::new();
    let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
    let mut peer = Peer::client(authority.client_config(version), "example.com");
    talk(&mut session, &mut peer, usize::MAX).unwrap();
    assert!(!session.is_handshaking() && !peer.connection.is_handshaking());
    (session, peer)
}

/// Our client's session, established with a buffered server of that version.
pub(crate) fn established_client(version: &'static SupportedProtocolVersion) -> (TlsSession, Peer) {
    let authority = Authority::new();
    let config = authority.client_config(version);
    let mut peer = Peer::server(authority.issue(&["example.com"]).foreign_server(version));
    let session = started_client(config, &mut peer, usize::MAX).unwrap();
    assert!(!session.is_handshaking() && !peer.connection.is_handshaking());
    (session, peer)
}

/// Our client's session with `example.com`, as far as it gets.
pub(crate) fn started_client(
    config: impl Into<Arc<ClientConfig>>,
    peer: &mut Peer,
    chop: usize,
) -> Result<TlsSession, TlsFault> {
    let mut session = TlsSession::client(config.into(), name("example.com"))?;
    let mut first = Vec::new();
    session.start(&mut first)?;
    peer.take(&first);
    talk(&mut session, peer, chop)?;
    Ok(session)
}
