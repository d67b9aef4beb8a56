"""Scenarios of user code that fails, by what it fails in: handlers of sockets and alarms, what blocks, what was begun and is undone."""

from websockets.frames import Opcode

from conformance.workers.conversation import SILENCE_S
from conformance.workers.side import Scenario, Side

HALVES = (("plain", "accepted"), ("plain", "twice"), ("plain", "twice"), ("half", "server"), ("half", "both"))


def error_handlers(side: Side) -> list[str]:
    """What a client does against the protocol: which handlers hear of it, and one that throws."""
    lines = []
    for what in ("fault", "throw"):
        with side.socket(what) as one:
            one.frame(Opcode.CONT, b"of nothing")
            lines.append(f"{what}: {one.hear(SILENCE_S)[:10]}")
    with side.socket("after") as one:
        lines += [one.ask("hello"), one.ask("!instance"), one.ask("!count")]
    return [*lines, *side.log(2, limit_s=1)]


def blocking(side: Side) -> list[str]:
    """blockConcurrencyWhile that throws, in a request and in an alarm; and a neighbour's socket each time."""
    lines = []
    for where in ("request", "alarm"):
        with side.socket(where) as one:
            lines.append(one.ask("!instance"))
            lines += side.probe(f"block in {where}")
            lines.append(f"its socket: {one.hear(5)}")
    with side.socket("after") as one:
        return [*lines, one.ask("!count")]


def replaced_alarm(side: Side) -> list[str]:
    """An alarm that sets another and throws; one that deletes what there is."""
    side.probe("replacing")
    lines = side.log(2, limit_s=5)
    side.probe("emptying")
    return [*lines, *side.log(3)[2:], *side.probe("emptied")]


def retried_alarm(side: Side) -> list[str]:
    """An alarm that fails twice."""
    side.probe("failing twice")
    return side.log(3, limit_s=9)


def refused_halves(side: Side) -> list[str]:
    """Halves of a pair that are no socket for a client any more."""
    lines = []
    for where, what in HALVES:
        with side.socket(what, where=where) as one:
            lines.append(f"{what}: {one.head}, then {one.hear(SILENCE_S) if '101' in one.head else 'no more'}")
    return lines


SCENARIOS: dict[str, Scenario] = {
    "error handlers": error_handlers,
    "blocking that fails": blocking,
    "replaced alarm": replaced_alarm,
    "retried alarm": retried_alarm,
    "refused halves": refused_halves,
}
