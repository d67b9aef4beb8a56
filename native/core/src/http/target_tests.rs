use super::*;

fn target(text: &str, method: &str) -> Result<(Option<String>, String), TargetFault> {
    let target = parse_target(text.as_bytes(), method.as_bytes())?;
    Ok((target.authority.map(str::to_owned), target.path_and_query.to_owned()))
}

#[test]
fn an_origin_form_is_kept_as_it_is() {
    for text in [
        "/",
        "/a/b?c=d&e",
        "//a.example/x",
        "/%2e%2e/%00",
        "/?http://b/",
        "/ä|\"<>\\^`{}",
        "/..//./",
    ] {
        assert_eq!(target(text, "GET"), Ok((None, text.to_owned())));
    }
}

#[test]
fn an_absolute_form_is_split_into_authority_and_path() {
    for (text, authority, path) in [
        ("http://a.example/x?y", "a.example", "/x?y"),
        ("HTTPS://A.example:8443/", "A.example:8443", "/"),
        ("ws://a.example", "a.example", ""),
        ("wss://[::1]:80?q", "[::1]:80", "?q"),
        ("http://a.example/http://b.example/", "a.example", "/http://b.example/"),
    ] {
        assert_eq!(
            target(text, "GET"),
            Ok((Some(authority.to_owned()), path.to_owned())),
            "{text}"
        );
    }
}

#[test]
fn options_may_ask_about_the_server_as_a_whole() {
    assert_eq!(target("*", "OPTIONS"), Ok((None, "*".to_owned())));
    assert_eq!(
        target("http://a.example", "OPTIONS"),
        Ok((Some("a.example".to_owned()), "*".to_owned()))
    );
    assert_eq!(
        target("http://a.example/", "OPTIONS"),
        Ok((Some("a.example".to_owned()), "/".to_owned()))
    );
    assert_eq!(target("*", "GET"), Err(TargetFault::StarWithoutOptions));
    assert_eq!(target("*", "options"), Err(TargetFault::StarWithoutOptions));
}

#[test]
fn any_other_form_is_refused() {
    for text in [
        "",
        "a",
        "a.example:443",
        "?q",
        "**",
        "*/",
        "ftp://a/",
        "http:/a",
        "http:a",
        "://a/",
        "javascript:x",
    ] {
        assert_eq!(
            target(text, "OPTIONS"),
            Err(TargetFault::Form(text.as_bytes().into())),
            "{text}"
        );
    }
    assert_eq!(parse_target(b"/\xc3\x28", b"GET"), Err(TargetFault::NotUtf8));
    assert_eq!(parse_target(b"/\xed\xa0\x80", b"GET"), Err(TargetFault::NotUtf8));
}

#[test]
fn an_absolute_form_has_a_host_and_no_userinfo() {
    for authority in ["", "u@a.example", "u:p@a.example", ":80", "a:b:c"] {
        let expected = Err(TargetFault::Host(authority.as_bytes().into()));
        assert_eq!(target(&format!("http://{authority}/"), "GET"), expected, "{authority}");
    }
}

#[test]
fn a_host_is_given_without_its_port() {
    for (authority, host) in [
        ("a.example", "a.example"),
        ("a.example.:1", "a.example"),
        ("127.0.0.1.", "127.0.0.1"),
        ("A-b_c~1.example:65535", "A-b_c~1.example"),
        ("127.0.0.1:8080", "127.0.0.1"),
        ("[::1]", "[::1]"),
        ("[2001:DB8::1]:0443", "[2001:DB8::1]"),
        ("[::ffff:127.0.0.1]:1", "[::ffff:127.0.0.1]"),
    ] {
        assert_eq!(parse_authority(authority.as_bytes()), Ok(host));
    }
}

#[test]
fn what_is_not_a_host_with_a_port_is_refused() {
    let too_long = "a".repeat(MAX_HOST_BYTES + 1);
    for authority in [
        "",
        ":80",
        "a:",
        "a:0",
        "a:65536",
        "a:000080",
        "a:+80",
        "a:-1",
        "a: 80",
        "a:80 ",
        "a:8o",
        "a:80:80",
        "a b",
        "a/",
        "a/b",
        "a,b",
        "a, a",
        "u@a",
        "a?",
        "a#",
        "a\\b",
        "a%41",
        "a;b",
        "a=b",
        "a|b",
        "a\"",
        "<a>",
        "::1",
        "[]",
        "[::1",
        "::1]",
        "[::1]80",
        "[::1]:",
        "[::1]]",
        "[[::1]]",
        "[a]",
        "[127.0.0.1]",
        "[::1%25eth0]",
        "[v1.a]",
        "a[::1]",
        "[::1].",
        ".",
        "..",
        ".:80",
        ".a",
        "a..",
        "a..b",
        "é.example",
        "a\tb",
        &too_long,
    ] {
        let expected = Err(TargetFault::Host(authority.as_bytes().into()));
        assert_eq!(parse_authority(authority.as_bytes()), expected, "{authority}");
    }
    assert!(parse_authority(b"a\xff").is_err());
    assert!(parse_authority(&too_long.as_bytes()[..MAX_HOST_BYTES]).is_ok());
    assert!(parse_authority(format!("{}.", &too_long[..MAX_HOST_BYTES]).as_bytes()).is_ok());
}
