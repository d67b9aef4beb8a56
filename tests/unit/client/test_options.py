"""The options of `holdfast connect`."""

from pathlib import Path

import pytest

from holdfast.client.options import ConnectOptions
from holdfast.errors import UsageError
from holdfast.model.option import Given


def test_everything_can_be_given() -> None:
    options = ConnectOptions.parse(
        {
            "target": "wss://h/x",
            "headers": ["Authorization: Bearer abc", "X-Empty:", "x-a:  b c\t"],
            "subprotocols": ["graphql-ws", "v2"],
            "ca_file": "ca.pem",
            "data_dir": "/srv/d",
        }
    )
    assert options.target.url == "wss://h/x"
    assert options.headers == (("Authorization", "Bearer abc"), ("X-Empty", ""), ("x-a", "b c"))
    assert options.subprotocols == ("graphql-ws", "v2")
    assert (options.ca_file, options.insecure, options.data_dir) == (Path("ca.pem"), False, Path("/srv/d"))


@pytest.mark.parametrize(
    ("given", "flag"),
    [
        ({"target": "ftp://h"}, "URL"),
        ({"headers": ["no colon"]}, "--header"),
        ({"headers": [": value"]}, "--header"),
        ({"headers": ["Na me: value"]}, "--header"),
        ({"headers": ["Name: a\r\nB: c"]}, "--header"),
        ({"headers": ["Connection: close"]}, "--header"),
        ({"headers": ["sec-websocket-key: x"]}, "--header"),
        ({"headers": ["X: €"]}, "--header"),
        ({"subprotocols": ["a b"]}, "--subprotocol"),
        ({"subprotocols": [""]}, "--subprotocol"),
        ({"subprotocols": ["a", "a"]}, "--subprotocol"),
        ({"insecure": True, "ca_file": "ca.pem"}, "--cacert"),
    ],
)
def test_what_cannot_be_sent_names_its_flag(given: dict[str, Given], flag: str) -> None:
    with pytest.raises(UsageError) as caught:
        ConnectOptions.parse({"target": "ws://h", **given})
    assert caught.value.field == flag
