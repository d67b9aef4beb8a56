use super::super::extensions;
use super::*;
use crate::http::Fields;

fn fields(line: &str) -> Fields {
    let mut fields = Fields::new();
    fields.push("Sec-WebSocket-Extensions", line.as_bytes());
    fields
}

fn offer(parameters: &str) -> Option<DeflateOffer> {
    let fields = fields(&format!("permessage-deflate{parameters}"));
    DeflateOffer::read(&extensions::read(&fields).unwrap()[0])
}

fn allows(offered: &str, answered: &str) -> bool {
    let fields = fields(&format!("permessage-deflate{answered}"));
    offer(offered)
        .expect("an offer")
        .allows(&extensions::read(&fields).unwrap()[0])
}

#[test]
fn an_offer_for_another_extension_is_none() {
    let fields = fields("x-webkit-deflate-frame");
    assert_eq!(DeflateOffer::read(&extensions::read(&fields).unwrap()[0]), None);
}

#[test]
fn an_offer_a_server_must_decline_is_none() {
    for parameters in [
        "; x",
        "; server_no_context_takeover=1",
        "; client_no_context_takeover=true",
        "; server_max_window_bits",
        "; server_max_window_bits=7",
        "; server_max_window_bits=16",
        "; server_max_window_bits=08",
        "; client_max_window_bits=7",
        "; client_max_window_bits=16",
        "; client_max_window_bits=+9",
        "; client_max_window_bits=8.0",
        "; server_no_context_takeover; server_no_context_takeover",
        "; client_no_context_takeover; client_no_context_takeover",
        "; client_max_window_bits; client_max_window_bits=9",
        "; server_max_window_bits=9; server_max_window_bits=9",
        "; Server_No_Context_Takeover",
    ] {
        assert_eq!(offer(parameters), None, "{parameters}");
    }
}

#[test]
fn an_answer_may_say_what_the_offer_allows() {
    for (offered, answered) in [
        ("", ""),
        ("", "; server_no_context_takeover"),
        ("", "; client_no_context_takeover"),
        ("", "; server_max_window_bits=8"),
        ("; client_max_window_bits", ""),
        ("; client_max_window_bits", "; client_max_window_bits=8"),
        ("; client_max_window_bits", "; client_max_window_bits=15"),
        ("; client_max_window_bits=12", "; client_max_window_bits=12"),
        ("; server_max_window_bits=10", "; server_max_window_bits=\"10\""),
        ("; server_max_window_bits=10", "; server_max_window_bits=9"),
        (
            "; server_no_context_takeover",
            "; server_no_context_takeover; client_no_context_takeover",
        ),
    ] {
        assert!(allows(offered, answered), "{offered} -> {answered}");
    }
}

#[test]
fn an_answer_may_not_say_more() {
    for (offered, answered) in [
        ("", "; client_max_window_bits=15"),
        ("", "; client_max_window_bits"),
        ("; client_max_window_bits", "; client_max_window_bits"),
        ("; client_max_window_bits=12", "; client_max_window_bits=13"),
        ("; server_max_window_bits=10", "; server_max_window_bits=11"),
        ("", "; server_max_window_bits"),
        ("", "; server_max_window_bits=16"),
        ("", "; unknown"),
        ("", "; server_no_context_takeover=1"),
        ("", "; server_no_context_takeover; server_no_context_takeover"),
    ] {
        assert!(!allows(offered, answered), "{offered} -> {answered}");
    }
}

const BOTH: Solo = Solo {
    to_origin: true,
    to_client: true,
    is_full_sized: false,
};
const TO_ORIGIN: Solo = Solo {
    to_origin: true,
    to_client: false,
    is_full_sized: false,
};

#[test]
fn an_offer_asks_for_messages_compressed_by_themselves() {
    for (offered, solo, expected) in [
        ("", BOTH, "; server_no_context_takeover; client_no_context_takeover"),
        (
            "; client_max_window_bits; server_max_window_bits=\"10\"",
            BOTH,
            "; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=10; client_max_window_bits",
        ),
        (
            "; client_max_window_bits=9; server_no_context_takeover",
            TO_ORIGIN,
            "; server_no_context_takeover; client_no_context_takeover; client_max_window_bits=9",
        ),
        ("", TO_ORIGIN, "; client_no_context_takeover"),
    ] {
        let text = offer(offered).expect("an offer").solo(solo).text();
        assert_eq!(text, format!("permessage-deflate{expected}"), "{offered}");
    }
}

#[test]
fn an_answer_tells_the_client_to_compress_messages_by_themselves() {
    let answered = |answer: &str, solo| {
        let fields = fields(&format!("permessage-deflate{answer}"));
        answer_solo(&extensions::read(&fields).unwrap()[0], solo)
    };
    let both = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";
    assert_eq!(answered("; server_no_context_takeover", BOTH).as_deref(), Some(both));
    assert_eq!(
        answered("; server_max_window_bits=11", TO_ORIGIN).as_deref(),
        Some("permessage-deflate; client_no_context_takeover; server_max_window_bits=11")
    );
    // RFC 7692 §7.1.1.1: who accepts such an offer repeats it. Who does not would keep its context.
    assert_eq!(answered("; client_no_context_takeover", BOTH), None);
}
