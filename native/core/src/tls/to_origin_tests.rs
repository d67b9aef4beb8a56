//! What each way to verify an origin believes, and which code its refusal becomes.

use rcgen::date_time_ymd;
use rustls::HandshakeKind;

use super::super::testing::{Authority, BOTH_VERSIONS, Issued, Peer, name, talk};
use super::super::{TlsFault, TlsSession};
use super::*;

/// A handshake of ours, verifying so, with an origin that has this certificate.
fn meet(verify: &Verify, issued: &Issued, host: &'static str) -> Result<(), TlsFault> {
    for version in BOTH_VERSIONS {
        let config = client_config(verify.clone()).unwrap();
        let mut session = TlsSession::client(config, name(host)).unwrap();
        let mut peer = Peer::server(issued.foreign_server(version));
        let mut hello = Vec::new();
        session.start(&mut hello).unwrap();
        peer.take(&hello);
        let outcome = talk(&mut session, &mut peer, usize::MAX);
        // Whoever refuses says so.
        assert_eq!(outcome.is_err(), peer.fault.is_some());
        outcome?;
        assert!(!session.is_handshaking());
    }
    Ok(())
}

#[test]
fn a_certificate_is_believed_for_its_chain_dates_and_name() {
    let authority = Authority::new();
    let ours = Verify::Ca(authority.pem().into_bytes());
    let good = authority.issue(&["example.com", "*.wild.test", "127.0.0.1"]);
    let expired = authority.issue_as(&["example.com"], |params| params.not_after = date_time_ymd(2001, 1, 1));
    let future = authority.issue_as(&["example.com"], |params| params.not_before = date_time_ymd(2999, 1, 1));
    let stranger = Authority::new().issue(&["example.com"]);
    for (issued, host, accepted) in [
        (&good, "example.com", true),
        (&good, "a.wild.test", true),
        (&good, "127.0.0.1", true),
        (&good, "a.b.wild.test", false),
        (&good, "example.org", false),
        (&good, "127.0.0.2", false),
        (&expired, "example.com", false),
        (&future, "example.com", false),
        (&stranger, "example.com", false),
    ] {
        match meet(&ours, issued, host) {
            Ok(()) => assert!(accepted, "{host} was accepted"),
            Err(fault) => assert!(!accepted && fault.is_certificate(), "{host}: {fault}"),
        }
        meet(&Verify::Nothing, issued, host).unwrap();
    }
}

#[test]
fn a_given_certificate_is_believed_as_an_origins_own_though_it_is_marked_as_an_authority() {
    // As `openssl req -x509` makes them.
    let marked = |end: i32| {
        Authority::new().issue_as(&["example.com"], |params| {
            params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
            params.not_after = date_time_ymd(end, 1, 1);
        })
    };
    let (good, expired, another) = (marked(2999), marked(2001), marked(2999));
    let given = |issued: &Issued| Verify::Ca(issued.chain_pem.clone().into_bytes());
    meet(&given(&good), &good, "example.com").unwrap();
    for (verify, shown, host, what) in [
        (given(&good), &good, "example.org", "another name"),
        (given(&expired), &expired, "example.com", "an expired one"),
        (given(&another), &good, "example.com", "one that was not given"),
    ] {
        assert!(
            meet(&verify, shown, host).is_err_and(|fault| fault.is_certificate()),
            "{what} was accepted"
        );
    }
}

#[test]
fn without_verification_the_peer_must_still_have_the_key_it_shows() {
    // The certificate of one key with the key of another: whoever signs this handshake is not who it claims to be.
    let authority = Authority::new();
    let shown = authority.issue(&["example.com"]);
    let had = authority.issue(&["example.com"]);
    let key = PROVIDER
        .key_provider
        .load_private_key(rustls::pki_types::pem::PemObject::from_pem_slice(had.key_pem.as_bytes()).unwrap())
        .unwrap();
    let impostor = rustls::sign::CertifiedKey::new(read_chain(shown.chain_pem.as_bytes()).unwrap(), key);
    for version in BOTH_VERSIONS {
        let server = rustls::ServerConfig::builder_with_provider(Arc::clone(&PROVIDER))
            .with_protocol_versions(&[version])
            .unwrap()
            .with_no_client_auth()
            .with_cert_resolver(Arc::new(rustls::sign::SingleCertAndKey::from(impostor.clone())));
        let mut peer = Peer::server(Arc::new(server));
        let mut session = TlsSession::client(client_config(Verify::Nothing).unwrap(), name("example.com")).unwrap();
        let mut hello = Vec::new();
        session.start(&mut hello).unwrap();
        peer.take(&hello);
        let fault = talk(&mut session, &mut peer, usize::MAX).unwrap_err();
        assert!(matches!(fault, TlsFault::Certificate(_)), "{fault}");
    }
}

#[test]
fn sessions_with_an_origin_are_resumed() {
    let authority = Authority::new();
    let config = client_config(Verify::Ca(authority.pem().into_bytes())).unwrap();
    for version in BOTH_VERSIONS {
        let server = authority.issue(&["example.com"]).foreign_server(version);
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut peer = Peer::server(Arc::clone(&server));
            let mut session = TlsSession::client(Arc::clone(&config), name("example.com")).unwrap();
            let mut hello = Vec::new();
            session.start(&mut hello).unwrap();
            peer.take(&hello);
            talk(&mut session, &mut peer, usize::MAX).unwrap();
            assert_eq!(peer.connection.handshake_kind(), Some(expected));
        }
    }
}

#[test]
fn a_trust_store_that_cannot_be_used_is_refused_with_its_reason() {
    let not_x509 = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n";
    for (pem, expected) in [
        ("", "The file has no certificate in PEM form."),
        (not_x509, "A certificate of the trust store"),
    ] {
        let fault = client_config(Verify::Ca(pem.into())).unwrap_err().to_string();
        assert!(fault.starts_with(expected), "{fault}");
    }
}

#[test]
fn the_trust_store_of_the_system_does_not_know_our_authority() {
    let issued = Authority::new().issue(&["example.com"]);
    match client_config(Verify::System) {
        Ok(_) => assert!(
            meet(&Verify::System, &issued, "example.com")
                .unwrap_err()
                .is_certificate()
        ),
        // A machine without one: then nothing is believed either.
        Err(fault) => assert!(matches!(fault, CertificateFault::NoSystemStore(_)), "{fault}"),
    }
}

#[test]
fn who_is_verified_alike_shares_a_configuration_as_long_as_it_is_used() {
    let pem = Authority::new().pem().into_bytes();
    let one = shared_client_config(Verify::Ca(pem.clone())).unwrap();
    let other = shared_client_config(Verify::Ca(Authority::new().pem().into_bytes())).unwrap();
    assert!(Arc::ptr_eq(
        &one,
        &shared_client_config(Verify::Ca(pem.clone())).unwrap()
    ));
    assert!(!Arc::ptr_eq(&one, &other));
    let gone = Arc::downgrade(&one);
    drop(one);
    assert!(gone.upgrade().is_none());
    assert!(shared_client_config(Verify::Ca(pem)).is_ok());
}
