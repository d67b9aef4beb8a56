"""What is tried in control's process: one batch at a time, with an end, and honestly where it cannot be done."""

import asyncio
import threading
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, cast

import pytest

from holdfast.api.context import TracingBusy
from holdfast.control import tracing
from holdfast.control.link_server import LinkServer
from holdfast.control.publisher import Publisher
from holdfast.control.tracing import Published, Tracing
from holdfast.model.request_text import GivenRequest
from holdfast.model.request_trace import Trace
from holdfast.model.zone_document import SnapshotDocument
from holdfast.rules.context import Facts
from tests.unit.requests import a_request

TRACE = Trace(decision="forward", decided_by="forward", phases=())
GIVEN = [GivenRequest(a_request())] * 3


class FakeTracer:
    """Traces one request after another until it is told to end; waits for `gate` first."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.begun = threading.Event()
        self.published: list[Published] = []

    def traces(
        self, published: Published, zone_id: str, requests: Sequence[GivenRequest], *, until: Callable[[], bool]
    ) -> list[Trace] | None:
        self.published.append(published)
        self.begun.set()
        assert self.gate.wait(30)
        if zone_id != "known":
            return None
        found: list[Trace] = []
        while len(found) < len(requests) and not (found and until()):
            found.append(TRACE)
        return found

    def facts(self, published: Published, zone_id: str, given: GivenRequest) -> Facts:
        return Facts(zone_name=zone_id)


def over(tracer: FakeTracer, *, clock: Callable[[], float] = lambda: 0.0) -> Tracing:
    compiled: Mapping[str, Mapping[str, Any]] = {"account": {"a": 1}, "list": {"l": 2}}
    publisher = SimpleNamespace(
        snapshot=lambda: SnapshotDocument(source="s", revision=5), compiled=lambda kind: compiled[kind]
    )
    return Tracing(
        cast("Publisher", publisher),
        cast("LinkServer", SimpleNamespace()),
        tracer,
        managed=lambda: {"m": 3},
        clock=clock,
    )


async def test_what_is_published_is_asked() -> None:
    tracer = FakeTracer()
    asked = over(tracer)
    assert await asked.traces("known", GIVEN) == [TRACE] * 3
    assert await asked.traces("unknown", GIVEN) is None
    assert await asked.facts("known", GIVEN[:1]) == [Facts(zone_name="known")]
    published = tracer.published[0]
    assert (published.documents.revision, published.managed) == (5, {"m": 3})
    assert published.compiled == {"account": {"a": 1}, "list": {"l": 2}}


async def test_there_is_an_end_to_it() -> None:
    times = iter([0.0, 1.0, tracing.TRACE_LIMIT_S + 1])
    assert await over(FakeTracer(), clock=lambda: next(times)).traces("known", GIVEN) == [TRACE] * 2


async def test_who_would_wait_too_long_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "WAIT_LIMIT_S", 0.01)
    tracer = FakeTracer()
    tracer.gate.clear()
    asked = over(tracer)
    first = asyncio.create_task(asked.traces("known", GIVEN))
    assert await asyncio.to_thread(tracer.begun.wait, 30)
    with pytest.raises(TracingBusy):
        await asked.traces("known", GIVEN)
    tracer.gate.set()
    assert await first == [TRACE] * 3
    assert await asked.traces("known", GIVEN) == [TRACE] * 3
