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
        ({"headers": ["Host: a.test"]}, "--header"),
        ({"connect_to": ""}, "--connect-to"),
        ({"connect_to": "http://h"}, "--connect-to"),
        ({"connect_to": "h:port"}, "--connect-to"),
        ({"connect_to": "h/x"}, "--connect-to"),
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


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("127.0.0.1", {"host": "127.0.0.1", "port": 8443}),
        ("127.0.0.1:8080", {"host": "127.0.0.1", "port": 8080}),
        ("[::1]", {"host": "::1", "port": 8443}),
        ("edge.internal:80", {"host": "edge.internal", "port": 80}),
    ],
)
def test_a_place_to_connect_to_has_the_port_of_the_url_unless_it_has_its_own(
    text: str, place: dict[str, str | int]
) -> None:
    options = ConnectOptions.parse({"target": "wss://a.test:8443/", "connect_to": text})
    assert options.connect_to is not None
    assert options.connect_to.place(default_port=options.target.port) == place


@pytest.mark.parametrize(("url", "port"), [("ws://a", 80), ("wss://a", 443), ("ws://a:1", 1)])
def test_a_target_has_the_port_of_its_scheme_unless_it_has_its_own(url: str, port: int) -> None:
    assert ConnectOptions.parse({"target": url}).target.port == port
