"""Where the API is and who asks: parsed once, and the token never shown."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client.api.options import ApiOptions, ApiToken, ApiUrl
from holdfast.errors import UsageError


@pytest.mark.parametrize(
    ("text", "url", "is_local"),
    [
        ("http://127.0.0.1:7070/client/v4", "http://127.0.0.1:7070/client/v4", True),
        ("http://127.0.0.1:7070/client/v4/", "http://127.0.0.1:7070/client/v4", True),
        ("http://LOCALHOST:7070", "http://localhost:7070/client/v4", True),
        ("http://[::1]:7070", "http://[::1]:7070/client/v4", True),
        ("https://edge.example.com", "https://edge.example.com/client/v4", False),
        ("https://edge.example.com/holdfast/v4", "https://edge.example.com/holdfast/v4", False),
    ],
)
def test_the_base_url_has_a_path_and_no_slash_at_its_end(text: str, url: str, is_local: bool) -> None:
    assert ApiUrl.parse(text) == ApiUrl(url, is_local)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "127.0.0.1:7070",
        "ws://h",
        "unix:/run/x",
        "http://",
        "http://u:p@h",
        "http://h/?a",
        "http://h/#f",
        "http://h\n",
    ],
)
def test_what_is_no_base_url_is_refused_by_the_flags_name(text: str) -> None:
    with pytest.raises(UsageError, match="--api: expected"):
        ApiUrl.parse(text)


def test_the_default_is_this_machine() -> None:
    options = ApiOptions.parse({})
    assert options.api.text == "http://127.0.0.1:7070/client/v4"
    assert options.token is None
    assert not options.as_json


def test_a_token_is_not_in_the_repr_of_anything() -> None:
    options = ApiOptions.parse({"token": "s3cret-value"})
    assert options.token == ApiToken("s3cret-value")
    assert "s3cret" not in repr(options)


@given(st.text(min_size=1).filter(lambda text: not text.isalnum()))
def test_a_token_that_cannot_be_one_is_refused_without_being_repeated(text: str) -> None:
    try:
        token = ApiToken.parse(text)
    except UsageError as error:
        assert str(error) == "--token: expected an API token: letters, digits, '-' and '_', got '***'"  # noqa: PT017
    else:
        assert token.value.isascii()
        assert token.value.isprintable()


def test_space_around_a_token_is_not_part_of_it() -> None:
    assert ApiToken.parse(" abc\n").value == "abc"
