"""How each option of the serving commands is spelled, once: `up` and `run` share what they have in common.

Law 1: one option has one flag, one key, one environment variable (HOLDFAST_ and the key) and one parser, whoever takes it.
Law 2: a parser gives a value or raises UsageError with the name it was told. It looks at no file and no network.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from pathlib import Path

from holdfast.config.database_url import DatabaseUrl
from holdfast.errors import UsageError
from holdfast.model.listen_address import ListenAddress
from holdfast.model.option import Given, spelled, switch
from holdfast.model.origin_url import OriginUrl

# Two threads each (HTTP and tunnels). Precedent: no machine we know gains from more loops than cores, and 64 cores
# already outrun a network card.
MAX_THREADS = 64
# What a list of addresses takes to mean "none": for an edge that serves TLS only, or plainly only.
NO_ADDRESS = "none"
# RFC 1035 §4.2: where name servers listen.
_DNS_PORT = 53
# Beyond this a limit is none; 0 says so in fewer words.
_MAX_RATE = 1_000_000
# Ten years; and 100 GB of them.
_MAX_EVENT_DAYS, _MAX_EVENT_ROWS = 3650, 100_000_000
# A month, and a day: who waits longer for clients to go may as well not begin.
_MAX_DEADLINE_S, _MAX_SPREAD_S = 30 * 24 * 3600, 24 * 3600
# More than one address has ports for.
_MAX_PENDING_CONNECTS = 65_536


class SslMode(StrEnum):
    """How the leg to an https origin is secured, in the words of Cloudflare's zone setting `ssl`."""

    STRICT = "strict"
    FULL = "full"


class ReleaseOrder(StrEnum):
    """Which connections an edge closes first when its time is over."""

    OLDEST = "oldest"
    IDLEST = "idlest"


def usable_cpus() -> int:
    """How many processors this process may use (sched_getaffinity), at most MAX_THREADS."""
    return min(len(os.sched_getaffinity(0)), MAX_THREADS)


def without_none(given: Mapping[str, Given]) -> dict[str, Given]:
    """`given` without the lists of addresses that are just NO_ADDRESS."""
    return {name: raw for name, raw in given.items() if not is_none(name, raw)}


def is_none(name: str, given: Given) -> bool:
    """Whether this field is a list of addresses, and is given as NO_ADDRESS."""
    return name in {"listen", "tls_listen"} and given in (NO_ADDRESS, [NO_ADDRESS], (NO_ADDRESS,))


def check_serving(
    listen: Sequence[ListenAddress],
    tls_listen: Sequence[ListenAddress],
    cert: Sequence[Path],
    key: Sequence[Path],
    *,
    name: Callable[[str], str],
) -> None:
    """What must hold between these. `name` gives what an option is called in the error, by its key. Raises UsageError."""
    if len(cert) != len(key):
        missing, present = ("key", cert) if len(cert) > len(key) else ("cert", key)
        raise UsageError(name(missing), None, f"the file that goes with {present[-1]}")
    if cert and not tls_listen:
        raise UsageError(name("tls_listen"), None, f"the address to serve TLS on, since {name('cert')} is given")
    if not listen and not tls_listen:
        raise UsageError(name("listen"), NO_ADDRESS, f"at least one address, here or with {name('tls_listen')}")
    fixed = [address for address in (*listen, *tls_listen) if address.port]
    for index, address in enumerate(fixed):
        if address in fixed[:index]:
            expected = f"each address once, over {name('listen')} and {name('tls_listen')}"
            raise UsageError(name("listen"), str(address), expected)


def _listen(text: str, field: str) -> ListenAddress:
    return ListenAddress.parse(text, field=field)


def _resolver(text: str, field: str) -> ListenAddress:
    bare = f"[{text}]" if text.count(":") > 1 and not text.startswith("[") else text
    has_port = bare.rpartition("]")[2].startswith(":") if bare.startswith("[") else ":" in bare
    try:
        address = ListenAddress.parse(bare if has_port else f"{bare}:{_DNS_PORT}", field=field)
    except UsageError:
        address = ListenAddress("", 0)
    if not address.port:
        raise UsageError(field, text, "the IP address of a name server, such as 9.9.9.9, 127.0.0.1:5353 or [::1]:53")
    return address


def _origin(text: str, field: str) -> OriginUrl:
    return OriginUrl.parse(text, field=field)


def environment_of(text: str, field: str) -> str:
    """The name of an environment. Raises UsageError, naming `field`."""
    if not text or not text.isprintable():
        raise UsageError(field, text, "the name of an environment, as a configuration has it below env")
    return text


def path_of(text: str, field: str) -> Path:
    """The path in `text`, ~ resolved. Raises UsageError, naming `field`."""
    if not text or "\0" in text:
        raise UsageError(field, text, "the path of a file or directory")
    try:
        return Path(text).expanduser()
    except RuntimeError:  # ~ of somebody this machine does not know
        raise UsageError(
            field, text, "the path of a file or directory, in the home of a user of this machine"
        ) from None


def _number(text: str, field: str, low: int, high: int) -> int:
    if not (text.isascii() and text.isdigit() and len(text) <= len(str(high)) and low <= int(text) <= high):
        raise UsageError(field, text, f"a number from {low} to {high}")
    return int(text)


def _threads(text: str, field: str) -> int:
    return _number(text, field, 1, MAX_THREADS)


def _rate(text: str, field: str) -> int:
    return _number(text, field, 0, _MAX_RATE)


def _event_days(text: str, field: str) -> int:
    return _number(text, field, 1, _MAX_EVENT_DAYS)


def _event_rows(text: str, field: str) -> int:
    return _number(text, field, 1, _MAX_EVENT_ROWS)


def _deadline(text: str, field: str) -> int:
    return _number(text, field, 0, _MAX_DEADLINE_S)


def _spread(text: str, field: str) -> int:
    return _number(text, field, 0, _MAX_SPREAD_S)


def _pending_connects(text: str, field: str) -> int:
    return _number(text, field, 1, _MAX_PENDING_CONNECTS)


def _release_order(text: str, field: str) -> ReleaseOrder:
    try:
        return ReleaseOrder(text)
    except ValueError:
        raise UsageError(field, text, " or ".join(ReleaseOrder)) from None


def _ssl_mode(text: str, field: str) -> SslMode:
    try:
        return SslMode(text)
    except ValueError:
        raise UsageError(field, text, " or ".join(SslMode)) from None


ORIGIN = spelled(
    "ORIGIN",
    "ORIGIN",
    "Where requests go: http://, https://, ws:// or wss:// with host, port and base path, or unix:/path.",
    _origin,
    is_optional=True,
)
WORKER = spelled(
    "--worker",
    "PATH",
    "Answer every host name with this Worker: a directory with a wrangler.toml or wrangler.jsonc, such a file, or a .py. "
    "Repeatable: further ones are for bindings.",
    path_of,
    is_many=True,
)
WORKER_ENV = spelled("--env", "NAME", "This environment of the Workers' configurations.", environment_of)
WATCH = switch("--watch", "Serve the Worker anew when its files change, and print what it logs.")
LISTEN = spelled(
    "--listen",
    "ADDR:PORT",
    f"Serve ws:// and http:// here. Repeatable; port 0 takes any free one; {NO_ADDRESS!r} for TLS only.",
    _listen,
    is_many=True,
    default="127.0.0.1:8080",
    key="listen",
)
TLS_LISTEN = spelled(
    "--tls-listen",
    "ADDR:PORT",
    "Serve wss:// and https:// here. Repeatable.",
    _listen,
    is_many=True,
    key="tls_listen",
)
CERT = spelled(
    "--cert",
    "FILE",
    "Certificate chain (PEM), its own certificate first; goes with --key. Repeatable: the client's SNI chooses,"
    " the first is for all others. Without one, a local authority is made in the data directory.",
    path_of,
    is_many=True,
    key="cert",
)
KEY = spelled(
    "--key",
    "FILE",
    "Private key (PEM, not encrypted) of the --cert given in the same place.",
    path_of,
    is_many=True,
    key="key",
)
DATA_DIR = spelled(
    "--data", "DIR", "Where Holdfast keeps its files.", path_of, default="$XDG_DATA_HOME/holdfast", key="data_dir"
)
THREADS = spelled(
    "--threads",
    "N",
    f"How many loops share the connections, 1 to {MAX_THREADS}.",
    _threads,
    default="processors",
    key="threads",
    is_number=True,
)
LOG_FILE = spelled(
    "--log", "FILE", "Append records here, one JSON object a line.", path_of, default="stderr", key="log_file"
)
ORIGIN_CA = spelled(
    "--origin-ca",
    "FILE",
    "Trust these authorities (PEM) for an https origin, not the system's.",
    path_of,
    key="origin_ca",
)
SSL = spelled(
    "--ssl",
    "|".join(SslMode),
    "Verify the certificate of an https origin, or take any.",
    _ssl_mode,
    default=SslMode.STRICT.value,
)
DATABASE_URL = spelled(
    "--database-url",
    "URL",
    "Where zones and tokens are kept: sqlite+aiosqlite:///PATH or postgresql+asyncpg://USER:PASSWORD@HOST/NAME.",
    DatabaseUrl.parse,
    default="holdfast.db in the data directory",
    key="database_url",
)
GEOIP_DATABASE = spelled(
    "--geoip-database",
    "FILE",
    "Countries of client addresses (.mmdb), for CF-IPCountry.",
    path_of,
    key="geoip_database",
)
RESOLVERS = spelled(
    "--resolver",
    "IP[:PORT]",
    "Ask this name server for the names of origins. Repeatable.",
    _resolver,
    is_many=True,
    default="the system's",
    key="resolvers",
)
CONTROL_LISTEN = spelled(
    "--control-listen", "ADDR:PORT", "Serve the API here.", _listen, default="127.0.0.1:7070", key="control.listen"
)
CONTROL_CERT = spelled(
    "--control-cert", "FILE", "Serve the API over TLS with this certificate chain (PEM).", path_of, key="control.cert"
)
CONTROL_KEY = spelled(
    "--control-key", "FILE", "Private key (PEM, not encrypted) of --control-cert.", path_of, key="control.key"
)
CONTROL_RATE_LIMIT = spelled(
    "--control-rate-limit",
    "N",
    "API requests of one user or token in five minutes; 0 for no limit.",
    _rate,
    default="1200",
    key="control.rate_limit",
    is_number=True,
)
CONTROL_IP_RATE_LIMIT = spelled(
    "--control-ip-rate-limit",
    "N",
    "API requests of one client address in a second; 0 for no limit.",
    _rate,
    default="200",
    key="control.ip_rate_limit",
    is_number=True,
)
CONTROL_EVENT_DAYS = spelled(
    "--control-event-days",
    "DAYS",
    "How long security events are kept.",
    _event_days,
    default="30",
    key="control.event_days",
    is_number=True,
)
CONTROL_EVENT_ROWS = spelled(
    "--control-event-rows",
    "N",
    "How many security events are kept, about a kilobyte each; a zone has a fifth of them at most.",
    _event_rows,
    default="500000",
    key="control.event_rows",
    is_number=True,
)
MAX_PENDING_CONNECTS = spelled(
    "--origin-max-pending-connects",
    "N",
    "How many connections to one origin may be under way at once; the others wait, each zone in its turn.",
    _pending_connects,
    default="256",
    key="origin.max_pending_connects",
    is_number=True,
)
RELEASE_DEADLINE = spelled(
    "--release-deadline",
    "S",
    "At a release or a drain: how many seconds open connections are kept.",
    _deadline,
    default="3600",
    key="release.deadline",
    is_number=True,
)
RELEASE_SPREAD = spelled(
    "--release-spread",
    "S",
    "Over how many seconds those that are left then are closed (1012).",
    _spread,
    default="60",
    key="release.spread",
    is_number=True,
)
RELEASE_ORDER = spelled(
    "--release-order",
    "|".join(ReleaseOrder),
    "Which of them are closed first.",
    _release_order,
    default=ReleaseOrder.OLDEST.value,
    key="release.order",
)
