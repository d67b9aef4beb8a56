"""Open WebSockets as rows: numbers that fit, rates of two looks, columns that go where there is no room."""

import io
import re
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console

from holdfast.client.connection_table import (
    LIST_COLUMNS,
    PLAIN_TITLES,
    WATCH_COLUMNS,
    Rates,
    Row,
    Sample,
    address,
    client,
    columns_for,
    duration,
    plain_row,
    rates_between,
    round_trips,
    short_number,
    table_of,
)

WAY = {"bytes": 0, "text_messages": 0, "binary_messages": 0, "pings": 0, "pongs": 0}


def a_connection(name: str = "a", **facts: Any) -> dict[str, Any]:
    return {
        "id": f"{name:0>16}-LOC", "client_ip": "192.0.2.1", "client_port": 40000, "host": "chat.example.com",
        "path": "/echo", "state": "open", "age_ms": 5000, "idle_ms": 0, "rtt_client_ms": 12.34, "rtt_origin_ms": 0.8,
        "protocol": "http/1.1", "subprotocol": None, "to_origin": WAY, "to_client": WAY, **facts,
    }  # fmt: skip


def drawn(rows: list[Row], width: int) -> list[str]:
    out = io.StringIO()
    Console(file=out, width=width, no_color=True, highlight=False).print(table_of(rows, width, WATCH_COLUMNS))
    return out.getvalue().splitlines()


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(0, "0s"), (59_999, "59s"), (60_000, "1m00"), (303_000, "5m03"), (3_600_000, "1h00"), (86_399_000, "23h59"),
     (86_400_000, "1d0h"), (864_000_000, "10d"), (10**10, "115d"), (-5, "0s"), (None, "-"), ("x", "-")],
)  # fmt: skip
def test_a_duration_is_short(milliseconds: object, said: str) -> None:
    assert duration(milliseconds) == said


@pytest.mark.parametrize(
    ("number", "said"),
    [(0, "0"), (0.04, "0"), (0.44, "0.4"), (7, "7"), (7.5, "7.5"), (12.4, "12"), (999, "999"), (999.6, "1.0k"),
     (1234, "1.2k"), (56_789, "57k"), (999_999, "1.0M"), (5.6e9, "5.6G"), (None, "-")],
)  # fmt: skip
def test_a_number_is_short(number: object, said: str) -> None:
    assert short_number(number) == said


@given(st.integers(0, 10**17) | st.floats(0, 10**17))
def test_no_number_has_more_than_five_characters(number: float) -> None:
    assert len(short_number(number)) <= 5


@given(st.integers(0, 10**12))
def test_no_duration_has_more_than_six_characters(milliseconds: int) -> None:
    assert len(duration(milliseconds)) <= 6


def test_rates_are_of_what_came_between_two_looks() -> None:
    before = Sample(at_s=10.0, connections={"a": a_connection("a"), "b": a_connection("b")})
    more = {**WAY, "text_messages": 6, "binary_messages": 4, "bytes": 1000}
    after = Sample(at_s=12.0, connections={"a": a_connection("a", to_origin=more), "c": a_connection("c")})
    assert rates_between(before, after) == {"a": Rates(
        messages_to_origin=5.0, messages_to_client=0.0, bytes_to_origin=500.0, bytes_to_client=0.0
    )}  # fmt: skip
    assert rates_between(None, after) == {}
    assert rates_between(after, after) == {}


def test_counters_that_went_back_are_no_rate() -> None:
    before = Sample(at_s=1.0, connections={"a": a_connection(to_origin={**WAY, "bytes": 5})})
    after = Sample(at_s=2.0, connections={"a": a_connection()})
    assert rates_between(before, after)["a"].bytes_to_origin == 0


def test_what_is_least_needed_goes_first_and_the_address_never() -> None:
    titles = [[column.title for column in columns_for(width, WATCH_COLUMNS)] for width in (200, 104, 90, 60, 10)]
    assert titles[0] == [column.title for column in WATCH_COLUMNS]
    assert "PROTO" not in titles[1]
    assert "RTT C/O" not in titles[2]
    assert titles[3] == ["CLIENT", "HOST AND PATH", "AGE", "IDLE"]
    assert titles[4] == ["HOST AND PATH"]


@given(st.integers(1, 250), st.text(max_size=80), st.text(max_size=80))
def test_no_line_is_longer_than_the_terminal_nor_moves_its_cursor(width: int, host: str, path: str) -> None:
    for line in drawn([Row(a_connection(host=host, path=path))], width):
        assert cell_len(line) <= width
        assert not any(unicodedata.category(char) in {"Cc", "Cf"} for char in line)


def test_a_row_says_what_there_is() -> None:
    rates = Rates(messages_to_origin=3, messages_to_client=0.5, bytes_to_origin=1500, bytes_to_client=0)
    _, row = drawn([Row(a_connection(), rates)], 160)
    assert re.split(r" {2,}", row.strip()) == [
        "000000000000000a-LOC", "192.0.2.1:40000", "chat.example.com/echo", "5s", "0s", "3/0.5", "1.5k/0", "12/0.8",
        "http/1.1",
    ]  # fmt: skip


def test_what_is_not_known_is_a_dash() -> None:
    assert round_trips(a_connection(rtt_client_ms=None)) == "-/0.8"
    assert round_trips(a_connection(rtt_client_ms=None, rtt_origin_ms=None)) == "-"
    _, row = drawn([Row({})], 160)
    assert row.split()[1:4] == ["-", "-", "-"]


def test_addresses_are_printable_and_those_of_ipv6_have_brackets() -> None:
    assert client(a_connection(client_ip="2001:db8::1")) == "[2001:db8::1]:40000"
    assert address(a_connection(path="/\x1b[2J")) == "chat.example.com/\\x1b[2J"


def test_a_pipe_gets_a_value_for_each_title() -> None:
    row = plain_row(a_connection(to_client={**WAY, "text_messages": 2, "binary_messages": 3, "bytes": 7}))
    assert dict(zip(PLAIN_TITLES, row, strict=True)) | {"id": "x"} == {
        "id": "x", "client": "192.0.2.1:40000", "host": "chat.example.com", "path": "/echo", "state": "open",
        "age_ms": 5000, "idle_ms": 0, "messages_to_origin": 0, "messages_to_client": 5, "bytes_to_origin": 0,
        "bytes_to_client": 7, "rtt_client_ms": 12.34, "rtt_origin_ms": 0.8, "protocol": "http/1.1", "subprotocol": None,
    }  # fmt: skip
    assert len(LIST_COLUMNS) == len(WATCH_COLUMNS)
