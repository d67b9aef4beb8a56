"""The output gate of an object: what of it may be seen outside.

It holds *actions* (a send, an answer, a call, an acknowledgement) until the writes that came before them are durable.

Law 1: actions leave in the order in which they were emitted, each after all confirmed writes that came before it.
Law 2: a broken gate lets no action leave, ever.
Source: workerd `io-gate.h`, and the product's documentation of input and output gates.
"""

from collections import deque
from collections.abc import Callable, Iterator


class OutputGate:
    """Keeps what an object lets out until the writes before it are durable. Generation n of writes is the nth commit."""

    __slots__ = ("_durable", "_is_broken", "_lock", "_next", "_waiting", "failed")

    def __init__(self, failed: Callable[[BaseException], None]) -> None:
        self.failed = failed
        # None until there is something: an empty deque takes 760 bytes, and most never hold anything.
        self._waiting: deque[tuple[int, Callable[[], None]]] | None = None
        self._next = 1
        self._lock = 0
        self._durable = 0
        self._is_broken = False

    @property
    def is_clear(self) -> bool:
        """Whether what is emitted now leaves now."""
        return self._lock <= self._durable and not self._waiting and not self._is_broken

    @property
    def waiting(self) -> int:
        """How many actions wait."""
        return len(self._waiting or ())

    @property
    def actions(self) -> Iterator[Callable[[], None]]:
        """What waits, in order."""
        return (action for _, action in self._waiting or ())

    def wrote(self) -> None:
        """There is a write which what is emitted from now on must wait for."""
        self._lock = self._next

    def emit(self, action: Callable[[], None]) -> None:
        """Do it now, or when the writes so far are durable; never, if they fail."""
        if self._lock <= self._durable and not self._waiting:
            if not self._is_broken:
                action()
        elif not self._is_broken:
            self._waiting = self._waiting or deque()
            self._waiting.append((self._lock, action))

    def begin(self) -> int:
        """A commit of all writes so far begins; this is its generation."""
        generation = self._next
        self._next += 1
        return generation

    def confirm(self, generation: int) -> None:
        """The writes up to this generation are durable: what waited for them leaves."""
        self._durable = generation
        while self._waiting and self._waiting[0][0] <= generation:
            _, action = self._waiting.popleft()
            try:
                action()
            except Exception as error:  # noqa: BLE001  the next one's action is not to suffer from it
                self.failed(error)

    def break_(self) -> None:
        """Nothing of what waits leaves, nor anything later."""
        self._is_broken = True
        self._waiting = None
