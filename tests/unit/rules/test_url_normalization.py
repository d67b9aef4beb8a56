"""`holdfast.rules.url_normalization`: the spellings of one path, and what stays two paths."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.rules.literals import bytes_of
from holdfast.rules.url_normalization import UrlForm, normalized_path

FORMS = st.sampled_from(("cloudflare", "rfc3986", "none"))
# Made of what matters here, and of anything.
PATHS = st.one_of(
    st.lists(
        st.sampled_from(
            ["/", "//", ".", "..", "\\", "%", "%2", "%2e", "%2E", "%2f", "%5c", "%61", "a", "é", "\x00", ";", "*"]
        ),
        max_size=12,
    ).map("".join),
    st.text(st.characters(codec="utf-8"), max_size=40),
).map(lambda text: f"/{text}")


@pytest.mark.parametrize(
    "path",
    [
        "/admin",
        "//admin",
        "/%61dmin",
        "/%61%64%6D%69%6E",
        "/./admin",
        "/x/../admin",
        "/x/%2e%2E/admin",
        "/x/.%2e//admin",
        "/../../admin",
        "/\\admin",
        "/x\\..\\admin",
        "\\\\admin",
        "///.//./admin",
    ],
)
def test_every_spelling_of_a_path_is_that_path(path: str) -> None:
    assert normalized_path(path, "cloudflare") == "/admin"


# The first rows are the original's own examples.
@pytest.mark.parametrize(
    ("path", "rfc3986", "cloudflare"),
    [
        ("/hello", "/hello", "/hello"),
        ("/%68ello", "/hello", "/hello"),
        ("/%68ello//pa\\th", "/hello//pa%5Cth", "/hello/pa/th"),
        ("/ADMIN%2f", "/ADMIN%2F", "/ADMIN%2F"),
        ("/a%5cb", "/a%5Cb", "/a%5Cb"),
        ("/a/%2e%2e%2fb", "/a/..%2Fb", "/a/..%2Fb"),
        ("/:?#[]@!$&'()*+,;=", "/:?#[]@!$&'()*+,;=", "/:?#[]@!$&'()*+,;="),
        ("/%3a%3F%40", "/%3A%3F%40", "/%3A%3F%40"),
        ("/é/ü%c3%bc", "/%C3%A9/%C3%BC%C3%BC", "/%C3%A9/%C3%BC%C3%BC"),
        ('/ "<>^`{|}\x7f\x00', "/%20%22%3C%3E%5E%60%7B%7C%7D%7F%00", "/%20%22%3C%3E%5E%60%7B%7C%7D%7F%00"),
        ("/%", "/%25", "/%25"),
        ("/%zz%4", "/%25zz%254", "/%25zz%254"),
        ("/%%361", "/%2561", "/%2561"),
        ("/%2561dmin", "/%2561dmin", "/%2561dmin"),
        ("*", "*", "*"),
        ("", "", ""),
        ("/.", "/", "/"),
        ("/..", "/", "/"),
        ("/a/b/..", "/a/", "/a/"),
        ("/a/b/.", "/a/b/", "/a/b/"),
        ("/a//../b", "/a/b", "/b"),
        ("/.well-known/x", "/.well-known/x", "/.well-known/x"),
        ("/a/...", "/a/...", "/a/..."),
        ("/a/..;/b", "/a/..;/b", "/a/..;/b"),
    ],
)
def test_a_path_in_both_forms(path: str, rfc3986: str, cloudflare: str) -> None:
    assert normalized_path(path, "rfc3986") == rfc3986
    assert normalized_path(path, "cloudflare") == cloudflare
    assert normalized_path(path, "none") == bytes_of(path)


@given(PATHS, FORMS)
def test_what_is_normalised_stays_as_it_is(path: str, form: UrlForm) -> None:
    once = normalized_path(path, form)
    # Of a text with one character a byte, another is made by reading it as UTF-8 again; ASCII is the same in both.
    assert form == "none" or normalized_path(once, form) == once


@given(PATHS)
def test_nothing_is_left_that_has_another_spelling(path: str) -> None:
    for form in ("rfc3986", "cloudflare"):
        found = normalized_path(path, form)
        assert found.startswith("/")
        assert re.fullmatch(r"(?:[A-Za-z0-9\-._~:/?#\[\]@!$&'()*+,;=]|%[0-9A-F]{2})*", found)
        assert not {".", ".."}.intersection(found.split("/"))
        assert all(not re.fullmatch(r"[A-Za-z0-9\-._~]", chr(int(one, 16))) for one in re.findall("%(..)", found))
    assert "//" not in normalized_path(path, "cloudflare")


@given(st.text(st.characters(codec="utf-8"), max_size=200), FORMS)
def test_whatever_comes_a_text_comes_back(text: str, form: UrlForm) -> None:
    assert all(ord(char) < 256 for char in normalized_path(text, form))


@pytest.mark.parametrize("part", ["/", "/.", "/..", "/a/..", "\\", "%", "%2", "%61", "%%", "é", "/./", "a"])
def test_no_path_takes_long(part: str) -> None:
    path = "/" + part * (262_144 // len(part))
    for form in ("rfc3986", "cloudflare"):
        begun = time.process_time()
        normalized_path(path, form)
        # Some 30 ms where all of it changes. What is not linear takes minutes.
        assert time.process_time() - begun < 2
