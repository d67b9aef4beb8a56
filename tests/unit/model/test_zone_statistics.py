"""Zone statistics: the order of the fields is the boundary's, and a value of one moment does not change."""

import msgspec
import pytest

from holdfast.model.zone_statistics import ZoneStatistics

FIGURES = ZoneStatistics("zone", 1, 2, 3, 4, 5, 6, {101: 7, 403: 8}, {200: 9}, {"client/close_frame": 10})


def test_the_fields_come_in_the_order_in_which_the_core_gives_them() -> None:
    assert ZoneStatistics.__struct_fields__ == (
        "zone",
        "connections_open",
        "connections_opened",
        "messages_to_origin",
        "messages_to_client",
        "bytes_to_origin",
        "bytes_to_client",
        "upgrades",
        "requests",
        "closes",
        "messages_found",
    )


def test_figures_do_not_change() -> None:
    with pytest.raises(AttributeError):
        FIGURES.connections_open = 2  # type: ignore[misc]


def test_figures_survive_the_control_link() -> None:
    # They go to control as MessagePack, whose keys may be numbers.
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(FIGURES), type=ZoneStatistics) == FIGURES
