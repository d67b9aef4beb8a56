"""The commands of a script's states are values."""

from holdfast.workers.host.commands import Conclude, Kill, Spawn


def test_equal_commands_are_one_value() -> None:
    assert len({Kill(1), Kill(1), Kill(2), Spawn(1, "v1"), Conclude(1), Conclude(1, "no")}) == 5
