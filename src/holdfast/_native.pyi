"""The boundary between Python and the Rust core, typed by hand and proved by `mypy.stubtest`.

Law 1: what crosses here is a value. No object of one side keeps state of the other, but for `Origin`, a handle.
Law 2: `decide` and `answer` run on the policy thread, which alone takes the GIL for requests. They must not wait.
Law 3: whatever they raise refuses the request with 500. The edge fails closed.
"""

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, final, type_check_only

from holdfast.model.connection import ClosedConnection, Connection, ConnectionEvent, ConnectionFilter, ConnectionQuery
from holdfast.model.fault import Fault
from holdfast.model.request import Request
from holdfast.model.zone_statistics import ZoneStatistics

__all__ = [
    "Certificate",
    "Edge",
    "MessageRule",
    "Origin",
    "Pattern",
    "PhraseSet",
    "Screen",
    "TlsRule",
    "TunnelOptions",
    "Undecided",
    "WorkerTarget",
    "begin_request",
    "begin_rule",
    "end_request",
    "is_xss",
    "spend",
    "sqli_fingerprint",
    "transform",
]

@type_check_only
class ForwardLike(Protocol):
    """What `decide` returns to dial an origin (`holdfast.edge.decision.Forward`).

    Attributes read where they are there, and at their default where not: `zone: str` ("": none) is what records and
    figures name and `close_tunnels` means. `server_name: str` ("": the origin's) is asked for and verified instead of
    the origin's own; connections of one name never serve another. `strip_upgrade: bool`: an upgrade is carried out as
    the ordinary GET it is without its handshake. `set_response_headers: tuple[tuple[str, str], ...]` are set on the
    origin's final answer, a 101 too, and replace its own of the same name; framing, `Connection` and `CF-Ray` stay.
    `explain_statuses: tuple[int, ...]`: a final answer with one of these is not passed on; `answer(fault)` is asked.
    `tunnel: TunnelOptions | None` is what holds for the WebSocket that an upgrade becomes; None asks nothing of it.
    A `Host` in `set_headers` takes the place of the client's.
    `worker: WorkerTarget | None`: the origin is the process of this script. Fields of the client's named `Holdfast-*` are left out,
    and a 101 of it with `Holdfast-Session: <ticket>` makes the client's leg a session of the script's channel; one with
    `Holdfast-Pass: <token>` joins it with the parked WebSocket of that token. A process that fails is told as Cloudflare does:
    `Fault.code` 1101 with status 500, or 1102 with 503 where it takes too long.
    `park: WorkerTarget | None`, of an egress request: the WebSocket that an origin's 101 opens is kept for this script, which
    gets `Holdfast-Parked: <token>` with its 101 (32 hexadecimal digits), for 30 s at most and as long as its connection stands.
    """

    @property
    def origin(self) -> Origin: ...
    @property
    def set_headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def remove_headers(self) -> tuple[str, ...]: ...

@type_check_only
class RespondLike(Protocol):
    """What `decide` or `answer` returns to answer without an origin (`holdfast.edge.decision.Respond`).

    `zone: str` ("": none) is read where it is there; it is whom a decision's answer is counted for.
    """

    @property
    def status(self) -> int: ...
    @property
    def headers(self) -> tuple[tuple[str, str], ...]: ...
    @property
    def body(self) -> bytes: ...

@final
class Origin:
    """Where to dial: a checked, immutable handle. Make it once per snapshot, share it between decisions.

    `scheme` is "http" or "https". One of `host` (a name or an address, IPv6 without brackets), `addresses` (IP
    addresses that are tried in turn, each first as often as the others), both with `port` (1-65535), or `unix_path`.
    `base_path` is "" or starts with "/" and has no trailing "/". With https, `verify` checks chain, dates and name
    against `ca_pem` (PEM bytes) or, where that is None, the system's store. `server_name` is the name asked for (SNI)
    and verified; "" is the host, or the address that was dialled. `label` is how records and errors name this origin.
    It costs about 350 bytes; what TLS needs is shared by all that are verified alike.
    Raises ValueError with a sentence that names the argument.
    """

    def __new__(
        cls,
        *,
        label: str,
        scheme: str,
        host: str = "",
        addresses: Sequence[str] = (),
        port: int = 0,
        unix_path: str | None = None,
        base_path: str = "",
        server_name: str = "",
        verify: bool = True,
        ca_pem: bytes | None = None,
        connect_timeout_s: float = 19.0,
        answer_timeout_s: float = 125.0,
    ) -> Origin: ...
    @property
    def label(self) -> str: ...

@final
class WorkerTarget:
    """The process of a Worker's script: a checked, immutable handle. Make it once a script, share it between decisions.

    `script` is its key, `channel` the absolute path of its session channel's Unix socket.
    Raises ValueError with a sentence that names the argument.
    """

    def __new__(cls, *, script: str, channel: str) -> WorkerTarget: ...
    @property
    def script(self) -> str: ...
    @property
    def channel(self) -> str: ...

@final
class Certificate:
    """A chain and its key (PEM bytes), and the host names it is for (`*.example.com` allowed; lower case).

    Raises ValueError where the PEM cannot be read or the key does not match.
    """

    def __new__(cls, *, names: Sequence[str], chain_pem: bytes, key_pem: bytes) -> Certificate: ...
    @property
    def names(self) -> tuple[str, ...]: ...

@final
class TlsRule:
    """What TLS clients may use that ask for one of `names` (as those of a `Certificate`; exact before wildcard).

    Versions are "1.2" or "1.3". `ciphers` are TLS 1.2 suites by their OpenSSL names (ECDHE-ECDSA or ECDHE-RSA, each with
    -AES128-GCM-SHA256, -AES256-GCM-SHA384 and -CHACHA20-POLY1305); () means all. TLS 1.3 has all of its own, always.
    Without `http2`, they are offered HTTP/1.1 alone.
    Raises ValueError with a sentence that names the argument.
    """

    def __new__(
        cls,
        *,
        names: Sequence[str],
        min_version: str,
        max_version: str,
        ciphers: Sequence[str] = (),
        http2: bool = True,
    ) -> TlsRule: ...
    @property
    def names(self) -> tuple[str, ...]: ...

@final
class TunnelOptions:
    """What a zone asks of its WebSockets once they are open: a checked, immutable handle. Make it once per zone, share it
    between decisions; a tunnel keeps what it began with. 0 is off, everywhere.

    A leg that is silent for `keepalive_interval_s` gets a ping of the edge's own; after `keepalive_misses` (1-100) that it
    leaves unanswered, for as long each, it is dead. `idle_timeout_s` is for how long nothing may pass; pings of the peers
    count, those of the edge do not. `max_age_s` is for how long a tunnel may be open, less a part of up to
    `max_age_jitter` (0-1) by chance. `read_stall_timeout_s` is how long a frame that has begun may wait for more of it,
    `write_stall_timeout_s` how long a side may take nothing of what waits for it. `max_message_bytes` is of the payload, as
    it is on the wire, over all frames of a message. Rates are averages; a second's worth may come at once. Beyond
    them a side is read no faster ("throttle"), or closed with 1008 ("close").
    `max_zone_connections` and `max_address_connections` bound how many are open in this process.
    `message_rules` (at most 20) are asked of each text message in their order, until one drops it or closes. A direction that
    has any takes texts of up to `max_message_bytes`, or 1 MiB, as they come and inflated; beyond it is 1009. For all of the
    zone's upgrades, extensions other than permessage-deflate are then left out of the offer, and messages of such a
    direction are each compressed by themselves (`server_no_context_takeover`, `client_no_context_takeover`).
    Raises ValueError with a sentence that names the argument.
    """

    def __new__(
        cls,
        *,
        keepalive_interval_s: float = 0.0,
        keepalive_misses: int = 3,
        idle_timeout_s: float = 0.0,
        max_age_s: float = 0.0,
        max_age_jitter: float = 0.1,
        read_stall_timeout_s: float = 0.0,
        write_stall_timeout_s: float = 0.0,
        max_message_bytes: int = 0,
        messages_per_s_to_origin: float = 0.0,
        bytes_per_s_to_origin: float = 0.0,
        messages_per_s_to_client: float = 0.0,
        bytes_per_s_to_client: float = 0.0,
        over_rate: Literal["throttle", "close"] = "throttle",
        max_zone_connections: int = 0,
        max_address_connections: int = 0,
        message_rules: Sequence[MessageRule] = (),
    ) -> TunnelOptions: ...

@final
class MessageRule:
    """A rule on text messages: a checked, immutable handle. Compiling a large schema takes some milliseconds.

    `id` (1-64 visible ASCII characters) is how records and Close reasons name it. A message breaks it where `pattern` (the
    dialect of `Pattern`, of what is linear; up to 8 KiB) matches anywhere in the bytes of the text, or where the text is not
    JSON of `schema` (JSON of an object, up to 64 KiB; draft 2020-12, or 7 where `$schema` says so; references lead to
    somewhere in the schema, `$id` stands at its top alone, `format` refuses nothing). Whatever is no JSON is not of a
    schema, and so is what has a name twice in an object, more than 100,000 values, or nests deeper than 127. What would take
    too long to find out breaks the rule.
    Then it is closed (1008 to its sender), the message does not pass ("drop"), or it passes ("log"); the two are logged.
    Raises ValueError with a sentence that names the rule and the argument.
    """

    def __new__(
        cls,
        *,
        id: str,  # noqa: A002  as the setting has it
        direction: Literal["to_origin", "to_client", "both"],
        action: Literal["close", "drop", "log"],
        pattern: str | None = None,
        schema: str | None = None,
    ) -> MessageRule: ...
    @property
    def id(self) -> str: ...
    @property
    def action(self) -> Literal["close", "drop", "log"]: ...

@final
class Edge:
    """The running edge: `threads` HTTP runtimes, as many tunnel loops, one policy thread, one log thread.

    `listeners` are (file descriptor, is_tls) of bound, listening TCP sockets; the edge takes each descriptor over and
    closes it at the end, or when this raises. They are dealt to the threads in turn, so bind one per thread and address (SO_REUSEPORT).
    Whoever shares them with this edge leaves them non-blocking (`socket.dup` and `settimeout` would not: the mode is shared).
    `log_fd` is where records go, one JSON object a line; it stays the caller's. `colo` is three upper-case letters.
    `max_connections` bounds client connections; beyond it, accepting pauses. One over HTTP/2 counts half, and half for each
    stream; a stream beyond it gets 503. Without a rule for its name, a client may
    use all that the edge has: TLS 1.2 and 1.3. `resolvers` are the name servers for origins, IP addresses with a port or
    without; () means the system's. The hosts file goes before them. `max_pending_connects` bounds the connections to one origin (its
    address) that are coming about at once, an upgrade until it is answered; who must wait takes turns by zone. 0 is no bound.
    `egress_fd` is a listening Unix socket on which the processes of Workers ask for what they fetch (HTTP/1.1, targets in
    absolute form; `Request.is_egress`); it is taken over as a listener is, and other edges may share it. Its connections have
    places of their own, a quarter of `max_connections` and 4,096 at most, which clients then do not have.
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
        tls_rules: Sequence[TlsRule] = (),
        resolvers: Sequence[str] = (),
        max_pending_connects: int = 256,
        egress_fd: int | None = None,
    ) -> Edge: ...
    def start(self) -> None:
        """Begin to accept. Raises RuntimeError when called twice, OSError when a thread or socket cannot be set up."""
    def set_certificates(self, certificates: Sequence[Certificate]) -> None:
        """Swap the certificates for new handshakes. The first is the one for clients whose name fits none."""
    def set_tls(self, *, certificates: Sequence[Certificate], rules: Sequence[TlsRule]) -> None:
        """Swap certificates and rules together for new handshakes; none sees a mix. The first rule of a name counts. A
        session is resumed only under the demands it was made under. Takes about 40 ms for 10,000 certificates and as many
        rules, most of it without the GIL; handshakes go on meanwhile."""
    def stop(self, *, grace_s: float) -> None:
        """Stop accepting, close tunnels with 1001 to both sides, finish requests in flight, then end. Blocks, without
        the GIL, for `grace_s` seconds at most; what is left is cut."""
    def connections(self, query: ConnectionQuery) -> tuple[int, list[Connection]]:
        """How many open WebSockets the query's filter means, and its page of them. Correct for any number of them; one that
        opens or ends while they are looked through may be in it or not. Looks in steps between which messages pass, some
        10 ms for 50,000 in all. Raises ValueError with a sentence that names the field."""
    def connection(self, id: str) -> Connection | ClosedConnection | None:  # noqa: A002  as records say
        """The WebSocket with this id: as it stands now, or as it ended, where it is among the 4,096 that closed last (8 MiB
        of them at most). None where nobody knows it."""
    def close_connections(self, filter: ConnectionFilter, code: int, reason: str) -> int:  # noqa: A002  as above
        """Close every open WebSocket that the filter means, as `close_tunnels` those of a zone; how many were told."""
    def watch_connections(self, on: bool) -> None:
        """Whether to keep what opens and closes from now on, for `take_connection_events`. At most 16,384 events and 16 MiB
        are kept: beyond that, the oldest are lost. What is kept is forgotten by either call."""
    def take_connection_events(self, limit: int) -> tuple[int, list[ConnectionEvent]]:
        """How many events were lost since the last call, and the oldest that were kept, `limit` of them at most."""
    def retire(self, *, accept_waiting: bool = False) -> None:
        """Take no new connection and no further request, for good. The edge's copies of the listening sockets are closed:
        connections that wait in them are for whoever else holds them. With `accept_waiting`, for where nobody else does and
        the kernel would reset them, they are let in first, and get one answer each. Idle connections of clients end; requests
        in flight get their answers, with `Connection: close`; upgrades under way become WebSockets, which stay open. It is
        empty when `statistics()` has 0 of both "connections_open" (those of Workers' processes included) and "tunnels_open". Returns when the sockets are closed,
        after a second at most."""
    def close_evenly(
        self,
        *,
        why: Literal["release", "drain"],
        reason: str,
        window_s: float,
        order: Literal["oldest", "idlest"] = "oldest",
        code: int = 1012,
    ) -> int:
        """Close every open WebSocket with this Close to both sides, each at a frame boundary, evenly over the next
        `window_s` seconds, with some chance in each moment; those that open from now on at once. How many were open.
        The reason that both sides see is "<why>: <reason>", 123 bytes at most (the word is not said twice). What has not
        ended 10 s after its own Close is cut. Called again, it begins anew with what is left. Does not wait.
        Raises ValueError with a sentence that names the argument."""
    def statistics(self) -> dict[str, int]:
        """Counters since the start and sizes of every queue, pool and table, by name."""
    def close_tunnels(self, *, zone: str, code: int, reason: str) -> int:
        """Close every open WebSocket of `zone` with this Close to both sides, each at a frame boundary; how many were
        told. Their records say closed_by "edge", why "closed_by_operator". What has not ended after 10 s is cut.
        Raises ValueError for a code that a server may not send, or a reason of more than 123 bytes."""
    def zone_statistics(self) -> list[ZoneStatistics]:
        """The figures of every zone that something was done for, open WebSockets included, by name. Asks the tunnel
        loops, so it takes a moment: not for `decide`."""
    def forget_zones(self, keep: Sequence[str]) -> None:
        """Forget the figures of zones that are not in `keep` and have no open WebSocket."""
    def decide_latency(self) -> tuple[list[tuple[float, int]], float, int]:
        """How long `decide` takes: (upper bound in seconds, how many took no longer) ascending and cumulative, without
        the unbounded bucket, which is the last value; the sum in seconds; how many decisions there were."""

def transform(names: Sequence[str], value: bytes) -> bytes:
    """`value` after ModSecurity's transformations `names` in their order (SecLang's names without "t:", in any case).

    "none" forgets what came before it. Decoding anything never fails: what is not encoded stays as it is. "urlDecodeUni"
    maps by code page 20127, as ModSecurity's recommended configuration does. Raises ValueError for an unknown name.
    """

def sqli_fingerprint(value: bytes) -> bytes | None:
    """The fingerprint by which libinjection takes `value` for an SQL injection (5 token types at most), or None."""

def is_xss(value: bytes) -> bool:
    """Whether a browser could run a script of `value` in one of the five HTML contexts that libinjection tries."""

@final
class Pattern:
    """One regular expression in PCRE's syntax, over bytes: what SecLang's `@rx` means by it.

    The pattern's UTF-8 bytes are what is compiled. "." matches any byte, "$" only the very end, classes are ASCII. What a
    linear-time engine can do is done by one (`is_linear`); look-around, back-references, possessive and atomic groups are
    left to a backtracker that gives up after 200,000 steps (2 ms). Raises ValueError with a sentence where the pattern cannot
    be compiled.

    What it is asked is answered exactly, or raises Undecided after as much work as a rule may cost: with `is_metered`,
    together with all that this thread has done since `begin_rule`.
    """

    def __new__(cls, pattern: str, *, ignore_case: bool = False, is_metered: bool = False) -> Pattern: ...
    @property
    def is_linear(self) -> bool: ...
    def search(self, value: bytes) -> tuple[bytes, ...] | None:
        """The leftmost match and its groups in order; b"" for a group that took no part. None without a match."""
    def is_match(self, value: bytes) -> bool:
        """Whether it matches anywhere."""

class Undecided(Exception):
    """Nobody knows: it would have taken too long to find out."""

def begin_request() -> None:
    """The rules that this thread evaluates from here on are of one request: they may cost eight times what one may together."""

def end_request() -> None:
    """What this thread does from here on is of no request: what a rule may cost is all that is looked at."""

def begin_rule() -> None:
    """What this thread does from here on is for one rule, which may cost about 2 ms (500,000 steps of 4 ns), and no more than
    is left for its request where one has begun."""

def spend(steps: int) -> None:
    """Take so many steps of what the rule may cost. Raises Undecided where there are fewer left."""

@final
class PhraseSet:
    """Phrases, any of which may be found, in any ASCII case: SecLang's `@pm` and `@pmFromFile`. Empty ones are left out."""

    def __new__(cls, phrases: Sequence[bytes]) -> PhraseSet: ...
    def first(self, value: bytes) -> bytes | None:
        """The phrase that is found first (where several begin together, the longest), as it stands in `value`; or None."""

@final
class Screen:
    """Many tests over many values in one call: which of them may hold. It never misses one that does.

    Each group is (source index, transformation names, tests). A test is ("rx", pattern), ("pm", phrases), ("sqli", "") or
    ("xss", ""). Tests are numbered over all groups in order, from 0. Building takes some 0.1 to 0.4 s for the Core Rule Set,
    most of it without the GIL. Raises ValueError with a sentence that names the test.
    """

    def __new__(
        cls, groups: Sequence[tuple[int, Sequence[str], Sequence[tuple[str, str | Sequence[bytes]]]]]
    ) -> Screen: ...
    def scan(self, sources: Sequence[Sequence[bytes]]) -> list[int]:
        """The numbers, ascending, of the tests that may hold for at least one value of their source, transformed.

        `sources` are the values by source index; a source that is not there has none. Phrases and libinjection are exact,
        and so are patterns, but for those that are not linear, and those for which a hostile value uses up the scan's
        budget: both are there where they cannot be ruled out. Ask `Pattern` about them.
        """
    def statistics(self) -> dict[str, int]:
        """What it holds: "tests", "sets" (of compiled tests that sources share), "chains" (of transformations, over all
        sources) and "memory_bytes", what was worked out for the values so far included."""
