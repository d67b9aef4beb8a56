use http::Response;

use super::*;

fn own_answer(status: u16, headers: &[(&str, &str)], body: &[u8]) -> Response<()> {
    let headers = headers
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    let respond = Respond {
        status,
        zone: None,
        headers: headers.collect(),
        body: body.to_vec(),
    };
    own(&respond, "ray").unwrap()
}

#[test]
fn an_answer_of_ours_has_its_length_its_date_and_its_ray() {
    let answer = own_answer(403, &[("X-By", "policy")], b"no");
    assert_eq!(answer.status(), 403);
    for (name, value) in [("x-by", "policy"), ("content-length", "2"), ("cf-ray", "ray")] {
        assert_eq!(answer.headers()[name], value);
    }
    assert!(answer.headers().contains_key("date"));
}

#[test]
fn nothing_about_a_connection_is_in_it() {
    let answer = own_answer(426, &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")], b"");
    assert_eq!(answer.headers()["sec-websocket-version"], "13");
    for name in OF_CONNECTION {
        assert!(!answer.headers().contains_key(name), "{name}");
    }
}

#[test]
fn fields_of_one_name_all_stay() {
    let answer = own_answer(200, &[("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")], b"");
    let cookies: Vec<_> = answer.headers().get_all("set-cookie").iter().collect();
    assert_eq!(cookies, ["a=1", "b=2"]);
}
