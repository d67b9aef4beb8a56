"""Scenarios of closing: who says what last, in both APIs."""

from conformance.workers.conversation import SILENCE_S
from conformance.workers.side import Scenario, Side

# What a client may put into a Close, and what it must not.
CLIENT_CODES = (1000, 1001, 1003, 1011, 1012, 3000, 4999, 0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000)
SERVER_WORDS = ("", "1000", "1001 going", "1011 error", "3000 three", f"4999 {'r' * 123}")
REFUSED_WORDS = ("0 x", "999 x", "1005 x", "1006 x", "1015 x", "5000 x", f"4000 {'r' * 124}")


def from_the_client(side: Side, where: str) -> list[str]:
    """Codes of a client, and what the handler is told of them."""
    lines = []
    for code in (None, *CLIENT_CODES):
        with side.socket(f"c{code}", where=where) as one:
            one.say_close(code, "" if code is None else "why")
            lines.append(f"{code}: {one.hear(SILENCE_S)}, then {one.hear(SILENCE_S)}")
    return lines


def told_of_the_client(side: Side, where: str) -> list[str]:
    """What user code is told, one kind of end after the other."""
    lines: list[str] = []
    expected = 0
    step = 2 if where == "hibernatable" else 1
    for code, reason in ((4010, "of mine"), (None, ""), (1000, ""), (1001, "größer")):
        with side.socket(f"t{code}", where=where) as one:
            one.say_close(code, reason)
            expected += step
            side.log(expected)
            lines.append(f"{code}: {one.hear(SILENCE_S)}")
    with side.socket("drop", where=where) as one:
        one.ask("hello")
    expected += step
    return [*lines, *side.log(expected)]


def from_the_server(side: Side, where: str) -> list[str]:
    """Codes of user code, and its state before and after the client has answered."""
    lines = []
    for number, words in enumerate(SERVER_WORDS):
        with side.socket(f"s{number}", where=where) as one:
            one.say(f"!close {words}".strip())
            heard = one.hear()
            lines.append(f"{words[:10]}: {heard}")
            one.say_close(4020, "answered")
            lines.append(f"then {one.hear(SILENCE_S)}")
    return [*lines, *side.log(len(SERVER_WORDS) * (3 if where == "hibernatable" else 2))]


def refused_of_the_server(side: Side) -> list[str]:
    """Codes that user code may not use: the handler throws, the socket stays."""
    lines = []
    for number, words in enumerate(REFUSED_WORDS):
        with side.socket(f"r{number}") as one:
            one.say(f"!close {words}")
            lines.append(f"{words[:10]}: {one.ask('still here')}")
    return lines


def never_answered(side: Side) -> list[str]:
    """A handler of webSocketClose that does not close, and one that throws."""
    lines = []
    for reason in ("leave", "throw"):
        with side.socket(reason) as one:
            one.say_close(4000, reason)
            lines.append(f"{reason}: {one.hear(SILENCE_S)}, then {one.hear(SILENCE_S)}")
    with side.socket("after") as one:
        lines.append(f"another after it: {one.ask('hello')}")
    return [*lines, *side.log(4)]


def both_at_once(side: Side) -> list[str]:
    """Messages that a client sends after it was told to close, before it answers."""
    with side.socket() as one:
        one.say("!close 4000 now")
        one.say("after it")
        lines = [one.hear(), one.hear(SILENCE_S)]
        one.say_close(4000, "now")
        return [*lines, one.hear(SILENCE_S), *side.log(3)]


def at_once(side: Side) -> list[str]:
    """A Worker that speaks and closes before its answer is there; and one that has the last word."""
    with side.socket("once", where="plain") as one:
        lines = [one.head, one.hear(), one.hear()]
    with side.socket("half", where="plain") as one:
        lines += [one.ask("hello")]
        one.say_close(4000, "first")
        lines += [one.hear(SILENCE_S)]
    return lines


SCENARIOS: dict[str, Scenario] = {
    "codes of a client": lambda side: from_the_client(side, "hibernatable"),
    "codes of a client, standard": lambda side: from_the_client(side, "standard"),
    "told of a client": lambda side: told_of_the_client(side, "hibernatable"),
    "told of a client, standard": lambda side: told_of_the_client(side, "standard"),
    "codes of the server": lambda side: from_the_server(side, "hibernatable"),
    "codes of the server, standard": lambda side: from_the_server(side, "standard"),
    "refused codes of the server": refused_of_the_server,
    "close handlers": never_answered,
    "both at once": both_at_once,
    "closed at once": at_once,
}
