use super::*;

fn fields(connection: &[&str]) -> Fields {
    let mut fields = Fields::new();
    for value in connection {
        fields.push("Connection", value.as_bytes());
    }
    fields
}

#[test]
fn what_is_about_one_connection_is_removed_unasked() {
    let fields = fields(&[]);
    let hop = Hop::of(&fields);
    for name in [
        "Connection",
        "KEEP-ALIVE",
        "Proxy-Connection",
        "Proxy-Authenticate",
        "Proxy-Authorization",
        "TE",
        "Transfer-Encoding",
        "Upgrade",
        "HTTP2-Settings",
    ] {
        assert!(hop.removes(name), "{name}");
    }
    for name in [
        "X-A",
        "Host",
        "Trailer",
        "Cookie",
        "Upgrade-Insecure-Requests",
        "Connection-Id",
    ] {
        assert!(!hop.removes(name), "{name}");
    }
}

#[test]
fn what_connection_names_on_any_line_is_removed() {
    let fields = fields(&["keep-alive, X-One", "x-TWO"]);
    let hop = Hop::of(&fields);
    assert!(hop.removes("x-one") && hop.removes("X-Two"));
    assert!(!hop.removes("X-Three"));
}

#[test]
fn connection_cannot_remove_what_the_other_end_relies_on() {
    for name in [
        "Host",
        "Content-Length",
        "content-type",
        "Cookie",
        "Set-Cookie",
        "Authorization",
        "Origin",
        "Cache-Control",
        "Sec-WebSocket-Key",
        "sec-websocket-accept",
        "Sec-Fetch-Site",
        "X-Forwarded-For",
        "CF-Connecting-IP",
        "Access-Control-Allow-Origin",
        "Content-Security-Policy",
        "Strict-Transport-Security",
    ] {
        let fields = fields(&[&format!("close, {name}")]);
        assert!(!Hop::of(&fields).removes(name), "{name}");
    }
}

#[test]
fn a_family_is_named_by_its_start() {
    assert!(is_end_to_end("Content-") && is_end_to_end("CONTENT-X"));
    assert!(!is_end_to_end("Content") && !is_end_to_end("X-Content-"));
}

#[test]
fn an_ordinary_trailer_is_not_forbidden() {
    for name in [
        "Grpc-Status",
        "Grpc-Message",
        "Server-Timing",
        "Digest",
        "ETag",
        "X-Checksum",
    ] {
        assert!(!is_forbidden_in_trailers(name.as_bytes()), "{name}");
    }
}
