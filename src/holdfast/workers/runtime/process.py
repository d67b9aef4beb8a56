"""A script's process, put together: what the host says, and what is done about it.

`Load` imports the code; `Serve` takes the objects and accepts; `Retire`, SIGTERM and the end of the host's link let go of everything, in this order:
requests that are soon answered are, objects end what runs and leave, what they sent and acknowledged goes out, edges are told goodbye, the host
hears `Retired` and has the next process serve; answers that take longer (a stream of events) go on beside it for a while.

Law 1: nothing happens to an object before all objects are ours, and they are given back before the host hears `Retired`.
Law 2: a retirement ends within its limit and what the parts allow themselves beyond it; what has not ended then is cut.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import os
import signal
import socket
from collections import Counter
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any

from holdfast.errors import reason_of
from holdfast.model.worker_messages import (
    COUNTERS_EVERY_S,
    Counters,
    HostMessage,
    Load,
    Loaded,
    LoadFailed,
    LogLevel,
    Retire,
    Retired,
    Scheduled,
    Serve,
    Serving,
)
from holdfast.workers.channel.hub import Channels
from holdfast.workers.channel.keepers import FILE_NAME as KEEPERS
from holdfast.workers.channel.keepers import Keepers
from holdfast.workers.channel.records import VERSION, ProcessHello
from holdfast.workers.durable.instance import Instance
from holdfast.workers.durable.objects import Objects
from holdfast.workers.durable.tasks import task_factory
from holdfast.workers.runtime import console, egress, isolation, strays
from holdfast.workers.runtime.dispatch import Dispatcher
from holdfast.workers.runtime.environment import elsewhere, environment_of, variables_of
from holdfast.workers.runtime.hangs import Hangs
from holdfast.workers.runtime.host_link import HostLink
from holdfast.workers.runtime.http_server import Exchange, HttpServer
from holdfast.workers.runtime.loading import LoadError, Script, load, user_trace
from holdfast.workers.runtime.neighbours import Neighbours, neighbours_of
from holdfast.workers.runtime.own_entrypoints import exports_of
from holdfast.workers.runtime.pump import Pump
from holdfast.workers.runtime.reception import Reception
from holdfast.workers.runtime.scheduling import Scheduling
from holdfast.workers.runtime.services import Far, services
from holdfast.workers.runtime.turns import Turns, current_event, see_event
from holdfast.workers.sdk import ffi, lifespans
from holdfast.workers.sdk.context import Env, environment, running

# Objects of the first generation before it is collected, and how often for the second and third; the default is 700, 10, 10.
GC_THRESHOLDS = (10_000, 20, 20)
# How long answers are waited for before the objects go: nobody serves meanwhile.
ANSWER_S = 1.0
# How long it is waited for clients whose upgrade was answered: their edge asks for the socket at once, and nobody else would know it.
OPEN_S = 1.0
# A host that is gone, or a SIGTERM of a service manager, gives no limits.
HURRIED = Retire(limit_s=10.0)
# How long what is said before an end by itself has to leave.
END_S = 0.1
# How long events begin one at a time after a crash: what was under way then comes at once.
CAREFUL_S = 2.0
# The same, in waits for the end of one.
CAREFUL_WAITS = 4


class Process:
    """See above; made on the running loop."""

    def __init__(self, host: HostLink, turns: Turns, hangs: Hangs) -> None:
        self._host = host
        self._hangs = hangs
        self._turns = turns
        self._loop = asyncio.get_running_loop()
        self._said: asyncio.Queue[HostMessage | None] = asyncio.Queue()
        self._load: Load | None = None
        self._script: Script | None = None
        self._serving: _Serving | None = None
        self._loop.set_task_factory(task_factory)
        self._is_ending = False
        self._loop.set_exception_handler(self._uncaught)

    async def run(self) -> None:
        """Until it has retired."""
        self._host.listen(self._said.put_nowait)
        self._loop.add_signal_handler(signal.SIGTERM, self._said.put_nowait, None)
        self._loop.add_signal_handler(signal.SIGINT, lambda: None)
        while True:
            match await self._said.get():
                case Load() as message:
                    self._loaded(message)
                case Serve() as message if self._serving is not None:
                    await self._serving.serve(message)
                    self._host.say(Serving())
                case Serve():
                    self._host.log("error", "told to serve what did not load", kind="host")
                case Scheduled() as message:
                    if self._serving is not None:
                        self._serving.scheduling.run(message)
                case Retire() as message:
                    await self._retire(message)
                    return
                case None:
                    await self._retire(HURRIED)
                    return

    def _loaded(self, message: Load) -> None:
        script_dir = Path(message.objects_dir).parent
        own = (Path(message.code_dir), Path(message.objects_dir), Path(message.run_dir), Path(message.egress_path))
        self._turns.use(message.turn_file)
        try:
            neighbours = neighbours_of(message)
        except OSError as error:
            self._host.say(LoadFailed(error=f"the script's directory cannot be used: {reason_of(error)}"))
            return
        console.capture(partial(_console, self._host))
        strays.watch_threads(self._thread_failed)
        strays.hide_tasks()
        # DATA/workers/<key>/objects: what is Holdfast's begins two above the script's directory.
        isolation.confine(script_dir.parent.parent, own)
        # What a module reads of it at its top level; the namespaces come when the classes are there.
        environment.set_default(Env(variables_of(message)))
        self._hangs.root = Path(message.code_dir, message.main).resolve().parent
        try:
            script = load(
                Path(message.code_dir),
                message.main,
                wanted=_wanted(message),
                kept=message.storages,
            )
            self._serving = _Serving(self._host, self._turns, message, script, neighbours)
        except LoadError as error:
            self._host.say(LoadFailed(error=_told(str(error)), traceback=_told(error.trace)))
            return
        self._script = script
        self._hangs.cut = self._serving.cut
        _settle_memory()
        self._host.say(Loaded(handlers=script.handlers, classes=script.classes))

    async def _retire(self, told: Retire) -> None:
        if self._serving is not None:
            await self._serving.retire(told.limit_s, is_last=told.is_last)
        console.let_go()
        self._host.say(Retired())
        if self._serving is not None:
            await self._serving.linger(told.linger_s)

    def _uncaught(self, _loop: asyncio.AbstractEventLoop, told: dict[str, Any]) -> None:
        """What asyncio has nobody to tell: mostly a task of user code that failed and that nobody awaited."""
        if self._is_ending:
            # asyncio tries to accept again and again.
            return
        error = told.get("exception")
        ray, entrypoint = strays.whose(told)
        text = str(told.get("message", "an error of the event loop"))
        if error is not None:
            text = f"{text}\n{user_trace(error, self._root)}"
        self._host.log("error", text, ray=ray, entrypoint=entrypoint, kind="exception")
        if "socket" in told and isinstance(error, OSError) and error.errno == errno.EMFILE:
            self._is_ending = True
            self._out_of_descriptors()

    def _thread_failed(self, error: BaseException, ray: str, entrypoint: str) -> None:
        text = f"Uncaught exception in a thread\n{user_trace(error, self._root)}"
        self._host.log("error", text, ray=ray, entrypoint=entrypoint, kind="exception")

    @property
    def _root(self) -> Path:
        return self._script.root if self._script is not None else Path("/")

    def _out_of_descriptors(self) -> None:
        """Nobody can be accepted any more, and user code will not give back what it has lost: the next process begins with none."""
        self._host.log("error", "it has no descriptor left to accept with, and ends", kind="host")
        self._loop.call_later(END_S, os._exit, 1)


class _Serving:
    """A script that is loaded, with all that serves it."""

    def __init__(self, host: HostLink, turns: Turns, message: Load, script: Script, neighbours: Neighbours) -> None:
        self._host = host
        self._load = message
        self._script = script
        self._is_serving = False
        self._loop = asyncio.get_running_loop()
        self._channels: Channels | None = None
        self._pump = Pump(
            at_rest=self._flush,
            failed=partial(self._fault, "an event could not be ended"),
            turns=turns,
            known=(running, current_event, console.entrypoint, console.own_ray),
            held=console.HELD,
            over=console.over_in,
        )
        self._objects = Objects(
            script=message.name,
            # What has moved to another script is that one's, though the code has it still.
            classes={name: code for name, code in script.objects.items() if name not in message.moved},
            start=self._pump.start,
            report=self._report_object,
            namespaces=message.namespaces,
            memory_mb=message.limits.memory_mb,
        )
        self._reception = Reception(self._objects if script.objects else None)
        self._channels = Channels(
            self._reception,
            ProcessHello(version=VERSION, script=message.name, script_version=message.version, pid=os.getpid()),
            report=partial(self._note, "warn"),
            handlers=self._pump,
        )
        env = environment_of(message, self._objects, neighbours)
        environment.set_default(env)
        self._objects.channels = self._channels
        self._objects.lost = self._fenced
        self._objects.env = env
        self._objects.elsewhere = elsewhere(message, neighbours)
        self._objects.services.event_seen = see_event
        self._objects.services.wakes = turns.lend
        self._objects.services.run_seen = console.see_run
        self._objects.services.context = _named
        egress.configure(message.egress_path, message.key)
        self._dispatcher = Dispatcher(
            script, env, key=message.key, reception=self._reception, log=host, objects=self._objects
        )
        environment.exports = self._objects.services.exports = exports_of(
            {name: self._objects.namespace(name) for name in script.objects if name not in message.moved},
            script.entrypoints,
            env,
            self._dispatcher.wait_until,
        )
        self.scheduling = Scheduling(
            script,
            env,
            key=message.key,
            log=host,
            wait_until=self._dispatcher.wait_until,
            report=self._dispatcher.report,
        )
        self._server = HttpServer(self._answering(message), report=partial(self._note, "error"))
        ffi.at_home(self._loop)
        services.at_home(self._loop)
        services.adopt = self._adopt
        services.report = self._dispatcher.report
        services.ray_of = self._ray_of
        self._counting: asyncio.TimerHandle | None = None
        # What the host was told last.
        self._counted: Counters | None = None

    async def serve(self, message: Serve) -> None:
        """Take the objects, then accept."""
        died_in = () if message.died_in is None else (message.died_in,)
        poison = frozenset((event.sid, event.seq) for event in (*died_in, *message.died_before))
        if message.is_after_crash:
            self._pump.be_careful(max(CAREFUL_S, CAREFUL_WAITS * message.wait_s), message.wait_s)
        # Sockets first: an alarm that is due wakes its object as soon as the objects are ours.
        keepers = Keepers(Path(self._load.objects_dir) / KEEPERS, partial(self._note, "warn"))
        await self._hub.gather(_listener(self._load.channel_fd), poison=poison, keepers=keepers)
        await self._objects.start(Path(self._load.objects_dir))
        self._hub.release()
        await self._server.serve(_listener(self._load.http_fd))
        self._is_serving = True
        self._count()

    async def retire(self, limit_s: float, *, is_last: bool = False) -> None:
        """Let go of everything. `is_last`: of sockets, too, which the next process would have."""
        if self._counting is not None:
            self._counting.cancel()
        if self._is_serving:
            until = self._loop.time() + limit_s
            services.is_retiring = True
            self._pump.be_bold()
            self._server.stop()
            await self._server.answered(min(limit_s, ANSWER_S))
            await self._reception.settled(min(limit_s, OPEN_S))
            await self._objects.retire(max(until - self._loop.time(), 0))
            self._objects.parted(is_all_out=await self._hub.retire(is_last=is_last))
        self._host.say(self._counters())

    async def linger(self, limit_s: float) -> None:
        """End the answers that still go on, and what goes on behind answers; cut what takes longer."""
        if self._is_serving:
            until = self._loop.time() + limit_s
            await self._server.retire(limit_s)
            await self._dispatcher.retire(max(until - self._loop.time(), 0))
            await lifespans.shut_down(max(until - self._loop.time(), 0.1))

    def cut(self, ray: str) -> None:
        """What this ray asked for is ended with the process."""
        self._dispatcher.cut(ray)

    def _answering(self, message: Load) -> Callable[[Exchange], Awaitable[None]]:
        if not message.is_dev:
            return self._dispatcher.answer
        from holdfast.workers.runtime.trying import Trying  # noqa: PLC0415  for nobody but who edits

        return Trying(self._dispatcher.answer, self.scheduling.ran).answer

    @property
    def _hub(self) -> Channels:
        if self._channels is None:
            raise RuntimeError("no channels yet")
        return self._channels

    def _fenced(self) -> None:
        """Nothing that is asked of objects can be answered here any more: the next process takes them, or is told that it may not."""
        self._note("error", "the objects are not its own any more, and it ends")
        # Who comes now waits for the next one.
        self._server.stop()
        self._loop.call_later(END_S, os._exit, 1)

    def _flush(self) -> None:
        if self._channels is not None:
            self._channels.flush()

    def _adopt(self, far: Far, token: str) -> None:
        self._reception.adopt(far, token, self._hub.adopt)

    def _ray_of(self, sid: int) -> str:
        session = self._hub.session(sid)
        return str(getattr(session.socket, "ray", "")) if session is not None else ""

    def _count(self) -> None:
        console.let_go(older_than_s=console.MAX_HELD_S)
        counters = self._counters()
        if counters != self._counted:
            self._counted = counters
            self._host.say(counters)
        self._counting = self._loop.call_later(COUNTERS_EVERY_S, self._count)

    def _counters(self) -> Counters:
        figures = self._objects.figures()
        return Counters(
            counters={
                **self._hub.statistics(),
                **self._dispatcher.figures(),
                "log_lines_left_out": self._host.lines_left_out,
                "handlers_suspended": self._pump.suspended,
                "sockets_expected": self._reception.expected,
                "objects_live": figures.live,
                "objects_known": figures.known,
                "object_sockets": figures.sockets,
                **dict(figures.happened),
            },
            objects=dict(Counter(name.partition(" ")[0] for name in self._objects.reasons())),
            classes=self._objects.classes(),
            busiest=self._objects.busiest(),
        )

    def _note(self, level: LogLevel, text: str) -> None:
        self._host.log(level, text, kind="host")

    def _report_object(self, level: str, text: str, error: BaseException | None) -> None:
        known: LogLevel = level if level in {"debug", "info", "log", "warn", "error"} else "error"  # type: ignore[assignment]
        trace = "" if error is None else f"\n{user_trace(error, self._script.root)}"
        ray, entrypoint = console.who()
        self._host.log(
            known, f"{text}{trace}", ray=ray, entrypoint=entrypoint, kind="object" if error is None else "exception"
        )

    def _fault(self, what: str, error: BaseException) -> None:
        self._host.log("error", f"{what}: {error!r}", kind="host")


def _wanted(message: Load) -> list[str]:
    """The classes that bindings name, but for those that are elsewhere now; and those of the next version."""
    own = (one.class_name for one in message.durable_objects if one.script_name in {"", message.name})
    return [*(name for name in own if name not in message.moved), *message.awaited]


def _console(host: HostLink, level: LogLevel, message: str, ray: str, entrypoint: str) -> None:
    host.log(level, message, ray=ray, entrypoint=entrypoint)


def _told(text: str) -> str:
    """As it can be sent: what user code raises may have halves of surrogates in its text."""
    return text.encode("utf-8", "replace").decode()


def _named(instance: Instance) -> None:
    """In the context of an object: what it prints is its class's."""
    console.entrypoint.set(instance.place.kind.name)


def _settle_memory() -> None:
    """What is loaded stays: the collector need not look at it again, nor at each few hundred objects that messages come with."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)


def _listener(descriptor: int) -> socket.socket:
    return socket.socket(fileno=descriptor)
