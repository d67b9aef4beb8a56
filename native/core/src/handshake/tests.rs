use super::*;
use crate::http::testing::{request_head, response_head};

/// RFC 6455 §1.3's example.
const SAMPLE_KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const SAMPLE_ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// The field lines of a plain attempt.
const PLAIN: [&str; 4] = [
    "Connection: Upgrade",
    "Upgrade: websocket",
    "Sec-WebSocket-Version: 13",
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
];

fn read_lines(start: &str, lines: &[&str]) -> Result<Option<Offer>, HandshakeFault> {
    read_offer(&request_head(
        format!("{start}\r\nHost: a\r\n{}\r\n\r\n", lines.join("\r\n")).as_bytes(),
    ))
}

fn read(lines: &[&str]) -> Result<Option<Offer>, HandshakeFault> {
    read_lines("GET / HTTP/1.1", lines)
}

/// A plain attempt, with the line of the same name replaced or, where there is none, with one more.
fn read_with(line: &str) -> Result<Option<Offer>, HandshakeFault> {
    let name = |line: &str| line.split(':').next().unwrap().to_owned();
    let mut lines: Vec<_> = PLAIN.into_iter().filter(|plain| name(plain) != name(line)).collect();
    lines.push(line);
    read(&lines)
}

/// A plain attempt and these lines.
fn read_plus(more: &[&str]) -> Result<Option<Offer>, HandshakeFault> {
    read(&[&PLAIN[..], more].concat())
}

fn offer_plus(more: &[&str]) -> Offer {
    read_plus(more).expect("valid").expect("an attempt")
}

#[test]
fn a_plain_attempt_is_an_offer_of_nothing() {
    let offer = offer_plus(&[]);
    assert_eq!(offer.key, SAMPLE_KEY);
    assert!(offer.protocols.is_empty() && offer.extensions.is_empty());
}

#[test]
fn an_offer_has_protocols_and_extensions_in_order() {
    let offer = offer_plus(&[
        "Sec-WebSocket-Protocol: chat, Superchat",
        "sec-websocket-protocol: ,v2.x",
        "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits, x-other;a=\"b\"",
        "Sec-WebSocket-Extensions: permessage-deflate",
    ]);
    assert_eq!(offer.protocols, ["chat", "Superchat", "v2.x"]);
    assert_eq!(
        offer.extensions,
        ["permessage-deflate", "x-other", "permessage-deflate"]
    );
}

#[test]
fn tokens_count_in_any_case_and_those_of_connection_among_others() {
    for line in [
        "Connection: keep-alive, uPGRADE",
        "Connection: a,,upgrade ,b",
        "Upgrade: WebSocket",
        "Upgrade: \t WEBSOCKET \t",
    ] {
        assert!(matches!(read_with(line), Ok(Some(_))), "{line}");
    }
}

#[test]
fn an_ordinary_request_is_no_attempt() {
    for lines in [
        &["Connection: keep-alive"][..],
        &["Connection: Upgrade", "Upgrade: h2c"],
        &["Connection: Upgrade", "Upgrade: websockets"],
        &["Connection: Upgrade"],
        &["Sec-WebSocket-Key: x"],
        &["Connection: keep-alive", "Sec-WebSocket-Key: x"],
    ] {
        assert_eq!(read(lines), Ok(None), "{lines:?}");
    }
}

#[test]
fn half_an_attempt_is_a_fault_not_an_ordinary_request() {
    assert_eq!(read(&["Upgrade: websocket"]), Err(HandshakeFault::Connection));
    assert_eq!(read_with("Connection: keep-alive"), Err(HandshakeFault::Connection));
    assert_eq!(
        read(&["Connection: upgrade", "Sec-WebSocket-Key: x"]),
        Err(HandshakeFault::Upgrade)
    );
    assert_eq!(read_with("Upgrade: h2c"), Err(HandshakeFault::Upgrade));
}

#[test]
fn an_upgrade_is_one_line_with_websocket_alone() {
    for value in [
        "h2c, websocket",
        "websocket, h2c",
        ", websocket",
        "websocket,",
        "websocket, websocket",
        "WebSocket,\tTLS/1.0",
    ] {
        let found = read_with(&format!("Upgrade: {value}"));
        assert_eq!(found, Err(HandshakeFault::UpgradeList(value.as_bytes().into())));
    }
    for (lines, count) in [
        (&["Upgrade: websocket"][..], 2),
        (&["Upgrade: h2c"], 2),
        (&["Upgrade:"], 2),
        (&["Upgrade: WEBSOCKET", "upgrade: ,"], 3),
    ] {
        for found in [read_plus(lines), read(&[lines, &PLAIN[..]].concat())] {
            assert_eq!(found, Err(HandshakeFault::UpgradeCount(count)), "{lines:?}");
        }
    }
}

#[test]
fn a_websocket_is_opened_with_get_and_1_1() {
    for method in ["POST", "HEAD", "get", "OPTIONS"] {
        let found = read_lines(&format!("{method} / HTTP/1.1"), &PLAIN);
        assert_eq!(found, Err(HandshakeFault::Method(method.into())));
    }
    assert_eq!(read_lines("GET / HTTP/1.0", &PLAIN), Err(HandshakeFault::Http10));
}

#[test]
fn an_attempt_has_no_body() {
    assert_eq!(read_plus(&["Content-Length: 1"]), Err(HandshakeFault::Body));
    assert_eq!(read_plus(&["Transfer-Encoding: chunked"]), Err(HandshakeFault::Body));
    assert!(matches!(read_plus(&["Content-Length: 0"]), Ok(Some(_))));
}

#[test]
fn a_version_that_is_not_ours_is_told_ours() {
    for version in [
        "0",
        "7",
        "8",
        "14",
        "25",
        "013",
        "255",
        "99999999999",
        "",
        "13, 8",
        "13,13",
        "x",
        "+13",
        "1 3",
        "13.0",
        "\"13\"",
    ] {
        let fault = read_with(&format!("Sec-WebSocket-Version: {version}")).unwrap_err();
        assert_eq!(fault, HandshakeFault::Version(version.as_bytes().into()));
        assert_tells_version(&fault);
    }
}

#[test]
fn no_version_or_several_lines_of_it_are_told_ours() {
    for (found, count) in [
        (read(&[PLAIN[0], PLAIN[1], PLAIN[3]]), 0),
        (read_plus(&["Sec-WebSocket-Version: 13"]), 2),
        (read_plus(&["Sec-WebSocket-Version: 8", "Sec-WebSocket-Version: 7"]), 3),
    ] {
        let fault = found.unwrap_err();
        assert_eq!(fault, HandshakeFault::VersionCount(count));
        assert_tells_version(&fault);
    }
}

fn assert_tells_version(fault: &HandshakeFault) {
    assert_eq!(fault.status(), 426, "{fault}");
    assert_eq!(
        fault.answer_fields(),
        [("Sec-WebSocket-Version", "13"), ("Upgrade", "websocket")],
        "{fault}"
    );
}

#[test]
fn any_other_fault_is_a_bad_request() {
    for found in [
        read_lines("POST / HTTP/1.1", &PLAIN),
        read_lines("GET / HTTP/1.0", &PLAIN),
        read_with("Connection: close"),
        read_with("Upgrade: h2c"),
        read_with("Upgrade: h2c, websocket"),
        read_plus(&["Upgrade: websocket"]),
        read_plus(&["Content-Length: 1"]),
        read_with("Sec-WebSocket-Key: x"),
        read_plus(&[PLAIN[3]]),
        read_plus(&["Sec-WebSocket-Protocol: a b"]),
        read_plus(&["Sec-WebSocket-Extensions: a;"]),
    ] {
        let fault = found.unwrap_err();
        assert_eq!(fault.status(), 400, "{fault}");
        assert!(fault.answer_fields().is_empty(), "{fault}");
    }
}

#[test]
fn a_key_is_sixteen_bytes_in_base64_once() {
    for key in [
        "",
        "x",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZQA=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25jZSEh",
        "dGhl IHNhbXBsZSBub25jZQ==",
        "dGhlIHNhbXBsZSBub25jZ-==",
        "dGhlIHNhbXBsZSBub25jZQ==, dGhlIHNhbXBsZSBub25jZQ==",
        "====",
        "\"dGhlIHNhbXBsZSBub25jZQ==\"",
        "dGhlIHNhbXBsZSBub25jZQ==dGhlIHNhbXBsZSBub25jZQ==",
    ] {
        let found = read_with(&format!("Sec-WebSocket-Key: {key}"));
        assert_eq!(found, Err(HandshakeFault::Key(key.as_bytes().into())), "{key}");
    }
    assert_eq!(read_plus(&[PLAIN[3]]), Err(HandshakeFault::KeyCount(2)));
    assert_eq!(read(&PLAIN[..3]), Err(HandshakeFault::KeyCount(0)));
}

#[test]
fn a_key_may_have_bits_behind_its_bytes() {
    assert!(matches!(
        read_with("Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAB=="),
        Ok(Some(_))
    ));
}

#[test]
fn protocols_are_tokens_once_each_and_bounded() {
    for (line, name) in [
        ("a b", "a b"),
        ("a, b/c", "b/c"),
        ("a;b", "a;b"),
        ("\"a\"", "\"a\""),
        ("é", "é"),
        ("", ""),
        (",", ""),
    ] {
        let found = read_plus(&[&format!("Sec-WebSocket-Protocol: {line}")]);
        assert_eq!(found, Err(HandshakeFault::Protocol(name.as_bytes().into())), "{line}");
    }
    let repeated = Err(HandshakeFault::RepeatedProtocol((*b"a").into()));
    assert_eq!(read_plus(&["Sec-WebSocket-Protocol: a, b, a"]), repeated);
    assert_eq!(
        read_plus(&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Protocol: a"]),
        repeated
    );
    assert_eq!(offer_plus(&["Sec-WebSocket-Protocol: a, A"]).protocols, ["a", "A"]);
    let of = |count: usize| {
        format!(
            "Sec-WebSocket-Protocol: {}",
            (0..count).map(|n| format!("p{n}")).collect::<Vec<_>>().join(",")
        )
    };
    assert_eq!(offer_plus(&[&of(MAX_PROTOCOLS)]).protocols.len(), MAX_PROTOCOLS);
    assert_eq!(
        read_plus(&[&of(MAX_PROTOCOLS + 1)]),
        Err(HandshakeFault::TooManyProtocols(MAX_PROTOCOLS))
    );
}

#[test]
fn extensions_that_do_not_parse_are_a_fault() {
    let found = read_plus(&["Sec-WebSocket-Extensions: a;"]);
    assert_eq!(
        found,
        Err(HandshakeFault::Extensions(ExtensionsFault::Syntax((*b"a;").into())))
    );
}

#[test]
fn a_fault_is_one_sentence_with_a_status() {
    for (found, sentence) in [
        (
            read_with("Connection: close"),
            "Upgrade stands without \"upgrade\" in Connection; expected both",
        ),
        (
            read_with("Sec-WebSocket-Version: 8"),
            "Sec-WebSocket-Version is \"8\"; expected \"13\"",
        ),
        (
            read_with("Sec-WebSocket-Key: a\tb"),
            "Sec-WebSocket-Key is \"a\\tb\"; expected 16 bytes in base64",
        ),
        (
            read_plus(&[PLAIN[3]]),
            "Sec-WebSocket-Key stands 2 times; expected one line",
        ),
        (
            read_plus(&["Content-Length: 5"]),
            "the request has a body; one that opens a WebSocket has none",
        ),
        (
            read_plus(&["Sec-WebSocket-Protocol: a a"]),
            "Sec-WebSocket-Protocol has \"a a\"; expected names of token characters",
        ),
    ] {
        assert_eq!(found.unwrap_err().reason(), sentence);
    }
}

#[test]
fn the_accept_value_is_the_rfcs() {
    assert_eq!(accept_key(SAMPLE_KEY), SAMPLE_ACCEPT);
}

/// Checks a 101 with these lines beside the ones it must have.
fn check(offer: &Offer, more: &[&str]) -> Result<(), AnswerFault> {
    let accept = format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    check_lines(
        offer,
        &[&["Upgrade: WebSocket", "Connection: x, UPGRADE", &accept], more].concat(),
    )
}

fn check_lines(offer: &Offer, lines: &[&str]) -> Result<(), AnswerFault> {
    let answer = format!("HTTP/1.1 101 Switching Protocols\r\n{}\r\n\r\n", lines.join("\r\n"));
    check_answer(offer, &response_head(answer.as_bytes(), "GET"))
}

#[test]
fn an_answer_that_accepts_nothing_is_fine() {
    assert_eq!(check(&offer_plus(&[]), &[]), Ok(()));
    assert_eq!(
        check(
            &offer_plus(&["Sec-WebSocket-Protocol: a", "Sec-WebSocket-Extensions: b"]),
            &[]
        ),
        Ok(())
    );
}

#[test]
fn an_answer_needs_its_status_and_both_tokens() {
    let offer = offer_plus(&[]);
    let (upgrade, connection) = ("Upgrade: websocket", "Connection: Upgrade");
    let accept = format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    assert_eq!(check_lines(&offer, &[connection, &accept]), Err(AnswerFault::Upgrade));
    assert_eq!(
        check_lines(&offer, &[connection, &accept, "Upgrade: h2c"]),
        Err(AnswerFault::Upgrade)
    );
    assert_eq!(check_lines(&offer, &[upgrade, &accept]), Err(AnswerFault::Connection));
    assert_eq!(
        check_lines(&offer, &[upgrade, &accept, "Connection: close"]),
        Err(AnswerFault::Connection)
    );
    let ok = format!("HTTP/1.1 200 OK\r\n{upgrade}\r\n{connection}\r\n{accept}\r\n\r\n");
    assert_eq!(
        check_answer(&offer, &response_head(ok.as_bytes(), "GET")),
        Err(AnswerFault::Status(200))
    );
}

#[test]
fn a_protocol_that_was_kept_from_the_origin_is_none_that_it_may_choose() {
    let offer = offer_plus(&["Sec-WebSocket-Protocol: soap, v1.chat, v2.chat"]);
    let kept = offer.with_protocols("v2.chat,\tv1.chat , v3.chat");
    assert_eq!(kept.protocols, ["v1.chat", "v2.chat"]);
    let accept = format!("Sec-WebSocket-Accept: {SAMPLE_ACCEPT}");
    let lines = |protocol| ["Upgrade: websocket", "Connection: Upgrade", &accept, protocol].map(str::to_owned);
    for (protocol, is_good) in [
        ("Sec-WebSocket-Protocol: v2.chat", true),
        ("Sec-WebSocket-Protocol: soap", false),
    ] {
        let lines = lines(protocol);
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        assert_eq!(check_lines(&kept, &lines).is_ok(), is_good);
        assert!(check_lines(&offer, &lines).is_ok());
    }
    assert!(offer.with_protocols("").protocols.is_empty());
}

#[test]
fn a_101_of_http_1_0_is_a_fault_whatever_it_says() {
    let answer = format!(
        "HTTP/1.0 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {SAMPLE_ACCEPT}\r\n\r\n"
    );
    let fault = check_answer(&offer_plus(&[]), &response_head(answer.as_bytes(), "GET")).unwrap_err();
    assert_eq!(fault, AnswerFault::Http10);
    assert_eq!(
        fault.reason(),
        "the 101 is HTTP/1.0; a WebSocket is opened with HTTP/1.1"
    );
}

#[test]
fn an_answer_has_the_one_right_accept_value() {
    let offer = offer_plus(&[]);
    let both = ["Upgrade: websocket", "Connection: Upgrade"];
    assert_eq!(check_lines(&offer, &both), Err(AnswerFault::AcceptCount(0)));
    assert_eq!(
        check(&offer, &[&format!("sec-websocket-accept: {SAMPLE_ACCEPT}")]),
        Err(AnswerFault::AcceptCount(2))
    );
    for accept in [
        "",
        SAMPLE_KEY,
        "S3PPLMBITXAQ9KYGZZHZRBK+XOO=",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo",
        "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=, x",
    ] {
        let found = check_lines(&offer, &[both[0], both[1], &format!("Sec-WebSocket-Accept: {accept}")]);
        let expected = AnswerFault::Accept {
            got: accept.as_bytes().into(),
            expected: SAMPLE_ACCEPT.to_owned(),
        };
        assert_eq!(found, Err(expected));
    }
}

#[test]
fn an_answer_chooses_at_most_one_offered_protocol() {
    let offer = offer_plus(&["Sec-WebSocket-Protocol: chat, superchat"]);
    assert_eq!(check(&offer, &["Sec-WebSocket-Protocol: superchat"]), Ok(()));
    for protocol in ["", "x", "Chat", "chat, superchat", "chat,"] {
        let found = check(&offer, &[&format!("Sec-WebSocket-Protocol: {protocol}")]);
        assert_eq!(
            found,
            Err(AnswerFault::Protocol(protocol.as_bytes().into())),
            "{protocol}"
        );
    }
    let twice = ["Sec-WebSocket-Protocol: chat", "Sec-WebSocket-Protocol: superchat"];
    assert_eq!(check(&offer, &twice), Err(AnswerFault::ProtocolCount(2)));
    let unasked = check(&offer_plus(&[]), &["Sec-WebSocket-Protocol: chat"]);
    assert_eq!(unasked, Err(AnswerFault::Protocol((*b"chat").into())));
}

#[test]
fn an_answer_accepts_offered_extensions_once_each() {
    let offer = offer_plus(&["Sec-WebSocket-Extensions: x-a, x-b; c=1"]);
    let with = |value: &str| check(&offer, &[&format!("Sec-WebSocket-Extensions: {value}")]);
    assert_eq!(with("x-b; anything=2, x-a"), Ok(()));
    assert_eq!(with("x-c"), Err(AnswerFault::ExtensionNotOffered("x-c".into())));
    assert_eq!(with("X-A"), Err(AnswerFault::ExtensionNotOffered("X-A".into())));
    assert_eq!(with("x-a, x-a"), Err(AnswerFault::RepeatedExtension("x-a".into())));
    assert_eq!(
        with("x-a;"),
        Err(AnswerFault::Extensions(ExtensionsFault::Syntax((*b"x-a;").into())))
    );
    let over_lines = check(
        &offer,
        &["Sec-WebSocket-Extensions: x-a", "Sec-WebSocket-Extensions: x-a"],
    );
    assert_eq!(over_lines, Err(AnswerFault::RepeatedExtension("x-a".into())));
}

#[test]
fn an_answer_fits_one_of_the_deflate_offers() {
    let with = |offered: &str, answered: &str| {
        let offer = offer_plus(&[&format!("Sec-WebSocket-Extensions: {offered}")]);
        check(&offer, &[&format!("Sec-WebSocket-Extensions: {answered}")])
    };
    let refused = |answered: &str| Err(AnswerFault::Parameters(answered.as_bytes().into()));
    let plain = "permessage-deflate";
    let bounded = "permessage-deflate; client_max_window_bits";
    let answer = "permessage-deflate; client_max_window_bits=12";
    assert_eq!(with(plain, plain), Ok(()));
    assert_eq!(with(bounded, answer), Ok(()));
    assert_eq!(with(plain, answer), refused(answer));
    assert_eq!(with(&format!("{plain}, {bounded}"), answer), Ok(()));
    // An offer a server must decline cannot be accepted.
    assert_eq!(
        with("permessage-deflate; server_max_window_bits=99", plain),
        refused(plain)
    );
}

#[test]
fn where_messages_are_looked_at_other_extensions_are_not_offered() {
    let solo = Solo {
        to_origin: true,
        to_client: true,
        is_full_sized: false,
    };
    let (offer, text) = offer_plus(&[
        "Sec-WebSocket-Extensions: x-other, permessage-deflate; client_max_window_bits, permessage-deflate; x",
    ])
    .solo(solo);
    assert_eq!(offer.extensions, ["permessage-deflate"]);
    assert_eq!(
        text.as_deref(),
        Some("permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits")
    );
    let (offer, text) = offer_plus(&["Sec-WebSocket-Extensions: x-other"]).solo(solo);
    assert_eq!((offer.extensions, text), (Vec::new(), None));
}
