"""Scenarios of a script that another one names in its bindings: the client asks one, the socket lives in the other."""

from conformance.workers.conversation import SILENCE_S, upgrade_fields
from conformance.workers.scenarios_messages import numbers
from conformance.workers.side import Scenario, Side

MESSAGES = ("größer 🎈", bytes(range(20)), "x" * 70_000)


def messages(side: Side, where: str) -> list[str]:
    """Of every kind, in their order."""
    with side.socket(where=where, Sec_WebSocket_Protocol="chat, other") as one:
        lines = [one.head, *(one.ask(message) for message in MESSAGES)]
        for number in range(100):
            one.say(str(number))
        heard = [one.hear() for _ in range(100)]
        return [*lines, f"in order {heard == numbers(100)}"]


def ends(side: Side, where: str) -> list[str]:
    """Closed by the client, by the script, by nobody; and what the script was told."""
    lines = []
    with side.socket("a", where=where) as one:
        one.say_close(4010, "of mine")
        lines.append(f"client: {one.hear()}, then {one.hear(SILENCE_S)}")
    side.log(1, where=where)
    with side.socket("b", where=where) as one:
        one.say("!close")
        lines.append(f"script: {one.hear()}")
        one.say_close(4006, "heard")
        lines.append(f"then {one.hear(SILENCE_S)}")
    side.log(2, where=where)
    with side.socket("c", where=where) as one:
        one.ask("hello")
    return [*lines, *side.log(3, where=where)]


def refusals(side: Side) -> list[str]:
    """Upgrades that the other script does not take."""
    return [
        f"{where} {what}: {side.request(f'/{where}/{side.name}/{what}', upgrade_fields())}"
        for where in ("store", "shelf")
        for what in ("refused", "throws")
    ]


def objects(side: Side) -> list[str]:
    """What is of an object of the other script alone: tags, exceptions of its handlers."""
    with side.socket(where="shelf") as one:
        one.say("!throw")
        return [one.ask("after throw"), one.ask("!tags")]


SCENARIOS: dict[str, Scenario] = {
    "messages of a neighbour": lambda side: messages(side, "store"),
    "messages of a neighbour's object": lambda side: messages(side, "shelf"),
    "ends of a neighbour": lambda side: ends(side, "store"),
    "ends of a neighbour's object": lambda side: ends(side, "shelf"),
    "refusals of a neighbour": refusals,
    "a neighbour's object": objects,
}
