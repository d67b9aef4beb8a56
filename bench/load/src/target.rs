//! Where the load goes: a `ws://` or `wss://` URL, its address, and how its TLS is spoken.

use std::io;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;

use holdfast_wire::transport::Transport;
use mio::net::TcpStream;
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, SignatureScheme};

/// A parsed and resolved URL.
#[derive(Debug)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) authority: String,
    pub(crate) path: String,
    tls: Option<(Arc<ClientConfig>, ServerName<'static>)>,
}

impl Target {
    /// Read `url`. The error is a sentence.
    pub(crate) fn parse(url: &str, resume: bool) -> Result<Self, String> {
        let (scheme, rest) = url
            .split_once("://")
            .ok_or_else(|| format!("{url} is not a ws:// or wss:// URL"))?;
        let secure = match scheme {
            "ws" => false,
            "wss" => true,
            _ => return Err(format!("{url} has scheme {scheme}; ws and wss are understood")),
        };
        let (authority, path) = rest.find('/').map_or((rest, "/"), |at| rest.split_at(at));
        let (host, port) = split_authority(authority, if secure { 443 } else { 80 })
            .ok_or_else(|| format!("{url} has no host, or a port that is no number from 1 to 65535"))?;
        let address = (host, port)
            .to_socket_addrs()
            .map_err(|error| format!("{host} has no address: {error}"))?
            .next()
            .ok_or_else(|| format!("{host} has no address"))?;
        let tls = if secure {
            let name = ServerName::try_from(host.to_owned()).map_err(|_| format!("{host} is no TLS server name"))?;
            Some((Arc::new(config(resume)?), name))
        } else {
            None
        };
        Ok(Self {
            address,
            authority: authority.to_owned(),
            path: path.to_owned(),
            tls,
        })
    }

    /// Whether sources other than 127.0.0.1 can reach it without being configured (all of 127.0.0.0/8 is loopback).
    pub(crate) fn is_ipv4_loopback(&self) -> bool {
        matches!(self.address.ip(), IpAddr::V4(ip) if ip.is_loopback())
    }

    /// The transport over a socket to it.
    pub(crate) fn transport(&self, socket: TcpStream) -> io::Result<Transport> {
        Ok(match &self.tls {
            None => Transport::Plain(socket),
            Some((config, name)) => {
                let tls = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
                Transport::Tls(socket, Box::new(tls.into()))
            }
        })
    }
}

fn split_authority(authority: &str, default_port: u16) -> Option<(&str, u16)> {
    let (host, port) = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port.parse().ok().filter(|port| *port != 0)?),
        _ => (authority, default_port),
    };
    let host = host
        .strip_prefix('[')
        .and_then(|host| host.strip_suffix(']'))
        .unwrap_or(host);
    (!host.is_empty()).then_some((host, port))
}

/// One suite and one group, which every server here knows, so that all are given the same work.
fn config(resume: bool) -> Result<ClientConfig, String> {
    let provider = Arc::new(CryptoProvider {
        cipher_suites: vec![aws_lc_rs::cipher_suite::TLS13_AES_128_GCM_SHA256],
        kx_groups: vec![aws_lc_rs::kx_group::X25519],
        ..aws_lc_rs::default_provider()
    });
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(|error| error.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Trusting(provider)))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if !resume {
        config.resumption = Resumption::disabled();
    }
    Ok(config)
}

/// Takes any certificate, but checks that the server has its key: the handshake costs the server what it should.
#[derive(Debug)]
struct Trusting(Arc<CryptoProvider>);

impl ServerCertVerifier for Trusting {
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
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        rustls::crypto::verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_are_taken_apart() {
        let cases = [
            ("ws://127.0.0.1:9000", "127.0.0.1:9000", "/", "127.0.0.1:9000"),
            ("ws://127.0.0.1/a/b?c=d", "127.0.0.1:80", "/a/b?c=d", "127.0.0.1"),
            ("wss://127.0.0.1", "127.0.0.1:443", "/", "127.0.0.1"),
            ("wss://[::1]:8443/x", "[::1]:8443", "/x", "[::1]:8443"),
            ("ws://[::1]", "[::1]:80", "/", "[::1]"),
        ];
        for (url, address, path, authority) in cases {
            let target = Target::parse(url, false).unwrap();
            assert_eq!(target.address, address.parse().unwrap(), "{url}");
            assert_eq!(
                (target.path.as_str(), target.authority.as_str()),
                (path, authority),
                "{url}"
            );
        }
    }

    #[test]
    fn what_is_no_websocket_url_is_refused_with_a_sentence() {
        for url in [
            "localhost:80",
            "http://localhost",
            "ws://",
            "ws://:80",
            "ws://127.0.0.1:0",
            "ws://127.0.0.1:x",
        ] {
            let error = Target::parse(url, false).unwrap_err();
            assert!(error.contains(url), "{url}: {error}");
        }
    }
}
