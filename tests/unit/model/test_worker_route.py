"""Routes of Workers: which text is a pattern, and which pattern a request belongs to."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.model.worker_route import MAX_CHARS, MAX_ROUTES, RoutePattern, RouteTable, parse_pattern


def of(scheme: str, host: str, path: str) -> RoutePattern:
    return RoutePattern(
        scheme=scheme,
        host=host.removeprefix("*"),
        is_host_open=host.startswith("*"),
        path=path.removesuffix("*"),
        is_path_open=path.endswith("*"),
    )


@pytest.mark.parametrize(
    ("text", "pattern"),
    [
        ("example.com", of("", "example.com", "/")),
        ("example.com/", of("", "example.com", "/")),
        ("example.com/*", of("", "example.com", "/*")),
        ("*example.com/*", of("", "*example.com", "/*")),
        ("*.Example.COM/Images*", of("", "*.example.com", "/Images*")),
        ("https://chat.example.com/room", of("https", "chat.example.com", "/room")),
        ("HTTP://example.com/a", of("http", "example.com", "/a")),
        ("*/*", of("", "*", "/*")),
        ("*", of("", "*", "/")),
        ("bücher.example/ä", of("", "xn--bcher-kva.example", "/ä")),
    ],
)
def test_a_pattern_has_one_meaning_and_one_spelling(text: str, pattern: RoutePattern) -> None:
    assert parse_pattern(text) == pattern
    assert parse_pattern(str(pattern)) == pattern


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a pattern such as"),
        ("ftp://example.com/*", "http:// or https://"),
        ("ex*mple.com/", "nowhere in the host"),
        ("**example.com/", "nowhere in the host"),
        ("example.*/", "nowhere in the host"),
        ("*./x", "a pattern such as"),
        (".example.com/", "a pattern such as"),
        ("example.com/*.png", "nowhere in the path"),
        ("example.com/**", "nowhere in the path"),
        ("example.com/a?b=1", "without a query"),
        ("example.com/a#b", "without a query"),
        ("example.com:8080/", "a pattern such as"),
        ("127.0.0.1/*", "a pattern such as"),
        ("exa mple.com/", "a pattern such as"),
        ("example.com/\n", "a pattern such as"),
        ("example.com/" + "a" * MAX_CHARS, "at most"),
    ],
)
def test_what_is_no_pattern_is_refused_with_what_was_expected(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence.replace("?", r"\?")):
        parse_pattern(text)


@given(st.text(alphabet="*./:?a\nhttps", max_size=20))
def test_no_text_does_more_than_be_refused(text: str) -> None:
    try:
        parsed = parse_pattern(text)
    except ValueError:
        return
    assert parse_pattern(str(parsed)) == parsed


@pytest.mark.parametrize(
    ("pattern", "zone", "is_of_it"),
    [
        ("example.com/*", "example.com", True),
        ("*.example.com/*", "example.com", True),
        ("*example.com/*", "example.com", True),
        ("*/*", "example.com", True),
        ("example.org/*", "example.com", False),
        ("myexample.com/*", "example.com", False),
        ("*ample.com/*", "example.com", False),
    ],
)
def test_a_pattern_is_of_a_zone_where_its_host_is(pattern: str, zone: str, is_of_it: bool) -> None:
    assert parse_pattern(pattern).is_of_zone(zone) is is_of_it


def table(*patterns: str) -> RouteTable[str]:
    return RouteTable((parse_pattern(one), one) for one in patterns)


@pytest.mark.parametrize(
    ("patterns", "scheme", "host", "target", "found"),
    [
        # Cloudflare, "Routes: Matching behavior".
        (["example.com"], "https", "example.com", "/", "example.com"),
        (["example.com"], "https", "example.com", "/a", None),
        (["example.com/cat.png"], "https", "example.com", "/cat.png", "example.com/cat.png"),
        (["example.com/cat.png"], "https", "example.com", "/cat.png?x=1", None),
        (["example.com/cat.png*"], "https", "example.com", "/cat.png?x=1", "example.com/cat.png*"),
        (["example.com/cat*"], "https", "example.com", "/Cat", None),
        (["*example.com/*"], "https", "example.com", "/", "*example.com/*"),
        (["*example.com/*"], "https", "myexample.com", "/", "*example.com/*"),
        (["*.example.com/*"], "https", "example.com", "/", None),
        (["*.example.com/*"], "https", "a.b.example.com", "/x", "*.example.com/*"),
        (["http://example.com/*"], "https", "example.com", "/", None),
        (["http://example.com/*", "example.com/*"], "http", "example.com", "/", "http://example.com/*"),
        (["http://example.com/*", "example.com/*"], "https", "example.com", "/", "example.com/*"),
        # The most specific wins; the host decides before the path.
        (["*.example.com/a", "a.example.com/*"], "https", "a.example.com", "/a", "a.example.com/*"),
        (["example.com/*", "example.com/images/*"], "https", "example.com", "/images/x", "example.com/images/*"),
        (
            ["example.com/images/*", "example.com/images*"],
            "https",
            "example.com",
            "/images/hello",
            "example.com/images/*",
        ),
        (["example.com/images/*", "example.com/images*"], "https", "example.com", "/images2", "example.com/images*"),
        (["example.com/a", "example.com/a*"], "https", "example.com", "/a", "example.com/a"),
        (["*example.com/*", "*.example.com/*"], "https", "x.example.com", "/", "*.example.com/*"),
        (["*/*", "*.example.com/*"], "https", "x.example.com", "/", "*.example.com/*"),
        # One whose host fits and whose path does not leaves the request to the others.
        (["a.example.com/x", "*.example.com/*"], "https", "a.example.com", "/y", "*.example.com/*"),
        (["https://a.example.com/*", "*.example.com/*"], "http", "a.example.com", "/y", "*.example.com/*"),
        (["example.com/a/b*", "example.com/a*"], "https", "example.com", "/a/c", "example.com/a*"),
        ([], "https", "example.com", "/", None),
    ],
)
def test_the_most_specific_pattern_that_matches_is_found(
    patterns: list[str], scheme: str, host: str, target: str, found: str | None
) -> None:
    assert table(*patterns).find(scheme, host, target) == found
    assert table(*reversed(patterns)).find(scheme, host, target) == found


def _matches(pattern: RoutePattern, scheme: str, host: str, target: str) -> bool:
    return (
        pattern.scheme in {"", scheme}
        and (host.endswith(pattern.host) if pattern.is_host_open else host == pattern.host)
        and (target.startswith(pattern.path) if pattern.is_path_open else target == pattern.path)
    )


def _rank(pattern: RoutePattern) -> tuple[bool, int, bool, int, bool]:
    return (
        not pattern.is_host_open,
        len(pattern.host),
        not pattern.is_path_open,
        len(pattern.path),
        pattern.scheme != "",
    )


_HOSTS = st.sampled_from(["a.b", "x.a.b", "y.x.a.b", "xa.b", "c.b"])
_PATTERNS = st.builds(
    RoutePattern,
    st.sampled_from(["", "http", "https"]),
    st.sampled_from(["a.b", "x.a.b", "xa.b"]) | st.sampled_from([".a.b", ".x.a.b", ".b", ""]),
    st.booleans(),
    st.text(alphabet="a/", max_size=4).map("/".__add__),
    st.booleans(),
)


@given(st.lists(_PATTERNS, max_size=30), st.sampled_from(["http", "https"]), _HOSTS, st.text(alphabet="a/", max_size=6))
def test_the_table_finds_what_looking_at_every_pattern_finds(
    patterns: list[RoutePattern], scheme: str, host: str, path: str
) -> None:
    patterns = [one for one in patterns if one.is_host_open or not one.host.startswith(".")]
    fitting = [one for one in patterns if _matches(one, scheme, host, f"/{path}")]
    expected = max(fitting, key=_rank, default=None)
    assert RouteTable((one, one) for one in patterns).find(scheme, host, f"/{path}") == expected


def _cost_of(routes: RouteTable[int]) -> float:
    """Seconds of one look-up: the fastest of many, so that what else runs here does not count."""
    best = 1.0
    for _ in range(200):
        before = time.perf_counter()
        routes.find("https", "www.example.com", "/api/v1/chat/rooms/7?since=1")
        best = min(best, time.perf_counter() - before)
    return best


def test_a_thousand_routes_cost_a_request_hardly_more_than_three() -> None:
    few = RouteTable((parse_pattern(f"www.example.com/api/v{n}/*"), n) for n in range(3))
    many = RouteTable((parse_pattern(f"www.example.com/api/v{n}/*"), n) for n in range(MAX_ROUTES))
    # About 1 µs, both; looking at each would be 300 times as much.
    assert _cost_of(many) < 10 * _cost_of(few)
