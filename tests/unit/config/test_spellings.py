"""Parsers of options: what they take, and the sentence for what they do not."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.config import spellings
from holdfast.config.spellings import is_none, without_none
from holdfast.errors import UsageError
from holdfast.model.option import Spelling

_ALL = [one["spelling"] for name, one in vars(spellings).items() if name.isupper() and isinstance(one, dict)]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("9.9.9.9", "9.9.9.9:53"),
        ("127.0.0.1:5353", "127.0.0.1:5353"),
        ("::1", "[::1]:53"),
        ("[::1]", "[::1]:53"),
        ("[::1]:5353", "[::1]:5353"),
    ],
)
def test_a_resolver_is_an_address_with_or_without_a_port(text: str, shown: str) -> None:
    assert str(spellings.RESOLVERS["spelling"].value(text)) == shown


@pytest.mark.parametrize("text", ["", "dns.example.com", "9.9.9.9:0", "9.9.9.9:x", "[::1", "1.2.3", "::1:5353:x"])
def test_a_resolver_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"^--resolver: expected the IP address of a name server"):
        spellings.RESOLVERS["spelling"].value(text)


@pytest.mark.parametrize("text", ["-1", "1.5", "1e3", "1000001", "", "²", "0x10"])
def test_a_rate_that_is_none_is_a_sentence(text: str) -> None:
    with pytest.raises(UsageError, match=r"^control\.rate_limit: expected a number from 0 to 1000000, got"):
        spellings.CONTROL_RATE_LIMIT["spelling"].value(text, field="control.rate_limit")


def test_none_is_for_lists_of_addresses_only() -> None:
    assert without_none({"listen": ["none"], "tls_listen": "none", "cert": ["none"]}) == {"cert": ["none"]}
    assert not is_none("listen", ["none", "127.0.0.1:1"])


@pytest.mark.parametrize("spelling", _ALL, ids=lambda one: one.flag)
@given(text=st.text(max_size=40))
def test_any_text_becomes_a_value_or_a_usage_error(spelling: Spelling, text: str) -> None:
    said = "here: expected "
    try:
        spelling.value(text, field="here")
    except UsageError as error:
        said = str(error)
    assert said.startswith("here: expected ")
