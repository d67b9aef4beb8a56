"""The boundary between Python and the Rust core, typed by hand and proved by `mypy.stubtest`.

Law 1: what crosses here is a value. No object of one side keeps state of the other, but for `Origin`, a handle.
Law 2: `decide` and `answer` run on the policy thread, which alone takes the GIL for requests. They must not wait.
Law 3: whatever they raise refuses the request with 500. The edge fails closed.
"""

from collections.abc import Callable, Sequence
from typing import Protocol, final, type_check_only

from holdfast.model.fault import Fault
from holdfast.model.request import Request

__all__ = ["Certificate", "Edge", "Origin"]

@type_check_only
class ForwardLike(Protocol):
    """What `decide` returns to dial an origin (`holdfast.edge.decision.Forward`)."""

    @property
    def origin(self) -> Origin: ...
    @property
    def set_headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def remove_headers(self) -> tuple[str, ...]: ...

@type_check_only
class RespondLike(Protocol):
    """What `decide` or `answer` returns to answer without an origin (`holdfast.edge.decision.Respond`)."""

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...

@final
class Origin:
    """Where to dial: a checked, immutable handle. Make it once per snapshot, share it between decisions.

    `scheme` is "http" or "https". Either `host` (a name or an address, IPv6 without brackets) and `port` (1-65535), or
    `unix_path`. `base_path` is "" or starts
    with "/" and has no trailing "/". With https, `verify` checks chain, dates and name against `ca_pem` (PEM bytes)
    or, where that is None, the system's store. `label` is how records and errors name this origin.
    Raises ValueError with a sentence that names the argument.
    """

    def __new__(
        cls,
        *,
        label: str,
        scheme: str,
        host: str = "",
        port: int = 0,
        unix_path: str | None = None,
        base_path: str = "",
        verify: bool = True,
        ca_pem: bytes | None = None,
        connect_timeout_s: float = 19.0,
        answer_timeout_s: float = 125.0,
    ) -> Origin: ...
    @property
    def label(self) -> str: ...

@final
class Certificate:
    """A chain and its key (PEM bytes), and the host names it is for (`*.example.com` allowed; lower case).

    Raises ValueError where the PEM cannot be read or the key does not match.
    """

    def __new__(cls, *, names: Sequence[str], chain_pem: bytes, key_pem: bytes) -> Certificate: ...
    @property
    def names(self) -> tuple[str, ...]: ...

@final
class Edge:
    """The running edge: `threads` HTTP runtimes, as many tunnel loops, one policy thread, one log thread.

    `listeners` are (file descriptor, is_tls) of bound, listening TCP sockets; the edge takes each descriptor over and
    closes it at the end, or when this raises. They are dealt to the threads in turn, so bind one per thread and address (SO_REUSEPORT).
    `log_fd` is where records go, one JSON object a line; it stays the caller's. `colo` is three upper-case letters.
    `max_connections` bounds client connections; beyond it, accepting pauses.
    """

    def __new__(
        cls,
        *,
        listeners: Sequence[tuple[int, bool]],
        threads: int,
        decide: Callable[[Request], ForwardLike | RespondLike],
        answer: Callable[[Fault], RespondLike],
        certificates: Sequence[Certificate] = (),
        log_fd: int = 2,
        colo: str = "LOC",
        max_connections: int = 9_900,
    ) -> Edge: ...
    def start(self) -> None:
        """Begin to accept. Raises RuntimeError when called twice, OSError when a thread or socket cannot be set up."""
    def set_certificates(self, certificates: Sequence[Certificate]) -> None:
        """Swap the certificates for new handshakes. The first is the one for clients whose name fits none."""
    def stop(self, *, grace_s: float) -> None:
        """Stop accepting, close tunnels with 1001 to both sides, finish requests in flight, then end. Blocks, without
        the GIL, for `grace_s` seconds at most; what is left is cut."""
    def statistics(self) -> dict[str, int]:
        """Counters since the start and sizes of every queue, pool and table, by name."""
