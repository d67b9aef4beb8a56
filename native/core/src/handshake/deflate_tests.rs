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
