"""`OriginUrl`: what is accepted, what it becomes, and what is said of the rest."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.errors import UsageError
from holdfast.model.origin_url import OriginUrl

# What a person writes, and the same in the one form we print.
ACCEPTED = {
    "http://127.0.0.1:9000": "http://127.0.0.1:9000",
    "ws://127.0.0.1:9000": "http://127.0.0.1:9000",
    "wss://Example.COM": "https://example.com",
    "HTTPS://example.com:443/": "https://example.com",
    "http://example.com:": "http://example.com",
    "http://localhost:80/base/": "http://localhost/base",
    "http://h/a%20b/c;d=e@f": "http://h/a%20b/c;d=e@f",
    "http://my_app:3000": "http://my_app:3000",
    "http://example.com.": "http://example.com.",
    "http://[::1]:9000/x": "http://[::1]:9000/x",
    "http://[0:0::1]": "http://[::1]",
    "unix:/run/app.sock": "unix:/run/app.sock",
    "unix:///run/app.sock": "unix:/run/app.sock",
    "UNIX:/run/App.sock": "unix:/run/App.sock",
    "http://xn--bcher-kva.example": "http://xn--bcher-kva.example",
}

# What a person writes, and a part of what they are told.
REFUSED = {
    "": "schemes: http, https, ws, wss, unix",
    "localhost:9000": "did you mean http://localhost:9000?",
    "127.0.0.1:9000": "did you mean http://127.0.0.1:9000?",
    "example.com": "did you mean http://example.com?",
    "/run/app.sock": "unix:/run/app.sock",
    "ftp://example.com": "schemes: http, https, ws, wss, unix",
    "http:/example.com": "a URL such as",
    "http:example.com": "a URL such as",
    "http://": "a host name or an IP address",
    "http:///path": "a host name or an IP address",
    "http://:9000": "a host name or an IP address",
    "http://-bad.example": "a host name or an IP address",
    "http://a..b": "a host name or an IP address",
    f"http://{'a' * 64}.example": "a host name or an IP address",
    f"http://{'a.' * 127}a": "a host name or an IP address",
    "http://256.1.1.1": "an IPv4 address of four numbers",
    "http://1.2.3": "an IPv4 address of four numbers",
    "http://bücher.example": "in its xn-- form",
    "http://user:secret@h": "without a user name or password",
    "http://h?a=b": "without a query",
    "http://h/p?a=b": "without a query",
    "http://h/p#f": "without a fragment",
    "http://h:0": "a port from 1 to 65535",
    "http://h:65536": "a port from 1 to 65535",
    "http://h:99999999999999": "a port from 1 to 65535",
    "http://h:80x": "host or host:port",
    "http://h:+80": "host or host:port",
    "http://::1": "an IPv6 address in brackets",
    "http://[::g]": "an IPv6 address between the brackets",
    "http://[::1": "an IPv6 address in brackets",
    "http://h/a b": "without spaces or control characters",
    "http://h\n/": "without spaces or control characters",
    "http://h/%zz": "a path of URL characters",
    "http://h/ä": "a path of URL characters",
    "unix:run/app.sock": "the absolute path of a socket",
    "unix:": "the absolute path of a socket",
    "unix:/run/": "the absolute path of a socket",
    f"unix:/{'x' * 107}": "at most 107 bytes",
}


@pytest.mark.parametrize(("text", "canonical"), ACCEPTED.items())
def test_an_accepted_url_has_one_canonical_form(text: str, canonical: str) -> None:
    assert str(OriginUrl.parse(text)) == canonical


@pytest.mark.parametrize(("text", "said"), REFUSED.items())
def test_a_refused_url_is_explained(text: str, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        OriginUrl.parse(text, field="ORIGIN")
    sentence = str(caught.value)
    assert sentence.startswith("ORIGIN: expected ")
    assert said in sentence


def test_the_parts_are_what_a_dialler_needs() -> None:
    assert OriginUrl.parse("wss://[::1]/a/b/") == OriginUrl(scheme="https", host="::1", port=443, base_path="/a/b")
    assert OriginUrl.parse("unix:/run/a.sock") == OriginUrl(scheme="http", unix_path="/run/a.sock")


def test_a_password_is_not_repeated() -> None:
    with pytest.raises(UsageError) as caught:
        OriginUrl.parse("http://user:hunter2@example.com")
    assert "hunter2" not in str(caught.value)
    assert "example.com" in str(caught.value)


def test_a_long_text_is_not_repeated_whole() -> None:
    with pytest.raises(UsageError) as caught:
        OriginUrl.parse("x" * 100_000)
    assert len(str(caught.value)) < 500


_LABEL = st.from_regex(r"[a-z0-9_]([a-z0-9_-]{0,10}[a-z0-9_])?", fullmatch=True)
_URLS = st.one_of(
    st.text(max_size=40),
    st.builds(
        "{}://{}{}{}".format,
        st.sampled_from(["http", "https", "ws", "wss", "WSS", "ftp"]),
        st.one_of(
            st.lists(_LABEL, min_size=1, max_size=4).map(".".join),
            st.ip_addresses(v=4).map(str),
            st.ip_addresses(v=6).map("[{}]".format),
        ),
        st.one_of(st.just(""), st.integers(0, 70_000).map(":{}".format)),
        st.one_of(st.just(""), st.from_regex(r"(/[a-z%/.]{0,8}){0,3}", fullmatch=True)),
    ),
    st.text(max_size=20).map("unix:/{}".format),
)


def _parsed(text: str) -> OriginUrl | str:
    """The URL, or what is said of it."""
    try:
        return OriginUrl.parse(text)
    except UsageError as error:
        return str(error)


@given(_URLS)
def test_any_text_is_either_a_url_that_survives_its_own_printing_or_one_sentence(text: str) -> None:
    url = _parsed(text)
    if isinstance(url, str):
        assert len(url.splitlines()) == 1
        return
    assert OriginUrl.parse(str(url)) == url
    assert (url.unix_path is None) == bool(url.host)
    assert url.unix_path is not None or 1 <= url.port <= 65535
    assert not url.base_path or (url.base_path.startswith("/") and not url.base_path.endswith("/"))
