"""What the handlers work with. Made once by control, and never changed.

Law: the API knows of edges only what stands here: that a change is to be published, which connections are open and that they can
be closed, and what an edge would do with a request. So it is with whoever runs scripts.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AbstractContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.event_messages import RecordedRequest
from holdfast.model.moment import Moment
from holdfast.model.request_text import GivenRequest
from holdfast.model.request_trace import Trace
from holdfast.model.worker_messages import BusyObject, Log
from holdfast.model.worker_migrations import DurableClass
from holdfast.model.worker_script import ScriptVersion
from holdfast.rules.context import Facts
from holdfast.rules.managed_ruleset import ManagedRuleset
from holdfast.sealing import SealingKey
from holdfast.store.database import Database


@dataclass(frozen=True, slots=True, kw_only=True)
class Closing:
    """What came of closing: `edges` edges said that they told `closed` WebSockets to close; `silent` ones live, and said
    nothing in time: what is open there may stay so. `names` are what those are called."""

    closed: int
    edges: int
    silent: int
    names: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """A page of the WebSockets that are open on `edges` edges, of `total` ones. Those of the edges that live and did not answer
    (`silent`, by name) are left out."""

    connections: Sequence[Connection]
    total: int
    edges: int
    silent: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One WebSocket, None where no edge that answered knows of it, and the edges that did not answer."""

    connection: Connection | ClosedConnection | None
    silent: tuple[str, ...] = ()


class TooDeep(Exception):
    """The page is too far down to be put together from the lists of several edges. `deepest` is how far down one may be."""

    def __init__(self, deepest: int) -> None:
        super().__init__(f"no page beyond the first {deepest} can be put together")
        self.deepest = deepest


class Watch(Protocol):
    """What happens to the WebSockets of one zone, as it is heard of."""

    async def next(self) -> tuple[int, Sequence[ConnectionEvent]]:
        """Wait for the next events; and how many before them are not known."""

    async def overflow(self) -> None:
        """Return when too many events wait for `next`: there will be no more of them."""


class Connections(Protocol):
    """The WebSockets that are open, on all edges. Each method returns within seconds, whatever edges do, and raises nothing
    but what it says."""

    async def close_zone(self, zone_id: str, *, code: int, reason: str) -> Closing:
        """Close every WebSocket of a zone."""

    async def page(self, query: ConnectionQuery) -> Listing:
        """Those that are open. Raises TooDeep."""

    async def find(self, connection_id: str) -> Finding:
        """One that is open, or closed a short while ago."""

    async def close(self, filter: ConnectionFilter, *, code: int, reason: str) -> Closing:  # noqa: A002  its word
        """Close those that a filter means."""

    def watching(self, zone_id: str, matches: Callable[[Connection], bool]) -> AbstractContextManager[Watch]:
        """Hear of what happens to the WebSockets of a zone for which `matches` holds, until the block ends."""


class TracingBusy(Exception):
    """Others are being traced, and it takes too long to wait for them."""


class Tracing(Protocol):
    """What edges would do with a request, and what they did with the last ones. Each returns within seconds."""

    async def recorded(self, zone_id: str, count: int) -> Sequence[RecordedRequest]:
        """The last requests of a zone, the newest first, of the edges that are connected. Never raises."""

    async def traces(self, zone_id: str, requests: Sequence[GivenRequest]) -> Sequence[Trace] | None:
        """What becomes of each request, of as many as there is time for, one at least; None for a zone that no edge could
        serve. Raises TracingBusy."""

    async def facts(self, zone_id: str, requests: Sequence[GivenRequest]) -> Sequence[Facts]:
        """What is known beside each request of a zone. Raises TracingBusy."""


class NoTracing:
    """Where nobody knows of edges: there were no requests, and nothing becomes of any."""

    async def recorded(self, _: str, __: int) -> Sequence[RecordedRequest]:
        """None."""
        return ()

    async def traces(self, _: str, __: Sequence[GivenRequest]) -> Sequence[Trace] | None:
        """None."""
        return None

    async def facts(self, _: str, requests: Sequence[GivenRequest]) -> Sequence[Facts]:
        """Nothing."""
        return [Facts()] * len(requests)


class DeployRefused(Exception):
    """The version does not run: a sentence, and the traceback of the script's code where that is why."""

    def __init__(self, error: str, traceback: str = "") -> None:
        super().__init__(error)
        self.error, self.traceback = error, traceback


class WorkersUnavailable(Exception):
    """Whoever runs scripts cannot be reached, or does not answer in time. `str` is a sentence."""


class Tailing(Protocol):
    """What a script logs, as it is heard of."""

    async def next(self) -> Log | int | None:
        """The next line; a number: so many were missed; None: there will be no more. Raises WorkersUnavailable."""


class Workers(Protocol):
    """Who runs the scripts of Workers."""

    def turn(self, key: str) -> AbstractAsyncContextManager[object]:
        """Whoever changes the script with this key has it to itself until the block ends."""

    async def deploy(self, version: ScriptVersion, files: Mapping[str, bytes]) -> None:
        """Run this version in the place of the one before, which goes on where this one does not run. Returns when it serves.
        Raises DeployRefused, WorkersUnavailable."""

    async def delete(self, key: str) -> None:
        """End a script, and remove what it stored. Raises WorkersUnavailable."""

    async def deployed(self, key: str) -> str:
        """The version of a script that was deployed last, "" where none is known. Never raises."""

    async def doom_objects(self, key: str, unique_keys: Sequence[str]) -> None:
        """Write down that what the objects of these namespaces stored is to be removed. Raises WorkersUnavailable: what is not written down
        would be met by a class that is made later under the same name."""

    async def forget_objects(self, key: str, living: Collection[str]) -> None:
        """Remove what was doomed, but for namespaces that are `living` all the same: those that the script has now. What cannot be removed is
        with the next call. Never raises."""

    async def adopt_objects(self, key: str, name: str, one: DurableClass) -> None:
        """Have a script have the objects of a class that came from another one, which does not serve them any more. Raises
        WorkersUnavailable."""

    async def schedule(self, key: str, crons: Sequence[str]) -> None:
        """Run a script by itself at these times from now on, and at no others. Raises WorkersUnavailable."""

    async def stored_objects(self, key: str, unique_key: str, *, after: str, limit: int) -> Sequence[str]:
        """Ids of objects of one namespace that have stored something, in order: those after `after`, at most `limit`. Never raises."""

    async def busiest(self, key: str, class_name: str) -> Sequence[BusyObject]:
        """The objects of a class of a script that have most to do, some seconds ago. Raises WorkersUnavailable."""

    def tailing(self, key: str, lines: int) -> AbstractAsyncContextManager[Tailing]:
        """Hear what a script logs, the last `lines` that are kept first, until the block ends. Raises WorkersUnavailable."""


class NoWorkers:
    """Where nobody runs scripts."""

    @asynccontextmanager
    async def turn(self, _: str) -> AsyncIterator[object]:
        """There is nothing to wait for."""
        yield None

    async def deploy(self, _: ScriptVersion, __: Mapping[str, bytes]) -> None:
        """Not here."""
        raise WorkersUnavailable("this installation runs no Workers")

    async def delete(self, _: str) -> None:
        """There is none."""

    async def deployed(self, _: str) -> str:
        """None is known."""
        return ""

    async def doom_objects(self, _: str, __: Sequence[str]) -> None:
        """Nothing."""

    async def forget_objects(self, _: str, __: Collection[str]) -> None:
        """Nothing."""

    async def adopt_objects(self, _: str, __: str, ___: DurableClass) -> None:
        """Raise WorkersUnavailable."""
        raise WorkersUnavailable("this installation runs no Workers")

    async def schedule(self, _: str, __: Sequence[str]) -> None:
        """Not here."""
        raise WorkersUnavailable("this installation runs no Workers")

    async def stored_objects(self, _: str, __: str, *, after: str, limit: int) -> Sequence[str]:
        """There are none."""
        return ()

    async def busiest(self, _: str, __: str) -> Sequence[BusyObject]:
        """There are none."""
        return ()

    def tailing(self, _: str, __: int) -> AbstractAsyncContextManager[Tailing]:
        """Not here."""
        raise WorkersUnavailable("this installation runs no Workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How often the API may be asked. 0 is no limit."""

    requests_per_5_minutes: int = 1200
    requests_per_second_and_address: int = 200


class OnChange(Protocol):
    """Publishes what has these ids, also what is gone, and returns when edges have it, or soon after. Never raises."""

    async def __call__(self, ids: Collection[str], /, *, takes_long: bool = False) -> None:
        """`takes_long`: edges may need seconds for it, and are waited for as long (`Publisher`, law 6)."""


async def _nobody(_: Collection[str], /, *, takes_long: bool = False) -> None:
    """There is no edge to publish to."""


async def _nothing_new(_: Collection[str]) -> None:
    """Nobody else loads any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiContext:
    """What all handlers share.

    `on_change` publishes zones, `on_account_change` what accounts say for all of their zones, and `on_list_change`
    lists, which always take long.
    `managed` gives the managed rulesets that can be deployed, by id, without waiting; `find_managed` looks whether some with these
    ids have been loaded by another process since, so that `managed` has them when it returns; it never raises.
    `tracing` tries rules on requests. `workers` runs scripts.
    `list_turn` is held by whoever reads and writes the items of a list.
    `clock` is the time in microseconds.
    """

    database: Database
    key: SealingKey
    clock: Callable[[], Moment]
    on_change: OnChange
    connections: Connections
    limits: Limits = Limits()
    on_account_change: OnChange = _nobody
    on_list_change: Callable[[Collection[str]], Awaitable[None]] = _nobody
    managed: Callable[[], Mapping[str, ManagedRuleset]] = dict
    find_managed: Callable[[Collection[str]], Awaitable[None]] = _nothing_new
    tracing: Tracing = field(default_factory=NoTracing)
    workers: Workers = field(default_factory=NoWorkers)
    list_turn: asyncio.Lock = field(default_factory=asyncio.Lock)
