use std::time::Duration;

use super::*;

fn date(seconds: u64) -> String {
    let mut out = Vec::new();
    push_date(&mut out, UNIX_EPOCH + Duration::from_secs(seconds));
    String::from_utf8(out).unwrap()
}

#[test]
fn a_date_is_an_imf_fixdate() {
    for (seconds, expected) in [
        (0, "Thu, 01 Jan 1970 00:00:00 GMT"),
        (784_111_777, "Sun, 06 Nov 1994 08:49:37 GMT"), // RFC 9110 §5.6.7's example
        (951_782_399, "Mon, 28 Feb 2000 23:59:59 GMT"),
        (951_782_400, "Tue, 29 Feb 2000 00:00:00 GMT"),
        (1_709_164_800, "Thu, 29 Feb 2024 00:00:00 GMT"),
        (1_735_689_599, "Tue, 31 Dec 2024 23:59:59 GMT"),
        (1_735_689_600, "Wed, 01 Jan 2025 00:00:00 GMT"),
        (4_107_542_399, "Sun, 28 Feb 2100 23:59:59 GMT"),
        (4_107_542_400, "Mon, 01 Mar 2100 00:00:00 GMT"),
        (253_402_300_799, "Fri, 31 Dec 9999 23:59:59 GMT"),
    ] {
        assert_eq!(date(seconds), expected);
    }
}

#[test]
fn a_time_before_1970_is_written_as_1970() {
    let mut out = Vec::new();
    push_date(&mut out, UNIX_EPOCH - Duration::from_secs(1));
    assert_eq!(out, b"Thu, 01 Jan 1970 00:00:00 GMT");
}

#[test]
fn each_day_follows_the_one_before() {
    let mut before = civil(0);
    for days in 1..200_000 {
        let now = civil(days);
        let follows = now == (before.0, before.1, before.2 + 1)
            || now == (before.0, before.1 + 1, 1)
            || (now == (before.0 + 1, 0, 1) && before.1 == 11);
        assert!(follows, "{before:?} {now:?}");
        before = now;
    }
}
