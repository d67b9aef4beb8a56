"""Scenarios of an object's life: exceptions, resets, alarms, hibernation."""

from conformance.workers.conversation import SILENCE_S, upgrade_fields
from conformance.workers.side import Scenario, Side

# An object sleeps when nothing has happened for 10 s.
ASLEEP_S = 12.5


def exceptions(side: Side) -> list[str]:
    """A handler that throws: the socket and the object stay."""
    with side.socket() as one:
        one.say("!throw")
        lines = [one.ask("after throw")]
        one.say("!reject")
        lines += [one.ask("after reject"), one.ask("!instance")]
        one.say("!nosuchcommand")
        lines += [one.ask("after a TypeError")]
        return lines


def standard_exceptions(side: Side) -> list[str]:
    """A listener that throws."""
    lines = []
    for where in ("standard", "plain"):
        with side.socket(where=where) as one:
            one.say("!throw")
            lines.append(f"{where}: {one.ask('after throw')}")
    return lines


def constructor(side: Side) -> list[str]:
    """An object whose constructor throws."""
    path = f"/hibernatable/broken-{side.name}/one"
    return [
        f"a request: {side.request(path, {})}",
        f"an upgrade: {side.request(path, upgrade_fields())}",
        f"again: {side.request(path, upgrade_fields())}",
    ]


def abort(side: Side) -> list[str]:
    """All sockets of an object that ends itself."""
    return _reset(side, "!abort")


def failed_blocking(side: Side) -> list[str]:
    """The same of blockConcurrencyWhile that throws."""
    return _reset(side, "!broken")


def _reset(side: Side, command: str) -> list[str]:
    with side.socket("a") as one, side.socket("b") as two:
        lines = [one.ask("!instance")]
        one.say(command)
        lines += [f"it: {one.hear(3)}", f"another: {two.hear(3)}"]
    with side.socket("c") as three:
        return [*lines, three.ask("!instance"), three.ask("!count")]


def alarm(side: Side) -> list[str]:
    """An alarm at once."""
    return [*side.probe("now"), *side.log(1)]


def alarms(side: Side) -> list[str]:
    """An alarm that fails is run again; one that sets the next has a next."""
    side.probe("failing")
    lines = side.log(2, limit_s=5)
    side.probe("chained")
    return [*lines, *side.log(4)[2:]]


def early(side: Side) -> list[str]:
    """What an object says before its answer is there."""
    with side.socket(where="early") as one:
        lines = [one.head, one.hear(), one.ask("!attachment")]
    with side.socket("closed", where="early") as one:
        return [*lines, one.head, one.hear(), one.hear()]


def limited(side: Side) -> list[str]:
    """A handler that takes longer than the object allows."""
    with side.socket() as one:
        one.say("!limit 300")
        one.say("!slow 1500")
        lines = [one.hear(2), one.ask("after it")]
        one.say("!limit 0")
        return [*lines, one.ask("!instance")]


def gone(side: Side) -> list[str]:
    """A handler that answers a client that has left meanwhile."""
    with side.socket("a") as one, side.socket("b") as two:
        one.say("!slow 200")
        two.ask("hello")
        one.drop()
        lines = side.log(2)
        two.say("!slow 300")
        return [*lines, two.hear(), two.ask("!count")]


def doomed(side: Side) -> list[str]:
    """An object whose constructor throws when a message wakes it."""
    with side.socket() as one:
        one.say("!doom")
        lines = [one.ask("!instance"), one.hear(ASLEEP_S)]
        return [
            *lines,
            one.ask("wake up"),
            one.ask("again"),
            side.request(f"/hibernatable/{side.name}/two", upgrade_fields()),
        ]


def asleep(side: Side) -> list[str]:
    """What is there after an object has slept, and what wakes it."""
    with side.socket("a") as one, side.socket("b") as two, side.socket("c") as three:
        one.say("!automatic ping pong")
        lines = [one.ask("!instance"), one.ask("ping")]
        two.say("!attach kept")
        lines += [two.ask("!attachment"), f"three: {three.hear(ASLEEP_S)}"]
        lines += [one.ask("ping"), two.ask("!attachment"), two.ask("!tags"), one.ask("!answered"), one.ask("!instance")]
        lines += [three.ask("!count"), three.ask("!state")]
        three.say_close(4001, "after sleep")
        lines += [three.hear(SILENCE_S), *side.log(2)]
        return lines


def remembered(side: Side) -> list[str]:
    """What an object finds of itself after it has slept, whatever it was: and an alarm that wakes it."""
    with side.socket("größer 🎈") as one, side.socket("b") as two:
        one.say("!automatic hören 🎈")
        one.say("!limit 5000")
        two.say("!remember")
        lines = [one.ask("!instance"), one.ask("hören"), one.hear(ASLEEP_S)]
        lines += [
            two.ask("!remembered"),
            *(two.hear() for _ in range(4)),
            one.ask("hören"),
            one.ask("!tags"),
            two.ask("!instance"),
        ]
        return [*lines, *side.probe("order")]


def woken(side: Side) -> list[str]:
    """An alarm wakes an object, and its sockets are there."""
    with side.socket() as one:
        lines = [one.ask("!instance")]
        one.say(f"!alarm {round(ASLEEP_S * 1000)}")
        return [*lines, one.hear(2 * ASLEEP_S), one.ask("!instance")]


def last_words(side: Side) -> list[str]:
    """What preShutdown can do before an object leaves memory."""
    with side.socket() as one:
        one.say("!before")
        return [one.ask("!instance"), one.hear(ASLEEP_S), one.ask("!left"), one.ask("!instance")]


def kept_awake(side: Side) -> list[str]:
    """A socket of the standard API keeps its object in memory."""
    with side.socket(where="standard") as one:
        lines = [one.ask("hello"), *side.probe("instance"), one.hear(ASLEEP_S)]
        return [*lines, *side.probe("instance"), one.ask("hello")]


SCENARIOS: dict[str, Scenario] = {
    "exceptions": exceptions,
    "exceptions, standard": standard_exceptions,
    "constructor": constructor,
    "abort": abort,
    "failed blocking": failed_blocking,
    "alarm": alarm,
    "alarms": alarms,
    "early": early,
    "limited": limited,
    "gone": gone,
    "doomed": doomed,
    "asleep": asleep,
    "kept awake": kept_awake,
    "remembered": remembered,
    "woken": woken,
    "last words": last_words,
}
