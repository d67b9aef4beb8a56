//! The session against rustls's ordinary buffered connection: the protocol as honest peers speak it.

use std::sync::Arc;

use proptest::prelude::*;
use rustls::{HandshakeKind, ProtocolVersion};

use super::super::testing::{
    Authority, BOTH_VERSIONS, Peer, established_client, established_server, feed, started_client, talk,
};
use super::super::{TlsFault, TlsSession};
use super::*;

/// A record of full size with the most that protection adds.
const MOST_RECORD_BYTES: usize = 5 + 16_384 + 256;

/// Both roles in both versions.
fn established() -> Vec<(TlsSession, Peer)> {
    BOTH_VERSIONS
        .iter()
        .flat_map(|version| [established_server(version), established_client(version)])
        .collect()
}

#[test]
fn a_handshake_succeeds_however_its_bytes_are_chopped() {
    let authority = Authority::new();
    for version in BOTH_VERSIONS {
        for chop in [1, 2, 3, 5, 6, 7, 100, 1_000, usize::MAX] {
            let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
            let mut peer = Peer::client(authority.client_config(version), "example.com");
            talk(&mut session, &mut peer, chop).unwrap();
            assert!(
                !session.is_handshaking() && !peer.connection.is_handshaking(),
                "server, {chop}"
            );
            assert_eq!(session.held_bytes(), 0);

            let mut peer = Peer::server(authority.issue(&["example.com"]).foreign_server(version));
            let session = started_client(authority.client_config(version), &mut peer, chop).unwrap();
            assert!(
                !session.is_handshaking() && !peer.connection.is_handshaking(),
                "client, {chop}"
            );
            assert_eq!(session.held_bytes(), 0);
        }
    }
}

#[test]
fn data_goes_both_ways_in_records_of_any_size() {
    for (mut session, mut peer) in established() {
        for size in [1, 2, 125, 16_383, 16_384, 16_385, 100_000, 1_000_000] {
            let data: Vec<u8> = (0..size).map(|index| u8::try_from(index % 251).unwrap()).collect();
            let mut plaintext = Vec::new();
            let to_peer = feed(&mut session, &mut peer.say(&data), usize::MAX, &mut plaintext).unwrap();
            assert!(plaintext == data && to_peer.is_empty(), "{size} bytes from the peer");

            let mut to_peer = b"before".to_vec();
            session.send(&data, &mut to_peer).unwrap();
            assert!(to_peer.starts_with(b"before"));
            peer.take(&to_peer[6..]);
            assert!(std::mem::take(&mut peer.plaintext) == data, "{size} bytes to the peer");
        }
    }
}

#[test]
fn sending_nothing_makes_no_record() {
    for (mut session, _peer) in established() {
        let mut to_peer = Vec::new();
        session.send(b"", &mut to_peer).unwrap();
        assert_eq!(to_peer, b"");
    }
}

#[test]
fn many_small_records_in_one_buffer_are_all_read() {
    for (mut session, mut peer) in established() {
        let mut wire: Vec<u8> = (0..5_000_u16)
            .flat_map(|index| peer.say(&index.to_be_bytes()))
            .collect();
        let mut plaintext = Vec::new();
        feed(&mut session, &mut wire, usize::MAX, &mut plaintext).unwrap();
        assert_eq!(
            plaintext,
            (0..5_000_u16).flat_map(u16::to_be_bytes).collect::<Vec<u8>>()
        );
    }
}

#[test]
fn an_incomplete_record_is_kept_and_freed_with_its_last_byte() {
    for (mut session, mut peer) in established() {
        let mut wire = peer.say(&[7; 16_384]);
        let mut plaintext = Vec::new();
        let last = wire.len() - 1;
        feed(&mut session, &mut wire[..last], 1_000, &mut plaintext).unwrap();
        assert_eq!((session.held_bytes(), plaintext.len()), (last, 0));
        feed(&mut session, &mut wire[last..], 1, &mut plaintext).unwrap();
        assert_eq!((session.held.capacity(), plaintext.len()), (0, 16_384));
    }
}

#[test]
fn we_can_send_while_half_a_record_is_kept() {
    for (mut session, mut peer) in established() {
        let mut wire = peer.say(b"late");
        let mut plaintext = Vec::new();
        feed(&mut session, &mut wire[..9], usize::MAX, &mut plaintext).unwrap();
        let mut to_peer = Vec::new();
        session.send(b"early", &mut to_peer).unwrap();
        peer.take(&to_peer);
        feed(&mut session, &mut wire[9..], usize::MAX, &mut plaintext).unwrap();
        assert_eq!(
            (plaintext.as_slice(), peer.plaintext.as_slice()),
            (&b"late"[..], &b"early"[..])
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_chopping_of_the_records_gives_the_same_plaintext(
        sizes in prop::collection::vec(1_usize..20_000, 1..12),
        chops in prop::collection::vec(1_usize..9_000, 1..40),
        tls13: bool,
    ) {
        let (mut session, mut peer) = established_server(BOTH_VERSIONS[usize::from(tls13)]);
        let mut sent = Vec::new();
        let mut wire = Vec::new();
        for (number, size) in (0_u8..).zip(sizes) {
            let data = vec![number; size];
            wire.extend(peer.say(&data));
            sent.extend(data);
        }
        let mut plaintext = Vec::new();
        let mut rest = wire.as_mut_slice();
        let mut chops = chops.into_iter().cycle();
        while !rest.is_empty() {
            let (piece, later) = rest.split_at_mut(chops.next().unwrap().min(rest.len()));
            session.receive(piece, &mut plaintext, &mut Vec::new()).unwrap();
            prop_assert!(session.held_bytes() < MOST_RECORD_BYTES);
            rest = later;
        }
        prop_assert!(plaintext == sent);
        prop_assert_eq!(session.held_bytes(), 0);
    }
}

#[test]
fn nothing_is_encrypted_before_the_handshake_is_done() {
    let authority = Authority::new();
    let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
    let mut to_peer = Vec::new();
    assert!(matches!(
        session.send(b"x", &mut to_peer),
        Err(TlsFault::HandshakeUnfinished)
    ));
    session.close_notify(&mut to_peer);
    assert_eq!(to_peer, b"");
    let mut peer = Peer::client(authority.client_config(BOTH_VERSIONS[1]), "example.com");
    talk(&mut session, &mut peer, usize::MAX).unwrap();
    session.send(b"x", &mut to_peer).unwrap();
    assert!(!to_peer.is_empty());
}

#[test]
fn our_close_is_said_once_and_ends_sending() {
    for (mut session, mut peer) in established() {
        let mut to_peer = Vec::new();
        session.send(b"last", &mut to_peer).unwrap();
        session.close_notify(&mut to_peer);
        let said = to_peer.len();
        session.close_notify(&mut to_peer);
        assert_eq!(to_peer.len(), said);
        assert!(matches!(session.send(b"more", &mut to_peer), Err(TlsFault::Closed)));
        peer.take(&to_peer);
        assert!(peer.saw_close);
        assert_eq!(peer.plaintext, b"last");

        // RFC 8446 §6.1: each side closes only its own direction.
        let mut plaintext = Vec::new();
        feed(&mut session, &mut peer.say(b"still talking"), 3, &mut plaintext).unwrap();
        assert_eq!(plaintext, b"still talking");
    }
}

#[test]
fn the_peers_close_ends_receiving_and_not_sending() {
    for (mut session, mut peer) in established() {
        let mut wire = peer.say(b"last");
        peer.connection.send_close_notify();
        wire.extend(peer.output());
        wire.extend(b"junk after the close");
        let mut plaintext = Vec::new();
        feed(&mut session, &mut wire, usize::MAX, &mut plaintext).unwrap();
        assert!(session.peer_closed());
        assert_eq!((plaintext.as_slice(), session.held_bytes()), (&b"last"[..], 0));
        feed(&mut session, &mut b"more junk".to_owned(), 1, &mut plaintext).unwrap();
        assert_eq!((plaintext.as_slice(), session.held_bytes()), (&b"last"[..], 0));

        let mut to_peer = Vec::new();
        session.send(b"answer", &mut to_peer).unwrap();
        session.close_notify(&mut to_peer);
        peer.take(&to_peer);
        assert_eq!((peer.plaintext.as_slice(), peer.saw_close), (&b"answer"[..], true));
    }
}

#[test]
fn a_key_update_is_answered_before_the_next_data() {
    for (mut session, mut peer) in [
        established_server(BOTH_VERSIONS[1]),
        established_client(BOTH_VERSIONS[1]),
    ] {
        for round in 0..3_u8 {
            peer.connection.refresh_traffic_keys().unwrap();
            let mut wire = peer.output();
            wire.extend(peer.say(&[round]));
            let mut plaintext = Vec::new();
            let to_peer = feed(&mut session, &mut wire, 1 + usize::from(round), &mut plaintext).unwrap();
            assert_eq!((plaintext.as_slice(), to_peer.as_slice()), (&[round][..], &b""[..]));

            let mut to_peer = Vec::new();
            session.send(&[round], &mut to_peer).unwrap();
            // The answer is a record of its own: 5 + 5 (the message) + 1 + 16 bytes; then ours, 5 + 1 + 1 + 16.
            assert_eq!(to_peer.len(), 27 + 23);
            peer.take(&to_peer);
            assert_eq!((peer.plaintext.pop(), peer.fault.as_ref()), (Some(round), None));
        }
    }
}

#[test]
fn a_key_update_is_answered_before_our_close_too() {
    let (mut session, mut peer) = established_server(BOTH_VERSIONS[1]);
    peer.connection.refresh_traffic_keys().unwrap();
    feed(&mut session, &mut peer.output(), usize::MAX, &mut Vec::new()).unwrap();
    let mut to_peer = Vec::new();
    session.close_notify(&mut to_peer);
    peer.take(&to_peer);
    assert!(peer.saw_close);
    assert_eq!(peer.fault, None);
}

#[test]
fn sessions_are_resumed_without_a_cache_of_ours() {
    let authority = Authority::new();
    let server = authority.server_config(&["example.com"]);
    for version in BOTH_VERSIONS {
        let client = Arc::new(authority.client_config(version));
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed, HandshakeKind::Resumed] {
            let mut session = TlsSession::server(Arc::clone(&server)).unwrap();
            let mut peer = Peer::client(Arc::clone(&client), "example.com");
            talk(&mut session, &mut peer, usize::MAX).unwrap();
            assert_eq!(peer.connection.handshake_kind(), Some(expected), "{version:?}");
            assert_eq!(session.facts().server_name.as_deref(), Some("example.com"));
            if let rustls::Connection::Client(client) = &peer.connection {
                let tickets = u32::from(version.version == ProtocolVersion::TLSv1_3);
                assert_eq!(client.tls13_tickets_received(), tickets);
            }
        }
    }
}

#[test]
fn our_client_resumes_and_takes_tickets_that_come_after_the_handshake() {
    let authority = Authority::new();
    for version in BOTH_VERSIONS {
        let server = authority.issue(&["example.com"]).foreign_server(version);
        let client = Arc::new(authority.client_config(version));
        for expected in [HandshakeKind::Full, HandshakeKind::Resumed] {
            let mut peer = Peer::server(Arc::clone(&server));
            let session = started_client(Arc::clone(&client), &mut peer, 1).unwrap();
            assert_eq!(peer.connection.handshake_kind(), Some(expected), "{version:?}");
            assert_eq!(session.held_bytes(), 0);
        }
    }
}

#[test]
fn the_facts_are_those_of_the_session() {
    for (version, name, cipher) in [
        (BOTH_VERSIONS[0], "TLSv1.2", "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384"),
        (BOTH_VERSIONS[1], "TLSv1.3", "TLS_AES_256_GCM_SHA384"),
    ] {
        let (server, _) = established_server(version);
        let facts = TlsFacts {
            version: name,
            cipher,
            server_name: Some("example.com".into()),
        };
        assert_eq!(server.facts(), facts);
        let (client, _) = established_client(version);
        assert_eq!(
            client.facts(),
            TlsFacts {
                server_name: None,
                ..facts
            }
        );
    }
    let authority = Authority::new();
    let fresh = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
    assert_eq!(
        fresh.facts(),
        TlsFacts {
            version: "",
            cipher: "",
            server_name: None
        }
    );
}

#[test]
fn a_client_without_a_name_gets_the_first_certificate() {
    let authority = Authority::new();
    let mut client = authority.client_config(BOTH_VERSIONS[1]);
    client.enable_sni = false;
    // A session with a name on this thread before: its name must not stick.
    let _ = established_server(BOTH_VERSIONS[1]);
    let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
    talk(&mut session, &mut Peer::client(client, "example.com"), usize::MAX).unwrap();
    assert_eq!(session.facts().server_name, None);
}

#[test]
fn http_2_is_negotiated_before_http_1_1_and_nothing_else() {
    let authority = Authority::new();
    for version in BOTH_VERSIONS {
        for (offered, agreed) in [
            (&[][..], None),
            (&[&b"http/1.1"[..]], Some(&b"http/1.1"[..])),
            (&[b"h2", b"http/1.1"], Some(b"h2")),
            (&[b"http/1.1", b"h2"], Some(b"h2")),
            (&[b"h3", b"http/1.1"], Some(b"http/1.1")),
        ] {
            let mut client = authority.client_config(version);
            client.alpn_protocols = offered.iter().map(|protocol| protocol.to_vec()).collect();
            let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
            let mut peer = Peer::client(client, "example.com");
            talk(&mut session, &mut peer, usize::MAX).unwrap();
            assert_eq!(peer.connection.alpn_protocol(), agreed);
        }
        let mut client = authority.client_config(version);
        client.alpn_protocols = vec![b"h3".to_vec()];
        let mut session = TlsSession::server(authority.server_config(&["example.com"])).unwrap();
        let mut peer = Peer::client(client, "example.com");
        let fault = talk(&mut session, &mut peer, usize::MAX).unwrap_err();
        assert!(
            matches!(fault, TlsFault::Protocol(rustls::Error::NoApplicationProtocol)),
            "{fault}"
        );
        let alert = rustls::AlertDescription::NoApplicationProtocol;
        assert_eq!(peer.fault, Some(rustls::Error::AlertReceived(alert)));
    }
}
