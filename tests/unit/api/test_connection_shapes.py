"""How a WebSocket is shown, which one a filter means, and what a Close may say."""

import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.api.connection_shapes import (
    ClosedConnectionView,
    ConnectionFilterMembers,
    ConnectionView,
    FilterMembers,
    check_close,
    checked_ids,
    connection_view,
    filter_of,
    is_connection_id,
    matches,
)
from holdfast.api.faults import ApiFault
from holdfast.model.connection import Carried, ConnectionFilter
from tests.unit.connections import OPENED, SECOND, a_closed_connection, a_connection, connection_id


def test_what_is_shown_is_what_is_described() -> None:
    shown = connection_view(a_connection(1, tls_version="", subprotocol="mqtt"), OPENED + 90 * SECOND)
    assert ConnectionView.model_validate(shown).model_dump() == shown
    assert (shown["age_ms"], shown["idle_ms"], shown["tls_version"], shown["subprotocol"]) == (
        90_000,
        90_000,
        None,
        "mqtt",
    )
    closed = connection_view(a_closed_connection(1, detail="client"), OPENED + 90 * SECOND)
    assert ClosedConnectionView.model_validate(closed).model_dump() == closed
    assert (closed["age_ms"], closed["idle_ms"], closed["detail"]) == (10_000, 10_000, "client")


def test_a_clock_that_was_set_back_makes_nothing_negative() -> None:
    shown = connection_view(a_connection(1), OPENED - SECOND)
    assert (shown["age_ms"], shown["idle_ms"]) == (0, 0)


@pytest.mark.parametrize(
    ("asked", "meant"),
    [
        ({}, ConnectionFilter(zone_id="z")),
        ({"host": "A.Example.COM."}, ConnectionFilter(zone_id="z", host="a.example.com")),
        ({"client_ip": "192.0.2.9/24"}, ConnectionFilter(zone_id="z", client="192.0.2.0/24")),
        ({"client_ip": "192.0.2.9"}, ConnectionFilter(zone_id="z", client="192.0.2.9/32")),
        ({"client_ip": "2001:DB8::1"}, ConnectionFilter(zone_id="z", client="2001:db8::1/128")),
        ({"client_ip": "::ffff:192.0.2.9"}, ConnectionFilter(zone_id="z", client="192.0.2.9/32")),
        ({"client_ip": "::ffff:c000:209/120"}, ConnectionFilter(zone_id="z", client="192.0.2.0/24")),
        ({"client_ip": "::ffff:0:0/96"}, ConnectionFilter(zone_id="z", client="0.0.0.0/0")),
        ({"client_ip": "::ffff:0:0/95"}, ConnectionFilter(zone_id="z", client="::fffe:0:0/95")),
        ({"subprotocol": ""}, ConnectionFilter(zone_id="z", subprotocol="")),
        ({"path": "/a", "min_age": 1.5, "min_idle": 2},
         ConnectionFilter(zone_id="z", path_prefix="/a", min_age_s=1.5, min_idle_s=2.0)),
    ],
)  # fmt: skip
def test_members_are_a_filter(asked: dict[str, object], meant: ConnectionFilter) -> None:
    assert filter_of("z", ConnectionFilterMembers.model_validate(asked)) == meant


@pytest.mark.parametrize(
    "text", ["", "x", "192.0.2.256", "192.0.2.0/33", "::1/129", "192.0.2.1 ", "1", "fe80::1%eth0", "fe80::%1/64"]
)
def test_an_address_that_is_none_is_refused_where_it_stands(text: str) -> None:
    with pytest.raises(ApiFault) as refused:
        filter_of("z", FilterMembers(client_ip=text), at="/filter")
    assert refused.value.complaints[0].pointer == "/filter/client_ip"
    assert repr(text) in refused.value.complaints[0].message


@pytest.mark.parametrize(
    ("meant", "holds"),
    [
        (ConnectionFilter(), True),
        (ConnectionFilter(host="chat.example.com"), True),
        (ConnectionFilter(host="other.example.com"), False),
        (ConnectionFilter(path_prefix="/ec"), True),
        (ConnectionFilter(path_prefix="/echo/"), False),
        (ConnectionFilter(client="192.0.2.0/24"), True),
        (ConnectionFilter(client="2001:db8::/32"), False),
        (ConnectionFilter(subprotocol=""), True),
        (ConnectionFilter(subprotocol="mqtt"), False),
        (ConnectionFilter(host="chat.example.com", client="198.51.100.0/24"), False),
    ],
)
def test_what_has_just_opened_is_meant_or_not(meant: ConnectionFilter, holds: bool) -> None:
    assert matches(meant)(a_connection()) is holds


@given(st.ip_addresses(), st.ip_addresses(), st.integers(0, 32))
def test_an_address_is_within_a_network_as_the_library_says(
    address: ipaddress.IPv4Address | ipaddress.IPv6Address,
    network: ipaddress.IPv4Address | ipaddress.IPv6Address,
    prefix: int,
) -> None:
    meant = filter_of("z", FilterMembers(client_ip=f"{network}/{prefix}"))
    expected = address in ipaddress.ip_network(f"{network}/{prefix}", strict=False)
    assert matches(meant)(a_connection(client_ip=str(address))) is expected


def test_an_address_that_is_no_address_is_in_no_network() -> None:
    assert not matches(ConnectionFilter(client="0.0.0.0/0"))(a_connection(client_ip=""))


@pytest.mark.parametrize(("code", "reason"), [(1001, ""), (4999, "x" * 123), (1012, "ä" * 61)])
def test_a_close_that_can_be_sent_passes(code: int, reason: str) -> None:
    check_close(code, reason)


@pytest.mark.parametrize(
    ("code", "reason", "pointer"),
    [
        (1005, "", "/code"),
        (0, "", "/code"),
        (-1, "", "/code"),
        (1000, "x" * 124, "/reason"),
        (1000, "\ud800", "/reason"),
    ],
)
def test_a_close_that_cannot_is_refused_by_name(code: int, reason: str, pointer: str) -> None:
    with pytest.raises(ApiFault) as refused:
        check_close(code, reason)
    assert refused.value.complaints[0].pointer == pointer


def test_ids_are_told_once_and_bounded() -> None:
    assert checked_ids([connection_id(1), connection_id(2), connection_id(1)]) == (connection_id(1), connection_id(2))
    for wrong in ([], [connection_id(1)] * 1001, ["x"]):
        with pytest.raises(ApiFault):
            checked_ids(wrong)


@given(st.text())
def test_few_texts_are_ids(text: str) -> None:
    assert is_connection_id(text) is (len(text) == 20 and text[16] == "-" and text.isascii() and is_connection_id(text))


def test_counters_of_both_ways_are_shown() -> None:
    shown = connection_view(a_connection(to_client=Carried(1, 2, 3, 4, 5)), OPENED)
    assert shown["to_client"] == {"bytes": 1, "text_messages": 2, "binary_messages": 3, "pings": 4, "pongs": 5}
