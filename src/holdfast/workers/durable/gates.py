"""The input gate of an object: who may go on inside it. What of it may be seen outside: `output_gate.py`.

The gate holds the *steps* of user code, from one suspension to the next: a coroutine whose awaited thing has happened
goes on only when the gate admits it. It is closed by a section (`blockConcurrencyWhile`, a transaction), to all but that
section's own code, by a commit, to everybody, and by an event that settles (`settling.py`), to other events. A read that is awaited in place
needs no closing: it never suspends, so nothing can come between.

Law 1: while a section is open, no step of code outside of it runs; code of an inner section shuts out that of the outer.
Law 2: who waits at the input gate is admitted in the order of arrival; but whoever awaits a section goes on before all of them when
it ends, since what it does next belongs to the section's event, and to the commit of what the section wrote; where that has begun, behind it.
Law 3: a broken gate lets no step run, ever.
Source: workerd `io-gate.h`, and the product's documentation of input and output gates.
"""

import asyncio
import contextlib
import types
from bisect import insort
from collections.abc import Awaitable, Callable, Coroutine, Generator
from itertools import count
from typing import Any, cast

from holdfast.workers.durable.current import Section
from holdfast.workers.durable.settling import Settling
from holdfast.workers.sdk.in_place import Wanted

Steps = Generator[Any, Any, Any]

# The place of who awaits a section that has ended: before all others, whose places are counted from 0.
_FIRST = -1
# How many are called at once, at most: as many as wait, in all but an endless line.
_ALL = 1 << 20


class Exited(RuntimeError):
    """User code raised SystemExit or KeyboardInterrupt. Of a task either would end the loop, and with it all objects of the script."""

    def __init__(self, error: BaseException) -> None:
        super().__init__(f"{type(error).__name__}({error}): an object cannot end its process")


class Waiter:
    """A step that waits at the input gate. It keeps its place in the line until it is admitted."""

    __slots__ = ("event", "future", "is_called", "number", "section")

    def __init__(self, number: int, section: Section | None, event: object) -> None:
        self.number = number
        self.section = section
        self.event = event
        self.future: asyncio.Future[None]
        self.is_called = False


class InputGate:
    """Admits the steps of an object's code.

    When it opens, those who wait are *called*, and each looks for itself whether it may pass when the loop has come to it. Until
    all of them have, the gate is closed to whoever comes anew. Where one of them closes it again (it settles), the others were called for nothing: then
    fewer are called at once, and twice as many again each time that all of them have passed.
    """

    __slots__ = (
        "_called",
        "_holds",
        "_most",
        "_numbers",
        "_opened",
        "_sections",
        "_settling",
        "_waiting",
        "broken",
        "current",
        "ended",
        "has_branched",
        "has_settled",
        "is_closed",
        "is_used",
    )

    def __init__(self, opened: Callable[[], None]) -> None:
        self._opened = opened
        self._sections: list[Section] = []
        self._holds = 0
        self._waiting: list[Waiter] = []
        self._called = 0
        self._most = _ALL
        self._numbers = count()
        self.broken: BaseException | None = None
        # The task of a section that has just ended; who awaits it is on its way.
        self.ended: asyncio.Task[Any] | None = None
        # Closed to somebody: what every step looks at first.
        self.is_closed = False
        # Whose step runs: an event is any object that is nobody else's. And whether this step has used the storage, and made a task.
        self.current: object = None
        self.is_used = self.has_branched = False
        self._settling = Settling(self._look)
        # Whether an event has settled since the last commit.
        self.has_settled = False

    def admits(self, section: Section | None, event: object = None) -> bool:
        """Whether code of this section (None: of none) and event may run now, but for the line."""
        if self._holds:
            return False
        if self._sections:
            return self._sections[-1] is living(section)
        return self._settling.event is None or self._settling.event is event

    def suspended(self, event: object) -> None:
        """A step of this event used the storage, and suspends: for a task that it has made, or for anything else, which lets others in."""
        if self.has_branched:
            self.settle(event)
        else:
            self.is_used = False

    def settle(self, event: object) -> None:
        """Code of this event used the storage, and is awaited: others wait until whoever awaits it has gone on, or longer than that takes."""
        self.is_used = self.has_branched = False
        if event is not None and not self._sections and self.broken is None:
            self.is_closed = self.has_settled = True
            self._settling.begin(event)

    @property
    def is_settling(self) -> bool:
        """Whether an event settles: it is about to go on."""
        return self._settling.event is not None

    def over(self, event: object) -> None:
        """This event has ended."""
        self._settling.end(event)

    def enter(self, section: Section) -> None:
        """Open a section inside of its parent; the caller has been admitted as the parent's code."""
        self._sections.append(section)
        self.is_closed = True

    def leave(self, section: Section, task: "asyncio.Task[Any] | None" = None) -> None:
        """A section has ended, and whatever was left open inside of it. Its task calls this as the last thing that it does."""
        section.has_ended = True
        if section in self._sections:
            del self._sections[self._sections.index(section) :]
        if task is None:
            self._look()
            return
        self.ended, self.is_closed = task, True
        # What the loop is asked for now comes before who awaits the task, and what it is asked for then behind it.
        loop = task.get_loop()
        loop.call_soon(loop.call_soon, self._pass_on, task)

    def hold(self) -> None:
        """Close to everybody, until `release` was called as often."""
        self._holds += 1
        self.is_closed = self._settling.is_held = True

    def release(self) -> None:
        """Undo one `hold`."""
        self._holds -= 1
        if not self._holds:
            self._settling.go_on()
        self._look()

    def break_(self, error: BaseException) -> None:
        """No step runs any more; who waits is called, to end."""
        self.broken = error
        self.is_closed = True
        self._call()

    async def admission(self, section: Section | None, event: object = None) -> None:
        """Wait until code of this section and event may run. Raises what broke the gate."""
        if self.broken is None and self.is_closed:
            await _passage(self, section, event)
        if self.broken is not None:
            raise self.broken

    def passage(
        self, section: Section | None, event: object = None, *, is_next: bool = False
    ) -> Generator[Any, Any, BaseException | None]:
        """Wait in line, or, who `is_next`, at its head, until code of this section may run, or the gate is broken. What was thrown
        meanwhile is returned."""
        if (self._sections or self._settling.event is not None) and self.admits(section, event):
            # The section's own code, or the event's: nobody in the line may go before it.
            return None
        if self.admits(section, event) and not self._called and self.ended is None:
            return None
        thrown: BaseException | None = None
        waiter = Waiter(_FIRST if is_next else next(self._numbers), section, event)
        while True:
            error = yield from self._stand(waiter)
            thrown = error or thrown
            if self.broken is not None:
                return thrown
            if waiter.is_called:
                if self.admits(section, event):
                    return thrown
                if not self._holds:
                    self._most = 1

    def _stand(self, waiter: Waiter) -> Generator[Any, Any, BaseException | None]:
        waiter.is_called = False
        waiter.future = asyncio.get_running_loop().create_future()
        insort(self._waiting, waiter, key=_place)
        thrown: BaseException | None = None
        try:
            yield from waiter.future
        except GeneratorExit:
            raise
        except BaseException as error:  # noqa: BLE001  told when it may be: a cancellation waits at the gate too
            thrown = error
        finally:
            if waiter.is_called:
                self._called -= 1
                if not self._called:
                    self._look()
            else:
                self._waiting.remove(waiter)
        return thrown

    @property
    def waiting(self) -> int:
        """How many steps wait."""
        return len(self._waiting)

    def _pass_on(self, ended: "asyncio.Task[Any] | None") -> None:
        if self.ended is ended:
            self.ended = None
            self._look()

    def _look(self) -> None:
        if self.ended is not None and self.broken is None:
            return
        if not self._called:
            self._call()
        self.is_closed = (
            self.broken is not None
            or self._settling.event is not None
            or bool(self._holds or self._sections or self._called)
        )
        if not self.is_closed:
            self._opened()

    def _call(self) -> None:
        if not self._waiting or (self._holds and self.broken is None):
            return
        waiting, self._waiting = self._waiting, []
        most = self._most if self.broken is None else _ALL
        for place, waiter in enumerate(waiting):
            if self.broken is None and not self.admits(waiter.section, waiter.event):
                self._waiting.append(waiter)
                continue
            waiter.is_called = True
            self._called += 1
            if not waiter.future.done():
                waiter.future.set_result(None)
            if self._called >= most:
                self._waiting += waiting[place + 1 :]
                break
        if self._called:
            self._most = min(2 * self._most, _ALL)


def living(section: Section | None) -> Section | None:
    """The section itself, or the nearest around it that has not ended."""
    while section is not None and section.has_ended:
        section = section.parent
    return section


async def gated(function: Callable[..., Any], args: tuple[Any, ...], gate: InputGate, section: Section | None) -> Any:  # noqa: ANN401
    """Call user code, and await what it gives, each step admitted by the gate. Raises what broke the gate."""
    if gate.is_closed:
        await gate.admission(section)
    gate.current = event = object()
    gate.is_used = gate.has_branched = False
    try:
        result = function(*args) if Wanted.on_stacks is None else Wanted.on_stacks(function, args)
        # Asked by type first: nearly all are coroutines, and the other question costs a microsecond.
        if type(result) is types.CoroutineType or isinstance(result, Awaitable):
            return await driven(result, gate, section, event)
        return result
    except (SystemExit, KeyboardInterrupt) as error:
        raise Exited(error) from error
    finally:
        gate.current = None
        if gate.is_closed:
            gate.over(event)


async def stepwise(
    coroutine: Coroutine[Any, Any, Any],
    gate: InputGate,
    section: Section | None,
    event: object = None,
) -> Any:  # noqa: ANN401  a task's result
    """Run a task of user code, of this event, each step admitted by the gate. Raises what broke the gate."""
    if gate.is_closed:
        await gate.admission(section, event)
    try:
        return await driven(coroutine, gate, section, event)
    except (SystemExit, KeyboardInterrupt) as error:
        raise Exited(error) from error
    finally:
        if gate.is_used:
            gate.settle(event)


@types.coroutine
def driven(awaitable: Awaitable[Any], gate: InputGate, section: Section | None, event: object = None) -> Steps:
    """Await user code: each step after the first one is admitted by the gate."""
    steps = cast("Coroutine[Any, Any, Any]", awaitable if hasattr(awaitable, "send") else awaitable.__await__())
    gate.current = event
    try:
        awaited = steps.send(None)
        while True:
            gate.current = answer = error = None
            if gate.is_used:
                gate.suspended(event)
            try:
                answer = yield awaited
            except GeneratorExit:
                steps.close()
                raise
            except BaseException as thrown:  # noqa: BLE001  user code's to handle
                error = thrown
            if (
                gate.is_closed
                and gate.broken is None
                and not ((is_next := awaited is gate.ended) and gate.admits(section, event))
            ):
                try:
                    error = (yield from gate.passage(section, event, is_next=is_next)) or error
                except GeneratorExit:
                    steps.close()
                    raise
            if gate.broken is not None:
                end(steps)
                raise gate.broken
            gate.current = event
            awaited = steps.send(answer) if error is None else steps.throw(error)
    except StopIteration as stop:
        return stop.value
    finally:
        gate.current = None


@types.coroutine
def _passage(gate: InputGate, section: Section | None, event: object) -> Generator[Any, Any, None]:
    if (error := (yield from gate.passage(section, event))) is not None:
        raise error


def _place(waiter: Waiter) -> int:
    return waiter.number


def end(steps: Any) -> None:  # noqa: ANN401
    """Close a coroutine of user code for good, however it takes that."""
    # It may await, or raise, where nobody listens any more.
    with contextlib.suppress(BaseException):
        steps.close()
