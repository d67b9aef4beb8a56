"""From what was read to figures."""

import pytest

from bench.workers.measure import memory_figures, sockets_within


def test_sockets_that_were_not_let_in_count_as_much_as_the_others() -> None:
    figures = memory_figures(40_000_000, 49_800_000, opened=9_800, wanted=10_000)
    assert figures == {"total_mb": pytest.approx(50.0), "empty_mb": 40.0, "each_bytes": 1_000.0, "opened": 9_800}


@pytest.mark.parametrize(("descriptors", "sockets"), [(20_000, 7_400), (65_536, 28_547), (256, 1)])
def test_an_edge_keeps_two_descriptors_for_each_socket_and_a_quarter_for_scripts(
    descriptors: int, sockets: int
) -> None:
    assert sockets_within(descriptors) == sockets
