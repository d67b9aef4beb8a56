use std::time::{Duration, Instant};

use proptest::prelude::*;

use super::*;

fn fingerprint(value: &str) -> Option<String> {
    sqli_fingerprint(value.as_bytes()).map(|letters| String::from_utf8(letters).unwrap())
}

#[test]
fn injections_have_the_fingerprints_that_libinjection_gives_them() {
    for (value, wanted) in [
        ("1' or '1'='1", "s&sos"),
        ("1 union select 1,2,3 --", "1UE1c"),
        ("1 union all select password from users", "1UEnk"),
        ("' or 1=1 --", "s&1c"),
        ("1;drop table users", "1;Tnn"),
        ("\" or \"\"=\"", "s&sos"),
        ("1 and sleep(5)", "1&f(1"),
        ("x' AND 1=(SELECT COUNT(*) FROM t); --", "s&1o("),
        ("/*!00000union*/", "X"),
        ("1/* a /* b */", "X"),
        ("1--", "1c"),
        ("'; exec xp_cmdshell('dir')", "s;Tn("),
        ("1 || 1=1#", "1&1c"),
        ("foo' + 'bar", "sos"),
    ] {
        assert_eq!(fingerprint(value).as_deref(), Some(wanted), "{value}");
    }
}

#[test]
fn ordinary_values_are_no_injections() {
    for value in [
        "",
        "1",
        "foo",
        "O'Reilly",
        "hello world",
        "rock and roll",
        "a-b-c",
        "2026-11-26",
        "1,2,3",
        "user@example.com",
        "select your seat",
        "it's",
        "say \"hi\"",
        "Tom & Jerry",
        "50%",
        "C# or Java",
        "dGhlIHNhbXBsZSBub25jZQ==",
        "8f14e45fceea167a5a36dedd4bea2543",
        "Mozilla/5.0 (X11; Linux x86_64) Gecko/20100101",
        "'sexy and 17",
        "--",
        "#1",
        "$5.00 off",
        "x union",
        "/a/b/c?d=e&f=g",
    ] {
        assert_eq!(fingerprint(value), None, "{value}");
    }
}

#[test]
fn scripts_are_found_in_every_context_of_html() {
    for value in [
        "<script>",
        "<ScRiPt src=x>",
        "<scr\0ipt>",
        "<img src=x onerror=alert(1)>",
        "<svg/onload=x>",
        "\" onclick=alert(1) x=\"",
        "' onmouseover='x",
        "` onfocus=x",
        "onload=x",
        "<a href=javascript:x>",
        "<a href=\"&#106;avascript:x\">",
        "<a href='\x01 java\nscript:x'>",
        "<a href=data:text/html,x>",
        "<p style=x>",
        "<!doctype html>",
        "<!--[if IE]>-->",
        "<!-- ` -->",
        "<?import x>",
        "<xsl:x>",
        "<x xmlns=y>",
        "<set attributename=href to=x>",
        "<iframe>",
        "<% ` %>",
        "<a \0href=vbscript:x>",
    ] {
        assert!(is_xss(value.as_bytes()), "{value}");
    }
}

#[test]
fn a_byte_ff_does_not_end_a_tag_as_it_does_in_c_where_characters_have_a_sign() {
    assert!(is_xss(b"<a \xff onload=x>"));
}

#[test]
fn ordinary_values_run_no_scripts() {
    for value in [
        "",
        "foo",
        "<b>bold</b>",
        "a < b",
        "1 <2> 3",
        "x=y",
        "<a href=https://example.com/>",
        "on=off",
        "once=5",
        "<3",
        "</p>",
        "a=1&b=2",
        "<p class=\"style\">",
        "=",
        "<",
        "<!",
        "</",
        "<%",
        "<a",
        "<a b=",
        "<!--",
        "<![CDATA[x",
        "mail <me@example.com>",
    ] {
        assert!(!is_xss(value.as_bytes()), "{value}");
    }
}

#[test]
fn a_long_value_takes_time_that_is_linear_in_it() {
    let units = [
        "a.",
        "a`",
        "<a ",
        "<",
        "</",
        "<!--",
        "<%",
        "/*",
        "--\n",
        "' or ",
        "1,",
        "(",
        "$a$",
        "q'(",
        "x'",
        "\\'",
        "''",
        "\"",
        "`",
        "0x",
        "@",
        "[",
        "{``",
        "1e",
        "select a ",
        "a=",
        "<a x='",
        "/",
        "on=",
        "-",
        "\0",
        "&#",
        "]]",
        "%",
    ];
    for unit in units {
        let value = unit.repeat(100_000 / unit.len());
        let start = Instant::now();
        let _ = (sqli_fingerprint(value.as_bytes()), is_xss(value.as_bytes()));
        assert!(
            start.elapsed() < Duration::from_secs(4),
            "{unit:?} took {:?}",
            start.elapsed()
        );
    }
}

proptest! {
    #[test]
    fn no_value_makes_either_half_panic_and_fingerprints_are_short(
        value in prop_oneof![
            "[-'\"` ()#/*!=1aoOrRnNuUqQxXbBeE,;.@$\\[\\]{}\\\\<>&%?:|\0]{0,40}".prop_map(String::into_bytes),
            prop::collection::vec(any::<u8>(), 0..60),
        ]
    ) {
        let _ = is_xss(&value);
        if let Some(letters) = sqli_fingerprint(&value) {
            prop_assert!((1..=5).contains(&letters.len()));
        }
    }
}
