"""The handler `scheduled`: run when a cron expression of the script is due.

Law 1: each run is an invocation of its own: what it raises is logged with its traceback, and ends nothing else. It is not repeated.
Law 2: runs of one expression may overlap, as in the original; each is ended after LIMIT_S, so that their number is bounded.
Law 3: a retirement waits for runs as it does for what `waitUntil` was given.
"""

from __future__ import annotations

import asyncio
import inspect
import secrets
import time
from collections.abc import Awaitable, Callable
from contextvars import copy_context
from typing import Any, Literal

from holdfast.model.worker_egress import RequestContext
from holdfast.model.worker_messages import Scheduled
from holdfast.workers.runtime import console
from holdfast.workers.runtime.dispatch import called_with
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.loading import DEFAULT, Script
from holdfast.workers.sdk.context import ExecutionContext, Invocation, running
from holdfast.workers.sdk.entrypoints import handler_of
from holdfast.workers.sdk.in_place import called

# Precedent: the original ends a run after 15 minutes.
LIMIT_S = 15 * 60.0
# As the tail of the original names them.
Outcome = Literal["ok", "exception", "canceled"]


class ScheduledController:
    """What `scheduled` is called with first."""

    type = "scheduled"

    def __init__(self, cron: str, scheduled_ms: int) -> None:
        self.cron = cron
        self.scheduledTime = scheduled_ms  # the platform's name; Unix time in milliseconds
        self.is_repeatable = True

    @property
    def scheduled_time(self) -> int:
        """The same in Python's spelling."""
        return self.scheduledTime

    def noRetry(self) -> None:  # noqa: N802 - the platform's name
        """Do not run again where this run fails; here none is."""
        self.is_repeatable = False

    no_retry = noRetry


class Scheduling:
    """Runs the handler of a script."""

    def __init__(
        self,
        script: Script,
        env: Any,  # noqa: ANN401 - the script's bindings
        *,
        key: str,
        log: HostLink,
        wait_until: Callable[[Awaitable[Any]], None],
        report: Callable[[BaseException, str], None],
    ) -> None:
        self._script, self._env, self._key, self._log = script, env, key, log
        self._wait_until, self._report = wait_until, report

    def run(self, due: Scheduled) -> None:
        """Begin a run."""
        self._wait_until(self._begun(due))

    async def ran(self, due: Scheduled) -> Outcome:
        """Run it to its end; how that was. Who asks and leaves does not end it."""
        task = self._begun(due)
        self._wait_until(task)
        return await asyncio.shield(task)

    def _begun(self, due: Scheduled) -> asyncio.Task[Outcome]:
        return asyncio.get_running_loop().create_task(self._run(due), context=copy_context())

    async def _run(self, due: Scheduled) -> Outcome:
        began = time.monotonic()
        context = RequestContext(ray=secrets.token_hex(8), script=self._key)
        running.set(Invocation(env=self._env, wait_until=self._wait_until, request=context))
        console.entrypoint.set(DEFAULT)
        outcome: Outcome = "canceled"
        try:
            outcome = await self._handled(due)
        finally:
            console.over(context.ray, DEFAULT)
            self._log.log(
                "info",
                f'"{due.cron}" {outcome}',
                ray=context.ray,
                entrypoint=DEFAULT,
                kind="scheduled",
                fields={
                    "cron": due.cron,
                    "scheduled_ms": due.scheduled_ms,
                    "outcome": outcome,
                    "wall_ms": round((time.monotonic() - began) * 1000),
                },
            )
        return outcome

    async def _handled(self, due: Scheduled) -> Outcome:
        try:
            async with asyncio.timeout(LIMIT_S):
                result = self._called(ScheduledController(due.cron, due.scheduled_ms))
                if inspect.isawaitable(result):
                    await result
        except asyncio.CancelledError:
            raise
        except BaseException as error:  # noqa: BLE001 - user code's, whatever it is
            self._report(error, f'scheduled("{due.cron}")')
            return "exception"
        return "ok"

    def _called(self, controller: ScheduledController) -> object:
        context = ExecutionContext(self._wait_until)
        if self._script.default is not None:
            handler = handler_of(self._script.default(context, self._env), "scheduled")
        else:
            handler = self._script.functions.get("on_scheduled")
        if handler is None:
            raise AttributeError("Handler does not export a scheduled() function.")
        return called(called_with, handler, controller, self._env, context)
