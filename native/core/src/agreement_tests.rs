use super::*;
use crate::handshake::{accept_key, read_offer};
use crate::http::testing::{request_head, response_head};
use crate::parked::tests::{target, upstream};

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

fn offer(lines: &str) -> Offer {
    let request = format!(
        "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: {KEY}\r\n{lines}\r\n"
    );
    read_offer(&request_head(request.as_bytes())).unwrap().unwrap()
}

/// The 101 of a script's process.
fn answer(lines: &str) -> ResponseHead {
    let accept = accept_key(KEY);
    let head = format!(
        "HTTP/1.1 101 x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n{lines}\r\n"
    );
    response_head(head.as_bytes(), "GET")
}

fn agreed(offered: &str, answered: &str, passed: Option<Passed>) -> Result<(Agreed, Party), String> {
    let offer = offer(offered);
    with_worker(
        &offer,
        answer(answered),
        ("worker:a".into(), None),
        &target("a"),
        passed,
    )
}

fn extensions(agreed: &Agreed) -> Option<&[u8]> {
    agreed.answer.fields().first(EXTENSIONS)
}

#[test]
fn a_session_is_compressed_as_the_edge_can_whatever_the_process_says() {
    let deflate = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    for (offered, answered, expected) in [
        ("", "", None),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n",
            "",
            Some(deflate.to_owned()),
        ),
        (
            "Sec-WebSocket-Extensions: x-other, permessage-deflate\r\n",
            "",
            Some(deflate.to_owned()),
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            "Sec-WebSocket-Extensions:\r\n",
            None,
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate\r\n",
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=9, x\r\n",
            Some(deflate.to_owned()),
        ),
        // A window that is smaller than ours is not accepted; the next offer is.
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10\r\n",
            "",
            None,
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=10, permessage-deflate\r\n",
            "",
            Some(deflate.to_owned()),
        ),
        (
            "Sec-WebSocket-Extensions: permessage-deflate; server_max_window_bits=15\r\n",
            "",
            Some(format!("{deflate}; server_max_window_bits=15")),
        ),
        ("Sec-WebSocket-Extensions: x-other\r\n", "", None),
    ] {
        let answered = format!("{answered}Holdfast-Session: t1\r\n");
        let (agreed, party) = agreed(offered, &answered, None).unwrap();
        assert_eq!(
            extensions(&agreed),
            expected.as_deref().map(str::as_bytes),
            "{offered} {answered}"
        );
        let Party::Session(terms) = party else {
            panic!("no session")
        };
        assert_eq!(
            (&*terms.ticket, &*terms.script, terms.is_compressed),
            ("t1", "a", expected.is_some())
        );
        assert_eq!(
            check_answer(&offer(offered), &agreed.answer),
            Ok(()),
            "{offered} {answered}"
        );
    }
}

#[test]
fn what_is_parked_is_given_to_a_client_under_its_own_terms() {
    let (upstream, _far) = upstream("a");
    let passed = Passed {
        half: upstream.half,
        answer: upstream.answer,
        label: upstream.identity.origin,
    };
    let answered = "Sec-WebSocket-Protocol: other\r\nX-Kept: 1\r\nHoldfast-Pass: t\r\n";
    let (agreed, party) = agreed("", answered, Some(passed)).unwrap();
    assert_eq!(
        extensions(&agreed),
        Some(&b"permessage-deflate; server_no_context_takeover"[..])
    );
    assert_eq!(agreed.answer.fields().values(PROTOCOL).collect::<Vec<_>>(), [b"chat"]);
    assert_eq!(agreed.answer.fields().first("x-kept"), Some(&b"1"[..]));
    assert_eq!(&*agreed.label, "https://o.test");
    let Party::Origin(half) = party else {
        panic!("no origin")
    };
    assert_eq!(half.early, b"early");
    // This client has offered neither.
    let refused = check_answer(&offer(""), &agreed.answer);
    assert!(refused.is_err(), "{refused:?}");
}

#[test]
fn a_101_that_says_neither_or_nonsense_opens_nothing() {
    let long = format!("Holdfast-Session: {}\r\n", "t".repeat(MAX_TICKET_BYTES + 1));
    for (answered, reason) in [
        ("", "it has neither Holdfast-Session nor Holdfast-Pass"),
        (
            "Holdfast-Session: t\r\nHoldfast-Pass: x\r\n",
            "it has both Holdfast-Session and Holdfast-Pass",
        ),
        (
            "Holdfast-Session: a b\r\n",
            "its Holdfast-Session is no token of up to 128 bytes",
        ),
        (
            "Holdfast-Session:\r\n",
            "its Holdfast-Session is no token of up to 128 bytes",
        ),
        (long.as_str(), "its Holdfast-Session is no token of up to 128 bytes"),
        (
            "Holdfast-Pass: nonsense\r\n",
            "nothing is parked under its Holdfast-Pass",
        ),
        (
            "Holdfast-Pass: 00000000000000000000000000000000\r\n",
            "nothing is parked under its Holdfast-Pass",
        ),
    ] {
        let refused = agreed("", answered, None).err();
        assert_eq!(refused.as_deref(), Some(reason), "{answered}");
    }
}
