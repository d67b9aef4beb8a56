"""What an upgrade is, what becomes of messages of every kind and in which order, and what the edge answers by itself."""

from websockets.frames import Opcode

from conformance.workers.conversation import SILENCE_S, upgrade_fields
from conformance.workers.side import Scenario, Side

MAX_MESSAGE_BYTES = 32 * 1024 * 1024
MESSAGES = ("", "größer 🎈", b"", bytes(range(20)), "x" * 70_000, b"y" * MAX_MESSAGE_BYTES)
APIS = ("hibernatable", "standard", "plain")


def numbers(count: int) -> list[str]:
    """From 0 on, as they are heard."""
    return [f'text "{number}"' for number in range(count)]


def upgrades(side: Side) -> list[str]:
    """What is an upgrade, and what a Worker may answer to one."""
    path = f"/hibernatable/{side.name}/one"
    plain = f"/plain/{side.name}/"
    cases = {
        "an upgrade": side.request(path, upgrade_fields()),
        "no upgrade": side.request(path, {}),
        "upgrade in capitals": side.request(path, upgrade_fields(Upgrade="WebSocket")),
        "no key": side.request(path, upgrade_fields(Sec_WebSocket_Key=None)),
        "no version": side.request(path, upgrade_fields(Sec_WebSocket_Version=None)),
        "version 12": side.request(path, upgrade_fields(Sec_WebSocket_Version="12")),
        "no Connection": side.request(path, upgrade_fields(Connection=None)),
        "POST": side.request(path, {**upgrade_fields(), "Content-Length": "0"}, "POST"),
        "subprotocols": side.request(path, upgrade_fields(Sec_WebSocket_Protocol="chat, other")),
        "refused": side.request(plain + "refused", upgrade_fields()),
        "the Worker throws": side.request(plain + "throws", upgrade_fields()),
        "101 without a socket": side.request(plain + "nosocket", upgrade_fields()),
        "200 with a socket": side.request(plain + "with200", upgrade_fields()),
        "101 to no upgrade": side.request(plain + "one", {}),
        "refused, no upgrade": side.request(plain + "refused", {}),
    }
    return [f"{name}: {said}" for name, said in cases.items()]


def messages(side: Side) -> list[str]:
    """Of every kind and size, in all APIs."""
    lines = []
    for where in APIS:
        with side.socket(where=where) as one:
            lines.append(f"{where}: {one.head}")
            lines += [one.ask(message) for message in MESSAGES]
            one.frame(Opcode.TEXT, b"two ", is_last=False)
            one.frame(Opcode.PING, b"between")
            one.frame(Opcode.CONT, b"frames")
            lines += [one.hear(), one.hear()]
    return lines


def order(side: Side) -> list[str]:
    """Messages in their order, on one socket and to many."""
    lines = []
    for where in APIS:
        with side.socket(where=where) as one:
            for number in range(200):
                one.say(str(number))
            heard = [one.hear() for _ in range(200)]
            lines.append(f"{where}: in order {heard == numbers(200)}")
    with side.socket("a") as one, side.socket("b") as two:
        one.say("!many 100")
        one.say("!all to all")
        heard = [one.hear() for _ in range(101)]
        lines += [f"many: in order {heard[:100] == numbers(100)}", heard[100], two.hear()]
    return lines


def wrong_messages(side: Side) -> list[str]:
    """Too long, not UTF-8, and frames that no client may send."""
    lines = []
    for where in APIS:
        with side.socket(where=where) as one:
            one.frame(Opcode.TEXT, b"\xff\xfe")
            lines.append(f"{where}: not UTF-8: {one.hear(SILENCE_S)}")
        with side.socket(where=where) as one:
            one.frame(Opcode.CONT, b"of nothing")
            lines.append(f"{where}: continuation of nothing: {one.hear(SILENCE_S)}")
        with side.socket(where=where) as one:
            one.frame(Opcode.BINARY, b"y" * (MAX_MESSAGE_BYTES + 1))
            lines.append(f"{where}: too long: {one.hear(4)}")
    return lines


def automatic(side: Side) -> list[str]:
    """Auto-responses: exact texts, while a handler runs, and none after they are cleared."""
    with side.socket() as one:
        one.say("!automatic ping pong")
        lines = [one.ask("!answered"), one.ask("ping"), one.ask("ping "), one.ask("Ping"), one.ask(b"ping")]
        one.say("!slow 400")
        lines += [one.ask("ping"), one.hear(), one.ask("!answered")]
        one.say("!automatic ping other")
        lines += [one.ask("!state"), one.ask("ping")]
        one.say("!manual")
        lines += [one.ask("!state"), one.ask("ping")]
        return lines


def tags(side: Side) -> list[str]:
    """Tags, attachments, states and listings of sockets of clients."""
    with side.socket("a") as one, side.socket("b") as two, side.socket("c") as three:
        lines = [one.ask("!tags"), two.ask("!attachment"), three.ask("!count"), three.ask("!state")]
        two.say("!attach new words")
        lines += [two.ask("!attachment"), *side.probe("state")]
        two.say("!attach b")
        lines += [two.ask("!tags"), *side.probe("order")]
        return lines


def interleaved(side: Side) -> list[str]:
    """Two handlers of one object, and one that lets nobody else run."""
    with side.socket("a") as one, side.socket("b") as two:
        one.say("!slow 1500")
        lines = [f"meanwhile on another: {two.ask('hello')}"]
        one.say("hello")
        lines += [f"meanwhile on the same: {one.hear()}", one.hear()]
        one.say("!block 300")
        one.say("after")
        lines += [one.hear(), one.hear()]
        return lines


def compressed(side: Side) -> list[str]:
    """Compression is offered: which terms come back."""
    with side.socket(Sec_WebSocket_Extensions="permessage-deflate; client_max_window_bits") as one:
        return [one.head]


SCENARIOS: dict[str, Scenario] = {
    "upgrades": upgrades,
    "messages": messages,
    "order": order,
    "wrong messages": wrong_messages,
    "automatic": automatic,
    "tags": tags,
    "interleaved": interleaved,
    "compressed": compressed,
}
