"""What comes of something in one turn of the loop, in which order."""

import asyncio
from collections.abc import Callable
from contextvars import ContextVar
from typing import Any

import pytest

from holdfast.workers.channel.turn import Turn
from tests.unit.workers.durable.stage import turn as loop_turn

OWN: ContextVar[str] = ContextVar("OWN", default="")


class Handlers:
    """Runs what was started since `hold`."""

    def __init__(self, did: list[str]) -> None:
        self.did = did
        self.started: list[Callable[[], object]] = []

    def hold(self) -> None:
        self.did.append("hold")

    def run(self) -> None:
        self.did.append("run")
        for one in self.started:
            one()


class Scene:
    def __init__(self) -> None:
        self.did: list[str] = []
        self.handlers = Handlers(self.did)
        self.turn = Turn(self.handlers, lambda: self.did.append("flush"))


async def test_handlers_run_then_what_is_due_then_all_goes_out() -> None:
    scene = Scene()

    def handler() -> None:
        OWN.set("a handler's")
        scene.did.append("handler")
        scene.turn.soon(lambda: scene.did.append(f"commit{OWN.get()}"))

    def act() -> None:
        scene.did.append("act")
        scene.handlers.started.append(handler)
        # What has become durable meanwhile is part of this turn.
        scene.turn.run(lambda: scene.did.append("within"))

    scene.turn.run(act)
    assert scene.did == ["hold", "act", "within", "run", "handler", "commit", "flush"]


async def test_what_is_due_in_no_turn_is_done_when_the_loop_comes_round() -> None:
    scene = Scene()
    scene.turn.soon(lambda: scene.did.append("commit"))
    assert scene.did == []
    await loop_turn()
    assert scene.did == ["commit"]


async def test_what_fails_keeps_nothing_from_being_done() -> None:
    scene, reports = Scene(), list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, report: reports.append(report))

    def fails() -> None:
        raise LookupError("no")

    def act() -> None:
        scene.turn.soon(fails)
        scene.turn.soon(lambda: scene.did.append("commit"))
        raise ValueError("of the record")

    with pytest.raises(ValueError, match="of the record"):
        scene.turn.run(act)
    assert scene.did == ["hold", "run", "commit", "flush"]
    assert [str(one["exception"]) for one in reports] == ["no"]
    assert not scene.turn.is_open


async def test_without_handlers_there_are_no_turns() -> None:
    did = list[str]()
    turn = Turn(None, lambda: did.append("flush"))
    turn.run(lambda: turn.soon(lambda: did.append("soon")))
    assert did == []
    await loop_turn()
    assert did == ["soon"]
