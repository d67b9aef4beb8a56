"""`Target`: the URL a person connects to."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.target import Target
from holdfast.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url", "host", "is_tls"),
    [
        ("ws://127.0.0.1:8080/echo?a=b", "ws://127.0.0.1:8080/echo?a=b", "127.0.0.1", False),
        ("wss://Example.com", "wss://Example.com/", "example.com", True),
        ("http://h", "ws://h/", "h", False),
        ("HTTPS://h:8443/x", "wss://h:8443/x", "h", True),
        ("127.0.0.1:8080", "ws://127.0.0.1:8080/", "127.0.0.1", False),
        ("localhost/chat", "ws://localhost/chat", "localhost", False),
        ("ws://[::1]:80/", "ws://[::1]:80/", "::1", False),
        ("ws://user:pass@h/", "ws://user:pass@h/", "h", False),
        ("ws://h?x", "ws://h/?x", "h", False),
    ],
)
def test_a_url_is_read(text: str, url: str, host: str, is_tls: bool) -> None:
    assert Target.parse(text) == Target(url=url, host=host, is_tls=is_tls)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "a URL such as"),
        ("ftp://h", "schemes: ws, wss, http, https"),
        ("ws://", "a URL such as"),
        ("ws:///x", "a URL such as"),
        ("ws://h:0/", "a URL such as"),
        ("ws://h:99999/", "a port from 1 to 65535"),
        ("ws://h:x/", "a port from 1 to 65535"),
        ("ws://[::1/", "a URL such as"),
        ("ws://h/#f", "without a fragment"),
        ("ws://h/#", "without a fragment"),
        ("ws://h/a b", "without spaces"),
        ("ws://h/\r\nX: y", "without spaces"),
        ("ws://bücher.example/", "percent-encoded"),
    ],
)
def test_what_cannot_be_dialled_is_explained(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=r"^URL: expected ") as caught:
        Target.parse(text)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    ("host", "is_local"),
    [
        ("localhost", True),
        ("LOCALHOST", True),
        ("chat.localhost", True),
        ("127.9.9.9", True),
        ("[::1]", True),
        ("192.0.2.1", False),
        ("localhost.example.com", False),
        ("notlocalhost", False),
    ],
)
def test_this_machine_is_known_by_its_names(host: str, is_local: bool) -> None:
    assert Target.parse(f"wss://{host}/").is_local is is_local


@given(st.text(max_size=40))
def test_any_text_is_a_target_that_is_read_again_or_a_sentence(text: str) -> None:
    try:
        target = Target.parse(text)
    except UsageError:
        return
    assert Target.parse(target.url) == target
    assert target.url.isascii()
