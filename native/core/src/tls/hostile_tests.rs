//! The session against peers that are not honest: damaged, forged, endless and senseless input.
//!
//! A peer that has the keys can put anything into an authentic record; `Forger` is that peer.

use proptest::prelude::*;
use rustls::crypto::cipher::{MessageEncrypter, OutboundPlainMessage};
use rustls::{
    AlertDescription, ConnectionTrafficSecrets, ContentType, InvalidMessage, PeerMisbehaved, ProtocolVersion,
};

use super::super::testing::{Authority, BOTH_VERSIONS, Peer, established_server, feed, name, started_client, talk};
use super::super::{TlsFault, TlsSession};
use super::*;

struct Forger {
    encrypter: Box<dyn MessageEncrypter>,
    sequence: u64,
}

impl Forger {
    /// A server's session of ours, and its client's keys.
    fn against_server() -> (TlsSession, Self) {
        let (session, peer) = established_server(BOTH_VERSIONS[1]);
        let suite = peer.connection.negotiated_cipher_suite().unwrap().tls13().unwrap();
        let secrets = peer.connection.dangerous_extract_secrets().unwrap();
        let (sequence, ConnectionTrafficSecrets::Aes256Gcm { key, iv }) = secrets.tx else {
            panic!("the first suite of the provider is AES-256-GCM");
        };
        (
            session,
            Self {
                encrypter: suite.aead_alg.encrypter(key, iv),
                sequence,
            },
        )
    }

    fn record(&mut self, content: ContentType, payload: &[u8]) -> Vec<u8> {
        let plain = OutboundPlainMessage {
            typ: content,
            version: ProtocolVersion::TLSv1_2,
            payload: payload.into(),
        };
        let record = self.encrypter.encrypt(plain, self.sequence).unwrap();
        self.sequence += 1;
        record.encode()
    }
}

fn fresh_server() -> TlsSession {
    TlsSession::server(Authority::new().server_config(&["example.com"])).unwrap()
}

/// The fault that `wire` causes, however it is chopped; afterwards the session is dead.
fn fault_of(session: &mut TlsSession, mut wire: Vec<u8>, chop: usize) -> (TlsFault, Vec<u8>) {
    let failed = feed(session, &mut wire, chop, &mut Vec::new()).expect_err("a fault");
    let mut after = Vec::new();
    let (mut plaintext, mut junk) = (Vec::new(), b"\x17\x03\x03\x00\x01x".to_vec());
    assert!(matches!(
        session.receive(&mut junk, &mut plaintext, &mut after),
        Err(TlsFault::Closed)
    ));
    assert!(matches!(session.send(b"x", &mut after), Err(TlsFault::Closed)));
    session.close_notify(&mut after);
    assert_eq!((after.len(), plaintext.len(), session.held_bytes()), (0, 0, 0));
    failed
}

fn alert(description: AlertDescription) -> Vec<u8> {
    vec![21, 3, 3, 0, 2, 2, u8::from(description)]
}

#[test]
fn what_is_not_tls_is_refused_at_its_first_header() {
    for text in [
        "GET / HTTP/1.1\r\nHost: example.com\r\n\r\n",
        "SSH-2.0-OpenSSH_9.2\r\n",
        "\0\0\0\0\0\0\0",
    ] {
        for chop in [1, 4, usize::MAX] {
            let mut session = fresh_server();
            let (fault, said) = fault_of(&mut session, text.into(), chop);
            assert!(
                matches!(fault, TlsFault::Protocol(rustls::Error::InvalidMessage(_))),
                "{fault}"
            );
            assert_eq!(said, alert(AlertDescription::DecodeError));
        }
    }
}

#[test]
fn a_record_larger_than_any_is_refused_at_its_header() {
    let (fault, said) = fault_of(&mut fresh_server(), vec![22, 3, 1, 0x48, 0], 1);
    let expected = rustls::Error::InvalidMessage(InvalidMessage::MessageTooLarge);
    assert!(matches!(fault, TlsFault::Protocol(error) if error == expected));
    assert_eq!(said, alert(AlertDescription::DecodeError));
}

#[test]
fn a_hello_of_an_impossible_length_is_refused_at_once() {
    let (fault, _) = fault_of(&mut fresh_server(), vec![22, 3, 1, 0, 4, 1, 0xff, 0xff, 0xff], 2);
    let expected = rustls::Error::InvalidMessage(InvalidMessage::HandshakePayloadTooLarge);
    assert!(matches!(fault, TlsFault::Protocol(error) if error == expected));
}

/// The payload of `record` again, in records of one byte.
fn in_tiny_records(record: &[u8]) -> Vec<u8> {
    record[5..]
        .iter()
        .flat_map(|&byte| [record[0], 3, 3, 0, 1, byte])
        .collect()
}

#[test]
fn a_hello_in_records_of_one_byte_is_read() {
    for chop in [1, 6, 7, usize::MAX] {
        let authority = Authority::new();
        let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
        let mut peer = Peer::client(authority.client_config(BOTH_VERSIONS[1]), "example.com");
        let mut hello = in_tiny_records(&peer.output());
        let said = feed(&mut session, &mut hello, chop, &mut Vec::new()).unwrap();
        assert_eq!(session.held_bytes(), 0);
        peer.take(&said);
        talk(&mut session, &mut peer, chop).unwrap();
        assert!(!session.is_handshaking());
    }
}

#[test]
fn a_hello_that_does_not_end_is_cut_off() {
    for chop in [1, 1_000, 16_384] {
        let mut session = fresh_server();
        // A hello of 65,535 bytes is legal; 6 bytes of ours for each of its own are not worth it.
        let mut record = vec![22, 3, 1, 0, 0, 1, 0, 0xff, 0xff];
        record.resize(record.len() + 0xffff, 0);
        let mut wire = in_tiny_records(&record);
        let mut most = 0;
        let fault = wire.chunks_mut(chop).find_map(|piece| {
            let outcome = session.receive(piece, &mut Vec::new(), &mut Vec::new());
            most = most.max(session.held_bytes());
            outcome.err()
        });
        assert!(matches!(fault, Some(TlsFault::HandshakeTooLarge)), "{fault:?}");
        assert!(most > 0 && most <= MAX_HELD_OF_CLIENT_BYTES, "{most}");
    }
}

#[test]
fn an_authentic_message_that_does_not_end_is_cut_off() {
    let (mut session, mut forger) = Forger::against_server();
    let mut first = vec![24, 0, 0xff, 0xff];
    first.resize(16_384, 0);
    let wire = (0..4)
        .flat_map(|_| forger.record(ContentType::Handshake, &first))
        .collect();
    let (fault, _) = fault_of(&mut session, wire, 1_400);
    assert!(matches!(fault, TlsFault::HandshakeTooLarge), "{fault}");
}

#[test]
fn we_can_send_while_half_a_handshake_message_is_kept() {
    // rustls keeps the offset of such a half into the buffer; shown an empty one, it would panic.
    for chop in [1, usize::MAX] {
        let (mut session, mut forger) = Forger::against_server();
        let key_update = [24, 0, 0, 1, 0];
        for byte in key_update {
            let mut wire = forger.record(ContentType::Handshake, &[byte]);
            feed(&mut session, &mut wire, chop, &mut Vec::new()).unwrap();
            let mut to_peer = Vec::new();
            session.send(b"meanwhile", &mut to_peer).unwrap();
            assert_eq!(to_peer.len(), 5 + 9 + 1 + 16);
        }
        assert_eq!(session.held_bytes(), 0);
    }
}

#[test]
fn half_a_handshake_message_may_not_be_interrupted() {
    let (mut session, mut forger) = Forger::against_server();
    let mut wire = forger.record(ContentType::Handshake, &[24, 0]);
    wire.extend(forger.record(ContentType::ApplicationData, b"interrupting"));
    let (fault, _) = fault_of(&mut session, wire, 3);
    let expected = rustls::Error::PeerMisbehaved(PeerMisbehaved::MessageInterleavedWithHandshakeMessage);
    assert!(
        matches!(&fault, TlsFault::Protocol(error) if *error == expected),
        "{fault}"
    );
}

#[test]
fn empty_records_are_read_up_to_a_limit() {
    let (mut session, mut forger) = Forger::against_server();
    let mut plaintext = Vec::new();
    for _ in 0..3 {
        let mut wire: Vec<u8> = (0..32)
            .flat_map(|_| forger.record(ContentType::ApplicationData, b""))
            .collect();
        wire.extend(forger.record(ContentType::ApplicationData, b"x"));
        feed(&mut session, &mut wire, usize::MAX, &mut plaintext).unwrap();
    }
    assert_eq!(plaintext, b"xxx");
    let wire = (0..33)
        .flat_map(|_| forger.record(ContentType::ApplicationData, b""))
        .collect();
    let (fault, _) = fault_of(&mut session, wire, usize::MAX);
    let expected = rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyEmptyFragments);
    assert!(
        matches!(&fault, TlsFault::Protocol(error) if *error == expected),
        "{fault}"
    );
}

#[test]
fn key_updates_without_end_are_refused() {
    let (mut session, mut peer) = established_server(BOTH_VERSIONS[1]);
    let mut wire = Vec::new();
    for _ in 0..33 {
        peer.connection.refresh_traffic_keys().unwrap();
        wire.extend(peer.output());
    }
    let (fault, _) = fault_of(&mut session, wire, usize::MAX);
    let expected = rustls::Error::PeerMisbehaved(PeerMisbehaved::TooManyKeyUpdateRequests);
    assert!(
        matches!(&fault, TlsFault::Protocol(error) if *error == expected),
        "{fault}"
    );
}

#[test]
fn a_damaged_record_ends_the_session_and_nothing_after_it_is_believed() {
    for version in BOTH_VERSIONS {
        for chop in [1, 10, usize::MAX] {
            let (mut session, mut peer) = established_server(version);
            let mut wire = peer.say(b"good");
            let damaged = wire.len() + 12;
            wire.extend(peer.say(b"damaged"));
            wire.extend(peer.say(b"behind"));
            wire[damaged] ^= 1;
            let mut plaintext = Vec::new();
            let (fault, said) = feed(&mut session, &mut wire, chop, &mut plaintext).unwrap_err();
            assert!(
                matches!(fault, TlsFault::Protocol(rustls::Error::DecryptError)),
                "{fault}"
            );
            assert_eq!(plaintext, b"good");
            peer.take(&said);
            let expected = rustls::Error::AlertReceived(AlertDescription::BadRecordMac);
            assert_eq!(peer.fault, Some(expected));
        }
    }
}

#[test]
fn what_only_a_forger_sends_is_refused() {
    let too_large = vec![0; 16_385];
    for (content, payload) in [
        (ContentType::ApplicationData, too_large.as_slice()),
        (ContentType::Handshake, &[1, 0, 0, 0]),
        (ContentType::Handshake, &[24, 0, 0, 1, 7]),
        (ContentType::Handshake, &[24, 0, 0, 0]),
        (ContentType::Handshake, &[11, 0, 0, 0]),
        (ContentType::ChangeCipherSpec, &[1]),
        (ContentType::Heartbeat, &[1, 0, 0]),
        (ContentType::Alert, &[9, 9, 9]),
        (ContentType::Unknown(99), &[1]),
    ] {
        let (mut session, mut forger) = Forger::against_server();
        let wire = forger.record(content, payload);
        let (fault, said) = fault_of(&mut session, wire, 1_000);
        assert!(matches!(fault, TlsFault::Protocol(_)), "{content:?} {fault}");
        assert!(!fault.is_certificate());
        // An encrypted alert: 2 bytes and the content type, 16 of tag.
        assert!(
            said.is_empty() || said[..5] == [23, 3, 3, 0, 19],
            "{content:?} {said:?}"
        );
    }
}

#[test]
fn an_alert_of_the_peer_is_its_refusal() {
    let (mut session, mut forger) = Forger::against_server();
    let wire = forger.record(ContentType::Alert, &[2, 80]);
    let (fault, said) = fault_of(&mut session, wire, usize::MAX);
    assert!(
        matches!(fault, TlsFault::Refused(AlertDescription::InternalError)),
        "{fault}"
    );
    assert_eq!(said, b"");

    let (fault, _) = fault_of(&mut fresh_server(), alert(AlertDescription::HandshakeFailure), 1);
    assert!(
        matches!(fault, TlsFault::Refused(AlertDescription::HandshakeFailure)),
        "{fault}"
    );
}

#[test]
fn a_close_in_the_clear_is_not_believed() {
    for version in BOTH_VERSIONS {
        let (mut session, _peer) = established_server(version);
        let mut forged = vec![21, 3, 3, 0, 2, 1, 0];
        let refused = feed(&mut session, &mut forged, usize::MAX, &mut Vec::new()).is_err();
        assert!(refused && !session.peer_closed());
    }
}

/// A client's or server's first flight with a few bytes changed.
fn damaged(mut wire: Vec<u8>, damage: &[(prop::sample::Index, u8)]) -> Vec<u8> {
    for (place, change) in damage {
        let place = place.index(wire.len());
        wire[place] ^= change;
    }
    wire
}

fn any_damage() -> impl Strategy<Value = Vec<(prop::sample::Index, u8)>> {
    prop::collection::vec((any::<prop::sample::Index>(), 1_u8..), 1..4)
}

fn any_record() -> impl Strategy<Value = (u8, Vec<u8>)> {
    (
        prop_oneof![20_u8..25, any::<u8>()],
        prop::collection::vec(any::<u8>(), 0..40),
    )
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn no_bytes_make_a_new_session_panic_or_hoard(
        mut bytes in prop::collection::vec(any::<u8>(), 0..600),
        records in prop::collection::vec(any_record(), 0..12),
        chop in 1_usize..700,
    ) {
        let framed = records.iter().flat_map(|(content, payload)| {
            let length = u8::try_from(payload.len()).unwrap();
            [&[*content, 3, 3, 0, length][..], payload].concat()
        });
        bytes.splice(0..0, framed);
        let mut session = fresh_server();
        let _ = feed(&mut session, &mut bytes, chop, &mut Vec::new());
        prop_assert!(session.held_bytes() <= MAX_HELD_OF_CLIENT_BYTES);
    }

    #[test]
    fn no_damage_to_a_handshake_makes_either_side_panic(damage in any_damage(), chop in 1_usize..3_000, tls13: bool) {
        let version = BOTH_VERSIONS[usize::from(tls13)];
        let authority = Authority::new();
        let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
        let mut peer = Peer::client(authority.client_config(version), "example.com");
        let mut hello = damaged(peer.output(), &damage);
        let _ = feed(&mut session, &mut hello, chop, &mut Vec::new());

        let mut peer = Peer::server(authority.issue(&["example.com"]).foreign_server(version));
        let mut session = TlsSession::client(authority.client_config(version).into(), name("example.com")).unwrap();
        let mut hello = Vec::new();
        session.start(&mut hello).unwrap();
        peer.take(&hello);
        let mut flight = damaged(peer.output(), &damage);
        let _ = feed(&mut session, &mut flight, chop, &mut Vec::new());
        prop_assert!(session.is_handshaking() || peer.connection.is_handshaking());
    }

    #[test]
    fn no_authentic_records_make_a_session_panic(
        records in prop::collection::vec(any_record(), 1..12),
        chop in 1_usize..200,
    ) {
        let (mut session, mut forger) = Forger::against_server();
        for (content, payload) in records {
            let mut wire = forger.record(ContentType::from(content), &payload);
            let outcome = feed(&mut session, &mut wire, chop, &mut Vec::new());
            let sent = session.send(b"meanwhile", &mut Vec::new());
            prop_assert_eq!(outcome.is_err(), sent.is_err());
            if outcome.is_err() {
                break;
            }
        }
    }
}

#[test]
fn an_origin_that_speaks_no_tls_is_a_fault_of_the_handshake() {
    let authority = Authority::new();
    let mut session =
        TlsSession::client(authority.client_config(BOTH_VERSIONS[1]).into(), name("example.com")).unwrap();
    session.start(&mut Vec::new()).unwrap();
    let (fault, _) = fault_of(&mut session, b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(), 1);
    assert!(
        matches!(&fault, TlsFault::Protocol(_)) && !fault.is_certificate(),
        "{fault}"
    );
}

#[test]
fn versions_without_overlap_are_a_fault_of_the_handshake() {
    let authority = Authority::new();
    let mut peer = Peer::server(authority.issue(&["example.com"]).foreign_server(BOTH_VERSIONS[0]));
    let fault = started_client(authority.client_config(BOTH_VERSIONS[1]), &mut peer, 1).unwrap_err();
    assert!(
        matches!(&fault, TlsFault::Refused(AlertDescription::ProtocolVersion)),
        "{fault}"
    );
}
