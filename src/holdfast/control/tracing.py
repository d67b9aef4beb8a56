"""Trying rules on requests: by what is published, in this process, so that no edge is kept from its work.

Law 1: what is asked is what is published, compiled as an edge compiles it: a write that is in force is what a trace shows.
Law 2: one batch of traces at a time, in a thread, and none longer than TRACE_LIMIT_S: control goes on answering. Who would have
to wait for longer than WAIT_LIMIT_S is told so (TracingBusy).
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol, TypeVar

from holdfast.api.context import TracingBusy
from holdfast.control.link_server import LinkServer
from holdfast.control.publisher import Publisher
from holdfast.model.event_messages import RecordedRequest
from holdfast.model.request_text import GivenRequest
from holdfast.model.request_trace import Trace
from holdfast.model.zone_document import Kind, SnapshotDocument

_T = TypeVar("_T")

# A hundred requests take some 50 ms, and compiling a zone of a thousand rules as much again.
TRACE_LIMIT_S = 3.0
WAIT_LIMIT_S = 5.0


class Published(NamedTuple):
    """All that is published, and what of it is compiled already, by kind and id; `managed` are the managed rulesets."""

    documents: SnapshotDocument
    compiled: Mapping[Kind, Mapping[str, Any]]
    managed: Mapping[str, Any]


class Tracer(Protocol):
    """What an edge would do: given by whoever knows how edges work. Both may be called from any thread."""

    def traces(
        self, published: Published, zone_id: str, requests: Sequence[GivenRequest], *, until: Callable[[], bool]
    ) -> list[Trace] | None:
        """What becomes of each request, as far as `until` says no; None for a zone that is not published."""
        ...

    def facts(self, published: Published, zone_id: str, given: GivenRequest) -> Any:  # noqa: ANN401  a room beyond this
        """What is known beside a request of a zone (`rules.context.Facts`)."""
        ...


class Tracing:
    """`api.context.Tracing`, over what is published and over the edges that are connected."""

    def __init__(
        self,
        publisher: Publisher,
        links: LinkServer,
        tracer: Tracer,
        *,
        managed: Callable[[], Mapping[str, Any]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._publisher, self._links, self._managed = publisher, links, managed
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._tracer = tracer

    async def recorded(self, zone_id: str, count: int) -> Sequence[RecordedRequest]:
        """The last requests of a zone, the newest first."""
        return await self._links.recent_requests(zone_id, count)

    async def traces(self, zone_id: str, requests: Sequence[GivenRequest]) -> Sequence[Trace] | None:
        """What becomes of each request, of as many as there is time for; None for a zone that is not published."""
        tracer, published = self._tracer, self._published()

        def work() -> list[Trace] | None:
            deadline = self._clock() + TRACE_LIMIT_S
            return tracer.traces(published, zone_id, requests, until=lambda: self._clock() > deadline)

        return await self._alone(work)

    async def facts(self, zone_id: str, requests: Sequence[GivenRequest]) -> Sequence[Any]:
        """What is known beside each request."""
        tracer, published = self._tracer, self._published()
        return await self._alone(lambda: [tracer.facts(published, zone_id, one) for one in requests])

    async def _alone(self, work: Callable[[], _T]) -> _T:
        try:
            async with asyncio.timeout(WAIT_LIMIT_S):
                await self._one_at_a_time.acquire()
        except TimeoutError:
            raise TracingBusy("other requests are being traced") from None
        try:
            return await asyncio.to_thread(work)
        finally:
            self._one_at_a_time.release()

    def _published(self) -> Published:
        compiled: dict[Kind, Mapping[str, Any]] = {kind: self._publisher.compiled(kind) for kind in ("account", "list")}
        return Published(self._publisher.snapshot(), compiled, self._managed())
