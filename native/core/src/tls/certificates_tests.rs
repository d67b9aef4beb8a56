//! Reading certificates, and choosing among them.

use std::thread;

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519};
use rustls::pki_types::pem::SectionKind;

use super::super::testing::{Authority, BOTH_VERSIONS, Peer, talk};
use super::super::{ServerTls, TlsSession};
use super::*;

fn parse(names: &[&str], chain: &str, key: &str) -> Result<Certificate, CertificateFault> {
    let names = names.iter().map(|&name| name.to_owned()).collect();
    Certificate::parse(names, chain.as_bytes(), key.as_bytes())
}

#[test]
fn keys_of_each_kind_are_read() {
    for kind in [&PKCS_ECDSA_P256_SHA256, &PKCS_ECDSA_P384_SHA384, &PKCS_ED25519] {
        let key = KeyPair::generate_for(kind).unwrap();
        let params = rcgen::CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
        let leaf = params.self_signed(&key).unwrap();
        parse(&["example.com"], &leaf.pem(), &key.serialize_pem()).unwrap();
    }
}

#[test]
fn names_are_lower_case_and_checked() {
    let issued = Authority::new().issue(&["example.com"]);
    let certificate = parse(
        &["Example.COM", "*.Example.com", "a_b.example."],
        &issued.chain_pem,
        &issued.key_pem,
    );
    assert_eq!(
        certificate.unwrap().names(),
        ["example.com", "*.example.com", "a_b.example"]
    );
    for name in [
        "",
        ".",
        "*",
        "*.",
        "a.*.example.com",
        "a..b",
        "exa mple.com",
        "a/b",
        &"a".repeat(64),
        "**.a",
    ] {
        let fault = parse(&[name], &issued.chain_pem, &issued.key_pem).unwrap_err();
        assert!(matches!(fault, CertificateFault::Name(_)), "{name:?}: {fault}");
    }
}

#[test]
fn what_cannot_be_used_is_refused_with_its_reason() {
    let authority = Authority::new();
    let ours = authority.issue(&["example.com"]);
    let other = authority.issue(&["example.com"]);
    let broken = ours.chain_pem.replace("-----END", "####");
    let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    let encrypted = "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n";
    let damaged_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    for (chain, key, expected) in [
        ("", ours.key_pem.as_str(), "The file has no certificate in PEM form."),
        (&ours.key_pem, &ours.key_pem, "The file has no certificate in PEM form."),
        (&broken, &ours.key_pem, "The certificate is not readable as PEM: "),
        (not_x509, &ours.key_pem, "The certificate cannot be used: "),
        (&ours.chain_pem, "", "The file has no private key in PEM form"),
        (
            &ours.chain_pem,
            &ours.chain_pem,
            "The file has no private key in PEM form",
        ),
        (
            &ours.chain_pem,
            encrypted,
            "The private key is protected by a passphrase; remove it first.",
        ),
        (&ours.chain_pem, damaged_key, "The private key cannot be used: "),
        (
            &ours.chain_pem,
            &other.key_pem,
            "The private key does not belong to the certificate.",
        ),
    ] {
        let fault = parse(&["example.com"], chain, key).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn keys_in_the_older_forms_are_read() {
    // The same P-256 key as PKCS#8 and SEC1, from one DER: SEC1 is the OCTET STRING inside PKCS#8 (RFC 5958 §2).
    let issued = Authority::new().issue(&["example.com"]);
    let (kind, pkcs8) = <(SectionKind, Vec<u8>)>::from_pem_slice(issued.key_pem.as_bytes()).unwrap();
    assert_eq!(kind, SectionKind::PrivateKey);
    let start = pkcs8.windows(2).position(|pair| pair == [0x04, 0x6d]).unwrap() + 2;
    let sec1 = encode_pem("EC PRIVATE KEY", &pkcs8[start..start + 0x6d]);
    parse(&["example.com"], &issued.chain_pem, &sec1).unwrap();
}

fn encode_pem(label: &str, der: &[u8]) -> String {
    use std::fmt::Write;
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut pem = format!("-----BEGIN {label}-----\n");
    for group in der.chunks(3) {
        let bits = group
            .iter()
            .chain([&0; 2])
            .take(3)
            .fold(0_u32, |bits, &byte| bits << 8 | u32::from(byte));
        for place in 0..4 {
            let letter = ALPHABET[(bits >> (18 - 6 * place) & 63) as usize];
            pem.push(if place <= group.len() { char::from(letter) } else { '=' });
        }
    }
    let _ = write!(pem, "\n-----END {label}-----\n");
    pem
}

/// The leaf that a client sees which asks for `host`; the client trusts the authority and checks the name.
fn leaf_for(authority: &Authority, tls: &ServerTls, host: &'static str) -> Vec<u8> {
    let mut session = TlsSession::server(tls.config_for(Some(host))).unwrap();
    let mut peer = Peer::client(authority.client_config(BOTH_VERSIONS[1]), host);
    let outcome = talk(&mut session, &mut peer, usize::MAX);
    assert_eq!(outcome.is_ok(), peer.fault.is_none());
    peer.connection
        .peer_certificates()
        .map_or_else(Vec::new, |chain| chain[0].to_vec())
}

fn leaf_of(certificate: &Certificate) -> Vec<u8> {
    certificate.key.cert[0].to_vec()
}

#[test]
fn the_exact_name_comes_before_the_wildcard_and_the_first_serves_the_rest() {
    let authority = Authority::new();
    let first = authority.certificate(&["first.test", "other.test", "a.b.example.com", "example.com"]);
    let first = Certificate {
        names: ["first.test".to_owned()].into(),
        ..first
    };
    let wildcard = authority.certificate(&["*.example.com"]);
    let exact = authority.certificate(&["exact.example.com"]);
    let tls = ServerTls::new(vec![first.clone(), wildcard.clone(), exact.clone()], Vec::new());
    for (host, expected) in [
        ("first.test", &first),
        ("exact.example.com", &exact),
        ("EXACT.example.COM", &exact),
        ("www.example.com", &wildcard),
        // RFC 6125 §6.4.3: a wildcard stands for one label.
        ("a.b.example.com", &first),
        ("example.com", &first),
        ("other.test", &first),
    ] {
        assert!(leaf_for(&authority, &tls, host) == leaf_of(expected), "{host}");
    }
}

#[test]
fn a_client_gets_the_kind_of_key_that_it_can_verify() {
    let authority = Authority::new();
    let ed25519 = {
        let key = KeyPair::generate_for(&PKCS_ED25519).unwrap();
        let params = rcgen::CertificateParams::new(vec!["example.com".to_owned()]).unwrap();
        parse(
            &["example.com"],
            &params.self_signed(&key).unwrap().pem(),
            &key.serialize_pem(),
        )
        .unwrap()
    };
    let ecdsa = authority.certificate(&["example.com"]);
    let table = Table::new(vec![ed25519.clone(), ecdsa.clone()]);
    for (schemes, expected) in [
        (&[SignatureScheme::ECDSA_NISTP256_SHA256][..], &ecdsa),
        (
            &[SignatureScheme::ED25519, SignatureScheme::ECDSA_NISTP256_SHA256],
            &ed25519,
        ),
        (&[SignatureScheme::RSA_PSS_SHA256], &ed25519),
    ] {
        let chosen = table.choose(Some("example.com"), schemes).unwrap();
        assert!(Arc::ptr_eq(&chosen, &expected.key), "{schemes:?}");
    }
}

#[test]
fn replaced_certificates_serve_new_handshakes_on_every_thread() {
    let authority = Authority::new();
    let old = authority.certificate(&["example.com"]);
    let new = authority.certificate(&["example.com"]);
    let tls = ServerTls::new(vec![old.clone()], Vec::new());
    assert!(leaf_for(&authority, &tls, "example.com") == leaf_of(&old));
    tls.replace_certificates(vec![new.clone()]);
    let seen = thread::scope(|scope| {
        scope
            .spawn(|| leaf_for(&authority, &tls, "example.com"))
            .join()
            .unwrap()
    });
    assert!(seen == leaf_of(&new));
}

#[test]
fn an_empty_store_refuses_handshakes() {
    let authority = Authority::new();
    let tls = ServerTls::new(Vec::new(), Vec::new());
    assert_eq!(leaf_for(&authority, &tls, "example.com"), b"");
}
