use super::*;
use crate::http::testing::request_head;

fn asked(head: &str, is_upgrade: bool) -> Asked {
    Asked {
        head: request_head(format!("{}\r\n\r\n", head.replace('\n', "\r\n")).as_bytes()),
        ray: "0-LOC".into(),
        client: ([127, 0, 0, 1], 1).into(),
        edge_port: 80,
        tls: None,
        is_upgrade,
        is_egress: false,
        zone: OnceLock::new(),
        leaving: crate::leaving::farewell().1,
    }
}

fn fields(asked: &Asked) -> Vec<String> {
    asked
        .fields()
        .map(|(name, value)| format!("{name}: {}", value.escape_ascii()))
        .collect()
}

#[test]
fn fields_are_those_of_the_client() {
    let asked = asked(
        "GET / HTTP/1.1\nX-A: 1\nhOST: A.example.:80\nUpgrade: H2C\nx-a: 2",
        false,
    );
    assert_eq!(
        fields(&asked),
        ["X-A: 1", "hOST: A.example.:80", "Upgrade: H2C", "x-a: 2"]
    );
}

#[test]
fn the_host_of_an_absolute_form_takes_the_place_of_the_field() {
    let absolute = asked("GET http://B.example:81/ HTTP/1.1\nX-A: 1\nHost: a.example", false);
    assert_eq!(fields(&absolute), ["X-A: 1", "Host: B.example:81"]);
    let bare = asked("GET http://b.example/ HTTP/1.0\nX-A: 1", false);
    assert_eq!(fields(&bare), ["Host: b.example", "X-A: 1"]);
    assert_eq!(fields(&asked("GET / HTTP/1.0\nX-A: 1", false)), ["X-A: 1"]);
}

#[test]
fn an_upgrade_says_websocket_in_lower_case() {
    let head = "GET / HTTP/1.1\nHost: a\nUPGRADE: WebSocket";
    assert_eq!(fields(&asked(head, true)), ["Host: a", "UPGRADE: websocket"]);
}
