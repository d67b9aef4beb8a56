use proptest::prelude::*;
use rustls::HandshakeKind::{Full, Resumed};
use rustls::version::{TLS12, TLS13};
use rustls::{AlertDescription, CipherSuite, ClientConfig, ProtocolVersion};

use super::super::testing::{Authority, Peer, talk};
use super::super::{TlsFault, TlsSession};
use super::*;

const AES_256: &str = "ECDHE-ECDSA-AES256-GCM-SHA384";
const AES_128: &str = "ECDHE-ECDSA-AES128-GCM-SHA256";

fn rule(name: &str, min: &str, max: &str, ciphers: &[&str]) -> TlsRule {
    let ciphers: Vec<String> = ciphers.iter().map(|&cipher| cipher.to_owned()).collect();
    TlsRule::parse(vec![name.to_owned()], min, max, &ciphers).unwrap()
}

/// A client's first words.
fn hello(config: &Arc<ClientConfig>, host: &'static str) -> (Peer, Vec<u8>) {
    let mut peer = Peer::client(Arc::clone(config), host);
    let wire = peer.output();
    (peer, wire)
}

/// A handshake under the configuration that the client's hello chooses.
fn meet(tls: &ServerTls, config: &Arc<ClientConfig>, host: &'static str) -> (Peer, Result<TlsSession, TlsFault>) {
    let (mut peer, mut wire) = hello(config, host);
    let chosen = tls.choose().of(&wire).expect("a whole hello");
    let mut session = TlsSession::server(chosen).unwrap();
    let (mut plaintext, mut to_peer) = (Vec::new(), Vec::new());
    let begun = session.receive(&mut wire, &mut plaintext, &mut to_peer);
    peer.take(&to_peer);
    let outcome = begun.and_then(|()| talk(&mut session, &mut peer, usize::MAX));
    (peer, outcome.map(|_| session))
}

fn client(authority: &Authority, version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
    Arc::new(authority.client_config(version))
}

#[test]
fn a_name_s_rule_decides_about_versions_and_suites() {
    let authority = Authority::new();
    let names = ["new.test", "a.wild.test", "exact.wild.test", "old.test", "free.test"];
    let rules = vec![
        rule("new.test", "1.3", "1.3", &[]),
        rule("*.wild.test", "1.3", "1.3", &[]),
        rule("exact.wild.test", "1.2", "1.2", &[]),
        rule("old.test", "1.2", "1.2", &[AES_128]),
    ];
    let tls = ServerTls::new(vec![authority.certificate(&names)], rules);
    let (v12, v13) = (client(&authority, &TLS12), client(&authority, &TLS13));
    let too_old = Err(AlertDescription::ProtocolVersion);
    for (host, config, expected) in [
        ("new.test", &v13, Ok(ProtocolVersion::TLSv1_3)),
        ("new.test", &v12, too_old),
        ("NEW.test", &v12, too_old),
        ("a.wild.test", &v12, too_old),
        ("a.wild.test", &v13, Ok(ProtocolVersion::TLSv1_3)),
        ("exact.wild.test", &v12, Ok(ProtocolVersion::TLSv1_2)),
        ("exact.wild.test", &v13, too_old),
        ("old.test", &v12, Ok(ProtocolVersion::TLSv1_2)),
        ("free.test", &v12, Ok(ProtocolVersion::TLSv1_2)),
        ("free.test", &v13, Ok(ProtocolVersion::TLSv1_3)),
    ] {
        let (peer, outcome) = meet(&tls, config, host);
        match expected {
            Ok(version) => {
                assert!(outcome.is_ok(), "{host}: {:?}", outcome.err());
                assert_eq!(peer.connection.protocol_version(), Some(version), "{host}");
            }
            Err(alert) => {
                assert!(outcome.is_err(), "{host}");
                assert_eq!(peer.fault, Some(rustls::Error::AlertReceived(alert)), "{host}");
            }
        }
    }
    let suite = meet(&tls, &v12, "old.test").0.connection.negotiated_cipher_suite();
    let expected = CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256;
    assert_eq!(suite.map(|suite| suite.suite()), Some(expected));
}

#[test]
fn no_suite_in_common_is_a_handshake_failure() {
    let authority = Authority::new();
    let rules = vec![rule("a.test", "1.2", "1.2", &["ECDHE-RSA-AES128-GCM-SHA256"])];
    let tls = ServerTls::new(vec![authority.certificate(&["a.test"])], rules);
    // The certificate is for ECDSA, which is all that the rule leaves out.
    let (peer, outcome) = meet(&tls, &client(&authority, &TLS12), "a.test");
    assert!(outcome.is_err());
    let alert = AlertDescription::HandshakeFailure;
    assert_eq!(peer.fault, Some(rustls::Error::AlertReceived(alert)));
}

#[test]
fn a_session_is_resumed_under_the_same_demands_and_no_others() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["a.test"]);
    let tls = ServerTls::new(vec![certificate.clone()], Vec::new());
    let config = client(&authority, &TLS12);
    let mut kinds = Vec::new();
    let strict = || vec![rule("a.test", "1.2", "1.2", &[AES_256])];
    let weak = || vec![rule("a.test", "1.2", "1.2", &[AES_128])];
    for rules in [weak(), weak(), strict(), strict(), Vec::new(), strict(), weak()] {
        tls.replace(vec![certificate.clone()], rules);
        let (peer, outcome) = meet(&tls, &config, "a.test");
        assert!(outcome.is_ok());
        kinds.push(peer.connection.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [Full, Resumed, Full, Resumed, Full, Full, Full]);
}

#[test]
fn a_ticket_of_tls_1_3_is_no_way_around_a_rule() {
    let authority = Authority::new();
    let certificate = authority.certificate(&["a.test"]);
    let tls = ServerTls::new(vec![certificate.clone()], Vec::new());
    let config = client(&authority, &TLS13);
    let mut kinds = Vec::new();
    for rules in [Vec::new(), Vec::new(), vec![rule("a.test", "1.3", "1.3", &[])]] {
        tls.replace(vec![certificate.clone()], rules);
        kinds.push(meet(&tls, &config, "a.test").0.connection.handshake_kind().unwrap());
    }
    assert_eq!(kinds, [Full, Resumed, Full]);
}

#[test]
fn what_was_chosen_before_a_replacement_stays_whole() {
    let authority = Authority::new();
    let old = authority.certificate(&["a.test"]);
    let tls = ServerTls::new(vec![old], vec![rule("a.test", "1.2", "1.2", &[])]);
    let mut choice = tls.choose();
    tls.replace(Vec::new(), vec![rule("a.test", "1.3", "1.3", &[])]);
    let (mut peer, mut wire) = hello(&client(&authority, &TLS12), "a.test");
    let mut session = TlsSession::server(choice.of(&wire).unwrap()).unwrap();
    let mut to_peer = Vec::new();
    session.receive(&mut wire, &mut Vec::new(), &mut to_peer).unwrap();
    peer.take(&to_peer);
    talk(&mut session, &mut peer, usize::MAX).unwrap();
    assert!(!session.is_handshaking());
    assert!(meet(&tls, &client(&authority, &TLS13), "a.test").1.is_err());
}

#[test]
fn an_established_session_lets_go_of_what_it_was_made_with() {
    let authority = Authority::new();
    let tls = ServerTls::new(
        vec![authority.certificate(&["a.test"])],
        vec![rule("a.test", "1.2", "1.3", &[AES_256])],
    );
    for version in [&TLS12, &TLS13] {
        let (_peer, session) = meet(&tls, &client(&authority, version), "a.test");
        let session = session.unwrap();
        let config = Arc::downgrade(&tls.config_for(Some("a.test")));
        tls.replace(Vec::new(), Vec::new());
        assert!(config.upgrade().is_none(), "{version:?}");
        assert!(!session.is_handshaking());
        tls.replace(
            vec![authority.certificate(&["a.test"])],
            vec![rule("a.test", "1.2", "1.3", &[AES_256])],
        );
    }
}

#[test]
fn equal_demands_share_one_configuration() {
    let rules = ["a.test", "b.test"].map(|name| rule(name, "1.3", "1.3", &[]));
    let tls = ServerTls::new(Vec::new(), rules.into());
    let of = |name| tls.config_for(Some(name));
    assert!(Arc::ptr_eq(&of("a.test"), &of("b.test")));
    assert!(!Arc::ptr_eq(&of("a.test"), &of("c.test")));
}

#[test]
fn without_rules_nothing_waits_for_a_hello() {
    assert!(ServerTls::new(Vec::new(), Vec::new()).choose().of(b"\x16").is_some());
}

fn strict() -> Arc<ServerTls> {
    ServerTls::new(Vec::new(), vec![rule("a.test", "1.3", "1.3", &[])])
}

#[test]
fn a_hello_that_comes_in_pieces_chooses_as_one_that_comes_whole() {
    let tls = strict();
    let (_, wire) = hello(&client(&Authority::new(), &TLS13), "a.test");
    for chop in [1, 7, 100, 600] {
        let mut choice = tls.choose();
        for end in (chop..wire.len()).step_by(chop) {
            assert!(choice.of(&wire[..end]).is_none(), "{end} of {}", wire.len());
        }
        let chosen = choice.of(&wire).unwrap();
        assert!(Arc::ptr_eq(&chosen, &tls.config_for(Some("a.test"))));
    }
}

#[test]
fn a_hello_of_many_records_chooses_by_its_name() {
    let tls = strict();
    let (_, wire) = hello(&client(&Authority::new(), &TLS13), "a.test");
    let mut split = Vec::new();
    for piece in wire[5..].chunks(16) {
        split.extend([0x16, 3, 1, 0, u8::try_from(piece.len()).unwrap()]);
        split.extend(piece);
    }
    let chosen = tls.choose().of(&split).unwrap();
    assert!(Arc::ptr_eq(&chosen, &tls.config_for(Some("a.test"))));
}

#[test]
fn a_hello_without_end_is_not_waited_for() {
    let tls = strict();
    // A handshake message of 16 MiB, in records of 16 KiB.
    let mut endless = vec![0x16, 3, 1, 0x40, 0, 1, 0xff, 0xff, 0xff];
    endless.resize(5 + 0x4000, 0);
    let endless = endless.repeat(4);
    let mut choice = tls.choose();
    let taken = (0..endless.len())
        .step_by(1000)
        .find(|end| choice.of(&endless[..*end]).is_some());
    assert!(taken.is_some_and(|bytes| bytes <= MAX_HELLO_BYTES + 1000), "{taken:?}");
}

#[test]
fn a_close_notify_in_the_place_of_a_hello_ends_the_choice() {
    let alert = b"\x15\x03\x01\x00\x02\x01\x00".repeat(3);
    assert!(strict().choose().of(&alert).is_some());
}

proptest! {
    /// Whatever comes, the choice neither fails nor waits beyond its limit, and nothing but the name decides.
    #[test]
    fn any_bytes_are_taken(bytes in proptest::collection::vec(any::<u8>(), 0..2000), chop in 1usize..500) {
        let tls = strict();
        let mut wire = vec![0x16, 3, 1];
        wire.extend(bytes);
        let mut choice = tls.choose();
        for end in (0..wire.len()).step_by(chop) {
            if choice.of(&wire[..end]).is_some() {
                break;
            }
        }
    }

    /// A hello with one byte changed chooses the rule of its name, or is refused in the handshake, or is another's.
    #[test]
    fn a_damaged_hello_never_meets_the_rule_s_name_under_another_rule(at in 5usize..400, byte in any::<u8>()) {
        let authority = Authority::new();
        let tls = ServerTls::new(
            vec![authority.certificate(&["a.test"])],
            vec![rule("a.test", "1.3", "1.3", &[])],
        );
        let (_, mut wire) = hello(&client(&authority, &TLS12), "a.test");
        let at = at % wire.len();
        wire[at] = byte;
        let Some(chosen) = tls.choose().of(&wire) else { return Ok(()) };
        let mut session = TlsSession::server(chosen).unwrap();
        let begun = session.receive(&mut wire, &mut Vec::new(), &mut Vec::new());
        if begun.is_ok() && session.facts().server_name.as_deref() == Some("a.test") {
            prop_assert_eq!(session.facts().version, "");
        }
    }
}
