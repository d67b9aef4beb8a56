"""What is said of a process that stood too long where it was."""

import pytest

from holdfast.workers.host.phases import EXIT_LIMIT_S, LINGER_AT_END_S, Phase, too_late


@pytest.mark.parametrize(
    ("phase", "expected"),
    [
        (Phase.LOADING, "it was not loaded within 30 s"),
        (Phase.STARTING, "it did not serve within 20 s"),
        (Phase.RETIRING, "it did not retire within 13 s"),
        (Phase.SERVING, "it has closed its link to the host"),
    ],
)
def test_who_is_too_late_is_told_with_the_limit(phase: Phase, expected: str) -> None:
    assert too_late(phase) == expected


def test_what_is_under_way_at_the_end_has_less_than_its_process() -> None:
    assert LINGER_AT_END_S < EXIT_LIMIT_S
