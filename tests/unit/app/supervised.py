"""A supervision for tests, and its commands sorted."""

from holdfast.app.commands import Command, Notify, Record
from holdfast.app.family import ChildLimits
from holdfast.app.releasing import ReleasePlan
from holdfast.app.supervision import Supervision

EDGE, CONTROL = "edge", "control"
START_LIMIT_S, STOP_LIMIT_S = 60.0, 10.0
PLAN = ReleasePlan(deadline_s=3600.0, spread_s=60.0, order="oldest")


def of(*names: str) -> Supervision:
    """Nobody is started yet. The first child of each has its number in this order, from 1 on."""
    return Supervision(
        [
            ChildLimits(name=name, start_limit_s=START_LIMIT_S, stop_limit_s=STOP_LIMIT_S, keeps_clients=name == EDGE)
            for name in names
        ],
        PLAN,
    )


def running(*names: str) -> Supervision:
    """All of them ready at 0; process 101 is the first."""
    supervision = of(*names)
    supervision.begin(0.0)
    for number in range(1, len(names) + 1):
        supervision.child_started(number, 100 + number)
        supervision.child_ready(number, (), 0.0)
    return supervision


def deeds(commands: list[Command]) -> list[Command]:
    """All but the records, and what only a service manager hears."""
    return [command for command in commands if not isinstance(command, Record | Notify)]
