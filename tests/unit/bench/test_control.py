"""`bench.control`: figures beside their targets, and the table."""

import pytest

from bench.control import Figure, table
from bench.installation import quantile, zone_id, zone_name


@pytest.mark.parametrize(
    ("value", "target", "verdict"), [(50, 50, "met"), (50.01, 50, "MISSED"), (7, None, ""), (0, 0, "met")]
)
def test_a_figure_meets_its_target_up_to_and_with_it(value: float, target: float | None, verdict: str) -> None:
    assert Figure("a", "ms", value, target).verdict == verdict


def test_a_row_says_what_was_measured_and_wanted() -> None:
    lines = table([Figure("memory", "MiB", 1234.5, 2000), Figure("start", "s", 1.25)]).splitlines()
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == ["memory", "1,234.50 MiB", "<= 2,000 MiB", "met"]
    assert [cell.strip() for cell in lines[3].split("|")[1:-1]] == ["start", "1.25 s", "", ""]
    assert len({len(line) for line in lines}) == 1


@pytest.mark.parametrize(("q", "wanted"), [(0.0, 1), (0.5, 3), (0.99, 5), (1.0, 5)])
def test_a_quantile_is_one_of_the_values(q: float, wanted: float) -> None:
    assert quantile([3, 1, 5, 2, 4], q) == wanted


def test_zones_have_ids_and_names_of_their_own() -> None:
    numbers = range(0, 20_000, 777)
    assert (
        len({zone_id(number) for number in numbers}) == len({zone_name(number) for number in numbers}) == len(numbers)
    )
    assert all(len(zone_id(number)) == 32 for number in numbers)
