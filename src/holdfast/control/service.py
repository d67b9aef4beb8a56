"""The control process, put together: database, API, publisher, control link, health and metrics.

Law 1: `start` brings everything up or raises one sentence; `stop` takes everything down, and can be called at any time.
Law 2: HTTP is served when the edge that lives serves what is published, EDGE_LIMIT_S after the start at the latest: then
the first write is in force when its answer arrives, as every other.
Law 3: while the database is away, reads and writes are answered 503 and nothing else ends: edges go on, the link stays.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI, Request, Response

from holdfast import __version__
from holdfast.api.application import PREFIX, create_application
from holdfast.api.context import ApiContext, Limits, NoTracing, NoWorkers, Workers, WorkersUnavailable
from holdfast.api.context import Tracing as ApiTracing
from holdfast.api.inert_rules import InertRule, inert_rules, lines_of
from holdfast.control.audit_retention import keep_trimming
from holdfast.control.event_intake import EventIntake
from holdfast.control.event_retention import EventKeeping, EventLimits
from holdfast.control.figures import Figures
from holdfast.control.first_start import FirstStart, ensure_owner
from holdfast.control.key_check import claim_key
from holdfast.control.link_server import LinkServer
from holdfast.control.live_connections import LiveConnections
from holdfast.control.metrics import OwnFigures, exposition
from holdfast.control.not_through_edges import NotThroughEdges
from holdfast.control.pacing import Pacing
from holdfast.control.publisher import APPLY_LIMIT_S, BEHIND_LIMIT_S, Check, Publisher
from holdfast.control.tracing import Tracer, Tracing
from holdfast.control.worker_catch_up import keep_catching_up
from holdfast.control.worker_metrics import WorkerMetrics
from holdfast.errors import SetupError
from holdfast.model.moment import Moment
from holdfast.model.worker_host_messages import ScriptStatus
from holdfast.sealing import SealingKey
from holdfast.store import installation, tokens
from holdfast.store.database import Database, StoreUnavailable
from holdfast.store.upgrade import upgrade

# How long what is done in the background may take to end.
STOP_LIMIT_S = 1.0
# How long the edge of an earlier control has to come back. It looks for us every 50 ms; on a machine that has much else to do,
# that may be seconds.
EDGE_LIMIT_S = 5.0
# How long whoever changed what takes long waits for the edges. Reading and compiling the 100,000 items of a list takes each side
# half a second, and so do a thousand rules, or a managed ruleset that an edge executes for the first time.
LONG_LIMIT_S = 10.0
# How often it is written down which tokens were used.
TOKEN_USE_INTERVAL_S = 5.0

Log = Callable[[str, Mapping[str, str | int]], None]


def microseconds() -> Moment:
    """The wall clock."""
    return time.time_ns() // 1000


async def no_statuses() -> Sequence[ScriptStatus]:
    """Where nobody runs scripts."""
    raise WorkersUnavailable("this installation runs no Workers")


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlFacts:
    """What control is made of. `link_path` is the Unix socket edges connect to; `check` raises ValueError for a zone that
    no edge could serve; `clock` is the time in microseconds; `journal` is the file of what the edge served last, `figures_file` that of what edges counted;
    `living_edge` gives the process of the edge that lives, connected or not, and None where none does; `event_limits` say how
    many security events are kept; `managed` gives the managed rulesets that are always there, by id; `tracer` tells what an edge
    would do with a request; `workers` runs scripts, and `script_statuses` tells how they are, or raises WorkersUnavailable."""

    database_url: str
    link_path: Path
    key: SealingKey
    check: Check
    limits: Limits
    log: Log
    clock: Callable[[], Moment] = microseconds
    journal: Path | None = None
    figures_file: Path | None = None
    living_edge: Callable[[], int | None] = lambda: None
    event_limits: EventLimits = field(default_factory=EventLimits)
    managed: Callable[[], Mapping[str, Any]] = dict
    tracer: Tracer | None = None
    workers: Workers = field(default_factory=NoWorkers)
    script_statuses: Callable[[], Awaitable[Sequence[ScriptStatus]]] = no_statuses


class Control:
    """The control process. `application` is what serves HTTP."""

    def __init__(self, facts: ControlFacts) -> None:
        self._log = facts.log
        self._clock = facts.clock
        self._journal = facts.journal
        self._key = facts.key
        self._workers = facts.workers
        self._script_statuses = facts.script_statuses
        self._worker_metrics = WorkerMetrics()
        self.database = Database(
            facts.database_url, on_fault=lambda reason: facts.log("store_unavailable", {"reason": reason})
        )
        self.publisher = Publisher(self.database, check=facts.check, log=facts.log, clock=facts.clock)
        self._intake = EventIntake(self.database, log=facts.log)
        self._events = EventKeeping(self.database, self._intake, facts.event_limits, clock=facts.clock, log=facts.log)
        self.links = LinkServer(
            facts.link_path,
            self.publisher,
            log=facts.log,
            living_edge=facts.living_edge,
            take_events=self._intake.offer,
            figures=Figures(facts.figures_file, is_published=self.publisher.is_published),
        )
        self._managed_always_there = facts.managed
        # Which rules do nothing, and of which publication that is known.
        self._inert: tuple[int, tuple[InertRule, ...]] = (0, ())
        context = ApiContext(
            database=self.database,
            key=facts.key,
            clock=facts.clock,
            on_change=self._on_change,
            on_account_change=self._on_account_change,
            on_list_change=self._on_list_change,
            managed=self._managed,
            find_managed=self._find_managed,
            tracing=self._tracing(facts.tracer),
            connections=LiveConnections(self.links),
            limits=facts.limits,
            workers=facts.workers,
        )
        self.application = create_application(context, version=__version__, log=facts.log)
        self._add_operations(self.application)
        # Added last, so it comes first.
        self.application.add_middleware(NotThroughEdges)
        # Whether this installation takes no new clients any more.
        self.is_draining = False
        # The process of the edge that was waited for, and did not come.
        self._given_up: int | None = None
        self._pacing = Pacing()
        self._tasks: list[asyncio.Task[Any]] = []

    async def start(self) -> FirstStart | None:
        """Bring the tables up to date, make the owner of a new installation, publish, and listen for edges.

        What the first start made is returned, to be shown once. Raises SetupError, also for a database that is sealed with
        another key, and UnavailableError for one that has been lost.
        """
        try:
            await upgrade(self.database)
            await claim_key(self.database, self._key)
            first = await ensure_owner(self.database, now=self._clock(), journal=self._journal)
            await self.publisher.load()
        except StoreUnavailable as error:
            raise SetupError(f"database_url: {error}") from error
        await self.links.start()
        await self._warm_up()
        await self.links.until_all_serve(EDGE_LIMIT_S)
        self._given_up = self.links.missing_edge()
        self._spawn(self.publisher.keep_polling(self._pacing))
        self._spawn(self._keep_noting_uses())
        # Before somebody asks for them: it takes a while, once.
        self._spawn(asyncio.to_thread(self._managed_always_there))
        self._spawn(keep_trimming(self.database, self._clock, self._log, self._pacing))
        self._spawn(self._events.keep_trimming(self._pacing))
        self._spawn(keep_catching_up(self.database, self._workers, self._log, self._pacing))
        return first

    async def stop(self) -> None:
        """Let edges go and close the database. Zones stay in force on the edges."""
        self._pacing.stop()
        if self._tasks:
            # Those that only wait have ended; a thread that still reads rules is at its end when it is.
            _, late = await asyncio.wait(self._tasks, timeout=STOP_LIMIT_S)
            for task in late:
                task.cancel()
        await self._intake.stop()
        await self.links.stop()
        with suppress(StoreUnavailable):
            await self._note_uses()
        await self.database.close()

    async def _on_change(self, zone_ids: Collection[str], /, *, takes_long: bool = False) -> None:
        await self.publisher.on_change(zone_ids, limit_s=LONG_LIMIT_S if takes_long else APPLY_LIMIT_S)
        await self._until_edges_are_there()

    async def _on_account_change(self, account_ids: Collection[str], /, *, takes_long: bool = False) -> None:
        await self.publisher.on_change(accounts=account_ids, limit_s=LONG_LIMIT_S if takes_long else APPLY_LIMIT_S)
        await self._until_edges_are_there()

    async def _on_list_change(self, list_ids: Collection[str]) -> None:
        await self.publisher.on_change(lists=list_ids, limit_s=LONG_LIMIT_S)
        await self._until_edges_are_there()

    def _tracing(self, tracer: Tracer | None) -> ApiTracing:
        if tracer is None:
            return NoTracing()
        return Tracing(self.publisher, self.links, tracer, managed=self._managed)

    def _managed(self) -> Mapping[str, Any]:
        return {**self._managed_always_there(), **self.publisher.managed}

    async def _find_managed(self, ids: Collection[str]) -> None:
        """What another process loaded is published now, and not only when it is looked for next."""
        await self.publisher.on_change(managed=ids)

    async def _until_edges_are_there(self) -> None:
        """Wait for the edge that lives and is not connected, for a moment only where that has been too long before."""
        missing = self.links.missing_edge()
        if missing is not None:
            await self.links.until_all_serve(BEHIND_LIMIT_S if missing == self._given_up else APPLY_LIMIT_S)
            self._given_up = self.links.missing_edge()

    async def _warm_up(self) -> None:
        """Have FastAPI build its routes, which it does at the first request: a tenth of a second nobody should wait for."""
        # From no address: from one of this machine it would count against whoever asks from there.
        transport = httpx.ASGITransport(self.application, raise_app_exceptions=False, client=("", 0))
        async with httpx.AsyncClient(transport=transport, base_url="http://control") as client:
            await client.get(f"{PREFIX}/zones")

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        self._tasks.append(asyncio.create_task(work))

    async def _keep_noting_uses(self) -> None:
        while await self._pacing.pause(TOKEN_USE_INTERVAL_S):
            with suppress(StoreUnavailable):
                if self.database.storage_fault:
                    # So that it is known to be well again also where nobody writes.
                    await self.database.try_to_write()
                await self._note_uses()

    async def _note_uses(self) -> None:
        uses: dict[str, Moment] = self.application.state.token_uses
        if not uses:
            return
        noted = dict(uses)
        async with self.database.note() as connection:
            await tokens.note_use(connection, noted)
        for token_id, used in noted.items():
            if uses.get(token_id) == used:
                del uses[token_id]

    def _add_operations(self, application: FastAPI) -> None:
        for path, endpoint in (("/healthz", self._health), ("/readyz", self._ready), ("/metrics", self._metrics)):
            # Not through FastAPI, which would remember the methods of this control for as long as the process lives.
            application.add_route(path, endpoint, methods=["GET"], include_in_schema=False)

    async def _health(self, _: Request) -> Response:
        """The process answers."""
        return Response("ok\n", media_type="text/plain")

    async def _ready(self, _: Request) -> Response:
        """The database answers and took the last write, and an edge serves; what is amiss is said, a line each."""
        amiss = ["draining: no new clients are taken"] if self.is_draining else []
        try:
            async with self.database.read() as connection:
                await installation.source_and_revision(connection)
        except StoreUnavailable as error:
            amiss.append(str(error))
        if (fault := self.database.storage_fault) and fault not in amiss:
            amiss.append(fault)
        if not self.links.sessions:
            amiss.append("no edge is connected")
        status = 503 if amiss else 200
        notes = [
            *(
                f"edge {session.edge}: {count} certificates are left out, and its log says why"
                for session in self.links.sessions
                if (count := session.certificates_left_out)
            ),
            *(f"{one.kind} {one.name}: {one.reason}" for one in self.publisher.refused.values()),
            *lines_of(await self._inert_rules()),
        ]
        return Response("\n".join([*(amiss or ["ok"]), *notes]) + "\n", status, media_type="text/plain")

    async def _inert_rules(self) -> tuple[InertRule, ...]:
        """The rules that are published and do nothing. In a thread: there may be many zones."""
        revision = self.publisher.revision
        if self._inert[0] != revision:
            found = await asyncio.to_thread(inert_rules, self.publisher.snapshot(), self._managed())
            self._inert = (revision, found)
        return self._inert[1]

    async def _metrics(self, _: Request) -> Response:
        """Prometheus."""
        reports, statuses = await asyncio.gather(self.links.reports(), self._statuses())
        own = OwnFigures(
            edges=len(self.links.sessions),
            retired=sum(session.is_retired for session in self.links.sessions),
            event_rows=self._events.rows,
            inert_rules=len(await self._inert_rules()),
            streams=self.links.watch.statistics()["watchers"],
        )
        more = self._worker_metrics.families(statuses)
        text = exposition(
            reports, own, zone_name=self.publisher.zone_name, published=self.publisher.counts(), more=more
        )
        return Response(text, media_type="text/plain; version=0.0.4; charset=utf-8")

    async def _statuses(self) -> Sequence[ScriptStatus] | None:
        try:
            return await self._script_statuses()
        except WorkersUnavailable:
            return None
